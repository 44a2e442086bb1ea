using System.Text;
using Bridge.Connection;
using Bridge.Inbound;
using Bridge.Settings;
using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Inbound;

public sealed class InboundRulesTests
{
    private const InboundStanzas All = InboundStanzas.Message | InboundStanzas.Presence | InboundStanzas.Iq;
    private const string Ping = "urn:xmpp:ping";
    private const string Subscribed = "<presence type='subscribed' from='box@bridge.example.test' to='ada@example.test'/>";
    private const string Unsubscribed = "<presence type='unsubscribed' from='box@bridge.example.test' to='ada@example.test'/>";
    private const string Available = "<presence from='box@bridge.example.test' to='ada@example.test'/>";

    [Theory]
    [InlineData("a message that is wanted", StanzaKind.Message, "chat", InboundStanzas.Message, true)]
    [InlineData("a message that is not", StanzaKind.Message, "chat", InboundStanzas.Presence | InboundStanzas.Iq, false)]
    [InlineData("presence that is wanted", StanzaKind.Presence, null, InboundStanzas.Presence, true)]
    [InlineData("presence that is not", StanzaKind.Presence, "unavailable", InboundStanzas.Message | InboundStanzas.Iq, false)]
    [InlineData("a result that answers nothing", StanzaKind.Iq, "result", All, false)]
    [InlineData("an iq of no known type", StanzaKind.Iq, "wish", All, false)]
    [InlineData("no stanza at all", StanzaKind.Other, null, All, false)]
    public void It_gives_the_app_what_it_wants_and_says_nothing(string name, StanzaKind kind, string? type, InboundStanzas wanted, bool forApp)
    {
        var verdict = Judge(wanted, SubscriptionPolicy.Refuse, Stanza(kind, type));

        Assert.True(forApp == verdict.ForApp, name);
        Assert.True(verdict.Answer.IsEmpty, name);
    }

    [Theory]
    [InlineData("what Bridge has it answers", "get", "ping", Ping, All, false, "type='result'")]
    [InlineData("what it has not goes to the app", "get", "query", "urn:x", All, true, null)]
    [InlineData("and so does a wish", "set", "ping", Ping, All, true, null)]
    [InlineData("unless it does not want any", "get", "query", "urn:x", InboundStanzas.Message, false, "service-unavailable")]
    public void A_request_has_one_who_answers_it(string name, string type, string child, string ns, InboundStanzas wanted, bool forApp, string? answer)
    {
        var verdict = Judge(wanted, SubscriptionPolicy.Refuse, Stanza(StanzaKind.Iq, type) with { FirstChild = child, FirstChildNamespace = ns });

        Assert.True(forApp == verdict.ForApp, name);
        Assert.True(answer is null ? verdict.Answer.IsEmpty : Text(verdict.Answer).Contains(answer, StringComparison.Ordinal), name);
    }

    [Theory]
    [InlineData("subscribe", SubscriptionPolicy.Accept, Subscribed + Available, false)]
    [InlineData("subscribe", SubscriptionPolicy.Refuse, Unsubscribed, false)]
    [InlineData("subscribe", SubscriptionPolicy.App, "", true)]
    [InlineData("unsubscribe", SubscriptionPolicy.Accept, Unsubscribed, false)]
    [InlineData("unsubscribe", SubscriptionPolicy.Refuse, Unsubscribed, false)]
    [InlineData("unsubscribe", SubscriptionPolicy.App, "", true)]
    [InlineData("probe", SubscriptionPolicy.Accept, Available, false)]
    [InlineData("probe", SubscriptionPolicy.Refuse, Unsubscribed, false)]
    [InlineData("probe", SubscriptionPolicy.App, "", true)]
    [InlineData("subscribed", SubscriptionPolicy.Accept, "", false)]
    [InlineData("unsubscribed", SubscriptionPolicy.Refuse, "", false)]
    [InlineData("subscribed", SubscriptionPolicy.App, "", true)]
    public void A_subscription_is_decided_by_the_policy(string type, SubscriptionPolicy policy, string answer, bool forApp)
    {
        var verdict = Judge(InboundStanzas.Message, policy, Stanza(StanzaKind.Presence, type));
        var withPresence = Judge(InboundStanzas.Presence, policy, Stanza(StanzaKind.Presence, type));

        Assert.Equal((answer, forApp), (Text(verdict.Answer), verdict.ForApp));
        // Who wants presence hears of it too.
        Assert.Equal((answer, true), (Text(withPresence.Answer), withPresence.ForApp));
    }

    [Fact]
    public void Whoever_does_not_say_who_asks_gets_no_answer() =>
        Assert.True(Judge(All, SubscriptionPolicy.Accept, Stanza(StanzaKind.Presence, "subscribe") with { From = null }).Answer.IsEmpty);

    [Theory]
    [InlineData(StanzaKind.Message, All, true)]
    [InlineData(StanzaKind.Message, InboundStanzas.Iq, false)]
    [InlineData(StanzaKind.Presence, InboundStanzas.Presence, true)]
    [InlineData(StanzaKind.Iq, InboundStanzas.Iq, true)]
    [InlineData(StanzaKind.Iq, InboundStanzas.Message, false)]
    [InlineData(StanzaKind.Other, All, false)]
    public void An_error_goes_where_its_kind_goes(StanzaKind kind, InboundStanzas wanted, bool forApp) =>
        Assert.Equal(forApp, Rules(wanted, SubscriptionPolicy.Refuse).WantsError(kind));

    [Theory]
    [InlineData(StanzaKind.Message, null, "message")]
    [InlineData(StanzaKind.Message, "chat", "message")]
    [InlineData(StanzaKind.Message, "normal", "message")]
    [InlineData(StanzaKind.Message, "groupchat", null)]
    [InlineData(StanzaKind.Message, "headline", null)]
    [InlineData(StanzaKind.Message, "error", null)]
    [InlineData(StanzaKind.Iq, "get", "iq")]
    [InlineData(StanzaKind.Iq, "set", "iq")]
    [InlineData(StanzaKind.Iq, "result", null)]
    [InlineData(StanzaKind.Iq, "error", null)]
    [InlineData(StanzaKind.Presence, null, null)]
    [InlineData(StanzaKind.Presence, "subscribe", null)]
    public void Without_room_a_sender_is_told_to_wait_where_that_may_be_said(StanzaKind kind, string? type, string? answered) =>
        Assert.Equal(
            answered is null
                ? ""
                : $"<{answered} type='error' id='q&apos;1' from='box@bridge.example.test/r' to='ada@example.test/&lt;'><error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></{answered}>",
            Text(InboundRules.Refusal(Stanza(kind, type), "bridge.example.test")));

    private static InboundVerdict Judge(InboundStanzas wanted, SubscriptionPolicy policy, StanzaReceived stanza) =>
        Rules(wanted, policy).Judge(stanza, TimeSpan.Zero);

    private static InboundRules Rules(InboundStanzas wanted, SubscriptionPolicy policy) =>
        new(new InboundSettings { Stanzas = wanted, Subscriptions = policy }, "bridge.example.test");

    private static StanzaReceived Stanza(StanzaKind kind, string? type) =>
        new(kind, "q'1", "ada@example.test/<", "box@bridge.example.test/r", type, null, null, default);

    private static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);
}
