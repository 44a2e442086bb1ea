using System.Diagnostics.Metrics;

namespace Bridge.Telemetry;

/// <summary>
/// The gauges of the meter <c>Bridge</c>: read from a <see cref="StatusBoard" /> when somebody
/// collects, so that an idle process measures nothing. Disposing it ends them.
/// </summary>
public sealed class StatusGauges : IDisposable
{
    private static readonly ConnectionState[] States = Enum.GetValues<ConnectionState>();

    private readonly Meter meter = new(BridgeMetrics.MeterName);

    /// <summary>Begins to observe the board.</summary>
    /// <param name="board">Where the bridges publish.</param>
    /// <param name="time">The clock that ages are counted by.</param>
    public StatusGauges(StatusBoard board, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(board);
        ArgumentNullException.ThrowIfNull(time);
        Gauge("bridge.queue.length", "{entry}", "Entries waiting in the queue.", snapshot => snapshot.QueueLength);
        Gauge("bridge.journal.length", "{entry}", "Entries taken and not settled.", snapshot => snapshot.JournalLength);
        Gauge("bridge.unconfirmed.entries", "{entry}", "Entries taken whose barrier has not returned.", snapshot => snapshot.UnconfirmedEntries);
        Gauge("bridge.unconfirmed.bytes", "By", "Bytes taken whose barrier has not returned.", snapshot => snapshot.UnconfirmedBytes);
        Gauge("bridge.held.entries", "{entry}", "Entries whose barrier returned and whose hold is not over.", snapshot => snapshot.HeldEntries);
        Gauge("bridge.scheduled.entries", "{entry}", "Messages that are sent later.", snapshot => snapshot.ScheduledEntries);
        Gauge("bridge.awaiting.entries", "{entry}", "Entries that have left the journal and wait for an answer.", snapshot => snapshot.AwaitingEntries);
        Gauge("bridge.window.limit", "{entry}", "Entries that may be unconfirmed at the moment.", snapshot => snapshot.WindowLimit);
        Gauge("bridge.inbound.buffered", "{stanza}", "Stanzas for the app that Redis has not acknowledged.", snapshot => snapshot.InboundBuffered);
        Gauge("bridge.owner", null, "1 while the bridge owns its queue, else 0.",
            snapshot => snapshot.Role is BridgeRole.Owner or BridgeRole.Draining ? 1 : 0);
        meter.CreateObservableGauge(
            "bridge.queue.oldest_age",
            () => board.Snapshots
                .Where(snapshot => snapshot is { OldestQueued: not null } or { QueueLength: 0 })
                .Select(snapshot => new Measurement<double>(OldestAge(snapshot, time.GetUtcNow()), Tag(snapshot))),
            "s",
            "Age of the oldest entry in the queue, where the queue knows it; 0 while it is empty.");
        meter.CreateObservableGauge(
            "bridge.pubsub.listening",
            () => board.Snapshots
                .Where(snapshot => snapshot.Listening is not null)
                .Select(snapshot => new Measurement<long>(snapshot.Listening == true ? 1 : 0, Tag(snapshot))),
            null,
            "1 while the bridge listens by Pub/Sub (best effort), else 0.");
        // A state is told as the Prometheus idiom has it: one series per state, 1 for the one that
        // holds. A single series whose tag changes would leave its old self behind in the exporter.
        meter.CreateObservableGauge(
            "bridge.connection.state",
            () => board.Snapshots.SelectMany(snapshot => States.Select(state => new Measurement<long>(
                state == snapshot.Connection ? 1 : 0, Tag(snapshot), new("state", BridgeMetrics.Name(state))))),
            null,
            "1 for the state that the XMPP connection is in, 0 for the others.");

        void Gauge(string name, string? unit, string description, Func<BridgeSnapshot, long> value) =>
            meter.CreateObservableGauge(
                name,
                () => board.Snapshots.Select(snapshot => new Measurement<long>(value(snapshot), Tag(snapshot))),
                unit,
                description);
    }

    /// <inheritdoc />
    public void Dispose() => meter.Dispose();

    private static double OldestAge(BridgeSnapshot snapshot, DateTimeOffset now) =>
        snapshot.QueueLength > 0 && snapshot.OldestQueued is { } oldest && oldest < now ? (now - oldest).TotalSeconds : 0;

    private static KeyValuePair<string, object?> Tag(BridgeSnapshot snapshot) => new("bridge", snapshot.Name);
}
