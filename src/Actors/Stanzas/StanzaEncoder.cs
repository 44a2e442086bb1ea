using System.Buffers;
using System.IO.Hashing;
using System.Runtime.CompilerServices;
using System.Text;
using Bridge.Queue;
using Bridge.Settings;

namespace Bridge.Stanzas;

/// <summary>
/// Splices an accepted payload into the bytes of one stanza of a component's stream. The app's own
/// bytes are kept as they are; only these change: the root's default <c>xmlns</c> is left out
/// (Prosody bounces <c>jabber:client</c> on a component's stream), a missing <c>from</c> is filled
/// in, a missing or empty <c>id</c> too, then on a message with an origin-id (XEP-0359) as well, and a
/// message that is known to have waited carries a delay stamp (XEP-0203).
/// Immutable and safe for any number of threads; a raw stanza of a common shape allocates nothing.
/// </summary>
public sealed class StanzaEncoder : IStanzaEncoder
{
    private readonly StanzaFirewall _firewall;
    private readonly int _maxBytes;
    private readonly TimeSpan _delayStampAfter;
    private readonly byte[] _fromAttribute;
    private readonly byte[] _delayBeforeStamp;

    /// <summary>Prepares an encoder.</summary>
    /// <param name="settings">What may pass.</param>
    /// <param name="componentDomain">The component's domain, canonical lower case.</param>
    /// <exception cref="ArgumentException">The settings contradict themselves: a domain is not canonical, or the default <c>from</c> is not a JID of an allowed one.</exception>
    public StanzaEncoder(StanzaSettings settings, string componentDomain)
    {
        ArgumentNullException.ThrowIfNull(settings);
        _firewall = new StanzaFirewall(settings, componentDomain);
        _maxBytes = settings.MaxBytes;
        _delayStampAfter = settings.DelayStampAfter;
        var from = Encoding.UTF8.GetBytes(settings.DefaultFrom);
        if (!_firewall.CheckFrom(from, 0, out var fault))
            throw new ArgumentException($"the default 'from' cannot be used: {fault.Detail}", nameof(settings));
        _fromAttribute = [.. " from='"u8, .. Escaped(from), .. "'"u8];
        _delayBeforeStamp = [.. "<delay xmlns='urn:xmpp:delay' from='"u8, .. Escaped(Encoding.UTF8.GetBytes(componentDomain)), .. "' stamp='"u8];
    }

    /// <inheritdoc />
    public EncodeResult Encode(in QueueEntry entry, IBufferWriter<byte> output, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(output);
        var payload = StanzaFirewall.Trim(entry.Payload.Span, out var start);
        if (payload.IsEmpty)
            return Reject(RejectionReason.EmptyPayload, 0, "nothing but white space");
        return payload[0] switch
        {
            (byte)'<' => EncodeRaw(payload, start, entry.GeneratedId.Span, entry.PushedAt, output, now),
            0xEF when payload.StartsWith("\uFEFF"u8) => Reject(RejectionReason.ByteOrderMark, start, "a byte order mark"),
            _ => Reject(RejectionReason.UnknownPayloadKind, start, "neither '<' nor '{'"),
        };
    }

    [SkipLocalsInit]
    private EncodeResult EncodeRaw(
        ReadOnlySpan<byte> stanza,
        int offset,
        ReadOnlySpan<byte> generatedId,
        DateTimeOffset? pushedAt,
        IBufferWriter<byte> output,
        DateTimeOffset now)
    {
        if (!_firewall.TryInspect(stanza, out var shape, out var fault))
            return new EncodeResult(fault with { Offset = fault.Offset + offset }, 0);

        var isMessage = shape.Kind == StanzaKind.Message;
        var addId = !shape.Id.Exists;
        var addOriginId = addId && isMessage && !shape.HasOriginId;
        var addDelay = isMessage && !shape.HasDelay && IsLate(pushedAt, now);
        var addChildren = addOriginId || addDelay;
        Span<byte> stamp = stackalloc byte[XmppTime.Length];
        if (addDelay)
            XmppTime.Format(pushedAt.GetValueOrDefault(), stamp);

        var isEmptyTag = shape.EndTagStart < 0;
        var name = stanza[1..shape.NameEnd];
        var length = (long)stanza.Length - shape.DefaultNamespace.Length - shape.EmptyId.Length;
        if (!shape.HasFrom)
            length += _fromAttribute.Length;
        if (addId)
            length += IdBefore.Length + generatedId.Length + IdAfter.Length;
        if (addOriginId)
            length += OriginIdBefore.Length + generatedId.Length + OriginIdAfter.Length;
        if (addDelay)
            length += _delayBeforeStamp.Length + stamp.Length + DelayAfterStamp.Length;
        if (addChildren && isEmptyTag)
            length += "</>"u8.Length + name.Length - "/"u8.Length;
        if (length > _maxBytes)
            return Reject(RejectionReason.Oversize, -1, $"the stanza has {length} bytes, {_maxBytes} are allowed");

        var writer = new SpanWriter(output.GetSpan((int)length));
        writer.Write(stanza[..shape.NameEnd]);
        if (!shape.HasFrom)
            writer.Write(_fromAttribute);
        if (addId)
        {
            writer.Write(IdBefore);
            writer.Write(generatedId);
            writer.Write(IdAfter);
        }

        WriteAttributes(ref writer, stanza, shape);
        if (!addChildren)
        {
            writer.Write(stanza[shape.StartTagEnd..]);
        }
        else
        {
            if (isEmptyTag)
                writer.Write(">"u8);
            else
                writer.Write(stanza[shape.StartTagEnd..shape.EndTagStart]);
            if (addOriginId)
            {
                writer.Write(OriginIdBefore);
                writer.Write(generatedId);
                writer.Write(OriginIdAfter);
            }

            if (addDelay)
            {
                writer.Write(_delayBeforeStamp);
                writer.Write(stamp);
                writer.Write(DelayAfterStamp);
            }

            if (isEmptyTag)
            {
                writer.Write("</"u8);
                writer.Write(name);
                writer.Write(">"u8);
            }
            else
            {
                writer.Write(stanza[shape.EndTagStart..]);
            }
        }

        output.Advance(writer.Written);
        return new EncodeResult(default, addId ? 0 : IdHash(stanza[shape.Id.Start..shape.Id.End], shape.IdEscaped));
    }

    private static ReadOnlySpan<byte> IdBefore => " id='"u8;

    private static ReadOnlySpan<byte> IdAfter => "'"u8;

    private static ReadOnlySpan<byte> OriginIdBefore => "<origin-id xmlns='urn:xmpp:sid:0' id='"u8;

    private static ReadOnlySpan<byte> OriginIdAfter => "'/>"u8;

    private static ReadOnlySpan<byte> DelayAfterStamp => "'/>"u8;

    /// <summary>Copies the start tag's attributes without what is to be cut.</summary>
    private static void WriteAttributes(ref SpanWriter writer, ReadOnlySpan<byte> stanza, in StanzaShape shape)
    {
        var first = shape.DefaultNamespace;
        var second = shape.EmptyId;
        if (!first.Exists || (second.Exists && second.Start < first.Start))
            (first, second) = (second, first);
        var at = shape.NameEnd;
        if (first.Exists)
        {
            writer.Write(stanza[at..first.Start]);
            at = first.End;
        }

        if (second.Exists)
        {
            writer.Write(stanza[at..second.Start]);
            at = second.End;
        }

        writer.Write(stanza[at..shape.StartTagEnd]);
    }

    private bool IsLate(DateTimeOffset? pushedAt, DateTimeOffset now) =>
        pushedAt is { } pushed && now - pushed > _delayStampAfter;

    [SkipLocalsInit]
    private static ulong IdHash(ReadOnlySpan<byte> id, bool escaped)
    {
        if (!escaped)
            return XxHash3.HashToUInt64(id);
        Span<byte> plain = stackalloc byte[StanzaFirewall.MaxIdBytes];
        return XxHash3.HashToUInt64(plain[..XmlText.UnescapeAttribute(id, plain)]);
    }

    private static byte[] Escaped(ReadOnlySpan<byte> text)
    {
        var escaped = new byte[XmlText.EscapedAttributeLength(text)];
        XmlText.EscapeAttribute(text, escaped);
        return escaped;
    }

    private static EncodeResult Reject(RejectionReason reason, int offset, string detail) =>
        new(new Rejection(reason, offset, detail), 0);

    /// <summary>Fills a span from its front.</summary>
    private ref struct SpanWriter(Span<byte> target)
    {
        private readonly Span<byte> _target = target;

        /// <summary>Bytes written so far.</summary>
        public int Written { get; private set; }

        /// <summary>Appends.</summary>
        public void Write(scoped ReadOnlySpan<byte> bytes)
        {
            bytes.CopyTo(_target[Written..]);
            Written += bytes.Length;
        }
    }
}
