using System.Buffers;
using System.Text.Unicode;

namespace Bridge.Stanzas;

/// <summary>What <see cref="StanzaReader.Read" /> found.</summary>
public enum StreamEventKind
{
    /// <summary>Nothing more in this input; it is all consumed.</summary>
    None = 0,

    /// <summary>The server's stream header; see <see cref="StanzaReader.Header" />.</summary>
    Header,

    /// <summary>The element <c>handshake</c>: the server accepted ours (XEP-0114 §3).</summary>
    Handshake,

    /// <summary>A stream error; see <see cref="StanzaReader.Error" />.</summary>
    Error,

    /// <summary>A stanza, or another first-level element.</summary>
    Stanza,

    /// <summary>A stanza beyond the bounds went by; see <see cref="StanzaReader.Skipped" />.</summary>
    Skipped,

    /// <summary>The server closed its stream. Whatever follows is consumed unread.</summary>
    End,

    /// <summary>
    /// These bytes are no XMPP stream; see <see cref="StanzaReader.MalformedReason" />. The
    /// stream must be given up: whatever follows is consumed unread.
    /// </summary>
    Malformed,
}

/// <summary>The server's stream header, XEP-0114 §3 step 2.</summary>
/// <param name="Id">The stream id, references resolved; null or empty where the server refuses already (Prosody, unknown host).</param>
/// <param name="From">The domain as the server names it; null where it does not.</param>
/// <param name="Namespace">The default namespace: <c>jabber:component:accept</c> on a component port.</param>
public sealed record StreamHeader(string? Id, string? From, string? Namespace);

/// <summary>Why a stanza was skipped.</summary>
public enum SkipCause
{
    /// <summary>More bytes than the bound.</summary>
    TooLarge,

    /// <summary>More element levels than the bound.</summary>
    TooDeep,
}

/// <summary>A stanza that went by without being kept.</summary>
/// <param name="Cause">Which bound it broke.</param>
/// <param name="Bytes">Its whole length.</param>
/// <param name="Kind">What it was; Other also where its name was too long to tell.</param>
/// <param name="Id">As far as it stood in the first 8 KiB, like the three below; else null.</param>
/// <param name="From">The sender.</param>
/// <param name="To">The recipient.</param>
/// <param name="Type">The type.</param>
public sealed record SkippedStanza(SkipCause Cause, long Bytes, StanzaKind Kind, string? Id, string? From, string? To, string? Type);

/// <summary>
/// Reads the server's side of a component stream, however its bytes are split. Pure: no I/O, no
/// clock. Never throws for any input and never holds more than <c>maxBytes</c> of it. One reader
/// serves one life of the stream and one thread at a time.
/// </summary>
/// <remarks>
/// Refused is whatever could move the border between two stanzas, or that XMPP forbids: tags that
/// do not match, malformed tags and references, forbidden control characters, invalid UTF-8,
/// comments, processing instructions, DTDs (RFC 6120 §11.1), an attribute given twice on the
/// stanza itself, text between stanzas. Not looked at is what a server that parsed the stanza
/// has checked and that cannot move a border: which non-ASCII characters stand in names, U+FFFE
/// and U+FFFF, undeclared prefixes, an attribute given twice on a deeper element.
/// </remarks>
public sealed class StanzaReader
{
    private const int SkippedAttributesWithin = 8 * 1024;
    private const int MaxErrorTextBytes = 1024;

    // Input is appended to a begun stanza in steps, so that little of what follows it is copied.
    private const int AppendStep = 4096;

    private const byte NameStart = 1;
    private const byte NamePart = 2;
    private const byte ValueStop = 4;

    private static readonly byte[] Classes = ClassifyBytes();

    private static readonly SearchValues<byte> ControlsTextStops = SearchValues.Create(
        [.. "<&>"u8, .. ForbiddenControls()]);

    private static readonly SearchValues<byte> CdataStops = SearchValues.Create(
        [.. "]"u8, .. ForbiddenControls()]);

    private readonly int _maxBytes;
    private readonly int _maxDepth;
    private readonly int[] _openNameStart;
    private readonly int[] _openNameLength;
    private readonly byte[] _reference = new byte[MarkupText.MaxReferenceLength];

    private byte[] _buffer = new byte[AppendStep];
    private int _held;
    private int _scanned;
    private bool _inElement;
    private bool _skipping;
    private bool _over;
    private bool _declarationAllowed = true;
    private byte[] _streamName = [];

    // The scanner's state, so that it can stop and go on at any byte.
    private Lex _lex;
    private Lex _afterReference;
    private int _referenceLength;
    private int _matched;
    private int _depth;
    private int _tagStart;
    private int _nameStart;
    private int _attributeStart;
    private int _attributeEnd;
    private int _valueStart;
    private bool _valueNeedsResolving;
    private bool _nameComplete;
    private StanzaLayout _layout = StanzaLayout.Empty;

    // What the skipped stanza was, until its end is reached.
    private SkippedStanza? _skippedSoFar;
    private long _skippedBytes;

    /// <param name="maxBytes">Bytes of one stanza above which it is skipped; also bounds the stream header. At least 1,024.</param>
    /// <param name="maxDepth">Element levels above which it is skipped, the stanza being level 1. At least 1.</param>
    public StanzaReader(int maxBytes, int maxDepth = 256)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxBytes, 1024);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxDepth, 1);
        _maxBytes = maxBytes;
        _maxDepth = maxDepth;
        _openNameStart = new int[maxDepth + 1];
        _openNameLength = new int[maxDepth + 1];
    }

    private enum Lex : byte
    {
        Text,
        Opened,
        Declaration,
        DeclarationMark,
        ElementName,
        InTag,
        AttributeName,
        AfterAttributeName,
        BeforeValue,
        ValueInApostrophes,
        ValueInQuotes,
        AfterValue,
        EmptyTagEnd,
        EndName,
        AfterEndName,
        CdataOpening,
        Cdata,
        CdataBracket,
        CdataBrackets,
        Reference,
    }

    private enum Scan
    {
        NeedsMore,
        Complete,
        Malformed,
        TooDeep,
    }

    /// <summary>The stream header, once it was read.</summary>
    public StreamHeader? Header { get; private set; }

    /// <summary>The stream error, once one was read.</summary>
    public StreamError? Error { get; private set; }

    /// <summary>The stanza that was last skipped.</summary>
    public SkippedStanza? Skipped { get; private set; }

    /// <summary>What was wrong with the stream, once it was given up; holds nothing of its content.</summary>
    public string? MalformedReason { get; private set; }

    /// <summary>Bytes of input kept back for a stanza whose end has not come; at most <c>maxBytes</c>.</summary>
    public int HeldBytes => _held;

    private static ReadOnlySpan<byte> CdataOpener => "![CDATA["u8;

    /// <summary>
    /// Reads up to the next event and takes what it read off <paramref name="input" />. Call it
    /// until it returns None, then again with the bytes that came next. Allocates nothing for
    /// stanzas and None once its buffer has grown to what the stream needs.
    /// </summary>
    /// <param name="input">The bytes that follow what was read so far.</param>
    /// <param name="stanza">The stanza, for <see cref="StreamEventKind.Stanza" />: a view that the next call, or a change of the input's bytes, makes worthless.</param>
    public StreamEventKind Read(ref ReadOnlySpan<byte> input, out InboundStanza stanza)
    {
        stanza = default;
        while (!_over)
        {
            if (!_inElement && !BeginElement(ref input, out var stray))
                return stray ? GiveUp(ref input, "text between stanzas") : StreamEventKind.None;

            if (_skipping)
            {
                _scanned = 0;
                var outcome = ScanElement(input);
                _skippedBytes += _scanned;
                input = input[_scanned..];
                switch (outcome)
                {
                    case Scan.Complete when _depth == 0:
                        // The end tag of the stream itself, stuffed with white space.
                        _over = true;
                        input = default;
                        return StreamEventKind.End;
                    case Scan.Complete:
                        _skipping = false;
                        _inElement = false;
                        Skipped = _skippedSoFar! with { Bytes = _skippedBytes };
                        return StreamEventKind.Skipped;
                    case Scan.Malformed:
                        return GiveUp(ref input, MalformedReason!);
                    default:
                        return StreamEventKind.None;
                }
            }

            var heldBefore = _held;
            ReadOnlySpan<byte> data;
            if (heldBefore == 0)
            {
                data = input.Length > _maxBytes ? input[.._maxBytes] : input;
            }
            else
            {
                if (input.IsEmpty)
                    return StreamEventKind.None;
                Hold(input[..Math.Min(Math.Min(input.Length, AppendStep), _maxBytes - heldBefore)]);
                data = _buffer.AsSpan(0, _held);
            }

            switch (ScanElement(data))
            {
                case Scan.Malformed:
                    return GiveUp(ref input, MalformedReason!);

                case Scan.Complete:
                    input = input[(_scanned - heldBefore)..];
                    _held = 0;
                    _inElement = false;
                    var kind = Interpret(data[.._scanned], out stanza);
                    if (kind == StreamEventKind.Malformed)
                        return GiveUp(ref input, MalformedReason!);
                    if (kind != StreamEventKind.None)
                        return kind;
                    break;

                case Scan.TooDeep:
                    input = input[(_scanned - heldBefore)..];
                    Skip(SkipCause.TooDeep, data);
                    break;

                default:
                    input = input[(data.Length - heldBefore)..];
                    if (data.Length == _maxBytes)
                    {
                        if (_depth == 0)
                            return GiveUp(ref input, "the stream header is too long");
                        Skip(SkipCause.TooLarge, data);
                    }
                    else if (heldBefore == 0)
                    {
                        Hold(data);
                    }

                    break;
            }
        }

        input = default;
        return StreamEventKind.None;
    }

    private static ReadOnlySpan<byte> ForbiddenControls() =>
    [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
    ];

    private static byte[] ClassifyBytes()
    {
        var classes = new byte[256];
        for (var b = 0; b < 256; b++)
        {
            if (b is (>= 'a' and <= 'z') or (>= 'A' and <= 'Z') or '_' or ':' or >= 0x80)
                classes[b] |= NameStart | NamePart;
            if (b is (>= '0' and <= '9') or '-' or '.')
                classes[b] |= NamePart;
            if (b is < 0x20 or '<' or '&' or '\'' or '"')
                classes[b] |= ValueStop;
        }

        return classes;
    }

    private static bool IsSpace(byte b) => b is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t';

    // True: an element begins at the first byte of the input. False: the input is used up, or
    // something stands there that must not.
    private bool BeginElement(ref ReadOnlySpan<byte> input, out bool stray)
    {
        stray = false;
        var i = 0;
        while (i < input.Length && IsSpace(input[i]))
            i++;
        if (i > 0)
            _declarationAllowed = false; // XML 1.0 §2.8: only at the very beginning.
        input = input[i..];
        if (input.IsEmpty)
            return false;
        if (input[0] != '<')
        {
            stray = true;
            return false;
        }

        _inElement = true;
        _lex = Lex.Opened;
        _scanned = 1;
        _tagStart = 0;
        _nameComplete = false;
        _layout = StanzaLayout.Empty;
        return true;
    }

    private void Hold(ReadOnlySpan<byte> bytes)
    {
        var needed = _held + bytes.Length;
        if (needed > _buffer.Length)
            Array.Resize(ref _buffer, Math.Min(_maxBytes, Math.Max(needed, _buffer.Length * 2)));
        bytes.CopyTo(_buffer.AsSpan(_held));
        _held = needed;
    }

    private StreamEventKind GiveUp(ref ReadOnlySpan<byte> input, string reason)
    {
        MalformedReason = reason;
        _over = true;
        _held = 0;
        _buffer = [];
        input = default;
        return StreamEventKind.Malformed;
    }

    private void Skip(SkipCause cause, ReadOnlySpan<byte> data)
    {
        _skipping = true;
        _skippedBytes = _scanned;
        _skippedSoFar = new SkippedStanza(
            cause,
            0,
            _nameComplete ? KindOf(data.Slice(1, _layout.NameLength)) : StanzaKind.Other,
            Early(_layout.Id, data),
            Early(_layout.From, data),
            Early(_layout.To, data),
            Early(_layout.Type, data));
        _held = 0;
        // Whatever follows is not kept, so neither is the room for it.
        _buffer = new byte[AppendStep];

        static string? Early(StanzaLayout.Range value, ReadOnlySpan<byte> data) =>
            value.Length >= 0 && value.Start + value.Length <= SkippedAttributesWithin ? value.In(data).Text : null;
    }

    private static StanzaKind KindOf(ReadOnlySpan<byte> name) => name switch
    {
        [(byte)'i', (byte)'q'] => StanzaKind.Iq,
        _ when name.SequenceEqual("message"u8) => StanzaKind.Message,
        _ when name.SequenceEqual("presence"u8) => StanzaKind.Presence,
        _ => StanzaKind.Other,
    };

    private StreamEventKind Interpret(ReadOnlySpan<byte> element, out InboundStanza stanza)
    {
        stanza = default;
        if (!Utf8.IsValid(element))
            return Refuse("invalid UTF-8");
        if (element[1] == '?')
        {
            return element.StartsWith("<?xml"u8) && IsSpace(element[5])
                ? StreamEventKind.None
                : Refuse("a processing instruction");
        }

        if (_depth == 0)
        {
            _over = true;
            _held = 0;
            return StreamEventKind.End;
        }

        if (Header is null)
            return InterpretHeader(element);

        var name = element.Slice(1, _layout.NameLength);
        var kind = KindOf(name);
        if (kind == StanzaKind.Other)
        {
            if (name.SequenceEqual("handshake"u8))
                return StreamEventKind.Handshake;
            if (IsStreamError(name))
            {
                var cursor = new MarkupCursor(element);
                cursor.Next();
                cursor.ReadErrorContent("urn:ietf:params:xml:ns:xmpp-streams"u8, MaxErrorTextBytes, out var condition, out var text);
                Error = new StreamError(
                    condition is null ? StreamErrorCondition.Unknown : StreamError.FromWireName(condition),
                    text);
                return StreamEventKind.Error;
            }
        }

        stanza = new InboundStanza(element, kind, _layout);
        return StreamEventKind.Stanza;
    }

    private StreamEventKind InterpretHeader(ReadOnlySpan<byte> element)
    {
        var cursor = new MarkupCursor(element);
        cursor.Next();
        if (!cursor.LocalName.SequenceEqual("stream"u8)
            || !MarkupCursor.TryGetNamespace(cursor.Name, cursor.Attributes, out var ns)
            || !ns.SequenceEqual("http://etherx.jabber.org/streams"u8))
            return Refuse("the first element is no stream header");
        _streamName = cursor.Name.ToArray();
        Header = new StreamHeader(Attribute(cursor, "id"u8), Attribute(cursor, "from"u8), Attribute(cursor, "xmlns"u8));
        return StreamEventKind.Header;

        static string? Attribute(MarkupCursor tag, ReadOnlySpan<byte> name) =>
            MarkupCursor.TryGetAttribute(tag.Attributes, name, out var value) ? MarkupText.AttributeText(value) : null;
    }

    // The prefix of the stream's namespace is the server's choice (RFC 6120 §4.8.5), so it is taken from the header.
    private bool IsStreamError(ReadOnlySpan<byte> name)
    {
        var prefix = _streamName.AsSpan(0, _streamName.AsSpan().IndexOf((byte)':') + 1);
        return name.StartsWith(prefix) && name[prefix.Length..].SequenceEqual("error"u8);
    }

    private StreamEventKind Refuse(string reason)
    {
        MalformedReason = reason;
        return StreamEventKind.Malformed;
    }

    // Scans on from _scanned, data[0] being the element's first byte (while skipping: just the
    // next bytes). _scanned tells how far it came, which is the element's end for Complete.
    private Scan ScanElement(ReadOnlySpan<byte> data)
    {
        var classes = Classes;
        var i = _scanned;
        while (i < data.Length)
        {
            var b = data[i];
            switch (_lex)
            {
                case Lex.Text:
                    var stop = data[i..].IndexOfAny(ControlsTextStops);
                    if (stop < 0)
                    {
                        i = data.Length;
                        break;
                    }

                    i += stop;
                    b = data[i];
                    if (b == '<')
                    {
                        _tagStart = i;
                        _lex = Lex.Opened;
                    }
                    else if (b == '&')
                    {
                        BeginReference();
                    }
                    else if (b != '>')
                    {
                        return Malformed("a forbidden character");
                    }
                    else if (!_skipping && data[i - 1] == ']' && data[i - 2] == ']')
                    {
                        return Malformed("]]> in text"); // XML 1.0 §2.4.
                    }

                    i++;
                    break;

                case Lex.Opened:
                    if ((classes[b] & NameStart) != 0)
                    {
                        if (_depth == 2 && _layout.FirstChild < 0)
                            _layout.FirstChild = _tagStart;
                        _nameStart = i;
                        _lex = Lex.ElementName;
                    }
                    else if (b == '/')
                    {
                        if (_depth == 0)
                            return Malformed("an end tag before the stream header");
                        _nameStart = i + 1;
                        _lex = Lex.EndName;
                    }
                    else if (b == '!' && _depth > 1)
                    {
                        _matched = 1;
                        _lex = Lex.CdataOpening;
                    }
                    else if (b == '?' && _declarationAllowed)
                    {
                        _lex = Lex.Declaration;
                    }
                    else
                    {
                        return Malformed(b switch
                        {
                            (byte)'!' => "a comment, DTD or CDATA section between stanzas",
                            (byte)'?' => "a processing instruction",
                            _ => "a tag without a name",
                        });
                    }

                    i++;
                    break;

                case Lex.Declaration:
                    if (b == '?')
                        _lex = Lex.DeclarationMark;
                    else if (b is (byte)'<' or (byte)'>')
                        return Malformed("the XML declaration");
                    i++;
                    break;

                case Lex.DeclarationMark:
                    if (b != '>')
                        return Malformed("the XML declaration");
                    _declarationAllowed = false;
                    _scanned = i + 1;
                    return Scan.Complete;

                case Lex.ElementName:
                    while ((classes[data[i]] & NamePart) != 0 && ++i < data.Length)
                    {
                    }

                    if (i == data.Length)
                        break;
                    if (!_skipping)
                    {
                        var length = i - _nameStart;
                        if (_depth == 2 && length == 5 && _layout.ErrorChild < 0 && data.Slice(_nameStart, 5).SequenceEqual("error"u8))
                            _layout.ErrorChild = _tagStart;
                        if (_depth <= 1)
                        {
                            _layout.NameLength = length;
                            _nameComplete = true;
                        }

                    }

                    _lex = Lex.InTag;
                    if (!IsSpace(data[i]) && data[i] is not ((byte)'/' or (byte)'>'))
                        return Malformed("a character in a name");
                    if (_skipping)
                        break;
                    if (_depth > _maxDepth)
                    {
                        _scanned = i;
                        return Scan.TooDeep;
                    }

                    // Kept until the matching end tag.
                    _openNameStart[_depth] = _nameStart;
                    _openNameLength[_depth] = i - _nameStart;
                    break;

                case Lex.InTag:
                    if (b == '>')
                    {
                        i++;
                        _lex = Lex.Text;
                        _declarationAllowed = false;
                        if (++_depth == 1)
                        {
                            _scanned = i;
                            return Scan.Complete;
                        }
                    }
                    else if (b == '/')
                    {
                        _lex = Lex.EmptyTagEnd;
                        i++;
                    }
                    else if (IsSpace(b))
                    {
                        i++;
                    }
                    else if ((classes[b] & NameStart) != 0)
                    {
                        _attributeStart = i;
                        _lex = Lex.AttributeName;
                    }
                    else
                    {
                        return Malformed("a character in a tag");
                    }

                    break;

                case Lex.AttributeName:
                    while ((classes[data[i]] & NamePart) != 0 && ++i < data.Length)
                    {
                    }

                    if (i == data.Length)
                        break;
                    _attributeEnd = i;
                    if (data[i] == '=')
                    {
                        _lex = Lex.BeforeValue;
                        i++;
                    }
                    else
                    {
                        _lex = Lex.AfterAttributeName;
                    }

                    break;

                case Lex.AfterAttributeName:
                    if (b == '=')
                        _lex = Lex.BeforeValue;
                    else if (!IsSpace(b))
                        return Malformed("an attribute without a value");
                    i++;
                    break;

                case Lex.BeforeValue:
                    i++;
                    if (b is (byte)'\'' or (byte)'"')
                    {
                        _lex = b == '"' ? Lex.ValueInQuotes : Lex.ValueInApostrophes;
                        _valueStart = i;
                        _valueNeedsResolving = false;
                    }
                    else if (!IsSpace(b))
                    {
                        return Malformed("an attribute value without quotes");
                    }

                    break;

                case Lex.ValueInApostrophes:
                case Lex.ValueInQuotes:
                    while ((classes[data[i]] & ValueStop) == 0 && ++i < data.Length)
                    {
                    }

                    if (i == data.Length)
                        break;
                    b = data[i];
                    if (b == (_lex == Lex.ValueInQuotes ? (byte)'"' : (byte)'\''))
                    {
                        if (_depth == 1 && !_skipping && !NoteAttribute(data, i))
                            return Malformed("an attribute given twice");
                        _lex = Lex.AfterValue;
                    }
                    else if (b == '&')
                    {
                        _valueNeedsResolving = true;
                        BeginReference();
                    }
                    else if (b is (byte)'\t' or (byte)'\n' or (byte)'\r')
                    {
                        _valueNeedsResolving = true;
                    }
                    else if (b is not ((byte)'"' or (byte)'\''))
                    {
                        return Malformed("a forbidden character in an attribute value");
                    }

                    i++;
                    break;

                case Lex.AfterValue:
                    if (!IsSpace(b) && b is not ((byte)'/' or (byte)'>'))
                        return Malformed("attributes without white space between them");
                    _lex = Lex.InTag;
                    break;

                case Lex.EmptyTagEnd:
                    if (b != '>')
                        return Malformed("a character in a tag");
                    i++;
                    if (_depth == 0)
                        return Malformed("the stream header is an empty element");
                    _lex = Lex.Text;
                    if (_depth == 1)
                    {
                        _scanned = i;
                        return Scan.Complete;
                    }

                    break;

                case Lex.EndName:
                    while ((classes[data[i]] & NamePart) != 0 && ++i < data.Length)
                    {
                    }

                    if (i == data.Length)
                        break;
                    if (!_skipping && !data[_nameStart..i].SequenceEqual(OpenName(data)))
                        return Malformed("an end tag that matches no start tag");
                    _lex = Lex.AfterEndName;
                    break;

                case Lex.AfterEndName:
                    i++;
                    if (b == '>')
                    {
                        _lex = Lex.Text;
                        if (--_depth <= 1)
                        {
                            _scanned = i;
                            return Scan.Complete;
                        }
                    }
                    else if (!IsSpace(b))
                    {
                        return Malformed("a character in an end tag");
                    }

                    break;

                case Lex.CdataOpening:
                    if (b != CdataOpener[_matched])
                        return Malformed("a comment or DTD");
                    if (++_matched == CdataOpener.Length)
                        _lex = Lex.Cdata;
                    i++;
                    break;

                case Lex.Cdata:
                    var end = data[i..].IndexOfAny(CdataStops);
                    if (end < 0)
                    {
                        i = data.Length;
                        break;
                    }

                    i += end;
                    if (data[i] != ']')
                        return Malformed("a forbidden character");
                    _lex = Lex.CdataBracket;
                    i++;
                    break;

                case Lex.CdataBracket:
                    // Not a bracket: looked at again as content.
                    _lex = b == ']' ? Lex.CdataBrackets : Lex.Cdata;
                    if (b == ']')
                        i++;
                    break;

                case Lex.CdataBrackets:
                    if (b == '>')
                        _lex = Lex.Text;
                    else if (b != ']')
                        _lex = Lex.Cdata;
                    if (b is (byte)'>' or (byte)']')
                        i++;
                    break;

                case Lex.Reference:
                    i++;
                    if (b == ';')
                    {
                        if (!MarkupText.TryResolve(_reference.AsSpan(0, _referenceLength), out _))
                            return Malformed("a reference that XMPP does not know");
                        _lex = _afterReference;
                    }
                    else if (_referenceLength == _reference.Length)
                    {
                        return Malformed("a reference that XMPP does not know");
                    }
                    else
                    {
                        _reference[_referenceLength++] = b;
                    }

                    break;
            }
        }

        _scanned = i;
        return Scan.NeedsMore;
    }

    private Scan Malformed(string reason)
    {
        MalformedReason = reason;
        return Scan.Malformed;
    }

    private void BeginReference()
    {
        _afterReference = _lex;
        _referenceLength = 0;
        _lex = Lex.Reference;
    }

    // The name that the current end tag must repeat. The stream's own start tag is long gone.
    private ReadOnlySpan<byte> OpenName(ReadOnlySpan<byte> data) =>
        _depth == 1 ? _streamName : data.Slice(_openNameStart[_depth - 1], _openNameLength[_depth - 1]);

    // Notes where an attribute of the stanza itself stands; false when it stood there before.
    private bool NoteAttribute(ReadOnlySpan<byte> data, int valueEnd)
    {
        var name = data[_attributeStart.._attributeEnd];
        var value = new StanzaLayout.Range { Start = _valueStart, Length = valueEnd - _valueStart, NeedsResolving = _valueNeedsResolving };
        switch (name)
        {
            case [(byte)'t', (byte)'o']:
                return Note(ref _layout.To, value);
            case [(byte)'i', (byte)'d']:
                return Note(ref _layout.Id, value);
            case [(byte)'f', (byte)'r', (byte)'o', (byte)'m']:
                return Note(ref _layout.From, value);
            case [(byte)'t', (byte)'y', (byte)'p', (byte)'e']:
                return Note(ref _layout.Type, value);
            default:
                return true;
        }

        static bool Note(ref StanzaLayout.Range slot, StanzaLayout.Range value)
        {
            if (slot.Length >= 0)
                return false;
            slot = value;
            return true;
        }
    }
}
