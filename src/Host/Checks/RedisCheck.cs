using System.Globalization;
using Bridge.Queue;
using Bridge.Settings;
using StackExchange.Redis;

namespace Bridge.Host.Checks;

/// <summary>Looks at the Redis side of one bridge, without touching queue, journal or lease.</summary>
/// <param name="bridge">The bridge.</param>
/// <param name="report">Where facts go.</param>
internal sealed class RedisCheck(BridgeSettings bridge, CheckReport report)
{
    private static readonly Version Oldest = new(6, 2);

    private readonly QueueKeys keys = bridge.Queue.Keys;

    /// <summary>Checks everything; tells who holds a lease that would be in the way, or null.</summary>
    public async Task<LeaseView> RunAsync()
    {
        // The client sends INFO and CONFIG only where this is set, whatever the server allows.
        await using var link = new RedisLink(bridge.Queue.Redis + ",allowAdmin=true", "bridge-check", bridge.Queue.CallTimeout);
        try
        {
            var began = TimeProvider.System.GetTimestamp();
            await link.CallAsync(database => database.ExecuteAsync("PING"));
            await report.OkAsync($"Redis answers ({Milliseconds(TimeProvider.System.GetElapsedTime(began))}, connecting included)");
        }
        catch (QueueFaultException exception)
        {
            await report.FailAsync("Redis: " + exception.Message, Advice(exception.Fault));
            return new LeaseView(null, false);
        }

        await Guarded("INFO", () => CheckServerAsync(link));
        await Guarded("save", () => CheckPersistenceAsync(link));
        await Guarded("TYPE", () => CheckKeysAsync(link));
        await Guarded("commands", () => CheckRightsAsync(link));
        if (bridge.Queue.Kind == QueueKind.Stream)
            await Guarded("XINFO", () => CheckGroupsAsync(link));
        if (bridge.Queue.PubSub is { } pubSub)
            await CheckPubSubAsync(pubSub);
        LeaseView lease = new(null, false);
        await Guarded("lease", async () => lease = await CheckLeaseAsync(link));
        return lease;
    }

    /// <summary>What is to be said at the start of `run`: version, eviction, persistence, and the groups of a stream.</summary>
    public async Task RunAtStartAsync()
    {
        await using var link = new RedisLink(bridge.Queue.Redis + ",allowAdmin=true", "bridge-check", bridge.Queue.CallTimeout);
        await Guarded("INFO", () => CheckServerAsync(link));
        await Guarded("save", () => CheckPersistenceAsync(link));
        if (bridge.Queue.Kind == QueueKind.Stream)
            await Guarded("XINFO", () => CheckGroupsAsync(link));
    }

    private async Task Guarded(string what, Func<Task> check)
    {
        try
        {
            await check();
        }
        catch (QueueFaultException exception)
        {
            await report.FailAsync($"Redis, {what}: {exception.Message}", Advice(exception.Fault));
        }
    }

    private async Task CheckServerAsync(RedisLink link)
    {
        var info = ReadInfo(await TextAsync(link, "INFO"));
        var valkey = info.GetValueOrDefault("valkey_version");
        var version = info.GetValueOrDefault("redis_version", "");
        var name = valkey is null ? "Redis " + version : "Valkey " + valkey;
        if (Version.TryParse(version, out var parsed) && parsed < Oldest)
            await report.FailAsync(name, "use Redis 6.2 or later");
        else
            await report.OkAsync(name);

        var role = info.GetValueOrDefault("role", "");
        if (role == "master")
            await report.OkAsync("Redis role: master");
        else
            await report.FailAsync("Redis role: " + role, "connect to the master: a replica refuses writes");

        var limit = info.GetValueOrDefault("maxmemory", "0");
        var policy = info.GetValueOrDefault("maxmemory_policy", "");
        if (policy == "noeviction" || limit == "0")
            await report.OkAsync(limit == "0" ? $"Redis maxmemory: no limit (maxmemory-policy {policy})" : $"Redis maxmemory-policy: noeviction (maxmemory {limit} B)");
        else if (policy.StartsWith("volatile-", StringComparison.Ordinal))
            await report.WarnAsync($"Redis maxmemory-policy: {policy}", "set maxmemory-policy noeviction: a full Redis may evict the lease, and the owner stops for it");
        else
            await report.FailAsync($"Redis maxmemory-policy: {policy}", "set maxmemory-policy noeviction: a full Redis throws the queue away");

        if (info.GetValueOrDefault("rdb_last_bgsave_status") == "err")
            await report.FailAsync("Redis cannot write its snapshots", "look into Redis' log; it may refuse writes (stop-writes-on-bgsave-error)");
        if (info.GetValueOrDefault("aof_last_write_status") == "err")
            await report.FailAsync("Redis cannot write its append-only file", "look into Redis' log and at the free disk space");
        appendOnly = info.GetValueOrDefault("aof_enabled") == "1";
    }

    private bool appendOnly;

    private async Task CheckPersistenceAsync(RedisLink link)
    {
        if (appendOnly)
        {
            await report.OkAsync("Redis persistence: append-only file");
            return;
        }

        string? save = null;
        try
        {
            var reply = (RedisResult[]?)await link.CallAsync(database => database.ExecuteAsync("CONFIG", "GET", "save"));
            save = reply is { Length: 2 } ? (string?)reply[1] : null;
        }
        catch (QueueFaultException)
        {
            // Managed services and ACLs often forbid CONFIG; then it stays unknown.
        }

        const string change = "set appendonly yes, so that a crash of Redis loses a second at most (appendfsync everysec), or nothing (always)";
        await report.WarnAsync(
            save switch
            {
                null => "Redis persistence: no append-only file; whether snapshots are on cannot be seen",
                "" => "Redis persistence: none; a restart of Redis loses the whole queue",
                _ => "Redis persistence: snapshots only; a crash of Redis loses what came after the last one",
            },
            change);
    }

    private async Task CheckKeysAsync(RedisLink link)
    {
        var expected = bridge.Queue.Kind == QueueKind.List ? RedisType.List : RedisType.Stream;
        (string Key, string What, RedisType Expected)[] all =
        [
            (keys.Queue, "queue", expected),
            (keys.Inflight, "journal", RedisType.List),
            (keys.Runs, "journal's runs", RedisType.List),
            (keys.Dead, "dead letters", RedisType.Stream),
            (keys.Outcomes, "outcomes", RedisType.Stream),
            (keys.Replies, "replies", RedisType.Stream),
        ];
        foreach (var (key, what, type) in all)
        {
            var found = await link.CallAsync(database => database.KeyTypeAsync(key));
            if (found == RedisType.None)
            {
                if (key == keys.Queue)
                    await report.OkAsync($"{what} {key}: empty");
            }
            else if (found != type)
            {
                var is_ = Name(found);
                await report.FailAsync(
                    $"{what} {key} is a {is_}, not a {Name(type)}",
                    key == keys.Queue && found is RedisType.List or RedisType.Stream
                        ? $"set queue.kind = {is_} (BRIDGE_QUEUE_KIND), or rename the key"
                        : "rename or remove the key, or choose another queue name");
            }
            else
            {
                var length = await link.CallAsync(database => type == RedisType.List ? database.ListLengthAsync(key) : database.StreamLengthAsync(key));
                var fact = string.Create(CultureInfo.InvariantCulture, $"{what} {key}: {Name(type)}, length {length}");
                if (key == keys.Dead && length > 0)
                    await report.WarnAsync(fact, "see why: bridge dead list");
                else
                    await report.OkAsync(fact);
            }
        }

        static string Name(RedisType type) => type.ToString().ToLowerInvariant();
    }

    /// <summary>Runs each kind of command that Bridge needs, on a key of its own in the queue's slot.</summary>
    private async Task CheckRightsAsync(RedisLink link)
    {
        const string script =
            """
            redis.call('DEL', KEYS[1])
            redis.call('RPUSH', KEYS[1], 'a')
            redis.call('LRANGE', KEYS[1], 0, 0)
            redis.call('LLEN', KEYS[1])
            redis.call('LPOP', KEYS[1])
            redis.call('XADD', KEYS[1], 'MAXLEN', '~', '10', '*', 'a', 'b')
            redis.call('XGROUP', 'CREATE', KEYS[1], 'g', '0')
            redis.call('XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '1', 'STREAMS', KEYS[1], '>')
            redis.call('XRANGE', KEYS[1], '-', '+')
            redis.call('DEL', KEYS[1])
            redis.call('SET', KEYS[1], 'a', 'PX', 1000)
            redis.call('PEXPIRE', KEYS[1], 1000)
            redis.call('PTTL', KEYS[1])
            redis.call('DEL', KEYS[1])
            redis.call('HSET', KEYS[1], 'a', 'b')
            redis.call('HGETALL', KEYS[1])
            redis.call('DEL', KEYS[1])
            redis.call('TIME')
            """;
        // The tag in braces keeps it in the queue's slot, as the other keys.
        var scratch = keys.Lease + "-check-" + Guid.NewGuid().ToString("N");
        await link.CallAsync(database => database.ExecuteAsync("EVAL", script, 1, (RedisKey)scratch));
        if (bridge.Queue.Kind == QueueKind.List)
            await link.CallAsync(database => database.ExecuteAsync("BLMOVE", (RedisKey)scratch, (RedisKey)scratch, "LEFT", "LEFT", "0.01"));
        else
            await link.CallAsync(database => database.ExecuteAsync("XREAD", "COUNT", 1, "BLOCK", 10, "STREAMS", (RedisKey)scratch, "0"));
        await report.OkAsync("Redis lets Bridge run its commands");
    }

    private async Task CheckGroupsAsync(RedisLink link)
    {
        if (await link.CallAsync(database => database.KeyTypeAsync(keys.Queue)) != RedisType.Stream)
            return;
        var groups = await link.CallAsync(database => database.StreamGroupInfoAsync(keys.Queue));
        var others = groups.Select(group => group.Name).Where(name => name != bridge.Queue.Group).ToList();
        if (others.Count == 0)
            await report.OkAsync($"stream {keys.Queue}: no consumer group but {bridge.Queue.Group}");
        else if (bridge.Queue.Deletion == StreamDeletion.Own)
            await report.WarnAsync(
                $"stream {keys.Queue} has other consumer groups: {string.Join(", ", others)}",
                "Bridge then deletes nothing; let its producers trim it, or remove the groups that nobody uses (XGROUP DESTROY)");
        else
            await report.OkAsync($"stream {keys.Queue} has other consumer groups ({string.Join(", ", others)}); nothing is deleted");
    }

    private async Task CheckPubSubAsync(PubSubSettings pubSub)
    {
        await using var intake = new RedisPubSub(bridge.Queue, "check");
        await using var subscription = intake.Subscribe();
        try
        {
            await subscription.ListenAsync(_ => { }, _ => { });
            await subscription.PingAsync();
        }
        catch (QueueFaultException exception)
        {
            await report.FailAsync(
                "Redis, PSUBSCRIBE: " + exception.Message,
                exception.Fault == QueueFault.Forbidden
                    ? "let that user listen: ACL SETUSER <user> +psubscribe &<pattern> for each of queue.pubsub.patterns"
                    : Advice(exception.Fault));
            return;
        }

        await report.OkAsync(string.Create(
            CultureInfo.InvariantCulture,
            $"Pub/Sub, best effort: Redis lets Bridge listen to {pubSub.Patterns.Length} patterns; what is published while no Bridge listens is lost"));
    }

    private async Task<LeaseView> CheckLeaseAsync(RedisLink link)
    {
        (string Key, string What)[] leases = [(keys.Lease, "queue"), (QueueKeys.DomainLease(bridge.Xmpp.Domain), "domain")];
        foreach (var (key, what) in leases)
        {
            var left = await link.CallAsync(database => database.KeyTimeToLiveAsync(key));
            if (left is null)
                continue;
            await report.OkAsync(string.Create(CultureInfo.InvariantCulture, $"another process owns this {what} (its lease {key} lives {left.Value.TotalSeconds:0.0} s more)"));
            return new LeaseView(what, true);
        }

        await report.OkAsync("nobody owns the queue at the moment");
        return new LeaseView(null, true);
    }

    private static async Task<string> TextAsync(RedisLink link, string command) =>
        (string?)await link.CallAsync(database => database.ExecuteAsync(command)) ?? "";

    private static Dictionary<string, string> ReadInfo(string info)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in info.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0)
                values[line[..colon]] = line[(colon + 1)..];
        }

        return values;
    }

    private static string Advice(QueueFault fault) => fault switch
    {
        QueueFault.Unreachable => "see that Redis runs and that address, port, TLS and firewall are right (BRIDGE_REDIS)",
        QueueFault.Forbidden => "give the user and password of BRIDGE_REDIS, and let that user run the command on the queue's keys: ACL SETUSER <user> ~<queue> ~{<queue>}:* ~bridge:domain:* +@all -@dangerous +info",
        QueueFault.ReadOnly => "connect to the master",
        QueueFault.OutOfMemory => "Redis is full: Bridge drains it all the same, but producers cannot push; raise maxmemory",
        QueueFault.NotReady => "wait until Redis has loaded its data, then check again",
        QueueFault.RefusesWrites => "Redis cannot persist or has too few replicas, and refuses writes: look into its log",
        QueueFault.WrongType => "rename or remove the key, or choose another queue name",
        _ => "look into Redis' log",
    };

    private static string Milliseconds(TimeSpan time) =>
        string.Create(CultureInfo.InvariantCulture, $"{time.TotalMilliseconds:0.0} ms");
}

/// <summary>What the leases tell.</summary>
/// <param name="Held">What somebody owns, <c>queue</c> or <c>domain</c>; null: neither.</param>
/// <param name="IsKnown">Whether Redis could tell.</param>
internal readonly record struct LeaseView(string? Held, bool IsKnown);
