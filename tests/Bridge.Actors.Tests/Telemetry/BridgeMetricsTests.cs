using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Bridge.Queue;
using Bridge.Stanzas;
using Bridge.Telemetry;

namespace Bridge.Actors.Tests.Telemetry;

public sealed class BridgeMetricsTests : IDisposable
{
    // The instruments are the process's own: a name that no other test uses keeps them apart.
    private readonly string bridge = "metrics-" + Guid.NewGuid().ToString("N");
    private readonly ConcurrentBag<(string Name, double Value, string Tags)> measured = [];
    private readonly MeterListener listener = new();

    public BridgeMetricsTests()
    {
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Meter.Name == BridgeMetrics.MeterName)
                self.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Note(instrument, value, tags));
        listener.Start();
    }

    public void Dispose() => listener.Dispose();

    [Fact]
    public void Every_event_is_counted_under_its_name_with_closed_tags()
    {
        var metrics = new BridgeMetrics(bridge);
        metrics.Taken(1);
        metrics.Confirmed(2, TimeSpan.FromSeconds(0.5));
        metrics.Settled(3);
        metrics.Rejected(RejectionReason.NotUtf8);
        metrics.DeadLettered("oversize");
        metrics.DeadLettered("whatever an app@example.com wrote");
        metrics.Resent(4);
        metrics.Expired(5);
        metrics.DeadLettersTrimmed(6);
        metrics.Bounced(StanzaErrorType.Cancel, StanzaErrorCondition.ServiceUnavailable);
        metrics.Bounced(StanzaErrorType.Unknown, (StanzaErrorCondition)999);
        metrics.Received(InboundKind.Message);
        metrics.OutcomesDropped(7);
        metrics.Reconnecting(ReconnectCause.HeaderTimeout);
        metrics.RedisFailed(QueueFault.OutOfMemory);
        metrics.Restarted(BridgeActorKind.Puller);
        metrics.BytesSent(8);
        metrics.BytesReceived(9);
        metrics.BarriersSent(10);
        metrics.BarrierReturned(TimeSpan.FromMilliseconds(2));
        metrics.BarriersMissing(11);
        metrics.BarrierUnexpected();

        Assert.Equal(
            [
                ("bridge.barrier.round_trip", 0.002, ""),
                ("bridge.barriers.missing", 11, ""),
                ("bridge.barriers.returned", 1, ""),
                ("bridge.barriers.sent", 10, ""),
                ("bridge.barriers.unexpected", 1, ""),
                ("bridge.bounces", 1, "condition=other,type=other"),
                ("bridge.bounces", 1, "condition=service-unavailable,type=cancel"),
                ("bridge.bytes.received", 9, ""),
                ("bridge.bytes.sent", 8, ""),
                ("bridge.dead_letters.trimmed", 6, ""),
                ("bridge.entries.confirmed", 2, ""),
                ("bridge.entries.dead_lettered", 1, "reason=other"),
                ("bridge.entries.dead_lettered", 1, "reason=oversize"),
                ("bridge.entries.expired", 5, ""),
                ("bridge.entries.rejected", 1, "reason=not-utf8"),
                ("bridge.entries.resent", 4, ""),
                ("bridge.entries.settled", 3, ""),
                ("bridge.entries.taken", 1, ""),
                ("bridge.entry.confirm_time", 0.5, ""),
                ("bridge.inbound.stanzas", 1, "kind=message"),
                ("bridge.outcomes.dropped", 7, ""),
                ("bridge.reconnects", 1, "cause=header-timeout"),
                ("bridge.redis.faults", 1, "fault=out-of-memory"),
                ("bridge.restarts", 1, "actor=puller"),
            ],
            Measured());
    }

    [Fact]
    public void Every_wire_name_of_a_rejection_is_a_reason_of_its_own()
    {
        var metrics = new BridgeMetrics(bridge);
        var reasons = Enum.GetValues<RejectionReason>();
        foreach (var reason in reasons)
        {
            metrics.DeadLettered(reason.WireName());
            metrics.Rejected(reason);
        }

        Assert.Equal(
            reasons.SelectMany(reason => new[]
            {
                ("bridge.entries.dead_lettered", 1d, "reason=" + reason.WireName()),
                ("bridge.entries.rejected", 1d, "reason=" + reason.WireName()),
            }).Order(),
            Measured());
    }

    [Fact]
    public void Zeros_are_shown_for_every_counter()
    {
        new BridgeMetrics(bridge).ShowZeros();

        Assert.All(Measured(), measurement => Assert.Equal(0, measurement.Value));
        Assert.Superset(
            new HashSet<string>
            {
                "bridge.entries.taken", "bridge.entries.confirmed", "bridge.entries.settled", "bridge.entries.dead_lettered",
                "bridge.reconnects", "bridge.restarts", "bridge.redis.faults", "bridge.barriers.missing",
            },
            Measured().Select(measurement => measurement.Name).ToHashSet());
    }

    [Fact]
    public void Zeros_of_what_is_published_are_shown_where_somebody_listens()
    {
        new BridgeMetrics(bridge).ShowPubSubZeros();

        Assert.Equal(
            [
                ("bridge.pubsub.dropped", 0, "reason=buffer-full"),
                ("bridge.pubsub.dropped", 0, "reason=ended"),
                ("bridge.pubsub.dropped", 0, "reason=queue-full"),
                ("bridge.pubsub.messages", 0, ""),
                ("bridge.pubsub.windows", 0, ""),
            ],
            Measured());
    }

    [Theory]
    [InlineData(null, new double[0])]
    [InlineData(false, new[] { 0d })]
    [InlineData(true, new[] { 1d })]
    public void Whether_it_listens_is_shown_where_it_is_to_listen(bool? listening, double[] shown)
    {
        var board = new StatusBoard();
        using var gauges = new StatusGauges(board, new StoppedClock(DateTimeOffset.UnixEpoch));
        board.Publish(new BridgeSnapshot { Name = bridge, Listening = listening });

        listener.RecordObservableInstruments();

        Assert.Equal(shown, Measured().Where(measurement => measurement.Name == "bridge.pubsub.listening").Select(measurement => measurement.Value));
    }

    [Fact]
    public void Gauges_show_what_stands_on_the_board()
    {
        var now = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
        var board = new StatusBoard();
        using var gauges = new StatusGauges(board, new StoppedClock(now));
        board.Publish(new BridgeSnapshot
        {
            Name = bridge,
            Role = BridgeRole.Owner,
            Connection = ConnectionState.WaitingToReconnect,
            QueueLength = 1,
            OldestQueued = now - TimeSpan.FromSeconds(90),
            JournalLength = 2,
            UnconfirmedEntries = 3,
            UnconfirmedBytes = 4,
            HeldEntries = 5,
            WindowLimit = 6,
        });

        listener.RecordObservableInstruments();

        Assert.Equal(
            [
                ("bridge.connection.state", 1, "state=waiting-to-reconnect"),
                ("bridge.held.entries", 5, ""),
                ("bridge.journal.length", 2, ""),
                ("bridge.owner", 1, ""),
                ("bridge.queue.length", 1, ""),
                ("bridge.queue.oldest_age", 90, ""),
                ("bridge.unconfirmed.bytes", 4, ""),
                ("bridge.unconfirmed.entries", 3, ""),
                ("bridge.window.limit", 6, ""),
            ],
            Measured().Where(measurement => measurement.Value != 0));
        Assert.Equal(Enum.GetValues<ConnectionState>().Length, Measured().Count(measurement => measurement.Name == "bridge.connection.state"));
    }

    private IEnumerable<(string Name, double Value, string Tags)> Measured() => measured.Order();

    private void Note(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var all = tags.ToArray();
        if (!all.Contains(new("bridge", bridge)))
            return;
        var others = all.Where(tag => tag.Key != "bridge").Select(tag => $"{tag.Key}={tag.Value}").Order(StringComparer.Ordinal);
        measured.Add((instrument.Name, value, string.Join(',', others)));
    }

    private sealed class StoppedClock(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}
