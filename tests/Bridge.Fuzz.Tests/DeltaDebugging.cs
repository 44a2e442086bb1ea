namespace Bridge.Fuzz.Tests;

/// <summary>Makes a failing input small: leaves pieces out, large ones first, as long as it fails.</summary>
internal static class DeltaDebugging
{
    /// <summary>Tries until no single byte can be left out, or this often.</summary>
    private const int MaxAttempts = 20_000;

    /// <summary>The smallest input found that still fails.</summary>
    /// <param name="input">One that fails.</param>
    /// <param name="fails">Whether another one does.</param>
    public static byte[] Shrink(byte[] input, Func<byte[], bool> fails)
    {
        var attempts = 0;
        for (var piece = Math.Max(input.Length / 2, 1); ; piece = Math.Max(piece / 2, 1))
        {
            var before = input.Length;
            for (var at = 0; at < input.Length && attempts < MaxAttempts;)
            {
                byte[] smaller = [.. input[..at], .. input[Math.Min(at + piece, input.Length)..]];
                attempts++;
                if (fails(smaller))
                    input = smaller;
                else
                    at += piece;
            }

            // Leaving one byte out may have made another one superfluous.
            if (attempts >= MaxAttempts || (piece == 1 && input.Length == before))
                return input;
        }
    }
}
