using System.Text.Json;
using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Integration.Tests.Host;

/// <summary><c>bridge tail</c>.</summary>
public sealed class TailCommandTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task It_shows_what_comes_until_it_is_interrupted()
    {
        await using var server = new ScriptedXmppServer();
        await using var trial = await DeliveryTrial.StartAsync(server);
        await AddInboundAsync(trial, "before");
        await using var tail = Start(trial);
        // It reads once it is connected: what is added before it stood there is not its business.
        await Eventually.TrueAsync(
            async () => ((string)(await trial.App.ExecuteAsync("CLIENT", "LIST"))!).Split('\n').Any(client => client.Contains("name=bridge-tail", StringComparison.Ordinal) && client.Contains("cmd=xread", StringComparison.Ordinal)),
            Patience, "the command reads");
        await AddInboundAsync(trial, "first\u001b[31m");
        await trial.App.StreamAddAsync(trial.Keys.Outcomes, [new("ending", "bounced"), new("id", "m1"), new("to", "ada@example.test"), new("condition", "gone")]);
        var inbound = await tail.LineAsync(line => line.Contains(" inbound ", StringComparison.Ordinal), Patience);
        var outcome = await tail.LineAsync(line => line.Contains(" outcome ", StringComparison.Ordinal), Patience);
        tail.Signal(PosixSignalNumber.Interrupt);

        Assert.EndsWith(" inbound message ada@example.test -> box@bridge.example.test body: first [31m", inbound, StringComparison.Ordinal);
        Assert.EndsWith(" outcome bounced to ada@example.test id=m1 gone", outcome, StringComparison.Ordinal);
        Assert.Equal(0, await tail.WaitForExitAsync(Patience));
        Assert.Equal(2, tail.Lines.Count);
    }

    [Fact]
    public async Task It_ends_after_so_many_from_where_it_is_told_to_begin()
    {
        await using var server = new ScriptedXmppServer();
        await using var trial = await DeliveryTrial.StartAsync(server);
        await trial.App.StreamAddAsync(trial.Keys.Outcomes, "ending", "held");
        var first = await AddInboundAsync(trial, "1");
        await AddInboundAsync(trial, "2");
        await AddInboundAsync(trial, "3");

        await using var all = Start(trial, "--since", "0", "--count", "4", "--json");
        await using var some = Start(trial, "--inbound", "--since", first!, "--count", "2", "--json");
        Assert.Equal(0, await all.WaitForExitAsync(Patience));
        Assert.Equal(0, await some.WaitForExitAsync(Patience));

        Assert.Equal(["outcomes", "inbound", "inbound", "inbound"], Parse(all).Select(line => line.GetProperty("stream").GetString()));
        Assert.Equal(["2", "3"], Parse(some).Select(line => line.GetProperty("body").GetString()));
    }

    [Fact]
    public async Task Without_redis_it_says_so_and_a_place_that_is_none_is_refused()
    {
        await using var server = new ScriptedXmppServer();
        await using var trial = await DeliveryTrial.StartAsync(server);
        await using var mistyped = Start(trial, "--since", "yesterday");
        Assert.Equal(2, await mistyped.WaitForExitAsync(Patience));
        await trial.Redis.KillAsync();
        await using var alone = Start(trial);

        Assert.Equal(1, await alone.WaitForExitAsync(Patience));
        Assert.Contains("No connection to Redis", alone.Output, StringComparison.Ordinal);
    }

    private static async Task<string?> AddInboundAsync(DeliveryTrial trial, string body) => await trial.App.StreamAddAsync(
        trial.Keys.Inbound, [new("kind", "message"), new("from", "ada@example.test"), new("to", "box@bridge.example.test"), new("body", body)]);

    private static IEnumerable<JsonElement> Parse(ServerProcess process) =>
        process.Lines.Where(line => line.StartsWith('{')).Select(line => JsonDocument.Parse(line).RootElement);

    private static ServerProcess Start(DeliveryTrial trial, params string[] arguments) => BridgeCommand.Start(
        ["tail", .. arguments],
        ("BRIDGE_REDIS", trial.Redis.ConnectionString),
        ("BRIDGE_DOMAIN", trial.Domain),
        ("BRIDGE_SECRET", "unused"));
}
