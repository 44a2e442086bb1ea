using System.Text;

namespace Bridge.Stanzas;

/// <summary>What kind of first-level element came.</summary>
public enum StanzaKind : byte
{
    /// <summary>None of the three stanzas of RFC 6120 §8.1.</summary>
    Other = 0,

    /// <summary>A message.</summary>
    Message,

    /// <summary>A presence.</summary>
    Presence,

    /// <summary>An iq.</summary>
    Iq,
}

/// <summary>An attribute's value, or its absence, as a view over the reader's bytes.</summary>
public readonly ref struct AttributeValue
{
    private readonly bool _needsResolving;

    internal AttributeValue(ReadOnlySpan<byte> raw, bool needsResolving)
    {
        Raw = raw;
        IsPresent = true;
        _needsResolving = needsResolving;
    }

    /// <summary>Whether the attribute is there; an empty value is.</summary>
    public bool IsPresent { get; }

    /// <summary>The bytes between the quotes, references unresolved; empty when absent.</summary>
    public ReadOnlySpan<byte> Raw { get; }

    /// <summary>Whether the attribute is there and its value, references resolved, is this UTF-8. Allocates only where there are references.</summary>
    public bool Is(ReadOnlySpan<byte> value) =>
        IsPresent && (_needsResolving
            ? Encoding.UTF8.GetBytes(MarkupText.AttributeText(Raw)).AsSpan().SequenceEqual(value)
            : Raw.SequenceEqual(value));

    /// <summary>The value, references resolved and white space normalised; null when absent.</summary>
    public string? Text => !IsPresent ? null : _needsResolving ? MarkupText.AttributeText(Raw) : Encoding.UTF8.GetString(Raw);

    /// <inheritdoc />
    public override string ToString() => Text ?? "";
}

/// <summary>Where the attributes and children that Bridge looks at stand in a stanza.</summary>
internal struct StanzaLayout
{
    /// <summary>Start and length of a value; a length of -1 means that the attribute is absent.</summary>
    internal struct Range
    {
        public int Start;
        public int Length;
        public bool NeedsResolving;

        public readonly AttributeValue In(ReadOnlySpan<byte> stanza) =>
            Length < 0 ? default : new AttributeValue(stanza.Slice(Start, Length), NeedsResolving);
    }

    public Range From;
    public Range To;
    public Range Id;
    public Range Type;
    public int NameLength;
    public int FirstChild;
    public int ErrorChild;

    public static StanzaLayout Empty => new()
    {
        From = new Range { Length = -1 },
        To = new Range { Length = -1 },
        Id = new Range { Length = -1 },
        Type = new Range { Length = -1 },
        FirstChild = -1,
        ErrorChild = -1,
    };
}

/// <summary>
/// A complete stanza as a view over the reader's bytes: valid until the next call of
/// <see cref="StanzaReader.Read" />. Looking at attributes and at the first child allocates nothing.
/// </summary>
public readonly ref struct InboundStanza
{
    // A bounce's words serve a log line and an outcome; nobody reads a book there.
    private const int MaxErrorTextBytes = 1024;

    private readonly StanzaLayout _layout;

    internal InboundStanza(ReadOnlySpan<byte> bytes, StanzaKind kind, in StanzaLayout layout)
    {
        Bytes = bytes;
        Kind = kind;
        _layout = layout;
    }

    /// <summary>The whole element, as it came: valid UTF-8, tags balanced.</summary>
    public ReadOnlySpan<byte> Bytes { get; }

    /// <summary>What it is.</summary>
    public StanzaKind Kind { get; }

    /// <summary>The element's qualified name.</summary>
    public ReadOnlySpan<byte> Name => Bytes.IsEmpty ? default : Bytes.Slice(1, _layout.NameLength);

    /// <summary>The sender.</summary>
    public AttributeValue From => _layout.From.In(Bytes);

    /// <summary>The recipient.</summary>
    public AttributeValue To => _layout.To.In(Bytes);

    /// <summary>The stanza id.</summary>
    public AttributeValue Id => _layout.Id.In(Bytes);

    /// <summary>The type.</summary>
    public AttributeValue Type => _layout.Type.In(Bytes);

    /// <summary>Whether <c>type='error'</c>, RFC 6120 §8.3.1.</summary>
    public bool IsError => Type.Is("error"u8);

    /// <summary>The first child's name without its prefix; empty when the stanza has no child element.</summary>
    public ReadOnlySpan<byte> FirstChildName => TryFirstChild(out var child) ? child.LocalName : default;

    /// <summary>
    /// The first child's namespace. Absent when it is the stream's own, or when its prefix is
    /// declared neither on the child nor on the stanza.
    /// </summary>
    public AttributeValue FirstChildNamespace
    {
        get
        {
            if (!TryFirstChild(out var child))
                return default;
            if (MarkupCursor.TryGetNamespace(child.Name, child.Attributes, out var ns))
                return new AttributeValue(ns, NeedsResolving(ns));
            var stanza = new MarkupCursor(Bytes);
            return stanza.Next() && MarkupCursor.TryGetNamespace(child.Name, stanza.Attributes, out ns)
                ? new AttributeValue(ns, NeedsResolving(ns))
                : default;
        }
    }

    /// <summary>Whether the stanza has a child <c>error</c> in the stream's own namespace.</summary>
    public bool HasErrorChild => TryErrorChild(out _);

    /// <summary>Whether the first child has this local name and this namespace.</summary>
    public bool FirstChildIs(ReadOnlySpan<byte> localName, ReadOnlySpan<byte> ns) =>
        FirstChildName.SequenceEqual(localName) && FirstChildNamespace.Is(ns);

    /// <summary>
    /// Reads the <c>error</c> child, RFC 6120 §8.3.2; null when there is none. The text is cut
    /// at 1,024 bytes.
    /// </summary>
    public StanzaError? ReadError()
    {
        if (!TryErrorChild(out var cursor))
            return null;
        var type = MarkupCursor.TryGetAttribute(cursor.Attributes, "type"u8, out var raw)
            ? StanzaError.TypeFromWireName(Encoding.UTF8.GetString(raw))
            : StanzaErrorType.Unknown;
        cursor.ReadErrorContent("urn:ietf:params:xml:ns:xmpp-stanzas"u8, MaxErrorTextBytes, out var condition, out var text);
        return new StanzaError(
            type,
            condition is null ? StanzaErrorCondition.Unknown : StanzaError.ConditionFromWireName(condition),
            text);
    }

    private static bool NeedsResolving(ReadOnlySpan<byte> value) => value.IndexOfAny("&\t\r\n"u8) >= 0;

    internal static bool IsStreamNamespace(ReadOnlySpan<byte> ns) =>
        ns.SequenceEqual("jabber:component:accept"u8) || ns.SequenceEqual("jabber:client"u8);

    // The layout knows the first child of that name; one of the app's own may stand before the real one.
    private bool TryErrorChild(out MarkupCursor error)
    {
        error = default;
        if (_layout.ErrorChild < 0)
            return false;
        var stanza = new MarkupCursor(Bytes);
        var inherits = !stanza.Next() || !MarkupCursor.TryGetAttribute(stanza.Attributes, "xmlns"u8, out var ns) || IsStreamNamespace(ns);
        var cursor = new MarkupCursor(Bytes[_layout.ErrorChild..]);
        var depth = 0;
        while (depth >= 0 && cursor.Next())
        {
            if (cursor.Token == MarkupToken.End)
            {
                depth--;
            }
            else if (cursor.Token is MarkupToken.Start or MarkupToken.Empty)
            {
                if (depth == 0 && cursor.Name.SequenceEqual("error"u8)
                    && (MarkupCursor.TryGetAttribute(cursor.Attributes, "xmlns"u8, out ns) ? IsStreamNamespace(ns) : inherits))
                {
                    error = cursor;
                    return true;
                }

                if (cursor.Token == MarkupToken.Start)
                    depth++;
            }
        }

        return false;
    }

    private bool TryFirstChild(out MarkupCursor child)
    {
        child = default;
        if (_layout.FirstChild < 0)
            return false;
        child = new MarkupCursor(Bytes[_layout.FirstChild..]);
        return child.Next();
    }
}
