using System.Globalization;
using Bridge.Inbound;
using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Inbound;

public sealed class InboundHandoverTests
{
    private const int Overhead = 512;

    // +N: a stanza of N bytes comes and finds room; -N: it finds none; aN: Redis has everything up to N.
    [Theory]
    [InlineData("as many as there is room for", 3, 1_000_000, "+1 +1 +1 -1", 3)]
    [InlineData("room comes back with the acknowledgement", 3, 1_000_000, "+1 +1 +1 a2 +1 +1 -1", 3)]
    [InlineData("an acknowledgement that comes again gives no room", 2, 1_000_000, "+1 +1 a1 a1 +1 -1", 2)]
    [InlineData("one that is older gives none either", 3, 1_000_000, "+1 +1 +1 a3 a1 +1 +1 +1 -1", 3)]
    [InlineData("bytes count as well", 100, 3 * (Overhead + 100), "+100 +100 +100 -1", 3)]
    [InlineData("a small one finds room where a large one does not", 100, 2 * (Overhead + 100), "+100 -101 +100 -1", 2)]
    [InlineData("a stanza alone is taken however large", 100, 1_000, "+5000 -1 a1 +5000 -1", 1)]
    [InlineData("all is acknowledged", 2, 1_000_000, "+1 +1 a2", 0)]
    public void It_knows_whether_there_is_room(string name, int entries, long bytes, string story, int kept)
    {
        var handover = new InboundHandover(entries, bytes);
        foreach (var word in story.Split(' '))
        {
            var number = int.Parse(word.AsSpan(1), CultureInfo.InvariantCulture);
            if (word[0] == 'a')
                handover.Acknowledge(number);
            else
                Assert.True(handover.TryKeep(Entry(handover.Next, number)) == (word[0] == '+'), $"{name}: {word}");
        }

        Assert.Equal(kept, handover.Entries);
        Assert.Equal(kept == 0, handover.Bytes == 0);
        Assert.Equal(handover.Next - 1 - kept, handover.AcknowledgedUpTo);
    }

    [Fact]
    public void What_is_not_acknowledged_is_kept_in_order_to_be_handed_over_again()
    {
        var handover = new InboundHandover(10, 1_000_000);
        for (var i = 0; i < 5; i++)
            handover.TryKeep(Entry(handover.Next, 1));
        handover.Acknowledge(2);

        Assert.Equal([3, 4, 5], handover.Kept.Select(entry => entry.Number));
        Assert.Equal(2, handover.AcknowledgedUpTo);
    }

    [Fact]
    public void A_time_of_refusals_begins_once_and_ends_when_none_came_for_ten_seconds()
    {
        var handover = new InboundHandover(2, 1_000_000);
        bool[] begins = [.. new[] { 0, 1, 10, 19, 29, 30 }.Select(second => handover.BeginsToRefuse(TimeSpan.FromSeconds(second)))];

        Assert.Equal([true, false, false, false, true, false], begins);
    }

    private static InboundEntry Entry(long number, int bytes) =>
        new("s", number, default, StanzaKind.Message, null, null, null, null, null, new byte[bytes]);
}
