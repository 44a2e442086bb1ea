using System.Text;

namespace Bridge.Fuzz.Tests.Corpora;

/// <summary>Random choices that the grammars share.</summary>
internal static class Choices
{
    // Where a code point's length, plane or permission changes, and some that parsers are known to trip over.
    private static readonly int[] Borders =
    [
        0x09, 0x0A, 0x0D, 0x20, 0x7E, 0x7F, 0x80, 0x85, 0x9F, 0xA0, 0xFF, 0x100, 0x130, 0x131, 0x300, 0x7FF, 0x800, 0xFFF, 0x1000, 0x200B, 0x200F, 0x2028,
        0x2029, 0x202E, 0xD7FF, 0xE000, 0xF8FF, 0xFDD0, 0xFDEF, 0xFEFF, 0xFFFC, 0xFFFD, 0x10000, 0x1F600, 0x1FFFE, 0x1FFFF, 0x20000, 0xE0001, 0xF0000,
        0x10FFFD, 0x10FFFF,
    ];

    public static bool Chance(this Random random, int percent) => random.Next(100) < percent;

    public static T Pick<T>(this Random random, params ReadOnlySpan<T> choices) => choices[random.Next(choices.Length)];

    /// <summary>A character that XML permits, of any plane.</summary>
    public static Rune Character(this Random random)
    {
        switch (random.Next(8))
        {
            case < 4:
                return new Rune(random.Next(0x20, 0x7F));
            case 4:
                return new Rune(random.Pick(Borders));
            case 5:
                return new Rune(random.Next(0xA0, 0xD800));
            case 6:
                return new Rune(random.Next(0xE000, 0xFFFE));
            default:
                return new Rune((random.Next(1, 17) << 16) | random.Next(0x10000));
        }
    }
}
