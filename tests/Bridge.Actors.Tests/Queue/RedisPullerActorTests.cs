using Akka.Actor;
using Akka.Event;
using Akka.TestKit;
using Bridge.Queue;
using Bridge.Stanzas;
using Bridge.Telemetry;

namespace Bridge.Actors.Tests.Queue;

public sealed class RedisPullerActorTests : ActorSpec
{
    private static readonly ConfirmedMark Mark = new(EntryPosition.OfSequence(2), "127.0.0.1:5347", 0, default);

    private readonly ScriptedQueue _queue = new();
    private readonly TestProbe _parent;
    private readonly TestProbe _connection;
    private readonly TestProbe _writers;
    private IActorRef _puller = ActorRefs.Nobody;

    public RedisPullerActorTests()
    {
        _parent = CreateTestProbe();
        _connection = CreateTestProbe();
        _writers = CreateTestProbe();
    }

    public static TheoryData<QueueFault, double, double> Reactions { get; } = new()
    {
        // Milliseconds before the first and the second recovery in a row.
        { QueueFault.Stale, 0, 250 },
        { QueueFault.Unreachable, 250, 250 },
        { QueueFault.WrongType, 500, 1_000 },
        { QueueFault.Forbidden, 500, 1_000 },
        { QueueFault.ReadOnly, 250, 250 },
        { QueueFault.NotReady, 250, 250 },
        { QueueFault.OutOfMemory, 50, 50 },
        { QueueFault.RefusesWrites, 250, 250 },
        { QueueFault.GroupMissing, 0, 250 },
        { QueueFault.Other, 500, 1_000 },
    };

    [Fact]
    public void It_recovers_first_and_tells_the_connection_what_the_journal_holds()
    {
        _queue.LeaveInJournal(5, 3);
        _queue.Mark = Mark;
        Start();
        Assert.Equal(QueueCallKind.Recover, _queue.Only.Kind);

        _queue.Only.Answer();
        var recovery = _connection.ExpectMsg<RedisPullerActor.JournalRecovered>(TimeSpan.Zero).Recovery;
        Assert.Equal((3, EntryPosition.OfSequence(5), EntryPosition.OfSequence(7)), (recovery.Count, recovery.First, recovery.Last));
        Assert.Equal(Mark, recovery.Mark);
    }

    [Fact]
    public void Without_a_flow_or_without_a_window_it_takes_nothing()
    {
        _queue.Push(10);
        Start();
        _queue.Only.Answer();
        Window(1, 100);
        Assert.Empty(_queue.Pending);

        StartFlow(1, 0);
        Assert.Empty(_queue.Pending);
        Window(1, 0);
        Assert.Empty(_queue.Pending);
        Window(1, 100);
        Assert.Equal(QueueCallKind.WaitAndTake, _queue.Only.Kind);
    }

    [Fact]
    public void It_reads_the_journal_behind_the_flows_beginning_before_it_takes()
    {
        _queue.LeaveInJournal(3, 6);
        _queue.Push(1);
        Begin(after: 4);

        Assert.Equal(EntryPosition.OfSequence(4), _queue.Expect(QueueCallKind.ReadJournal).After);
        _queue.Only.Answer();
        Assert.Equal([5, 6, 7, 8], Handed());
        Assert.Equal(QueueCallKind.WaitAndTake, _queue.Only.Kind);
        _queue.Only.Answer();
        Assert.Equal([9], Handed());
    }

    [Fact]
    public void It_reads_a_long_journal_slice_by_slice_one_call_at_a_time()
    {
        _queue.LeaveInJournal(1, 9);
        Begin();
        foreach (var slice in new long[][] { [1, 2, 3, 4], [5, 6, 7, 8], [9] })
        {
            _queue.Expect(QueueCallKind.ReadJournal).Answer();
            Assert.Equal(slice, Handed());
        }

        Assert.Equal(QueueCallKind.WaitAndTake, _queue.Only.Kind);
    }

    [Fact]
    public void While_the_queue_is_empty_it_waits_with_one_call_at_a_time()
    {
        Begin();
        for (var wait = 0; wait < 3; wait++)
        {
            Assert.Equal(QueueCallKind.WaitAndTake, _queue.Only.Kind);
            _queue.Only.Answer();
        }

        _queue.Push(2);
        _queue.Only.Answer();
        Assert.Equal([1, 2], Handed());
        Assert.Equal(QueueCallKind.WaitAndTake, _queue.Only.Kind);
    }

    [Fact]
    public void While_the_queue_is_busy_several_takes_are_under_way()
    {
        _queue.Push(100);
        Begin();
        _queue.Only.Answer();

        Assert.Equal([QueueCallKind.Take, QueueCallKind.Take, QueueCallKind.Take], _queue.Pending.Select(call => call.Kind));
        _queue.Pending[0].Answer();
        Assert.Equal(3, _queue.Pending.Count);
    }

    [Fact]
    public void When_a_take_leaves_nothing_it_waits_again()
    {
        _queue.Push(6);
        Begin();
        _queue.Only.Answer();
        foreach (var take in _queue.Pending)
            take.Answer();

        Assert.Equal([1, 2, 3, 4, 5, 6], Handed());
        Assert.Equal(QueueCallKind.WaitAndTake, _queue.Only.Kind);
    }

    [Fact]
    public void Answers_that_come_out_of_order_are_handed_over_in_order()
    {
        _queue.Push(100);
        Begin();
        _queue.Only.Answer();
        Handed();
        var takes = _queue.Pending;
        foreach (var take in takes)
            take.Run();
        takes[2].Answer();
        takes[1].Answer();
        Assert.Empty(Handed());
        takes[0].Answer();

        Assert.Equal(Enumerable.Range(5, 12).Select(i => (long)i), Handed());
    }

    [Fact]
    public void Batches_carry_the_flow_and_the_number_of_entries_before_them()
    {
        _queue.Push(8);
        Begin(flow: 7);
        _queue.Only.Answer();
        _queue.Pending[0].Answer();

        Assert.Equal(
            [(7, 0L, 4), (7, 4L, 4)],
            Drain<StanzaWriterActor.EncodeBatch>(_writers).Select(batch => (batch.Flow, batch.FirstOrdinal, batch.Entries.Count)));
    }

    [Fact]
    public void It_never_asks_for_more_entries_than_the_window_has_room_for()
    {
        _queue.Push(100);
        Begin(entries: 10);
        _queue.Only.Answer();

        // 4 handed over, 6 left: a whole batch and a half.
        Assert.Equal([4, 2], _queue.Pending.Select(take => take.Limits.Entries));
        foreach (var take in _queue.Pending)
            take.Answer();
        Assert.Equal(10, Handed().Count);
        Assert.Empty(_queue.Pending);

        Window(1, 10, done: 4);
        Assert.Equal(4, _queue.Only.Limits.Entries);
    }

    [Fact]
    public void It_never_asks_for_more_bytes_than_the_window_has_room_for()
    {
        _queue.Push(100);
        Begin(bytes: 6);
        Assert.Equal(6, _queue.Only.Limits.Bytes);
        _queue.Only.Answer();

        // Four payloads of one digit are handed over.
        Assert.Equal(2, _queue.Only.Limits.Bytes);
    }

    [Fact]
    public void A_window_that_opens_by_a_few_entries_is_not_worth_a_call_unless_nothing_is_under_way()
    {
        _queue.Push(100);
        Begin(entries: 8, batch: 8);
        _queue.Only.Answer();
        Assert.Empty(_queue.Pending);

        Window(1, 8, done: 1);
        Assert.Empty(_queue.Pending);
        Window(1, 8, done: 2);
        Assert.Equal(2, _queue.Only.Limits.Entries);
    }

    [Fact]
    public void A_window_of_one_entry_still_moves()
    {
        _queue.Push(3);
        Begin(entries: 1);
        for (var entry = 1; entry <= 3; entry++)
        {
            _queue.Only.Answer();
            Assert.Equal([entry], Handed());
            Assert.Empty(_queue.Pending);
            Window(1, 1, done: entry);
        }
    }

    [Fact]
    public void A_settlement_rides_on_the_next_take()
    {
        _queue.Push(100);
        Begin();
        _queue.Only.Answer();
        Settle(2);
        Assert.DoesNotContain(_queue.Pending, call => call.Kind == QueueCallKind.Settle);
        _queue.Pending[0].Answer();

        Assert.Equal(EntryPosition.OfSequence(2), _queue.Pending[^1].Settlement.UpTo);
        foreach (var take in _queue.Pending)
            take.Answer();
        Assert.Equal(2, _queue.SettledUpTo);
        Assert.Equal(2, Metrics["entries.settled"]);
    }

    [Fact]
    public void Beside_a_wait_a_settlement_goes_alone()
    {
        _queue.Push(4);
        Begin();
        _queue.Only.Answer();
        Assert.Equal(QueueCallKind.WaitAndTake, _queue.Only.Kind);
        Settle(3);

        _queue.Expect(QueueCallKind.Settle).Answer();
        Assert.Equal(3, _queue.SettledUpTo);
        Assert.Single(_queue.Pending);
    }

    [Fact]
    public void When_the_window_is_full_a_settlement_goes_alone()
    {
        _queue.Push(100);
        Begin(entries: 4);
        _queue.Only.Answer();
        Assert.Empty(_queue.Pending);
        Settle(4);

        _queue.Expect(QueueCallKind.Settle).Answer();
        Assert.Equal(4, _queue.SettledUpTo);
    }

    [Fact]
    public void One_settlement_is_under_way_at_a_time_and_the_next_carries_all_that_came_meanwhile()
    {
        _queue.Push(4);
        Begin();
        _queue.Only.Answer();
        Settle(1, Rejected(1));
        Settle(2, Rejected(2));
        Settle(3);
        Settle(4, Rejected(4));
        Tell(new RedisPullerActor.Settle(Settlement.Nothing with { Mark = Mark }));
        _queue.Expect(QueueCallKind.Settle).Answer();

        var second = _queue.Expect(QueueCallKind.Settle);
        Assert.Equal(EntryPosition.OfSequence(4), second.Settlement.UpTo);
        Assert.Equal([2, 4], second.Settlement.Ended.Select(rejected => (long)rejected.Position.Low));
        Assert.Equal(Mark, second.Settlement.Mark);
        second.Answer();
        Assert.Equal([1, 2, 4], _queue.Dead.Select(dead => (long)dead.Position.Low));
        Assert.Equal(3, Metrics["entries.dead_lettered:not-well-formed"]);
        Assert.Equal(4, Metrics["entries.settled"]);
    }

    [Fact]
    public void After_a_failed_call_it_opens_a_session_and_goes_on_where_it_was()
    {
        _queue.Push(100);
        Begin();
        _queue.Only.Answer();
        _queue.Pending[0].Answer();
        Assert.Equal(8, Handed().Count);
        // Redis ran the first, whose reply is lost; the second never reached it; the third is answered too late.
        var takes = _queue.Pending;
        takes[0].Run();
        takes[0].Fail(QueueFault.Unreachable);
        takes[1].Fail(QueueFault.Unreachable);
        takes[2].Answer();
        Assert.Empty(Handed());
        Recover(250);

        Assert.Equal(EntryPosition.OfSequence(8), _queue.Expect(QueueCallKind.ReadJournal).After);
        Finish();
        Assert.Equal(Enumerable.Range(9, 92).Select(i => (long)i), Handed());
    }

    [Fact]
    public void A_call_that_Redis_runs_after_it_was_given_up_takes_nothing()
    {
        _queue.Push(4);
        Begin();
        var late = _queue.Only;
        late.Fail(QueueFault.Unreachable);
        Recover(250);
        late.Run();

        Assert.Equal(4, _queue.Queued.Count);
        _queue.Only.Answer();
        Assert.Equal([1, 2, 3, 4], Handed());
    }

    [Fact]
    public void A_settlement_whose_answer_was_lost_is_said_again_with_what_came_since()
    {
        _queue.Push(4);
        Begin();
        _queue.Only.Answer();
        Settle(2, Rejected(1));
        _queue.Expect(QueueCallKind.Settle).Run();
        _queue.Expect(QueueCallKind.Settle).Fail(QueueFault.Unreachable);
        Settle(3, Rejected(3));
        Recover(250);
        var again = _queue.Expect(QueueCallKind.Settle);

        Assert.Equal(EntryPosition.OfSequence(3), again.Settlement.UpTo);
        Assert.Equal([1, 3], again.Settlement.Ended.Select(rejected => (long)rejected.Position.Low));
        again.Answer();
        Assert.Equal([1, 3], _queue.Dead.Select(dead => (long)dead.Position.Low));
    }

    [Fact]
    public void Settlements_wait_for_a_session()
    {
        _queue.Push(4);
        Begin();
        _queue.Only.Answer();
        _queue.Only.Fail(QueueFault.Unreachable);
        Settle(4);
        Assert.Empty(_queue.Pending);
        Recover(250);
        _queue.Expect(QueueCallKind.Settle).Answer();

        Assert.Equal(4, _queue.SettledUpTo);
    }

    [Theory]
    [MemberData(nameof(Reactions))]
    public void Each_fault_is_followed_by_a_recovery_in_its_own_time(QueueFault fault, double first, double second)
    {
        Begin();
        _queue.Only.Fail(fault);
        ExpectRecoverAfter(first);
        _queue.Only.Fail(fault);
        ExpectRecoverAfter(second);

        _queue.Only.Answer();
        Assert.Equal(QueueCallKind.WaitAndTake, _queue.Only.Kind);
        Assert.Equal(2, Metrics["redis.faults:" + BridgeMetrics.Name(fault)]);
    }

    [Theory]
    [MemberData(nameof(Reactions))]
    public void A_fault_is_logged_once_for_as_long_as_it_lasts_and_shown(QueueFault fault, double first, double second)
    {
        Begin();
        Drain<object>(_parent);
        _queue.Only.Fail(fault);
        ExpectRecoverAfter(first);
        _queue.Only.Fail(fault);
        ExpectRecoverAfter(second);
        Assert.StartsWith(fault.ToString(), Assert.Single(Drain<RedisPullerActor.QueueObserved>(_parent)).Fault, StringComparison.Ordinal);
        Assert.Single(Logged(QueueFaultPolicy.NeedsOperator(fault) ? LogLevel.ErrorLevel : LogLevel.WarningLevel));

        _queue.Only.Answer();
        _queue.Push(1);
        _queue.Only.Answer();
        Assert.Null(Assert.Single(Drain<RedisPullerActor.QueueObserved>(_parent)).Fault);
        Assert.Single(Logged(LogLevel.InfoLevel));
    }

    [Fact]
    public void A_lost_lease_is_told_to_the_parent_once_and_nothing_is_called_any_more()
    {
        _queue.Push(100);
        Begin();
        _queue.Only.Answer();
        Drain<object>(_parent);
        foreach (var take in _queue.Pending)
            take.Fail(QueueFault.LeaseLost);
        Settle(4);
        Pass(TimeSpan.FromSeconds(10));

        Assert.Single(Drain<RedisPullerActor.LeaseFoundLost>(_parent));
        Assert.Empty(_queue.Pending);
    }

    [Fact]
    public void A_lease_that_is_lost_before_the_first_session_is_told_as_well()
    {
        Start();
        _queue.Only.Fail(QueueFault.LeaseLost);

        Assert.Single(Drain<RedisPullerActor.LeaseFoundLost>(_parent));
    }

    [Fact]
    public void A_first_recovery_that_fails_is_tried_again()
    {
        Start();
        _queue.Only.Fail(QueueFault.NotReady);
        ExpectRecoverAfter(250);
        _queue.Only.Answer();

        Assert.Single(Drain<RedisPullerActor.JournalRecovered>(_connection));
    }

    [Fact]
    public void Later_recoveries_are_not_told_to_the_connection()
    {
        Begin();
        _queue.Only.Fail(QueueFault.Unreachable);
        Recover(250);

        Assert.Single(Drain<RedisPullerActor.JournalRecovered>(_connection));
    }

    [Fact]
    public void A_first_recovery_need_not_continue_any_history()
    {
        _queue.ContinuesHistory = false;
        Begin();

        Assert.Empty(Drain<Supervisor.Failed>(_parent));
        Assert.Equal(QueueCallKind.WaitAndTake, _queue.Only.Kind);
    }

    [Fact]
    public void When_Redis_forgot_what_was_done_it_ends_so_that_a_new_generation_begins()
    {
        Begin();
        _queue.Only.Fail(QueueFault.Unreachable);
        _queue.ContinuesHistory = false;
        Recover(250);

        Assert.IsType<QueueHistoryLostException>(Assert.Single(Drain<Supervisor.Failed>(_parent)).Cause);
        Assert.True(_queue.Disposed);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_a_recovery_tells_is_not_lost_on_a_stop_or_a_pause_that_comes_in_the_middle_of_it(bool pauses)
    {
        Begin();
        _queue.Only.Fail(QueueFault.Unreachable);
        Pass(250);
        _queue.ContinuesHistory = false;
        Tell(pauses ? new RedisPullerActor.SetTaking(false) : new RedisPullerActor.StopTaking());
        Pass();
        _queue.Expect(QueueCallKind.Recover).Answer();

        Assert.IsType<QueueHistoryLostException>(Assert.Single(Drain<Supervisor.Failed>(_parent)).Cause);
    }

    [Fact]
    public void A_pause_makes_the_wait_stale_hands_over_what_was_taken_and_ends_with_the_next_take()
    {
        Begin();
        var wait = _queue.Only;
        Tell(new RedisPullerActor.SetTaking(false));
        Pass();
        _queue.Expect(QueueCallKind.Recover).Answer();
        _queue.Push(3);
        wait.Answer();
        Assert.Equal(3, _queue.Queued.Count);
        Assert.Empty(_queue.Pending);

        Tell(new RedisPullerActor.SetTaking(true));
        _queue.Expect(QueueCallKind.WaitAndTake).Answer();
        Assert.Equal([1, 2, 3], Handed());
    }

    [Fact]
    public void A_failure_without_a_name_is_a_mistake_that_the_parent_deals_with()
    {
        Begin();
        _queue.Only.Fail(new InvalidCastException());

        Assert.IsType<InvalidCastException>(Assert.Single(Drain<Supervisor.Failed>(_parent)).Cause.InnerException);
    }

    [Fact]
    public void A_flow_that_begins_earlier_is_read_from_the_journal_again()
    {
        _queue.Push(6);
        Begin();
        _queue.Only.Answer();
        foreach (var take in _queue.Pending)
            take.Answer();
        Handed();
        StartFlow(2, 1);
        Window(2, 100);

        Finish();
        Assert.Equal([2, 3, 4, 5, 6], Handed(flow: 2));
    }

    [Fact]
    public void Takes_under_way_when_a_flow_begins_earlier_come_in_their_turn()
    {
        _queue.Push(12);
        Begin();
        _queue.Only.Answer();
        Handed();
        var takes = _queue.Pending;
        StartFlow(2, 0);
        Window(2, 100);
        takes[0].Answer();
        takes[1].Answer();
        Finish();

        Assert.Equal(Enumerable.Range(1, 12).Select(i => (long)i), Handed(flow: 2));
    }

    [Fact]
    public void What_a_read_brought_before_the_take_was_answered_is_not_handed_over_again()
    {
        _queue.Push(20);
        Begin();
        _queue.Only.Answer();
        Handed();
        var takes = _queue.Pending;
        takes[0].Run();
        takes[1].Run();
        StartFlow(2, 2);
        Window(2, 100);
        var read = _queue.Expect(QueueCallKind.ReadJournal);
        read.Answer();
        Assert.Equal([3, 4, 5, 6], Handed(flow: 2));
        takes[0].Answer();
        Assert.Equal([7, 8], Handed(flow: 2));
        Finish();

        Assert.Equal(Enumerable.Range(9, 12).Select(i => (long)i), Handed(flow: 2));
    }

    [Fact]
    public void A_read_of_an_earlier_flow_is_thrown_away()
    {
        _queue.LeaveInJournal(1, 4);
        Begin();
        var read = _queue.Expect(QueueCallKind.ReadJournal);
        StartFlow(2, 0);
        Window(2, 100);
        read.Answer();
        Assert.Empty(Handed(flow: 2));
        Finish();

        Assert.Equal([1, 2, 3, 4], Handed(flow: 2));
    }

    [Fact]
    public void A_window_of_an_earlier_flow_opens_nothing()
    {
        _queue.Push(100);
        Begin(entries: 4);
        _queue.Only.Answer();
        StartFlow(2, 4);
        Window(2, 4);
        Assert.Equal(4, _queue.Only.Limits.Entries);
        Window(1, 100, done: 4);

        Assert.Single(_queue.Pending);
    }

    [Fact]
    public void Told_to_stop_it_takes_nothing_more_and_says_so_once_the_journal_is_handed_over()
    {
        _queue.Push(8);
        Begin();
        _queue.Only.Answer();
        var takes = _queue.Pending;
        takes[0].Run();
        Tell(new RedisPullerActor.StopTaking());
        Pass();
        Assert.Empty(Drain<RedisPullerActor.TakingStopped>(_connection));
        _queue.Expect(QueueCallKind.Recover).Answer();
        _queue.Expect(QueueCallKind.ReadJournal).Answer();
        takes[1].Answer();

        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], Handed());
        Assert.Equal(new RedisPullerActor.TakingStopped(1, 8), Assert.Single(Drain<RedisPullerActor.TakingStopped>(_connection)));
        _queue.Push(5);
        Window(1, 1_000);
        Pass(TimeSpan.FromSeconds(5));
        Assert.DoesNotContain(_queue.Pending, call => call.Kind is QueueCallKind.WaitAndTake or QueueCallKind.ReadJournal);
        Assert.Equal(5, _queue.Queued.Count);
    }

    [Fact]
    public void A_wait_that_ends_after_the_stop_takes_nothing()
    {
        Begin();
        var wait = _queue.Only;
        Tell(new RedisPullerActor.StopTaking());
        Pass();
        _queue.Expect(QueueCallKind.Recover).Answer();
        _queue.Push(3);
        wait.Answer();

        Assert.Equal(3, _queue.Queued.Count);
        Assert.Equal(new RedisPullerActor.TakingStopped(1, 0), Assert.Single(Drain<RedisPullerActor.TakingStopped>(_connection)));
    }

    [Fact]
    public void Told_to_stop_before_any_flow_it_says_so_at_once()
    {
        _queue.LeaveInJournal(1, 3);
        Start();
        _queue.Only.Answer();
        Tell(new RedisPullerActor.StopTaking());
        Pass();
        _queue.Only.Answer();

        Assert.Equal(new RedisPullerActor.TakingStopped(0, 0), Assert.Single(Drain<RedisPullerActor.TakingStopped>(_connection)));
    }

    [Fact]
    public void A_flow_that_begins_after_the_stop_is_handed_the_journal_and_ends_with_its_own_word()
    {
        _queue.Push(4);
        Begin();
        _queue.Only.Answer();
        Tell(new RedisPullerActor.StopTaking());
        Pass();
        _queue.Expect(QueueCallKind.Recover).Answer();
        StartFlow(2, 1);
        Window(2, 100);
        Finish();

        Assert.Equal([2, 3, 4], Handed(flow: 2));
        Assert.Equal(
            [new RedisPullerActor.TakingStopped(1, 4), new RedisPullerActor.TakingStopped(2, 3)],
            Drain<RedisPullerActor.TakingStopped>(_connection));
    }

    [Fact]
    public void A_flush_is_answered_at_once_when_nothing_is_pending()
    {
        Begin();
        Assert.Equal(1, Flushed());
    }

    [Fact]
    public void A_flush_is_answered_when_all_that_was_pending_is_settled()
    {
        _queue.Push(4);
        Begin();
        _queue.Only.Answer();
        Settle(2);
        Settle(4);
        var requester = CreateTestProbe();
        _puller.Tell(new RedisPullerActor.FlushSettlements(), requester.Ref);
        _queue.Expect(QueueCallKind.Settle).Answer();
        Assert.Empty(Drain<RedisPullerActor.SettlementsFlushed>(requester));
        _queue.Expect(QueueCallKind.Settle).Fail(QueueFault.Unreachable);
        Recover(250);
        Assert.Empty(Drain<RedisPullerActor.SettlementsFlushed>(requester));
        _queue.Expect(QueueCallKind.Settle).Answer();

        Assert.Single(Drain<RedisPullerActor.SettlementsFlushed>(requester));
        Assert.Equal(4, _queue.SettledUpTo);
    }

    [Fact]
    public void What_was_too_large_is_counted_and_logged()
    {
        Begin();
        var take = (QueueCall<TakenEntries>)_queue.Only;
        take.Answer(new TakenEntries([], default, [new OversizeEntry(EntryPosition.OfSequence(1), 10 << 20, "oversize")], 0));

        Assert.Equal(1, Metrics["entries.dead_lettered:oversize"]);
        Assert.Single(Logged(LogLevel.WarningLevel));
    }

    [Fact]
    public void Dead_letters_that_the_bounds_pushed_out_are_counted_and_logged()
    {
        _queue.Push(1);
        Begin();
        _queue.Only.Answer();
        Settle(1);
        ((QueueCall<SettleResult>)_queue.Expect(QueueCallKind.Settle)).Answer(new SettleResult(1, 0, 7));

        Assert.Equal(7, Metrics["dead_letters.trimmed"]);
        Assert.Single(Logged(LogLevel.WarningLevel));
    }

    [Fact]
    public void The_depth_is_read_each_second_and_shown()
    {
        Begin();
        _queue.Push(3);
        for (var second = 1; second <= 3; second++)
        {
            Pass(TimeSpan.FromSeconds(1));
            var read = _queue.Calls.Single(call => call is { Kind: QueueCallKind.Depth, IsDone: false });
            Drain<object>(_parent);
            read.Answer();
            Assert.Equal(3, Assert.Single(Drain<RedisPullerActor.QueueObserved>(_parent)).Depth?.Queued);
        }
    }

    [Fact]
    public void One_read_of_the_depth_is_under_way_at_most()
    {
        Begin();
        Pass(TimeSpan.FromSeconds(5));

        Assert.Single(_queue.Calls, call => call.Kind == QueueCallKind.Depth);
    }

    [Fact]
    public void A_read_of_the_depth_that_fails_is_a_fault_like_any_other()
    {
        Begin();
        Pass(10);
        _queue.Calls.Single(call => call.Kind == QueueCallKind.Depth).Fail(QueueFault.Unreachable);
        Recover(250);

        Assert.Contains(_queue.Pending, call => call.Kind == QueueCallKind.WaitAndTake);
    }

    [Fact]
    public void Its_end_disposes_the_queue()
    {
        Begin();
        End(_puller);

        Assert.True(_queue.Disposed);
    }

    private static EndedEntry Rejected(long sequence) =>
        new(EntryPosition.OfSequence((ulong)sequence), "not-well-formed", "", 0, 0);

    private void Start(int batch = 4) => _puller = ChildOf(
        _parent,
        RedisPullerActor.Props(
            Settings().Queue with { BatchEntries = batch, BatchBytes = 1_000, TakesInFlight = 3 },
            ScriptedLease.Grant(),
            () => _queue,
            _connection.Ref,
            new BridgeMetrics(Bridge)));

    /// <summary>Up to the first call behind the recovery.</summary>
    private void Begin(int flow = 1, long after = 0, int entries = 100, long bytes = 100_000, int batch = 4)
    {
        Start(batch);
        _queue.Only.Answer();
        StartFlow(flow, after);
        Window(flow, entries, bytes: bytes);
    }

    private void Tell(object message) => _puller.Tell(message, _connection.Ref);

    private void StartFlow(int flow, long after) =>
        Tell(new RedisPullerActor.StartFlow(flow, EntryPosition.OfSequence((ulong)after), _writers.Ref));

    // Every payload is one digit, as far as windows are told done.
    private void Window(int flow, int entries, long done = 0, long bytes = 100_000) =>
        Tell(new RedisPullerActor.WindowMoved(flow, done, done, entries, bytes));

    private void Settle(long upTo, params EndedEntry[] rejected) =>
        Tell(new RedisPullerActor.Settle(new Settlement(EntryPosition.OfSequence((ulong)upTo), rejected, null)));

    private int Flushed()
    {
        var requester = CreateTestProbe();
        _puller.Tell(new RedisPullerActor.FlushSettlements(), requester.Ref);
        return Drain<RedisPullerActor.SettlementsFlushed>(requester).Count;
    }

    private void ExpectRecoverAfter(double milliseconds)
    {
        if (milliseconds > 0)
        {
            Pass(milliseconds - 10);
            Assert.DoesNotContain(_queue.Pending, call => call.Kind == QueueCallKind.Recover);
        }

        Pass(TimeSpan.FromMilliseconds(Math.Min(milliseconds, 10)) + StepScheduler.Soonest);
        Assert.Contains(_queue.Pending, call => call.Kind == QueueCallKind.Recover);
    }

    private void Recover(double milliseconds)
    {
        ExpectRecoverAfter(milliseconds);
        _queue.Expect(QueueCallKind.Recover).Answer();
    }

    /// <summary>Answers every call until only a wait on the empty queue is left, or nothing.</summary>
    private void Finish()
    {
        while (_queue.Pending.FirstOrDefault(call => call.Kind != QueueCallKind.WaitAndTake || _queue.Queued.Count > 0) is { } call)
            call.Answer();
    }

    private IReadOnlyList<long> Handed(int flow = 1) =>
    [
        .. Drain<StanzaWriterActor.EncodeBatch>(_writers)
            .Where(batch => batch.Flow == flow)
            .SelectMany(batch => batch.Entries)
            .Select(entry => (long)entry.Position.Low),
    ];
}
