using System.Globalization;
using Bridge.Settings;
using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Chaos.Running;

/// <summary>
/// The real parts: a Redis that flushes every write, an XMPP server, a proxy before each, and two Bridges, one of
/// which stands by. All of them listen on free loopback ports, keep their data in temporary folders, and end with
/// this.
/// </summary>
internal sealed class Stage(ServerKind kind, int seed) : IAsyncDisposable
{
    /// <summary>How many entries of a lane may be unconfirmed.</summary>
    public const int Window = 2_000;

    private const string UserDomain = "example.test";
    private const string SinkDomain = "sink.example.test";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    private readonly Stack<IAsyncDisposable> _started = new();
    private readonly List<BridgeProcess> _bridges = [];
    private IXmppServer? _server;
    private ScriptedXmppServer? _scripted;
    private ConnectionMultiplexer? _connection;

    /// <summary>A scripted server that does everything right and tells since when it runs.</summary>
    public static ServerScript GoodScript { get; } =
        new() { Uptime = UptimeAnswer.Seconds, StartedAt = DateTimeOffset.UtcNow.AddHours(-1) };

    /// <summary>
    /// The queues. A scripted server has one component, so the seed decides of which kind its queue is; a real one
    /// gets both kinds.
    /// </summary>
    public IReadOnlyList<Lane> Lanes { get; } = LanesOf(kind, seed);

    public RedisServer Redis { get; private set; } = null!;

    public FaultProxy RedisProxy { get; private set; } = null!;

    public FaultProxy XmppProxy { get; private set; } = null!;

    public IXmppServer RealServer => _server ?? throw new InvalidOperationException("The server is a scripted one.");

    public ScriptedXmppServer Scripted => _scripted ?? throw new InvalidOperationException("The server is a real one.");

    public IReadOnlyList<BridgeProcess> Bridges => _bridges;

    /// <summary>The app's way into Redis, past the proxy.</summary>
    public IDatabase App => _connection!.GetDatabase();

    /// <summary>Who reads at a real server; none at a scripted one.</summary>
    public Recipients? Recipients { get; private set; }

    /// <summary>Starts everything, in the order in which it depends on each other.</summary>
    /// <param name="arrived">Is told of each message that arrives, and where.</param>
    /// <param name="stopping">Cuts it short.</param>
    public async Task StartAsync(Action<ReceivedStanza, string> arrived, CancellationToken stopping)
    {
        Redis = Keep(await RedisServer.StartAsync(new RedisOptions { AppendOnly = true, AppendFsync = "always" }));
        RedisProxy = Keep(new FaultProxy(Redis.Port));
        _connection = Keep(await ConnectionMultiplexer.ConnectAsync(
            Redis.ConnectionString + ",allowAdmin=true,abortConnect=false,connectTimeout=1000,asyncTimeout=2000"));
        stopping.ThrowIfCancellationRequested();

        int port;
        if (kind == ServerKind.Scripted)
        {
            _scripted = Keep(new ScriptedXmppServer(new ScriptedXmppServerOptions { SecondConnection = SecondConnection.ReplacesFirst }));
            _scripted.Script = GoodScript;
            _scripted.Received.Keeps = false;
            _scripted.Received.Observe(stanza => arrived(stanza, "the server"));
            port = _scripted.Port;
        }
        else
        {
            // Nothing is stored for users who are away: what a dying server stored overtakes, at the next login,
            // what died with the session, and no bridge can mend that.
            var options = new XmppServerOptions
            {
                Components = [.. Lanes.Select(lane => lane.Domain), SinkDomain],
                StoresOffline = false,
                KicksOldComponent = kind == ServerKind.Prosody,
            };
            _server = Keep<IXmppServer>(kind == ServerKind.Prosody ? new ProsodyServer(options) : new EjabberdServer(options));
            await _server.StartAsync();
            Recipients = Keep(new Recipients(_server, SinkDomain, arrived));
            await Recipients.AllHereAsync(Patience);
            port = _server.ComponentPort;
        }

        stopping.ThrowIfCancellationRequested();
        XmppProxy = Keep(new FaultProxy(port));
        for (var i = 0; i < 2; i++)
            _bridges.Add(Keep(new BridgeProcess(Options())));
        StartBridges();
        foreach (var bridge in _bridges)
            await bridge.ReadyAsync(Patience);
    }

    /// <summary>Starts those Bridges that do not run.</summary>
    public void StartBridges()
    {
        foreach (var bridge in _bridges.Where(bridge => !bridge.Process.IsRunning))
            bridge.Start();
    }

    /// <summary>The Bridge that owns the first lane's queue, or the other one; any, when none says that it does.</summary>
    public async Task<BridgeProcess> ChosenAsync(bool owner)
    {
        var owns = await Task.WhenAll(_bridges.Select(OwnsAsync));
        var index = Array.IndexOf(owns, true);
        return _bridges[index < 0 ? 0 : owner ? index : 1 - index];
    }

    /// <summary>A command to Redis itself, repeated until it answers.</summary>
    public async Task AdministerAsync(params string[] words)
    {
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    await App.ExecuteAsync(words[0], [.. words.Skip(1)]);
                    return true;
                }
                catch (RedisConnectionException)
                {
                    // CLIENT KILL may end this very connection, and a restarted Redis is found again in a moment.
                    return words is ["CLIENT", ..];
                }
                catch (RedisTimeoutException)
                {
                    return false;
                }
            },
            Patience,
            string.Join(' ', words));
    }

    /// <summary>Lets a fault last.</summary>
    public static async Task PassAsync(TimeSpan length, CancellationToken stopping = default)
    {
        using var timer = new PeriodicTimer(length > TimeSpan.FromMilliseconds(1) ? length : TimeSpan.FromMilliseconds(1));
        Task tick = timer.WaitForNextTickAsync(stopping).AsTask();
        await tick.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public async ValueTask DisposeAsync()
    {
        while (_started.TryPop(out var part))
            await part.DisposeAsync();
    }

    private static List<Lane> LanesOf(ServerKind kind, int seed)
    {
        var recipients = kind == ServerKind.Scripted
            ? new[] { $"box@{SinkDomain}", $"ada@{UserDomain}", $"grace@{UserDomain}" }
            : [$"box@{SinkDomain}", $"ada@{UserDomain}", $"tray@{SinkDomain}", $"grace@{UserDomain}"];
        var list = new Lane("list", QueueKind.List, "bridge.example.test", recipients);
        var stream = new Lane("stream", QueueKind.Stream, kind == ServerKind.Scripted ? "bridge.example.test" : "events.example.test", recipients);
        return kind != ServerKind.Scripted ? [list, stream] : seed % 2 == 0 ? [list] : [stream];
    }

    private BridgeProcessOptions Options()
    {
        var bridges = Lanes.Select(lane =>
            $"{lane.Name} {{ queue.name = \"{lane.Queue}\", queue.kind = {lane.Name}, xmpp.domain = \"{lane.Domain}\" }}");
        return new BridgeProcessOptions
        {
            Environment = new Dictionary<string, string?>
            {
                ["BRIDGE_REDIS"] = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{RedisProxy.Port}"),
                ["BRIDGE_XMPP"] = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{XmppProxy.Port}"),
                ["BRIDGE_SECRET"] = _server?.ComponentSecret ?? _scripted!.Options.Secret,
                ["BRIDGE_CONFIRM"] = "held",
            },
            // Quick where the defaults would only cost time. The users of a restarted server come back first.
            Configuration = $$"""
                bridge.defaults.window.unconfirmed-entries = {{Window.ToString(CultureInfo.InvariantCulture)}}
                bridge.defaults.queue.call-timeout = 1s
                bridge.defaults.xmpp.backoff.max = 2s
                bridge.defaults.xmpp.resume-delay = {{(_server is null ? "0s" : "2s")}}
                bridge.defaults.lease.ttl = 3s
                bridge.defaults.lease.renew = 500ms
                bridge.defaults.lease.poll = 200ms
                bridge.defaults.lease.margin = 500ms
                bridge.bridges {
                  {{string.Join("\n  ", bridges)}}
                }
                """,
        };
    }

    private async Task<bool> OwnsAsync(BridgeProcess bridge)
    {
        if (!bridge.Process.IsRunning)
            return false;
        try
        {
            var metrics = await bridge.MetricsAsync().WaitAsync(TimeSpan.FromSeconds(1));
            return metrics.Sum("bridge_owner", ("bridge", Lanes[0].Name)) > 0;
        }
        catch (Exception e) when (e is HttpRequestException or TimeoutException or TaskCanceledException or IOException)
        {
            // It starts, or is frozen.
            return false;
        }
    }

    private T Keep<T>(T part)
        where T : IAsyncDisposable
    {
        _started.Push(part);
        return part;
    }
}
