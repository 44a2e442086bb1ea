using System.Buffers;
using System.Text;

namespace Bridge.Stanzas;

/// <summary>What Bridge adds to a message that has none of it.</summary>
internal enum AddedElement : byte
{
    /// <summary>Anything else.</summary>
    None,

    /// <summary>A delay stamp (XEP-0203).</summary>
    Delay,

    /// <summary>An origin-id (XEP-0359).</summary>
    OriginId,

    /// <summary>A request for a receipt (XEP-0184).</summary>
    ReceiptRequest,
}

/// <summary>One attribute of a start tag, as ranges of the scanned bytes.</summary>
internal struct ScannedAttribute
{
    /// <summary>Where the white space before the name begins: cutting from here to <see cref="End" /> removes the attribute.</summary>
    public int Start;

    /// <summary>First byte of the name.</summary>
    public int NameStart;

    /// <summary>Behind the name.</summary>
    public int NameEnd;

    /// <summary>The colon inside the name; -1 without a prefix.</summary>
    public int Colon;

    /// <summary>First byte of the value, behind the quote.</summary>
    public int ValueStart;

    /// <summary>Behind the value: its closing quote.</summary>
    public int ValueEnd;

    /// <summary>Whether the value as the parser reports it differs from its bytes: references, or white space to be normalised.</summary>
    public bool Escaped;

    /// <summary>Behind the closing quote.</summary>
    public readonly int End => ValueEnd + 1;
}

/// <summary>An element whose end tag is awaited.</summary>
internal struct OpenElement
{
    /// <summary>First byte of the name.</summary>
    public int NameStart;

    /// <summary>Behind the name.</summary>
    public int NameEnd;

    /// <summary>How many prefixes were in scope outside of it.</summary>
    public int OuterPrefixes;
}

/// <summary>A prefix in scope.</summary>
internal struct PrefixBinding
{
    /// <summary>First byte of the prefix.</summary>
    public int PrefixStart;

    /// <summary>Behind the prefix.</summary>
    public int PrefixEnd;

    /// <summary>First byte of the namespace name.</summary>
    public int NameStart;

    /// <summary>Behind the namespace name.</summary>
    public int NameEnd;
}

/// <summary>
/// Checks that a run of bytes is exactly one element of XML 1.0 and Namespaces in XML 1.0, in the
/// subset that XMPP allows (RFC 6120 §11.1), and remembers where its parts stand. It refuses a
/// little more than the specifications do, never less; what is rare it marks
/// (<see cref="Uncommon" />), so that a full parser can confirm it.
/// <para>
/// The bytes must be valid UTF-8 without U+FFFE and U+FFFF: those are found faster in one sweep
/// over the whole payload (<see cref="XmlText.FindForbidden" />) than here.
/// </para>
/// </summary>
internal ref struct ElementScanner
{
    /// <summary>Prefixes in scope at once; each prefixed name is looked up among them.</summary>
    public const int MaxPrefixes = 64;

    private const int MaxNamespaceBytes = 1023;

    private static readonly SearchValues<byte> TextStops = SearchValues.Create(
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, (byte)'<', (byte)'&', (byte)'>']);

    private static readonly SearchValues<byte> SingleQuotedStops = SearchValues.Create(
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, (byte)'<', (byte)'&', (byte)'\'']);

    private static readonly SearchValues<byte> DoubleQuotedStops = SearchValues.Create(
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, (byte)'<', (byte)'&', (byte)'"']);

    private readonly ReadOnlySpan<byte> _xml;
    private readonly int _maxDepth;
    private readonly int _maxAttributes;
    private readonly Span<ScannedAttribute> _attributes;
    private readonly Span<OpenElement> _open;
    private readonly Span<PrefixBinding> _prefixes;
    private int _at;
    private int _depth;
    private int _prefixCount;

    /// <summary>Prepares a scan with scratch memory of the caller, which need not be cleared.</summary>
    /// <param name="xml">The bytes; the element must begin at the first and end at the last.</param>
    /// <param name="maxDepth">Element levels, the root being the first.</param>
    /// <param name="maxAttributes">Attributes of one element.</param>
    /// <param name="attributes">Room for twice <paramref name="maxAttributes" />.</param>
    /// <param name="open">Room for <paramref name="maxDepth" />.</param>
    /// <param name="prefixes">Room for <see cref="MaxPrefixes" />.</param>
    public ElementScanner(
        ReadOnlySpan<byte> xml,
        int maxDepth,
        int maxAttributes,
        Span<ScannedAttribute> attributes,
        Span<OpenElement> open,
        Span<PrefixBinding> prefixes)
    {
        _xml = xml;
        _maxDepth = maxDepth;
        _maxAttributes = maxAttributes;
        _attributes = attributes;
        _open = open;
        _prefixes = prefixes;
        RootColon = -1;
        StartTagEnd = -1;
        EndTagStart = -1;
    }

    /// <summary>The first fault, when <see cref="Scan" /> returned false.</summary>
    public Rejection Fault { get; private set; }

    /// <summary>Whether something rare was met: prefixes, CDATA, <c>xml:</c> attributes other than <c>xml:lang</c>.</summary>
    public bool Uncommon { get; private set; }

    /// <summary>Behind the root's name, which begins at byte 1.</summary>
    public int RootNameEnd { get; private set; }

    /// <summary>The colon inside the root's name; -1 without a prefix.</summary>
    public int RootColon { get; private set; }

    /// <summary>The root's attributes: the first of the scratch memory.</summary>
    public int RootAttributeCount { get; private set; }

    /// <summary>The byte that ends the root's start tag: <c>&gt;</c>, or the <c>/</c> before it when the root is empty.</summary>
    public int StartTagEnd { get; private set; }

    /// <summary>The <c>&lt;</c> of the root's end tag; -1 when the root is an empty-element tag.</summary>
    public int EndTagStart { get; private set; }

    /// <summary>The root's child elements.</summary>
    public int ChildElements { get; private set; }

    /// <summary>Whether one of them is <c>{urn:xmpp:delay}delay</c> (XEP-0203).</summary>
    public bool HasDelay { get; private set; }

    /// <summary>Whether one of them is <c>{urn:xmpp:sid:0}origin-id</c> (XEP-0359).</summary>
    public bool HasOriginId { get; private set; }

    /// <summary>Whether one of them is <c>{urn:xmpp:receipts}request</c> (XEP-0184).</summary>
    public bool HasReceiptRequest { get; private set; }

    /// <summary>Whether one of them is a <c>body</c> of the stanza's own namespace.</summary>
    public bool HasBody { get; private set; }

    /// <summary>Whether the root's own name is in a namespace that it or its prefix declares; only then is it not empty.</summary>
    public bool RootHasNamespace { get; private set; }

    /// <summary>What the root itself is, among the elements that Bridge adds where they are missing.</summary>
    public AddedElement RootIs { get; private set; }

    /// <summary>Scans. False: the bytes are not exactly one acceptable element, and <see cref="Fault" /> says why.</summary>
    public bool Scan()
    {
        if (_xml.IsEmpty || _xml[0] != (byte)'<')
            return Fail(RejectionReason.LeadingContent, 0, "text before the element");
        if (!ScanMarkup())
            return false;
        while (_depth > 0)
        {
            if (!ScanText())
                return false;
        }

        return _at == _xml.Length || Fail(RejectionReason.TrailingContent, _at, "something stands behind the element's end");
    }

    /// <summary>Advances over character data to the next markup, and over that.</summary>
    private bool ScanText()
    {
        var run = _at;
        while (true)
        {
            var stop = _xml[_at..].IndexOfAny(TextStops);
            if (stop < 0)
                return Fail(RejectionReason.NotWellFormed, _xml.Length, "the element is not closed");
            _at += stop;
            switch (_xml[_at])
            {
                case (byte)'<':
                    return ScanMarkup();
                case (byte)'&':
                    if (!ScanReference())
                        return false;
                    run = _at;
                    break;
                case (byte)'>':
                    // XML 1.0 §2.4: "]]>" must not stand in text.
                    if (_at - run >= 2 && _xml[_at - 1] == (byte)']' && _xml[_at - 2] == (byte)']')
                        return Fail(RejectionReason.NotWellFormed, _at - 2, "']]>' in text");
                    _at++;
                    break;
                default:
                    return FailControl(_at);
            }
        }
    }

    private bool ScanMarkup()
    {
        if (_at + 1 >= _xml.Length)
            return Fail(RejectionReason.NotWellFormed, _xml.Length, "markup is cut off");
        return _xml[_at + 1] switch
        {
            (byte)'/' => ScanEndTag(),
            (byte)'?' => Fail(RejectionReason.ProcessingInstruction, _at, "XMPP allows no processing instruction and no XML declaration"),
            (byte)'!' => ScanDeclaration(),
            _ => ScanStartTag(),
        };
    }

    private bool ScanDeclaration()
    {
        var rest = _xml[_at..];
        if (rest.StartsWith("<!--"u8))
            return Fail(RejectionReason.Comment, _at, "XMPP allows no comment");
        if (rest.StartsWith("<!DOCTYPE"u8))
            return Fail(RejectionReason.Doctype, _at, "XMPP allows no document type declaration");
        if (_depth == 0 || !rest.StartsWith("<![CDATA["u8))
            return Fail(RejectionReason.NotWellFormed, _at, "unknown markup declaration");

        // To both expat and XmlReader a section is plain character data up to the first "]]>".
        const int Open = 9;
        var length = rest[Open..].IndexOf("]]>"u8);
        if (length < 0)
            return Fail(RejectionReason.NotWellFormed, _xml.Length, "a CDATA section is not closed");
        var control = rest.Slice(Open, length).IndexOfAny(XmlText.ForbiddenControls);
        if (control >= 0)
            return FailControl(_at + Open + control);
        Uncommon = true;
        _at += Open + length + 3;
        return true;
    }

    private bool ScanStartTag()
    {
        var tag = _at++;
        if (!ScanName(out var nameStart, out var nameEnd, out var colon))
            return false;
        if (_depth == _maxDepth)
            return Fail(RejectionReason.TooDeep, tag, "elements are nested deeper than the limit");

        // The root's attributes stay at the front of the scratch memory; every other element's
        // use the room behind them.
        var attributes = _attributes[RootAttributeCount..];
        var count = 0;
        var namespaces = colon >= 0;
        bool empty;
        while (true)
        {
            var space = _at;
            SkipWhiteSpace();
            if (_at == _xml.Length)
                return Fail(RejectionReason.NotWellFormed, _at, "a tag is cut off");
            if (_xml[_at] == (byte)'>')
            {
                empty = false;
                break;
            }

            if (_xml[_at] == (byte)'/')
            {
                if (_at + 1 == _xml.Length || _xml[_at + 1] != (byte)'>')
                    return Fail(RejectionReason.NotWellFormed, _at, "'/' without '>'");
                empty = true;
                break;
            }

            if (_at == space)
                return Fail(IsControl(_xml[_at]) ? RejectionReason.ForbiddenCharacter : RejectionReason.NotWellFormed, _at, "white space is missing in a tag");
            if (count == _maxAttributes)
                return Fail(RejectionReason.TooManyAttributes, _at, "an element has more attributes than the limit");
            ref var attribute = ref attributes[count];
            attribute.Start = space;
            if (!ScanAttribute(ref attribute))
                return false;
            for (var i = 0; i < count; i++)
            {
                if (NameOf(attributes[i]).SequenceEqual(NameOf(attribute)))
                    return Fail(RejectionReason.DuplicateAttribute, attribute.NameStart, "an attribute stands twice");
            }

            namespaces |= attribute.Colon >= 0 || NameOf(attribute).SequenceEqual("xmlns"u8);
            count++;
        }

        var tagEnd = _at;
        _at += empty ? 2 : 1;
        var outerPrefixes = _prefixCount;
        var own = ReadOnlySpan<byte>.Empty;
        if (namespaces && !ResolveNamespaces(attributes[..count], nameStart, colon, out own))
            return false;

        var local = _xml[(colon < 0 ? nameStart : colon + 1)..nameEnd];
        var added = own.IsEmpty ? AddedElement.None
            : local.SequenceEqual("delay"u8) && own.SequenceEqual("urn:xmpp:delay"u8) ? AddedElement.Delay
            : local.SequenceEqual("origin-id"u8) && own.SequenceEqual("urn:xmpp:sid:0"u8) ? AddedElement.OriginId
            : local.SequenceEqual("request"u8) && own.SequenceEqual("urn:xmpp:receipts"u8) ? AddedElement.ReceiptRequest
            : AddedElement.None;
        if (_depth == 0)
        {
            RootNameEnd = nameEnd;
            RootColon = colon;
            RootAttributeCount = count;
            StartTagEnd = tagEnd;
            RootHasNamespace = !own.IsEmpty;
            RootIs = added;
        }
        else if (_depth == 1)
        {
            ChildElements++;
            HasDelay |= added == AddedElement.Delay;
            HasOriginId |= added == AddedElement.OriginId;
            HasReceiptRequest |= added == AddedElement.ReceiptRequest;
            HasBody |= colon < 0 && own.IsEmpty && local.SequenceEqual("body"u8);
        }

        if (empty)
        {
            _prefixCount = outerPrefixes;
        }
        else
        {
            _open[_depth].NameStart = nameStart;
            _open[_depth].NameEnd = nameEnd;
            _open[_depth].OuterPrefixes = outerPrefixes;
            _depth++;
        }

        return true;
    }

    private bool ScanEndTag()
    {
        var tag = _at;
        _at += 2;
        if (_depth == 0)
            return Fail(RejectionReason.NotWellFormed, tag, "an end tag without its start");
        ref var open = ref _open[_depth - 1];
        var name = _xml[open.NameStart..open.NameEnd];
        if (!_xml[_at..].StartsWith(name))
            return Fail(RejectionReason.NotWellFormed, tag, "an end tag does not match its start");
        _at += name.Length;
        SkipWhiteSpace();
        if (_at == _xml.Length || _xml[_at] != (byte)'>')
            return Fail(RejectionReason.NotWellFormed, _at == _xml.Length ? _at : tag, "an end tag does not match its start");
        _at++;
        _prefixCount = open.OuterPrefixes;
        if (--_depth == 0)
            EndTagStart = tag;
        return true;
    }

    private bool ScanAttribute(ref ScannedAttribute attribute)
    {
        if (!ScanName(out attribute.NameStart, out attribute.NameEnd, out attribute.Colon))
            return false;
        SkipWhiteSpace();
        if (_at == _xml.Length || _xml[_at] != (byte)'=')
            return Fail(RejectionReason.NotWellFormed, _at, "an attribute has no value");
        _at++;
        SkipWhiteSpace();
        if (_at == _xml.Length || _xml[_at] is not ((byte)'"' or (byte)'\''))
            return Fail(RejectionReason.NotWellFormed, _at, "an attribute's value is not in quotes");
        var quote = _xml[_at++];
        var stops = quote == (byte)'"' ? DoubleQuotedStops : SingleQuotedStops;
        attribute.ValueStart = _at;
        attribute.Escaped = false;
        while (true)
        {
            var stop = _xml[_at..].IndexOfAny(stops);
            if (stop < 0)
                return Fail(RejectionReason.NotWellFormed, _xml.Length, "an attribute's value is not closed");
            _at += stop;
            switch (_xml[_at])
            {
                case (byte)'"' or (byte)'\'':
                    attribute.ValueEnd = _at++;
                    return true;
                case (byte)'&':
                    attribute.Escaped = true;
                    if (!ScanReference())
                        return false;
                    break;
                case (byte)'<':
                    return Fail(RejectionReason.NotWellFormed, _at, "'<' in an attribute's value");
                case (byte)'\t' or (byte)'\n' or (byte)'\r':
                    // Legal; the parser reports a space instead (XML 1.0 §3.3.3).
                    attribute.Escaped = true;
                    _at++;
                    break;
                default:
                    return FailControl(_at);
            }
        }
    }

    /// <summary>Steps over a reference; only the five predefined entities and permitted characters pass.</summary>
    private bool ScanReference()
    {
        if (XmlText.TryReadReference(_xml[_at..], out _, out var length))
        {
            _at += length;
            return true;
        }

        var rest = _xml[(_at + 1)..];
        if (rest.StartsWith("#"u8))
        {
            var digits = rest[1..].StartsWith("x"u8) ? 2 : 1;
            var allowed = digits == 2 ? "0123456789abcdefABCDEF"u8 : "0123456789"u8;
            var count = rest[digits..].IndexOfAnyExcept(allowed);
            return count > 0 && rest[digits + count] == (byte)';'
                ? Fail(RejectionReason.ForbiddenCharacter, _at, "a reference to a character that XML excludes")
                : Fail(RejectionReason.NotWellFormed, _at, "a malformed character reference");
        }

        var name = 0;
        while (name < rest.Length && (IsNameStart(rest[name]) || (name > 0 && IsNameByte(rest[name]))))
            name++;
        return name > 0 && name < rest.Length && rest[name] == (byte)';'
            ? Fail(RejectionReason.UndeclaredEntity, _at, "an entity other than lt, gt, amp, apos, quot")
            : Fail(RejectionReason.NotWellFormed, _at, "a bare '&'");
    }

    /// <summary>A qualified name of ASCII characters: one colon at most, with a name on both sides.</summary>
    private bool ScanName(out int start, out int end, out int colon)
    {
        start = _at;
        end = _at;
        colon = -1;
        if (!ScanNamePart())
            return false;
        if (_at < _xml.Length && _xml[_at] == (byte)':')
        {
            colon = _at++;
            if (!ScanNamePart())
                return false;
            if (_at < _xml.Length && _xml[_at] == (byte)':')
                return Fail(RejectionReason.NotWellFormed, _at, "a name has two colons");
        }

        end = _at;
        return true;
    }

    private bool ScanNamePart()
    {
        if (_at == _xml.Length)
            return Fail(RejectionReason.NotWellFormed, _at, "a name is cut off");
        if (!IsNameStart(_xml[_at]))
            return FailName();
        _at++;
        while (_at < _xml.Length && IsNameByte(_xml[_at]))
            _at++;
        return _at == _xml.Length || _xml[_at] < 0x80 || FailName();
    }

    private bool FailName() => _xml[_at] switch
    {
        >= 0x80 => Fail(RejectionReason.NameNotAscii, _at, "a name with a character outside ASCII"),
        var b when IsControl(b) => FailControl(_at),
        _ => Fail(RejectionReason.NotWellFormed, _at, "a name is expected"),
    };

    /// <summary>Binds the prefixes that a start tag declares, then resolves the names in it.</summary>
    private bool ResolveNamespaces(ReadOnlySpan<ScannedAttribute> attributes, int nameStart, int colon, out ReadOnlySpan<byte> own)
    {
        own = default;
        var prefixed = 0;
        foreach (ref readonly var attribute in attributes)
        {
            if (attribute.Colon < 0)
            {
                if (!NameOf(attribute).SequenceEqual("xmlns"u8))
                    continue;
                if (!CheckNamespace(attribute))
                    return false;
                own = ValueOf(attribute);
            }
            else if (PrefixOf(attribute).SequenceEqual("xmlns"u8))
            {
                if (!Bind(attribute))
                    return false;
            }
            else if (NameOf(attribute).SequenceEqual("xml:lang"u8))
            {
                // The only name of the xml prefix that stanzas use (RFC 6120 §8.1.5).
            }
            else
            {
                Uncommon = true;
                prefixed++;
            }
        }

        if (colon >= 0)
        {
            Uncommon = true;
            var prefix = _xml[nameStart..colon];
            if (IsReservedPrefix(prefix))
                return Fail(RejectionReason.MisusedPrefix, nameStart, "an element with a reserved prefix");
            if (!TryResolve(prefix, out own))
                return Fail(RejectionReason.UndeclaredPrefix, nameStart, "an element's prefix is not declared in the payload");
        }

        return prefixed == 0 || ResolvePrefixedAttributes(attributes);
    }

    private bool ResolvePrefixedAttributes(ReadOnlySpan<ScannedAttribute> attributes)
    {
        for (var i = 0; i < attributes.Length; i++)
        {
            if (!IsOrdinaryPrefixed(attributes[i]))
                continue;
            var prefix = PrefixOf(attributes[i]);
            if (prefix.SequenceEqual("xml"u8))
                continue;
            if (IsReservedPrefix(prefix))
                return Fail(RejectionReason.MisusedPrefix, attributes[i].NameStart, "an attribute with a reserved prefix");
            if (!TryResolve(prefix, out var name))
                return Fail(RejectionReason.UndeclaredPrefix, attributes[i].NameStart, "an attribute's prefix is not declared in the payload");

            // Namespaces in XML 1.0 §6.3: two prefixes of one namespace do not make two names.
            for (var j = 0; j < i; j++)
            {
                if (IsOrdinaryPrefixed(attributes[j])
                    && LocalOf(attributes[j]).SequenceEqual(LocalOf(attributes[i]))
                    && TryResolve(PrefixOf(attributes[j]), out var other)
                    && other.SequenceEqual(name))
                    return Fail(RejectionReason.DuplicateAttribute, attributes[i].NameStart, "two prefixes make one attribute stand twice");
            }
        }

        return true;
    }

    private readonly bool IsOrdinaryPrefixed(in ScannedAttribute attribute) =>
        attribute.Colon >= 0 && !PrefixOf(attribute).SequenceEqual("xmlns"u8);

    private bool Bind(in ScannedAttribute attribute)
    {
        Uncommon = true;
        if (IsReservedPrefix(LocalOf(attribute)))
            return Fail(RejectionReason.MisusedPrefix, attribute.NameStart, "a reserved prefix is declared");
        if (attribute.ValueStart == attribute.ValueEnd)
            return Fail(RejectionReason.MisusedPrefix, attribute.NameStart, "a prefix is bound to nothing");
        if (!CheckNamespace(attribute))
            return false;
        if (_prefixCount == MaxPrefixes)
            return Fail(RejectionReason.TooManyPrefixes, attribute.NameStart, "more prefixes in scope than the limit");
        ref var binding = ref _prefixes[_prefixCount++];
        binding.PrefixStart = attribute.Colon + 1;
        binding.PrefixEnd = attribute.NameEnd;
        binding.NameStart = attribute.ValueStart;
        binding.NameEnd = attribute.ValueEnd;
        return true;
    }

    /// <summary>
    /// Checks a declared namespace name. White space and references are refused, so that names can
    /// be compared byte by byte, and because parsers that join namespace and local name by a
    /// separator character (ejabberd's by a line feed) would be confused by one inside.
    /// </summary>
    private bool CheckNamespace(in ScannedAttribute attribute)
    {
        var name = ValueOf(attribute);
        if (attribute.Escaped || name.IndexOf((byte)' ') >= 0)
            return Fail(RejectionReason.InvalidNamespace, attribute.ValueStart, "white space or a reference in a namespace name");
        if (name.Length > MaxNamespaceBytes)
            return Fail(RejectionReason.InvalidNamespace, attribute.ValueStart, "a namespace name is longer than 1,023 bytes");
        if (name.SequenceEqual("http://etherx.jabber.org/streams"u8))
            return Fail(RejectionReason.InvalidNamespace, attribute.ValueStart, "the namespace of streams");
        if (name.SequenceEqual("http://www.w3.org/XML/1998/namespace"u8) || name.SequenceEqual("http://www.w3.org/2000/xmlns/"u8))
            return Fail(RejectionReason.InvalidNamespace, attribute.ValueStart, "a namespace that Namespaces in XML reserves");
        return true;
    }

    private readonly bool TryResolve(ReadOnlySpan<byte> prefix, out ReadOnlySpan<byte> name)
    {
        for (var i = _prefixCount - 1; i >= 0; i--)
        {
            ref readonly var binding = ref _prefixes[i];
            if (!_xml[binding.PrefixStart..binding.PrefixEnd].SequenceEqual(prefix))
                continue;
            name = _xml[binding.NameStart..binding.NameEnd];
            return true;
        }

        name = default;
        return false;
    }

    // Namespaces in XML 1.0 §3 reserves every prefix that begins so, in any case.
    private static bool IsReservedPrefix(ReadOnlySpan<byte> prefix) =>
        prefix.Length >= 3 && Ascii.EqualsIgnoreCase(prefix[..3], "xml"u8);

    private readonly ReadOnlySpan<byte> NameOf(in ScannedAttribute attribute) => _xml[attribute.NameStart..attribute.NameEnd];

    private readonly ReadOnlySpan<byte> PrefixOf(in ScannedAttribute attribute) => _xml[attribute.NameStart..attribute.Colon];

    private readonly ReadOnlySpan<byte> LocalOf(in ScannedAttribute attribute) => _xml[(attribute.Colon + 1)..attribute.NameEnd];

    private readonly ReadOnlySpan<byte> ValueOf(in ScannedAttribute attribute) => _xml[attribute.ValueStart..attribute.ValueEnd];

    private void SkipWhiteSpace()
    {
        while (_at < _xml.Length && XmlText.IsWhiteSpace(_xml[_at]))
            _at++;
    }

    private static bool IsNameStart(byte b) => (uint)((b | 0x20) - 'a') <= 'z' - 'a' || b == (byte)'_';

    private static bool IsNameByte(byte b) => IsNameStart(b) || (uint)(b - '0') <= 9 || b is (byte)'-' or (byte)'.';

    private static bool IsControl(byte b) => b < 0x20 && !XmlText.IsWhiteSpace(b);

    private bool FailControl(int offset) =>
        Fail(RejectionReason.ForbiddenCharacter, offset, "a control character that XML excludes");

    private bool Fail(RejectionReason reason, int offset, string detail)
    {
        Fault = new Rejection(reason, offset, detail);
        return false;
    }
}
