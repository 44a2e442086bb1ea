using System.Collections.Immutable;
using System.Globalization;
using Akka.Actor;
using Akka.Event;
using Akka.TestKit;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Telemetry;

namespace Bridge.Actors.Tests.Queue;

public sealed class PubSubIntakeActorTests : ActorSpec
{
    private static readonly LeaseGrant Grant = ScriptedLease.Grant();

    private readonly ScriptedPubSub _redis = new();
    private readonly TestProbe _parent;
    private readonly IActorRef _intake;

    public PubSubIntakeActorTests()
    {
        _parent = CreateTestProbe();
        var settings = new PubSubSettings { Patterns = ImmutableArray.Create("a:*", "b"), MaxQueued = 1_000, Buffer = 600 };
        _intake = ChildOf(_parent, PubSubIntakeActor.Props(settings, Grant, 0, () => _redis, new BridgeMetrics(Bridge), Time, new Random(1)));
    }

    private ScriptedSubscription Life => _redis.Lives[^1];

    [Fact]
    public void A_window_begins_with_it_and_ends_when_Redis_has_confirmed_the_patterns()
    {
        Assert.Equal([false], Listening());
        Pass(300);
        Assert.Empty(Listening());
        Life.Listen();

        Assert.Equal([true], Listening());
        Assert.Equal(1, Metrics["pubsub.windows"]);
        Assert.Equal(
            ["Pub/Sub (best effort) is not yet listening: a window begins, and what is published in it is lost",
             "Listening to 2 Pub/Sub patterns, best effort: the window in which nobody listened has ended after 300 ms"],
            Logged(LogLevel.InfoLevel));
    }

    [Fact]
    public void What_it_hears_is_appended_in_order_under_the_lease_one_call_at_a_time()
    {
        Life.Listen();
        Life.Hear("1");
        Life.Hear("2", "3");
        Assert.Single(_redis.Appends).Answer(1);
        Assert.Equal(2, _redis.Appends.Count);
        _redis.Appends[1].Answer(2);

        Assert.Equal(["1", "2", "3"], _redis.Appends.SelectMany(append => append.Asked.Messages));
        Assert.All(_redis.Appends, append => Assert.Equal(Grant, append.Asked.Grant));
        Assert.True(_redis.Appends[1].Asked.Number > _redis.Appends[0].Asked.Number);
        Assert.Equal((3L, 0L), (Metrics["pubsub.messages"], Metrics["pubsub.dropped"]));
    }

    [Fact]
    public void What_comes_before_the_last_pattern_is_confirmed_is_heard_as_well()
    {
        Life.Hear("early");

        Assert.Equal(["early"], Assert.Single(_redis.Appends).Asked.Messages);
    }

    [Fact]
    public void A_connection_that_fails_opens_a_window_from_the_last_sign_of_life_and_it_listens_again_soon()
    {
        Life.Listen();
        Pass(1_000);
        Assert.Single(Life.Pings).Answer(default);
        Pass(400);
        Life.End("reset");
        Assert.True(_redis.Lives[0].Disposed);
        Assert.Single(_redis.Lives);
        Assert.Equal([false, true, false], Listening());
        Pass(200);
        Assert.Equal(2, _redis.Lives.Count);
        Life.Listen();

        Assert.Equal([true], Listening());
        Assert.Equal(2, Metrics["pubsub.windows"]);
        Assert.Contains("does not listen any more", Assert.Single(Logged(LogLevel.WarningLevel)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_Redis_that_is_silent_is_noticed_by_its_ping()
    {
        Life.Listen();
        Pass(1_000);
        Life.Pings[0].Answer(default);
        Pass(2_500);
        Assert.Equal(2, Life.Pings.Count);
        Life.Pings[1].Fail(QueueFault.Unreachable);
        Pass(200);
        Life.Listen();

        Assert.Equal(2, Metrics["pubsub.windows"]);
        Assert.Equal(1, Metrics["redis.faults:unreachable"]);
        var end = Logged(LogLevel.InfoLevel)[^1];
        var length = int.Parse(end.Split(' ')[^2], CultureInfo.InvariantCulture);
        Assert.InRange(length, 2_600, 2_700);
    }

    [Fact]
    public void A_window_is_counted_once_however_often_subscribing_fails_and_each_cause_is_told_once()
    {
        for (var i = 0; i < 5; i++)
        {
            Life.Listening.Fail(i < 3 ? QueueFault.Unreachable : QueueFault.Forbidden);
            Pass(1_000);
        }

        Assert.Equal(6, _redis.Lives.Count);
        Assert.Equal(1, Metrics["pubsub.windows"]);
        Assert.Equal(2, Logged(LogLevel.WarningLevel).Count);
        Assert.All(_redis.Lives.Take(5), life => Assert.True(life.Disposed));
    }

    [Fact]
    public void What_an_earlier_life_still_says_is_not_listened_to()
    {
        Life.Listen();
        Life.End();
        Pass(200);
        _redis.Lives[0].Hear("ghost");
        _redis.Lives[0].End();
        Life.Listen();
        Life.Hear("real");

        Assert.Equal(["real"], Assert.Single(_redis.Appends).Asked.Messages);
        Assert.Equal((2L, 1L), (Metrics["pubsub.windows"], Metrics["pubsub.messages"]));
    }

    [Fact]
    public void A_call_that_failed_is_said_again_under_its_number_with_the_same_messages()
    {
        Life.Listen();
        Life.Hear("1");
        Life.Hear("2");
        _redis.Appends[0].Fail(QueueFault.Unreachable);
        Life.Hear("3");
        Pass(250);
        Assert.Equal(2, _redis.Appends.Count);
        Assert.Equal(_redis.Appends[0].Asked.Number, _redis.Appends[1].Asked.Number);
        Assert.Equal(["1"], _redis.Appends[1].Asked.Messages);
        _redis.Appends[1].Answer(1);

        Assert.Equal(["2", "3"], _redis.Appends[2].Asked.Messages);
        Assert.Single(Logged(LogLevel.WarningLevel));
    }

    [Fact]
    public void What_does_not_fit_into_the_buffer_is_dropped_counted_and_logged_once()
    {
        Life.Listen();
        Life.Hear([.. Enumerable.Range(0, 603).Select(i => i.ToString(CultureInfo.InvariantCulture))]);

        Assert.Equal((603L, 3L), (Metrics["pubsub.messages"], Metrics["pubsub.dropped:buffer-full"]));
        Assert.Single(Logged(LogLevel.WarningLevel));
        _redis.Appends[0].Answer(1);
        Assert.Equal(512, _redis.Appends[1].Asked.Messages.Length);
        _redis.Appends[1].Answer(512);
        Assert.Equal(["513", "599"], new[] { _redis.Appends[2].Asked.Messages[0], _redis.Appends[2].Asked.Messages[^1] });
    }

    [Fact]
    public void What_the_list_has_no_room_for_is_dropped_counted_and_logged_once_a_minute()
    {
        Life.Listen();
        foreach (var (message, accepted) in new[] { ("1", 1), ("2", 0), ("3", 0), ("4", 1), ("5", 0) })
        {
            Life.Hear(message);
            _redis.Appends[^1].Answer(accepted);
        }

        Assert.Equal(3, Metrics["pubsub.dropped:queue-full"]);
        Assert.Single(Logged(LogLevel.WarningLevel));
        Pass(TimeSpan.FromMinutes(1));
        Life.Hear("6");
        _redis.Appends[^1].Answer(0);
        Assert.Single(Logged(LogLevel.WarningLevel));
    }

    [Fact]
    public void Whoever_lost_the_lease_appends_nothing_any_more_and_counts_what_it_had()
    {
        Life.Listen();
        Life.Hear("1");
        Life.Hear("2", "3");
        _redis.Appends[0].Fail(QueueFault.LeaseLost);
        Life.Hear("4");
        Pass(TimeSpan.FromSeconds(5));

        Assert.Single(_redis.Appends);
        Assert.Single(_redis.Lives);
        Assert.Equal(3, Metrics["pubsub.dropped:ended"]);
        Assert.Equal(1, Metrics["pubsub.windows"]);
        Assert.Equal([false, true, false], Listening());
    }

    [Fact]
    public void It_finishes_when_everything_that_it_heard_is_in_the_list()
    {
        Life.Listen();
        Life.Hear("1");
        Life.Hear("2");
        _intake.Tell(new PubSubIntakeActor.Finish());
        _redis.Appends[0].Answer(1);
        _redis.Appends[1].Answer(1);
        // On its way when the patterns were given up.
        Life.Hear("3");
        Assert.Empty(Drain<PubSubIntakeActor.Finished>(_parent));
        Life.Stopping.Answer(default);
        Assert.Empty(Drain<PubSubIntakeActor.Finished>(_parent));
        _redis.Appends[2].Answer(1);

        Assert.Single(Drain<PubSubIntakeActor.Finished>(_parent));
        Assert.True(Life.Disposed);
        Assert.Equal((0L, 1L), (Metrics["pubsub.dropped"], Metrics["pubsub.windows"]));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void It_finishes_at_once_with_nothing_to_append(bool listening)
    {
        if (listening)
            Life.Listen();
        else
            Life.Listening.Fail(QueueFault.Unreachable);
        _intake.Tell(new PubSubIntakeActor.Finish());
        if (listening)
            Life.Stopping.Answer(default);

        Assert.Single(Drain<PubSubIntakeActor.Finished>(_parent));
        Pass(TimeSpan.FromSeconds(5));
        Assert.Single(_redis.Lives);
    }

    [Fact]
    public void A_subscription_that_cannot_be_given_up_does_not_keep_it_from_finishing()
    {
        Life.Listen();
        Life.Hear("1");
        _intake.Tell(new PubSubIntakeActor.Finish());
        _redis.Appends[0].Answer(1);
        Life.Stopping.Fail(QueueFault.Unreachable);

        Assert.Single(Drain<PubSubIntakeActor.Finished>(_parent));
        Assert.Equal(0, Metrics["pubsub.dropped"]);
    }

    [Fact]
    public void It_finishes_without_waiting_for_a_Redis_that_is_away_and_counts_what_it_had()
    {
        Life.Listen();
        Life.Hear("1");
        Life.Hear("2");
        _intake.Tell(new PubSubIntakeActor.Finish());
        _redis.Appends[0].Fail(QueueFault.Unreachable);

        Assert.Single(Drain<PubSubIntakeActor.Finished>(_parent));
        Assert.Equal(2, Metrics["pubsub.dropped:ended"]);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_failure_without_a_name_is_a_mistake_that_the_parent_deals_with(bool listening)
    {
        if (listening)
        {
            Life.Listen();
            Life.Hear("1");
            _redis.Appends[0].Fail(new InvalidCastException());
        }
        else
            Life.Listening.Fail(new InvalidCastException());

        Assert.IsType<InvalidCastException>(Assert.Single(Drain<Supervisor.Failed>(_parent)).Cause.InnerException);
        Assert.True(Life.Disposed);
        Assert.True(_redis.Disposed);
        Assert.Equal(listening ? 1 : 0, Metrics["pubsub.dropped:ended"]);
    }

    private bool[] Listening() => [.. Drain<PubSubIntakeActor.Observed>(_parent).Select(observed => observed.Listening)];
}
