using System.Security;
using System.Text;
using Bridge.Connection;
using Bridge.Settings;
using Bridge.Stanzas;

namespace Bridge.Inbound;

/// <summary>What is done with a stanza that came.</summary>
/// <param name="ForApp">It goes to the app.</param>
/// <param name="Answer">What Bridge says to it, one stanza or more; empty: nothing.</param>
internal readonly record struct InboundVerdict(bool ForApp, ReadOnlyMemory<byte> Answer)
{
    /// <summary>It is counted, no more.</summary>
    public static readonly InboundVerdict Nothing;
}

/// <summary>
/// Decides what goes to the app, what Bridge answers by itself, and what a sender is told when there is no room. Errors are never
/// answered (RFC 6120 §8.3.1). Pure.
/// </summary>
/// <param name="settings">What the app wants.</param>
/// <param name="domain">The component's domain.</param>
internal sealed class InboundRules(InboundSettings settings, string domain)
{
    private readonly EntityAnswers _answers = new(domain);

    /// <summary>What is done with a stanza that is no error.</summary>
    /// <param name="stanza">The stanza.</param>
    /// <param name="runsFor">How long the component has been there.</param>
    public InboundVerdict Judge(StanzaReceived stanza, TimeSpan runsFor)
    {
        ArgumentNullException.ThrowIfNull(stanza);
        return stanza.Kind switch
        {
            StanzaKind.Message => new InboundVerdict(Wants(InboundStanzas.Message), default),
            StanzaKind.Presence => JudgePresence(stanza),
            StanzaKind.Iq when stanza.Type is "get" or "set" => Wants(InboundStanzas.Iq) && !EntityAnswers.Serves(stanza)
                ? new InboundVerdict(true, default)
                : new InboundVerdict(false, _answers.Answer(stanza, runsFor)),
            // A result that answers nothing says nothing.
            _ => InboundVerdict.Nothing,
        };
    }

    /// <summary>Whether an error that answers nothing of ours goes to the app.</summary>
    public bool WantsError(StanzaKind kind) => kind switch
    {
        StanzaKind.Message => Wants(InboundStanzas.Message),
        StanzaKind.Presence => Wants(InboundStanzas.Presence),
        StanzaKind.Iq => Wants(InboundStanzas.Iq),
        _ => false,
    };

    /// <summary>
    /// What the sender of a stanza for the app is told when there is no room for it; empty where nothing may be said: to presence, and
    /// to what went to many, whose senders an error would only disturb.
    /// </summary>
    public static ReadOnlyMemory<byte> Refusal(StanzaReceived stanza, string domain)
    {
        ArgumentNullException.ThrowIfNull(stanza);
        var name = stanza.Kind switch
        {
            StanzaKind.Message when stanza.Type is not ("groupchat" or "headline" or "error") => "message",
            StanzaKind.Iq when stanza.Type is "get" or "set" => "iq",
            _ => null,
        };
        if (name is null || string.IsNullOrEmpty(stanza.From))
            return default;
        var id = stanza.Id is null ? "" : $" id='{Escape(stanza.Id)}'";
        return Encoding.UTF8.GetBytes(
            $"<{name} type='error'{id} from='{Escape(stanza.To ?? domain)}' to='{Escape(stanza.From)}'>"
            + $"<error type='wait'><resource-constraint xmlns='{StanzaError.Namespace}'/></error></{name}>");
    }

    private InboundVerdict JudgePresence(StanzaReceived presence)
    {
        var wanted = Wants(InboundStanzas.Presence);
        if (presence.Type is not ("subscribe" or "subscribed" or "unsubscribe" or "unsubscribed" or "probe"))
            return new InboundVerdict(wanted, default);
        if (settings.Subscriptions == SubscriptionPolicy.App)
            return new InboundVerdict(true, default);
        var accepts = settings.Subscriptions == SubscriptionPolicy.Accept;
        var answer = presence.Type switch
        {
            "subscribe" when accepts => Presence(presence, "subscribed") + Presence(presence, null),
            // RFC 6121 §4.3.2: who is not subscribed is told so.
            "subscribe" or "unsubscribe" => Presence(presence, "unsubscribed"),
            "probe" => Presence(presence, accepts ? null : "unsubscribed"),
            _ => "",
        };
        return new InboundVerdict(wanted, Encoding.UTF8.GetBytes(answer));
    }

    // Between bare addresses (RFC 6121 §3.1.2); also for presence, of which a component's address has one.
    private string Presence(StanzaReceived asked, string? type) => string.IsNullOrEmpty(asked.From)
        ? ""
        : $"<presence{(type is null ? "" : $" type='{type}'")} from='{Escape(Bare(asked.To ?? domain))}' to='{Escape(Bare(asked.From))}'/>";

    private bool Wants(InboundStanzas kind) => (settings.Stanzas & kind) != 0;

    private static string Bare(string address)
    {
        var slash = address.IndexOf('/', StringComparison.Ordinal);
        return slash < 0 ? address : address[..slash];
    }

    private static string Escape(string text) => SecurityElement.Escape(text)!;
}
