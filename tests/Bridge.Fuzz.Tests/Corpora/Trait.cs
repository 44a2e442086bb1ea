namespace Bridge.Fuzz.Tests.Corpora;

/// <summary>
/// Something about how an input was treated, as one number that is the same in every process
/// (FNV-1a): the place in the code that decided, roughly where in the input, and what stood there.
/// </summary>
internal struct Trait
{
    private ulong _hash;

    public Trait() => _hash = 0xCBF29CE484222325;

    public readonly ulong Value => _hash;

    public void Add(int number) => _hash = (_hash ^ (uint)number) * 0x100000001B3;

    /// <summary>Adds words without their numbers, which differ for one and the same place in the code.</summary>
    public void Add(string? words)
    {
        foreach (var character in words ?? "")
        {
            if (!char.IsAsciiDigit(character))
                Add(character);
        }
    }

    /// <summary>Adds the magnitude of a number.</summary>
    public void AddMagnitude(int number) => Add(number <= 0 ? number : 1 + int.Log2(number));

    /// <summary>Adds what kinds of bytes stand around an offset.</summary>
    public void AddSurroundings(ReadOnlySpan<byte> bytes, int offset)
    {
        for (var i = offset - 2; i <= offset + 1; i++)
            Add(i < 0 || i >= bytes.Length ? -1 : ClassOf(bytes[i]));
    }

    private static int ClassOf(byte b) => b switch
    {
        < 0x20 => b is 9 or 10 or 13 ? 1 : 2,
        (byte)' ' => 1,
        >= (byte)'0' and <= (byte)'9' => 3,
        (>= (byte)'a' and <= (byte)'z') or (>= (byte)'A' and <= (byte)'Z') or (byte)'_' => 4,
        < 0x80 => b,
        < 0xC0 => 5,
        < 0xE0 => 6,
        < 0xF0 => 7,
        _ => 8,
    };
}
