using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace Bridge.Stanzas;

/// <summary>Character rules of XML 1.0 on UTF-8 bytes: what may occur, how references read, how text is escaped.</summary>
internal static class XmlText
{
    private static readonly SearchValues<byte> NormalisedBytes = SearchValues.Create("&\t\n\r"u8);

    private static readonly SearchValues<byte> AttributeEscapes = SearchValues.Create("<>&'\"\t\n\r"u8);

    private static readonly SearchValues<byte> TextEscapes = SearchValues.Create("<>&\r"u8);

    /// <summary>ASCII controls that XML 1.0 §2.2 excludes.</summary>
    public static readonly SearchValues<byte> ForbiddenControls = SearchValues.Create(
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31]);

    // First two bytes of U+FFC0 to U+FFFF.
    private static ReadOnlySpan<byte> ReplacementBlock => [0xEF, 0xBF];

    /// <summary>White space of XML 1.0 §2.3.</summary>
    public static bool IsWhiteSpace(byte b) => b is (byte)' ' or (byte)'\t' or (byte)'\n' or (byte)'\r';

    /// <summary>Whether XML 1.0 §2.2 permits the character.</summary>
    public static bool IsPermitted(int character) => character switch
    {
        '\t' or '\n' or '\r' => true,
        < 0x20 => false,
        < 0xD800 => true,
        < 0xE000 => false,
        < 0xFFFE => true,
        < 0x10000 => false,
        _ => character <= 0x10FFFF,
    };

    /// <summary>
    /// Finds the first byte that no XML in UTF-8 may hold for reasons above ASCII: an invalid
    /// sequence, U+FFFE or U+FFFF. ASCII controls are not looked for here.
    /// </summary>
    /// <returns>The reason, or <see cref="RejectionReason.None" />.</returns>
    public static RejectionReason FindForbidden(ReadOnlySpan<byte> utf8, out int offset)
    {
        offset = -1;
        if (Ascii.IsValid(utf8))
            return RejectionReason.None;
        if (!Utf8.IsValid(utf8))
        {
            offset = InvalidSequence(utf8);
            return RejectionReason.NotUtf8;
        }

        for (var at = 0; ;)
        {
            var next = utf8[at..].IndexOf(ReplacementBlock);
            if (next < 0)
                return RejectionReason.None;
            at += next;

            // Valid UTF-8: the third byte is there. BE is U+FFFE, BF is U+FFFF.
            if (utf8[at + 2] >= 0xBE)
            {
                offset = at;
                return RejectionReason.ForbiddenCharacter;
            }

            at += 3;
        }
    }

    /// <summary>Index of the first character that XML 1.0 §2.2 excludes, controls included; -1 if none.</summary>
    /// <param name="utf8">Valid UTF-8.</param>
    public static int IndexOfForbidden(ReadOnlySpan<byte> utf8)
    {
        var control = utf8.IndexOfAny(ForbiddenControls);
        return FindForbidden(control < 0 ? utf8 : utf8[..control], out var offset) == RejectionReason.None ? control : offset;
    }

    private static int InvalidSequence(ReadOnlySpan<byte> utf8)
    {
        var at = 0;
        while (Rune.DecodeFromUtf8(utf8[at..], out _, out var length) == OperationStatus.Done)
            at += length;
        return at;
    }

    /// <summary>Reads a reference to a predefined entity or a permitted character (XML 1.0 §4.1, §4.6).</summary>
    /// <param name="text">Begins with <c>&amp;</c>.</param>
    /// <param name="character">What it stands for.</param>
    /// <param name="length">Its bytes, <c>;</c> included.</param>
    public static bool TryReadReference(ReadOnlySpan<byte> text, out int character, out int length)
    {
        (character, length) = text switch
        {
            [_, (byte)'a', (byte)'m', (byte)'p', (byte)';', ..] => ('&', 5),
            [_, (byte)'l', (byte)'t', (byte)';', ..] => ('<', 4),
            [_, (byte)'g', (byte)'t', (byte)';', ..] => ('>', 4),
            [_, (byte)'q', (byte)'u', (byte)'o', (byte)'t', (byte)';', ..] => ('"', 6),
            [_, (byte)'a', (byte)'p', (byte)'o', (byte)'s', (byte)';', ..] => ('\'', 6),
            _ => (-1, 0),
        };
        return length > 0 || (text.Length > 3 && text[1] == (byte)'#' && TryReadNumber(text, out character, out length));
    }

    private static bool TryReadNumber(ReadOnlySpan<byte> text, out int character, out int length)
    {
        character = -1;
        length = 0;
        var hexadecimal = text[2] == (byte)'x';
        var digits = text[(hexadecimal ? 3 : 2)..];

        // Eight digits hold every character and cannot overflow; more leading zeros are refused.
        var count = digits[..Math.Min(digits.Length, 9)].IndexOf((byte)';');
        if (count is < 1 or > 8)
            return false;
        var value = 0L;
        foreach (var b in digits[..count])
        {
            var digit = b switch
            {
                >= (byte)'0' and <= (byte)'9' => b - '0',
                >= (byte)'a' and <= (byte)'f' when hexadecimal => b - 'a' + 10,
                >= (byte)'A' and <= (byte)'F' when hexadecimal => b - 'A' + 10,
                _ => -1,
            };
            if (digit < 0)
                return false;
            value = (value * (hexadecimal ? 16 : 10)) + digit;
        }

        if (value > 0x10FFFF || !IsPermitted((int)value))
            return false;
        character = (int)value;
        length = (hexadecimal ? 3 : 2) + count + 1;
        return true;
    }

    /// <summary>
    /// The value of a scanned attribute as a parser reports it: references resolved, white space
    /// normalised (XML 1.0 §2.11, §3.3.3).
    /// </summary>
    /// <param name="raw">The bytes between the quotes, accepted by the scanner.</param>
    /// <param name="destination">Room for as many bytes; no value grows.</param>
    /// <returns>Bytes written.</returns>
    public static int UnescapeAttribute(ReadOnlySpan<byte> raw, Span<byte> destination)
    {
        var written = 0;
        while (true)
        {
            var stop = raw.IndexOfAny(NormalisedBytes);
            var plain = stop < 0 ? raw : raw[..stop];
            plain.CopyTo(destination[written..]);
            written += plain.Length;
            if (stop < 0)
                return written;
            raw = raw[stop..];
            if (raw[0] == (byte)'&')
            {
                if (!TryReadReference(raw, out var character, out var length))
                    throw new ArgumentException("the value was not accepted by the scanner", nameof(raw));
                written += new Rune(character).EncodeToUtf8(destination[written..]);
                raw = raw[length..];
            }
            else
            {
                destination[written++] = (byte)' ';
                raw = raw[(raw.StartsWith("\r\n"u8) ? 2 : 1)..];
            }
        }
    }

    /// <summary>Whether text fits in any case, escaped: no character becomes longer than <c>&amp;apos;</c>.</summary>
    public static bool FitsHoweverEscaped(ReadOnlySpan<byte> text, Span<byte> destination) => text.Length <= destination.Length / 6;

    /// <summary>How many bytes <see cref="EscapeAttribute" /> writes.</summary>
    public static int EscapedAttributeLength(ReadOnlySpan<byte> text) => EscapedLength(text, AttributeEscapes);

    /// <summary>
    /// Writes text so that it reads back unchanged in an attribute's value, in either quotes. White
    /// space other than the space becomes a reference: a parser would report a space instead.
    /// </summary>
    /// <param name="text">Permitted characters in UTF-8.</param>
    /// <param name="destination">Room for <see cref="EscapedAttributeLength" /> bytes.</param>
    /// <returns>Bytes written.</returns>
    public static int EscapeAttribute(ReadOnlySpan<byte> text, Span<byte> destination) => Escape(text, destination, AttributeEscapes);

    /// <summary>How many bytes <see cref="EscapeText" /> writes.</summary>
    public static int EscapedTextLength(ReadOnlySpan<byte> text) => EscapedLength(text, TextEscapes);

    /// <summary>
    /// Writes text so that it reads back unchanged as an element's content. A carriage return
    /// becomes a reference: a parser would report a line feed instead (XML 1.0 §2.11).
    /// </summary>
    /// <param name="text">Permitted characters in UTF-8.</param>
    /// <param name="destination">Room for <see cref="EscapedTextLength" /> bytes.</param>
    /// <returns>Bytes written.</returns>
    public static int EscapeText(ReadOnlySpan<byte> text, Span<byte> destination) => Escape(text, destination, TextEscapes);

    private static int EscapedLength(ReadOnlySpan<byte> text, SearchValues<byte> escapes)
    {
        var length = text.Length;
        while (true)
        {
            var stop = text.IndexOfAny(escapes);
            if (stop < 0)
                return length;
            length += ReferenceTo(text[stop]).Length - 1;
            text = text[(stop + 1)..];
        }
    }

    private static int Escape(ReadOnlySpan<byte> text, Span<byte> destination, SearchValues<byte> escapes)
    {
        var written = 0;
        while (true)
        {
            var stop = text.IndexOfAny(escapes);
            var plain = stop < 0 ? text : text[..stop];
            plain.CopyTo(destination[written..]);
            written += plain.Length;
            if (stop < 0)
                return written;
            var reference = ReferenceTo(text[stop]);
            reference.CopyTo(destination[written..]);
            written += reference.Length;
            text = text[(stop + 1)..];
        }
    }

    private static ReadOnlySpan<byte> ReferenceTo(byte b) => b switch
    {
        (byte)'<' => "&lt;"u8,
        (byte)'>' => "&gt;"u8,
        (byte)'&' => "&amp;"u8,
        (byte)'\'' => "&apos;"u8,
        (byte)'"' => "&quot;"u8,
        (byte)'\t' => "&#9;"u8,
        (byte)'\n' => "&#10;"u8,
        _ => "&#13;"u8,
    };
}
