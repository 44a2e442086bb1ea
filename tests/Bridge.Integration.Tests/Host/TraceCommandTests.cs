using System.Globalization;
using System.Text.Json;
using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Integration.Tests.Host;

/// <summary><c>bridge trace</c> beside a Bridge that runs, both the real program.</summary>
public sealed class TraceCommandTests
{
    [Theory]
    [InlineData("list")]
    [InlineData("stream")]
    public async Task It_tells_the_life_of_what_arrived_of_what_bounced_and_of_what_could_not_be_sent(string kind)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = new ScriptedXmppServer();
        (string Name, string Value)[] environment =
        [
            ("BRIDGE_REDIS", redis.ConnectionString),
            ("BRIDGE_XMPP", string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{server.Port}")),
            ("BRIDGE_DOMAIN", server.Options.Component),
            ("BRIDGE_SECRET", server.Options.Secret),
            ("BRIDGE_QUEUE_KIND", kind),
        ];
        await using var bridge = new BridgeProcess(new BridgeProcessOptions { Environment = environment.ToDictionary(pair => pair.Name, pair => (string?)pair.Value) });
        bridge.Start();
        await bridge.ReadyAsync(TimeSpan.FromSeconds(20));
        await using var app = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        foreach (var payload in new[]
        {
            $$"""{"to":"ada@{{server.Options.Domain}}","body":"secret words","id":"arrives"}""",
            $"<message to='ada@{server.Options.Domain}'><body>secret words</body></message>",
            $$"""{"to":"{{server.Options.Nobody}}@{{server.Options.Domain}}","body":"secret words","id":"bounces"}""",
            $$"""{"to":"ada@{{server.Options.Domain}}","body":"secret words","id":"expires","ttl":5,"at":"2020-01-01T00:00:00Z"}""",
        })
        {
            if (kind == "list")
                await app.GetDatabase().ListRightPushAsync("xmpp:outbound", payload);
            else
                await app.GetDatabase().StreamAddAsync("xmpp:outbound", "payload", payload);
        }

        await server.Received.CountAsync(2, TimeSpan.FromSeconds(10));
        await Eventually.TrueAsync(
            async () => await app.GetDatabase().StreamLengthAsync("{xmpp:outbound}:outcomes") == 2, TimeSpan.FromSeconds(20), "both failures are told");
        // Confirmed, and so remembered, is also the one that bounced.
        await Eventually.TrueAsync(
            async () => (await bridge.MetricsAsync()).Sum("bridge_entries_confirmed_total") >= 3, TimeSpan.FromSeconds(10), "all are confirmed");
        string[] node = ["--url", bridge.Http.ToString()];

        var (arrived, life) = await BridgeCommand.RunAsync(["trace", "arrives", .. node], environment);
        var made = server.Received.Snapshot().Single(stanza => stanza.Id!.StartsWith("b-", StringComparison.Ordinal)).Id!;
        var (generated, lifeOfMade) = await BridgeCommand.RunAsync(["trace", made, "--json", .. node], environment);
        var (bounced, lifeOfBounced) = await BridgeCommand.RunAsync(["trace", "bounces", .. node], environment);
        var (expired, lifeOfExpired) = await BridgeCommand.RunAsync(["trace", "expires", .. node], environment);
        var (unknown, nothing) = await BridgeCommand.RunAsync(["trace", "never-was", .. node], environment);

        string[] steps = kind == "list" ? ["taken", "written", "confirmed"] : ["pushed", "taken", "written", "confirmed"];
        Assert.Equal(0, arrived);
        Assert.Equal(steps, Events(life));
        Assert.All(life.Split('\n').Skip(1), line => Assert.Contains(Environment.MachineName, line, StringComparison.Ordinal));
        Assert.Equal(0, generated);
        Assert.Equal(steps, lifeOfMade.Split('\n').Select(line => JsonDocument.Parse(line).RootElement.GetProperty("event").GetString()));
        Assert.Equal(0, bounced);
        Assert.Equal("bounced", Events(lifeOfBounced)[^1]);
        Assert.Contains("confirmed", Events(lifeOfBounced));
        Assert.Equal(0, expired);
        Assert.Contains("expired", lifeOfExpired, StringComparison.Ordinal);
        Assert.Equal(1, unknown);
        Assert.Contains("nothing is known of a message never-was", nothing, StringComparison.Ordinal);
        Assert.Contains("remembers", nothing, StringComparison.Ordinal);
        Assert.DoesNotContain("secret words", life + lifeOfMade + lifeOfBounced + lifeOfExpired, StringComparison.Ordinal);
    }

    private static string[] Events(string table) =>
        [.. table.Split('\n').Skip(1).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[2])];
}
