namespace Bridge.Actors.Tests;

/// <summary>A clock that stands still until the test moves it.</summary>
internal sealed class ManualTime : TimeProvider
{
    /// <summary>What the clock on the wall shows at first.</summary>
    public static readonly DateTimeOffset Start = new(2026, 5, 17, 12, 0, 0, TimeSpan.Zero);

    // Below zero, because a timestamp has no defined origin.
    private const long FirstTimestamp = -TimeSpan.TicksPerMinute;

    private long _now = FirstTimestamp;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => Volatile.Read(ref _now);

    public override DateTimeOffset GetUtcNow() => Start + TimeSpan.FromTicks(GetTimestamp() - FirstTimestamp);

    public void Advance(TimeSpan by) => Interlocked.Add(ref _now, by.Ticks);
}
