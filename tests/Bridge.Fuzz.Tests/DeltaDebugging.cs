namespace Bridge.Fuzz.Tests;

/// <summary>Makes a failing input small: leaves pieces out, large ones first, as long as it fails.</summary>
internal static class DeltaDebugging
{
    /// <summary>Tries until nothing more can be left out, or this often.</summary>
    private const int MaxAttempts = 20_000;

    /// <summary>The smallest input found that still fails.</summary>
    /// <param name="input">One that fails.</param>
    /// <param name="fails">Whether another one does.</param>
    public static byte[] Shrink(byte[] input, Func<byte[], bool> fails)
    {
        var attempts = 0;
        int before;
        do
        {
            // Again from the largest: leaving one piece out may have made another one superfluous.
            before = input.Length;
            for (var piece = Math.Max(input.Length / 2, 1); piece > 0; piece--)
            {
                // Long inputs by halves, short ones by every length: a pair of tags can be of any.
                if (piece > 48)
                    piece = (piece / 2) + 1;
                for (var at = 0; at < input.Length && attempts < MaxAttempts;)
                {
                    byte[] smaller = [.. input[..at], .. input[Math.Min(at + piece, input.Length)..]];
                    attempts++;
                    if (fails(smaller))
                        input = smaller;
                    else
                        at += piece > 48 ? piece : 1;
                }
            }
        }
        while (input.Length < before && attempts < MaxAttempts);
        return input;
    }
}
