namespace Bridge.Host.Hosting;

/// <summary>
/// Collects the first generation when it has grown to <see cref="Bound" />. The runtime sizes it after the
/// processor's cache, 25 MiB and more, so that at a dozen bytes a message it is only collected after minutes,
/// and memory grows until then; that bound can be set by the environment alone (DOTNET_GCgen0size), which the
/// program that it is set for cannot do. What it costs: docs/performance.md.
/// </summary>
/// <param name="time">The clock of the looks.</param>
internal sealed class SmallNursery(TimeProvider time) : BackgroundService
{
    /// <summary>Bytes allocated since the last collection at which there is one.</summary>
    public const long Bound = 4 * 1024 * 1024;

    /// <summary>How often it looks.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    /// <inheritdoc />
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        var (collections, allocated) = (GC.CollectionCount(0), GC.GetTotalAllocatedBytes());
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
            {
                var now = GC.GetTotalAllocatedBytes();
                if (GC.CollectionCount(0) == collections && now - allocated < Bound)
                    continue;
                if (GC.CollectionCount(0) == collections)
                    GC.Collect(0, GCCollectionMode.Forced, blocking: true);
                (collections, allocated) = (GC.CollectionCount(0), now);
            }
        }
        catch (OperationCanceledException)
        {
            // The host stops.
        }
    }
}
