using Bridge.Connection;
using Bridge.Queue;

namespace Bridge.Actors.Tests.Connection;

public sealed class BisectionTests
{
    private static readonly TimeSpan Short = TimeSpan.FromMilliseconds(3);

    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 0)]
    [InlineData(2, 1)]
    [InlineData(7, 3)]
    [InlineData(100, 0)]
    [InlineData(100, 99)]
    [InlineData(4_096, 2_345)]
    public void The_one_guilty_entry_is_convicted_and_nobody_before_it_is_lost(int suspects, int guilty)
    {
        var positions = Positions(suspects);
        var bisection = new Bisection(positions, Short, TimeSpan.Zero);
        var (convicted, streams) = Run(bisection, positions, p => p == positions[guilty], StreamEndKind.StanzaFault);

        Assert.Equal(positions[guilty], convicted);
        Assert.InRange(streams, Bisection.StrikesForStanzaFault, Bisection.StrikesForStanzaFault + 13);
    }

    [Fact]
    public void A_silent_end_convicts_only_after_three_strikes()
    {
        var positions = Positions(1);
        var bisection = new Bisection(positions, Short, TimeSpan.Zero);

        Assert.Null(bisection.StreamEnded(StreamEndKind.Silent, true, Short));
        Assert.Null(bisection.StreamEnded(StreamEndKind.Silent, true, Short));
        Assert.Equal(positions[0], bisection.StreamEnded(StreamEndKind.Silent, true, Short));
    }

    [Fact]
    public void Attempts_count_the_streams_that_ended_with_the_suspect_under_way()
    {
        var bisection = new Bisection(Positions(2), Short, TimeSpan.Zero);

        bisection.StreamEnded(StreamEndKind.Silent, true, Short);
        bisection.StreamEnded(StreamEndKind.Silent, false, Short);
        bisection.StreamEnded(StreamEndKind.Silent, true, Short);

        Assert.Equal((3, true), (bisection.Attempts, bisection.Alone));
    }

    [Fact]
    public void A_silent_end_between_two_errors_breaks_the_row()
    {
        var bisection = new Bisection(Positions(1), Short, TimeSpan.Zero);

        Assert.Null(bisection.StreamEnded(StreamEndKind.StanzaFault, true, Short));
        Assert.Null(bisection.StreamEnded(StreamEndKind.Silent, true, Short));
        Assert.Null(bisection.StreamEnded(StreamEndKind.StanzaFault, true, Short));
        Assert.NotNull(bisection.StreamEnded(StreamEndKind.StanzaFault, true, Short));
    }

    [Fact]
    public void A_server_that_hangs_up_on_barriers_alone_acquits()
    {
        var bisection = new Bisection(Positions(1), Short, TimeSpan.Zero);
        bisection.StreamEnded(StreamEndKind.StanzaFault, true, Short);

        Assert.Null(bisection.StreamEnded(StreamEndKind.Silent, false, Short));
        Assert.Null(bisection.StreamEnded(StreamEndKind.StanzaFault, true, Short));
    }

    [Fact]
    public void A_lone_suspect_is_sent_only_after_a_control_phase_as_long_as_the_stream_before()
    {
        var positions = Positions(1);
        var bisection = new Bisection(positions, TimeSpan.FromSeconds(1), TimeSpan.Zero);

        Assert.True(bisection.WriteUpTo(positions[0].Previous, TimeSpan.FromMilliseconds(999)) < positions[0]);
        Assert.Equal(positions[0], bisection.WriteUpTo(positions[0].Previous, TimeSpan.FromSeconds(1)));
    }

    [Fact]
    public void What_was_confirmed_before_the_suspects_is_confirmed_again_before_one_is_tested()
    {
        var positions = Positions(1);
        var bisection = new Bisection(positions, Short, TimeSpan.Zero);

        Assert.True(bisection.WriteUpTo(new EntryPosition(5, 1), TimeSpan.FromMinutes(1)) < positions[0]);
        Assert.Equal(positions[0], bisection.WriteUpTo(positions[0].Previous, TimeSpan.FromMinutes(1)));
    }

    [Fact]
    public void Ends_that_say_nothing_about_a_stanza_change_nothing()
    {
        var bisection = new Bisection(Positions(8), Short, TimeSpan.Zero);

        Assert.Null(bisection.StreamEnded(StreamEndKind.Unrelated, true, Short));
        Assert.Equal(8, bisection.Suspects);
    }

    [Fact]
    public void When_every_suspect_passes_the_bisection_is_over()
    {
        var positions = Positions(9);
        var bisection = new Bisection(positions, Short, TimeSpan.Zero);
        var (convicted, _) = Run(bisection, positions, _ => false, StreamEndKind.StanzaFault);

        Assert.Null(convicted);
        Assert.True(bisection.Over);
    }

    [Fact]
    public void A_server_in_a_crash_loop_convicts_nobody()
    {
        // Each life of the server lasts a second, whatever it is sent; barriers return within a millisecond.
        var positions = Positions(64);
        var bisection = new Bisection(positions, TimeSpan.FromSeconds(1), TimeSpan.Zero);
        var confirmed = positions[0].Previous;
        for (var life = 0; life < 200 && !bisection.Over; life++)
        {
            var underWay = false;
            for (var age = 0; age < 1_000 && !bisection.Over; age++)
            {
                var upTo = bisection.WriteUpTo(confirmed, TimeSpan.FromMilliseconds(age));
                underWay = upTo > confirmed && upTo >= bisection.Suspect;
                if (underWay && age < 999)
                {
                    confirmed = ClearBehind(positions, upTo);
                    bisection.Cleared(confirmed);
                    underWay = false;
                }
            }

            if (!bisection.Over)
                Assert.Null(bisection.StreamEnded(StreamEndKind.Silent, underWay, TimeSpan.FromSeconds(1)));
        }
    }

    [Fact]
    public void Patience_ends_after_a_minute()
    {
        var bisection = new Bisection(Positions(1), Short, TimeSpan.FromSeconds(10));

        Assert.True(bisection.IsPatient(TimeSpan.FromSeconds(69)));
        Assert.False(bisection.IsPatient(TimeSpan.FromSeconds(70)));
    }

    private static EntryPosition[] Positions(int count) =>
        [.. Enumerable.Range(1, count).Select(i => new EntryPosition(5, (ulong)i * 3))];

    /// <summary>Right before the next entry, as the window tells it; the last one confirmed, where there is none.</summary>
    private static EntryPosition ClearBehind(EntryPosition[] positions, EntryPosition confirmed) =>
        Array.Find(positions, position => position > confirmed) is { High: > 0 } next ? next.Previous : confirmed;

    /// <summary>A model server that hangs up on guilty entries and confirms the rest.</summary>
    private static (EntryPosition? Convicted, int Streams) Run(
        Bisection bisection, EntryPosition[] positions, Func<EntryPosition, bool> guilty, StreamEndKind end)
    {
        var confirmed = positions[0].Previous;
        for (var streams = 1; streams < 100; streams++)
        {
            var hungUp = false;
            while (!bisection.Over && !hungUp)
            {
                var before = confirmed;
                var upTo = bisection.WriteUpTo(confirmed, TimeSpan.FromMinutes(1));
                hungUp = positions.Any(p => p > before && p <= upTo && guilty(p));
                if (hungUp)
                    continue;
                Assert.True(upTo > confirmed, "no progress");
                confirmed = ClearBehind(positions, upTo);
                bisection.Cleared(confirmed);
            }

            if (bisection.Over)
                return (null, streams);
            if (bisection.StreamEnded(end, true, Short) is { } convicted)
                return (convicted, streams);
        }

        throw new InvalidOperationException("no verdict");
    }
}
