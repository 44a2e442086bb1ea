using Akka.Actor;
using Akka.Configuration;
using Akka.Coordination;
using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Cluster.Tests;

/// <summary>The lease of Akka.Coordination, named in HOCON as the split-brain resolver does, on a real Redis.</summary>
public sealed class RedisLeaseTests : IAsyncLifetime
{
    private const string Name = "test-lease";
    private const string Key = "bridge:lease:" + Name;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly List<ActorSystem> _systems = [];
    private RedisServer _redis = null!;
    private ConnectionMultiplexer _client = null!;

    private IDatabase Redis => _client.GetDatabase();

    public async Task InitializeAsync()
    {
        _redis = await RedisServer.StartAsync();
        _client = await ConnectionMultiplexer.ConnectAsync(_redis.ConnectionString);
    }

    public async Task DisposeAsync()
    {
        foreach (var system in _systems)
            await system.Terminate();
        await _client.DisposeAsync();
        await _redis.DisposeAsync();
    }

    [Fact]
    public async Task One_has_it_at_a_time_and_asks_for_it_as_often_as_it_likes()
    {
        var (one, other) = (Lease("one"), Lease("other"));

        Assert.True(await one.Acquire());
        Assert.True(await one.Acquire());
        Assert.False(await other.Acquire());
        Assert.True(one.CheckLease());
        Assert.False(other.CheckLease());
        Assert.False(await other.Release());
        Assert.True(await one.Release());
        Assert.False(one.CheckLease());
        Assert.True(await other.Acquire());
    }

    [Fact]
    public async Task Whoever_has_it_keeps_it_beyond_its_time_to_live()
    {
        var one = Lease("one");
        Assert.True(await one.Acquire());
        var lost = new TaskCompletionSource<Exception>();
        Assert.True(await one.Acquire(lost.SetResult));
        // Shortened here, it must have been renewed since.
        await Redis.KeyExpireAsync(Key, TimeSpan.FromSeconds(3));
        await Eventually.TrueAsync(async () => await Redis.KeyTimeToLiveAsync(Key) > TimeSpan.FromSeconds(3.5), Patience, "it is renewed");

        Assert.True(one.CheckLease());
        Assert.False(lost.Task.IsCompleted);
    }

    [Fact]
    public async Task Who_loses_it_is_told_and_does_not_believe_any_more()
    {
        var (one, other) = (Lease("one"), Lease("other"));
        var lost = new TaskCompletionSource<Exception>();
        Assert.True(await one.Acquire(lost.SetResult));
        await Redis.KeyDeleteAsync(Key);
        Assert.True(await other.Acquire());

        Assert.IsType<LeaseException>(await lost.Task.WaitAsync(Patience));
        Assert.False(one.CheckLease());
        Assert.True(other.CheckLease());
    }

    [Fact]
    public async Task Who_does_not_reach_Redis_believes_no_longer_than_Redis_does()
    {
        await using var proxy = new FaultProxy(_redis.Port);
        var one = Lease("one", proxy.Port);
        var lost = new TaskCompletionSource<Exception>();
        Assert.True(await one.Acquire(lost.SetResult));

        proxy.BlackHole();
        await Eventually.TrueAsync(async () => !await Redis.KeyExistsAsync(Key), Patience, "it has run out in Redis");
        Assert.False(one.CheckLease());
        await lost.Task.WaitAsync(Patience);
        await Assert.ThrowsAsync<LeaseException>(() => one.Acquire());
    }

    [Fact]
    public void A_section_without_Redis_is_refused() =>
        Assert.ThrowsAny<Exception>(() => Lease("one", redis: ""));

    private Lease Lease(string owner, int? port = null, string? redis = null)
    {
        var address = redis ?? (port is null ? _redis.ConnectionString : $"127.0.0.1:{port}");
        var system = ActorSystem.Create("lease", ConfigurationFactory.ParseString($$"""
            bridge-lease {
              lease-class = "Bridge.Cluster.RedisLease, Bridge.Actors"
              heartbeat-timeout = 5s
              heartbeat-interval = 500ms
              lease-operation-timeout = 1s
              redis = "{{address}}"
            }
            akka.stdout-loglevel = OFF
            akka.loglevel = OFF
            """));
        _systems.Add(system);
        return LeaseProvider.Get(system).GetLease(Name, "bridge-lease", owner);
    }
}
