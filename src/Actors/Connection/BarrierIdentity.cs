using System.Buffers;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Bridge.Stanzas;

namespace Bridge.Connection;

/// <summary>
/// Writes and recognises the barriers of one life of the stream: an XMPP ping (XEP-0199) from
/// the component to itself, whose id is 128 random bits and a number. Nobody else knows the
/// bits, so no app or user can forge one. Immutable.
/// </summary>
public sealed class BarrierIdentity
{
    private const int KeyLength = 32;

    private readonly byte[] _domain;
    private readonly byte[] _before;
    private readonly byte[] _idPrefix;

    /// <param name="domain">The component's domain as the server writes it: canonical lower case.</param>
    public BarrierIdentity(string domain)
    {
        _domain = Encoding.UTF8.GetBytes(domain);
        _idPrefix = Encoding.UTF8.GetBytes(RandomNumberGenerator.GetHexString(KeyLength, lowercase: true) + "-");
        var address = System.Security.SecurityElement.Escape(domain);
        // No xmlns on the iq: Prosody bounces what carries one.
        _before = [.. Encoding.UTF8.GetBytes($"<iq type='get' from='{address}' to='{address}' id='"), .. _idPrefix];
    }

    private static ReadOnlySpan<byte> After => "'><ping xmlns='urn:xmpp:ping'/></iq>"u8;

    /// <summary>Appends the barrier of this number, 0 or above, and tells its length in bytes.</summary>
    public int Write(IBufferWriter<byte> output, long number)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(number);
        var span = output.GetSpan(_before.Length + 20 + After.Length);
        _before.CopyTo(span);
        Utf8Formatter.TryFormat(number, span[_before.Length..], out var digits);
        After.CopyTo(span[(_before.Length + digits)..]);
        var length = _before.Length + digits + After.Length;
        output.Advance(length);
        return length;
    }

    /// <summary>
    /// Whether the stanza is a barrier of this life of the stream: our own get, unanswered, come
    /// back to us. Whether its number is outstanding is for the caller to know. Allocates nothing.
    /// </summary>
    public bool TryRecognise(in InboundStanza stanza, out long number)
    {
        number = -1;
        if (stanza.Kind != StanzaKind.Iq || !stanza.Type.Is("get"u8))
            return false;
        var id = stanza.Id.Raw;
        return id.StartsWith(_idPrefix)
            && Utf8Parser.TryParse(id[_idPrefix.Length..], out number, out var used)
            && used == id.Length - _idPrefix.Length
            && number >= 0
            && stanza.From.Is(_domain)
            && stanza.To.Is(_domain)
            && stanza.FirstChildIs("ping"u8, "urn:xmpp:ping"u8);
    }
}
