using System.Globalization;

namespace Bridge.TestKit;

/// <summary>A real Redis Sentinel that watches one master and, alone as it is, decides alone about its end.</summary>
public sealed class RedisSentinel : IAsyncDisposable
{
    private const string Master = "mymaster";

    private readonly ServerProcess _process = new("sentinel");
    private readonly int _port = FreePorts.Next();

    private RedisSentinel()
    {
    }

    /// <summary>A StackExchange.Redis connection string for whoever is the master.</summary>
    public string ConnectionString => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{_port},serviceName={Master}");

    /// <summary>Starts one and waits until it watches.</summary>
    /// <param name="masterPort">The port of the master on loopback.</param>
    /// <param name="downAfter">The silence after which the master is taken to be dead.</param>
    public static async Task<RedisSentinel> StartAsync(int masterPort, TimeSpan downAfter)
    {
        var sentinel = new RedisSentinel();
        try
        {
            var file = Path.Combine(sentinel._process.Folder, "sentinel.conf");
            await File.WriteAllTextAsync(file, string.Create(CultureInfo.InvariantCulture, $"""
                port {sentinel._port}
                bind 127.0.0.1
                dir {sentinel._process.Folder}
                sentinel monitor {Master} 127.0.0.1 {masterPort} 1
                sentinel down-after-milliseconds {Master} {downAfter.TotalMilliseconds:F0}
                sentinel failover-timeout {Master} 3000

                """));
            sentinel._process.Start("redis-server", [file, "--sentinel"]);
            await sentinel._process.LineAsync(line => line.Contains($"+monitor master {Master}", StringComparison.Ordinal), TimeSpan.FromSeconds(10));
            return sentinel;
        }
        catch
        {
            await sentinel.DisposeAsync();
            throw;
        }
    }

    /// <summary>Waits until it has found the master's replica.</summary>
    public Task KnowsReplicaAsync(TimeSpan timeout) =>
        _process.LineAsync(line => line.Contains("+slave slave", StringComparison.Ordinal), timeout);

    /// <summary>Waits until a replica is the master; connections to it from before were closed by then.</summary>
    public Task PromotedAsync(TimeSpan timeout) =>
        _process.LineAsync(line => line.Contains("+switch-master", StringComparison.Ordinal), timeout);

    /// <inheritdoc />
    public ValueTask DisposeAsync() => _process.DisposeAsync();
}
