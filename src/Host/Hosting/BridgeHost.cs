using System.Runtime.InteropServices;
using Akka.Actor;
using Akka.Hosting;
using Bridge.Host.Checks;
using Bridge.Host.Configuration;
using Bridge.Telemetry;

namespace Bridge.Host.Hosting;

/// <summary>The process around the bridges: logging, HTTP, the actor system, and their order of starting and stopping.</summary>
internal sealed partial class BridgeHost : IAsyncDisposable
{
    // What a drain may take beyond its own deadline: the proper close of the stream and the
    // release of the lease.
    private static readonly TimeSpan AfterDrain = TimeSpan.FromSeconds(3);

    private readonly IHost host;
    private readonly ILogger logger;
    private readonly TimeSpan drainDeadline;

    public BridgeHost(HostConfiguration configuration)
    {
        drainDeadline = configuration.Bridges.Max(bridge => BridgeActor.DrainPatience(bridge) + bridge.Queue.CallTimeout) + AfterDrain;
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings
        {
            ApplicationName = "bridge",
            // The working directory may be anywhere, and nothing is read from it.
            ContentRootPath = AppContext.BaseDirectory,
        });
        LogOutput.Configure(builder.Logging, configuration);
        builder.Services
            .Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.FromSeconds(5))
            .AddSingleton<IHostLifetime, SignalledElsewhere>()
            .AddSingleton(TimeProvider.System)
            .AddSingleton<StatusBoard>(services => new StatusBoard(services.GetRequiredService<TimeProvider>()))
            .AddSingleton<StatusGauges>()
            .AddSingleton(configuration)
            .AddHostedService<SmallNursery>();
        // Before the actors, so that a taken port stops the process before anything is taken from Redis.
        if (configuration.Http is not null)
            builder.Services.AddHostedService<HttpServer>();
        builder.Services.AddAkka("bridge", (akka, services) => akka
            .ConfigureLoggers(loggers => LogOutput.Configure(loggers, configuration))
            // Last, so that what an operator sets for Akka wins over what is set here.
            .AddHocon(configuration.Akka, HoconAddMode.Prepend)
            .WithBridges(configuration.Bridges, services.GetRequiredService<StatusBoard>()));
        host = builder.Build();
        logger = host.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Bridge.Host");
    }

    /// <summary>Runs until a signal comes. False: it ended for another reason.</summary>
    /// <exception cref="HttpAddressException">HTTP cannot be served where it is configured.</exception>
    public async Task<bool> RunAsync(StopSignals signals)
    {
        _ = host.Services.GetRequiredService<StatusGauges>();
        var configuration = host.Services.GetRequiredService<HostConfiguration>();
        foreach (var bridge in configuration.Bridges)
            LogStarting(bridge.Name, bridge.Queue.KindText, bridge.Queue.Keys.Queue, bridge.Xmpp.Domain, string.Join(", ", bridge.Xmpp.Endpoints), bridge.Confirm.Grade);
        await host.StartAsync();
        // Beside the work, not before it: what is said here changes nothing.
        foreach (var bridge in configuration.Bridges)
            _ = WarnOfRedisAsync(bridge);
        var stopping = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = host.Services.GetRequiredService<IHostApplicationLifetime>()
            .ApplicationStopping.Register(stopping.SetResult);

        var signalled = await Task.WhenAny(signals.First, stopping.Task) == signals.First;
        if (signalled)
        {
            LogSignal(await signals.First, drainDeadline);
            await DrainAsync();
        }
        else
            LogUnexpectedEnd();

        await host.StopAsync();
        LogStopped();
        return signalled;
    }

    /// <inheritdoc />
    public ValueTask DisposeAsync()
    {
        if (host is IAsyncDisposable disposable)
            return disposable.DisposeAsync();
        host.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Says at the start, in plain words, what of this Redis may lose messages or will not work.</summary>
    private async Task WarnOfRedisAsync(Bridge.Settings.BridgeSettings bridge)
    {
        await using var facts = new StringWriter();
        try
        {
            await new RedisCheck(bridge, new CheckReport(facts)).RunAtStartAsync();
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            // A Redis that is away is told of by the bridge itself.
            LogRedisUnchecked(bridge.Name, exception.Message);
        }

        foreach (var fact in facts.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries))
            if (!fact.StartsWith("ok", StringComparison.Ordinal))
                LogRedisFact(bridge.Name, fact[5..].Trim());
    }

    private async Task DrainAsync()
    {
        var bridges = await host.Services.GetRequiredService<ActorRegistry>().GetAsync<BridgesActor>();
        try
        {
            await bridges.Ask<BridgesActor.Drained>(BridgesActor.Drain.Instance, drainDeadline);
            LogDrained();
        }
        catch (AskTimeoutException)
        {
            LogNotDrained(drainDeadline);
        }
    }

    [LoggerMessage(LogLevel.Information, "Bridge {Bridge}: {Kind} {Queue} to {Domain} at {Endpoints}, confirmed when {Grade}")]
    private partial void LogStarting(string bridge, string kind, string queue, string domain, string endpoints, Bridge.Settings.ConfirmGrade grade);

    [LoggerMessage(LogLevel.Information, "{Signal}: draining, at most {Deadline}; a second signal ends it at once")]
    private partial void LogSignal(PosixSignal signal, TimeSpan deadline);

    [LoggerMessage(LogLevel.Warning, "Bridge {Bridge}: {Fact}")]
    private partial void LogRedisFact(string bridge, string fact);

    [LoggerMessage(LogLevel.Information, "Bridge {Bridge}: Redis could not be checked: {Cause}")]
    private partial void LogRedisUnchecked(string bridge, string cause);

    [LoggerMessage(LogLevel.Information, "Every bridge has drained")]
    private partial void LogDrained();

    [LoggerMessage(LogLevel.Warning, "Not every bridge drained within {Deadline}; what was not confirmed stays in Redis and is sent again")]
    private partial void LogNotDrained(TimeSpan deadline);

    [LoggerMessage(LogLevel.Error, "The actor system ended by itself; stopping")]
    private partial void LogUnexpectedEnd();

    [LoggerMessage(LogLevel.Information, "Stopped")]
    private partial void LogStopped();

    /// <summary>Replaces the console lifetime, which has a notion of its own of what a signal means.</summary>
    private sealed class SignalledElsewhere : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
