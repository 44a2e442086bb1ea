using Bridge.Measuring;
using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.EndToEnd;

/// <summary>What a contender runs between: a Redis, and the sink or a real XMPP server with the sink behind it.</summary>
internal sealed class Stage : IAsyncDisposable
{
    private readonly List<IAsyncDisposable> _parts = [];

    private Stage(string target, int size, CancellationToken stopping)
    {
        Target = target;
        Workload = new Workload(size);
        Stopping = stopping;
    }

    /// <summary><c>sink</c>, <c>prosody</c> or <c>ejabberd</c>.</summary>
    public string Target { get; }

    public Workload Workload { get; }

    public CancellationToken Stopping { get; }

    public RedisServer Redis { get; private set; } = null!;

    public IDatabase Database { get; private set; } = null!;

    /// <summary>Null when the sink itself is the server.</summary>
    public IXmppServer? Server { get; private set; }

    public Receiver Receiver { get; private set; } = null!;

    public int XmppPort { get; private set; }

    public static async Task<Stage> StartAsync(string target, int size, CancellationToken stopping)
    {
        var stage = new Stage(target, size, stopping);
        try
        {
            await stage.StartAsync();
            return stage;
        }
        catch
        {
            await stage.DisposeAsync();
            throw;
        }
    }

    /// <summary>Empties Redis.</summary>
    public Task ClearAsync() => Database.ExecuteAsync("FLUSHALL", "SYNC");

    public async ValueTask DisposeAsync()
    {
        for (var i = _parts.Count - 1; i >= 0; i--)
            await _parts[i].DisposeAsync();
        _parts.Clear();
    }

    private async Task StartAsync()
    {
        Redis = Keep(await RedisServer.StartAsync());
        // Emptying a Redis of gigabytes takes its time.
        var redis = await ConnectionMultiplexer.ConnectAsync(
            $"{Redis.ConnectionString},allowAdmin=true,asyncTimeout=60000,syncTimeout=60000");
        Database = Keep(redis).GetDatabase();
        if (Target == "sink")
        {
            XmppPort = FreePorts.Next();
            Receiver = Keep(await Receiver.ServeAsync(XmppPort));
            return;
        }

        Server = Target == "prosody" ? Keep(await ProsodyServer.StartNewAsync()) : Keep(await EjabberdServer.StartNewAsync());
        XmppPort = Server.ComponentPort;
        Receiver = Keep(await Receiver.JoinAsync(Server));
        // The first messages through a fresh server cost more than all others.
        await Run.OnceAsync(this, Contenders.Blast(5_000));
    }

    private T Keep<T>(T part)
        where T : IAsyncDisposable
    {
        _parts.Add(part);
        return part;
    }
}
