using Akka.Hosting;
using Bridge.Host.Configuration;
using Microsoft.Extensions.Logging.Console;

namespace Bridge.Host.Hosting;

/// <summary>One line per event on standard output, as text or JSON.</summary>
internal static class LogOutput
{
    /// <summary>The process's own logging.</summary>
    public static void Configure(ILoggingBuilder logging, HostConfiguration configuration)
    {
        logging.SetMinimumLevel(configuration.LogLevel);
        // What the web server says of each request is no event of Bridge.
        logging.AddFilter("Microsoft", configuration.LogLevel > LogLevel.Warning ? configuration.LogLevel : LogLevel.Warning);
        if (configuration.LogFormat == LogFormat.Json)
            logging.AddJsonConsole(options =>
            {
                options.UseUtcTimestamp = true;
                options.TimestampFormat = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";
            });
        else
            logging
                .AddConsole(options => options.FormatterName = LineFormatter.FormatterName)
                .AddConsoleFormatter<LineFormatter, ConsoleFormatterOptions>();
        // The console's own provider writes; what of one kind comes too often does not get to it.
        var console = logging.Services.Single(service => service.ServiceType == typeof(ILoggerProvider));
        logging.Services.Remove(console);
        logging.Services.AddSingleton<ConsoleLoggerProvider>();
        logging.Services.AddSingleton<ILoggerProvider>(services => new QuietingLoggers(services.GetRequiredService<ConsoleLoggerProvider>(), TimeProvider.System));
    }

    /// <summary>The actor system's logging, which goes the same way.</summary>
    public static void Configure(LoggerConfigBuilder loggers, HostConfiguration configuration)
    {
        loggers.LogLevel = configuration.LogLevel switch
        {
            LogLevel.Debug => Akka.Event.LogLevel.DebugLevel,
            LogLevel.Warning => Akka.Event.LogLevel.WarningLevel,
            LogLevel.Error => Akka.Event.LogLevel.ErrorLevel,
            _ => Akka.Event.LogLevel.InfoLevel,
        };
        // The first call hands over the logger factory; its own logger would write each event's
        // time, level and thread into the message once more.
        loggers.AddLoggerFactory();
        loggers.ClearLoggers();
        loggers.AddLogger<ActorLog>();
    }
}
