using System.Globalization;

namespace Bridge.Actors.Tests;

/// <summary>The seed of a random test: printed, and accepted back through <c>BRIDGE_TEST_SEED</c>.</summary>
internal static class TestSeed
{
    public static int Of(int usual)
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("BRIDGE_TEST_SEED"), NumberStyles.Integer, CultureInfo.InvariantCulture, out var given)
            ? given
            : usual;
        Console.WriteLine($"BRIDGE_TEST_SEED={seed}");
        return seed;
    }
}
