using System.Security.Cryptography;
using System.Text;
using Bridge.Settings;

namespace Bridge.Connection;

/// <summary>
/// What a component writes before its first stanza, XEP-0114 §3: the stream header, then, once
/// the server's header told the stream id, the handshake.
/// </summary>
public static class Handshake
{
    /// <summary>
    /// The opening of a component stream to <paramref name="domain" />, in UTF-8. XEP-0114 §3
    /// step 1: <c>to</c> is the component's own domain, and there is no <c>version</c>.
    /// </summary>
    public static byte[] StreamHeader(string domain)
    {
        var header = new StringBuilder(
            "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' to='");
        foreach (var c in domain)
            _ = c switch
            {
                '&' => header.Append("&amp;"),
                '<' => header.Append("&lt;"),
                '>' => header.Append("&gt;"),
                '\'' => header.Append("&apos;"),
                '"' => header.Append("&quot;"),
                // A literal one would be normalised to a space (XML 1.0 §3.3.3).
                '\t' or '\n' or '\r' => header.Append("&#").Append((int)c).Append(';'),
                _ => header.Append(c),
            };
        return Encoding.UTF8.GetBytes(header.Append("'>").ToString());
    }

    /// <summary>
    /// XEP-0114 §3 step 3: the SHA-1 of the stream id, its references resolved, followed by the
    /// secret, as 40 lower-case hexadecimal digits (ejabberd refuses upper case).
    /// </summary>
    public static string Digest(string streamId, ComponentSecret secret)
    {
        // The protocol's own choice of hash; there is no other in XEP-0114.
#pragma warning disable CA5350
        var digest = SHA1.HashData(Encoding.UTF8.GetBytes(streamId + secret.Reveal()));
#pragma warning restore CA5350
        return Convert.ToHexStringLower(digest);
    }

    /// <summary>The handshake element for this stream, in UTF-8. It proves the secret: never log it.</summary>
    public static byte[] Proof(string streamId, ComponentSecret secret) =>
        Encoding.UTF8.GetBytes($"<handshake>{Digest(streamId, secret)}</handshake>");
}
