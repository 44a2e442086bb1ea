using System.Text.Json;
using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Integration.Tests.Host;

public sealed class DeadCommandTests : IAsyncLifetime
{
    private const string Dead = "{xmpp:outbound}:dead";

    private RedisServer redis = null!;
    private ConnectionMultiplexer app = null!;

    public async Task InitializeAsync()
    {
        redis = await RedisServer.StartAsync();
        app = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
    }

    public async Task DisposeAsync()
    {
        await app.DisposeAsync();
        await redis.DisposeAsync();
    }

    [Fact]
    public async Task List_shows_the_newest_first_with_reason_and_the_payloads_beginning()
    {
        var first = await BuryAsync("<message>one\u001b[31m</message>", "missing-to");
        var second = await BuryAsync("<message>two</message>", "not-utf8");

        var (code, output) = await RunAsync("list");

        Assert.Equal(0, code);
        var lines = output.Split('\n');
        Assert.Equal("2 dead letters, 2 shown", lines[0]);
        Assert.Contains($"{second} ", lines[1], StringComparison.Ordinal);
        Assert.Contains("not-utf8", lines[1], StringComparison.Ordinal);
        Assert.Contains("<message>two</message>", lines[1], StringComparison.Ordinal);
        Assert.Contains($"{first} ", lines[2], StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', output);
    }

    [Fact]
    public async Task List_and_show_give_JSON_that_alters_nothing()
    {
        var text = await BuryAsync("""{"to":"ada@example.com","bodi":"\"hi\" é"}""", "json-unknown-field");
        var bytes = await BuryAsync(new byte[] { 0x3C, 0xFF, 0x00 }, "not-utf8");

        using var listed = JsonDocument.Parse((await RunAsync("list", "--json", "--oldest", "--count", "1")).Output);
        using var shown = JsonDocument.Parse((await RunAsync("show", bytes, "--json")).Output);

        Assert.Equal((text, "json-unknown-field"), (listed.RootElement.GetProperty("id").GetString(), listed.RootElement.GetProperty("reason").GetString()));
        Assert.Equal("""{"to":"ada@example.com","bodi":"\"hi\" é"}""", listed.RootElement.GetProperty("payload").GetString());
        Assert.Equal([0x3C, 0xFF, 0x00], shown.RootElement.GetProperty("payloadBase64").GetBytesFromBase64());
    }

    [Fact]
    public async Task Replay_puts_one_or_all_back_in_order()
    {
        var first = await BuryAsync("one", "missing-to");
        await BuryAsync("two", "missing-to");
        await BuryAsync("three", "missing-to");

        var one = await RunAsync("replay", first);
        var all = await RunAsync("replay", "--all");

        Assert.Equal((0, "1 put back"), one);
        Assert.Equal((0, "2 put back"), all);
        Assert.Equal(["one", "two", "three"], (await app.GetDatabase().ListRangeAsync("xmpp:outbound")).Select(value => (string?)value));
        Assert.Equal(0, await app.GetDatabase().StreamLengthAsync(Dead));
    }

    [Fact]
    public async Task Purge_does_nothing_without_yes()
    {
        var first = await BuryAsync("one", "missing-to");
        await BuryAsync("two", "missing-to");

        var asked = await RunAsync("purge", "--all");
        Assert.Equal((1, "would throw away 2 dead letters for good; give --yes to do it"), asked);
        Assert.Equal(2, await app.GetDatabase().StreamLengthAsync(Dead));

        Assert.Equal((0, "1 thrown away"), await RunAsync("purge", first, "--yes"));
        Assert.Equal((0, "1 thrown away"), await RunAsync("purge", "--all", "--yes"));
        Assert.Equal(0, await app.GetDatabase().StreamLengthAsync(Dead));
    }

    [Fact]
    public async Task Replay_and_purge_tell_scripts_what_they_did_and_what_was_not_there()
    {
        var first = await BuryAsync("one", "missing-to");
        await BuryAsync("two", "missing-to");

        Assert.Equal((1, """{"wouldPurge":2}"""), await RunAsync("purge", "--all", "--json"));
        var (code, output) = await RunAsync("replay", first, "1-0", "--json");
        Assert.Equal(1, code);
        Assert.Contains("""{"replayed":1,"withoutBody":0,"missing":["1-0"]}""", output, StringComparison.Ordinal);
        Assert.Equal((0, """{"purged":1,"missing":[]}"""), await RunAsync("purge", "--all", "--yes", "--json"));
        Assert.Equal(0, await app.GetDatabase().StreamLengthAsync(Dead));
    }

    [Theory]
    [InlineData("show", "1-0")]
    [InlineData("replay", "1-0")]
    [InlineData("purge", "1-0", "--yes")]
    public async Task A_letter_that_is_not_there_ends_with_1(params string[] arguments)
    {
        var (code, output) = await RunAsync(arguments);

        Assert.Equal(1, code);
        Assert.Contains("there is no dead letter 1-0", output, StringComparison.Ordinal);
    }

    private async Task<string> BuryAsync(RedisValue payload, string reason) =>
        (string)(await app.GetDatabase().StreamAddAsync(Dead,
        [
            new("reason", reason), new("detail", ""), new("offset", "-1"), new("position", "0-1"), new("id", "b-1"),
            new("attempts", "0"), new("at", "1767323045000"), new("taken-at", "1767323044000"), new("payload", payload),
        ]))!;

    private async Task<(int Code, string Output)> RunAsync(params string[] arguments) =>
        await BridgeCommand.RunAsync(
            ["dead", .. arguments], ("BRIDGE_REDIS", redis.ConnectionString), ("BRIDGE_DOMAIN", "bridge.example.test"), ("BRIDGE_SECRET", "x"));
}
