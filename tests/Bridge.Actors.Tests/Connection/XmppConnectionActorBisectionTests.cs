using Akka.Event;
using Bridge.Connection;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Connection;

/// <summary>The search for the stanza that makes the server hang up, through the actor, against servers that hang up.</summary>
public sealed class XmppConnectionActorBisectionTests : XmppConnectionActorSpec
{
    private readonly List<string> _routed = [];
    private long _entries;

    [Theory]
    [InlineData(ConfirmGrade.Accepted, 1, 1)]
    [InlineData(ConfirmGrade.Accepted, 20, 1)]
    [InlineData(ConfirmGrade.Accepted, 20, 13)]
    [InlineData(ConfirmGrade.Accepted, 20, 20)]
    [InlineData(ConfirmGrade.Held, 20, 13)]
    public void The_stanza_that_a_stream_error_is_about_is_convicted_alone_and_all_others_arrive_in_order(
        ConfirmGrade grade, int entries, int guilty)
    {
        Begin(Settings(grade));
        HandAll(entries);
        var settled = Serve(
            (word, _) => word == $"{guilty}" ? Error(StreamErrorCondition.InvalidFrom) : null, entries, TimeSpan.FromSeconds(30));

        Assert.Equal([$"{guilty} convicted"], settled);
        Assert.Equal(Range(1, entries).Where(s => s != guilty).Select(s => $"{s}"), FirstArrivals());
        Assert.Contains("invalid-from", Logged(LogLevel.WarningLevel)[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void A_stanza_on_which_the_server_hangs_up_without_a_word_is_convicted_too()
    {
        Begin(Settings(ConfirmGrade.Accepted));
        HandAll(20);
        var settled = Serve((word, _) => word == "7" ? new StreamClosed() : null, 20, TimeSpan.FromMinutes(2));

        Assert.Equal(["7 convicted"], settled);
        Assert.Equal(Range(1, 20).Where(s => s != 7).Select(s => $"{s}"), FirstArrivals());
    }

    [Fact]
    public void Two_guilty_stanzas_are_both_convicted()
    {
        Begin(Settings(ConfirmGrade.Accepted));
        HandAll(20);
        var settled = Serve(
            (word, _) => word is "4" or "15" ? Error(StreamErrorCondition.NotWellFormed) : null, 20, TimeSpan.FromMinutes(2));

        Assert.Equal(["4 convicted", "15 convicted"], settled);
        Assert.Equal(Range(1, 20).Where(s => s is not (4 or 15)).Select(s => $"{s}"), FirstArrivals());
    }

    [Fact]
    public void A_server_in_a_crash_loop_convicts_nobody()
    {
        Begin(Settings(ConfirmGrade.Accepted));
        HandAll(20);
        // Whatever it is sent, it lives for half a second.
        var settled = Serve(
            (_, lived) => lived >= TimeSpan.FromMilliseconds(500) ? new StreamClosed() : null, 20, TimeSpan.FromMinutes(3), stalled: true);

        Assert.Empty(settled);
    }

    [Fact]
    public void A_server_that_shuts_down_convicts_nobody()
    {
        Begin(Settings(ConfirmGrade.Accepted));
        HandAll(20);
        var ends = 0;
        var settled = Serve(
            (word, _) => word == "7" && ends++ < 10 ? Error(StreamErrorCondition.SystemShutdown) : null, 20, TimeSpan.FromMinutes(3));

        Assert.Empty(settled);
        Assert.Equal(Range(1, 20).Select(s => $"{s}"), FirstArrivals());
    }

    [Fact]
    public void A_fault_that_goes_away_convicts_nobody()
    {
        Begin(Settings(ConfirmGrade.Accepted));
        HandAll(20);
        var ends = 0;
        var settled = Serve(
            (word, _) => word == "7" && ends++ < 1 ? Error(StreamErrorCondition.PolicyViolation) : null, 20, TimeSpan.FromMinutes(1));

        Assert.Empty(settled);
        Assert.Equal(Range(1, 20).Select(s => $"{s}"), FirstArrivals());
    }

    [Fact]
    public void The_streams_of_a_search_follow_one_another_every_fifth_of_a_second()
    {
        var settings = Settings(ConfirmGrade.Accepted);
        Begin(settings with { Xmpp = settings.Xmpp with { BackoffMin = TimeSpan.FromSeconds(10) } });
        HandAll(20);
        var began = Time.GetTimestamp();
        Serve((word, _) => word == "13" ? Error(StreamErrorCondition.InvalidFrom) : null, 20, TimeSpan.FromSeconds(30));

        Assert.InRange(Time.GetElapsedTime(began), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(3));
    }

    private void HandAll(int entries)
    {
        _entries = entries;
        Hand(Range(1, entries));
    }

    private IEnumerable<string> FirstArrivals() => _routed.Distinct();

    /// <summary>
    /// A server that routes what it reads and hangs up as the test says, until every entry is settled.
    /// Tells what was rejected.
    /// </summary>
    private List<string> Serve(
        Func<string, TimeSpan, InboundEvent?> hangUp, long entries, TimeSpan atMost, bool stalled = false)
    {
        var rejected = new List<string>();
        var settledUpTo = 0L;
        var dials = Dialer.Dials.Count;
        var establishedAt = Time.GetTimestamp();
        var routedInLife = 0;
        PassUntil(
            () =>
            {
                if (Dialer.Dials.Count > dials)
                {
                    dials = Dialer.Dials.Count;
                    establishedAt = Time.GetTimestamp();
                    routedInLife = 0;
                    Establish();
                }

                var told = Drain<object>(Puller);
                foreach (var settlement in told.OfType<RedisPullerActor.Settle>().Select(settle => settle.Settlement))
                {
                    settledUpTo = Math.Max(settledUpTo, (long)settlement.UpTo.Low);
                    rejected.AddRange(settlement.Ended.Select(entry => $"{entry.Position.Low} {entry.Reason}"));
                }

                if (told.OfType<RedisPullerActor.StartFlow>().LastOrDefault() is { } flow)
                {
                    TakeFlow(flow);
                    Hand(Range((long)flow.After.Low + 1, _entries));
                }

                var lived = Time.GetElapsedTime(establishedAt);
                if (!Link.WasReset && hangUp("", lived) is { } end)
                    Link.Say(end);
                foreach (var word in Link.Written())
                {
                    if (Link.WasReset)
                        break;
                    if (hangUp(word, lived) is { } wordsEnd)
                    {
                        Link.Say(wordsEnd);
                    }
                    else if (word[0] == '|')
                    {
                        // A server that stalls answers no barrier behind a stanza.
                        if (!stalled || routedInLife == 0)
                            Link.ReturnBarrier(long.Parse(word.AsSpan(1), System.Globalization.CultureInfo.InvariantCulture));
                    }
                    else if (char.IsAsciiDigit(word[0]))
                    {
                        _routed.Add(word);
                        routedInLife++;
                    }
                }

                return settledUpTo == entries;
            },
            atMost);
        Assert.True(stalled || settledUpTo == entries, $"settled up to {settledUpTo} of {entries}");
        return rejected;
    }
}
