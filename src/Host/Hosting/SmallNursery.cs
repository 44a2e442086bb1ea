namespace Bridge.Host.Hosting;

/// <summary>
/// Collects the first generation when it has grown by <see cref="NurseryWatch.Bound" />. The runtime sizes it after
/// the processor's cache, 25 MiB and more, so that at a dozen bytes a message it is collected after minutes, and
/// memory grows until then; that bound can be set by the environment alone (DOTNET_GCgen0size), which a program
/// cannot do for itself. What it costs and gives: docs/performance.md.
/// </summary>
/// <param name="time">The clock of the looks.</param>
internal sealed class SmallNursery(TimeProvider time) : BackgroundService
{
    /// <summary>How often it looks.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    /// <inheritdoc />
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var watch = new NurseryWatch(GC.CollectionCount(0), GC.GetTotalAllocatedBytes());
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
            {
                if (watch.IsDue(GC.CollectionCount(0), GC.GetTotalAllocatedBytes()))
                    GC.Collect(0, GCCollectionMode.Forced, blocking: true);
            }
        }
        catch (OperationCanceledException)
        {
            // The host stops.
        }
    }
}

/// <summary>Whether enough was allocated since the last collection, the runtime's or ours. Pure.</summary>
/// <param name="collections">How often the first generation was collected until now.</param>
/// <param name="allocated">Bytes allocated until now.</param>
internal sealed class NurseryWatch(int collections, long allocated)
{
    /// <summary>Bytes after which a collection is due.</summary>
    public const long Bound = 2 * 1024 * 1024;

    private int _collections = collections;
    private long _allocated = allocated;

    /// <summary>
    /// Looks again. True: a collection is due, which the caller makes. What was allocated until the last collection
    /// is only known as of the look behind it, so a collection of the runtime's own puts ours off.
    /// </summary>
    public bool IsDue(int collections, long allocated)
    {
        var collected = collections != _collections;
        var due = !collected && allocated - _allocated >= Bound;
        if (collected || due)
            (_collections, _allocated) = (due ? collections + 1 : collections, allocated);
        return due;
    }
}
