using System.Globalization;
using Akka.Actor;
using Akka.Event;
using Akka.TestKit;
using Bridge.Inbound;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Stanzas;
using Bridge.Telemetry;

namespace Bridge.Actors.Tests.Inbound;

public sealed class InboundPublisherActorTests : ActorSpec
{
    private static readonly StanzaError Error = new(StanzaErrorType.Cancel, StanzaErrorCondition.ServiceUnavailable, null);

    private readonly ScriptedOutcomes _outcomes = new() { HoldsDeliveries = true };
    private readonly ScriptedInbound _inbound = new();
    private readonly TestProbe _parent;
    private readonly IActorRef _publisher;

    public InboundPublisherActorTests()
    {
        _parent = CreateTestProbe();
        _publisher = ChildOf(_parent, InboundPublisherActor.Props(
            Settings().Outcomes with { Buffer = 1_000 }, () => _outcomes, Settings().Inbound with { Buffer = 1_000 }, () => _inbound, new BridgeMetrics(Bridge)));
    }

    [Fact]
    public void Replies_are_carried_when_told_and_again_while_there_may_be_more()
    {
        _publisher.Tell(InboundPublisherActor.DeliverReplies.Instance);
        _publisher.Tell(InboundPublisherActor.DeliverReplies.Instance);
        Assert.Single(_outcomes.Deliveries).Answer(new ReplyDelivery(500, 0, true));
        _outcomes.Deliveries[1].Answer(new ReplyDelivery(3, 2, false));

        Assert.Equal(2, _outcomes.Deliveries.Count);
        Assert.Equal((503L, 2L), (Metrics["replies"], Metrics["replies.dropped"]));
        Assert.Contains("2 replies", Assert.Single(Logged(LogLevel.WarningLevel)), StringComparison.Ordinal);
    }

    [Fact]
    public void Replies_that_could_not_be_carried_are_looked_for_again()
    {
        _publisher.Tell(InboundPublisherActor.DeliverReplies.Instance);
        Assert.Single(_outcomes.Deliveries).Fail(QueueFault.Unreachable);
        Pass(500);

        Assert.Equal(2, _outcomes.Deliveries.Count);
    }

    [Fact]
    public void Bounces_are_published_at_once_and_in_order()
    {
        Publish(1, 3);

        Assert.Equal(["1", "2", "3"], Assert.Single(_outcomes.Appends).Asked.Select(b => b.Id));
    }

    [Fact]
    public void One_call_is_under_way_at_most_and_the_next_carries_what_came_meanwhile()
    {
        Publish(1, 1);
        Publish(2, 1);
        Publish(3, 2);
        Assert.Single(_outcomes.Appends);

        _outcomes.Appends[0].Answer(default);
        Assert.Equal(2, _outcomes.Appends.Count);
        Assert.Equal(["2", "3", "4"], _outcomes.Appends[1].Asked.Select(b => b.Id));
        _outcomes.Appends[1].Answer(default);
        Assert.Equal(2, _outcomes.Appends.Count);
    }

    [Fact]
    public void A_call_carries_500_bounces_at_most()
    {
        Publish(1, 1_000);
        _outcomes.Appends[0].Answer(default);
        _outcomes.Appends[1].Answer(default);

        Assert.Equal([500, 500], _outcomes.Appends.Select(a => a.Asked.Count));
        Assert.Equal("501", _outcomes.Appends[1].Asked[0].Id);
    }

    [Fact]
    public void What_failed_is_published_again_after_half_a_second_with_what_came_since()
    {
        Publish(1, 2);
        _outcomes.Appends[0].Fail(QueueFault.Unreachable);
        Publish(3, 1);
        Pass(490);
        Assert.Single(_outcomes.Appends);
        Pass(10);

        Assert.Equal(["1", "2", "3"], _outcomes.Appends[1].Asked.Select(b => b.Id));
    }

    [Fact]
    public void A_failure_is_logged_once_and_so_is_its_end()
    {
        Publish(1, 1);
        for (var failure = 0; failure < 3; failure++)
        {
            _outcomes.Appends[^1].Fail(QueueFault.Unreachable);
            Pass(500);
        }

        _outcomes.Appends[^1].Answer(default);
        Publish(2, 1);
        _outcomes.Appends[^1].Fail(QueueFault.Unreachable);

        Assert.Equal(2, Logged(LogLevel.WarningLevel).Count);
    }

    [Fact]
    public void What_does_not_fit_into_the_buffer_is_dropped_counted_and_logged_once()
    {
        Publish(1, 1_000);
        Publish(1_001, 2);
        Publish(1_003, 1);

        Assert.Equal(3, Metrics["outcomes.dropped"]);
        Assert.Single(Logged(LogLevel.WarningLevel));
        _outcomes.Appends[0].Answer(default);
        Publish(2_001, 1);
        _outcomes.Appends[1].Answer(default);
        Assert.Equal(["2001"], _outcomes.Appends[2].Asked.Select(b => b.Id));
        Assert.Equal(3, Metrics["outcomes.dropped"]);
    }

    [Fact]
    public void A_failure_without_a_name_is_a_mistake_that_the_parent_deals_with()
    {
        Publish(1, 1);
        _outcomes.Appends[0].Fail(new InvalidCastException());

        Assert.IsType<InvalidCastException>(Assert.Single(Drain<Supervisor.Failed>(_parent)).Cause.InnerException);
        Assert.True(_outcomes.Disposed);
    }

    [Fact]
    public void Its_end_closes_the_connection()
    {
        End(_publisher);

        Assert.True(_outcomes.Disposed);
    }

    private void Publish(int first, int count) => _publisher.Tell(new InboundPublisherActor.Publish(
        [.. Enumerable.Range(first, count).Select(id =>
            new Outcome(Ending.Bounced, id.ToString(CultureInfo.InvariantCulture), "ada@example.test") { Kind = StanzaKind.Message, Error = Error })]));
}
