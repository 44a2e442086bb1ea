namespace Bridge.Fuzz.Tests.Corpora;

/// <summary>Damages inputs, byte by byte and token by token, and mixes two of them.</summary>
/// <param name="random">Where the choices come from.</param>
/// <param name="borders">The bytes at which tokens of the language begin or end.</param>
/// <param name="dictionary">Pieces of the language that are worth putting anywhere.</param>
internal sealed class ByteMutator(Random random, byte[] borders, byte[][] dictionary)
{
    private const int MaxLength = 3 * FuzzedEncoder.MaxBytes;

    private static readonly byte[][] BadBytes =
    [
        // Cut, overlong, surrogates, beyond Unicode, non-characters, byte order marks, controls.
        [0xFF], [0xFE], [0xC3], [0x80], [0xBF], [0xC0, 0x80], [0xC0, 0xBC], [0xC1, 0xBF], [0xE0, 0x80, 0xBC], [0xE0, 0x9F, 0xBF], [0xF0, 0x80, 0x80, 0xBC],
        [0xF0, 0x8F, 0xBF, 0xBF], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF], [0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80],
        [0xF8, 0x88, 0x80, 0x80, 0x80], [0xEF, 0xBF, 0xBE], [0xEF, 0xBF, 0xBF], [0xEF, 0xBB, 0xBF], [0xE2, 0x82], [0xF0, 0x9F, 0x98], [0x00], [0x01], [0x0B],
        [0x0C], [0x1F], [0x7F], [0xC2, 0x80], [0xC2, 0x85], [0xFE, 0xFF], [0xFF, 0xFE], [0x3C, 0x00], [0xEF, 0xBF, 0xBD], [0xF0, 0x9F, 0xBF, 0xBE],
    ];

    private static readonly int[] BoundaryLengths =
        [1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 1022, 1023, 1024, 1025, 4095, 4096, 4097, FuzzedEncoder.MaxBytes - 1, FuzzedEncoder.MaxBytes, FuzzedEncoder.MaxBytes + 1];

    /// <summary>A damaged copy.</summary>
    /// <param name="input">What to damage.</param>
    /// <param name="other">Another input, to take pieces from.</param>
    public byte[] Mutate(byte[] input, byte[] other)
    {
        var bytes = new List<byte>(input);
        for (var damages = 1 << random.Next(4); damages > 0; damages--)
            Damage(bytes, other);
        if (bytes.Count > MaxLength)
            bytes.RemoveRange(MaxLength, bytes.Count - MaxLength);
        return [.. bytes];
    }

    private void Damage(List<byte> bytes, byte[] other)
    {
        if (bytes.Count == 0)
        {
            bytes.AddRange(random.Pick(dictionary));
            return;
        }

        var at = random.Next(bytes.Count);
        switch (random.Next(18))
        {
            case 0:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
            case 1:
                bytes[at] = (byte)random.Next(256);
                break;
            case 2:
                bytes[at] = random.Pick(borders);
                break;
            case 3:
                bytes.Insert(at, random.Pick(borders));
                break;
            case 4:
                bytes.RemoveAt(at);
                break;
            case 5:
                bytes.RemoveRange(at, random.Next(1, Math.Min(bytes.Count - at, 16) + 1));
                break;
            case 6:
                bytes.InsertRange(at, random.Pick(BadBytes));
                break;
            case 7 or 8 or 9:
                bytes.InsertRange(random.Chance(50) ? at : TokenAt(bytes, at).Start, random.Pick(dictionary));
                break;
            case 10:
                // Cut off here: a truncated sequence, tag or string.
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            case 11:
                var (start, length) = TokenAt(bytes, at);
                bytes.RemoveRange(start, length);
                break;
            case 12:
                (start, length) = TokenAt(bytes, at);
                bytes.InsertRange(start, bytes.GetRange(start, length));
                break;
            case 13:
                (start, length) = TokenAt(bytes, at);
                var moved = bytes.GetRange(start, length);
                bytes.RemoveRange(start, length);
                bytes.InsertRange(bytes.Count == 0 ? 0 : TokenAt(bytes, random.Next(bytes.Count)).Start, moved);
                break;
            case 14:
                (start, length) = TokenAt(bytes, at);
                bytes.RemoveRange(start, length);
                bytes.InsertRange(start, TokenOf(other));
                break;
            case 15:
                bytes.InsertRange(TokenAt(bytes, at).Start, TokenOf(other));
                break;
            case 16:
                // The head of one, the tail of the other.
                bytes.RemoveRange(at, bytes.Count - at);
                if (other.Length > 0)
                    bytes.AddRange(other[random.Next(other.Length)..]);
                break;
            default:
                if (random.Chance(90))
                    bytes.Insert(at, bytes[at]);
                else
                    bytes.InsertRange(at, Enumerable.Repeat(bytes[at], random.Pick(BoundaryLengths)));
                break;
        }
    }

    private byte[] TokenOf(byte[] other)
    {
        if (other.Length == 0)
            return random.Pick(dictionary);
        var at = random.Next(other.Length);
        var (start, length) = Token(other, at);
        return other[start..(start + length)];
    }

    private (int Start, int Length) TokenAt(List<byte> bytes, int at) =>
        Token(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(bytes), at);

    // From the border at or before a byte to the next one: a tag's name, an attribute, a value, text.
    private (int Start, int Length) Token(ReadOnlySpan<byte> bytes, int at)
    {
        var start = at;
        while (start > 0 && !borders.AsSpan().Contains(bytes[start]))
            start--;
        var end = at + 1;
        while (end < bytes.Length && !borders.AsSpan().Contains(bytes[end]))
            end++;
        if (end < bytes.Length && random.Chance(50))
            end++;
        return (start, end - start);
    }
}
