using System.Globalization;
using Akka.Actor;
using Akka.Event;
using Akka.TestKit;
using Bridge.Actors.Tests.Connection;
using Bridge.Actors.Tests.Outcomes;
using Bridge.Actors.Tests.Queue;
using Bridge.Connection;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;
using Bridge.Telemetry;

namespace Bridge.Actors.Tests;

public sealed class BridgeActorTests : ActorSpec
{
    private readonly ScriptedBridge _outside;
    private readonly TestProbe _parent;
    private IActorRef _bridge = ActorRefs.Nobody;

    public BridgeActorTests()
    {
        _outside = new ScriptedBridge(Time);
        _parent = CreateTestProbe();
    }

    private ScriptedQueue Queue => _outside.Queue;

    [Fact]
    public void Standing_by_it_neither_asks_the_queue_nor_dials_and_says_behind_whom()
    {
        Start();
        _outside.Lease.Attempts[^1].Answer(new LeaseAttempt(null, "queue, 3 s left"));
        Pass(TimeSpan.FromSeconds(3));

        Assert.Empty(Queue.Calls);
        Assert.Empty(_outside.Dialer.Dials);
        Assert.Equal((BridgeRole.Standby, "queue, 3 s left"), (_outside.Snapshot.Role, _outside.Snapshot.LeaseHolder));
    }

    [Fact]
    public void A_fault_that_keeps_it_from_asking_is_shown_until_the_lease_is_its_own()
    {
        Start();
        _outside.Lease.Attempts[^1].Fail(QueueFault.Unreachable);
        Assert.StartsWith("Unreachable", _outside.Snapshot.QueueFault, StringComparison.Ordinal);
        Pass(500);
        Own();

        Assert.Null(_outside.Snapshot.QueueFault);
    }

    [Fact]
    public void A_lease_that_has_no_end_is_no_reason_to_be_ready()
    {
        Start();
        _outside.Lease.Attempts[^1].Answer(new LeaseAttempt(null, "the lease is held", IsEndless: true));
        Assert.Equal((false, "nobody can take over: the lease is held"), Readiness.Ready(_outside.Snapshot, Time.GetUtcNow()));

        Pass(500);
        _outside.Lease.Attempts[^1].Answer(new LeaseAttempt(null, "another process"));
        Assert.Equal((true, "stands by: another process"), Readiness.Ready(_outside.Snapshot, Time.GetUtcNow()));
    }

    [Fact]
    public void A_lease_that_was_lost_is_no_reason_to_be_ready_before_somebody_is_known_to_have_it()
    {
        Work();
        Pass(TimeSpan.FromSeconds(1));
        _outside.Lease.Renewals[^1].Answer(false);
        _outside.Lease.Releases[^1].Answer(default);
        Pass();
        Assert.Equal((false, "asks for the lease"), Readiness.Ready(_outside.Snapshot, Time.GetUtcNow()));

        _outside.Lease.Attempts[^1].Answer(new LeaseAttempt(null, "another process"));
        Assert.Equal((true, "stands by: another process"), Readiness.Ready(_outside.Snapshot, Time.GetUtcNow()));
    }

    [Fact]
    public void A_puller_that_is_stuck_is_no_reason_to_be_ready_though_the_queue_looks_empty()
    {
        var link = Work();
        foreach (var look in Queue.Calls.Where(call => call.Kind == QueueCallKind.Depth))
            look.Answer();
        var asked = Queue.Calls.Count;
        // Its next look at the queue is never answered, not even that it failed; the stream is well.
        for (var second = 0; second < 13; second++)
        {
            Renew(TimeSpan.FromSeconds(1));
            foreach (var barrier in link.Written().Where(word => word[0] == '|'))
                link.ReturnBarrier(long.Parse(barrier.AsSpan(1), CultureInfo.InvariantCulture));
            if (second < 9)
                Assert.True(Readiness.Ready(_outside.Snapshot, Time.GetUtcNow()).Ready);
        }

        Assert.Equal(asked + 1, Queue.Calls.Count);
        Assert.Equal((false, "the puller has not looked at the queue for 13 s"), Readiness.Ready(_outside.Snapshot, Time.GetUtcNow()));
    }

    [Fact]
    public void A_barrier_that_does_not_return_is_no_reason_to_be_ready()
    {
        var link = Work();
        // The keepalive of an idle stream. Something comes in all the time, so that the link is not taken for dead.
        for (var second = 0; second < 14; second++)
        {
            link.BytesRead += 1 << 20;
            Renew(TimeSpan.FromSeconds(1));
            foreach (var look in Queue.Calls.Where(call => call is { Kind: QueueCallKind.Depth, IsDone: false }))
                look.Answer();
        }

        Assert.Equal("|2", Assert.Single(link.Written()));
        Assert.Equal((false, "the server has answered no barrier for 12 s, with 0 unconfirmed"), Readiness.Ready(_outside.Snapshot, Time.GetUtcNow()));
        link.ReturnBarrier(2);
        Renew(TimeSpan.FromSeconds(1));
        Assert.True(Readiness.Ready(_outside.Snapshot, Time.GetUtcNow()).Ready);
    }

    [Fact]
    public void The_owner_dials_and_recovers()
    {
        Start();
        Own();

        Assert.Single(_outside.Dialer.Dials);
        Assert.Equal(QueueCallKind.Recover, Queue.Only.Kind);
        Assert.Equal((BridgeRole.Owner, null), (_outside.Snapshot.Role, _outside.Snapshot.LeaseHolder));
    }

    [Fact]
    public void What_is_pushed_is_written_confirmed_held_and_settled()
    {
        var link = Work();
        Queue.Push(3);
        Queue.Only.Answer();
        Assert.Equal(["1", "2", "3", "|2"], link.Written());
        link.ReturnBarrier(2);
        Pass(200);
        Queue.Expect(QueueCallKind.Settle).Answer();
        Assert.Equal(3, Queue.Journal.Count);
        Assert.Equal(EntryPosition.OfSequence(3), Queue.Mark?.Position);
        Renew(TimeSpan.FromSeconds(2));
        // The hold is over when the server has answered once more.
        foreach (var barrier in link.Written().Where(word => word[0] == '|'))
            link.ReturnBarrier(long.Parse(barrier.AsSpan(1), CultureInfo.InvariantCulture));
        Pass(100);
        Queue.Expect(QueueCallKind.Settle).Answer();

        Assert.Empty(Queue.Journal);
        Assert.Equal(ConnectionState.Established, _outside.Snapshot.Connection);
    }

    [Fact]
    public void When_the_puller_dies_it_is_replaced_together_with_the_connection()
    {
        var link = Work();
        Queue.Push(2);
        Queue.Only.Answer();
        link.Written();
        Queue.Only.Fail(new InvalidCastException());

        Assert.True(link.WasReset);
        Assert.Equal((ConnectionState.Idle, 1L), (_outside.Snapshot.Connection, _outside.Snapshot.Restarts));
        ExpectGenerationBetween(100, 200);
        Assert.Equal(1, Metrics["restarts:puller"]);
        // Nothing is lost: the new generation reads the journal.
        Queue.Expect(QueueCallKind.Recover).Answer();
        link = _outside.Establish();
        Queue.Expect(QueueCallKind.ReadJournal).Answer();
        Assert.Equal(["1", "2", "|2"], link.Written());
    }

    [Fact]
    public void When_the_connection_dies_it_is_replaced_together_with_the_puller()
    {
        Start();
        Own();
        _outside.Dialer.Last.Fail(new InvalidCastException());
        Assert.True(Queue.Disposed);
        ExpectGenerationBetween(100, 200);

        Assert.Equal(1, Metrics["restarts:connection"]);
        Assert.Contains(Queue.Pending, call => call is { Kind: QueueCallKind.Recover, IsDone: false });
    }

    [Fact]
    public void When_Redis_forgot_the_past_a_new_generation_begins()
    {
        var link = Work();
        Queue.Only.Fail(QueueFault.Unreachable);
        Queue.ContinuesHistory = false;
        Pass(250);
        Queue.Expect(QueueCallKind.Recover).Answer();
        Assert.True(link.WasReset);
        ExpectGenerationBetween(100, 200);

        Queue.Expect(QueueCallKind.Recover).Answer();
        _outside.Establish();
        Assert.Equal(QueueCallKind.WaitAndTake, Queue.Only.Kind);
    }

    [Fact]
    public void Generations_that_die_in_a_row_are_replaced_ever_more_slowly_counted_and_logged_once_per_cause()
    {
        Start();
        Own();
        foreach (var longest in new double[] { 200, 400, 800, 1_600 })
        {
            _outside.Dialer.Last.Fail(new InvalidCastException());
            ExpectGenerationBetween(longest / 2, longest);
        }

        Assert.Equal(4, Metrics["restarts:connection"]);
        Assert.Single(Logged(LogLevel.ErrorLevel));
        Queue.Pending[^1].Fail(new InvalidCastException());
        Assert.Contains("Puller", Assert.Single(Logged(LogLevel.ErrorLevel)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_generation_that_lived_for_a_minute_is_replaced_soon_again()
    {
        Start();
        Own();
        _outside.Dialer.Last.Fail(new InvalidCastException());
        ExpectGenerationBetween(100, 200);
        _outside.Dialer.Last.Fail(new InvalidCastException());
        ExpectGenerationBetween(200, 400);
        Renew(TimeSpan.FromMinutes(1));
        _outside.Dialer.Last.Fail(new InvalidCastException());

        ExpectGenerationBetween(100, 200);
    }

    [Fact]
    public void A_lost_lease_stops_the_generation_and_it_stands_by_again()
    {
        var link = Work();
        Pass(TimeSpan.FromSeconds(1));
        _outside.Lease.Renewals[^1].Answer(false);

        Assert.True(link.WasReset);
        Assert.True(Queue.Disposed);
        Assert.Equal(BridgeRole.Standby, _outside.Snapshot.Role);
        Pass();
        Assert.Equal(2, _outside.Lease.Attempts.Count);
        Own(2);
        Assert.Equal(2, _outside.Dialer.Dials.Count);
    }

    [Fact]
    public void A_lease_that_the_scripts_find_lost_stops_the_generation_and_is_given_back()
    {
        var link = Work();
        Queue.Only.Fail(QueueFault.LeaseLost);

        Assert.True(link.WasReset);
        Assert.Single(_outside.Lease.Releases);
        Pass();
        Assert.Equal(2, _outside.Lease.Attempts.Count);
    }

    [Fact]
    public void A_lease_that_is_lost_between_two_generations_begins_none()
    {
        Start();
        Own();
        Pass(TimeSpan.FromSeconds(1));
        _outside.Dialer.Last.Fail(new InvalidCastException());
        _outside.Lease.Renewals[^1].Answer(false);
        Pass(TimeSpan.FromSeconds(3));

        Assert.Single(_outside.Dialer.Dials);
        Assert.Equal(2, _outside.Lease.Attempts.Count);
    }

    [Fact]
    public void When_the_leases_actor_dies_the_generation_stops_and_another_stands_by()
    {
        var link = Work();
        _outside.Lease.IsBroken = true;
        Pass(TimeSpan.FromSeconds(1));
        Assert.True(link.WasReset);
        Assert.Equal(1, Metrics["restarts:lease"]);
        Assert.True(_outside.Leases[0].Disposed);
        Pass(210);

        Assert.Equal(2, _outside.Leases.Count);
        Assert.Single(_outside.Lease.Attempts);
        Own(2);
        Assert.Equal(2, _outside.Dialer.Dials.Count);
    }

    [Fact]
    public void A_lease_that_cannot_be_opened_is_tried_again()
    {
        _outside.UnopenableLeases = 3;
        Start();
        Assert.Empty(_outside.Leases);
        Pass(TimeSpan.FromSeconds(1));

        Assert.Single(_outside.Leases);
        Assert.Single(_outside.Lease.Attempts);
        Assert.Single(Logged(LogLevel.ErrorLevel));
    }

    [Fact]
    public void Only_an_owner_looks_for_replies_that_its_predecessor_left()
    {
        Start();
        Pass(TimeSpan.FromSeconds(2));
        Assert.Equal(0, _outside.Outcomes[0].Looks);
        Own();

        Assert.Equal(1, _outside.Outcomes[0].Looks);
    }

    [Fact]
    public void When_the_publisher_dies_it_is_replaced_and_the_same_connection_publishes_on()
    {
        var link = Work();
        link.Say(Bounce());
        Assert.Single(_outside.Outcomes[0].Appends).Fail(new InvalidCastException());
        Assert.True(_outside.Outcomes[0].Disposed);
        Pass(210);
        Assert.Equal(2, _outside.Outcomes.Count);
        link.Say(Bounce("bob@example.test"));

        Assert.Single(_outside.Outcomes[1].Appends);
        Assert.Equal(1, _outside.Outcomes[1].Looks);
        Assert.False(link.WasReset);
        Assert.Equal(1, Metrics["restarts:publisher"]);
    }

    [Fact]
    public void A_drain_stops_the_taking_closes_settles_and_releases_in_this_order()
    {
        var link = Work(ConfirmGrade.Accepted);
        Queue.Push(2);
        Queue.Only.Answer();
        Assert.Equal(["1", "2", "|2"], link.Written());
        Drain();
        Assert.Equal(BridgeRole.Draining, _outside.Snapshot.Role);
        Pass();
        Queue.Expect(QueueCallKind.Recover).Answer();
        Queue.Push(5);
        foreach (var call in Queue.Pending)
            call.Answer();
        Assert.Equal(5, Queue.Queued.Count);
        Assert.Empty(link.Written());

        link.ReturnBarrier(2);
        Assert.Equal(["close"], link.Written());
        Assert.Empty(_outside.Lease.Releases);
        link.Closed();
        Assert.Empty(_outside.Lease.Releases);
        while (Queue.Pending.FirstOrDefault(call => call.Kind == QueueCallKind.Settle) is { } settle)
            settle.Answer();
        Assert.Empty(Queue.Journal);

        Assert.Empty(Drained());
        Assert.Single(_outside.Lease.Releases).Answer(default);
        Assert.Equal(new BridgeActor.Drained(Bridge, true), Assert.Single(Drained()));
        Assert.Equal((BridgeRole.Stopped, ConnectionState.Idle), (_outside.Snapshot.Role, _outside.Snapshot.Connection));
    }

    [Fact]
    public void A_stream_whose_drain_runs_out_of_time_is_closed_properly_all_the_same()
    {
        var link = Work();
        Queue.Push(2);
        Queue.Only.Answer();
        link.Written();
        Drain();
        Renew(TimeSpan.FromSeconds(5));
        Assert.True(link.IsClosing);
        Assert.False(link.WasReset);
        link.Closed();
        AnswerQueue();
        Assert.Single(_outside.Lease.Releases).Answer(default);

        Assert.False(Assert.Single(Drained()).Complete);
        Assert.Equal(2, Queue.Journal.Count);
    }

    [Fact]
    public void A_drain_that_hangs_ends_at_the_bridges_own_deadline_with_the_lease_given_back()
    {
        var link = Work();
        Queue.Push(2);
        Queue.Only.Answer();
        Drain();
        // The server does not close its side, and Redis does not settle.
        Renew(TimeSpan.FromSeconds(10.9));
        Assert.Empty(Drained());
        Renew(TimeSpan.FromSeconds(0.2));
        Assert.True(link.WasReset);
        Assert.Single(_outside.Lease.Releases).Answer(default);

        Assert.False(Assert.Single(Drained()).Complete);
        Assert.Equal(2, Queue.Journal.Count);
    }

    [Fact]
    public void A_drain_whose_lease_cannot_be_given_back_ends_a_call_later()
    {
        Work();
        Drain();
        Renew(TimeSpan.FromSeconds(11.1));
        Assert.Single(_outside.Lease.Releases);
        Assert.Empty(Drained());
        Renew(TimeSpan.FromSeconds(2));

        Assert.False(Assert.Single(Drained()).Complete);
    }

    [Fact]
    public void An_owner_that_hands_over_finishes_what_is_in_flight_does_not_sit_out_the_hold_and_stands_by_again()
    {
        var link = Work();
        Queue.Push(2);
        Queue.Only.Answer();
        Assert.Equal(["1", "2", "|2"], link.Written());
        _bridge.Tell(new BridgeActor.HandOver());
        Pass();
        Queue.Expect(QueueCallKind.Recover).Answer();
        Queue.Push(5);
        AnswerQueue();
        link.ReturnBarrier(2);
        link.Closed();
        AnswerQueue();
        // Both are confirmed, and whoever comes next holds them: no time has passed.
        Assert.Equal((2, EntryPosition.OfSequence(2)), (Queue.Journal.Count, Queue.Mark!.Position));
        Assert.Equal(5, Queue.Queued.Count);
        Assert.Single(_outside.Lease.Releases).Answer(default);

        Assert.Single(Drain<BridgeActor.HandedOver>(_parent));
        Assert.Equal(BridgeRole.Standby, _outside.Snapshot.Role);
        Assert.Empty(Drained());
        Pass(TimeSpan.FromSeconds(1));
        Own(2);
        Assert.Equal(2, _outside.Dialer.Dials.Count);
        Assert.Equal((BridgeRole.Owner, 2L), (_outside.Snapshot.Role, _outside.Snapshot.Epoch));
    }

    [Fact]
    public void A_drain_while_it_hands_over_ends_it()
    {
        var link = Work();
        _bridge.Tell(new BridgeActor.HandOver());
        Pass();
        Drain();
        AnswerQueue();
        link.ReturnBarrier(2);
        link.Closed();
        AnswerQueue();
        Assert.Single(_outside.Lease.Releases).Answer(default);

        Assert.True(Assert.Single(Drained()).Complete);
        Assert.Equal(BridgeRole.Stopped, _outside.Snapshot.Role);
    }

    [Fact]
    public void A_lease_that_the_scripts_find_lost_while_it_hands_over_leaves_it_standing_by()
    {
        Work();
        _bridge.Tell(new BridgeActor.HandOver());
        Pass();
        Queue.Expect(QueueCallKind.Recover).Fail(QueueFault.LeaseLost);
        Pass(TimeSpan.FromSeconds(2));
        Assert.Equal(2, _outside.Lease.Attempts.Count);

        Own(2);
        Assert.Equal((BridgeRole.Owner, 2), (_outside.Snapshot.Role, _outside.Dialer.Dials.Count));
    }

    [Fact]
    public void Nobody_but_an_owner_hands_over()
    {
        Start();
        _bridge.Tell(new BridgeActor.HandOver());
        Pass(TimeSpan.FromSeconds(1));

        Assert.Empty(_outside.Lease.Releases);
        Assert.Empty(Drain<BridgeActor.HandedOver>(_parent));
    }

    [Fact]
    public void An_owner_that_is_to_pause_finishes_what_it_took_keeps_its_stream_and_takes_again_when_it_is_to_run()
    {
        var link = Work(ConfirmGrade.Accepted);
        Queue.Push(2);
        Queue.Only.Answer();
        Assert.Equal(["1", "2", "|2"], link.Written());
        Order(QueueOrder.Pause);
        Queue.Expect(QueueCallKind.Recover).Answer();
        Queue.Push(3);
        link.ReturnBarrier(2);
        AnswerQueue();
        Pass(200);
        AnswerQueue();
        Assert.Empty(Queue.Journal);
        Assert.Equal(3, Queue.Queued.Count);
        Assert.DoesNotContain(Queue.Pending, call => call.Kind is QueueCallKind.Take or QueueCallKind.WaitAndTake);
        Assert.Equal((QueueOrder.Pause, ConnectionState.Established), (_outside.Snapshot.Order, _outside.Snapshot.Connection));
        Assert.False(link.WasReset);

        Order(QueueOrder.Run);
        Queue.Expect(QueueCallKind.WaitAndTake).Answer();
        Assert.Contains("3", link.Written());
    }

    [Fact]
    public void Whoever_takes_a_queue_that_is_to_pause_takes_nothing_from_it()
    {
        Start();
        _outside.Lease.Order = QueueOrder.Pause;
        _outside.Lease.Attempts[^1].Answer(new LeaseAttempt(ScriptedLease.Grant(), null, QueueOrder.Pause));
        Queue.Push(3);
        Queue.Only.Answer();
        _outside.Establish();
        AnswerQueue();

        Assert.Equal(3, Queue.Queued.Count);
        Assert.Empty(Queue.Pending);
    }

    [Fact]
    public void An_owner_that_is_to_drain_gives_the_queue_back_and_says_why_it_stands_by()
    {
        var link = Work();
        Order(QueueOrder.Drain);
        Pass();
        AnswerQueue();
        link.ReturnBarrier(2);
        link.Closed();
        AnswerQueue();
        Assert.Single(_outside.Lease.Releases).Answer(default);
        Pass();
        _outside.Lease.Attempts[^1].Answer(new LeaseAttempt(null, "it is to stay drained", QueueOrder.Drain));

        Assert.Equal((BridgeRole.Standby, QueueOrder.Drain, "it is to stay drained"), (_outside.Snapshot.Role, _outside.Snapshot.Order, _outside.Snapshot.LeaseHolder));
        Assert.Empty(Drain<BridgeActor.HandedOver>(_parent));
    }

    [Fact]
    public void Standing_by_it_drains_at_once()
    {
        Start();
        Drain();

        Assert.True(Assert.Single(Drained()).Complete);
        Pass(TimeSpan.FromSeconds(10));
        Assert.Single(_outside.Lease.Attempts);
    }

    [Fact]
    public void Between_two_generations_it_drains_by_giving_the_lease_back()
    {
        Start();
        Own();
        _outside.Dialer.Last.Fail(new InvalidCastException());
        Drain();
        Assert.Single(_outside.Lease.Releases).Answer(default);

        Assert.True(Assert.Single(Drained()).Complete);
        Pass(TimeSpan.FromSeconds(10));
        Assert.Single(_outside.Dialer.Dials);
    }

    [Fact]
    public void A_lease_that_is_lost_while_it_drains_ends_the_drain()
    {
        var link = Work();
        Pass(TimeSpan.FromSeconds(1));
        Drain();
        _outside.Lease.Renewals[^1].Answer(false);

        Assert.False(Assert.Single(Drained()).Complete);
        Assert.True(link.WasReset);
    }

    [Fact]
    public void A_generation_that_dies_while_it_drains_ends_the_drain_with_the_lease_given_back()
    {
        Work();
        Drain();
        Pass();
        Queue.Expect(QueueCallKind.Recover).Fail(new InvalidCastException());
        Assert.Single(_outside.Lease.Releases).Answer(default);

        Assert.False(Assert.Single(Drained()).Complete);
        Pass(TimeSpan.FromSeconds(10));
        Assert.Single(_outside.Dialer.Dials);
    }

    [Fact]
    public void A_generation_that_dies_while_it_drains_does_not_cut_short_what_the_publisher_carries()
    {
        var link = Work();
        link.Say(Bounce());
        Drain();
        Pass();
        Queue.Expect(QueueCallKind.Recover).Fail(new InvalidCastException());
        Assert.True(link.WasReset);
        // A successor would carry it as well.
        Assert.Empty(_outside.Lease.Releases);
        Assert.Single(_outside.Outcomes[0].Appends).Answer(default);

        Assert.Single(_outside.Lease.Releases);
    }

    [Fact]
    public void What_users_sent_is_handed_to_the_publisher_that_replaces_one()
    {
        var link = Work();
        link.Say(FromUser("1"), FromUser("2"));
        Assert.Single(_outside.Inbound[0].Appends).Fail(new InvalidCastException());
        link.Say(FromUser("3"));
        Renew(TimeSpan.FromMilliseconds(300));

        var again = Assert.Single(_outside.Inbound[1].Appends);
        Assert.Equal(["1", "2", "3"], again.Asked.Select(entry => entry.Id));
        Assert.Equal(_outside.Inbound[0].Appends[0].Asked.Select(entry => entry.Stamp), again.Asked.Take(2).Select(entry => entry.Stamp));
        again.Answer(null);
        link.Say(FromUser("4"));
        Assert.Equal(["4"], _outside.Inbound[1].Appends[1].Asked.Select(entry => entry.Id));
        Assert.Equal(0, Metrics["inbound.dropped"]);
    }

    [Fact]
    public void A_drain_waits_until_redis_has_what_users_sent()
    {
        var link = Work();
        link.Say(FromUser("1"));
        Drain();
        Pass();
        AnswerQueue();
        Assert.True(link.IsClosing);
        link.Say(FromUser("2"));
        link.Closed();
        AnswerQueue();
        Pass(100);
        Assert.Empty(_outside.Lease.Releases);
        _outside.Inbound[0].Appends[0].Answer(null);
        Assert.Empty(_outside.Lease.Releases);
        Assert.Equal(["2"], _outside.Inbound[0].Appends[1].Asked.Select(entry => entry.Id));
        _outside.Inbound[0].Appends[1].Answer(null);

        Assert.Single(_outside.Lease.Releases);
    }

    [Fact]
    public void A_publisher_that_dies_while_it_drains_does_not_cut_the_drain_short()
    {
        var link = Work();
        Queue.Push(1);
        Queue.Only.Answer();
        link.Say(Bounce());
        Drain();
        _outside.Outcomes[0].Appends[0].Fail(new InvalidCastException());

        Assert.False(link.WasReset);
        Assert.Empty(_outside.Lease.Releases);
    }

    [Fact]
    public void Only_an_owner_listens_and_only_where_it_is_to()
    {
        Start(ConfirmGrade.Held, listens: true);
        Pass(TimeSpan.FromSeconds(2));
        Assert.Empty(_outside.PubSubs);
        Assert.False(_outside.Snapshot.Listening);
        Own();
        Assert.Single(Assert.Single(_outside.PubSubs).Lives).Listen();

        Assert.True(_outside.Snapshot.Listening);
        Assert.Equal(1, Metrics["pubsub.windows"]);
    }

    [Fact]
    public void A_queue_that_is_not_fed_by_pub_sub_has_no_intake()
    {
        Work();

        Assert.Empty(_outside.PubSubs);
        Assert.Null(_outside.Snapshot.Listening);
    }

    [Fact]
    public void A_lost_lease_ends_the_listening_and_the_next_one_begins_it()
    {
        Start(ConfirmGrade.Held, listens: true);
        Own();
        _outside.PubSubs[0].Lives[0].Listen();
        Pass(TimeSpan.FromSeconds(1));
        _outside.Lease.Renewals[^1].Answer(false);
        Assert.True(_outside.PubSubs[0].Disposed);
        Assert.False(_outside.Snapshot.Listening);
        Pass();
        Assert.Single(_outside.PubSubs);
        Own(2);

        _outside.PubSubs[1].Lives[0].Listen();
        Assert.True(_outside.Snapshot.Listening);
    }

    [Fact]
    public void An_intake_that_dies_is_replaced_after_a_moment_and_disturbs_nothing_else()
    {
        Start(ConfirmGrade.Held, listens: true);
        Own();
        _outside.PubSubs[0].Lives[0].Listen();
        _outside.PubSubs[0].Lives[0].Hear("a");
        _outside.PubSubs[0].Appends[0].Fail(new InvalidCastException());
        Assert.False(_outside.Snapshot.Listening);
        Pass(210);

        Assert.Equal(2, _outside.PubSubs.Count);
        _outside.PubSubs[1].Lives[0].Listen();
        _outside.PubSubs[1].Lives[0].Hear("b");
        Assert.True(_outside.PubSubs[1].Appends[0].Asked.Number > _outside.PubSubs[0].Appends[0].Asked.Number);
        Assert.Single(_outside.Dialer.Dials);
        Assert.Equal((1L, 1L, 2L), (Metrics["restarts:intake"], Metrics["pubsub.dropped:ended"], Metrics["pubsub.windows"]));
    }

    [Fact]
    public void A_drain_listens_until_the_lease_is_given_back_behind_the_last_append()
    {
        Start(ConfirmGrade.Held, listens: true);
        Own();
        Queue.Only.Answer();
        var link = _outside.Establish();
        var intake = _outside.PubSubs[0];
        intake.Lives[0].Listen();
        Drain();
        Pass();
        AnswerQueue();
        intake.Lives[0].Hear("a");
        link.ReturnBarrier(2);
        link.Closed();
        AnswerQueue();
        Assert.Empty(_outside.Lease.Releases);
        Assert.False(intake.Disposed);
        Assert.True(intake.Lives[0].IsStopping);
        intake.Lives[0].Stopping.Answer(default);
        intake.Appends[0].Answer(1);

        Assert.True(intake.Disposed);
        Assert.Single(_outside.Lease.Releases).Answer(default);
        Assert.True(Assert.Single(Drained()).Complete);
    }

    [Fact]
    public void A_drain_whose_last_append_hangs_ends_at_the_bridges_own_deadline()
    {
        Start(ConfirmGrade.Held, listens: true);
        Own();
        Queue.Only.Answer();
        var link = _outside.Establish();
        _outside.PubSubs[0].Lives[0].Listen();
        _outside.PubSubs[0].Lives[0].Hear("a");
        Drain();
        Pass();
        AnswerQueue();
        link.ReturnBarrier(2);
        link.Closed();
        AnswerQueue();
        Renew(TimeSpan.FromSeconds(11));

        Assert.Single(_outside.Lease.Releases).Answer(default);
        Assert.False(Assert.Single(Drained()).Complete);
        Assert.True(_outside.PubSubs[0].Disposed);
    }

    [Fact]
    public void Drained_it_answers_again_and_does_nothing_any_more()
    {
        Start();
        Drain();
        Drained();
        Drain();
        Pass(TimeSpan.FromSeconds(10));

        Assert.Single(Drained());
        Assert.Equal(BridgeRole.Stopped, _outside.Snapshot.Role);
    }

    [Fact]
    public void It_tells_how_it_stands_twice_a_second()
    {
        Work();
        var before = _outside.Snapshot.PublishedAt;
        Pass(500);

        Assert.Equal(TimeSpan.FromMilliseconds(500), _outside.Snapshot.PublishedAt - before);
    }

    [Fact]
    public void Its_end_leaves_nobody_who_may_write()
    {
        var link = Work();
        End(_bridge);

        Assert.True(link.WasReset);
        Assert.True(Queue.Disposed);
        Assert.True(_outside.Lease.Disposed);
        Assert.True(_outside.Outcomes[0].Disposed);
    }

    private static StanzaReceived FromUser(string id) =>
        new(StanzaKind.Message, id, "ada@example.test/x", "box@bridge.example.test", "chat", "body", null, default);

    private static StanzaBounced Bounce(string from = "ada@example.test") => new(
        // Before all that is in the journal: it comes late.
        StanzaKind.Message, SealedIds.Of(0, from), from, "bridge.example.test",
        new StanzaError(StanzaErrorType.Cancel, StanzaErrorCondition.ServiceUnavailable, null));

    private void Start(ConfirmGrade grade = ConfirmGrade.Held, bool listens = false)
    {
        var settings = Settings(grade);
        if (listens)
            settings = settings with { Queue = settings.Queue with { PubSub = new PubSubSettings { Patterns = ["a:*"], MaxQueued = 100, Buffer = 10 } } };
        _bridge = ChildOf(_parent, BridgeActor.Props(
            settings with { Confirm = settings.Confirm with { TrustUptime = UptimeTrust.Never } }, _outside.Parts));
        Pass();
    }

    private void Own(long epoch = 1) => _outside.Lease.Attempts[^1].Answer(new LeaseAttempt(ScriptedLease.Grant(epoch), null));

    /// <summary>Up to a stream that carries entries and a wait on an empty queue.</summary>
    private ScriptedLink Work(ConfirmGrade grade = ConfirmGrade.Held)
    {
        Start(grade);
        Own();
        Queue.Only.Answer();
        var link = _outside.Establish();
        Assert.Equal(QueueCallKind.WaitAndTake, Queue.Only.Kind);
        return link;
    }

    /// <summary>Time passes while every renewal of the lease succeeds.</summary>
    private void Renew(TimeSpan time)
    {
        var step = TimeSpan.FromMilliseconds(100);
        for (; time > TimeSpan.Zero; time -= step)
        {
            Pass(time < step ? time : step);
            foreach (var renewal in _outside.Lease.Renewals.Where(renewal => !renewal.IsDone))
                renewal.Answer(true);
        }
    }

    /// <summary>Redis answers all that is asked of it.</summary>
    private void AnswerQueue()
    {
        while (Queue.Pending is { Count: > 0 } pending)
            pending[0].Answer();
    }

    private void ExpectGenerationBetween(double atLeast, double atMost)
    {
        var dials = _outside.Dialer.Dials.Count;
        Pass(atLeast - 10);
        Assert.Equal(dials, _outside.Dialer.Dials.Count);
        Pass(atMost - atLeast + 20);
        Assert.Equal(dials + 1, _outside.Dialer.Dials.Count);
    }

    /// <summary>What the operator wants, as the next renewal finds it.</summary>
    private void Order(QueueOrder order)
    {
        _outside.Lease.Order = order;
        Renew(TimeSpan.FromSeconds(1));
        Pass();
    }

    private void Drain() => _bridge.Tell(new BridgeActor.Drain(), _parent.Ref);

    private IReadOnlyList<BridgeActor.Drained> Drained() => Drain<BridgeActor.Drained>(_parent);
}
