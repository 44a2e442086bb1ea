using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Text;
using System.Xml;
using Bridge.Settings;

namespace Bridge.Stanzas;

/// <summary>A run of bytes; empty and at -1 when there is none.</summary>
internal readonly record struct ByteRange(int Start, int End)
{
    /// <summary>No run at all.</summary>
    public static readonly ByteRange None = new(-1, -1);

    /// <summary>Whether there is one.</summary>
    public bool Exists => Start >= 0;

    /// <summary>Its bytes.</summary>
    public int Length => End - Start;
}

/// <summary>Where the parts of an accepted stanza stand that the encoder touches.</summary>
internal struct StanzaShape
{
    /// <summary>Which stanza.</summary>
    public StanzaKind Kind;

    /// <summary>Behind the root's name: attributes are inserted here.</summary>
    public int NameEnd;

    /// <summary>The root's default <c>xmlns</c> with the white space before it, to be cut.</summary>
    public ByteRange DefaultNamespace;

    /// <summary>An empty <c>id</c> with the white space before it, to be cut.</summary>
    public ByteRange EmptyId;

    /// <summary>The value of the <c>id</c>; none when absent or empty.</summary>
    public ByteRange Id;

    /// <summary>Whether the id's value holds references or white space to normalise.</summary>
    public bool IdEscaped;

    /// <summary>The value of the <c>to</c>.</summary>
    public ByteRange To;

    /// <summary>As <see cref="IdEscaped" />, for the <c>to</c>.</summary>
    public bool ToEscaped;

    /// <summary>Whether there is a <c>from</c>.</summary>
    public bool HasFrom;

    /// <summary>The byte that ends the start tag: <c>&gt;</c>, or <c>/</c> of an empty-element tag.</summary>
    public int StartTagEnd;

    /// <summary>The end tag, before which children are inserted; -1 for an empty-element tag.</summary>
    public int EndTagStart;

    /// <summary>Whether a delay stamp is there already.</summary>
    public bool HasDelay;

    /// <summary>Whether an origin-id is there already.</summary>
    public bool HasOriginId;

    /// <summary>Whether a receipt is asked for already.</summary>
    public bool HasReceiptRequest;

    /// <summary>Whether a message has a body.</summary>
    public bool HasBody;

    /// <summary>The value of the <c>type</c>; none when absent.</summary>
    public ByteRange Type;
}

/// <summary>
/// Decides which XML may be written into a component's stream: exactly one stanza, well-formed to
/// every parser, addressed, and sent from a domain that Bridge may speak for. One bad stanza makes
/// a server end the stream and drop everything pipelined behind it, so what is doubtful is refused.
/// <para>
/// A byte scanner decides common shapes alone and without allocating. What is rare (prefixes,
/// CDATA) must besides pass <see cref="XmlReader" />; both must agree. Immutable and safe for any
/// number of threads.
/// </para>
/// </summary>
public sealed class StanzaFirewall
{
    /// <summary>Bytes that a stanza id may have, as written.</summary>
    internal const int MaxIdBytes = 1023;

    // Scratch memory comes from the stack up to these limits, which are far above the defaults.
    private const int StackDepth = 128;
    private const int StackAttributes = 128;

    private readonly int _maxDepth;
    private readonly int _maxAttributes;
    private readonly ImmutableArray<byte[]> _fromDomains;

    /// <summary>Prepares the rules.</summary>
    /// <param name="settings">Limits and further domains for <c>from</c>.</param>
    /// <param name="componentDomain">The component's domain, canonical lower case.</param>
    /// <exception cref="ArgumentException">A domain is not canonical, or a limit is below 1.</exception>
    public StanzaFirewall(StanzaSettings settings, string componentDomain)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentOutOfRangeException.ThrowIfLessThan(settings.MaxDepth, 1, nameof(settings));
        ArgumentOutOfRangeException.ThrowIfLessThan(settings.MaxAttributes, 1, nameof(settings));
        _maxDepth = settings.MaxDepth;
        _maxAttributes = settings.MaxAttributes;
        var domains = ImmutableArray.CreateBuilder<byte[]>();
        foreach (var domain in settings.FromDomains.Prepend(componentDomain))
        {
            if (!Jid.IsCanonicalDomain(domain))
                throw new ArgumentException($"'{domain}' is not a domain in canonical lower case", nameof(settings));
            domains.Add(Encoding.UTF8.GetBytes(domain));
        }

        _fromDomains = domains.ToImmutable();
    }

    /// <summary>Checks a raw stanza, which white space may surround.</summary>
    /// <returns>The first fault; its offset counts from the payload's first byte. Reason None: it may pass.</returns>
    public Rejection Check(ReadOnlySpan<byte> payload)
    {
        var trimmed = Trim(payload, out var start);
        if (trimmed.IsEmpty)
            return new Rejection(RejectionReason.EmptyPayload, 0, "nothing but white space");
        return TryInspect(trimmed, out _, out var rejection) ? default : rejection with { Offset = rejection.Offset + start };
    }

    /// <summary>
    /// Removes surrounding white space: harmless between stanzas (RFC 6120 §11.7), and many
    /// producers end a payload with a line feed.
    /// </summary>
    internal static ReadOnlySpan<byte> Trim(ReadOnlySpan<byte> payload, out int start)
    {
        start = 0;
        while (start < payload.Length && XmlText.IsWhiteSpace(payload[start]))
            start++;
        var end = payload.Length;
        while (end > start && XmlText.IsWhiteSpace(payload[end - 1]))
            end--;
        return payload[start..end];
    }

    /// <summary>Checks a stanza without surrounding white space, and tells where its parts stand.</summary>
    [SkipLocalsInit]
    internal bool TryInspect(ReadOnlySpan<byte> stanza, out StanzaShape shape, out Rejection rejection)
    {
        shape = default;
        if (!CheckEncoding(stanza, out rejection))
            return false;
        var attributes = _maxAttributes <= StackAttributes
            ? stackalloc ScannedAttribute[2 * StackAttributes]
            : new ScannedAttribute[2 * _maxAttributes];
        var open = _maxDepth <= StackDepth ? stackalloc OpenElement[StackDepth] : new OpenElement[_maxDepth];
        Span<PrefixBinding> prefixes = stackalloc PrefixBinding[ElementScanner.MaxPrefixes];
        var scanner = new ElementScanner(stanza, _maxDepth, _maxAttributes, attributes, open, prefixes);
        if (!scanner.Scan())
        {
            rejection = scanner.Fault;
            return false;
        }

        return CheckRoot(stanza, scanner, attributes[..scanner.RootAttributeCount], ref shape, out rejection)
            && (!scanner.Uncommon || Confirm(stanza, out rejection));
    }

    /// <summary>
    /// Checks a payload element, to be placed inside a stanza: one element without surrounding
    /// white space, in a namespace of its own.
    /// </summary>
    [SkipLocalsInit]
    internal bool TryInspectPayload(ReadOnlySpan<byte> element, out AddedElement what, out Rejection rejection)
    {
        what = AddedElement.None;
        if (!CheckEncoding(element, out rejection))
            return false;

        // It will stand one level below the stanza.
        var depth = Math.Max(_maxDepth - 1, 1);
        var attributes = _maxAttributes <= StackAttributes
            ? stackalloc ScannedAttribute[2 * StackAttributes]
            : new ScannedAttribute[2 * _maxAttributes];
        var open = depth <= StackDepth ? stackalloc OpenElement[StackDepth] : new OpenElement[depth];
        Span<PrefixBinding> prefixes = stackalloc PrefixBinding[ElementScanner.MaxPrefixes];
        var scanner = new ElementScanner(element, depth, _maxAttributes, attributes, open, prefixes);
        if (!scanner.Scan())
        {
            rejection = scanner.Fault;
            return false;
        }

        if (!scanner.RootHasNamespace)
        {
            rejection = new Rejection(RejectionReason.MissingNamespace, 0, "the element declares no namespace");
            return false;
        }

        what = scanner.RootIs;
        return !scanner.Uncommon || Confirm(element, out rejection);
    }

    /// <summary>Whether Bridge may speak for the domain; both sides canonical.</summary>
    internal bool MaySpeakFor(ReadOnlySpan<byte> domain)
    {
        foreach (var allowed in _fromDomains)
        {
            if (domain.SequenceEqual(allowed))
                return true;
        }

        return false;
    }

    /// <summary>Checks an unescaped <c>to</c>.</summary>
    internal static bool CheckTo(ReadOnlySpan<byte> address, int offset, out Rejection rejection)
    {
        rejection = default;
        if (Jid.TryParse(address, out _, out var mistake))
            return true;
        rejection = new Rejection(RejectionReason.InvalidTo, offset, mistake.Text);
        return false;
    }

    /// <summary>Checks an unescaped <c>from</c>.</summary>
    internal bool CheckFrom(ReadOnlySpan<byte> address, int offset, out Rejection rejection)
    {
        rejection = default;
        if (!Jid.TryParse(address, out var jid, out var mistake))
            rejection = new Rejection(RejectionReason.InvalidFrom, offset, mistake.Text);
        else if (!MaySpeakFor(jid.Domain))
            rejection = new Rejection(RejectionReason.ForeignFrom, offset, "not a domain that this bridge may speak for, in lower case");
        return rejection.Reason == RejectionReason.None;
    }

    private static bool CheckEncoding(ReadOnlySpan<byte> xml, out Rejection rejection)
    {
        rejection = default;
        var reason = XmlText.FindForbidden(xml, out var offset);
        if (reason == RejectionReason.None)
            return true;
        rejection = new Rejection(reason, offset, reason == RejectionReason.NotUtf8 ? "not UTF-8" : "U+FFFE or U+FFFF");
        return false;
    }

    private bool CheckRoot(
        ReadOnlySpan<byte> stanza,
        in ElementScanner scanner,
        ReadOnlySpan<ScannedAttribute> attributes,
        ref StanzaShape shape,
        out Rejection rejection)
    {
        if (!CheckName(stanza, scanner, out shape.Kind, out rejection))
            return false;
        shape.NameEnd = scanner.RootNameEnd;
        shape.StartTagEnd = scanner.StartTagEnd;
        shape.EndTagStart = scanner.EndTagStart;
        shape.HasDelay = scanner.HasDelay;
        shape.HasOriginId = scanner.HasOriginId;
        shape.HasReceiptRequest = scanner.HasReceiptRequest;
        shape.HasBody = scanner.HasBody;
        shape.DefaultNamespace = ByteRange.None;
        shape.EmptyId = ByteRange.None;
        shape.Id = ByteRange.None;
        shape.To = ByteRange.None;
        shape.Type = ByteRange.None;
        foreach (ref readonly var attribute in attributes)
        {
            var value = stanza[attribute.ValueStart..attribute.ValueEnd];
            switch (stanza[attribute.NameStart..attribute.NameEnd])
            {
                case var name when name.SequenceEqual("to"u8):
                    shape.To = new ByteRange(attribute.ValueStart, attribute.ValueEnd);
                    shape.ToEscaped = attribute.Escaped;
                    if (!CheckAddress(value, attribute, isFrom: false, out rejection))
                        return false;
                    break;
                case var name when name.SequenceEqual("from"u8):
                    shape.HasFrom = true;
                    if (!CheckAddress(value, attribute, isFrom: true, out rejection))
                        return false;
                    break;
                case var name when name.SequenceEqual("id"u8):
                    if (value.Length > MaxIdBytes)
                        return Refuse(RejectionReason.InvalidId, attribute.ValueStart, "the id is longer than 1,023 bytes", out rejection);
                    if (value.IsEmpty)
                        shape.EmptyId = new ByteRange(attribute.Start, attribute.End);
                    else
                        shape.Id = new ByteRange(attribute.ValueStart, attribute.ValueEnd);
                    shape.IdEscaped = attribute.Escaped;
                    break;
                case var name when name.SequenceEqual("type"u8):
                    shape.Type = new ByteRange(attribute.ValueStart, attribute.ValueEnd);
                    break;
                case var name when name.SequenceEqual("xmlns"u8):
                    if (!value.IsEmpty && !value.SequenceEqual("jabber:client"u8) && !value.SequenceEqual("jabber:component:accept"u8))
                        return Refuse(RejectionReason.ForeignNamespace, attribute.ValueStart, "a stanza is in jabber:client, jabber:component:accept or none", out rejection);
                    shape.DefaultNamespace = new ByteRange(attribute.Start, attribute.End);
                    break;
                default:
                    break;
            }
        }

        if (!shape.To.Exists)
            return Refuse(RejectionReason.MissingTo, 0, "the stanza has no 'to'", out rejection);
        return shape.Kind != StanzaKind.Iq || CheckIq(stanza, shape.Type, scanner.ChildElements, out rejection);
    }

    private static bool CheckName(ReadOnlySpan<byte> stanza, in ElementScanner scanner, out StanzaKind kind, out Rejection rejection)
    {
        rejection = default;
        var prefixed = scanner.RootColon >= 0;
        var local = stanza[(prefixed ? scanner.RootColon + 1 : 1)..scanner.RootNameEnd];
        kind = StanzaKind.Message;
        if (local.SequenceEqual("presence"u8))
            kind = StanzaKind.Presence;
        else if (local.SequenceEqual("iq"u8))
            kind = StanzaKind.Iq;
        else if (!local.SequenceEqual("message"u8))
            return Refuse(RejectionReason.NotAStanza, 1, "neither message nor presence nor iq", out rejection);
        return !prefixed || Refuse(RejectionReason.PrefixedStanza, 1, "the stanza's name has a prefix", out rejection);
    }

    // RFC 6120 §8.2.3. A server would bounce these; the dead letter says more than a bounce can.
    private static bool CheckIq(ReadOnlySpan<byte> stanza, ByteRange type, int children, out Rejection rejection)
    {
        rejection = default;
        if (!type.Exists)
            return Refuse(RejectionReason.InvalidIqType, 0, "the iq has no type", out rejection);
        var value = stanza[type.Start..type.End];
        if (value.SequenceEqual("result"u8) || value.SequenceEqual("error"u8))
            return true;
        if (!value.SequenceEqual("get"u8) && !value.SequenceEqual("set"u8))
            return Refuse(RejectionReason.InvalidIqType, type.Start, "an iq's type is get, set, result or error", out rejection);
        return children == 1
            || Refuse(RejectionReason.InvalidIqPayload, 0, "an iq of type get or set has exactly one child element", out rejection);
    }

    private bool CheckAddress(ReadOnlySpan<byte> value, in ScannedAttribute attribute, bool isFrom, out Rejection rejection)
    {
        if (!attribute.Escaped)
            return isFrom ? CheckFrom(value, attribute.ValueStart, out rejection) : CheckTo(value, attribute.ValueStart, out rejection);
        return CheckEscapedAddress(value, attribute.ValueStart, isFrom, out rejection);
    }

    [SkipLocalsInit]
    private bool CheckEscapedAddress(ReadOnlySpan<byte> value, int offset, bool isFrom, out Rejection rejection)
    {
        if (value.Length > 2 * Jid.MaxBytes)
            return Refuse(isFrom ? RejectionReason.InvalidFrom : RejectionReason.InvalidTo, offset, "the address is too long", out rejection);
        Span<byte> plain = stackalloc byte[2 * Jid.MaxBytes];
        plain = plain[..XmlText.UnescapeAttribute(value, plain)];
        return isFrom ? CheckFrom(plain, offset, out rejection) : CheckTo(plain, offset, out rejection);
    }

    /// <summary>Has a full parser read what the scanner met rarely, as a second opinion.</summary>
    private static bool Confirm(ReadOnlySpan<byte> element, out Rejection rejection)
    {
        rejection = default;
        var text = Encoding.UTF8.GetString(element);
        var settings = new XmlReaderSettings
        {
            DtdProcessing = DtdProcessing.Prohibit,
            ConformanceLevel = ConformanceLevel.Fragment,
            CheckCharacters = true,
            XmlResolver = null,
        };
        using var reader = XmlReader.Create(new StringReader(text), settings);
        try
        {
            var elements = 0;
            while (reader.Read())
            {
                if (reader.Depth == 0 && reader.NodeType == XmlNodeType.Element)
                    elements++;
                else if (reader.Depth == 0 && reader.NodeType != XmlNodeType.EndElement)
                    elements = int.MaxValue;
                if (elements != 1)
                    return Refuse(RejectionReason.NotWellFormed, 0, "a second parser finds more than one element", out rejection);
            }

            return true;
        }
        catch (XmlException fault)
        {
            // Not hidden: it is the answer, and becomes the rejection.
            return Refuse(RejectionReason.NotWellFormed, ByteOffset(text, fault.LineNumber, fault.LinePosition), "a second parser refuses it", out rejection);
        }
    }

    private static int ByteOffset(string text, int line, int position)
    {
        var start = 0;
        for (; line > 1; line--)
        {
            var end = text.AsSpan(start).IndexOfAny('\r', '\n');
            if (end < 0)
                break;
            start += end + (text.AsSpan(start + end).StartsWith("\r\n", StringComparison.Ordinal) ? 2 : 1);
        }

        return Encoding.UTF8.GetByteCount(text.AsSpan(0, Math.Clamp(start + position - 1, 0, text.Length)));
    }

    private static bool Refuse(RejectionReason reason, int offset, string detail, out Rejection rejection)
    {
        rejection = new Rejection(reason, offset, detail);
        return false;
    }
}
