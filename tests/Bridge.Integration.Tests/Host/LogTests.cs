using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Integration.Tests.Host;

/// <summary>What the real program writes, at the level that writes most.</summary>
public sealed class LogTests
{
    private const string Body = "what-only-the-recipient-may-read";
    private const string Password = "password-of-redis";

    [Theory]
    [InlineData("text")]
    [InlineData("json")]
    public async Task No_secret_and_no_body_is_in_the_log_at_any_level_whatever_goes_wrong(string format)
    {
        await using var redis = await RedisServer.StartAsync(new RedisOptions { Password = Password, AppendOnly = true });
        await using var server = new ScriptedXmppServer();
        await using var bridge = new BridgeProcess(new BridgeProcessOptions
        {
            Environment = BridgeProcessOptions.Between(redis, server),
            Configuration = $"bridge {{ log {{ level = debug, format = {format} }}\ndefaults.outcomes.mode = all }}\nakka.loglevel = DEBUG",
        });
        bridge.Start();
        await bridge.ReadyAsync(TimeSpan.FromSeconds(20));
        await using (var app = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString))
        {
            await app.GetDatabase().ListRightPushAsync("xmpp:outbound",
            [
                $"<message to='ada@{server.Options.Domain}' id='a'><body>{Body}</body></message>",
                $$"""{"to":"ada@{{server.Options.Domain}}","body":"{{Body}}","id":"b"}""",
                $$"""{"to":"ada@{{server.Options.Domain}}","body":"{{Body}}","unknown":"{{Body}}"}""",
                $"<message to='ada@{server.Options.Domain}'><body>{Body} & more</body></message>",
                $"<message to='@'><body>{Body}</body></message>",
                $"<{Body}/>",
                $"{{\"to\":\"ada@{server.Options.Domain}\",\"body\":\"{Body}",
                $$"""{"to":"{{Body}}@","body":"{{Body}}"}""",
                $"<message to='ada@{server.Options.Domain}' from='{Body}@elsewhere.test'><body>{Body}</body></message>",
                $"<message to='{server.Options.Nobody}@{server.Options.Domain}' id='n'><body>{Body}</body></message>",
                "\xff" + Body,
            ]);
            await server.Received.CountAsync(2, TimeSpan.FromSeconds(20));
            var connection = await server.ConnectionAsync(0, TimeSpan.FromSeconds(10));
            connection.Send($"<message from='eve@{server.Options.Domain}/x' to='box@{server.Options.Component}' id='i'><body>{Body}</body></message>");
            connection.Send($"<iq type='get' from='eve@{server.Options.Domain}/x' to='{server.Options.Component}' id='q'><query xmlns='urn:none'>{Body}</query></iq>");
            await Eventually.TrueAsync(
                async () => await app.GetDatabase().StreamLengthAsync("{xmpp:outbound}:inbound") > 0, TimeSpan.FromSeconds(10), "what came in is in Redis");
            // The server's own words are its own, and hung up on; then Redis dies.
            connection.React(ServerReaction.StreamError, "internal-server-error", "of no consequence");
        }

        await (await server.ConnectionAsync(1, TimeSpan.FromSeconds(20))).Established.WaitAsync(TimeSpan.FromSeconds(20));
        await redis.KillAsync();
        await bridge.Process.LineAsync(line => line.Contains("Unreachable", StringComparison.Ordinal), TimeSpan.FromSeconds(20));
        await redis.RestartAsync();
        await bridge.ReadyAsync(TimeSpan.FromSeconds(30));
        bridge.Process.Signal(PosixSignalNumber.Hangup);
        await bridge.Process.LineAsync(line => line.Contains("as configured now", StringComparison.Ordinal), TimeSpan.FromSeconds(10));
        Assert.Equal(0, await bridge.StopAsync());

        var log = string.Join('\n', bridge.Process.Lines);
        Assert.Contains("dead-lettered", log, StringComparison.Ordinal);
        Assert.Contains("bounced", log, StringComparison.Ordinal);
        Assert.All([Body, Password, server.Options.Secret], secret => Assert.DoesNotContain(secret, log, StringComparison.Ordinal));
        // Nor the proof of the secret that the handshake sends (XEP-0114 §3).
        Assert.DoesNotMatch("(?<![0-9a-f+])[0-9a-f]{40}(?![0-9a-f])", log);
    }

    [Fact]
    public async Task A_fault_that_repeats_is_told_some_times_and_then_counted()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = new ScriptedXmppServer();
        await using var bridge = new BridgeProcess(new BridgeProcessOptions
        {
            Environment = BridgeProcessOptions.Between(redis, server),
        });
        bridge.Start();
        await bridge.ReadyAsync(TimeSpan.FromSeconds(20));
        await using (var app = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString))
        {
            await app.GetDatabase().ListRightPushAsync("xmpp:outbound", [.. Enumerable.Range(0, 500).Select(_ => (RedisValue)"<neither/>")]);
            await Eventually.TrueAsync(
                async () => await app.GetDatabase().StreamLengthAsync("{xmpp:outbound}:dead") == 500, TimeSpan.FromSeconds(20), "all are dead letters");
        }

        Assert.Equal(0, await bridge.StopAsync());

        Assert.Equal(10, bridge.Process.Lines.Count(line => line.Contains("was dead-lettered", StringComparison.Ordinal)));
        Assert.Contains(bridge.Process.Lines, line => line.Contains("490 more of DeadLettered from bridges/main/puller", StringComparison.Ordinal));

    }
}
