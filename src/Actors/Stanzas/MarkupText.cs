using System.Buffers.Text;
using System.Text;

namespace Bridge.Stanzas;

/// <summary>The text behind a server's raw markup: references resolved, white space normalised.</summary>
internal static class MarkupText
{
    /// <summary>Longest reference that is read, without <c>&amp;</c> and <c>;</c>: room for leading zeros that nobody writes.</summary>
    public const int MaxReferenceLength = 16;

    /// <summary>
    /// Resolves a reference, given without <c>&amp;</c> and <c>;</c>: one of the five that XML
    /// predefines, or a character reference. XMPP knows no others (RFC 6120 §11.1).
    /// </summary>
    public static bool TryResolve(ReadOnlySpan<byte> reference, out Rune character)
    {
        character = default;
        if (reference.Length is < 2 or > MaxReferenceLength)
            return false;
        if (reference[0] != '#')
        {
            var named = reference switch
            {
                [(byte)'l', (byte)'t'] => '<',
                [(byte)'g', (byte)'t'] => '>',
                [(byte)'a', (byte)'m', (byte)'p'] => '&',
                [(byte)'a', (byte)'p', (byte)'o', (byte)'s'] => '\'',
                [(byte)'q', (byte)'u', (byte)'o', (byte)'t'] => '"',
                _ => '\0',
            };
            character = new Rune(named);
            return named != '\0';
        }

        var hexadecimal = reference[1] == 'x';
        var digits = reference[(hexadecimal ? 2 : 1)..];
        // The parser takes a sign, XML does not.
        if (digits.IsEmpty || digits[0] is (byte)'+' or (byte)'-')
            return false;
        if (!Utf8Parser.TryParse(digits, out uint codePoint, out var used, hexadecimal ? 'x' : 'D')
            || used != digits.Length || codePoint > 0x10FFFF || !XmlText.IsPermitted((int)codePoint))
            return false;
        character = new Rune(codePoint);
        return true;
    }

    /// <summary>An attribute's value: references resolved, white space normalised (XML 1.0 §3.3.3).</summary>
    public static string AttributeText(ReadOnlySpan<byte> raw) => Resolve(raw, lineEnd: ' ', tab: ' ', int.MaxValue);

    /// <summary>Character data: references resolved, line ends normalised (XML 1.0 §2.11), cut at <paramref name="maxBytes" /> of the raw form.</summary>
    public static string ContentText(ReadOnlySpan<byte> raw, int maxBytes) => Resolve(raw, lineEnd: '\n', tab: '\t', maxBytes);

    private static string Resolve(ReadOnlySpan<byte> raw, char lineEnd, char tab, int maxBytes)
    {
        if (raw.Length > maxBytes)
            raw = raw[..maxBytes];
        if (raw.IndexOfAny("&\t\r\n"u8) < 0)
            return Encoding.UTF8.GetString(raw);
        var text = new StringBuilder(raw.Length);
        while (!raw.IsEmpty)
        {
            var plain = raw.IndexOfAny("&\t\r\n"u8);
            if (plain < 0)
                plain = raw.Length;
            text.Append(Encoding.UTF8.GetString(raw[..plain]));
            raw = raw[plain..];
            if (raw.IsEmpty)
                break;
            var used = 1;
            if (raw[0] == '\t')
            {
                text.Append(tab);
            }
            else if (raw[0] != '&')
            {
                text.Append(lineEnd);
                used = raw.StartsWith("\r\n"u8) ? 2 : 1;
            }
            else
            {
                var end = raw.IndexOf((byte)';');
                if (end < 0)
                    break; // Cut inside a reference.
                if (TryResolve(raw[1..end], out var character))
                    text.Append(character.ToString());
                used = end + 1;
            }

            raw = raw[used..];
        }

        return text.ToString();
    }
}
