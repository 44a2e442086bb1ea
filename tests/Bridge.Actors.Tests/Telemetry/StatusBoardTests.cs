using Bridge.Telemetry;

namespace Bridge.Actors.Tests.Telemetry;

public sealed class StatusBoardTests
{
    private static readonly BridgeSnapshot Busy = new()
    {
        Name = "main",
        Role = BridgeRole.Owner,
        Connection = ConnectionState.Established,
        QueueLength = 1,
    };

    private readonly Clock clock = new();
    private readonly StatusBoard board;

    public StatusBoardTests() => board = new StatusBoard(clock);

    [Fact]
    public void A_snapshot_replaces_the_one_before_of_its_bridge_only()
    {
        board.Publish(Busy with { Name = "b" });
        board.Publish(Busy with { Name = "a" });
        board.Publish(Busy with { Name = "b", QueueLength = 2 });

        Assert.Equal([("a", 1L), ("b", 2L)], board.Snapshots.Select(snapshot => (snapshot.Name, snapshot.QueueLength)));
        Assert.Equal(2, board.Find("b")!.QueueLength);
        Assert.Null(board.Find("c"));
    }

    [Fact]
    public void Busy_since_is_when_work_first_came_and_stays_while_there_is_some()
    {
        var began = clock.Now;
        board.Publish(Busy);
        clock.Now += TimeSpan.FromSeconds(3);
        board.Publish(Busy with { QueueLength = 0, UnconfirmedEntries = 4 });

        Assert.Equal((began, clock.Now), (board.Find("main")!.BusySince, board.Find("main")!.PublishedAt));
    }

    public static TheoryData<string, BridgeSnapshot> Pauses => new()
    {
        { "no work", Busy with { QueueLength = 0 } },
        { "no stream", Busy with { Connection = ConnectionState.Connecting } },
        { "no lease", Busy with { Role = BridgeRole.Standby } },
    };

    [Theory]
    [MemberData(nameof(Pauses))]
    public void Busy_since_begins_anew_after(string pause, BridgeSnapshot snapshot)
    {
        board.Publish(Busy);
        board.Publish(snapshot);
        Assert.Equal((pause, null), (pause, board.Find("main")!.BusySince));

        clock.Now += TimeSpan.FromSeconds(3);
        board.Publish(Busy);
        Assert.Equal(clock.Now, board.Find("main")!.BusySince);
    }

    private sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
