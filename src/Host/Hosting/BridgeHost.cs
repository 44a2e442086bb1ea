using System.Runtime.InteropServices;
using Akka.Actor;
using Akka.Hosting;
using Bridge.Cluster;
using Bridge.Host.Checks;
using Bridge.Host.Cli;
using Bridge.Host.Configuration;
using Bridge.Host.StatusPage;
using Bridge.Telemetry;

namespace Bridge.Host.Hosting;

/// <summary>The process around the bridges: logging, HTTP, the actor system, and their order of starting and stopping.</summary>
internal sealed partial class BridgeHost : IAsyncDisposable
{
    // What a drain may take beyond its own deadline: the proper close of the stream and the
    // release of the lease.
    private static readonly TimeSpan AfterDrain = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan ShutdownTimeout = TimeSpan.FromSeconds(5);

    private readonly IHost host;
    private readonly ILogger logger;
    private readonly ServiceManager manager;
    private readonly HostConfiguration configuration;
    private readonly ConfiguredBridges bridges;
    private readonly ClusterNode? cluster;

    public BridgeHost(HostConfiguration configuration)
    {
        this.configuration = configuration;
        bridges = new ConfiguredBridges(configuration.Bridges);
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings
        {
            ApplicationName = "bridge",
            // The working directory may be anywhere, and nothing is read from it.
            ContentRootPath = AppContext.BaseDirectory,
        });
        LogOutput.Configure(builder.Logging, configuration);
        builder.Services
            .Configure<HostOptions>(options => options.ShutdownTimeout = ShutdownTimeout)
            .AddSingleton<IHostLifetime, SignalledElsewhere>()
            .AddSingleton(TimeProvider.System)
            .AddSingleton<StatusBoard>(services => new StatusBoard(services.GetRequiredService<TimeProvider>()))
            .AddSingleton<StatusGauges>()
            .AddSingleton<ClusterBoard>()
            .AddSingleton<ActorBoard>(services => new ActorBoard(services.GetRequiredService<TimeProvider>()))
            .AddSingleton<ActorGauges>()
            .AddSingleton(configuration)
            .AddSingleton(bridges)
            .AddSingleton<Liveness>()
            .AddSingleton<ServiceManager>()
            .AddHostedService<SmallNursery>()
            .AddHostedService<Watchdog>();
        // Before the actors, so that a taken port stops the process before anything is taken from Redis.
        if (configuration.Http is not null)
            builder.Services.AddHostedService<HttpServer>().AddStatusPage(configuration);
        if (configuration.Otlp is not null)
            builder.Services.AddHostedService<OtlpExport>();
        builder.Services.AddAkka("bridge", (akka, services) => akka
            .ConfigureLoggers(loggers => LogOutput.Configure(loggers, configuration))
            // Last, so that what an operator sets for Akka wins over what is set here.
            .AddHocon(configuration.Akka, HoconAddMode.Prepend)
            .WithActorBoard(services.GetRequiredService<ActorBoard>())
            .WithBridges(configuration.Bridges, services.GetRequiredService<StatusBoard>()));
        host = builder.Build();
        var services = host.Services;
        logger = services.GetRequiredService<ILoggerFactory>().CreateLogger("Bridge.Host");
        manager = services.GetRequiredService<ServiceManager>();
        if (configuration.Cluster is not null)
            cluster = new ClusterNode(
                configuration, bridges, services.GetRequiredService<StatusBoard>(), services.GetRequiredService<ClusterBoard>(),
                services.GetRequiredService<ActorBoard>(), services.GetRequiredService<TimeProvider>(), services.GetRequiredService<ILoggerFactory>());
    }

    private TimeSpan DrainDeadline => bridges.LongestOf(bridge => BridgeActor.DrainPatience(bridge) + bridge.Queue.CallTimeout) + AfterDrain;

    // All that follows a signal, each at its longest.
    private TimeSpan StopDeadline => DrainDeadline + (cluster is null ? TimeSpan.Zero : ClusterNode.LongestLeave) + ShutdownTimeout;

    /// <summary>Runs until a signal to stop comes, and gives the exit code.</summary>
    /// <param name="signals">Ends it.</param>
    /// <param name="reloads">Has the configuration read again.</param>
    /// <param name="read">Reads it.</param>
    /// <exception cref="AddressException">HTTP or the cluster cannot be listened for where it is configured.</exception>
    public async Task<int> RunAsync(StopSignals signals, ReloadSignal reloads, Func<Task<ConfigurationResult>> read)
    {
        _ = host.Services.GetRequiredService<StatusGauges>();
        _ = host.Services.GetRequiredService<ActorGauges>();
        foreach (var bridge in configuration.Bridges)
            LogStarting(bridge.Name, bridge.Queue.KindText, bridge.Queue.Keys.Queue, bridge.Xmpp.Domain, string.Join(", ", bridge.Xmpp.Endpoints), bridge.Confirm.Grade);
        if (configuration.Cluster is not null)
            await ClusterNode.TryAddressAsync(configuration.Cluster);
        await host.StartAsync();
        // Beside the work, not before it: what is said here changes nothing.
        foreach (var bridge in configuration.Bridges)
            _ = WarnOfRedisAsync(bridge);
        var stopping = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = host.Services.GetRequiredService<IHostApplicationLifetime>()
            .ApplicationStopping.Register(stopping.SetResult);
        var actor = await host.Services.GetRequiredService<ActorRegistry>().GetAsync<BridgesActor>();
        if (cluster is not null)
            await cluster.StartAsync(actor, configuration.Cluster!);
        var refused = cluster?.Refused ?? new TaskCompletionSource<IReadOnlyList<string>>().Task;

        manager.Ready();
        var reload = reloads.NextAsync();
        while (await Task.WhenAny(signals.First, stopping.Task, refused, reload) == reload)
        {
            manager.Reloading();
            manager.Ready(await TryReloadAsync(actor, read) ? null : "The configuration is not reloaded, and nothing has changed: see the log");
            reload = reloads.NextAsync();
        }

        manager.Stopping(StopDeadline);
        var code = ExitCodes.Done;
        if (stopping.Task.IsCompleted)
        {
            LogUnexpectedEnd();
            code = ExitCodes.Failed;
        }
        else
        {
            if (signals.First.IsCompleted)
                LogSignal(await signals.First, DrainDeadline);
            else
            {
                LogRefused(string.Join("; ", await refused));
                code = ExitCodes.Misconfigured;
            }

            if (cluster is not null)
                await cluster.AnnounceLeaveAsync();
            await DrainAsync(actor);
        }

        if (cluster is not null)
            await cluster.LeaveAsync();
        await host.StopAsync();
        LogStopped();
        return code;
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        if (cluster is not null)
            await cluster.DisposeAsync();
        if (host is IAsyncDisposable disposable)
            await disposable.DisposeAsync();
        else
            host.Dispose();
    }

    private async Task<bool> TryReloadAsync(IActorRef actor, Func<Task<ConfigurationResult>> read)
    {
        try
        {
            return await ReloadAsync(actor, await read());
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            // The bridges that work must not end for it.
            LogReloadFailed(exception);
            return false;
        }
    }

    /// <summary>Applies a configuration whole, or says what keeps it from that and changes nothing.</summary>
    private async Task<bool> ReloadAsync(IActorRef actor, ConfigurationResult result)
    {
        if (result.Configuration is not { } wanted)
        {
            LogNotReloaded(string.Join("; ", result.Mistakes));
            return false;
        }

        if (cluster is not null && await cluster.CheckAsync(wanted.Bridges) is { Count: > 0 } conflicts)
        {
            LogNotReloaded(string.Join("; ", conflicts));
            return false;
        }

        if (wanted.ProcessFingerprint != configuration.ProcessFingerprint)
            LogNeedsRestart();
        bridges.Replace(wanted.Bridges);
        var applied = await actor.Ask<BridgesActor.Applied>(new BridgesActor.Apply(wanted.Bridges), TimeSpan.FromSeconds(10));
        foreach (var bridge in wanted.Bridges.Where(bridge => applied.Added.Contains(bridge.Name) || applied.Changed.Contains(bridge.Name)))
        {
            LogStarting(bridge.Name, bridge.Queue.KindText, bridge.Queue.Keys.Queue, bridge.Xmpp.Domain, string.Join(", ", bridge.Xmpp.Endpoints), bridge.Confirm.Grade);
            BridgeMetrics.ShowZerosOf(bridge);
            _ = WarnOfRedisAsync(bridge);
        }

        return true;
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

    private async Task DrainAsync(IActorRef actor)
    {
        try
        {
            await actor.Ask<BridgesActor.Drained>(BridgesActor.Drain.Instance, DrainDeadline);
            LogDrained();
        }
        catch (AskTimeoutException)
        {
            LogNotDrained(DrainDeadline);
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

    [LoggerMessage(LogLevel.Error, "The configuration is not reloaded, and nothing has changed: {Mistakes}")]
    private partial void LogNotReloaded(string mistakes);

    [LoggerMessage(LogLevel.Error, "The reload has failed; what of it has happened, the lines before tell")]
    private partial void LogReloadFailed(Exception exception);

    [LoggerMessage(LogLevel.Warning, "What has changed outside of the bridges (http, page, log, cluster, akka) needs a restart of this process")]
    private partial void LogNeedsRestart();

    [LoggerMessage(LogLevel.Critical, "This node must not join the cluster and ends: {Conflicts}. Give all nodes the same bridges, or new names to new ones")]
    private partial void LogRefused(string conflicts);

    [LoggerMessage(LogLevel.Information, "Every bridge has drained")]
    private partial void LogDrained();

    [LoggerMessage(LogLevel.Warning, "Not every bridge drained within {Deadline}; what was not confirmed stays in Redis and is sent again")]
    private partial void LogNotDrained(TimeSpan deadline);

    [LoggerMessage(LogLevel.Error, "The actor system ended by itself; stopping")]
    private partial void LogUnexpectedEnd();

    [LoggerMessage(LogLevel.Information, "Stopped")]
    private partial void LogStopped();
}
