using System.Text;
using Bridge.Connection;

namespace Bridge.Actors.Tests.Connection;

public sealed class ServerUptimeTests
{
    public static TheoryData<string, string, int?> Answers { get; } = new()
    {
        { "an answer", "<iq type='result'><query xmlns='jabber:iq:last' seconds='903'/></iq>", 903 },
        { "a server that just started", "<iq type='result'><query xmlns='jabber:iq:last' seconds='0'/></iq>", 0 },
        { "text beside it", "<iq type='result'><query xmlns='jabber:iq:last' seconds='5'>up</query></iq>", 5 },
        { "something before it", "<iq type='result'><x/><query xmlns='jabber:iq:last' seconds='5'/></iq>", 5 },
        { "the stream's namespace", "<iq xmlns='jabber:component:accept' type='result'><query xmlns='jabber:iq:last' seconds='5'/></iq>", 5 },
        { "no query", "<iq type='result'/>", null },
        { "another namespace", "<iq type='result'><query xmlns='jabber:iq:version' seconds='5'/></iq>", null },
        { "no seconds", "<iq type='result'><query xmlns='jabber:iq:last'/></iq>", null },
        { "empty seconds", "<iq type='result'><query xmlns='jabber:iq:last' seconds=''/></iq>", null },
        { "words for seconds", "<iq type='result'><query xmlns='jabber:iq:last' seconds='long'/></iq>", null },
        { "a fraction", "<iq type='result'><query xmlns='jabber:iq:last' seconds='1.5'/></iq>", null },
        { "before the beginning", "<iq type='result'><query xmlns='jabber:iq:last' seconds='-1'/></iq>", null },
        { "more than a clock can hold", "<iq type='result'><query xmlns='jabber:iq:last' seconds='99999999999999999999'/></iq>", null },
        { "longer than any server ran", "<iq type='result'><query xmlns='jabber:iq:last' seconds='2147483647'/></iq>", null },
        { "an undeclared prefix", "<iq type='result'><s:x/><query xmlns='jabber:iq:last' seconds='5'/></iq>", null },
        { "a cut-off element", "<iq type='result'><query xmlns='jabber:iq:last' seconds='5'", null },
        { "nothing", "", null },
    };

    // Seconds on our clock at which the server started, as told before and after the break; NaN: not told.
    public static TheoryData<string, double, double, double, bool, bool, bool> Breaks { get; } = new()
    {
        { "the same start, long ago", -100, -100, 10, true, true, true },
        { "two seconds apart are the answers' grain", -100, -98, 10, true, true, true },
        { "more than two seconds apart is another start", -100, -97.9, 10, true, true, false },
        { "a start that lies before the one known", -100, -103, 10, true, true, false },
        { "a restart", -100, 12, 10, true, true, false },
        { "not told before", double.NaN, -100, 10, true, true, false },
        { "not told after", -100, double.NaN, 10, true, true, false },
        { "several addresses before", -100, -100, 10, false, true, false },
        { "several addresses after", -100, -100, 10, true, false, false },
        { "just old enough for what is held", 8, 8, 10, true, true, true },
        { "too young to have confirmed what is held", 8.1, 8.1, 10, true, true, false },
        { "old enough before, too young after", 7, 8.5, 10, true, true, false },
    };

    // Unix milliseconds.
    public static TheoryData<string, long, long?, bool> Marks { get; } = new()
    {
        { "the same start", 1_000_000, 1_000_000, true },
        { "three seconds apart are two clocks' difference", 1_000_000, 1_003_000, true },
        { "more is a restart", 1_000_000, 1_003_001, false },
        { "an earlier start is another server", 1_000_000, 996_999, false },
        { "a mark without a start cannot be held against a server", 0, 1_000_000, true },
        { "a mark without a start, and a server that does not tell", 0, null, true },
        { "a server that told its start before and does not now", 1_000_000, null, false },
    };

    [Theory]
    [MemberData(nameof(Answers))]
    public void The_uptime_is_read_from_the_answer(string name, string iq, int? seconds)
    {
        _ = name;
        Assert.Equal(
            seconds is { } told ? TimeSpan.FromSeconds(told) : null,
            ServerUptime.ReadAnswer(Encoding.UTF8.GetBytes(iq)));
    }

    [Theory]
    [MemberData(nameof(Breaks))]
    public void A_server_has_lived_on_only_when_all_speaks_for_it(
        string name, double before, double after, double oldestHeld, bool singleBefore, bool singleAfter, bool livedOn)
    {
        _ = name;
        Assert.Equal(
            livedOn,
            ServerUptime.LivedOn(Told(before, singleBefore), Told(after, singleAfter), TimeSpan.FromSeconds(oldestHeld)));
    }

    [Theory]
    [MemberData(nameof(Marks))]
    public void A_mark_that_names_a_start_is_upheld_only_by_the_same_start(string name, long marked, long? now, bool upheld)
    {
        _ = name;
        Assert.Equal(
            upheld,
            ServerUptime.Upholds(marked, now is { } start ? new ServerUptime(TimeSpan.Zero, start, true) : null));
    }

    private static ServerUptime? Told(double seconds, bool single) =>
        double.IsNaN(seconds) ? null : new ServerUptime(TimeSpan.FromSeconds(seconds), 0, single);
}
