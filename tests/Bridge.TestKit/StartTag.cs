using System.Buffers;
using System.Text;
using System.Xml.Linq;

namespace Bridge.TestKit;

/// <summary>
/// Reads the name and the attributes of the tag with which an element's bytes begin, without allocating. Takes
/// attributes in any order and both quotes; the element must be well-formed.
/// </summary>
public static class StartTag
{
    private static readonly SearchValues<byte> EndOfName = SearchValues.Create(" \t\r\n/>"u8);

    /// <summary>The element's name, with its prefix as sent.</summary>
    public static ReadOnlySpan<byte> Name(ReadOnlySpan<byte> element)
    {
        var name = element[1..];
        return name[..name.IndexOfAny(EndOfName)];
    }

    /// <summary>Finds an attribute by the name that it was sent with.</summary>
    /// <param name="element">The element.</param>
    /// <param name="attribute">The attribute's name.</param>
    /// <param name="value">Its value, still escaped.</param>
    public static bool TryGet(
        ReadOnlySpan<byte> element, ReadOnlySpan<byte> attribute, out ReadOnlySpan<byte> value)
    {
        var rest = element[(1 + Name(element).Length)..];
        while (true)
        {
            rest = rest.TrimStart(" \t\r\n"u8);
            if (rest.IsEmpty || rest[0] is (byte)'>' or (byte)'/' or (byte)'?')
                break;
            var equals = rest.IndexOf((byte)'=');
            if (equals < 0)
                break;
            var name = rest[..equals].TrimEnd(" \t\r\n"u8);
            rest = rest[(equals + 1)..].TrimStart(" \t\r\n"u8);
            var length = rest[1..].IndexOf(rest[0]);
            if (length < 0)
                break;
            if (name.SequenceEqual(attribute))
            {
                value = rest.Slice(1, length);
                return true;
            }

            rest = rest[(length + 2)..];
        }

        value = default;
        return false;
    }

    /// <summary>An attribute's value as text, its references resolved.</summary>
    public static string Unescape(ReadOnlySpan<byte> value)
    {
        var text = Encoding.UTF8.GetString(value);
        if (!text.Contains('&', StringComparison.Ordinal))
            return text;
        var quoted = text.Replace("\"", "&quot;", StringComparison.Ordinal);
        return XElement.Parse($"<x y=\"{quoted}\"/>").Attribute("y")!.Value;
    }

    /// <summary>Text as it may stand in an attribute's value or in character data, in either quotes.</summary>
    public static string Escape(string text) => text
        .Replace("&", "&amp;", StringComparison.Ordinal)
        .Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace(">", "&gt;", StringComparison.Ordinal)
        .Replace("\"", "&quot;", StringComparison.Ordinal)
        .Replace("'", "&apos;", StringComparison.Ordinal);
}
