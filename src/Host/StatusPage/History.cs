using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using Bridge.Host.Hosting;
using Bridge.Settings;
using Bridge.Telemetry;

namespace Bridge.Host.StatusPage;

/// <summary>One second of one bridge.</summary>
/// <param name="At">When it ended, in seconds of Unix time.</param>
/// <param name="Confirmed">Entries confirmed per second.</param>
/// <param name="ConfirmMean">Milliseconds from take to confirmation, of the oldest entry before each barrier: their mean. NaN: none came back.</param>
/// <param name="ConfirmMost">The longest of them.</param>
/// <param name="RoundTrip">Mean round trip of the barriers, in milliseconds. NaN: none came back.</param>
/// <param name="Queued">Entries in the queue.</param>
/// <param name="Oldest">Age of the oldest of them in seconds. NaN where the queue does not know.</param>
/// <param name="Unconfirmed">Entries taken whose barrier has not returned.</param>
/// <param name="Window">How many there may be.</param>
internal readonly record struct Sample(
    uint At, float Confirmed, float ConfirmMean, float ConfirmMost, float RoundTrip, int Queued, float Oldest, int Unconfirmed, int Window);

/// <summary>Streams that ended or did not come about, one behind the other for the same cause.</summary>
/// <param name="At">When the first did.</param>
/// <param name="Last">When the last did.</param>
/// <param name="Times">How many.</param>
/// <param name="Cause">Why, as metrics write it.</param>
internal sealed record Reconnect(DateTimeOffset At, DateTimeOffset Last, long Times, string Cause);

/// <summary>What happened to one bridge since the process began.</summary>
/// <param name="Recent">The newest reconnects, newest first, at most <see cref="History.MostReconnects" />.</param>
/// <param name="Causes">How many there were, by cause.</param>
/// <param name="DeadLettered">Entries that were dead-lettered.</param>
internal sealed record Happenings(IReadOnlyList<Reconnect> Recent, IReadOnlyDictionary<string, long> Causes, long DeadLettered);

/// <summary>
/// The last hour of every bridge, second by second, from what they publish and what they count. Bounded: a ring of
/// some 130 KiB for each of at most <see cref="MostBridges" />; those beyond have none.
/// </summary>
internal sealed class History : IDisposable
{
    /// <summary>Samples of a bridge that are kept: an hour.</summary>
    public const int Length = 3600;

    /// <summary>Bridges that have a history.</summary>
    public const int MostBridges = 64;

    /// <summary>Runs of reconnects of a bridge that are kept.</summary>
    public const int MostReconnects = 32;

    private readonly StatusBoard board;
    private readonly ConfiguredBridges bridges;
    private readonly TimeProvider time;
    private readonly MeterListener listener = new();
    private readonly ConcurrentDictionary<string, Track> tracks = new(StringComparer.Ordinal);
    private ImmutableArray<BridgeSettings> adopted;
    private long recordedAt;

    /// <summary>Listens at once.</summary>
    public History(StatusBoard board, ConfiguredBridges bridges, TimeProvider time)
    {
        (this.board, this.bridges, this.time) = (board, bridges, time);
        recordedAt = time.GetTimestamp();
        Adopt();
        listener.InstrumentPublished = (instrument, meter) =>
        {
            if (instrument.Meter.Name == BridgeMetrics.MeterName && KindOf(instrument.Name) is { } kind)
                meter.EnableMeasurementEvents(instrument, kind);
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, kind) =>
        {
            if (value > 0 && Find(tags) is { } track)
                track.Count((Counted)kind!, value, tags, this.time);
        });
        listener.SetMeasurementEventCallback<double>((_, value, tags, kind) => Find(tags)?.Time((Counted)kind!, value));
        listener.Start();
    }

    /// <summary>What is counted.</summary>
    private enum Counted
    {
        Confirmed,
        ConfirmTime,
        RoundTrip,
        Reconnect,
        DeadLettered,
    }

    /// <summary>Ends the second: to be called once in each, by one caller.</summary>
    public void Record()
    {
        Adopt();
        var at = (uint)time.GetUtcNow().ToUnixTimeSeconds();
        var seconds = Math.Max(0.001, time.GetElapsedTime(recordedAt).TotalSeconds);
        recordedAt = time.GetTimestamp();
        foreach (var (name, track) in tracks)
            if (board.Find(name) is { } snapshot)
                track.End(at, seconds, snapshot, time.GetUtcNow());
    }

    /// <summary>The bridge's samples, oldest first.</summary>
    public Sample[] Of(string bridge) => tracks.GetValueOrDefault(bridge)?.Samples() ?? [];

    /// <summary>The newest sample; null while there is none.</summary>
    public Sample? Newest(string bridge) => tracks.GetValueOrDefault(bridge)?.Newest();

    /// <summary>What happened to the bridge.</summary>
    public Happenings HappeningsOf(string bridge) =>
        tracks.GetValueOrDefault(bridge)?.Happenings() ?? new Happenings([], new Dictionary<string, long>(), 0);

    /// <inheritdoc />
    public void Dispose() => listener.Dispose();

    private static object? KindOf(string instrument) => instrument switch
    {
        "bridge.entries.confirmed" => Counted.Confirmed,
        "bridge.entry.confirm_time" => Counted.ConfirmTime,
        "bridge.barrier.round_trip" => Counted.RoundTrip,
        "bridge.reconnects" => Counted.Reconnect,
        "bridge.entries.dead_lettered" => Counted.DeadLettered,
        _ => null,
    };

    /// <summary>The bridges as they are configured now.</summary>
    private void Adopt()
    {
        var current = bridges.Current;
        if (current == adopted)
            return;
        adopted = current;
        var names = current.Select(bridge => bridge.Name).Take(MostBridges).ToHashSet(StringComparer.Ordinal);
        foreach (var gone in tracks.Keys.Where(name => !names.Contains(name)))
            tracks.TryRemove(gone, out _);
        foreach (var name in names)
            if (!tracks.ContainsKey(name))
                tracks.TryAdd(name, new Track());
    }

    private Track? Find(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        foreach (var (key, value) in tags)
            if (key == "bridge")
                return value is string name ? tracks.GetValueOrDefault(name) : null;
        return null;
    }

    /// <summary>One bridge. What is counted comes from any thread, and costs no lock where much of it comes.</summary>
    private sealed class Track
    {
        private readonly Lock gate = new();
        private readonly Sample[] ring = new Sample[Length];
        private readonly List<Reconnect> reconnects = new(MostReconnects);
        private readonly Dictionary<string, long> causes = new(StringComparer.Ordinal);
        private long deadLettered;
        private long confirmed;
        private long confirmTimes;
        private long confirmMicroseconds;
        private long confirmMost;
        private long roundTrips;
        private long roundTripMicroseconds;
        private int next;
        private int filled;

        public void Count(Counted kind, long value, ReadOnlySpan<KeyValuePair<string, object?>> tags, TimeProvider time)
        {
            switch (kind)
            {
                case Counted.Confirmed:
                    Interlocked.Add(ref confirmed, value);
                    break;
                case Counted.DeadLettered:
                    Interlocked.Add(ref deadLettered, value);
                    break;
                case Counted.Reconnect:
                    foreach (var (key, cause) in tags)
                        if (key == "cause" && cause is string name)
                            Add(name, value, time.GetUtcNow());
                    break;
            }
        }

        public void Time(Counted kind, double seconds)
        {
            var microseconds = (long)(seconds * 1e6);
            if (kind == Counted.RoundTrip)
            {
                Interlocked.Increment(ref roundTrips);
                Interlocked.Add(ref roundTripMicroseconds, microseconds);
                return;
            }

            Interlocked.Increment(ref confirmTimes);
            Interlocked.Add(ref confirmMicroseconds, microseconds);
            var most = Volatile.Read(ref confirmMost);
            while (microseconds > most && Interlocked.CompareExchange(ref confirmMost, microseconds, most) is var other && other != most)
                most = other;
        }

        public void End(uint at, double seconds, BridgeSnapshot snapshot, DateTimeOffset now)
        {
            var times = Interlocked.Exchange(ref confirmTimes, 0);
            var sum = Interlocked.Exchange(ref confirmMicroseconds, 0);
            var most = Interlocked.Exchange(ref confirmMost, 0);
            var trips = Interlocked.Exchange(ref roundTrips, 0);
            var tripSum = Interlocked.Exchange(ref roundTripMicroseconds, 0);
            var sample = new Sample(
                at,
                (float)(Interlocked.Exchange(ref confirmed, 0) / seconds),
                times == 0 ? float.NaN : sum / 1000f / times,
                times == 0 ? float.NaN : most / 1000f,
                trips == 0 ? float.NaN : tripSum / 1000f / trips,
                (int)Math.Min(snapshot.QueueLength, int.MaxValue),
                Age(snapshot, now),
                (int)Math.Min(snapshot.UnconfirmedEntries, int.MaxValue),
                (int)Math.Min(snapshot.WindowLimit, int.MaxValue));
            lock (gate)
            {
                ring[next] = sample;
                next = (next + 1) % Length;
                filled = Math.Min(filled + 1, Length);
            }
        }

        public Sample[] Samples()
        {
            lock (gate)
            {
                var samples = new Sample[filled];
                var first = (next - filled + Length) % Length;
                var toEnd = Math.Min(filled, Length - first);
                ring.AsSpan(first, toEnd).CopyTo(samples);
                ring.AsSpan(0, filled - toEnd).CopyTo(samples.AsSpan(toEnd));
                return samples;
            }
        }

        public Sample? Newest()
        {
            lock (gate)
                return filled == 0 ? null : ring[(next - 1 + Length) % Length];
        }

        public Happenings Happenings()
        {
            lock (gate)
                return new Happenings([.. reconnects.AsEnumerable().Reverse()], new Dictionary<string, long>(causes), Interlocked.Read(ref deadLettered));
        }

        private static float Age(BridgeSnapshot snapshot, DateTimeOffset now)
        {
            if (snapshot.QueueLength == 0)
                return 0;
            return snapshot.OldestQueued is { } oldest ? (float)Math.Max(0, (now - oldest).TotalSeconds) : float.NaN;
        }

        private void Add(string cause, long times, DateTimeOffset now)
        {
            lock (gate)
            {
                causes[cause] = causes.GetValueOrDefault(cause) + times;
                if (reconnects is [.., var last] && last.Cause == cause)
                {
                    reconnects[^1] = last with { Last = now, Times = last.Times + times };
                    return;
                }

                if (reconnects.Count == MostReconnects)
                    reconnects.RemoveAt(0);
                reconnects.Add(new Reconnect(now, now, times, cause));
            }
        }
    }
}
