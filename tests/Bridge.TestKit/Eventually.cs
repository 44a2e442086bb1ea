using System.Diagnostics;

namespace Bridge.TestKit;

/// <summary>
/// Waits for what gives no signal: another process, a file, a counter behind HTTP. Looks every 20 ms. Where
/// there is a signal, wait for that instead.
/// </summary>
public static class Eventually
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    /// <summary>Returns once the condition holds.</summary>
    /// <param name="condition">What must come true. What it throws is not caught.</param>
    /// <param name="deadline">How long it may take.</param>
    /// <param name="what">The condition in words, for the message.</param>
    /// <param name="state">What the message should tell about the last look.</param>
    /// <exception cref="TimeoutException">It did not come true; the message holds what and the last state.</exception>
    public static Task TrueAsync(Func<bool> condition, TimeSpan deadline, string what, Func<string>? state = null) =>
        TrueAsync(() => ValueTask.FromResult(condition()), deadline, what, state);

    /// <inheritdoc cref="TrueAsync(Func{bool}, TimeSpan, string, Func{string})"/>
    public static async Task TrueAsync(
        Func<ValueTask<bool>> condition, TimeSpan deadline, string what, Func<string>? state = null)
    {
        var started = Stopwatch.GetTimestamp();
        using var ticks = new PeriodicTimer(Interval);
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(started) > deadline)
            {
                var last = state is null ? "" : $" Last seen: {state()}";
                throw new TimeoutException($"Not within {deadline}: {what}.{last}");
            }

            await ticks.WaitForNextTickAsync();
        }
    }

    /// <summary>Returns the first value that satisfies the condition.</summary>
    /// <exception cref="TimeoutException">None did; the message holds what and the last value.</exception>
    public static async Task<T> ValueAsync<T>(
        Func<ValueTask<T>> look, Func<T, bool> satisfies, TimeSpan deadline, string what)
    {
        T last = default!;
        await TrueAsync(
            async () => satisfies(last = await look()), deadline, what, () => last?.ToString() ?? "nothing");
        return last;
    }
}
