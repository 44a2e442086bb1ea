using System.Globalization;
using System.Text;
using Bridge.Inbound;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;
using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Integration.Tests.Queue;

/// <summary>The inbound stream on real Redis.</summary>
public sealed class InboundStreamTests : IAsyncLifetime
{
    private RedisServer _redis = null!;
    private ConnectionMultiplexer _app = null!;
    private QueueKeys _keys = null!;

    private IDatabase App => _app.GetDatabase();

    public async Task InitializeAsync()
    {
        _redis = await RedisServer.StartAsync();
        _app = await ConnectionMultiplexer.ConnectAsync(_redis.ConnectionString + ",allowAdmin=true");
        Assert.True(QueueKeys.TryCreate("q", out var keys, out _));
        _keys = keys!;
    }

    public async Task DisposeAsync()
    {
        await _app.DisposeAsync();
        await _redis.DisposeAsync();
    }

    [Fact]
    public async Task What_a_call_that_is_repeated_has_appended_already_is_not_appended_again()
    {
        await using var stream = Open(new InboundSettings());
        await stream.AppendAsync(Entries("a", 1, 3));
        await stream.AppendAsync(Entries("a", 1, 5));
        await stream.AppendAsync(Entries("a", 2, 4));
        await stream.AppendAsync(Entries("b", 1, 2));

        Assert.Equal(["a-1", "a-2", "a-3", "a-4", "a-5", "b-1", "b-2"], (await EntriesAsync()).Select(entry => (string?)entry["stamp"]));
    }

    [Fact]
    public async Task An_app_that_removes_what_it_has_read_gets_a_repetition_with_the_same_stamp()
    {
        await using var stream = Open(new InboundSettings());
        await stream.AppendAsync(Entries("a", 1, 2));
        await App.KeyDeleteAsync(_keys.Inbound);
        await stream.AppendAsync(Entries("a", 1, 3));

        Assert.Equal(["a-1", "a-2", "a-3"], (await EntriesAsync()).Select(entry => (string?)entry["stamp"]));
    }

    [Fact]
    public async Task Stream_and_list_keep_the_newest()
    {
        await using var stream = Open(new InboundSettings { MaxEntries = 200, List = "elsewhere" });
        for (var first = 1; first <= 4_501; first += 500)
            await stream.AppendAsync(Entries("a", first, first + 499));

        Assert.InRange(await App.StreamLengthAsync(_keys.Inbound), 200, 400);
        Assert.Equal("a-5000", (string?)(await EntriesAsync())[^1]["stamp"]);
        var list = await App.ListRangeAsync("elsewhere");
        Assert.Equal(200, list.Length);
        Assert.Contains("\"stamp\":\"a-5000\"", (string?)list[^1], StringComparison.Ordinal);
        Assert.Contains("\"stamp\":\"a-4801\"", (string?)list[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_list_of_another_type_is_told_and_the_stream_has_all()
    {
        await App.StringSetAsync("taken", "x");
        await using var stream = Open(new InboundSettings { List = "taken", Publish = true });

        Assert.Equal(QueueFault.WrongType, (await stream.AppendAsync(Entries("a", 1, 2)))?.Fault);
        Assert.Equal(2, await App.StreamLengthAsync(_keys.Inbound));
    }

    [Fact]
    public async Task A_full_redis_takes_none_and_all_once_there_is_room_again()
    {
        await using var stream = Open(new InboundSettings());
        await App.ExecuteAsync("CONFIG", "SET", "maxmemory", "1");
        var fault = await Assert.ThrowsAsync<QueueFaultException>(() => stream.AppendAsync(Entries("a", 1, 2)));
        await App.ExecuteAsync("CONFIG", "SET", "maxmemory", "0");
        await stream.AppendAsync(Entries("a", 1, 2));

        Assert.Equal(QueueFault.OutOfMemory, fault.Fault);
        Assert.Equal(2, await App.StreamLengthAsync(_keys.Inbound));
    }

    [Fact]
    public async Task A_large_call_of_all_fields_passes()
    {
        await using var stream = Open(new InboundSettings());
        var error = new StanzaError(StanzaErrorType.Wait, StanzaErrorCondition.Gone, "t");
        await stream.AppendAsync([.. Entries("a", 1, 500).Select(entry => entry with { Error = error, Xml = Encoding.UTF8.GetBytes($"<message><subject>s</subject><body>{entry.Number}</body>{new string(' ', 2_000)}</message>") })]);

        var entries = await EntriesAsync();
        Assert.Equal(500, entries.Length);
        Assert.All(entries, entry => Assert.Equal(13, entry.Values.Length));
        Assert.Equal("500", (string?)entries[^1]["body"]);
    }

    private RedisInboundStream Open(InboundSettings settings) =>
        new(new RedisLink(_redis.ConnectionString, "test-inbound", TimeSpan.FromSeconds(5)), _keys, settings);

    private Task<StreamEntry[]> EntriesAsync() => App.StreamRangeAsync(_keys.Inbound);

    private static InboundEntry[] Entries(string session, int first, int last) =>
        [.. Enumerable.Range(first, last - first + 1).Select(number => new InboundEntry(
            session, number, DateTimeOffset.UnixEpoch, StanzaKind.Message, "chat", number.ToString(CultureInfo.InvariantCulture),
            "ada@example.test", "box@bridge.example.test", null, "<message><body>hi</body></message>"u8.ToArray()))];
}
