using Akka.Actor;
using Akka.TestKit;
using Bridge.Queue;
using Bridge.Settings;

namespace Bridge.Actors.Tests.Queue;

public sealed class LeaseActorTests : ActorSpec
{
    private static readonly LeaseGrant Grant = ScriptedLease.Grant();

    // 5 s to live, less 1 s: what the default settings leave from the send of a renewal on.
    private static readonly TimeSpan ValidFor = TimeSpan.FromSeconds(4);

    private readonly ScriptedLease _lease = new();
    private readonly TestProbe _parent;
    private readonly LeaseSettings _settings;
    private readonly IActorRef _actor;

    public LeaseActorTests()
    {
        _parent = CreateTestProbe();
        _settings = Settings().Lease;
        _actor = ChildOf(_parent, LeaseActor.Props(_settings, () => _lease, Time));
    }

    [Fact]
    public void It_does_nothing_before_it_is_told_to_stand_by()
    {
        Pass(TimeSpan.FromSeconds(10));

        Assert.Empty(_lease.Attempts);
        Assert.Empty(Drain<object>(_parent));
    }

    [Fact]
    public void Standing_by_it_looks_at_once_and_then_every_half_second()
    {
        StandBy();
        Assert.Single(_lease.Attempts);

        for (var look = 2; look <= 5; look++)
        {
            _lease.Attempts[^1].Answer(new LeaseAttempt(null, "queue, 3 s left"));
            Pass(490);
            Assert.Equal(look - 1, _lease.Attempts.Count);
            Pass(10);
            Assert.Equal(look, _lease.Attempts.Count);
        }
    }

    [Fact]
    public void Standing_by_it_has_one_call_under_way_at_most()
    {
        StandBy();
        Pass(TimeSpan.FromSeconds(5));
        Assert.Single(_lease.Attempts);

        _lease.Attempts[0].Fail(QueueFault.Unreachable);
        Pass(500);
        Assert.Equal(2, _lease.Attempts.Count);
    }

    [Fact]
    public void Standing_by_it_says_behind_whom_once_per_holder()
    {
        StandBy();
        foreach (var holder in new[] { "queue", "queue", "domain", null })
        {
            _lease.Attempts[^1].Answer(new LeaseAttempt(null, holder));
            Pass(500);
        }

        Assert.Equal(
            ["queue", "domain", "another process"],
            Drain<LeaseActor.StandingByBehind>(_parent).Select(said => said.Holder));
    }

    [Fact]
    public void Standing_by_it_says_once_what_Redis_says()
    {
        StandBy();
        _lease.Attempts[^1].Fail(QueueFault.Unreachable);
        Pass(500);
        _lease.Attempts[^1].Fail(QueueFault.Unreachable);

        Assert.StartsWith("Unreachable: ", Assert.Single(Drain<LeaseActor.StandingByBehind>(_parent)).Holder, StringComparison.Ordinal);
    }

    [Fact]
    public void What_Redis_says_is_told_again_after_a_lease_was_lost_over_it()
    {
        Own();
        for (var i = 0; i < 6; i++)
        {
            Pass(TimeSpan.FromSeconds(1));
            if (_lease.Renewals[^1] is { IsDone: false } renewal)
                renewal.Fail(QueueFault.Unreachable);
        }

        Assert.Single(Drain<LeaseActor.Lost>(_parent));
        StandBy();
        _lease.Attempts[^1].Fail(QueueFault.Unreachable);
        Assert.Equal(QueueFault.Unreachable, Assert.Single(Drain<LeaseActor.StandingByBehind>(_parent)).Fault);
    }

    [Fact]
    public void A_node_that_should_not_own_it_takes_it_only_when_it_was_free_for_a_whole_look()
    {
        _actor.Tell(new LeaseActor.Prefer(false));
        StandBy();
        Pass(TimeSpan.FromSeconds(2));
        Assert.Empty(_lease.Attempts);
        Assert.Equal(5, _lease.Looks);
        Assert.Equal("another process holds it, as it should", Assert.Single(Drain<LeaseActor.StandingByBehind>(_parent)).Holder);

        _lease.IsFree = true;
        Pass(500);
        Assert.Empty(_lease.Attempts);
        Pass(500);
        Assert.Single(_lease.Attempts);
    }

    [Fact]
    public void A_node_that_should_own_it_again_asks_at_its_next_look()
    {
        _actor.Tell(new LeaseActor.Prefer(false));
        StandBy();
        _actor.Tell(new LeaseActor.Prefer(true));
        Pass(500);

        Assert.Single(_lease.Attempts);
    }

    [Fact]
    public void Told_that_it_was_given_back_for_it_a_node_asks_at_once()
    {
        StandBy();
        _lease.Attempts[^1].Answer(new LeaseAttempt(null, "queue"));
        Pass(10);
        _actor.Tell(new LeaseActor.TryNow());

        Assert.Equal(2, _lease.Attempts.Count);
    }

    [Fact]
    public void The_owner_hears_what_the_operator_wants_with_each_renewal()
    {
        Own();
        _lease.Order = QueueOrder.Pause;
        Pass(TimeSpan.FromSeconds(1));
        _lease.Renewals[^1].Answer(true);
        Pass(TimeSpan.FromSeconds(1));
        _lease.Renewals[^1].Answer(true);
        _lease.Order = QueueOrder.Run;
        Pass(TimeSpan.FromSeconds(1));

        Assert.Equal([QueueOrder.Pause, QueueOrder.Run], Drain<LeaseActor.Ordered>(_parent).Select(ordered => ordered.Order));
    }

    [Fact]
    public void A_granted_attempt_makes_it_the_owner()
    {
        var acquired = Own();

        Assert.Equal(Grant, acquired.Grant);
        Assert.True(acquired.Deadline.MayWriteNow());
    }

    [Fact]
    public void The_deadline_counts_from_the_send_of_the_attempt_not_from_its_answer()
    {
        var acquired = Own(answeredAfter: TimeSpan.FromSeconds(1.5));

        Assert.Equal(ValidFor - TimeSpan.FromSeconds(1.5), acquired.Deadline.Remaining);
    }

    [Fact]
    public void The_owner_renews_each_second_one_call_at_a_time()
    {
        Own();
        for (var renewal = 1; renewal <= 4; renewal++)
        {
            Pass(990);
            Assert.Equal(renewal - 1, _lease.Renewals.Count);
            Pass(10);
            Assert.Equal(renewal, _lease.Renewals.Count);
            Assert.Equal(Grant, _lease.Renewals[^1].Asked);
            _lease.Renewals[^1].Answer(true);
        }

        Pass(TimeSpan.FromSeconds(1));
        Pass(TimeSpan.FromSeconds(2));
        Assert.Equal(5, _lease.Renewals.Count);
    }

    [Fact]
    public void The_deadline_counts_from_the_send_of_the_last_successful_renewal()
    {
        var acquired = Own();
        Pass(TimeSpan.FromSeconds(1));
        Pass(700);
        _lease.Renewals[0].Answer(true);

        Assert.Equal(ValidFor - TimeSpan.FromMilliseconds(700), acquired.Deadline.Remaining);
        Assert.Empty(Drain<LeaseActor.Lost>(_parent));
    }

    [Fact]
    public void A_refused_renewal_loses_the_lease_at_once()
    {
        var acquired = Own();
        Pass(TimeSpan.FromSeconds(1));
        _lease.Renewals[0].Answer(false);

        Assert.Single(Drain<LeaseActor.Lost>(_parent));
        Assert.False(acquired.Deadline.MayWriteNow());
        Assert.Equal(Grant, Assert.Single(_lease.Releases).Asked);
    }

    [Fact]
    public void Failing_renewals_lose_the_lease_at_the_deadline_and_not_before()
    {
        var acquired = Own();
        for (var second = 1; second <= 3; second++)
        {
            Pass(TimeSpan.FromSeconds(1));
            _lease.Renewals[^1].Fail(QueueFault.Unreachable);
            Assert.True(acquired.Deadline.MayWriteNow());
        }

        Assert.Empty(Drain<LeaseActor.Lost>(_parent));
        Pass(990);
        Assert.True(acquired.Deadline.MayWriteNow());
        Pass(10);

        Assert.False(acquired.Deadline.MayWriteNow());
        Assert.Contains("Unreachable", Assert.Single(Drain<LeaseActor.Lost>(_parent)).Reason, StringComparison.Ordinal);
        Assert.Single(Logged(Akka.Event.LogLevel.WarningLevel));
    }

    [Fact]
    public void A_renewal_that_never_answers_loses_the_lease_at_the_deadline()
    {
        Own();
        Pass(TimeSpan.FromSeconds(3.99));
        Assert.Empty(Drain<LeaseActor.Lost>(_parent));
        Pass(10);
        Assert.Single(Drain<LeaseActor.Lost>(_parent));
    }

    [Fact]
    public void A_process_that_was_frozen_past_its_deadline_loses_the_lease_when_it_wakes_without_another_renewal()
    {
        var acquired = Own();
        Freeze(TimeSpan.FromSeconds(60));
        Assert.False(acquired.Deadline.MayWriteNow());
        Pass(TimeSpan.FromSeconds(1));

        Assert.Single(Drain<LeaseActor.Lost>(_parent));
        Assert.Empty(_lease.Renewals);
    }

    [Fact]
    public void An_answer_that_comes_after_the_loss_does_not_give_the_permission_back()
    {
        var acquired = Own();
        Pass(TimeSpan.FromSeconds(4));
        _lease.Renewals[0].Answer(true);

        Assert.False(acquired.Deadline.MayWriteNow());
    }

    [Fact]
    public void After_a_loss_it_is_idle_until_it_is_told_to_stand_by_again()
    {
        Own();
        Pass(TimeSpan.FromSeconds(1));
        _lease.Renewals[0].Answer(false);
        Pass(TimeSpan.FromSeconds(10));
        Assert.Single(_lease.Attempts);

        StandBy();
        Assert.Equal(2, _lease.Attempts.Count);
        _lease.Attempts[1].Answer(new LeaseAttempt(ScriptedLease.Grant(2), null));
        Assert.Equal(ScriptedLease.Grant(2), Drain<LeaseActor.Acquired>(_parent)[^1].Grant);
    }

    [Theory]
    [InlineData("renewed")]
    [InlineData("refused")]
    [InlineData("failed")]
    public void A_renewal_that_outlives_its_grant_only_delays_the_next_attempt(string answer)
    {
        Own();
        Pass(TimeSpan.FromSeconds(4));
        StandBy();
        Pass(TimeSpan.FromSeconds(2));
        Assert.Single(_lease.Attempts);

        if (answer == "failed")
            _lease.Renewals[0].Fail(QueueFault.Unreachable);
        else
            _lease.Renewals[0].Answer(answer == "renewed");
        Pass(500);
        Drain<object>(_parent);
        _lease.Attempts[1].Answer(new LeaseAttempt(ScriptedLease.Grant(2), null));

        Assert.Equal(ScriptedLease.Grant(2), Assert.Single(Drain<LeaseActor.Acquired>(_parent)).Grant);
        Pass(TimeSpan.FromSeconds(1));
        Assert.Equal(ScriptedLease.Grant(2), _lease.Renewals[^1].Asked);
    }

    [Fact]
    public void Release_gives_the_lease_back_and_answers_when_Redis_has()
    {
        var acquired = Own();
        var requester = CreateTestProbe();
        _actor.Tell(new LeaseActor.Release(), requester.Ref);
        Assert.False(acquired.Deadline.MayWriteNow());
        Assert.Empty(Drain<LeaseActor.Released>(requester));
        Assert.Equal(Grant, Assert.Single(_lease.Releases).Asked);

        _lease.Releases[0].Answer(default);
        Assert.Single(Drain<LeaseActor.Released>(requester));
        Pass(TimeSpan.FromSeconds(5));
        Assert.Empty(_lease.Renewals);
    }

    [Fact]
    public void Release_is_answered_also_when_Redis_fails()
    {
        Own();
        var requester = CreateTestProbe();
        _actor.Tell(new LeaseActor.Release(), requester.Ref);
        _lease.Releases[0].Fail(QueueFault.Unreachable);

        Assert.Single(Drain<LeaseActor.Released>(requester));
    }

    [Fact]
    public void Release_of_what_was_lost_is_answered_when_Redis_has_it_back()
    {
        Own();
        Pass(TimeSpan.FromSeconds(1));
        _lease.Renewals[0].Answer(false);
        Assert.Single(Drain<LeaseActor.Lost>(_parent));
        var requester = CreateTestProbe();
        _actor.Tell(new LeaseActor.Release(), requester.Ref);
        Assert.Empty(Drain<LeaseActor.Released>(requester));

        _lease.Releases[0].Answer(default);

        Assert.Single(Drain<LeaseActor.Released>(requester));
        Assert.Single(_lease.Releases);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Release_of_what_is_not_owned_is_answered_at_once(bool standingBy)
    {
        if (standingBy)
            StandBy();
        var requester = CreateTestProbe();
        _actor.Tell(new LeaseActor.Release(), requester.Ref);

        Assert.Single(Drain<LeaseActor.Released>(requester));
        Assert.Empty(_lease.Releases);
    }

    [Fact]
    public void An_attempt_that_wins_after_the_wish_ended_is_given_back()
    {
        StandBy();
        _actor.Tell(new LeaseActor.Release(), ActorRefs.NoSender);
        _lease.Attempts[0].Answer(new LeaseAttempt(Grant, null));

        Assert.Empty(Drain<LeaseActor.Acquired>(_parent));
        Assert.Equal(Grant, Assert.Single(_lease.Releases).Asked);
        _lease.Releases[0].Answer(default);
        Pass(TimeSpan.FromSeconds(5));
        Assert.Single(_lease.Attempts);
    }

    [Fact]
    public void Its_end_revokes_the_permission_and_closes_the_connection()
    {
        var acquired = Own();
        End(_actor);

        Assert.False(acquired.Deadline.MayWriteNow());
        Assert.True(_lease.Disposed);
    }

    private void StandBy()
    {
        _actor.Tell(new LeaseActor.StandBy(), _parent.Ref);
        Pass();
    }

    private LeaseActor.Acquired Own(TimeSpan answeredAfter = default)
    {
        StandBy();
        Pass(answeredAfter);
        _lease.Attempts[^1].Answer(new LeaseAttempt(Grant, null));
        return Assert.Single(Drain<LeaseActor.Acquired>(_parent));
    }
}
