using System.Security.Cryptography;
using System.Text;

namespace Bridge.TestKit;

/// <summary>
/// A second external component (XEP-0114) on a real server: what Bridge sends to its domain arrives here. It
/// records every stanza and answers none.
/// </summary>
public sealed class XmppComponentPeer : XmppPeer
{
    private XmppComponentPeer(XmppWire wire, string domain)
        : base(wire) => Domain = domain;

    /// <summary>The component's domain.</summary>
    public string Domain { get; }

    /// <summary>Connects and completes the handshake.</summary>
    /// <param name="server">The server, started with this component in its configuration.</param>
    /// <param name="domain">The component's domain.</param>
    /// <exception cref="InvalidOperationException">The server refused; the message holds its words.</exception>
    public static Task<XmppComponentPeer> ConnectAsync(IXmppServer server, string domain) =>
        ConnectAsync(server.ComponentPort, domain, server.ComponentSecret, server.ComponentTls);

    /// <inheritdoc cref="ConnectAsync(IXmppServer, string)"/>
    public static async Task<XmppComponentPeer> ConnectAsync(int port, string domain, string secret, bool tls = false)
    {
        using var limit = new CancellationTokenSource(AnswerTimeout);
        var wire = await XmppWire.ConnectAsync(port, tls, null, limit.Token);
        try
        {
            await wire.SendAsync(
                "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' " +
                $"xmlns:stream='http://etherx.jabber.org/streams' to='{domain}'>",
                limit.Token);
            var header = await wire.NextAsync(limit.Token);
            if (header is not { Kind: StreamPiece.Header, Bytes: var bytes } ||
                !StartTag.TryGet(bytes, "id"u8, out var id))
                throw new InvalidOperationException($"No stream id for {domain}.");

            var digest = Convert.ToHexStringLower(Digest(id, secret));
            await wire.SendAsync($"<handshake>{digest}</handshake>", limit.Token);
            var reply = await wire.NextAsync(limit.Token);
            if (reply is not { Kind: StreamPiece.Element, Bytes: var element } ||
                !StartTag.Name(element).SequenceEqual("handshake"u8))
            {
                var words = reply is { } said ? Encoding.UTF8.GetString(said.Bytes) : "end of file";
                throw new InvalidOperationException($"Handshake of {domain} refused: {words}");
            }

            var peer = new XmppComponentPeer(wire, domain);
            peer.Run();
            return peer;
        }
        catch
        {
            await wire.DisposeAsync();
            throw;
        }
    }

    // XEP-0114 §3, step 3: SHA-1 is the protocol's choice.
#pragma warning disable CA5350
    private static byte[] Digest(ReadOnlySpan<byte> streamId, string secret) =>
        SHA1.HashData(Encoding.UTF8.GetBytes(StartTag.Unescape(streamId) + secret));
#pragma warning restore CA5350
}
