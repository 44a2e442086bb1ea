using System.Text;
using Bridge.Deferral;
using Bridge.Settings;
using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Deferral;

public sealed class DeferralTests
{
    [Theory]
    [InlineData(0, false, 0UL, 0L, null)]
    [InlineData(7, true, ulong.MaxValue, 1_769_903_999_000L, 1_769_903_998_000L)]
    public void What_is_said_reads_back_and_tells_where_the_payload_begins(int attempts, bool overtaken, ulong recipient, long taken, long? pushed)
    {
        var said = new Deferred(attempts, overtaken, recipient, At(taken), pushed is { } at ? At(at) : null);
        var line = said.Line();

        Assert.True(Deferred.TryRead(Encoding.UTF8.GetBytes(line + "\n<message/>\n"), out var read, out var length));
        Assert.Equal((said, line.Length + 1), (read, length));
    }

    [Theory]
    [InlineData("!")]
    [InlineData("!\n")]
    [InlineData("!1 0 0 1 1")]
    [InlineData("!1 0 0 1\n")]
    [InlineData("!-1 0 0 1 1\n")]
    [InlineData("!1 0 g 1 1\n")]
    [InlineData("!1 0 0 99999999999999999 1\n")]
    [InlineData("!1 0 0 1 1 1\n")]
    public void Anything_else_is_not_read(string payload) => Assert.False(Deferred.TryRead(Encoding.UTF8.GetBytes(payload), out _, out _));

    [Theory]
    [InlineData(1, 5)]
    [InlineData(2, 10)]
    [InlineData(3, 20)]
    [InlineData(4, 30)]
    [InlineData(100, 30)]
    public void The_delay_doubles_up_to_the_longest(int attempts, int seconds) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds), Policy(3).DelayAfter(attempts));

    [Theory]
    [InlineData(0, StanzaKind.Message, StanzaErrorType.Wait, 1, false)]
    [InlineData(1, StanzaKind.Message, StanzaErrorType.Wait, 1, true)]
    [InlineData(1, StanzaKind.Message, StanzaErrorType.Wait, 2, false)]
    [InlineData(3, StanzaKind.Message, StanzaErrorType.Wait, 3, true)]
    [InlineData(3, StanzaKind.Message, StanzaErrorType.Cancel, 1, false)]
    [InlineData(3, StanzaKind.Message, StanzaErrorType.Modify, 1, false)]
    [InlineData(3, StanzaKind.Message, StanzaErrorType.Auth, 1, false)]
    [InlineData(3, StanzaKind.Message, StanzaErrorType.Continue, 1, false)]
    [InlineData(3, StanzaKind.Message, StanzaErrorType.Unknown, 1, false)]
    [InlineData(3, StanzaKind.Iq, StanzaErrorType.Wait, 1, false)]
    [InlineData(3, StanzaKind.Presence, StanzaErrorType.Wait, 1, false)]
    public void Whether_it_is_tried_again_is_said_by_kind_type_and_count(int limit, StanzaKind kind, StanzaErrorType type, int attempts, bool again) =>
        Assert.Equal(again, Policy(limit).Retries(kind, type, attempts));

    [Fact]
    public void A_recipient_is_blocked_until_all_have_come_again_or_much_too_long()
    {
        var blocked = new BlockedRecipients();
        blocked.Block(0, At(1));
        blocked.Block(7, At(2_000));
        blocked.Block(7, At(1_000));
        Assert.Equal((false, true, 1), (blocked.IsBlocked(0, At(0), out _), blocked.IsBlocked(7, At(0), out var due), blocked.Count));
        Assert.Equal(At(2_000), due);
        blocked.Came(7);
        blocked.Came(8);
        Assert.True(blocked.IsBlocked(7, At(61_999), out _));
        blocked.Came(7);
        Assert.False(blocked.IsBlocked(7, At(0), out _));

        blocked.Block(7, At(2_000));
        Assert.False(blocked.IsBlocked(7, At(62_000), out _));
        Assert.Equal(0, blocked.Count);
    }

    private static RetryPolicy Policy(int limit) => new(new RetrySettings
    {
        Limit = limit,
        Delay = TimeSpan.FromSeconds(5),
        MaxDelay = TimeSpan.FromSeconds(30),
    });

    private static DateTimeOffset At(long milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(milliseconds);
}
