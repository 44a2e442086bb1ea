using System.Text;
using Akka.Actor;
using Akka.Event;
using Akka.TestKit;
using Bridge.Inbound;
using Bridge.Queue;
using Bridge.Stanzas;
using Bridge.Telemetry;

namespace Bridge.Actors.Tests.Inbound;

/// <summary>The publisher's way of stanzas for the app.</summary>
public sealed class InboundDeliveryTests : ActorSpec
{
    private readonly ScriptedInbound _inbound = new();
    private readonly TestProbe _parent;
    private readonly TestProbe _connection;
    private readonly IActorRef _publisher;

    public InboundDeliveryTests()
    {
        _parent = CreateTestProbe();
        _connection = CreateTestProbe();
        _publisher = ChildOf(_parent, InboundPublisherActor.Props(
            Settings().Outcomes, () => new ScriptedOutcomes(), Settings().Inbound with { Buffer = 1_000 }, () => _inbound, new BridgeMetrics(Bridge)));
    }

    [Fact]
    public void Stanzas_go_at_once_and_in_order_and_the_connection_hears_up_to_which()
    {
        Deliver(1, 3);

        Assert.Equal([1, 2, 3], Assert.Single(_inbound.Appends).Asked.Select(entry => entry.Number));
        Assert.Empty(Drain<InboundPublisherActor.Delivered>(_connection));
        _inbound.Appends[0].Answer(null);
        Assert.Equal(3, Assert.Single(Drain<InboundPublisherActor.Delivered>(_connection)).UpTo);
        Assert.Equal(3, Metrics["inbound.delivered:message"]);
    }

    [Fact]
    public void One_call_is_under_way_at_most_with_500_stanzas_at_most()
    {
        Deliver(1, 1);
        Deliver(2, 600);
        Assert.Single(_inbound.Appends);
        _inbound.Appends[0].Answer(null);
        _inbound.Appends[1].Answer(null);

        Assert.Equal([1, 500, 100], _inbound.Appends.Select(append => append.Asked.Count));
        Assert.Equal(502, _inbound.Appends[2].Asked[0].Number);
    }

    [Fact]
    public void A_call_carries_a_mebibyte_or_a_single_stanza()
    {
        Deliver([.. Entries(1, 1), .. Entries(2, 3, bytes: 600_000), .. Entries(5, 1, bytes: 5_000_000), .. Entries(6, 1)]);
        for (var i = 0; i < 4; i++)
            _inbound.Appends[i].Answer(null);

        Assert.Equal(["1,2", "3", "4", "5", "6"], _inbound.Appends.Select(append => string.Join(',', append.Asked.Select(entry => entry.Number))));
    }

    [Fact]
    public void What_failed_goes_again_after_half_a_second_and_before_what_came_since()
    {
        Deliver(1, 2);
        _inbound.Appends[0].Fail(QueueFault.Unreachable);
        Deliver(3, 1);
        Pass(490);
        Assert.Single(_inbound.Appends);
        Pass(10);

        Assert.Equal([1, 2, 3], _inbound.Appends[1].Asked.Select(entry => entry.Number));
        Assert.Single(Logged(LogLevel.WarningLevel));
        Assert.Equal(1, Metrics["redis.faults:unreachable"]);
        _inbound.Appends[1].Answer(null);
        Assert.Equal(3, Assert.Single(Drain<InboundPublisherActor.Delivered>(_connection)).UpTo);
    }

    [Fact]
    public void What_is_handed_over_again_is_taken_once()
    {
        Deliver(1, 3);
        Deliver(1, 4);
        _inbound.Appends[0].Answer(null);

        Assert.Equal([4], _inbound.Appends[1].Asked.Select(entry => entry.Number));
    }

    [Fact]
    public void A_new_publisher_waits_for_what_its_predecessor_had()
    {
        Deliver(Entries(12, 1), acknowledged: 9);
        Assert.Empty(_inbound.Appends);
        Deliver(Entries(10, 3), acknowledged: 9);

        Assert.Equal([10, 11, 12], Assert.Single(_inbound.Appends).Asked.Select(entry => entry.Number));
    }

    [Fact]
    public void What_an_earlier_connection_left_goes_first_and_by_itself()
    {
        var successor = CreateTestProbe();
        Deliver(1, 1);
        Deliver(2, 2);
        _publisher.Tell(new InboundPublisherActor.Deliver(Entries(1, 2, session: "b"), 0), successor.Ref);
        _inbound.Appends[0].Answer(null);
        _inbound.Appends[1].Answer(null);
        _inbound.Appends[2].Answer(null);

        Assert.Equal(["a1", "a2 a3", "b1 b2"], _inbound.Appends.Select(append => string.Join(' ', append.Asked.Select(entry => entry.Session + entry.Number))));
        Assert.Equal([1, 3], Drain<InboundPublisherActor.Delivered>(_connection).Select(told => told.UpTo));
        Assert.Equal(2, Assert.Single(Drain<InboundPublisherActor.Delivered>(successor)).UpTo);
    }

    [Fact]
    public void Connections_that_end_one_after_the_other_fill_two_buffers_at_most()
    {
        for (var life = 0; life < 5; life++)
            _publisher.Tell(new InboundPublisherActor.Deliver(Entries(1, 1_000, session: "s" + life), 0), CreateTestProbe().Ref);

        // What the last one and the first one delivered is kept; each between fell to its successor's arrival.
        Assert.Equal(3_000, Metrics["inbound.dropped:message"]);
        Assert.Equal(3, Logged(LogLevel.WarningLevel).Count);
    }

    [Fact]
    public void A_list_that_refuses_is_told_once_and_stops_nothing()
    {
        Deliver(1, 1);
        Deliver(2, 1);
        _inbound.Appends[0].Answer(new QueueFaultException(QueueFault.WrongType, "a string"));
        Deliver(3, 1);
        _inbound.Appends[1].Answer(new QueueFaultException(QueueFault.WrongType, "a string"));
        _inbound.Appends[2].Answer(null);

        Assert.Single(Logged(LogLevel.WarningLevel));
        Assert.Equal(2, Metrics["redis.faults:wrong-type"]);
        Assert.Equal(3, Metrics["inbound.delivered:message"]);
    }

    [Fact]
    public void A_flush_waits_for_the_app_s_stanzas_also_while_redis_is_away()
    {
        Deliver(1, 2);
        _inbound.Appends[0].Fail(QueueFault.Unreachable);
        _publisher.Tell(new InboundPublisherActor.Flush(), _connection.Ref);
        Assert.Empty(Drain<InboundPublisherActor.Flushed>(_connection));
        Pass(500);
        _inbound.Appends[1].Answer(null);

        Assert.Single(Drain<InboundPublisherActor.Flushed>(_connection));
    }

    [Fact]
    public void What_a_drain_could_not_deliver_is_counted_and_logged()
    {
        Deliver(1, 2);
        _publisher.Tell(new InboundPublisherActor.Flush(), _connection.Ref);
        End(_publisher);

        Assert.Equal(2, Metrics["inbound.dropped:message"]);
        Assert.Contains("2 stanzas", Assert.Single(Logged(LogLevel.WarningLevel)), StringComparison.Ordinal);
        Assert.True(_inbound.Disposed);
    }

    [Fact]
    public void A_failure_without_a_name_is_a_mistake_that_the_parent_deals_with()
    {
        Deliver(1, 1);
        _inbound.Appends[0].Fail(new InvalidCastException());

        Assert.IsType<InvalidCastException>(Assert.Single(Drain<Supervisor.Failed>(_parent)).Cause.InnerException);
        // The connection has it still.
        Assert.Equal(0, Metrics["inbound.dropped:message"]);
    }

    private void Deliver(int first, int count) => Deliver(Entries(first, count));

    private void Deliver(IReadOnlyList<InboundEntry> entries, long acknowledged = 0) =>
        _publisher.Tell(new InboundPublisherActor.Deliver(entries, acknowledged), _connection.Ref);

    private static InboundEntry[] Entries(int first, int count, int bytes = 20, string session = "a") =>
        [.. Enumerable.Range(first, count).Select(number => new InboundEntry(
            session, number, DateTimeOffset.UnixEpoch, StanzaKind.Message, "chat", null, "ada@example.test", "box@bridge.example.test", null,
            Encoding.UTF8.GetBytes("<message>".PadRight(bytes, ' '))))];
}
