using System.Globalization;

namespace Bridge.Host.Hosting;

/// <summary>
/// Where the unit has <c>WatchdogSec</c>: tells systemd twice in that time that the process is alive, as long as it is. One that
/// hangs is killed and started again; its stream, which the server would keep for it, ends with it.
/// </summary>
internal sealed class Watchdog(ServiceManager manager, Liveness liveness, TimeProvider time) : BackgroundService
{
    // sd_watchdog_enabled(3).
    private const string Variable = "WATCHDOG_USEC";

    /// <inheritdoc />
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!long.TryParse(Environment.GetEnvironmentVariable(Variable), NumberStyles.None, CultureInfo.InvariantCulture, out var limit) || limit <= 0)
            return;
        using var timer = new PeriodicTimer(TimeSpan.FromMicroseconds(Math.Clamp(limit / 2, 1_000, 3_600_000_000)), time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            if ((await liveness.AskAsync()).Live)
                manager.Alive();
        }
    }
}
