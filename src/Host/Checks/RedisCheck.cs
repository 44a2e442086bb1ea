using System.Globalization;
using System.Text.RegularExpressions;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;
using StackExchange.Redis;

namespace Bridge.Host.Checks;

/// <summary>Looks at the Redis side of one bridge, without touching queue, journal or lease.</summary>
/// <param name="bridge">The bridge.</param>
/// <param name="report">Where facts go.</param>
internal sealed partial class RedisCheck(BridgeSettings bridge, CheckReport report)
{
    private static readonly Version Oldest = new(6, 2);

    private const int Slots = 16384;

    private readonly QueueKeys keys = bridge.Queue.Keys;
    private bool hasUser;

    /// <summary>Checks everything; tells who holds a lease that would be in the way, or null.</summary>
    public async Task<LeaseView> RunAsync()
    {
        await using var link = OpenLink();
        try
        {
            var began = TimeProvider.System.GetTimestamp();
            await link.CallAsync(database => database.ExecuteAsync("PING"));
            await report.OkAsync($"Redis answers ({Milliseconds(TimeProvider.System.GetElapsedTime(began))}, connecting included)");
        }
        catch (QueueFaultException exception)
        {
            await report.FailAsync("Redis: " + exception.Message, Advice(exception));
            return new LeaseView(null, false);
        }

        await Guarded("INFO", () => CheckServersAsync(link));
        await Guarded("TYPE", () => CheckKeysAsync(link));
        await Guarded("rights", () => CheckRightsAsync(link));
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
        await using var link = OpenLink();
        await Guarded("INFO", () => CheckServersAsync(link));
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
            await report.FailAsync($"Redis, {what}: {exception.Message}", Advice(exception));
        }
    }

    // The client sends INFO and CONFIG only where this is set, whatever the server allows. A user of its own has no right to CONFIG, whose
    // answers hold passwords, and is not to be found in ACL LOG for asking.
    private RedisLink OpenLink()
    {
        var queue = bridge.Queue;
        hasUser = ConfigurationOptions.Parse(queue.Redis).User is { Length: > 0 };
        return new RedisLink(queue with { Redis = queue.Redis + ",allowAdmin=true" + (hasUser ? ",$CONFIG=" : "") }, "bridge-check");
    }

    /// <summary>The server; of a cluster the node that has the queue, and the one that has the lease on the domain.</summary>
    private async Task CheckServersAsync(RedisLink link)
    {
        RedisKey domain = QueueKeys.DomainLease(bridge.Xmpp.Domain);
        var client = await link.CallAsync(database => Task.FromResult(database.Multiplexer));
        var (ofQueue, ofDomain) = (client.GetServer((RedisKey)keys.Queue), client.GetServer(domain));
        if (ofQueue.ServerType == ServerType.Cluster && ofQueue.ClusterConfiguration is { } cluster)
        {
            var masters = cluster.Nodes.Where(node => !node.IsReplica && node.Slots.Count > 0).ToList();
            var fact = string.Create(
                CultureInfo.InvariantCulture,
                $"Redis Cluster of {masters.Count} masters: the queue in slot {client.GetHashSlot(keys.Queue)} on {ofQueue.EndPoint}, the lease on the domain in slot {client.GetHashSlot(domain)} on {ofDomain.EndPoint}");
            var served = masters.Sum(node => node.Slots.Sum(slots => slots.To - slots.From + 1));
            if (served == Slots)
                await report.OkAsync(fact);
            else
                await report.FailAsync($"{fact}; {Slots - served} slots have no master", "mend the cluster: redis-cli --cluster fix");
        }

        await CheckServerAsync(link, ofQueue);
        if (!Equals(ofQueue.EndPoint, ofDomain.EndPoint))
            await CheckServerAsync(link, ofDomain);
    }

    private async Task CheckServerAsync(RedisLink link, IServer server)
    {
        var info = ReadInfo((string?)await link.CallAsync(_ => server.ExecuteAsync("INFO")) ?? "");
        var valkey = info.GetValueOrDefault("valkey_version");
        var version = info.GetValueOrDefault("redis_version", "");
        var name = (valkey is null ? "Redis " + version : "Valkey " + valkey) + (server.ServerType == ServerType.Cluster ? $" ({server.EndPoint})" : "");
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
        if (info.GetValueOrDefault("redis_mode") == "cluster" && server.ServerType != ServerType.Cluster)
            await report.FailAsync(
                "Redis Cluster, but which node has which slot could not be asked",
                "let that user ask: ACL SETUSER <user> +cluster|nodes");
        await CheckPersistenceAsync(link, server, info.GetValueOrDefault("aof_enabled") == "1");
    }

    private async Task CheckPersistenceAsync(RedisLink link, IServer server, bool appendOnly)
    {
        if (appendOnly)
        {
            await report.OkAsync("Redis persistence: append-only file");
            return;
        }

        string? save = null;
        try
        {
            if (!hasUser && (RedisResult[]?)await link.CallAsync(_ => server.ExecuteAsync("CONFIG", "GET", "save")) is [_, var value])
                save = (string?)value;
        }
        catch (QueueFaultException)
        {
            // Managed services often forbid CONFIG; then it stays unknown.
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

    /// <summary>Tries every command that Bridge needs on a key of its own in the queue's slot, then the keys and channels that it needs.</summary>
    private async Task CheckRightsAsync(RedisLink link)
    {
        var missing = await IsAllowedAsync(link, "EVAL", "return 1", 0) ? await FindForbiddenKeysAsync(link) : ["+eval"];
        // Without either of these nothing can be tried.
        if (!missing.Contains("+eval") && !missing.Contains(OwnKeys))
            missing.AddRange(await FindForbiddenCommandsAsync(link));
        if (bridge.Inbound.Publish && !missing.Contains("+eval") && !await MayPublishAsync(link))
            missing.Add($"+publish &{keys.Queue}:inbound:*");
        if (missing.Count == 0)
            await report.OkAsync("Redis lets Bridge run its commands");
        else
            await report.FailAsync($"Redis lets Bridge's user not do all that it must: {string.Join(' ', missing)}", $"ACL SETUSER <user> {string.Join(' ', missing)} (docs/security.md has the whole line)");
    }

    private async Task<IEnumerable<string>> FindForbiddenCommandsAsync(RedisLink link)
    {
        // The tag in braces keeps it in the queue's slot, as the other keys.
        RedisKey scratch = keys.Lease + "-check-" + Guid.NewGuid().ToString("N");
        var calls = RedisRights.CallsOf(bridge.Queue);
        List<object> arguments = [RedisRights.Script, 1, scratch];
        foreach (var call in calls)
            arguments.AddRange([call.Length, .. call]);
        var forbidden = (int[]?)await link.CallAsync(database => database.ExecuteAsync("EVAL", arguments)) ?? [];
        List<string> missing = [.. forbidden.Select(number => RedisRights.RightOf(calls[number])).Distinct()];
        // Blocking ones do not run in scripts, and a script that is unknown is an answer too.
        if (bridge.Queue.Kind == QueueKind.List && !await IsAllowedAsync(link, "BLMOVE", scratch, scratch, "LEFT", "LEFT", "0.01"))
            missing.Add("+blmove");
        if (!await IsAllowedAsync(link, "EVALSHA", new string('0', 40), 1, scratch))
            missing.Add("+evalsha");
        return missing;
    }

    private string OwnKeys => "~" + keys.None[..^"none".Length] + "*";

    /// <summary>A script that does nothing shows whether it may be given a key.</summary>
    private async Task<List<string>> FindForbiddenKeysAsync(RedisLink link)
    {
        var domain = QueueKeys.DomainLease(bridge.Xmpp.Domain);
        List<(string Key, string Pattern)> needed =
        [
            (keys.Queue, "~" + keys.Queue), .. keys.All.Select(key => (key, OwnKeys)),
            (domain, "~" + domain), ("{" + domain + "}:none", "~{" + domain + "}:none"),
            (OutcomeTicket.ReplyKeyPrefix + "check", "~" + OutcomeTicket.ReplyKeyPrefix + "*"),
            .. bridge.Inbound.List is { } list ? [(list, "~" + list)] : Array.Empty<(string, string)>(),
        ];
        var patterns = new List<string>();
        foreach (var (key, pattern) in needed)
        {
            if (!patterns.Contains(pattern) && !await IsAllowedAsync(link, "EVAL", "return 1", 1, (RedisKey)key))
                patterns.Add(pattern);
        }

        return patterns;
    }

    private static async Task<bool> IsAllowedAsync(RedisLink link, string command, params object[] arguments)
    {
        try
        {
            await link.CallAsync(database => database.ExecuteAsync(command, arguments));
            return true;
        }
        catch (QueueFaultException fault) when (fault.Fault == QueueFault.Forbidden)
        {
            return false;
        }
        catch (QueueFaultException fault) when (RedisFaults.IsUnknownScript(fault))
        {
            return true;
        }
    }

    private async Task<bool> MayPublishAsync(RedisLink link)
    {
        try
        {
            return (int)await link.CallAsync(database => database.ExecuteAsync("EVAL", RedisRights.PublishScript, 0, keys.Queue + ":inbound:check")) == 0;
        }
        catch (QueueFaultException fault) when (fault.Fault == QueueFault.Other)
        {
            // It cannot be tried without publishing something.
            return true;
        }
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
            await subscription.StopAsync();
        }
        catch (QueueFaultException exception)
        {
            await report.FailAsync(
                "Redis, PSUBSCRIBE: " + exception.Message,
                exception.Fault == QueueFault.Forbidden
                    ? $"let that user listen: ACL SETUSER <user> +psubscribe +punsubscribe {string.Join(' ', pubSub.Patterns.Select(pattern => "&" + pattern))}"
                    : Advice(exception));
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

    // NOPERM names the command, in the words of every version.
    [GeneratedRegex("run the '([^']+)' command")]
    private static partial Regex ForbiddenCommand();

    private static string Advice(QueueFaultException exception) => exception.Fault switch
    {
        QueueFault.Forbidden when ForbiddenCommand().Match(exception.Message) is { Success: true } match =>
            $"ACL SETUSER <user> +{match.Groups[1].Value} (docs/security.md has the whole line)",
        QueueFault.Unreachable => "see that Redis runs and that address, port, TLS and firewall are right (BRIDGE_REDIS)",
        QueueFault.Forbidden => "give the user and password of BRIDGE_REDIS, and that user its rights (ACL SETUSER; docs/security.md has the line)",
        QueueFault.Untrusted => "name the certificate's authority in redis-ca-file, and its name in sslHost=… of BRIDGE_REDIS",
        QueueFault.ReadOnly => "connect to the master",
        QueueFault.OutOfMemory => "Redis is full: Bridge drains it all the same, but producers cannot push; raise maxmemory",
        QueueFault.NotReady => "wait until Redis has loaded its data, or its cluster has failed over or moved the slot, then check again",
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
