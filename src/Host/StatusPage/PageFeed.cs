using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Threading.Channels;
using Bridge.Cluster;
using Bridge.Host.Configuration;
using Bridge.Host.Hosting;
using Bridge.Telemetry;

namespace Bridge.Host.StatusPage;

/// <summary>
/// What the status page is told, by server-sent events: how everything stands, at once and then once a second. At most
/// <see cref="MostListeners" /> listen; the next is told to come later. A listener that reads slowly misses what is
/// older than the newest. Turns the clock of the <see cref="History" /> as well.
/// </summary>
internal sealed partial class PageFeed(
    HostConfiguration configuration,
    ConfiguredBridges bridges,
    StatusBoard board,
    ClusterBoard cluster,
    ActorBoard actors,
    History history,
    PageAccess access,
    TimeProvider time,
    ILoggerFactory loggers) : BackgroundService
{
    /// <summary>How many may listen at once.</summary>
    public const int MostListeners = 16;

    /// <summary>How many actors are told of.</summary>
    public const int MostActors = 500;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private static readonly JsonSerializerOptions Json = new(StatusReport.Json) { WriteIndented = false, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    private readonly ILogger logger = loggers.CreateLogger("Bridge.StatusPage");
    private readonly DateTimeOffset startedAt = time.GetUtcNow();
    private readonly Lock gate = new();
    private readonly List<Channel<byte[]>> listeners = [];
    private bool stopped;
    private bool failed;

    /// <summary>Tells one listener, until it goes, may no longer see it, or the process stops.</summary>
    public async Task ServeAsync(HttpContext context)
    {
        if (TryJoin() is not { } listener)
        {
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            context.Response.Headers.RetryAfter = "5";
            await context.Response.WriteAsync($"{MostListeners} listen already, or the process stops.\n", context.RequestAborted);
            return;
        }

        try
        {
            context.Response.ContentType = "text/event-stream";
            // A proxy must not collect them.
            context.Response.Headers["X-Accel-Buffering"] = "no";
            await context.Response.Body.WriteAsync(Snapshot(), context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
            await foreach (var snapshot in listener.Reader.ReadAllAsync(context.RequestAborted))
            {
                // A session that has ended ends what it sees.
                if (access.OfReader(context.Request) is not null)
                    return;
                await context.Response.Body.WriteAsync(snapshot, context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
            // It is gone.
        }
        finally
        {
            lock (gate)
                listeners.Remove(listener);
        }
    }

    /// <inheritdoc />
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken))
                Turn();
        }
        catch (OperationCanceledException)
        {
            // The host stops.
        }
        finally
        {
            lock (gate)
            {
                stopped = true;
                foreach (var listener in listeners)
                    listener.Writer.TryComplete();
            }
        }
    }

    private void Turn()
    {
        try
        {
            history.Record();
            Tell();
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            // The bridges must not end because nobody can look at them.
            if (!failed)
                LogFailed(exception);
            failed = true;
        }
    }

    private void Tell()
    {
        lock (gate)
        {
            if (listeners.Count == 0)
                return;
        }

        var snapshot = Snapshot();
        lock (gate)
            foreach (var listener in listeners)
                listener.Writer.TryWrite(snapshot);
    }

    private Channel<byte[]>? TryJoin()
    {
        lock (gate)
        {
            if (stopped || listeners.Count >= MostListeners)
                return null;
            var listener = Channel.CreateBounded<byte[]>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
            listeners.Add(listener);
            return listener;
        }
    }

    // JSON has no line ends within, so one line of the event holds it.
    private byte[] Snapshot() => Encoding.UTF8.GetBytes("data: " + JsonSerializer.Serialize(Stand(), Json) + "\n\n");

    private PageSnapshot Stand()
    {
        var now = time.GetUtcNow();
        var readings = actors.Readings;
        return new PageSnapshot(
            now,
            startedAt,
            access.HasToken,
            configuration.Page.Changes,
            configuration.Page.Payloads,
            StatusReport.Of(cluster.Picture, bridges, board, now),
            [.. bridges.Current.Select(bridge => board.Find(bridge.Name)).OfType<BridgeSnapshot>().Select(snapshot => Here(snapshot, now))],
            [.. readings.Take(MostActors)],
            Math.Max(0, readings.Count - MostActors));
    }

    private BridgeHere Here(BridgeSnapshot snapshot, DateTimeOffset now)
    {
        var happenings = history.HappeningsOf(snapshot.Name);
        var (ready, reason) = Readiness.Ready(snapshot, now);
        return new BridgeHere
        {
            Name = snapshot.Name,
            Role = snapshot.Role,
            Ready = ready,
            Reason = reason,
            Connection = snapshot.Connection,
            Endpoint = snapshot.Endpoint,
            LastStreamError = snapshot.LastStreamError,
            LastCause = snapshot.LastReconnectCause is { } cause ? BridgeMetrics.Name(cause) : null,
            Queued = snapshot.QueueLength,
            OldestMs = snapshot.OldestQueued is { } oldest ? Math.Max(0, (long)(now - oldest).TotalMilliseconds) : null,
            Journal = snapshot.JournalLength,
            Unconfirmed = snapshot.UnconfirmedEntries,
            UnconfirmedBytes = snapshot.UnconfirmedBytes,
            Window = snapshot.WindowLimit,
            Held = snapshot.HeldEntries,
            Scheduled = snapshot.ScheduledEntries,
            Awaiting = snapshot.AwaitingEntries,
            InboundBuffered = snapshot.InboundBuffered,
            RoundTripMs = snapshot.LastBarrierRoundTrip?.TotalMilliseconds,
            LastProgressAt = snapshot.LastProgressAt,
            Listening = snapshot.Listening,
            Restarts = snapshot.Restarts,
            DeadLettered = happenings.DeadLettered,
            Sample = history.Newest(snapshot.Name) is { } sample ? SampleLine.Of(sample) : null,
            Reconnects = happenings.Recent,
            Causes = happenings.Causes,
        };
    }

    [LoggerMessage(LogLevel.Error, "The status page cannot be told how everything stands; said once")]
    private partial void LogFailed(Exception exception);

    /// <summary>One event. No secret, no address of a person, no body.</summary>
    private sealed record PageSnapshot(
        DateTimeOffset Time,
        DateTimeOffset StartedAt,
        bool SignedIn,
        bool Changes,
        bool Payloads,
        StatusReport Status,
        IReadOnlyList<BridgeHere> Here,
        IReadOnlyList<ActorReading> Actors,
        int ActorsLeftOut);

    /// <summary>A bridge, as this node sees it.</summary>
    private sealed record BridgeHere
    {
        public required string Name { get; init; }

        public BridgeRole Role { get; init; }

        public bool Ready { get; init; }

        public required string Reason { get; init; }

        public ConnectionState Connection { get; init; }

        public string? Endpoint { get; init; }

        public string? LastStreamError { get; init; }

        public string? LastCause { get; init; }

        public long Queued { get; init; }

        public long? OldestMs { get; init; }

        public long Journal { get; init; }

        public long Unconfirmed { get; init; }

        public long UnconfirmedBytes { get; init; }

        public long Window { get; init; }

        public long Held { get; init; }

        public long Scheduled { get; init; }

        public long Awaiting { get; init; }

        public long InboundBuffered { get; init; }

        public double? RoundTripMs { get; init; }

        public DateTimeOffset? LastProgressAt { get; init; }

        public bool? Listening { get; init; }

        public long Restarts { get; init; }

        public long DeadLettered { get; init; }

        public SampleLine? Sample { get; init; }

        public required IReadOnlyList<Reconnect> Reconnects { get; init; }

        public required IReadOnlyDictionary<string, long> Causes { get; init; }
    }

    /// <summary>A sample, with null for what JSON has no number for.</summary>
    private sealed record SampleLine(
        uint At, double? Confirmed, double? ConfirmMean, double? ConfirmMost, double? RoundTrip, int Queued, double? Oldest, int Unconfirmed, int Window)
    {
        public static SampleLine Of(Sample sample) => new(
            sample.At, Number(sample.Confirmed), Number(sample.ConfirmMean), Number(sample.ConfirmMost), Number(sample.RoundTrip), sample.Queued,
            Number(sample.Oldest), sample.Unconfirmed, sample.Window);

        private static double? Number(float number) => float.IsNaN(number) ? null : Math.Round(number, 3);
    }
}
