using System.Text;
using Bridge.Measuring;
using Bridge.Sink;

namespace Bridge.Actors.Tests.Bench;

/// <summary>The benchmark's figures of loss, repetition and order are only worth what its sink can see.</summary>
public sealed class SinkTallyTests
{
    [Theory]
    // history, distinct, repeated, reordered
    [InlineData("0 1 2 3", 4, 0, 0)]
    [InlineData("0 1 1 2", 3, 1, 0)]
    [InlineData("0 2 1 3", 4, 0, 1)]
    [InlineData("0 2 3", 3, 0, 0)]
    [InlineData("3 2 1 0", 4, 0, 3)]
    [InlineData("0 1 2 0 1 2", 3, 3, 0)]
    [InlineData("0 5 5 1 5", 3, 2, 1)]
    [InlineData("70 0 69", 3, 0, 2)]
    public void What_is_lost_repeated_or_out_of_order_is_seen(string history, long distinct, long repeated, long reordered)
    {
        var tally = new Tally();

        foreach (var number in history.Split(' '))
            Count(tally, "m-" + number);

        Assert.Equal((distinct, repeated, reordered, 0), (tally.Distinct, tally.Repeated, tally.Reordered, tally.Unnumbered));
        Assert.Equal(history.Split(' ').Length, tally.Arrived);
    }

    [Fact]
    public void A_random_history_is_counted_as_a_plain_list_counts_it()
    {
        var seed = TestSeed.Of(20_261_124);
        var random = new Random(seed);
        for (var round = 0; round < 200; round++)
        {
            var tally = new Tally();
            var (seen, repeated, reordered, highest) = (new HashSet<int>(), 0, 0, -1);
            for (var i = 0; i < 300; i++)
            {
                var number = Math.Max(0, i + random.Next(-90, 90));
                Count(tally, "m-" + number);
                if (!seen.Add(number))
                {
                    repeated++;
                    continue;
                }

                if (number < highest)
                    reordered++;
                highest = Math.Max(highest, number);
            }

            Assert.True(
                (seen.Count, repeated, reordered) == (tally.Distinct, tally.Repeated, tally.Reordered), $"round {round} of seed {seed}");
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("m")]
    [InlineData("m-")]
    [InlineData("m-1x")]
    [InlineData("m-99999999999999999999")]
    [InlineData("m-100000001")]
    public void An_id_without_a_number_is_counted_apart(string id)
    {
        var tally = new Tally();

        Count(tally, id);

        Assert.Equal((1, 1, 0), (tally.Arrived, tally.Unnumbered, tally.Distinct));
    }

    [Fact]
    public void Latency_is_measured_behind_the_warm_up_and_not_for_repetitions()
    {
        var tally = new Tally(new Histogram(), latencyFrom: 1);

        tally.Count("m-100-0"u8, 1_000_000);
        tally.Count("m-900-1"u8, 1_000);
        tally.Count("m-900-1"u8, 2_000_000);

        Assert.Equal((1, 100), (tally.Latency!.Count, tally.Latency.Max));
    }

    [Fact]
    public void Wherever_the_stream_is_cut_the_messages_in_it_are_the_same()
    {
        var stream = Encoding.UTF8.GetBytes(
            "<message to='a' id='m-0'><body>x</body></message> <iq id='p' type='get'><ping xmlns='urn:xmpp:ping'/></iq>\n" +
            "<message id=\"m-1\"><body/></message></stream:stream>");

        for (var cut = 0; cut <= stream.Length; cut++)
        {
            var tally = new Tally();
            var rest = Scan(stream.AsSpan(0, cut), tally);
            Scan(stream.AsSpan(rest), tally);

            Assert.True((2, 2, 0) == (tally.Arrived, tally.Distinct, tally.Repeated), $"cut at {cut}");
        }
    }

    // As a connection does: whole things are taken from the front, the rest waits for more. Returns what was taken.
    private static int Scan(ReadOnlySpan<byte> input, Tally tally)
    {
        var position = 0;
        while (position < input.Length)
        {
            position += StanzaScanner.CountMessages(input[position..], tally, 0);
            if (position == input.Length || input[position..].StartsWith("<message"u8))
                break;
            var length = StanzaScanner.NextLength(input[position..]);
            if (length == 0)
                break;
            position += length;
        }

        return position;
    }

    private static void Count(Tally tally, string id) => tally.Count(Encoding.UTF8.GetBytes(id), 0);
}
