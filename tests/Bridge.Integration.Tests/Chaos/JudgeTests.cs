using Bridge.Chaos.Faults;
using Bridge.Chaos.Judgement;
using Bridge.Chaos.Running;
using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Chaos;

/// <summary>Histories made by hand: what the judge must see, and what it must let pass.</summary>
public sealed class JudgeTests
{
    private const int Window = 10;

    private static readonly Fault Kill = new BridgeKilled(Owner: true, TimeSpan.FromSeconds(1));
    private static readonly Fault Flush = new ScriptsFlushed(TimeSpan.FromSeconds(1));
    private static readonly Fault ServerKill = new ServerEnded(Killed: true, TimeSpan.FromSeconds(1));

    private readonly HandTurnedClock _clock = new();
    private readonly Lane _lane = new("list", QueueKind.List, "bridge.example.test", ["box@sink.example.test"]);
    private readonly Judge _judge;
    private int _rounds;

    public JudgeTests() => _judge = new Judge([_lane], Window, perSecond: 2, _clock);

    [Fact]
    public async Task A_message_that_left_redis_and_did_not_arrive_is_lost()
    {
        var pushed = Push(3);
        Arrive(pushed[0], pushed[2]);
        _judge.Settled(_lane, mark: 2, settled: 2);
        _judge.Tick();
        Assert.False(_judge.Broken.IsCompleted);

        _clock.Turn(31);
        _judge.Tick();

        await IsBrokenAsync("nothing is lost", "1 of list");
        Assert.Equal(1, _judge.Counts.Lost);
    }

    [Fact]
    public async Task A_message_that_is_missing_in_the_end_is_lost()
    {
        var pushed = Push(2);
        Arrive(pushed[0]);

        _judge.Close();

        await IsBrokenAsync("nothing is lost", "1 of list left Redis and did not arrive: 1");
    }

    [Fact]
    public async Task A_first_arrival_behind_a_later_one_is_reported_whatever_the_fault()
    {
        var pushed = Push(2);
        Strike(ServerKill);

        Arrive(pushed[1], pushed[0]);

        await IsBrokenAsync("order is kept", pushed[0].Id);
        Assert.Equal(1, _judge.Counts.Reordered);
    }

    [Fact]
    public async Task A_duplicate_without_a_fault_is_reported()
    {
        var pushed = Push(1);

        Arrive(pushed[0], pushed[0]);

        await IsBrokenAsync("a duplicate has its fault", "no fault is near");
    }

    [Fact]
    public async Task A_duplicate_that_its_fault_does_not_explain_is_reported()
    {
        var pushed = Push(1);
        Strike(Flush);

        Arrive(pushed[0], pushed[0]);

        await IsBrokenAsync("a duplicate has its fault", "explains Nothing");
    }

    [Fact]
    public async Task A_duplicate_of_what_was_confirmed_before_the_fault_is_reported()
    {
        var pushed = Push(3);
        Arrive([.. pushed]);
        _judge.Settled(_lane, mark: 1, settled: -1);
        Strike(Kill);

        // The mark had not passed the last one.
        Arrive(pushed[2]);
        Assert.False(_judge.Broken.IsCompleted);
        Arrive(pushed[1]);

        await IsBrokenAsync("a duplicate has its fault", pushed[1].Id);
    }

    [Fact]
    public async Task A_server_that_dies_explains_what_was_held_and_not_what_was_settled()
    {
        var pushed = Push(3);
        Arrive([.. pushed]);
        _judge.Settled(_lane, mark: 2, settled: 0);
        Strike(ServerKill);

        Arrive(pushed[1], pushed[2]);
        Assert.False(_judge.Broken.IsCompleted);
        Arrive(pushed[0]);

        await IsBrokenAsync("a duplicate has its fault", pushed[0].Id);
    }

    [Fact]
    public async Task A_duplicate_long_after_the_recovery_is_reported()
    {
        var pushed = Push(2);
        var episode = Strike(Kill);
        Arrive([.. pushed]);
        _judge.Heal(episode);
        Arrive(Push(1)[0]);
        Assert.NotNull(episode.RecoveredAt);
        _clock.Turn(6);

        Arrive(pushed[0]);

        await IsBrokenAsync("a duplicate has its fault", "no fault is near");
    }

    [Fact]
    public async Task More_duplicates_than_could_have_been_unconfirmed_are_reported()
    {
        var pushed = Push(Window + 2);
        Arrive([.. pushed]);
        Strike(Kill);

        // The window, and half a second of the load at two messages a second.
        Arrive([.. pushed.Take(Window + 1)]);
        Assert.False(_judge.Broken.IsCompleted);
        Arrive(pushed[^1]);

        await IsBrokenAsync("only what was unconfirmed is repeated", "12 repeated, where 11");
    }

    [Fact]
    public async Task A_dead_letter_of_a_good_message_is_reported()
    {
        var pushed = Push(1);

        _judge.DeadLettered(_lane, pushed[0].Id, "convicted");

        await IsBrokenAsync("only what is wrong is dead-lettered, once", pushed[0].Id);
    }

    [Fact]
    public async Task A_dead_letter_with_another_reason_is_reported()
    {
        var bad = _judge.Push(_lane, "box@sink.example.test", "missing-to");

        _judge.DeadLettered(_lane, bad.Id, "comment");

        await IsBrokenAsync("a dead letter tells the right reason", "as comment in place of missing-to");
    }

    [Fact]
    public async Task A_second_dead_letter_of_one_message_is_reported()
    {
        var bad = _judge.Push(_lane, "box@sink.example.test", "missing-to");
        _judge.DeadLettered(_lane, bad.Id, "missing-to");
        Assert.False(_judge.Broken.IsCompleted);

        _judge.DeadLettered(_lane, bad.Id, "missing-to");

        await IsBrokenAsync("only what is wrong is dead-lettered, once", bad.Id);
    }

    [Fact]
    public async Task A_message_with_a_mistake_that_arrives_is_reported()
    {
        var bad = _judge.Push(_lane, "box@sink.example.test", "missing-to");

        Arrive(bad);

        await IsBrokenAsync("what is wrong is dead-lettered", bad.Id);
    }

    [Fact]
    public async Task What_nobody_pushed_is_reported()
    {
        _judge.Arrived("l7-7", "sink");

        await IsBrokenAsync("nothing unexpected arrives", "l7-7");
    }

    [Fact]
    public async Task A_bounce_is_an_ending_only_where_the_server_died()
    {
        var pushed = Push(2);
        var episode = Strike(ServerKill);
        _judge.Bounced(_lane, pushed[0].Id);
        _judge.Heal(episode);
        Arrive(pushed[1], Push(1)[0]);
        Assert.Equal(0, _judge.Counts.Open);
        Assert.False(_judge.Broken.IsCompleted);
        _clock.Turn(6);

        _judge.Bounced(_lane, pushed[1].Id);

        await IsBrokenAsync("nothing comes back but from a server that died", pushed[1].Id);
    }

    [Fact]
    public async Task A_recovery_that_does_not_come_is_reported()
    {
        Push(1);
        _judge.Heal(Strike(Kill));
        _clock.Turn(59);
        _judge.Tick();
        Assert.False(_judge.Broken.IsCompleted);

        _clock.Turn(2);
        _judge.Tick();

        await IsBrokenAsync("delivery catches up after a fault", "owner killed");
    }

    [Fact]
    public void A_good_history_breaks_nothing_and_is_forgotten()
    {
        var pushed = Push(5);
        var bad = _judge.Push(_lane, "box@sink.example.test", "missing-to");
        Arrive(pushed[0], pushed[1]);
        var episode = Strike(Kill);
        Arrive(pushed[1], pushed[2], pushed[3]);
        _judge.Heal(episode);
        _judge.DeadLettered(_lane, bad.Id, "missing-to");
        _clock.Turn(1.5);
        var last = Push(1)[0];
        Arrive(pushed[4], last);
        _judge.Settled(_lane, mark: 6, settled: 6);
        _clock.Turn(31);
        _judge.Tick();
        _judge.Close();

        Assert.False(_judge.Broken.IsCompleted);
        Assert.Equal(0, _lane.Ledger.Remembered);
        Assert.Equal(1, episode.Repeated);
        Assert.Equal(TimeSpan.FromSeconds(1.5), episode.RecoveredAt - episode.HealedAt);
        Assert.Equal((7, 6, 1, 1, 0), (_judge.Counts.Pushed, _judge.Counts.Arrived, _judge.Counts.Repeated, _judge.Counts.DeadLettered, _judge.Counts.Open));
    }

    private List<LedgerMessage> Push(int count) =>
        [.. Enumerable.Range(0, count).Select(_ => _judge.Push(_lane, "box@sink.example.test"))];

    private void Arrive(params LedgerMessage[] messages)
    {
        foreach (var message in messages)
            _judge.Arrived(message.Id, "sink");
    }

    private Episode Strike(Fault fault) => _judge.Strike(new Round(++_rounds, [fault], TimeSpan.Zero));

    private async Task IsBrokenAsync(string promise, string words)
    {
        Assert.True(_judge.Broken.IsCompleted, "No promise is broken.");
        var broken = await _judge.Broken;
        Assert.Equal(promise, broken.Promise);
        Assert.Contains(words, broken.Words, StringComparison.Ordinal);
    }
}
