using System.Globalization;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Integration.Tests.Queue;

/// <summary>What is published, on a real Redis: heard, and appended once under the lease.</summary>
public sealed class PubSubTests(RedisFixture fixture) : IClassFixture<RedisFixture>
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task What_is_published_is_heard_as_it_is_and_in_order()
    {
        await using var queue = await ConnectAsync(fixture.Redis);
        await using var pubSub = new RedisPubSub(queue.Settings, "test");
        await using var subscription = pubSub.Subscribe();
        var heard = new List<byte[]>();
        await subscription.ListenAsync(message => Enter(heard, message.ToArray()), _ => { });
        byte[][] published = [[], "007"u8.ToArray(), "-1"u8.ToArray(), [0, 255, 13, 10], [.. Enumerable.Repeat((byte)'x', 300_000)], .. Enumerable.Range(0, 2_000).Select(i => BitConverter.GetBytes(i))];
        foreach (var message in published)
            Assert.Equal(1, await queue.App.PublishAsync(RedisChannel.Literal(Channel(queue, "any")), message));

        await Eventually.TrueAsync(() => Count(heard) == published.Length, Soon, "all of it is heard");
        Assert.Equal(published, heard);
    }

    [Fact]
    public async Task Stopped_it_has_heard_all_that_was_published_before()
    {
        await using var queue = await ConnectAsync(fixture.Redis);
        await using var pubSub = new RedisPubSub(queue.Settings, "test");
        for (var round = 0; round < 20; round++)
        {
            await using var subscription = pubSub.Subscribe();
            var heard = new List<byte[]>();
            await subscription.ListenAsync(message => Enter(heard, message.ToArray()), _ => { });
            await Task.WhenAll(Enumerable.Range(0, 500).Select(i => queue.App.PublishAsync(RedisChannel.Literal(Channel(queue, "any")), i)));
            await subscription.StopAsync();

            Assert.Equal(500, Count(heard));
        }
    }

    [Fact]
    public async Task A_subscription_whose_connection_is_killed_ends_and_does_not_begin_again_by_itself()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var queue = await ConnectAsync(redis);
        await using var pubSub = new RedisPubSub(queue.Settings, "test");
        await using var subscription = pubSub.Subscribe();
        var ended = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        await subscription.ListenAsync(_ => { }, cause => ended.TrySetResult(cause));
        await subscription.PingAsync();

        await KillSubscriptionAsync(queue.App);

        await ended.Task.WaitAsync(Soon);
    }

    [Fact]
    public async Task A_frozen_Redis_is_noticed_by_the_ping_and_by_a_new_subscription_within_the_deadline()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var queue = await ConnectAsync(redis, settings => settings with { CallTimeout = TimeSpan.FromSeconds(1) });
        await using var pubSub = new RedisPubSub(queue.Settings, "test");
        await using var subscription = pubSub.Subscribe();
        await subscription.ListenAsync(_ => { }, _ => { });
        await redis.Process.FreezeAsync();

        Assert.Equal(QueueFault.Unreachable, (await Assert.ThrowsAsync<QueueFaultException>(() => subscription.PingAsync().WaitAsync(Soon))).Fault);
        await using var another = pubSub.Subscribe();
        Assert.Equal(QueueFault.Unreachable, (await Assert.ThrowsAsync<QueueFaultException>(() => another.ListenAsync(_ => { }, _ => { }).WaitAsync(Soon))).Fault);
        redis.Thaw();
    }

    [Fact]
    public async Task A_user_who_may_not_listen_is_told_so()
    {
        await using var redis = await RedisServer.StartAsync(new RedisOptions { Arguments = ["--user", "deaf", "on", ">pw", "~*", "resetchannels", "+@all"] });
        await using var queue = await ConnectAsync(redis);
        await using var pubSub = new RedisPubSub(queue.Settings with { Redis = redis.ConnectionString + ",user=deaf,password=pw" }, "test");
        await using var subscription = pubSub.Subscribe();

        var fault = await Assert.ThrowsAsync<QueueFaultException>(() => subscription.ListenAsync(_ => { }, _ => { }).WaitAsync(Soon));

        Assert.True(fault.Fault == QueueFault.Forbidden, fault.ToString());
    }

    [Fact]
    public async Task Appended_in_order_once_per_number_and_only_up_to_the_limit()
    {
        await using var queue = await ConnectAsync(fixture.Redis);
        await using var pubSub = new RedisPubSub(queue.Settings, "test");
        var grant = await queue.AcquireAsync();

        Assert.Equal(3, await pubSub.AppendAsync(grant, 1, Messages("a", "", "c")));
        Assert.Equal(3, await pubSub.AppendAsync(grant, 1, Messages("a", "", "c")));
        Assert.Equal(2, await pubSub.AppendAsync(grant, 2, Messages("d", "e", "f")));
        Assert.Equal(0, await pubSub.AppendAsync(grant, 3, Messages("g")));
        await queue.App.ListLeftPopAsync(queue.Keys.Queue);
        // Given up, and run late.
        await pubSub.AppendAsync(grant, 2, Messages("d", "e", "f"));
        Assert.Equal(0, await pubSub.AppendAsync(grant, 3, Messages("g")));

        Assert.Equal(["", "c", "d", "e"], (await queue.App.ListRangeAsync(queue.Keys.Queue)).Select(value => (string)value!));
    }

    [Fact]
    public async Task Whoever_lost_the_lease_appends_nothing()
    {
        await using var queue = await ConnectAsync(fixture.Redis);
        await using var pubSub = new RedisPubSub(queue.Settings, "test");
        var grant = await queue.AcquireAsync();
        await queue.Lease.ReleaseAsync(grant);
        await AssertLostAsync();
        await queue.AcquireAsync();
        await AssertLostAsync();

        Assert.False(await queue.App.KeyExistsAsync(queue.Keys.Queue));

        async Task AssertLostAsync() => Assert.Equal(
            QueueFault.LeaseLost, (await Assert.ThrowsAsync<QueueFaultException>(() => pubSub.AppendAsync(grant, 1, Messages("a")))).Fault);
    }

    [Fact]
    public async Task A_full_Redis_refuses_what_is_heard_as_it_refuses_a_producer()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var queue = await ConnectAsync(redis);
        await using var pubSub = new RedisPubSub(queue.Settings, "test");
        var grant = await queue.AcquireAsync();
        await queue.App.ExecuteAsync("CONFIG", "SET", "maxmemory", "1");

        Assert.Equal(QueueFault.OutOfMemory, (await Assert.ThrowsAsync<QueueFaultException>(() => pubSub.AppendAsync(grant, 1, Messages("a")))).Fault);
        await queue.App.ExecuteAsync("CONFIG", "SET", "maxmemory", "0");
        Assert.Equal(1, await pubSub.AppendAsync(grant, 1, Messages("a")));
    }

    internal static Task KillSubscriptionAsync(IDatabase app) => Eventually.TrueAsync(
        async () =>
        {
            var server = app.Multiplexer.GetServers().Single();
            var listeners = (await server.ClientListAsync()).Where(client => client.PatternSubscriptionCount == 1).ToList();
            foreach (var client in listeners)
                await server.ClientKillAsync(id: client.Id);
            return listeners.Count > 0;
        },
        Soon,
        "a subscription to kill");

    private static Task<QueueUnderTest> ConnectAsync(RedisServer redis, Func<QueueSettings, QueueSettings>? change = null) => QueueUnderTest.ConnectAsync(
        QueueKind.List,
        redis,
        settings =>
        {
            var pubSub = new PubSubSettings { Patterns = [settings.Keys.Queue + ":send:*"], MaxQueued = 5, Buffer = 100 };
            return (change ?? (same => same))(settings with { PubSub = pubSub });
        });

    private static string Channel(QueueUnderTest queue, string name) => string.Create(CultureInfo.InvariantCulture, $"{queue.Keys.Queue}:send:{name}");

    private static ReadOnlyMemory<byte>[] Messages(params string[] messages) =>
        [.. messages.Select(message => (ReadOnlyMemory<byte>)System.Text.Encoding.UTF8.GetBytes(message))];

    private static void Enter(List<byte[]> heard, byte[] message)
    {
        lock (heard)
            heard.Add(message);
    }

    private static int Count(List<byte[]> heard)
    {
        lock (heard)
            return heard.Count;
    }
}
