namespace Bridge.Sink;

/// <summary>
/// Finds the stanzas in a stream's bytes. It believes in well-formed input, and that no message holds another:
/// the benchmark's own do not.
/// </summary>
internal static class StanzaScanner
{
    /// <summary>Counts the messages at the front of the input.</summary>
    /// <returns>The bytes of what was counted; behind it stands something else, or the beginning of a message.</returns>
    public static int CountMessages(ReadOnlySpan<byte> input, Tally tally, long now)
    {
        var position = 0;
        while (true)
        {
            var rest = input[position..];
            if (!rest.StartsWith("<message"u8))
                return position;
            var end = rest.IndexOf("</message>"u8);
            if (end < 0)
                return position;
            tally.Count(Attribute(rest[..end], " id="u8), now);
            position += end + "</message>".Length;
        }
    }

    /// <summary>
    /// The length of the element, or of the other thing in markup or white space, at the front of the input; 0 when
    /// it is not all there.
    /// </summary>
    public static int NextLength(ReadOnlySpan<byte> input)
    {
        if (input.IsEmpty || input[0] != '<')
        {
            var markup = input.IndexOf((byte)'<');
            return markup < 0 ? input.Length : markup;
        }

        var tag = input.IndexOf((byte)'>') + 1;
        if (tag == 0 || input[1] is (byte)'?' or (byte)'/' || input[tag - 2] == '/' || input.StartsWith("<stream:stream"u8))
            return tag;
        Span<byte> closing = stackalloc byte[64];
        var name = Name(input);
        "</"u8.CopyTo(closing);
        name.CopyTo(closing[2..]);
        closing[name.Length + 2] = (byte)'>';
        closing = closing[..(name.Length + 3)];
        var end = input[tag..].IndexOf(closing);
        return end < 0 ? 0 : tag + end + closing.Length;
    }

    public static ReadOnlySpan<byte> Name(ReadOnlySpan<byte> element)
    {
        var end = element[1..].IndexOfAny((byte)' ', (byte)'>', (byte)'/');
        return element.Slice(1, Math.Min(60, Math.Max(0, end)));
    }

    /// <summary>The value of the first attribute of that name, in either kind of quotes; empty when there is none.</summary>
    /// <param name="element">A start tag, with or without what follows.</param>
    /// <param name="named">The name between a space and the equals sign.</param>
    public static ReadOnlySpan<byte> Attribute(ReadOnlySpan<byte> element, ReadOnlySpan<byte> named)
    {
        var start = element.IndexOf(named) + named.Length;
        if (start < named.Length || start >= element.Length)
            return [];
        var value = element[(start + 1)..];
        var end = value.IndexOf(element[start]);
        return end < 0 ? [] : value[..end];
    }
}
