#pragma warning disable SER009 // What the client of Redis calls is listened to.
using System.Net;
using Bridge.Queue;
using Bridge.TestKit;
using RESPite.Transports;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace Bridge.Integration.Tests.Queue;

public sealed class OneLifeTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_client_that_lost_its_connection_has_no_other_however_often_it_asks(bool alsoToListen)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var admin = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString + ",allowAdmin=true");
        var server = admin.GetServer("127.0.0.1", redis.Port);
        var life = new ToldLife(alsoToListen);
        var options = RedisLink.ReadOptions(redis.ConnectionString, "one-life", Patience);
        options.Tunnel = life;
        await using var client = await ConnectionMultiplexer.ConnectAsync(options);
        life.Begin(client.GetEndPoints());
        var connections = (await ClientsAsync()).Count;

        foreach (var one in await ClientsAsync())
            await server.ClientKillAsync(id: one.Id);
        // At once, and then with its heartbeat.
        for (var i = 0; i < 3; i++)
            Assert.True(await life.Refused.WaitAsync(Patience));

        await Assert.ThrowsAsync<RedisConnectionException>(() => client.GetDatabase().PingAsync());
        Assert.InRange((await ClientsAsync()).Count, 0, alsoToListen ? 0 : connections - 1);

        async Task<List<ClientInfo>> ClientsAsync() => [.. (await server.ClientListAsync()).Where(one => one.Name == "one-life")];
    }

    [Fact]
    public async Task Before_its_life_begins_and_to_nodes_that_are_no_part_of_it_a_client_connects_as_it_likes()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var admin = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString + ",allowAdmin=true");
        var life = new OneLife();
        var options = RedisLink.ReadOptions(redis.ConnectionString, "one-life", Patience);
        options.Tunnel = life;
        await using var client = await ConnectionMultiplexer.ConnectAsync(options);
        life.Begin([new IPEndPoint(IPAddress.Loopback, redis.Port + 1)]);
        var restored = new TaskCompletionSource();
        client.ConnectionRestored += (_, of) =>
        {
            if (of.ConnectionType == ConnectionType.Interactive)
                restored.TrySetResult();
        };

        var id = (long)await client.GetDatabase().ExecuteAsync("CLIENT", "ID");
        await admin.GetServer("127.0.0.1", redis.Port).ClientKillAsync(id: id);

        await restored.Task.WaitAsync(Patience);
        await client.GetDatabase().PingAsync();
    }

    [Fact]
    public async Task A_reply_thread_has_one_life_too()
    {
        await using var redis = await RedisServer.StartAsync();
        var node = new IPEndPoint(IPAddress.Loopback, redis.Port);
        using var replies = new ReplyThread(Patience);
        await using var first = await ConnectAsync(ConnectionType.Interactive);

        replies.Begin([node]);

        await Assert.ThrowsAsync<ObjectDisposedException>(() => ConnectAsync(ConnectionType.Interactive));
        await using var published = await ConnectAsync(ConnectionType.Subscription);
        Assert.NotNull(published);

        async Task<DuplexTransport?> ConnectAsync(ConnectionType type) => await replies.ConnectTransportAsync(node, type, tls: default, CancellationToken.None);
    }

    private sealed class ToldLife(bool alsoToListen) : OneLife(alsoToListen)
    {
        public SemaphoreSlim Refused { get; } = new(0);

        public override async ValueTask<DuplexTransport?> ConnectTransportAsync(
            EndPoint endpoint, ConnectionType connectionType, TlsOptions tls, CancellationToken cancellationToken)
        {
            try
            {
                return await base.ConnectTransportAsync(endpoint, connectionType, tls, cancellationToken);
            }
            catch (ObjectDisposedException)
            {
                Refused.Release();
                throw;
            }
        }
    }
}
