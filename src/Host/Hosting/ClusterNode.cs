using System.Net;
using System.Net.Sockets;
using Akka.Actor;
using Akka.Cluster.Hosting;
using Akka.Configuration;
using Akka.Hosting;
using Akka.Remote.Hosting;
using Bridge.Cluster;
using Bridge.Host.Configuration;
using Bridge.Settings;
using Bridge.Telemetry;

namespace Bridge.Host.Hosting;

/// <summary>
/// This process's node of the cluster: an actor system beside that of the bridges. One that the others have thrown out cannot come
/// back (Akka.Cluster, "Node lifecycle"), so a new one takes its place and joins again; the bridges go on meanwhile.
/// </summary>
internal sealed partial class ClusterNode(
    HostConfiguration configuration,
    ConfiguredBridges bridges,
    StatusBoard board,
    ClusterBoard cluster,
    ActorBoard actors,
    TimeProvider time,
    ILoggerFactory loggers) : IAsyncDisposable
{
    private static readonly TimeSpan BeforeJoiningAgain = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan AnswerPatience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LeavePatience = TimeSpan.FromSeconds(5);

    /// <summary>What <see cref="AnnounceLeaveAsync" /> and <see cref="LeaveAsync" /> take together at most.</summary>
    public static readonly TimeSpan LongestLeave = AnswerPatience + LeavePatience;

    private readonly ILogger logger = loggers.CreateLogger("Bridge.Cluster");
    private readonly CancellationTokenSource ending = new();
    private readonly TaskCompletionSource<IReadOnlyList<string>> refused = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile IHost? node;
    private Task running = Task.CompletedTask;

    /// <summary>Completes when this node must not join the others, with the reasons.</summary>
    public Task<IReadOnlyList<string>> Refused => refused.Task;

    /// <summary>Tries whether its address can be listened on: to be called before any bridge takes anything from Redis.</summary>
    /// <exception cref="AddressException">It cannot.</exception>
    public static async Task TryAddressAsync(ClusterSettings settings)
    {
        try
        {
            var addresses = IPAddress.TryParse(settings.BindHost, out var number) ? [number] : await Dns.GetHostAddressesAsync(settings.BindHost);
            using var listener = new TcpListener(addresses[0], settings.BindPort);
            listener.Start();
        }
        catch (SocketException exception)
        {
            throw NotListening(settings, exception);
        }
    }

    /// <summary>Begins to join, and joins again for as long as it lasts.</summary>
    /// <exception cref="AddressException">Its address cannot be listened on.</exception>
    public async Task StartAsync(IActorRef bridgesActor, ClusterSettings settings)
    {
        try
        {
            node = await StartNodeAsync(bridgesActor, settings, isFirst: true);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            throw NotListening(settings, exception);
        }

        running = RunAsync(bridgesActor, settings);
    }

    /// <summary>Why this node could not have these bridges beside what the others have; empty: it could, or there is nobody to ask.</summary>
    public async Task<IReadOnlyList<string>> CheckAsync(IEnumerable<BridgeSettings> wanted)
    {
        if (Actor() is not { } actor)
            return [];
        try
        {
            return (await actor.Ask<ClusterActor.Checked>(new ClusterActor.Check([.. wanted.Select(BridgeIdentity.Of)]), AnswerPatience)).Conflicts;
        }
        catch (AskTimeoutException)
        {
            return [];
        }
    }

    /// <summary>Tells the others that this node is about to end, so that they are ready for its bridges.</summary>
    public async Task AnnounceLeaveAsync()
    {
        await ending.CancelAsync();
        if (Actor() is not { } actor)
            return;
        try
        {
            await actor.Ask<ClusterActor.Left>(new ClusterActor.Leave(), AnswerPatience);
        }
        catch (AskTimeoutException)
        {
            // They will find out.
        }
    }

    /// <summary>Leaves the cluster, as far as the others answer in time.</summary>
    public async Task LeaveAsync()
    {
        await ending.CancelAsync();
        await running;
        if (node is not { } last)
            return;
        using var patience = new CancellationTokenSource(LeavePatience, time);
        try
        {
            await last.Services.GetRequiredService<ActorSystem>().Terminate().WaitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            LogNotLeft(LeavePatience);
        }
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        await LeaveAsync();
        node?.Dispose();
        ending.Dispose();
    }

    private async Task RunAsync(IActorRef bridgesActor, ClusterSettings settings)
    {
        while (!ending.IsCancellationRequested)
        {
            try
            {
                if (node is { } current)
                {
                    await current.Services.GetRequiredService<ActorSystem>().WhenTerminated.WaitAsync(ending.Token);
                    LogOut(BeforeJoiningAgain);
                    node = null;
                    current.Dispose();
                }

                await Task.Delay(BeforeJoiningAgain, time, ending.Token);
                node = await StartNodeAsync(bridgesActor, settings, isFirst: false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception exception) when (exception is not OutOfMemoryException)
            {
                // The port, most likely.
                LogNotStarted(exception.GetBaseException().Message);
            }
        }
    }

    private static AddressException NotListening(ClusterSettings settings, Exception cause) => new(
        $"The cluster's port cannot be listened on at {ClusterSettings.NameOf(settings.BindHost, settings.BindPort)}: {cause.GetBaseException().Message}. Set BRIDGE_CLUSTER_PORT or BRIDGE_CLUSTER_BIND to another one.",
        cause);

    private IActorRef? Actor() =>
        node?.Services.GetService<ActorRegistry>() is { } registry && registry.TryGet<ClusterActor>(out var actor) ? actor : null;

    private async Task<IHost> StartNodeAsync(IActorRef bridgesActor, ClusterSettings settings, bool isFirst)
    {
        var started = Build(bridgesActor, settings, isFirst);
        try
        {
            await started.StartAsync();
            return started;
        }
        catch
        {
            started.Dispose();
            throw;
        }
    }

    private IHost Build(IActorRef bridgesActor, ClusterSettings settings, bool isFirst)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings
        {
            ApplicationName = "bridge",
            ContentRootPath = AppContext.BaseDirectory,
        });
        LogOutput.Configure(builder.Logging, configuration);
        builder.Services.AddSingleton<IHostLifetime, SignalledElsewhere>();
        var parts = new ClusterParts(
            settings, ProgramVersion.Text, bridgesActor, () => bridges.Current, board, cluster, reasons => refused.TrySetResult(reasons), isFirst, time);
        builder.Services.AddAkka("bridge", (akka, _) => akka
            .ConfigureLoggers(configure => LogOutput.Configure(configure, configuration))
            .AddHocon(configuration.ClusterAkka, HoconAddMode.Prepend)
            .AddHocon(Lease(settings), HoconAddMode.Prepend)
            .WithRemoting(new RemoteOptions { HostName = settings.BindHost, PublicHostName = settings.Host, Port = settings.BindPort, PublicPort = settings.Port })
            .WithClustering(new ClusterOptions())
            .WithActorBoard(actors)
            .WithActors((system, registry) => registry.Register<ClusterActor>(system.ActorOf(ClusterActor.Props(parts), ClusterActor.Name))));
        return builder.Build();
    }

    private static Config Lease(ClusterSettings settings)
    {
        return ConfigurationFactory.ParseString(
            $"akka.cluster.bridge-lease {{\nredis = {Quoted(settings.Redis)}\nredis-ca-file = {Quoted(settings.RedisCaFile ?? "")}\n}}");

        static string Quoted(string text) =>
            $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
    }

    [LoggerMessage(LogLevel.Warning, "This node is no member of the cluster any more; its bridges work on by their leases. It asks to join again in {Delay}")]
    private partial void LogOut(TimeSpan delay);

    [LoggerMessage(LogLevel.Error, "The cluster's actor system does not start: {Cause}")]
    private partial void LogNotStarted(string cause);

    [LoggerMessage(LogLevel.Warning, "The cluster did not let this node go within {Patience}; the others will find out")]
    private partial void LogNotLeft(TimeSpan patience);
}
