using Bridge.TestKit;

namespace Bridge.Integration.Tests.Queue;

/// <summary>One Redis for the tests of a class that do not hurt it; each test has a queue of its own.</summary>
public sealed class RedisFixture : IAsyncLifetime
{
    private RedisServer? _redis;

    public RedisServer Redis => _redis ?? throw new InvalidOperationException("Not started.");

    public async Task InitializeAsync() => _redis = await RedisServer.StartAsync();

    public async Task DisposeAsync()
    {
        if (_redis is not null)
            await _redis.DisposeAsync();
    }
}
