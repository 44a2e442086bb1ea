using System.Globalization;
using System.Text;

namespace Bridge.TestKit;

/// <summary>How a user logs in.</summary>
public sealed record XmppUserOptions
{
    /// <summary>The resource to bind; the server's choice when null.</summary>
    public string? Resource { get; init; } = "test";

    /// <summary>Priority of the initial presence, -128 to 127 (RFC 6121 §4.7.2.3); null sends no presence.</summary>
    public int? Priority { get; init; } = 0;

    /// <summary>Whether pings (XEP-0199) are answered, and other requests refused.</summary>
    public bool AnswersRequests { get; init; } = true;

    /// <summary>
    /// SO_RCVBUF in bytes. A small one makes a user who pauses reading one that the server notices early.
    /// </summary>
    public int? ReceiveBuffer { get; init; }
}

/// <summary>
/// A logged-in user: a client (RFC 6120) on a real server that reads continuously and records what it receives.
/// SASL PLAIN on a loopback connection without TLS.
/// </summary>
public sealed class XmppUser : XmppPeer
{
    private readonly XmppUserOptions _options;
    private int _requests;

    private XmppUser(XmppWire wire, XmppUserOptions options, string fullJid)
        : base(wire)
    {
        _options = options;
        FullJid = fullJid;
    }

    /// <summary>The JID that the server bound, with the resource.</summary>
    public string FullJid { get; }

    /// <summary>The JID without the resource.</summary>
    public string BareJid => FullJid[..FullJid.IndexOf('/', StringComparison.Ordinal)];

    /// <summary>Logs in, binds and, unless told otherwise, becomes available.</summary>
    /// <param name="server">A started server that has the account.</param>
    /// <param name="name">The account's local part.</param>
    /// <param name="options">How.</param>
    /// <exception cref="InvalidOperationException">The server refused; the message holds its words.</exception>
    public static async Task<XmppUser> LoginAsync(IXmppServer server, string name, XmppUserOptions? options = null)
    {
        options ??= new XmppUserOptions();
        using var limit = new CancellationTokenSource(AnswerTimeout);
        var wire = await XmppWire.ConnectAsync(server.ClientPort, false, options.ReceiveBuffer, limit.Token);
        try
        {
            await OpenAsync(wire, server.Domain, limit.Token);
            var plain = Convert.ToBase64String(Encoding.UTF8.GetBytes($"\0{name}\0{server.Users[name]}"));
            await wire.SendAsync(
                $"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{plain}</auth>", limit.Token);
            await ExpectAsync(wire, "success", limit.Token);

            wire.Restart();
            await OpenAsync(wire, server.Domain, limit.Token);
            var resource = options.Resource is null
                ? ""
                : $"<resource>{StartTag.Escape(options.Resource)}</resource>";
            await wire.SendAsync(
                "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>" +
                $"{resource}</bind></iq>",
                limit.Token);
            var bound = await ExpectAsync(wire, "iq", limit.Token);
            var jid = bound.Element.Descendants().FirstOrDefault(child => child.Name.LocalName == "jid")?.Value
                ?? throw new InvalidOperationException($"Not bound: {bound}");

            var user = new XmppUser(wire, options, jid);
            user.Run();
            if (options.Priority is { } priority)
                await user.BecomeAvailableAsync(priority);
            return user;
        }
        catch
        {
            await wire.DisposeAsync();
            throw;
        }
    }

    /// <summary>Sends presence and waits until the server has taken it: from then on, messages come here.</summary>
    public async Task BecomeAvailableAsync(int priority)
    {
        var value = priority.ToString(CultureInfo.InvariantCulture);
        await SendAsync($"<presence><priority>{value}</priority></presence>");
        await PingServerAsync();
    }

    /// <summary>A round trip to the server behind everything sent before.</summary>
    public Task<ReceivedStanza> PingServerAsync()
    {
        var id = $"ping-{Interlocked.Increment(ref _requests)}";
        var domain = BareJid[(BareJid.IndexOf('@', StringComparison.Ordinal) + 1)..];
        return RequestAsync($"<iq type='get' to='{domain}' id='{id}'><ping xmlns='urn:xmpp:ping'/></iq>", id);
    }

    private protected override void OnStanza(ReceivedStanza stanza)
    {
        if (!_options.AnswersRequests || !stanza.Raw.Span.StartsWith("<iq"u8) || stanza.Type is not ("get" or "set"))
            return;
        var to = stanza.From is null ? "" : $" to='{StartTag.Escape(stanza.From)}'";
        var id = StartTag.Escape(stanza.Id ?? "");
        var known = stanza.Element.Elements().Any(child => child.Name == "{urn:xmpp:ping}ping");
        _ = AnswerAsync(known
            ? $"<iq type='result'{to} id='{id}'/>"
            : $"<iq type='error'{to} id='{id}'><error type='cancel'>" +
              "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>");
    }

    private async Task AnswerAsync(string answer)
    {
        try
        {
            await SendAsync(answer);
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
            // The stream has ended: Ended tells how, and nobody waits for this answer any more.
        }
    }

    private static async Task OpenAsync(XmppWire wire, string domain, CancellationToken limit)
    {
        await wire.SendAsync(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:client' " +
            $"xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='{domain}'>",
            limit);
        if (await wire.NextAsync(limit) is not { Kind: StreamPiece.Header })
            throw new InvalidOperationException("No stream header.");
        await ExpectAsync(wire, "stream:features", limit);
    }

    private static async Task<ReceivedStanza> ExpectAsync(XmppWire wire, string name, CancellationToken limit)
    {
        var piece = await wire.NextAsync(limit);
        if (piece is not { Kind: StreamPiece.Element, Bytes: var bytes })
            throw new InvalidOperationException($"The stream ended where {name} was expected.");
        var element = new ReceivedStanza(bytes, 0, 0);
        return element.Name == name
            ? element
            : throw new InvalidOperationException($"Expected {name}, received {element}");
    }
}
