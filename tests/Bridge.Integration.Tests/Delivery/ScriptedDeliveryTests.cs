using Bridge.Settings;
using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Integration.Tests.Delivery;

/// <summary>From the list to a scripted server, through the real actors and a real Redis.</summary>
public sealed class ScriptedDeliveryTests
{
    [Theory]
    [InlineData(ConfirmGrade.Accepted)]
    [InlineData(ConfirmGrade.Held)]
    public async Task Everything_arrives_once_in_order_and_queue_and_journal_end_empty(ConfirmGrade grade)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = new ScriptedXmppServer(new ScriptedXmppServerOptions { CountsOnly = true });
        using var app = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        const int count = 20_000;
        await app.GetDatabase().ListRightPushAsync("xmpp:outbound", Stanzas(count));

        await using var bridge = new InProcessBridge(InProcessBridge.Settings(redis.ConnectionString, [server.Port], grade: grade));

        await server.Tally.DistinctAsync(count, TimeSpan.FromSeconds(30));
        await Eventually.TrueAsync(
            () => app.GetDatabase().ListLength("{xmpp:outbound}:inflight") == 0, TimeSpan.FromSeconds(10), "the journal to be settled");
        Assert.Equal(0, app.GetDatabase().ListLength("xmpp:outbound"));
        Assert.Equal((0L, 0L, (long)count), (server.Tally.Repeated, server.Tally.Reordered, server.Tally.Count));
    }

    private static RedisValue[] Stanzas(int count) =>
        [.. Enumerable.Range(0, count).Select(i => (RedisValue)$"<message to='r{i % 100}@example.test' id='m-{i}'><body>{i}</body></message>")];
}
