using Bridge.TestKit;

namespace Bridge.Cluster.Tests;

/// <summary>The real servers that the tests of one class share.</summary>
public sealed class RealServersFixture : RealServers, IAsyncLifetime
{
    Task IAsyncLifetime.InitializeAsync() => Task.CompletedTask;

    Task IAsyncLifetime.DisposeAsync() => DisposeAsync().AsTask();
}
