namespace Bridge.Connection;

/// <summary>
/// Delays that double from a minimum to a maximum, with jitter, and start over after a stable time.
/// Pure: the caller brings time and randomness.
/// </summary>
/// <param name="min">The first delay.</param>
/// <param name="max">The longest delay.</param>
/// <param name="stableAfter">A success that lasted so long starts the series over.</param>
internal sealed class Backoff(TimeSpan min, TimeSpan max, TimeSpan stableAfter)
{
    // ejabberd: a reconnect at 0 ms lost 155 of 1,200 inbound messages silently, at 50 ms none (measured).
    internal static readonly TimeSpan Floor = TimeSpan.FromMilliseconds(100);

    private int _failures;

    /// <summary>Failures since the series began.</summary>
    public int Failures => _failures;

    /// <summary>The delay before the next try: half of it fixed, half of it drawn, never below 100 ms.</summary>
    /// <param name="random">A number in [0, 1).</param>
    public TimeSpan Next(double random)
    {
        var full = min * Math.Pow(2, Math.Min(_failures, 30));
        if (full > max)
            full = max;
        _failures++;
        var jittered = full * 0.5 + full * 0.5 * random;
        return jittered < Floor ? Floor : jittered;
    }

    /// <summary>Tells how long the last success lasted.</summary>
    public void Succeeded(TimeSpan lasted)
    {
        if (lasted >= stableAfter)
            _failures = 0;
    }
}
