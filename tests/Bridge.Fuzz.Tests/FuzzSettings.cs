using System.Globalization;

namespace Bridge.Fuzz.Tests;

/// <summary>What the environment says about a run.</summary>
internal static class FuzzSettings
{
    /// <summary>Cases that all targets together get: <c>BRIDGE_FUZZ_CASES</c>.</summary>
    public static readonly long Cases =
        long.TryParse(Environment.GetEnvironmentVariable("BRIDGE_FUZZ_CASES"), NumberStyles.None, CultureInfo.InvariantCulture, out var cases) ? cases : 500_000;

    /// <summary>The seed of the first block: <c>BRIDGE_TEST_SEED</c>, or another in each run.</summary>
    public static readonly int Seed =
        int.TryParse(Environment.GetEnvironmentVariable("BRIDGE_TEST_SEED"), NumberStyles.Integer, CultureInfo.InvariantCulture, out var seed)
            ? seed
            : Random.Shared.Next(1_000_000_000);
}
