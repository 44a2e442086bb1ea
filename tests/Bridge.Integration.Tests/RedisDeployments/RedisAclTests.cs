using System.Globalization;
using Bridge.Host.Checks;
using Bridge.Integration.Tests.Host;
using Bridge.Settings;
using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Integration.Tests.RedisDeployments;

/// <summary>The rights that docs/security.md gives Bridge and the app are enough, and none of them is too many.</summary>
public sealed class RedisAclTests(RedisAclTests.Servers servers) : IClassFixture<RedisAclTests.Servers>
{
    private const string Domain = "bridge.example.com";
    private const string Patterns = "xmpp:send:*";
    private static readonly string[] OfTheClient = ["+echo", "+client|setname", "+client|id", "+select", "+cluster|nodes", "+cluster|slots"];
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    public sealed class Servers() : RealServers(_ => new XmppServerOptions { Components = [Domain, "sink.example.com"] }), IAsyncLifetime
    {
        Task IAsyncLifetime.InitializeAsync() => Task.CompletedTask;

        Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();
    }

    [Fact]
    public async Task Every_kind_of_queue_runs_with_them_nothing_is_refused_and_each_is_used()
    {
        var used = new HashSet<string>();
        used.UnionWith(await RunAsync(QueueKind.List));
        used.UnionWith(await RunAsync(QueueKind.Stream));

        var granted = AclLines.Of("bridge").Concat(AclLines.Besides).Where(word => word.StartsWith('+')).ToList();
        Assert.Equal([], granted.Except(used).Order());
        Assert.Equal([], used.Except(granted).Except(["+hello", "+auth"]).Order());
    }

    [Fact]
    public async Task Without_any_one_of_them_the_check_fails_and_names_it()
    {
        await using var redis = await RedisServer.StartAsync(new RedisOptions { AppendOnly = true });
        using var admin = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString + ",allowAdmin=true");
        IReadOnlyList<string> all = [.. AclLines.Of("bridge"), .. AclLines.Besides];

        await SetUserAsync(admin, all);
        var (failed, sound) = await CheckAsync(redis, QueueKind.List, QueueKind.Stream);
        Assert.False(failed, sound);
        Assert.Empty(await RefusedAsync(admin));
        var unnamed = new List<string>();
        foreach (var right in all.Where(word => word[0] is '+' or '~' or '&'))
        {
            await SetUserAsync(admin, [.. all.Where(word => word != right)]);
            await admin.GetDatabase().ExecuteAsync("ACL", "LOG", "RESET");
            var told = "";
            var named = false;
            foreach (var kind in new[] { QueueKind.List, QueueKind.Stream })
            {
                (failed, var facts) = await CheckAsync(redis, kind);
                told += facts;
                // What the client asks for itself while it connects is no fact of the check; that it was refused is.
                named = named || (OfTheClient.Contains(right)
                    ? (await RefusedAsync(admin)).Contains(right[1..])
                    : failed && facts.Split('\n').Any(line => line.StartsWith("FAIL", StringComparison.Ordinal) && line.Contains(right, StringComparison.OrdinalIgnoreCase)));
                if (named)
                    break;
            }

            if (!named)
                unnamed.Add($"{right}: {told}");
        }

        Assert.True(unnamed.Count == 0, string.Join("\n\n", unnamed));
    }

    [Fact]
    public async Task The_app_pushes_and_reads_what_is_for_it_and_no_more()
    {
        await using var redis = await RedisServer.StartAsync();
        using var admin = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString + ",allowAdmin=true");
        await SetUserAsync(admin, AclLines.Of("app"));
        await SetUserAsync(admin, AclLines.Of("bridge"));
        await using var app = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString + ",user=app,password=change-me-too,$CLIENT=,$CLUSTER=,$CONFIG=,$INFO=,$ECHO=");
        await admin.GetDatabase().ExecuteAsync("ACL", "LOG", "RESET");
        var database = app.GetDatabase();

        await database.ExecuteAsync("RPUSH", "xmpp:outbound", "{}");
        await database.ExecuteAsync("BLPOP", "bridge:reply:1", "0.01");
        await database.ExecuteAsync("XREAD", "STREAMS", "{xmpp:outbound}:outcomes", "{xmpp:outbound}:inbound", "0", "0");
        await database.ExecuteAsync("XRANGE", "{xmpp:outbound}:outcomes", "-", "+");
        await admin.GetDatabase().KeyDeleteAsync("xmpp:outbound");
        await database.ExecuteAsync("XADD", "xmpp:outbound", "*", "payload", "{}");
        Assert.Empty(await RefusedAsync(admin));

        string[][] forbidden =
        [
            ["BLPOP", "xmpp:outbound", "0.01"], ["XREAD", "STREAMS", "xmpp:outbound", "0"], ["XADD", "{xmpp:outbound}:outcomes", "*", "a", "b"],
            ["XRANGE", "{xmpp:outbound}:dead", "-", "+"], ["RPUSH", "{xmpp:outbound}:inflight", "x"], ["GET", "{xmpp:outbound}:lease"], ["DEL", "xmpp:outbound"],
        ];
        foreach (var command in forbidden)
        {
            var refused = await Assert.ThrowsAsync<RedisServerException>(() => database.ExecuteAsync(command[0], [.. command.Skip(1)]));
            Assert.StartsWith("NOPERM", refused.Message, StringComparison.Ordinal);
        }
    }

    // One bridge of this kind that does everything, beside the commands of the shell; answers which commands it used.
    private async Task<IReadOnlyCollection<string>> RunAsync(QueueKind kind)
    {
        var server = await servers.GetAsync("prosody");
        var redis = await RedisServer.StartAsync(new RedisOptions { AppendOnly = true });
        var connection = redis.ConnectionString + ",user=bridge,password=change-me";
        await using var trial = await DeliveryTrial.StartAsync(server, redis, connection, kind);
        var admin = trial.App.Multiplexer;
        await SetUserAsync(admin, [.. AclLines.Of("bridge"), .. AclLines.Besides]);
        await using var watch = await CommandWatch.StartAsync(redis);
        await using var user = await XmppUser.LoginAsync(server, "grace");
        var settings = Everything(trial.Settings(ConfirmGrade.Held), kind);

        await using (var bridge = new InProcessBridge(settings))
        {
            await trial.PushAsync(400);
            var report = await trial.EndAsync(Soon, bridge);
            Assert.True(report.IsClean, report.ToString());

            await user.SendAsync($"<message to='box@{Domain}' type='chat'><body>hi</body></message>");
            await Eventually.TrueAsync(async () => await trial.App.ListLengthAsync("app:inbox") == 1, Soon, "what comes in stands in the list");
            if (kind == QueueKind.List)
            {
                await trial.App.PublishAsync(RedisChannel.Literal("xmpp:send:ada"), Message(user, "published"));
                await HeardAsync(user, "published");
            }

            var due = DateTimeOffset.UtcNow.AddMilliseconds(500).ToUnixTimeMilliseconds() / 1000d;
            await trial.PushPayloadAsync(Message(user, "later", string.Create(CultureInfo.InvariantCulture, $"\"notBefore\":{due:F3}")));
            await HeardAsync(user, "later");
            await trial.PushPayloadAsync(Message(user, "once", "\"id\":\"once\""));
            await trial.PushPayloadAsync(Message(user, "twice", "\"id\":\"once\""));
            await trial.PushPayloadAsync(Message(user, "received", "\"receipt\":true,\"timeout\":0.2"));
            await HeardAsync(user, "received");
            // Read among others; its slice is taken back.
            await Task.WhenAll(Enumerable.Range(0, 3).Select(i => trial.PushPayloadAsync(i == 1 ? new string('x', 300_000) : Message(user, $"beside-{i}"))));
            await HeardAsync(user, "beside-2");
            if (kind == QueueKind.Stream)
            {
                await trial.App.ExecuteAsync("XGROUP", "DESTROY", DeliveryTrial.Queue, "bridge");
                await trial.PushPayloadAsync(Message(user, "regrouped"));
                await HeardAsync(user, "regrouped");
            }

            var letters = await trial.DeadLettersAsync();
            await Task.WhenAll(
                Shell("tail", "--since", "0", "--count", "1"), Shell("check"), Shell("dead", "list"), Shell("dead", "purge", (string)letters[0].Id!, "--yes"),
                Shell("dead", "replay", (string)letters.Single(letter => letter["reason"] == "duplicate").Id!));
            Assert.Empty(await RefusedAsync(admin));
            await admin.GetDatabase().ExecuteAsync("ACL", "SETUSER", "bridge", "+blpop");
            await Shell("send", user.BareJid, "from the shell");
            await bridge.DrainAsync();
        }

        Assert.Empty(await RefusedAsync(admin));
        return [.. watch.Used.Except(["+blpop"])];

        async Task Shell(params string[] arguments)
        {
            var (code, output) = await BridgeCommand.RunAsync(arguments, Environment(trial, server, kind));
            Assert.True(code == 0, string.Join(' ', arguments) + ":\n" + output);
        }
    }

    private static BridgeSettings Everything(BridgeSettings settings, QueueKind kind) => settings with
    {
        Confirm = settings.Confirm with { Hold = TimeSpan.FromMilliseconds(300) },
        Queue = settings.Queue with
        {
            Repeats = new RepeatSettings { Window = TimeSpan.FromMinutes(10), MaxEntries = 1_000 },
            PubSub = kind == QueueKind.List ? new PubSubSettings { Patterns = [Patterns], MaxQueued = 1_000, Buffer = 100 } : null,
        },
        Retry = new RetrySettings { Limit = 1, Keep = TimeSpan.FromMilliseconds(200), Delay = TimeSpan.FromMilliseconds(200) },
        Inbound = new InboundSettings { Stanzas = InboundStanzas.Message, List = "app:inbox", Publish = true },
    };

    private static (string Name, string Value)[] Environment(DeliveryTrial trial, IXmppServer server, QueueKind kind) =>
    [
        ("BRIDGE_REDIS", trial.ConnectionString),
        ("BRIDGE_QUEUE_KIND", kind == QueueKind.Stream ? "stream" : "list"),
        ("BRIDGE_XMPP", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{server.ComponentPort}")),
        ("BRIDGE_DOMAIN", trial.Domain),
        ("BRIDGE_SECRET", server.ComponentSecret),
    ];

    private static string Message(XmppUser to, string body, string? more = null) =>
        $$"""{"to":"{{to.BareJid}}","body":"{{body}}"{{(more is null ? "" : "," + more)}}}""";

    private static Task HeardAsync(XmppUser user, string body) =>
        Eventually.TrueAsync(() => user.Received.Snapshot().Any(stanza => stanza.Body == body), Soon, $"{body} arrives");

    // With every setting.
    private static async Task<(bool Failed, string Facts)> CheckAsync(RedisServer redis, params QueueKind[] kinds)
    {
        using var facts = new StringWriter();
        var report = new CheckReport(facts);
        foreach (var kind in kinds)
        {
            var settings = InProcessBridge.Settings(redis.ConnectionString + ",user=bridge,password=change-me", [1], domain: Domain, kind: kind);
            await new RedisCheck(Everything(settings, kind), report).RunAsync();
        }

        return (report.HasFailed, facts.ToString());
    }

    private static async Task SetUserAsync(IConnectionMultiplexer admin, IReadOnlyList<string> words) =>
        await admin.GetDatabase().ExecuteAsync("ACL", ["SETUSER", .. words]);

    // What ACL LOG holds: the command, the key or the channel that was refused.
    private static async Task<IReadOnlyList<string>> RefusedAsync(IConnectionMultiplexer admin)
    {
        var log = (RedisResult[]?)await admin.GetDatabase().ExecuteAsync("ACL", "LOG") ?? [];
        return [.. log.Select(entry => (string?)entry.ToDictionary()["object"] ?? "")];
    }
}
