using System.Buffers;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Bridge.Outcomes;

namespace Bridge.Stanzas;

/// <summary>The fields of the JSON envelope; the order is that of the table of names.</summary>
internal enum EnvelopeField
{
    /// <summary>Recipient.</summary>
    To,

    /// <summary>Sender.</summary>
    From,

    /// <summary>Stanza id.</summary>
    Id,

    /// <summary>Message type.</summary>
    Type,

    /// <summary>Text.</summary>
    Body,

    /// <summary>Subject.</summary>
    Subject,

    /// <summary>Conversation thread.</summary>
    Thread,

    /// <summary>Language of the text.</summary>
    Lang,

    /// <summary>Raw payload elements.</summary>
    Xml,

    /// <summary>A whole raw stanza in place of the fields.</summary>
    Stanza,

    /// <summary>Time to live.</summary>
    Ttl,

    /// <summary>Time of expiry.</summary>
    Expires,

    /// <summary>Processing hints (XEP-0334).</summary>
    Store,

    /// <summary>The app's own notes.</summary>
    Meta,

    /// <summary>Time of the push.</summary>
    At,

    /// <summary>Where the outcome goes.</summary>
    ReplyTo,

    /// <summary>Whether a receipt is asked for.</summary>
    Receipt,

    /// <summary>How long an answer is waited for.</summary>
    Timeout,

    /// <summary>When it is to be sent.</summary>
    NotBefore,

    /// <summary>The app's span (W3C Trace Context).</summary>
    TraceParent,
}

/// <summary>Processing hints of XEP-0334.</summary>
[Flags]
internal enum StoreHints
{
    /// <summary>No hint.</summary>
    None = 0,

    /// <summary>Store the message although it looks ephemeral (XEP-0334 §4.4).</summary>
    Store = 1,

    /// <summary>Store it nowhere (XEP-0334 §4.2).</summary>
    NoStore = 2,

    /// <summary>Copy it to no other resource (XEP-0334 §4.3).</summary>
    NoCopy = 4,

    /// <summary>Keep it out of archives (XEP-0334 §4.1).</summary>
    NoPermanentStore = 8,
}

/// <summary>A string of the envelope, unescaped.</summary>
internal struct EnvelopeText
{
    /// <summary>Whether the field is there and not null.</summary>
    public bool Exists;

    /// <summary>Whether it had escapes: its bytes then stand in the arena, else in the payload.</summary>
    public bool Escaped;

    /// <summary>Where its bytes begin, there.</summary>
    public int Start;

    /// <summary>Its bytes.</summary>
    public int Length;

    /// <summary>Where it begins in the payload, behind the quote.</summary>
    public int Offset;
}

/// <summary>
/// The JSON envelope, read in one pass without a document tree: every field checked for its type
/// and syntax. A field that is null counts as absent. The rules that need the firewall or the
/// clock are the encoder's.
/// </summary>
internal ref struct Envelope
{
    /// <summary>Levels of nested JSON, inside <c>meta</c> too.</summary>
    public const int MaxJsonDepth = 64;

    /// <summary>Bytes of <c>meta</c>, braces included.</summary>
    public const int MaxMetaBytes = 4096;

    /// <summary>Bytes of <c>replyTo</c>.</summary>
    public const int MaxReplyToBytes = 512;

    /// <summary>Bytes of <c>traceparent</c>: more than any version of it has.</summary>
    public const int MaxTraceParentBytes = 512;

    /// <summary>Bytes of <c>id</c> and of <c>thread</c>.</summary>
    public const int MaxIdBytes = 1023;

    /// <summary>Bytes of <c>lang</c>.</summary>
    public const int MaxLangBytes = 64;

    /// <summary>Elements of <c>xml</c>.</summary>
    public const int MaxXmlElements = 32;

    /// <summary>Seconds of <c>ttl</c> and <c>timeout</c>: 31 years.</summary>
    public const double MaxSeconds = 1e9;

    /// <summary>Names of the fields, by <see cref="EnvelopeField" />.</summary>
    public static readonly ImmutableArray<string> FieldNames =
    [
        "to", "from", "id", "type", "body", "subject", "thread", "lang", "xml", "stanza",
        "ttl", "expires", "store", "meta", "at", "replyTo", "receipt", "timeout", "notBefore",
        "traceparent",
    ];

    /// <summary>Message types (RFC 6121 §5.2.2); errors are answers, which no app originates.</summary>
    public static readonly ImmutableArray<string> MessageTypes = ["chat", "normal", "headline", "groupchat"];

    /// <summary>Names of the hints, in the order of their bits.</summary>
    public static readonly ImmutableArray<string> HintNames = ["store", "no-store", "no-copy", "no-permanent-store"];

    // The longest name, each of its characters written as an escape of six.
    private const int MaxEscapedNameBytes = 6 * 11;

    // Each character of a time with nanoseconds and an offset written as an escape of six.
    private const int LongestTime = 6 * 36;

    private static readonly byte[][] FieldNameBytes = [.. FieldNames.Select(Encoding.ASCII.GetBytes)];

    private static readonly JsonReaderOptions ReaderOptions = new() { MaxDepth = MaxJsonDepth };

    private readonly ReadOnlySpan<byte> _json;
    private byte[]? _arena;
    private int _arenaUsed;
    private TextList _xml;
    private int _seen;
    private EnvelopeField _messageField;
    private int _messageFieldOffset;
    private int _ttlOffset;
    private int _expiresOffset;
    private int _receiptOffset;
    private int _timeoutOffset;

    private Envelope(ReadOnlySpan<byte> json)
    {
        _json = json;
        _messageFieldOffset = -1;
        _ttlOffset = -1;
        _expiresOffset = -1;
        _receiptOffset = -1;
        _timeoutOffset = -1;
    }

    /// <summary>Recipient.</summary>
    public EnvelopeText To;

    /// <summary>Sender.</summary>
    public EnvelopeText From;

    /// <summary>Stanza id; may be empty, which counts as absent.</summary>
    public EnvelopeText Id;

    /// <summary>Text.</summary>
    public EnvelopeText Body;

    /// <summary>Subject.</summary>
    public EnvelopeText Subject;

    /// <summary>Thread.</summary>
    public EnvelopeText Thread;

    /// <summary>Language tag.</summary>
    public EnvelopeText Lang;

    /// <summary>Whole raw stanza.</summary>
    public EnvelopeText Stanza;

    /// <summary>Key of the reply.</summary>
    public EnvelopeText ReplyTo;

    /// <summary>The app's own notes, a JSON object as it was written.</summary>
    public EnvelopeText Meta;

    /// <summary>Index into <see cref="MessageTypes" />.</summary>
    public int Type;

    /// <summary>Hints.</summary>
    public StoreHints Hints;

    /// <summary>Time to live, counted from the push.</summary>
    public TimeSpan? Ttl;

    /// <summary>Time of expiry.</summary>
    public DateTimeOffset? Expires;

    /// <summary>Time of the push, as the app says.</summary>
    public DateTimeOffset? At;

    /// <summary>Whether a receipt is asked for (XEP-0184), where the app says.</summary>
    public bool? Receipt;

    /// <summary>How long an answer is waited for, where the app says.</summary>
    public TimeSpan? Timeout;

    /// <summary>When it is to be sent, at the earliest.</summary>
    public DateTimeOffset? NotBefore;

    /// <summary>The app's span, as it was written.</summary>
    public EnvelopeText TraceParent;

    /// <summary>Where <c>receipt</c> stands; -1 where it does not.</summary>
    public readonly int ReceiptOffset => _receiptOffset;

    /// <summary>Where <c>timeout</c> stands; -1 where it does not.</summary>
    public readonly int TimeoutOffset => _timeoutOffset;

    /// <summary>Elements of <c>xml</c>.</summary>
    public int XmlCount { get; private set; }

    /// <summary>An element of <c>xml</c>.</summary>
    [UnscopedRef]
    public readonly ref readonly EnvelopeText Xml(int index) => ref _xml[index];

    /// <summary>Reads an envelope. Dispose it whether or not this succeeds.</summary>
    /// <param name="json">The payload, from its <c>{</c> on.</param>
    /// <param name="envelope">What was read.</param>
    /// <param name="fault">The first fault, when false.</param>
    public static bool TryRead(ReadOnlySpan<byte> json, out Envelope envelope, out Rejection fault)
    {
        envelope = new Envelope(json);
        fault = default;
        if (XmlText.FindForbidden(json, out var offset) == RejectionReason.NotUtf8)
        {
            fault = new Rejection(RejectionReason.NotUtf8, offset, "not UTF-8");
            return false;
        }

        try
        {
            return envelope.Read(out fault);
        }
        catch (JsonException mistake)
        {
            // Not hidden: it is the answer, and becomes the rejection. The text of the exception
            // may repeat the payload, so it is left out.
            fault = new Rejection(RejectionReason.JsonMalformed, ByteOffset(json, mistake), "not one JSON object of at most 64 levels");
            return false;
        }
    }

    /// <summary>Returns scratch memory.</summary>
    public void Dispose()
    {
        if (_arena is { } arena)
            ArrayPool<byte>.Shared.Return(arena);
        _arena = null;
    }

    /// <summary>The bytes of a text, unescaped.</summary>
    public readonly ReadOnlySpan<byte> Bytes(scoped in EnvelopeText text) =>
        (text.Escaped ? _arena.AsSpan() : _json).Slice(text.Start, text.Length);

    /// <summary>Where in the payload the byte of a text comes from.</summary>
    public readonly int OffsetOf(in EnvelopeText text, int index) =>
        text.Escaped && index >= 0 ? text.Offset + JsonText.RawIndex(_json[text.Offset..], index) : text.Offset + Math.Max(index, 0);

    private bool Read(out Rejection fault)
    {
        var reader = new Utf8JsonReader(_json, ReaderOptions);
        reader.Read();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            if (!TryFindField(ref reader, out var field))
                return Refuse(RejectionReason.JsonUnknownField, (int)reader.TokenStartIndex, $"unknown field '{NameForDetail(reader.ValueSpan)}'", out fault);
            if ((_seen & (1 << (int)field)) != 0)
                return Refuse(RejectionReason.JsonDuplicateField, (int)reader.TokenStartIndex, $"'{FieldNames[(int)field]}' stands twice", out fault);
            _seen |= 1 << (int)field;
            reader.Read();
            if (reader.TokenType == JsonTokenType.Null)
                continue;
            Note(field, (int)reader.TokenStartIndex);
            if (!ReadField(ref reader, field, out fault))
                return false;
        }

        // Reads what stands behind the object; anything but white space throws.
        reader.Read();
        return CheckCombination(out fault);
    }

    private bool CheckCombination(out Rejection fault)
    {
        fault = default;
        if (Stanza.Exists && _messageFieldOffset >= 0)
            return Refuse(RejectionReason.JsonConflictingFields, _messageFieldOffset, $"'stanza' and '{FieldNames[(int)_messageField]}' exclude each other", out fault);
        if (_ttlOffset >= 0 && _expiresOffset >= 0)
            return Refuse(RejectionReason.JsonConflictingFields, Math.Max(_ttlOffset, _expiresOffset), "'ttl' and 'expires' exclude each other", out fault);
        return Stanza.Exists || To.Exists || Refuse(RejectionReason.JsonMissingTo, 0, "neither 'to' nor 'stanza'", out fault);
    }

    private void Note(EnvelopeField field, int offset)
    {
        switch (field)
        {
            case EnvelopeField.Ttl:
                _ttlOffset = offset;
                break;
            case EnvelopeField.Expires:
                _expiresOffset = offset;
                break;
            case EnvelopeField.Receipt:
                _receiptOffset = offset;
                break;
            case EnvelopeField.Timeout:
                _timeoutOffset = offset;
                break;
            case EnvelopeField.Stanza or EnvelopeField.Meta or EnvelopeField.At or EnvelopeField.ReplyTo or EnvelopeField.NotBefore or EnvelopeField.TraceParent:
                break;
            default:
                // What a whole stanza says itself.
                if (_messageFieldOffset < 0)
                    (_messageField, _messageFieldOffset) = (field, offset);
                break;
        }
    }

    private bool ReadField(ref Utf8JsonReader reader, EnvelopeField field, out Rejection fault) => field switch
    {
        EnvelopeField.To => ReadText(ref reader, field, int.MaxValue, out To, out fault),
        EnvelopeField.From => ReadText(ref reader, field, int.MaxValue, out From, out fault),
        EnvelopeField.Id => ReadText(ref reader, field, MaxIdBytes, out Id, out fault) && CheckCharacters(Id, field, out fault),
        EnvelopeField.Type => ReadType(ref reader, out fault),
        EnvelopeField.Body => ReadText(ref reader, field, int.MaxValue, out Body, out fault) && CheckCharacters(Body, field, out fault),
        EnvelopeField.Subject => ReadText(ref reader, field, int.MaxValue, out Subject, out fault) && CheckCharacters(Subject, field, out fault),
        EnvelopeField.Thread => ReadText(ref reader, field, MaxIdBytes, out Thread, out fault) && CheckCharacters(Thread, field, out fault),
        EnvelopeField.Lang => ReadLang(ref reader, out fault),
        EnvelopeField.Xml => ReadXml(ref reader, out fault),
        EnvelopeField.Stanza => ReadText(ref reader, field, int.MaxValue, out Stanza, out fault),
        EnvelopeField.Ttl => ReadSeconds(ref reader, field, out Ttl, out fault),
        EnvelopeField.Timeout => ReadSeconds(ref reader, field, out Timeout, out fault),
        EnvelopeField.Receipt => ReadReceipt(ref reader, out fault),
        EnvelopeField.Expires => ReadTime(ref reader, field, out Expires, out fault),
        EnvelopeField.At => ReadTime(ref reader, field, out At, out fault),
        EnvelopeField.NotBefore => ReadTime(ref reader, field, out NotBefore, out fault),
        EnvelopeField.Store => ReadStore(ref reader, out fault),
        EnvelopeField.TraceParent => ReadText(ref reader, field, MaxTraceParentBytes, out TraceParent, out fault),
        EnvelopeField.ReplyTo => ReadReplyTo(ref reader, out fault),
        _ => ReadMeta(ref reader, out fault),
    };

    private bool ReadText(ref Utf8JsonReader reader, EnvelopeField field, int maxBytes, out EnvelopeText text, out Rejection fault)
    {
        text = default;
        fault = default;
        if (reader.TokenType != JsonTokenType.String)
            return WrongType(reader, field, "a string", out fault);
        text.Exists = true;
        text.Offset = (int)reader.TokenStartIndex + 1;
        text.Start = text.Offset;
        text.Length = reader.ValueSpan.Length;
        if (reader.ValueIsEscaped)
        {
            // No text grows by unescaping, so all of them fit into as much as the payload has.
            _arena ??= ArrayPool<byte>.Shared.Rent(_json.Length);
            if (!JsonText.TryUnescape(reader.ValueSpan, _arena.AsSpan(_arenaUsed), out text.Length, out var bad))
                return Refuse(RejectionReason.JsonInvalidValue, text.Offset + bad, $"'{FieldNames[(int)field]}' holds half of a surrogate pair", out fault);
            text.Escaped = true;
            text.Start = _arenaUsed;
            _arenaUsed += text.Length;
        }

        return text.Length <= maxBytes
            || Refuse(RejectionReason.JsonInvalidValue, text.Offset, $"'{FieldNames[(int)field]}' is longer than {maxBytes} bytes", out fault);
    }

    private readonly bool CheckCharacters(in EnvelopeText text, EnvelopeField field, out Rejection fault)
    {
        fault = default;
        var bad = XmlText.IndexOfForbidden(Bytes(text));
        return bad < 0
            || Refuse(RejectionReason.ForbiddenCharacter, OffsetOf(text, bad), $"'{FieldNames[(int)field]}' holds a character that XML excludes", out fault);
    }

    private bool ReadType(ref Utf8JsonReader reader, out Rejection fault)
    {
        if (!ReadText(ref reader, EnvelopeField.Type, int.MaxValue, out var text, out fault))
            return false;
        Type = IndexOf(MessageTypes, Bytes(text));
        return Type >= 0 || Refuse(RejectionReason.JsonInvalidValue, text.Offset, "'type' is chat, normal, headline or groupchat", out fault);
    }

    private bool ReadLang(ref Utf8JsonReader reader, out Rejection fault)
    {
        if (!ReadText(ref reader, EnvelopeField.Lang, MaxLangBytes, out Lang, out fault))
            return false;

        // The shape of RFC 5646 §2.1: subtags of one to eight letters or digits, the first of letters.
        var tag = Bytes(Lang);
        var first = true;
        foreach (var range in tag.Split((byte)'-'))
        {
            var subtag = tag[range];
            if (subtag.Length is < 1 or > 8 || !Ascii.IsValid(subtag))
                return Refuse(RejectionReason.JsonInvalidValue, Lang.Offset, "'lang' is not a language tag", out fault);
            foreach (var b in subtag)
            {
                if (first ? !char.IsAsciiLetter((char)b) : !char.IsAsciiLetterOrDigit((char)b))
                    return Refuse(RejectionReason.JsonInvalidValue, Lang.Offset, "'lang' is not a language tag", out fault);
            }

            first = false;
        }

        return true;
    }

    private bool ReadXml(ref Utf8JsonReader reader, out Rejection fault)
    {
        fault = default;
        if (reader.TokenType == JsonTokenType.String)
            return AddXml(ref reader, out fault);
        if (reader.TokenType != JsonTokenType.StartArray)
            return WrongType(reader, EnvelopeField.Xml, "a string or an array of strings", out fault);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (!AddXml(ref reader, out fault))
                return false;
        }

        return true;
    }

    private bool AddXml(ref Utf8JsonReader reader, out Rejection fault)
    {
        if (!ReadText(ref reader, EnvelopeField.Xml, int.MaxValue, out var text, out fault))
            return false;
        if (XmlCount == MaxXmlElements)
            return Refuse(RejectionReason.JsonInvalidValue, text.Offset, $"'xml' has more than {MaxXmlElements} elements", out fault);
        _xml[XmlCount++] = text;
        return true;
    }

    private bool ReadStore(ref Utf8JsonReader reader, out Rejection fault)
    {
        fault = default;
        if (reader.TokenType == JsonTokenType.String)
            return AddHint(ref reader, out fault);
        if (reader.TokenType != JsonTokenType.StartArray)
            return WrongType(reader, EnvelopeField.Store, "a string or an array of strings", out fault);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (!AddHint(ref reader, out fault))
                return false;
        }

        return true;
    }

    private bool AddHint(ref Utf8JsonReader reader, out Rejection fault)
    {
        if (!ReadText(ref reader, EnvelopeField.Store, int.MaxValue, out var text, out fault))
            return false;
        var hint = IndexOf(HintNames, Bytes(text));
        if (hint < 0)
            return Refuse(RejectionReason.JsonInvalidValue, text.Offset, "'store' is store, no-store, no-copy or no-permanent-store", out fault);
        Hints |= (StoreHints)(1 << hint);
        return true;
    }

    private static bool ReadSeconds(ref Utf8JsonReader reader, EnvelopeField field, out TimeSpan? span, out Rejection fault)
    {
        span = null;
        fault = default;
        var offset = (int)reader.TokenStartIndex;
        if (reader.TokenType is not (JsonTokenType.Number or JsonTokenType.String))
            return WrongType(reader, field, "a number of seconds", out fault);
        if (!XmppTime.TryReadNumber(reader.ValueSpan, out var seconds) || seconds is <= 0 or > MaxSeconds)
            return Refuse(RejectionReason.JsonInvalidValue, offset, $"'{FieldNames[(int)field]}' is a number of seconds above 0, 1,000,000,000 at most", out fault);
        span = TimeSpan.FromSeconds(seconds);
        return true;
    }

    private bool ReadReceipt(ref Utf8JsonReader reader, out Rejection fault)
    {
        fault = default;
        // A field of a stream entry has no other form than text.
        if (reader.TokenType is JsonTokenType.True or JsonTokenType.False)
            Receipt = reader.TokenType == JsonTokenType.True;
        else if (reader.TokenType == JsonTokenType.String && reader.ValueSpan.SequenceEqual("true"u8))
            Receipt = true;
        else if (reader.TokenType == JsonTokenType.String && reader.ValueSpan.SequenceEqual("false"u8))
            Receipt = false;
        else
            return WrongType(reader, EnvelopeField.Receipt, "true or false", out fault);
        return true;
    }

    private static bool ReadTime(ref Utf8JsonReader reader, EnvelopeField field, out DateTimeOffset? time, out Rejection fault)
    {
        time = null;
        fault = default;
        var offset = (int)reader.TokenStartIndex;
        if (reader.TokenType is not (JsonTokenType.Number or JsonTokenType.String))
            return WrongType(reader, field, "a time", out fault);

        // No time needs an escape, but some writers escape the plus sign of an offset.
        Span<byte> plain = stackalloc byte[LongestTime];
        scoped var text = reader.ValueSpan;
        if (reader.ValueIsEscaped && text.Length <= plain.Length && JsonText.TryUnescape(text, plain, out var length, out _))
            text = plain[..length];
        if (!XmppTime.TryReadUnix(text, out var read)
            && (reader.TokenType != JsonTokenType.String || !XmppTime.TryRead(text, out read)))
            return Refuse(RejectionReason.JsonInvalidValue, offset, $"'{FieldNames[(int)field]}' is a time of RFC 3339 or Unix time, in seconds or milliseconds", out fault);
        time = read;
        return true;
    }

    private bool ReadReplyTo(ref Utf8JsonReader reader, out Rejection fault)
    {
        if (!ReadText(ref reader, EnvelopeField.ReplyTo, MaxReplyToBytes, out var key, out fault))
            return false;
        const string prefix = OutcomeTicket.ReplyKeyPrefix;
        var bytes = Bytes(key);
        if (!Ascii.Equals(bytes[..Math.Min(prefix.Length, bytes.Length)], prefix))
            return Refuse(RejectionReason.JsonInvalidValue, key.Offset, $"'replyTo' is a key that begins with {prefix}", out fault);
        ReplyTo = key;
        return true;
    }

    private bool ReadMeta(ref Utf8JsonReader reader, out Rejection fault)
    {
        fault = default;
        if (reader.TokenType != JsonTokenType.StartObject)
            return WrongType(reader, EnvelopeField.Meta, "an object", out fault);
        var start = reader.TokenStartIndex;
        reader.Skip();
        Meta = new EnvelopeText { Exists = true, Start = (int)start, Length = (int)(reader.BytesConsumed - start), Offset = (int)start };
        return Meta.Length <= MaxMetaBytes
            || Refuse(RejectionReason.JsonInvalidValue, (int)start, $"'meta' is longer than {MaxMetaBytes} bytes", out fault);
    }

    private static bool TryFindField(ref Utf8JsonReader reader, out EnvelopeField field)
    {
        scoped var name = reader.ValueSpan;
        if (reader.ValueIsEscaped)
        {
            // Not by the reader's own comparison, which throws at half of a surrogate pair.
            Span<byte> plain = stackalloc byte[MaxEscapedNameBytes];
            field = default;
            if (name.Length > MaxEscapedNameBytes || !JsonText.TryUnescape(name, plain, out var length, out _))
                return false;
            name = plain[..length];
        }

        for (var i = 0; i < FieldNameBytes.Length; i++)
        {
            if (name.SequenceEqual(FieldNameBytes[i]))
            {
                field = (EnvelopeField)i;
                return true;
            }
        }

        field = default;
        return false;
    }

    private static int IndexOf(ImmutableArray<string> names, ReadOnlySpan<byte> text)
    {
        for (var i = 0; i < names.Length; i++)
        {
            if (Ascii.Equals(text, names[i]))
                return i;
        }

        return -1;
    }

    // JSON text has no raw control characters, so this is one line whatever the name.
    private static string NameForDetail(ReadOnlySpan<byte> name) =>
        name.Length <= 64 ? Encoding.UTF8.GetString(name) : Encoding.UTF8.GetString(name[..64]) + "…";

    private static int ByteOffset(ReadOnlySpan<byte> json, JsonException mistake)
    {
        var offset = 0;
        for (var line = mistake.LineNumber ?? 0; line > 0; line--)
            offset += json[offset..].IndexOf((byte)'\n') + 1;
        return (int)Math.Min(offset + (mistake.BytePositionInLine ?? 0), json.Length);
    }

    private static bool WrongType(in Utf8JsonReader reader, EnvelopeField field, string expected, out Rejection fault) =>
        Refuse(RejectionReason.JsonWrongType, (int)reader.TokenStartIndex, $"'{FieldNames[(int)field]}' is {expected}", out fault);

    private static bool Refuse(RejectionReason reason, int offset, string detail, out Rejection fault)
    {
        fault = new Rejection(reason, offset, detail);
        return false;
    }

    [InlineArray(MaxXmlElements)]
    private struct TextList
    {
        private EnvelopeText _first;
    }
}

/// <summary>Escapes of JSON strings (RFC 8259 §7), on bytes that the JSON reader has accepted.</summary>
internal static class JsonText
{
    /// <summary>Unescapes a string.</summary>
    /// <param name="raw">Between the quotes.</param>
    /// <param name="destination">Room for as many bytes; nothing grows.</param>
    /// <param name="written">Bytes written.</param>
    /// <param name="bad">Where half of a surrogate pair stands, when false.</param>
    public static bool TryUnescape(ReadOnlySpan<byte> raw, Span<byte> destination, out int written, out int bad)
    {
        written = 0;
        bad = -1;
        for (var at = 0; at < raw.Length;)
        {
            var stop = raw[at..].IndexOf((byte)'\\');
            var plain = stop < 0 ? raw[at..] : raw.Slice(at, stop);
            plain.CopyTo(destination[written..]);
            written += plain.Length;
            at += plain.Length;
            if (stop < 0)
                break;
            if (!TryReadEscape(raw[at..], out var rune, out var length))
            {
                bad = at;
                return false;
            }

            written += rune.EncodeToUtf8(destination[written..]);
            at += length;
        }

        return true;
    }

    /// <summary>Where, before unescaping, the byte stood that unescaping put at an index.</summary>
    /// <param name="raw">Begins behind the opening quote; may go on behind the closing one.</param>
    /// <param name="index">An index that unescaping reached.</param>
    public static int RawIndex(ReadOnlySpan<byte> raw, int index)
    {
        var at = 0;
        while (index > 0 && at < raw.Length && raw[at] != (byte)'"')
        {
            var (length, bytes) = (1, 1);
            if (raw[at] == (byte)'\\' && TryReadEscape(raw[at..], out var rune, out length))
                bytes = rune.Utf8SequenceLength;
            if (bytes > index)
                break;
            index -= bytes;
            at += length;
        }

        return at;
    }

    private static bool TryReadEscape(ReadOnlySpan<byte> text, out Rune rune, out int length)
    {
        length = 2;
        rune = text[1] switch
        {
            (byte)'b' => new Rune('\b'),
            (byte)'f' => new Rune('\f'),
            (byte)'n' => new Rune('\n'),
            (byte)'r' => new Rune('\r'),
            (byte)'t' => new Rune('\t'),
            (byte)'u' => default,
            var b => new Rune((char)b),
        };
        if (text[1] != (byte)'u')
            return true;

        var unit = CodeUnit(text);
        length = 6;
        if (!char.IsSurrogate(unit))
        {
            rune = new Rune(unit);
            return true;
        }

        if (text.Length < 12 || text[6] != (byte)'\\' || text[7] != (byte)'u')
            return false;
        length = 12;
        return Rune.TryCreate(unit, CodeUnit(text[6..]), out rune);
    }

    private static char CodeUnit(ReadOnlySpan<byte> escape)
    {
        var unit = 0;
        foreach (var b in escape.Slice(2, 4))
            unit = (unit << 4) | (b <= '9' ? b - '0' : (b | 0x20) - 'a' + 10);
        return (char)unit;
    }
}
