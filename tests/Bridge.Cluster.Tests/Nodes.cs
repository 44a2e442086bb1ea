using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Bridge.Host.Hosting;
using Bridge.Settings;
using Bridge.Telemetry;
using Bridge.TestKit;

namespace Bridge.Cluster.Tests;

/// <summary>How the nodes of a test differ from the trial's usual bridge.</summary>
internal sealed record NodesOptions
{
    /// <summary>How many.</summary>
    public int Count { get; init; } = 3;

    /// <summary>When an entry leaves Redis.</summary>
    public ConfirmGrade Grade { get; init; } = ConfirmGrade.Held;

    /// <summary>Whether they know one another; else each has the lease alone.</summary>
    public bool Clustered { get; init; } = true;

    /// <summary>Whether a bridge is handed over to a node that becomes the better owner, as it is by default.</summary>
    public bool Rebalances { get; init; } = true;

    /// <summary>Whether lease and window are as shipped.</summary>
    public bool Shipped { get; init; }

    /// <summary>How many entries may be unconfirmed, where they are not.</summary>
    public int Window { get; init; } = 1_000;

    /// <summary>Variables of all nodes in place of the trial's; null removes one.</summary>
    public IReadOnlyDictionary<string, string?> Environment { get; init; } = new Dictionary<string, string?>();

    /// <summary>Further HOCON, of all nodes.</summary>
    public string Configuration { get; init; } = "";

    /// <summary>Whether each node has its own ways to Redis, to the server and from the other nodes, which a test can cut.</summary>
    public bool BehindProxies { get; init; }
}

/// <summary>One node: the real program.</summary>
internal sealed class Node : IAsyncDisposable
{
    private readonly int _port = FreePorts.Next();
    private readonly FaultProxy? _cluster;
    private BridgeProcess? _program;

    public Node(DeliveryTrial trial, NodesOptions options)
    {
        if (options.BehindProxies)
        {
            _cluster = new FaultProxy(_port);
            Redis = new FaultProxy(((IPEndPoint)ConfigurationOptions(trial)).Port);
            Xmpp = new FaultProxy(trial.XmppPort);
        }

        var port = _cluster?.Port ?? _port;
        Name = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}");
        Port = port;
        Trial = trial;
        Options = options;
    }

    /// <summary>What the others call it.</summary>
    public string Name { get; }

    public int Port { get; }

    /// <summary>Its way to Redis.</summary>
    public FaultProxy? Redis { get; }

    /// <summary>Its way to the XMPP server.</summary>
    public FaultProxy? Xmpp { get; }

    /// <summary>The program.</summary>
    public BridgeProcess Program => _program ?? throw new InvalidOperationException("It was not made yet.");

    private DeliveryTrial Trial { get; }

    private NodesOptions Options { get; }

    /// <summary>Whether it is running.</summary>
    public bool IsRunning => _program?.Process.IsRunning ?? false;

    /// <summary>Makes the program; its configuration names the seeds.</summary>
    public void Make(IEnumerable<string> seeds)
    {
        var environment = new Dictionary<string, string?>(Options.Environment);
        if (Options.Clustered)
        {
            environment["BRIDGE_CLUSTER_SEEDS"] = string.Join(',', seeds);
            environment["BRIDGE_CLUSTER_HOST"] = "127.0.0.1";
            environment["BRIDGE_CLUSTER_PORT"] = Port.ToString(CultureInfo.InvariantCulture);
            environment["BRIDGE_CLUSTER_BIND"] = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{_port}");
        }

        // Akka answers on the connection that the other node has opened: a node whose own port is cut off would be reached by those
        // that it opened. So each direction has its own.
        var configuration = Options.Configuration
            + (Options.BehindProxies ? "\nakka.remote.use-passive-connections = off" : "")
            + (Options.Rebalances ? "" : "\nbridge.cluster.settle = 10m");
        _program = Trial.Program(
            Options.Grade,
            Xmpp?.Port,
            Options.Window,
            Options.Shipped,
            Redis is null ? null : string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Redis.Port}"),
            environment,
            configuration);
    }

    /// <summary>What it knows of all nodes and bridges.</summary>
    public async Task<StatusReport> StatusAsync() => JsonSerializer.Deserialize<StatusReport>(await Program.AskAsync("/api/status"), StatusReport.Json)!;

    /// <summary>The same; null where it does not answer.</summary>
    public async Task<StatusReport?> TryStatusAsync()
    {
        if (!IsRunning)
            return null;
        try
        {
            return await StatusAsync();
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException)
        {
            return null;
        }
    }

    /// <summary>The others do not reach it, and so it hears none of them; what it has of Redis and of the server stays.</summary>
    public void CutOffFromNodes() => _cluster!.BlackHole();

    /// <summary>They do again.</summary>
    public void HealNodes() => _cluster!.Heal();

    public async ValueTask DisposeAsync()
    {
        if (_program is not null)
            await _program.DisposeAsync();
        foreach (var proxy in new[] { _cluster, Redis, Xmpp })
        {
            if (proxy is not null)
                await proxy.DisposeAsync();
        }
    }

    private static EndPoint ConfigurationOptions(DeliveryTrial trial) =>
        StackExchange.Redis.ConfigurationOptions.Parse(trial.Redis.ConnectionString).EndPoints[0] is DnsEndPoint { Host: var host, Port: var port }
            ? new IPEndPoint(IPAddress.Parse(host), port)
            : StackExchange.Redis.ConfigurationOptions.Parse(trial.Redis.ConnectionString).EndPoints[0];
}

/// <summary>Several nodes on the Redis and the server of one trial.</summary>
internal sealed class Nodes : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    private readonly ImmutableArray<Node> _nodes;

    public Nodes(DeliveryTrial trial, NodesOptions? options = null)
    {
        options ??= new NodesOptions();
        _nodes = [.. Enumerable.Range(0, options.Count).Select(_ => new Node(trial, options))];
        foreach (var node in _nodes)
            node.Make(_nodes.Take(2).Select(seed => seed.Name));
        Options = options;
    }

    public NodesOptions Options { get; }

    public IReadOnlyList<Node> All => _nodes;

    /// <summary>Everything that the nodes said, for messages about failures.</summary>
    public string Output => string.Join("\n", _nodes.Select(node => $"== {node.Name}\n{node.Program.Process.Output}"));

    /// <summary>Starts them, or so many of them, and waits until each is ready and knows all others.</summary>
    public async Task StartAsync(int? count = null)
    {
        var some = _nodes.Take(count ?? _nodes.Length).ToList();
        foreach (var node in some)
            node.Program.Start();
        foreach (var node in some)
            await node.Program.ReadyAsync(Patience);
        if (Options.Clustered)
            await TogetherAsync(some.Count);
    }

    /// <summary>Waits until every running node has heard every other one of so many.</summary>
    public Task TogetherAsync(int count) => UntilAsync(
        async () => (await StatusesAsync()).All(status => status.Nodes.Count(node => node is { Membership: "up", AgeMs: not null }) == count),
        string.Create(CultureInfo.InvariantCulture, $"{count} nodes know one another"));

    /// <summary>What each running node says.</summary>
    public async Task<IReadOnlyList<StatusReport>> StatusesAsync()
    {
        var statuses = await Task.WhenAll(_nodes.Where(node => node.IsRunning).Select(node => node.TryStatusAsync()));
        return [.. statuses.OfType<StatusReport>()];
    }

    /// <summary>
    /// Waits until one node says that it owns the bridge and has its stream; that node. Where any may be it, also until it is the one
    /// that the cluster prefers, so that it is handed over to no other in the middle of a test.
    /// </summary>
    public async Task<Node> OwnerAsync(string bridge = "main", Func<Node, bool>? which = null)
    {
        Node? owner = null;
        await UntilAsync(
            async () =>
            {
                foreach (var node in _nodes.Where(node => node.IsRunning && (which is null || which(node))))
                {
                    if (await node.TryStatusAsync() is { } status && Owns(status, bridge)
                        && (which is not null || !Options.Clustered || !Options.Rebalances || status.Bridges.Single(one => one.Name == bridge).Preferred == node.Name))
                        owner = node;
                }

                return owner is not null;
            },
            $"a node owns {bridge} and is connected");
        return owner!;
    }

    /// <summary>Waits for a condition, and tells what the nodes said where it does not come.</summary>
    public Task UntilAsync(Func<ValueTask<bool>> condition, string what, TimeSpan? patience = null) => Eventually.TrueAsync(
        condition, patience ?? Patience, what, () => Output);

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
            await node.DisposeAsync();
    }

    /// <summary>Whether the node that says this owns the bridge, with a stream.</summary>
    public static bool Owns(StatusReport status, string bridge) =>
        status.Nodes.Single(node => node.Node == status.Node).Owns.Contains(bridge)
        && status.Bridges.Single(one => one.Name == bridge).Connection == ConnectionState.Established;
}
