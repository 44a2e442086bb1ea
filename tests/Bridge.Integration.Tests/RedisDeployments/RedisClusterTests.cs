using System.Globalization;
using Bridge.Integration.Tests.Host;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.RedisDeployments;

/// <summary>Every promise, where the queue's Redis is a Redis Cluster of three masters.</summary>
public sealed class RedisClusterTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    private static readonly RedisOptions Remembers = new() { AppendOnly = true, AppendFsync = "always" };
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task Everything_arrives_in_order_and_is_told_with_replies_in_every_slot(QueueKind kind)
    {
        var cluster = await RedisCluster.StartAsync();
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync("prosody"), cluster, kind);
        Assert.NotEqual(trial.Redis, await cluster.OwnerOfAsync(QueueKeys.DomainLease(trial.Domain)));
        await trial.PushAsync(2_000);
        var user = await SetUserAsync(cluster, trial.Domain);
        await using var bridge = new InProcessBridge(trial.Settings(ConfirmGrade.Accepted, redis: OneOf(cluster) + user));

        var report = await trial.EndAsync(Soon, bridge);

        Assert.True(report.IsClean, report.ToString());
        Assert.Null(bridge.Snapshot.QueueFault);
        await NothingRefusedAsync(cluster);
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task A_slot_that_moves_to_another_master_in_the_middle_of_a_flood_loses_and_reorders_nothing(QueueKind kind)
    {
        const int count = 4_000;
        var cluster = await RedisCluster.StartAsync();
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync("prosody"), cluster, kind, DeliveryTrial.SlowFlood / 4);
        await trial.PushAsync(count);
        var user = await SetUserAsync(cluster, trial.Domain);
        await using var bridge = new InProcessBridge(trial.Settings(ConfirmGrade.Held, redis: OneOf(cluster) + user, window: 1_000));
        await trial.Ledger.ArrivedAsync(count / 4, Soon);

        var arrived = 0;
        // There, on to the third one, and back: the client's view of the slots is out of date each time.
        foreach (var to in cluster.Nodes.Where(node => node != trial.Redis).Append(trial.Redis))
        {
            // The app's client follows one redirection for each call, not two.
            await trial.DepthAsync();
            await cluster.MoveSlotOfAsync(DeliveryTrial.Queue, to, () =>
            {
                arrived = arrived > 0 ? arrived : trial.Ledger.Check().Arrived;
                return trial.PushAsync(20, withOdd: false);
            });
        }

        var report = await trial.EndAsync(Soon, bridge, LedgerExcuses.RepliesRepeated);

        Assert.True(report.IsKept, report.ToString());
        Assert.InRange(arrived, count / 4, count - 1);
        Assert.Equal(count + 60, report.Arrived);
        await bridge.QueueWorksAsync();
        Assert.Equal(0, bridge.Snapshot.Restarts);
        await NothingRefusedAsync(cluster);
    }

    [Theory]
    [InlineData(QueueKind.List, ConfirmGrade.Held)]
    [InlineData(QueueKind.Stream, ConfirmGrade.Accepted)]
    public async Task A_master_that_is_killed_and_comes_back_loses_nothing(QueueKind kind, ConfirmGrade grade)
    {
        const int count = 4_000;
        var cluster = await RedisCluster.StartAsync(Remembers);
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync("prosody"), cluster, kind, DeliveryTrial.SlowFlood);
        await trial.PushAsync(count);
        await using var bridge = new InProcessBridge(trial.Settings(grade, redis: OneOf(cluster), window: 1_000));
        await trial.Ledger.ArrivedAsync(count / 4, Soon);

        await trial.Redis.KillAsync();
        var arrived = trial.Ledger.Check().Arrived;
        await trial.Redis.RestartAsync();
        await cluster.ServesAsync();
        var report = await trial.EndAsync(Soon, bridge, LedgerExcuses.RepliesRepeated);

        Assert.True(report.IsKept, report.ToString());
        Assert.InRange(arrived, count / 4, count - 1);
        Assert.Equal(count, report.Arrived);
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task Calls_of_a_session_whose_slot_has_moved_fail_and_are_not_sent_again_behind_later_ones(QueueKind kind)
    {
        await using var cluster = await RedisCluster.StartAsync();
        var settings = InProcessBridge.Settings(cluster.ConnectionString, [1], kind: kind);
        await using var link = new RedisLink(settings.Queue, "bridge-test");
        await using RedisQueue queue = kind == QueueKind.List
            ? new ListQueue(link, settings.Queue, settings.Dead, settings.Outcomes)
            : new StreamQueue(link, settings.Queue, settings.Dead, settings.Outcomes);
        await using var lease = new RedisQueueLease(link, settings.Queue.Keys, settings.Xmpp.Domain, settings.Lease);
        var grant = (await lease.TryAcquireAsync()).Grant!;
        var session = (await queue.RecoverAsync(grant)).Session;
        var home = await cluster.OwnerOfAsync(DeliveryTrial.Queue);
        await cluster.MoveSlotOfAsync(DeliveryTrial.Queue, cluster.Nodes.First(node => node != home));

        // The first failure ends the connection, which may be what the others meet.
        var faults = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Take()).ToArray());
        Assert.Equal((QueueFault?)QueueFault.NotReady, faults[0]);
        Assert.All(faults, fault => Assert.Contains(fault, new QueueFault?[] { QueueFault.NotReady, QueueFault.Unreachable }));
        session = (await queue.RecoverAsync(grant)).Session;
        Assert.Null(await Take());
        Assert.True(await lease.RenewAsync(grant));

        async Task<QueueFault?> Take()
        {
            try
            {
                await queue.TakeAsync(session, new TakeLimits(10, 1_000), Settlement.Nothing);
                return null;
            }
            catch (QueueFaultException fault)
            {
                return fault.Fault;
            }
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_master_that_has_neither_queue_nor_domain_is_missed_by_nobody_but_who_listens_there_which_is_heard_elsewhere(bool listensThere)
    {
        var cluster = await RedisCluster.StartAsync(new RedisOptions { Arguments = ["--cluster-require-full-coverage", "no"] });
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync("prosody"), cluster);
        var ofDomain = await cluster.OwnerOfAsync(QueueKeys.DomainLease(trial.Domain));
        var other = cluster.Nodes.Single(node => node != trial.Redis && node != ofDomain);
        var lost = await KeyOfAsync(cluster, other);
        var settings = trial.Settings(ConfirmGrade.Accepted);
        // The first is listened to.
        var nodes = cluster.Nodes.OrderBy(node => (node == other) != listensThere);
        await using var bridge = new InProcessBridge(settings with
        {
            Queue = settings.Queue with
            {
                Redis = string.Join(',', nodes.Select(node => node.ConnectionString)),
                PubSub = new PubSubSettings { Patterns = ["xmpp:send:*"], MaxQueued = 1_000, Buffer = 100 },
            },
        });
        await bridge.EstablishedAsync();
        await Eventually.TrueAsync(() => bridge.Snapshot.Listening == true, Soon, "it listens");
        var before = await ListeningAsync(but: null);
        Assert.Equal(listensThere, (await ListeningAsync(but: other)).Count == 0);

        await other.KillAsync();
        await Eventually.TrueAsync(
            async () => (await ListeningAsync(but: other)).Count == 1 && bridge.Snapshot.Listening == true, Soon, "it listens elsewhere, or still does");
        // The reply can be put down, and cannot be carried to where nobody is.
        await trial.PushPayloadAsync($$"""{"to":"{{trial.SinkJid}}","body":"x","replyTo":"{{lost}}"}""");
        await trial.PushAsync(1_000, withOdd: false);
        await trial.Ledger.SettledAsync(Soon);

        Assert.Null(bridge.Snapshot.QueueFault);
        Assert.Null(bridge.Snapshot.LastReconnectCause);
        var after = await ListeningAsync(but: other);
        Assert.Single(after);
        Assert.True(listensThere || after.SequenceEqual(before), "Its own connection was not interrupted.");

        // Each by its number and its node.
        async Task<List<string>> ListeningAsync(RedisServer? but)
        {
            List<string> listening = [];
            foreach (var node in cluster.Nodes.Where(node => node != but))
            {
                listening.AddRange((await RedisCluster.AskAsync(node, "CLIENT", "LIST")).Split('\n')
                    .Where(client => client.Contains("name=bridge-main-pubsub", StringComparison.Ordinal) && client.Contains("psub=1", StringComparison.Ordinal))
                    .Select(client => $"{node.Port}: {client.Split(' ')[0]}"));
            }

            return listening;
        }
    }

    [Fact]
    public async Task Dead_letters_the_tail_and_a_message_from_the_shell_find_their_node_and_the_check_tells_which_it_is()
    {
        await using var cluster = await RedisCluster.StartAsync(Remembers);
        await using var server = new ScriptedXmppServer();
        (string, string)[] environment =
        [
            ("BRIDGE_REDIS", OneOf(cluster)),
            ("BRIDGE_XMPP", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{server.Port}")),
            ("BRIDGE_DOMAIN", server.Options.Component),
            ("BRIDGE_SECRET", server.Options.Secret),
            ("BRIDGE_CONFIRM", "accepted"),
        ];
        await using var program = new BridgeProcess(new BridgeProcessOptions { Environment = environment.ToDictionary(pair => pair.Item1, pair => (string?)pair.Item2) });
        program.Start();
        await program.ReadyAsync(Soon);
        var (code, facts) = await BridgeCommand.RunAsync(["check"], environment);
        Assert.True(code == 0, facts);
        var home = await cluster.OwnerOfAsync("xmpp:outbound");
        var slot = await RedisCluster.AskAsync(home, "CLUSTER", "KEYSLOT", "xmpp:outbound");
        Assert.Contains($"ok   Redis Cluster of 3 masters: the queue in slot {slot} on 127.0.0.1:{home.Port}, the lease on the domain", facts, StringComparison.Ordinal);
        Assert.Contains("ok   Redis lets Bridge run its commands", facts, StringComparison.Ordinal);
        Assert.Contains("another process owns this queue", facts, StringComparison.Ordinal);
        await using var tail = BridgeCommand.Start(["tail", "--since", "0", "--count", "1"], environment);

        var sent = await BridgeCommand.RunAsync(["send", "ada@example.test", "hi"], environment);
        var refused = await BridgeCommand.RunAsync(["send", "not a jid@", "hi"], environment);
        var listed = await BridgeCommand.RunAsync(["dead", "list"], environment);

        Assert.True(sent.Code == 0, sent.Output);
        Assert.Contains("dead", refused.Output, StringComparison.Ordinal);
        Assert.Contains("1 dead letters, 1 shown", listed.Output, StringComparison.Ordinal);
        Assert.Equal(0, await tail.WaitForExitAsync(Soon));
        Assert.Contains("outcome dead", tail.Output, StringComparison.Ordinal);
        Assert.Equal(0, await program.StopAsync());
    }

    // With no more than the rights that docs/security.md names.
    private static async Task<string> SetUserAsync(RedisCluster cluster, string domain)
    {
        foreach (var node in cluster.Nodes)
        {
            await RedisCluster.AskAsync(
                node, ["ACL", "SETUSER", .. AclLines.Of("bridge").Select(word => word.Replace("bridge.example.com", domain, StringComparison.Ordinal)), .. AclLines.OfACluster]);
        }

        return ",user=bridge,password=change-me";
    }

    private static async Task NothingRefusedAsync(RedisCluster cluster)
    {
        foreach (var node in cluster.Nodes)
            Assert.Equal("", await RedisCluster.AskAsync(node, "ACL", "LOG"));
    }

    // A bridge finds the others by itself.
    private static string OneOf(RedisCluster cluster) => cluster.Nodes[^1].ConnectionString;

    private static async Task<string> KeyOfAsync(RedisCluster cluster, RedisServer node)
    {
        for (var i = 0; ; i++)
        {
            var key = string.Create(CultureInfo.InvariantCulture, $"bridge:reply:{i}");
            if (await cluster.OwnerOfAsync(key) == node)
                return key;
        }
    }
}
