namespace Bridge.Host.Hosting;

/// <summary>Replaces the console lifetime, which has a notion of its own of what a signal means.</summary>
internal sealed class SignalledElsewhere : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
