namespace Bridge.Integration.Tests.Chaos;

/// <summary>A clock that stands still until the test turns it.</summary>
internal sealed class HandTurnedClock : TimeProvider
{
    private long _now;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => _now;

    public void Turn(double seconds) => _now += TimeSpan.FromSeconds(seconds).Ticks;
}
