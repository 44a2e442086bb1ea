using System.Globalization;
using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Integration.Tests.Host;

public sealed class CheckTests
{
    public enum Server
    {
        Prosody,
        Ejabberd,
    }

    [Theory]
    [InlineData(Server.Prosody)]
    [InlineData(Server.Ejabberd)]
    public async Task A_sound_set_up_passes_with_its_facts_told(Server kind)
    {
        await using var redis = await RedisServer.StartAsync(new RedisOptions { AppendOnly = true });
        await using var server = await StartAsync(kind);

        var (code, output) = await CheckAsync(redis, server);

        Assert.True(code == 0, output);
        string[] facts =
        [
            "ok   Redis 7.", "ok   Redis role: master", "ok   Redis maxmemory: no limit", "ok   Redis persistence: append-only file",
            "ok   queue xmpp:outbound: empty", "ok   Redis lets Bridge run its commands", "ok   nobody owns the queue",
            "handshake accepted for bridge.example.test", "barrier round trip", "(XEP-0012)", "takes stanzas of 262144 B", "0 FAIL",
        ];
        Assert.All(facts, fact => Assert.Contains(fact, output, StringComparison.Ordinal));
        Assert.DoesNotContain("correct-horse", output, StringComparison.Ordinal);
        using var app = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString + ",allowAdmin=true");
        Assert.Empty(app.GetServers()[0].Keys());
    }

    [Theory]
    [InlineData(Server.Prosody)]
    [InlineData(Server.Ejabberd)]
    public async Task A_wrong_secret_fails_with_advice(Server kind)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = await StartAsync(kind);

        var (code, output) = await CheckAsync(redis, server, ("BRIDGE_SECRET", "battery-staple"));

        Assert.Equal(1, code);
        Assert.Contains("not-authorized", output, StringComparison.Ordinal);
        Assert.Contains("Compare secret and domain", output, StringComparison.Ordinal);
        Assert.DoesNotContain("battery-staple", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_domain_that_the_server_does_not_know_fails_with_advice()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = await StartAsync(Server.Prosody);

        var (code, output) = await CheckAsync(redis, server, ("BRIDGE_DOMAIN", "other.example.test"));

        Assert.Equal(1, code);
        Assert.Contains("host-unknown", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Server.Prosody)]
    [InlineData(Server.Ejabberd)]
    public async Task A_from_domain_that_the_server_refuses_fails_and_one_that_it_lets_pass_does_not(Server kind)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var strict = await StartAsync(kind);
        await using var lenient = await StartAsync(kind, new XmppServerOptions { ChecksFrom = false });
        var file = Path.Combine(redis.Process.Folder, "from.conf");
        await File.WriteAllTextAsync(file, "bridge.defaults.stanza.from-domains = [\"shop.example.org\"]");

        var refused = await CheckAsync(redis, strict, file: file);
        var passed = await CheckAsync(redis, lenient, file: file);

        Assert.Equal((1, 0), (refused.Code, passed.Code));
        Assert.Contains("does not let from='shop.example.org' pass", refused.Output, StringComparison.Ordinal);
        Assert.Contains("lets from='shop.example.org' pass", passed.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_second_connection_is_found_as_a_conflict()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = await StartAsync(Server.Prosody);
        await using var first = await XmppComponentPeer.ConnectAsync(server, "bridge.example.test");

        var (code, output) = await CheckAsync(redis, server);

        Assert.Equal(1, code);
        Assert.Contains("conflict", output, StringComparison.Ordinal);
        Assert.Contains("kick_old", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_running_owner_is_not_disturbed()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = new ScriptedXmppServer();
        var environment = Environment(redis, server.Port);
        await using var owner = new BridgeProcess(new BridgeProcessOptions { Environment = environment.ToDictionary(pair => pair.Name, pair => (string?)pair.Value) });
        owner.Start();
        await owner.ReadyAsync(TimeSpan.FromSeconds(20));

        var (code, output) = await BridgeCommand.RunAsync(["check"], environment);

        Assert.True(code == 0, output);
        Assert.Contains("another process owns this queue", output, StringComparison.Ordinal);
        Assert.Contains("the component's place is not taken", output, StringComparison.Ordinal);
        Assert.DoesNotContain("handshake accepted", output, StringComparison.Ordinal);
        await owner.ReadyAsync(TimeSpan.FromSeconds(1));
        Assert.Equal(0, await owner.StopAsync());
    }

    [Fact]
    public async Task What_is_wrong_with_Redis_is_told_with_what_to_change()
    {
        await using var redis = await RedisServer.StartAsync(new RedisOptions { Arguments = ["--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru", "--save", ""] });
        await using var server = new ScriptedXmppServer();
        using var app = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        await app.GetDatabase().StreamAddAsync("xmpp:outbound", "payload", "x");
        await app.GetDatabase().StreamAddAsync("{xmpp:outbound}:dead", "payload", "x");

        var (code, output) = await BridgeCommand.RunAsync(["check"], Environment(redis, server.Port));

        Assert.Equal(1, code);
        string[] facts =
        [
            "FAIL Redis maxmemory-policy: allkeys-lru -> set maxmemory-policy noeviction",
            "warn Redis persistence: none",
            "FAIL queue xmpp:outbound is a stream, not a list -> set queue.kind = stream",
            "warn dead letters {xmpp:outbound}:dead: stream, length 1 -> see why: bridge dead list",
        ];
        Assert.All(facts, fact => Assert.Contains(fact, output, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_user_without_rights_a_wrong_password_and_an_absent_Redis_fail_by_name()
    {
        await using var redis = await RedisServer.StartAsync(new RedisOptions { Password = "hunter2", Arguments = ["--user", "bridge", "on", ">pw", "~*", "+@read", "+ping", "+echo", "+info"] });
        await using var server = new ScriptedXmppServer();
        var address = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{redis.Port}");

        var rights = await Run($"{address},user=bridge,password=pw");
        var password = await Run($"{address},password=hunter3");
        var absent = await Run(string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{FreePorts.Next()}"));

        Assert.Equal((1, 1, 1), (rights.Code, password.Code, absent.Code));
        Assert.Contains("ACL SETUSER <user> +eval ", rights.Output, StringComparison.Ordinal);
        Assert.Contains("give the user and password", password.Output, StringComparison.Ordinal);
        Assert.Contains("see that Redis runs", absent.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter3", password.Output, StringComparison.Ordinal);

        Task<(int Code, string Output)> Run(string connection) => BridgeCommand.RunAsync(
            ["check"], [.. Environment(redis, server.Port).Where(pair => pair.Name != "BRIDGE_REDIS"), ("BRIDGE_REDIS", connection)]);
    }

    [Fact]
    public async Task Other_consumer_groups_of_a_stream_are_told()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = new ScriptedXmppServer();
        using var app = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        await app.GetDatabase().StreamCreateConsumerGroupAsync("xmpp:outbound", "auditors");

        var (_, output) = await BridgeCommand.RunAsync(["check"], [.. Environment(redis, server.Port), ("BRIDGE_QUEUE_KIND", "stream")]);

        Assert.Contains("warn stream xmpp:outbound has other consumer groups: auditors", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whether_Bridge_may_listen_is_told_with_what_best_effort_means()
    {
        await using var redis = await RedisServer.StartAsync(new RedisOptions { Arguments = ["--user", "deaf", "on", ">pw", "~*", "resetchannels", "+@all"] });
        await using var server = new ScriptedXmppServer();
        var file = Path.Combine(redis.Process.Folder, "pubsub.conf");
        await File.WriteAllTextAsync(file, "bridge.defaults.queue { kind = pubsub, pubsub.patterns = [\"xmpp:send:*\"] }");

        var (_, hears) = await BridgeCommand.RunAsync(["check", "--config", file], Environment(redis, server.Port));
        var (code, deaf) = await BridgeCommand.RunAsync(
            ["check", "--config", file],
            [.. Environment(redis, server.Port).Where(pair => pair.Name != "BRIDGE_REDIS"), ("BRIDGE_REDIS", redis.ConnectionString + ",user=deaf,password=pw")]);

        Assert.Contains("ok   Pub/Sub, best effort: Redis lets Bridge listen to 1 patterns", hears, StringComparison.Ordinal);
        Assert.Equal(1, code);
        Assert.Contains("FAIL Redis, PSUBSCRIBE: ", deaf, StringComparison.Ordinal);
        Assert.Contains("+psubscribe +punsubscribe &xmpp:send:*", deaf, StringComparison.Ordinal);
    }

    private static async Task<XmppServerProcess> StartAsync(Server kind, XmppServerOptions? options = null) =>
        kind == Server.Prosody ? await ProsodyServer.StartNewAsync(options) : await EjabberdServer.StartNewAsync(options);

    private static Task<(int Code, string Output)> CheckAsync(
        RedisServer redis, XmppServerProcess server, (string Name, string Value)? over = null, string? file = null)
    {
        var environment = Environment(redis, server.ComponentPort).Where(pair => pair.Name != over?.Name);
        if (over is { } given)
            environment = environment.Append(given);
        return BridgeCommand.RunAsync(file is null ? ["check"] : ["check", "--config", file], [.. environment]);
    }

    private static (string Name, string Value)[] Environment(RedisServer redis, int port) =>
    [
        ("BRIDGE_REDIS", redis.ConnectionString),
        ("BRIDGE_XMPP", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}")),
        ("BRIDGE_DOMAIN", "bridge.example.test"),
        ("BRIDGE_SECRET", "correct-horse"),
    ];
}
