using System.Diagnostics;
using System.Globalization;

namespace Bridge.TestKit;

/// <summary>
/// A real Redis Cluster of masters on loopback, without replicas. Its nodes can be killed and brought back one by one, and slots moved
/// between them; disposing ends them all.
/// </summary>
public sealed class RedisCluster : IAsyncDisposable
{
    private const int Slots = 16384;
    private const int KeysPerStep = 10;

    private static readonly TimeSpan JoinTimeout = TimeSpan.FromSeconds(20);

    private readonly List<RedisServer> _nodes = [];
    private readonly List<int> _busPorts = [];
    private readonly RedisServer[] _owners = new RedisServer[Slots];

    private RedisCluster()
    {
    }

    /// <summary>The masters.</summary>
    public IReadOnlyList<RedisServer> Nodes => _nodes;

    /// <summary>A StackExchange.Redis connection string that names every node.</summary>
    public string ConnectionString => string.Join(',', _nodes.Select(node => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{node.Port}")));

    /// <summary>Starts the nodes, joins them and waits until all slots are served.</summary>
    /// <param name="options">How each is started.</param>
    /// <param name="masters">How many.</param>
    public static async Task<RedisCluster> StartAsync(RedisOptions? options = null, int masters = 3)
    {
        options ??= new RedisOptions();
        var cluster = new RedisCluster();
        try
        {
            for (var i = 0; i < masters; i++)
            {
                // By default ten thousand above the port, where it might be somebody's.
                var busPort = FreePorts.Next();
                cluster._busPorts.Add(busPort);
                cluster._nodes.Add(await RedisServer.StartAsync(options with
                {
                    Arguments =
                    [
                        "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf", "--cluster-node-timeout", "2000",
                        "--cluster-port", busPort.ToString(CultureInfo.InvariantCulture), .. options.Arguments,
                    ],
                }));
            }

            await cluster.JoinAsync();
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>The node that has a key.</summary>
    public async Task<RedisServer> OwnerOfAsync(string key) => _owners[await SlotOfAsync(key)];

    /// <summary>
    /// Moves the slot of a key to another node as redis-cli does when it reshards: both are told, the keys are moved, everybody is told.
    /// </summary>
    /// <param name="key">The key.</param>
    /// <param name="to">Whereto.</param>
    /// <param name="onTheWay">Happens when the keys have been moved, and the slot has not.</param>
    public async Task MoveSlotOfAsync(string key, RedisServer to, Func<Task>? onTheWay = null)
    {
        var number = await SlotOfAsync(key);
        var slot = number.ToString(CultureInfo.InvariantCulture);
        var from = _owners[number];
        var (fromId, toId) = (await AskAsync(from, "CLUSTER", "MYID"), await AskAsync(to, "CLUSTER", "MYID"));
        await AskAsync(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", fromId);
        await AskAsync(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", toId);
        await MoveKeysAsync(from, to, slot);
        if (onTheWay is not null)
            await onTheWay();
        await MoveKeysAsync(from, to, slot);
        await AskAsync(to, "CLUSTER", "SETSLOT", slot, "NODE", toId);
        await AskAsync(from, "CLUSTER", "SETSLOT", slot, "NODE", toId);
        foreach (var other in _nodes.Where(node => node != to && node != from))
            await AskAsync(other, "CLUSTER", "SETSLOT", slot, "NODE", toId);
        _owners[number] = to;
    }

    /// <summary>Waits until every node says that the cluster serves.</summary>
    public Task ServesAsync() => Eventually.TrueAsync(
        async () =>
        {
            foreach (var node in _nodes)
            {
                var info = await AskAsync(node, "CLUSTER", "INFO");
                if (!info.Contains("cluster_state:ok", StringComparison.Ordinal)
                    || !info.Contains($"cluster_known_nodes:{_nodes.Count}", StringComparison.Ordinal))
                    return false;
            }

            return true;
        },
        JoinTimeout,
        "every node knows the others, and all slots are served",
        () => string.Join('\n', _nodes.Select(node => node.Process.Output)));

    /// <summary>Asks one node by redis-cli.</summary>
    /// <exception cref="InvalidOperationException">It answers with an error.</exception>
    public static async Task<string> AskAsync(RedisServer node, params string[] command)
    {
        var start = new ProcessStartInfo("redis-cli") { RedirectStandardOutput = true };
        foreach (var word in (string[])["-e", "-p", node.Port.ToString(CultureInfo.InvariantCulture), .. command])
            start.ArgumentList.Add(word);
        using var client = System.Diagnostics.Process.Start(start) ?? throw new InvalidOperationException("redis-cli did not start.");
        var answer = await client.StandardOutput.ReadToEndAsync();
        await client.WaitForExitAsync();
        return client.ExitCode == 0 ? answer.Trim() : throw new InvalidOperationException($"{string.Join(' ', command)}: {answer}");
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
            await node.DisposeAsync();
    }

    private async Task JoinAsync()
    {
        for (var i = 0; i < _nodes.Count; i++)
        {
            var (first, behind) = (Slots * i / _nodes.Count, Slots * (i + 1) / _nodes.Count);
            await AskAsync(_nodes[i], "CLUSTER", "SET-CONFIG-EPOCH", (i + 1).ToString(CultureInfo.InvariantCulture));
            await AskAsync(_nodes[i], "CLUSTER", "ADDSLOTSRANGE", first.ToString(CultureInfo.InvariantCulture), (behind - 1).ToString(CultureInfo.InvariantCulture));
            Array.Fill(_owners, _nodes[i], first, behind - first);
            if (i > 0)
                await AskAsync(
                    _nodes[0], "CLUSTER", "MEET", "127.0.0.1", _nodes[i].Port.ToString(CultureInfo.InvariantCulture), _busPorts[i].ToString(CultureInfo.InvariantCulture));
        }

        await ServesAsync();
    }

    private async Task<int> SlotOfAsync(string key) => int.Parse(await AskAsync(_nodes[0], "CLUSTER", "KEYSLOT", key), CultureInfo.InvariantCulture);

    private static async Task MoveKeysAsync(RedisServer from, RedisServer to, string slot)
    {
        while (await AskAsync(from, "CLUSTER", "GETKEYSINSLOT", slot, KeysPerStep.ToString(CultureInfo.InvariantCulture)) is { Length: > 0 } keys)
        {
            await AskAsync(
                from,
                ["MIGRATE", "127.0.0.1", to.Port.ToString(CultureInfo.InvariantCulture), "", "0", "10000", "KEYS", .. keys.Split('\n', StringSplitOptions.TrimEntries)]);
        }
    }
}
