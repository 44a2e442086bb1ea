using System.Globalization;
using System.Text;
using Akka.Event;
using Bridge.Connection;
using Bridge.Inbound;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Connection;

/// <summary>What users send to the component's addresses.</summary>
public sealed class XmppConnectionActorInboundTests : XmppConnectionActorSpec
{
    private static readonly StanzaError Unavailable = new(StanzaErrorType.Cancel, StanzaErrorCondition.ServiceUnavailable, null);

    [Fact]
    public void What_came_in_one_read_is_handed_over_in_one_message_and_in_order()
    {
        Begin(Settings());
        Link.Say(Message("1"), new BarrierReturned(2, 0), Message("2"), Presence(null));
        Link.Say(Message("3"));

        var delivered = Delivered();
        Assert.Equal(["1 2", "3"], delivered.Select(message => string.Join(' ', message.Entries.Select(entry => entry.Id))));
        Assert.Equal([1, 2, 3], delivered.SelectMany(message => message.Entries).Select(entry => entry.Number));
        Assert.Equal(3, delivered.SelectMany(message => message.Entries).Select(entry => entry.Stamp).Distinct().Count());
        Assert.Equal("<m id='3'/>", Encoding.UTF8.GetString(delivered[1].Entries[0].Xml.Span));
        Assert.Equal(1, Metrics["inbound.stanzas:presence"]);
    }

    [Fact]
    public void Without_room_senders_are_told_to_wait_and_reading_goes_on()
    {
        Begin(With(settings => settings with { Buffer = 2, Stanzas = InboundStanzas.Message | InboundStanzas.Presence | InboundStanzas.Iq }));
        Link.Written();
        var consumed = Link.ConsumedBatches;
        Link.Say(Message("1"), Message("2"), Message("3"), Message("4", "groupchat"), Presence(null), Request("5"));
        Link.Say(Message("6"));

        Assert.Equal(["1", "2"], Delivered().SelectMany(message => message.Entries).Select(entry => entry.Id));
        Assert.Equal(["wait:3", "wait:5", "wait:6"], Link.Written());
        Assert.Equal((2L, 1L), (Metrics["inbound.refused:message"], Metrics["inbound.refused:iq"]));
        Assert.Equal((1L, 1L), (Metrics["inbound.dropped:message"], Metrics["inbound.dropped:presence"]));
        Assert.Single(Logged(LogLevel.WarningLevel));
        Assert.Equal(consumed + 2, Link.ConsumedBatches);
    }

    [Fact]
    public void Room_comes_back_when_redis_has_what_was_handed_over()
    {
        Begin(With(settings => settings with { Buffer = 2 }));
        Link.Say(Message("1"), Message("2"));
        Connection.Tell(new InboundPublisherActor.Delivered(1), Publisher.Ref);
        Link.Say(Message("3"), Message("4"));

        var delivered = Delivered();
        Assert.Equal(["1", "2", "3"], delivered.SelectMany(message => message.Entries).Select(entry => entry.Id));
        Assert.Equal([0, 1], delivered.Select(message => message.AcknowledgedUpTo));
        Assert.Equal(1, Metrics["inbound.refused:message"]);
    }

    [Fact]
    public void A_new_publisher_gets_what_redis_has_not_acknowledged()
    {
        Begin(Settings());
        Link.Say(Message("1"), Message("2"), Message("3"));
        Connection.Tell(new InboundPublisherActor.Delivered(1), Publisher.Ref);
        var first = Delivered()[0].Entries;
        Connection.Tell(XmppConnectionActor.HandInboundOver.Instance, Publisher.Ref);

        var again = Assert.Single(Delivered());
        Assert.Equal(first.Skip(1), again.Entries);
        Assert.Equal(1, again.AcknowledgedUpTo);
        Assert.Equal(2, LastObserved().InboundBuffered);
    }

    [Fact]
    public void It_outlives_the_stream()
    {
        Begin(With(settings => settings with { Buffer = 2 }));
        Link.Say(Message("1"));
        Link.End(SocketEnd.RemoteClosed);
        Reconnect();
        Link.Say(Message("2"), Message("3"));

        Assert.Equal([1, 2], Delivered().SelectMany(message => message.Entries).Select(entry => entry.Number));
        Assert.Equal(1, Metrics["inbound.refused:message"]);
    }

    [Fact]
    public void What_comes_while_the_stream_closes_is_handed_over_before_the_drain_ends()
    {
        Begin(Settings());
        Connection.Tell(new XmppConnectionActor.Drain(), Parent.Ref);
        Hand(1);
        Link.Written();
        // The read that ends the drain brings more behind the barrier.
        Connection.Tell(new RedisPullerActor.TakingStopped(Flow, 1), Puller.Ref);
        Link.Say(new BarrierReturned(2, 0), Message("1"));
        Assert.True(Link.IsClosing);
        Link.Say(Message("2"));
        Link.Closed();

        var said = new List<object>();
        while (Parent.ReceiveOne(TimeSpan.Zero) is { } message)
            said.Add(message);
        Assert.Equal(["1", "2"], said.OfType<InboundPublisherActor.Deliver>().SelectMany(message => message.Entries).Select(entry => entry.Id));
        Assert.True(said.FindLastIndex(message => message is InboundPublisherActor.Deliver) < said.FindIndex(message => message is XmppConnectionActor.Drained));
    }

    [Theory]
    [InlineData(StanzaKind.Message, InboundStanzas.Message, 1)]
    [InlineData(StanzaKind.Message, InboundStanzas.None, 0)]
    [InlineData(StanzaKind.Iq, InboundStanzas.Message, 0)]
    [InlineData(StanzaKind.Presence, InboundStanzas.Presence, 1)]
    public void An_error_that_answers_nothing_goes_to_the_app_where_its_kind_is_wanted(StanzaKind kind, InboundStanzas wanted, int entries)
    {
        Begin(With(settings => settings with { Stanzas = wanted }));
        Link.Written();
        Link.Say(new StanzaBounced(kind, "x", "eve@example.test", "bridge.example.test", Unavailable) { Xml = "<m/>"u8.ToArray() });

        Assert.Equal(entries, Delivered().SelectMany(message => message.Entries).Count(entry => entry is { Type: "error", Error: not null, Xml.Length: 4 }));
        Assert.Empty(Link.Written());
    }

    [Fact]
    public void An_error_that_answers_a_message_of_the_app_s_is_an_outcome_and_no_more()
    {
        Begin(Settings());
        Hand(1, "id=order-7");
        Link.Say(new StanzaBounced(StanzaKind.Message, "order-7", "ada@example.test", "bridge.example.test", Unavailable));

        Assert.Empty(Delivered());
    }

    [Fact]
    public void A_request_that_the_app_wants_is_left_to_it()
    {
        Begin(With(settings => settings with { Stanzas = InboundStanzas.Iq }));
        Link.Written();
        Link.Say(Request("q1"), Message("no"));

        Assert.Equal(["q1"], Delivered().SelectMany(message => message.Entries).Select(entry => entry.Id));
        Assert.Empty(Link.Written());
    }

    [Theory]
    [InlineData(SubscriptionPolicy.Refuse, 0, "presence:unsubscribed")]
    [InlineData(SubscriptionPolicy.App, 1)]
    public void Subscriptions_follow_the_policy(SubscriptionPolicy policy, int entries, params string[] said)
    {
        Begin(With(settings => settings with { Subscriptions = policy }));
        Link.Written();
        Link.Say(Presence("subscribe"));

        Assert.Equal(said, Link.Written());
        Assert.Equal(entries, Delivered().SelectMany(message => message.Entries).Count());
    }

    [Fact]
    public void A_flood_of_refusals_asks_for_a_barrier_and_is_bounded_until_it_returns()
    {
        Begin(With(settings => settings with { Buffer = 1, BufferBytes = 256 * 1024 }));
        Link.Written();
        for (var i = 0; i < 5_000; i++)
            Link.Say(Message("m" + i));
        var written = Link.Written();
        var refused = written.Count(word => word.StartsWith("wait:", StringComparison.Ordinal));

        Assert.InRange(refused, 500, 2_500);
        Assert.Single(written, word => word[0] == '|');
        Assert.Equal(4_999, Metrics["inbound.refused:message"] + Metrics["inbound.dropped:message"]);
        Link.ReturnBarrier(long.Parse(written.Single(word => word[0] == '|').AsSpan(1), CultureInfo.InvariantCulture));
        Link.Say(Message("again"));
        Assert.Equal(["wait:again"], Link.Written());
    }

    private BridgeSettings With(Func<InboundSettings, InboundSettings> change)
    {
        var settings = Settings();
        return settings with { Inbound = change(settings.Inbound) };
    }

    private IReadOnlyList<InboundPublisherActor.Deliver> Delivered() => Drain<InboundPublisherActor.Deliver>(Publisher);

    private XmppConnectionActor.Observed LastObserved()
    {
        Pass(300);
        return Drain<XmppConnectionActor.Observed>(Parent)[^1];
    }

    private static StanzaReceived Message(string id, string type = "chat") =>
        new(StanzaKind.Message, id, "ada@example.test/x", "box@bridge.example.test", type, "body", null, Encoding.UTF8.GetBytes($"<m id='{id}'/>"));

    private static StanzaReceived Presence(string? type) =>
        new(StanzaKind.Presence, null, "ada@example.test/x", "box@bridge.example.test", type, null, null, default);

    private static StanzaReceived Request(string id) =>
        new(StanzaKind.Iq, id, "ada@example.test/x", "box@bridge.example.test", "get", "query", "urn:x", default);
}
