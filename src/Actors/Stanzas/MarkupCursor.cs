using System.Text;

namespace Bridge.Stanzas;

/// <summary>What a <see cref="MarkupCursor" /> stands on.</summary>
internal enum MarkupToken
{
    /// <summary>The end of the bytes.</summary>
    None,

    /// <summary>A start tag.</summary>
    Start,

    /// <summary>An empty-element tag.</summary>
    Empty,

    /// <summary>An end tag.</summary>
    End,

    /// <summary>Character data.</summary>
    Text,

    /// <summary>The content of a CDATA section.</summary>
    Cdata,
}

/// <summary>
/// Walks over bytes that <see cref="StanzaReader" /> has found well-formed, for the few places
/// that look deeper than a stanza's own attributes. It checks nothing again; on other bytes it
/// ends early, but stays within them.
/// </summary>
internal ref struct MarkupCursor(ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private int _next;

    /// <summary>The kind of the current token.</summary>
    public MarkupToken Token { get; private set; }

    /// <summary>The qualified name, on a tag.</summary>
    public ReadOnlySpan<byte> Name { get; private set; }

    /// <summary>What follows the name in a start or empty tag, up to <c>/&gt;</c> or <c>&gt;</c>.</summary>
    public ReadOnlySpan<byte> Attributes { get; private set; }

    /// <summary>The raw text, on character data.</summary>
    public ReadOnlySpan<byte> Text { get; private set; }

    /// <summary>The name without its prefix.</summary>
    public readonly ReadOnlySpan<byte> LocalName => Name[(Name.IndexOf((byte)':') + 1)..];

    /// <summary>Moves to the next token; false at the end.</summary>
    public bool Next()
    {
        var rest = _bytes[_next..];
        if (rest.IsEmpty)
            return Stop();
        if (rest[0] != '<')
        {
            var length = rest.IndexOf((byte)'<');
            return TextOf(MarkupToken.Text, rest, 0, length < 0 ? rest.Length : length, 0);
        }

        if (rest.StartsWith("<![CDATA["u8))
        {
            var length = rest[9..].IndexOf("]]>"u8);
            return length < 0 ? Stop() : TextOf(MarkupToken.Cdata, rest, 9, length, 3);
        }

        var end = TagEnd(rest);
        if (end < 0)
            return Stop();
        _next += end + 1;
        var tag = rest[1..end];
        Token = MarkupToken.Start;
        if (tag.StartsWith("/"u8))
        {
            Token = MarkupToken.End;
            tag = tag[1..];
        }
        else if (tag.EndsWith("/"u8))
        {
            Token = MarkupToken.Empty;
            tag = tag[..^1];
        }

        var nameEnd = tag.IndexOfAny(" \t\r\n"u8);
        Name = nameEnd < 0 ? tag : tag[..nameEnd];
        Attributes = nameEnd < 0 ? default : tag[nameEnd..];
        return true;
    }

    /// <summary>
    /// The raw value of the attribute of this qualified name; false where there is none.
    /// <paramref name="attributes" /> is what <see cref="Attributes" /> gives.
    /// </summary>
    public static bool TryGetAttribute(ReadOnlySpan<byte> attributes, scoped ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        while (true)
        {
            attributes = attributes.TrimStart(" \t\r\n"u8);
            var equals = attributes.IndexOf((byte)'=');
            if (equals < 0)
                break;
            var found = attributes[..equals].TrimEnd(" \t\r\n"u8);
            attributes = attributes[(equals + 1)..].TrimStart(" \t\r\n"u8);
            if (attributes.IsEmpty)
                break;
            var length = attributes[1..].IndexOf(attributes[0]);
            if (length < 0)
                break;
            if (found.SequenceEqual(name))
            {
                value = attributes.Slice(1, length);
                return true;
            }

            attributes = attributes[(length + 2)..];
        }

        value = default;
        return false;
    }

    /// <summary>
    /// The raw namespace name that the prefix of <paramref name="name" /> is bound to by these
    /// attributes; false where they do not declare it.
    /// </summary>
    public static bool TryGetNamespace(scoped ReadOnlySpan<byte> name, ReadOnlySpan<byte> attributes, out ReadOnlySpan<byte> value)
    {
        var colon = name.IndexOf((byte)':');
        if (colon < 0)
            return TryGetAttribute(attributes, "xmlns"u8, out value);
        Span<byte> declaration = stackalloc byte[64];
        value = default;
        if (colon + 6 > declaration.Length)
            return false;
        "xmlns:"u8.CopyTo(declaration);
        name[..colon].CopyTo(declaration[6..]);
        return TryGetAttribute(attributes, declaration[..(colon + 6)], out value);
    }

    /// <summary>
    /// Reads the content of an error element on whose start tag the cursor stands: the first
    /// child in <paramref name="conditionNamespace" /> that is not <c>text</c>, and the first
    /// <c>text</c> (RFC 6120 §4.9.2, §8.3.2), the text cut at <paramref name="maxTextBytes" />.
    /// </summary>
    public void ReadErrorContent(ReadOnlySpan<byte> conditionNamespace, int maxTextBytes, out string? condition, out string? text)
    {
        condition = null;
        text = null;
        if (Token != MarkupToken.Start)
            return;
        var outer = Attributes;
        StringBuilder? words = null;
        var depth = 0;
        var inText = false;
        while (depth >= 0 && Next())
        {
            switch (Token)
            {
                case MarkupToken.End:
                    depth--;
                    inText &= depth > 0;
                    break;
                case MarkupToken.Text when inText && words!.Length < maxTextBytes:
                    words.Append(MarkupText.ContentText(Text, maxTextBytes - words.Length));
                    break;
                case MarkupToken.Cdata when inText && words!.Length < maxTextBytes:
                    words.Append(Encoding.UTF8.GetString(Text[..Math.Min(Text.Length, maxTextBytes - words.Length)]).ReplaceLineEndings("\n"));
                    break;
                case MarkupToken.Start or MarkupToken.Empty:
                    if (depth == 0
                        && (TryGetNamespace(Name, Attributes, out var ns) || TryGetNamespace(Name, outer, out ns))
                        && ns.SequenceEqual(conditionNamespace))
                    {
                        if (!LocalName.SequenceEqual("text"u8))
                        {
                            condition ??= Encoding.UTF8.GetString(LocalName);
                        }
                        else if (words is null)
                        {
                            words = new StringBuilder();
                            inText = Token == MarkupToken.Start;
                        }
                    }

                    if (Token == MarkupToken.Start)
                        depth++;
                    break;
            }
        }

        text = words?.ToString();
    }

    private static int TagEnd(ReadOnlySpan<byte> tag)
    {
        for (var i = 1; ;)
        {
            var step = tag[i..].IndexOfAny((byte)'>', (byte)'\'', (byte)'"');
            if (step < 0)
                return -1;
            i += step;
            if (tag[i] == '>')
                return i;
            // A quoted value may hold the sign that ends a tag.
            var length = tag[(i + 1)..].IndexOf(tag[i]);
            if (length < 0)
                return -1;
            i += length + 2;
        }
    }

    private bool TextOf(MarkupToken token, ReadOnlySpan<byte> rest, int before, int length, int after)
    {
        Token = token;
        Name = default;
        Attributes = default;
        Text = rest.Slice(before, length);
        _next += before + length + after;
        return true;
    }

    private bool Stop()
    {
        Token = MarkupToken.None;
        _next = _bytes.Length;
        return false;
    }
}
