using System.Globalization;
using System.Net.Sockets;
using Microsoft.Extensions.Hosting.Systemd;

namespace Bridge.Host.Hosting;

/// <summary>
/// Tells systemd how the process stands (sd_notify(3)), where a unit of <c>Type=notify</c> started it; elsewhere it does nothing.
/// What cannot be told is logged, and changes nothing.
/// </summary>
internal sealed partial class ServiceManager(TimeProvider time, ILoggerFactory loggers)
{
    private readonly ILogger logger = loggers.CreateLogger("Bridge.Host");
    private readonly SystemdNotifier notifier = new();

    /// <summary>The process works, and hears signals. Of Redis and the server it says nothing: they may come later.</summary>
    /// <param name="status">What <c>systemctl status</c> shows.</param>
    public void Ready(string? status = null) => Tell(Text($"READY=1\nSTATUS={status ?? "Running"}"));

    /// <summary>The configuration is being read again.</summary>
    // The timestamp of .NET on Linux is the clock that systemd asks for, CLOCK_MONOTONIC.
    public void Reloading() => Tell(Text($"RELOADING=1\nMONOTONIC_USEC={(long)time.GetElapsedTime(0).TotalMicroseconds}\nSTATUS=Reading the configuration again"));

    /// <summary>The process ends. However long the unit gives it, a drain may take what it is configured to.</summary>
    /// <param name="atMost">How long it may take.</param>
    public void Stopping(TimeSpan atMost) => Tell(Text($"STOPPING=1\nEXTEND_TIMEOUT_USEC={(long)atMost.TotalMicroseconds}\nSTATUS=Draining"));

    /// <summary>The process is alive: keeps the unit's <c>WatchdogSec</c> from ending it.</summary>
    public void Alive() => Tell("WATCHDOG=1");

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    private void Tell(string state)
    {
        if (!notifier.IsEnabled)
            return;
        try
        {
            notifier.Notify(new ServiceState(state));
        }
        catch (SocketException exception)
        {
            LogNotTold(state.Split('\n')[0], exception.Message);
        }
    }

    [LoggerMessage(LogLevel.Warning, "systemd could not be told {State}: {Cause}")]
    private partial void LogNotTold(string state, string cause);
}
