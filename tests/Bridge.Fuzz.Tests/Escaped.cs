using System.Text;

namespace Bridge.Fuzz.Tests;

/// <summary>Bytes as printable text: what is not ASCII stands as <c>\xNN</c>.</summary>
internal static class Escaped
{
    private const int MaxBytes = 4000;

    public static string Of(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder();
        foreach (var b in bytes[..Math.Min(bytes.Length, MaxBytes)])
        {
            if (b is >= 0x20 and < 0x7F and not (byte)'\\')
                text.Append((char)b);
            else
                text.Append("\\x").Append(b.ToString("X2", System.Globalization.CultureInfo.InvariantCulture));
        }

        return bytes.Length > MaxBytes ? $"{text} … of {bytes.Length} bytes" : text.ToString();
    }
}
