namespace Bridge.TestKit;

/// <summary>Lets time pass on a given clock: for simulated delays, never to wait for something to happen.</summary>
public static class ClockWait
{
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(1);

    /// <summary>Completes when the clock is so much further, at least a millisecond: timers count in those.</summary>
    public static async ValueTask PassAsync(this TimeProvider time, TimeSpan length, CancellationToken cancel)
    {
        using var timer = new PeriodicTimer(length < Shortest ? Shortest : length, time);
        await timer.WaitForNextTickAsync(cancel);
    }
}
