using System.Globalization;
using System.Reflection;
using System.Security;
using System.Text;
using Bridge.Connection;
using Bridge.Stanzas;

namespace Bridge.Inbound;

/// <summary>
/// What an XMPP entity answers by itself: what it is (XEP-0030), that it is there (XEP-0199), its version (XEP-0092), for how
/// long it has run (XEP-0012); and to any other request that it has no service for it, because every request must be answered
/// (RFC 6120 §8.2.3). Pure.
/// </summary>
/// <param name="domain">The component's domain.</param>
internal sealed class EntityAnswers(string domain)
{
    private const string DiscoInfo = "http://jabber.org/protocol/disco#info";
    private const string DiscoItems = "http://jabber.org/protocol/disco#items";
    private const string Ping = "urn:xmpp:ping";
    private const string Version = "jabber:iq:version";
    private const string LastActivity = "jabber:iq:last";

    private static readonly string Features = string.Concat(
        new[] { DiscoInfo, DiscoItems, LastActivity, Version, Ping }.Select(feature => $"<feature var='{feature}'/>"));

    // Without the commit, which says more than a stranger needs.
    private static readonly string OwnVersion = SecurityElement.Escape(
        typeof(EntityAnswers).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "")!;

    private static readonly (string Type, string Payload) NoService = Error("service-unavailable");

    /// <summary>Whether a request is for what Bridge itself has, so that it is not for the app.</summary>
    public static bool Serves(StanzaReceived request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return request.Type == "get"
            && (request.FirstChild, request.FirstChildNamespace) is ("query", DiscoInfo or DiscoItems or Version or LastActivity) or ("ping", Ping);
    }

    /// <summary>The answer to a request.</summary>
    /// <param name="request">An iq of type get or set.</param>
    /// <param name="runsFor">How long the component has been there.</param>
    /// <returns>One stanza, UTF-8.</returns>
    public byte[] Answer(StanzaReceived request, TimeSpan runsFor)
    {
        ArgumentNullException.ThrowIfNull(request);
        var (type, payload) = request.Type == "get" ? ReplyTo(request, runsFor) : NoService;
        return Encoding.UTF8.GetBytes(Stanza(request, type, payload));
    }

    private static (string Type, string Payload) ReplyTo(StanzaReceived request, TimeSpan runsFor) => (request.FirstChild, request.FirstChildNamespace) switch
    {
        // We have no nodes (XEP-0030 §3.2).
        ("query", DiscoInfo or DiscoItems) when HasNode(request) => Error("item-not-found"),
        ("query", DiscoInfo) => Result($"<query xmlns='{DiscoInfo}'><identity category='component' type='generic' name='Bridge'/>{Features}</query>"),
        ("query", DiscoItems) => Result($"<query xmlns='{DiscoItems}'/>"),
        ("query", Version) => Result($"<query xmlns='{Version}'><name>Bridge</name><version>{OwnVersion}</version></query>"),
        ("query", LastActivity) => Result(string.Create(CultureInfo.InvariantCulture, $"<query xmlns='{LastActivity}' seconds='{(long)runsFor.TotalSeconds}'/>")),
        ("ping", Ping) => Result(""),
        _ => NoService,
    };

    private static bool HasNode(StanzaReceived request)
    {
        var cursor = new MarkupCursor(request.Xml.Span);
        if (!cursor.Next())
            return false;
        // White space may stand before the payload.
        while (cursor.Next() && cursor.Token == MarkupToken.Text)
        {
        }

        return MarkupCursor.TryGetAttribute(cursor.Attributes, "node"u8, out var node) && !node.IsEmpty;
    }

    private static (string Type, string Payload) Result(string payload) => ("result", payload);

    private static (string Type, string Payload) Error(string condition) =>
        ("error", $"<error type='cancel'><{condition} xmlns='{StanzaError.Namespace}'/></error>");

    private string Stanza(StanzaReceived request, string type, string payload)
    {
        var start = $"<iq type='{type}' id='{Escape(request.Id)}' from='{Escape(request.To ?? domain)}' to='{Escape(request.From)}'";
        return payload.Length == 0 ? start + "/>" : $"{start}>{payload}</iq>";
    }

    private static string Escape(string? text) => SecurityElement.Escape(text) ?? "";
}
