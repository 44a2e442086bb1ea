using System.Collections.Concurrent;

namespace Bridge.Telemetry;

/// <summary>
/// The one place where bridges publish how they stand, and where gauges, health and status page
/// read it. Each bridge has one publisher; readers may be many, and never see half a change.
/// </summary>
/// <param name="time">The clock behind <see cref="BridgeSnapshot.PublishedAt" /> and <see cref="BridgeSnapshot.BusySince" />.</param>
public sealed class StatusBoard(TimeProvider time)
{
    private readonly ConcurrentDictionary<string, BridgeSnapshot> snapshots = new(StringComparer.Ordinal);

    private readonly ConcurrentDictionary<string, RecentDeliveries> recent = new(StringComparer.Ordinal);

    /// <summary>A board on the system's clock.</summary>
    public StatusBoard()
        : this(TimeProvider.System)
    {
    }

    /// <summary>The newest snapshot of every bridge, ordered by name.</summary>
    public IReadOnlyList<BridgeSnapshot> Snapshots =>
        [.. snapshots.Values.OrderBy(snapshot => snapshot.Name, StringComparer.Ordinal)];

    /// <summary>
    /// Replaces what is known of the snapshot's bridge. To be called at every change of role,
    /// connection or fault, and otherwise every second: a bridge that falls silent for
    /// <see cref="Readiness.SilenceLimit" /> counts as not ready.
    /// </summary>
    public void Publish(BridgeSnapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        var now = time.GetUtcNow();
        snapshots.AddOrUpdate(
            snapshot.Name,
            static (_, added) => Stamp(added.snapshot, null, added.now),
            static (_, previous, added) => Stamp(added.snapshot, previous.BusySince, added.now),
            (snapshot, now));
    }

    /// <summary>The newest snapshot of a bridge; null while it published none.</summary>
    public BridgeSnapshot? Find(string bridge) => snapshots.GetValueOrDefault(bridge);

    /// <summary>The newest messages of a bridge, which outlive its generations; made with the first call.</summary>
    /// <param name="bridge">Its name.</param>
    /// <param name="capacity">How many; another number than before begins anew.</param>
    public RecentDeliveries RecentOf(string bridge, int capacity) => recent.AddOrUpdate(
        bridge,
        static (_, capacity) => new RecentDeliveries(capacity),
        static (_, known, capacity) => known.Capacity == capacity ? known : new RecentDeliveries(capacity),
        capacity);

    /// <summary>The newest messages of a bridge; null where it has never owned its queue here.</summary>
    public RecentDeliveries? FindRecent(string bridge) => recent.GetValueOrDefault(bridge);

    /// <summary>Forgets a bridge that there is no more.</summary>
    public void Remove(string bridge)
    {
        snapshots.TryRemove(bridge, out _);
        recent.TryRemove(bridge, out _);
    }

    private static BridgeSnapshot Stamp(BridgeSnapshot snapshot, DateTimeOffset? busySince, DateTimeOffset now) =>
        snapshot with { PublishedAt = now, BusySince = snapshot.IsBusy ? busySince ?? now : null };
}
