using System.Collections.Frozen;
using System.Diagnostics.Metrics;
using System.Text.Json;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;

namespace Bridge.Telemetry;

/// <summary>Why a stream ended or did not come about: a closed set, the <c>cause</c> of a reconnect.</summary>
public enum ReconnectCause
{
    /// <summary>The endpoint refused TCP, could not be reached or resolved.</summary>
    ConnectFailed,

    /// <summary>No TCP connection (and TLS, where configured) within its deadline.</summary>
    ConnectTimeout,

    /// <summary>TLS failed: certificate, name or protocol.</summary>
    TlsFailed,

    /// <summary>No stream header from the server within its deadline.</summary>
    HeaderTimeout,

    /// <summary>No answer to the handshake within its deadline.</summary>
    HandshakeTimeout,

    /// <summary>The server refuses until an operator acts (<see cref="StreamErrorClass.Refused" />).</summary>
    Refused,

    /// <summary>The server says that another connection holds the component.</summary>
    Conflict,

    /// <summary>A stream error that names a stanza's fault.</summary>
    StanzaFault,

    /// <summary>Any other stream error.</summary>
    StreamError,

    /// <summary>The server ended the stream without an error.</summary>
    StreamEnded,

    /// <summary>The connection was reset or failed beneath the stream.</summary>
    SocketFailed,

    /// <summary>No barrier returned and the send queue did not shrink: the link is half-open or the server frozen.</summary>
    NoProgress,

    /// <summary>What the server sent is no XMPP stream.</summary>
    ProtocolViolation,

    /// <summary>The search for a stanza at fault begins a new stream.</summary>
    Bisection,

    /// <summary>The lease was lost or doubtful: the socket was reset.</summary>
    LeaseLost,

    /// <summary>The connection's actor failed and was restarted.</summary>
    ActorRestarted,
}

/// <summary>The supervised actors of a bridge, as the <c>actor</c> of a restart.</summary>
public enum BridgeActorKind
{
    /// <summary>A stanza writer.</summary>
    Writer,

    /// <summary>The Redis puller.</summary>
    Puller,

    /// <summary>The XMPP connection.</summary>
    Connection,

    /// <summary>The inbound publisher.</summary>
    Publisher,

    /// <summary>The lease's holder.</summary>
    Lease,

    /// <summary>The intake of what is published.</summary>
    Intake,
}

/// <summary>Why something that a subscription heard did not come to the list, as the <c>reason</c> of a drop.</summary>
public enum PubSubDrop
{
    /// <summary>The buffer in memory was full: Redis did not take it up in time.</summary>
    BufferFull,

    /// <summary>The list had as many entries as it may.</summary>
    QueueFull,

    /// <summary>It was still in the buffer when the intake ended.</summary>
    Ended,
}

/// <summary>What kind of stanza came in.</summary>
public enum InboundKind
{
    /// <summary>A message.</summary>
    Message,

    /// <summary>A presence.</summary>
    Presence,

    /// <summary>An iq, our own barriers excepted.</summary>
    Iq,

    /// <summary>Something larger than the limit, or that is no stanza: skipped.</summary>
    Skipped,
}

/// <summary>
/// The counters and histograms of one bridge, in the meter <c>Bridge</c>. Thread-safe; one object
/// per bridge name. Every tag's values are a closed set: the bridge's name and wire names, never
/// a JID, a stanza id or an entry id, whose number nothing bounds.
/// </summary>
public sealed class BridgeMetrics
{
    /// <summary>Name of the meter that holds every instrument of Bridge.</summary>
    public const string MeterName = "Bridge";

    private const string Other = "other";

    private static readonly Meter Meter = new(MeterName);

    private static readonly Counter<long> TakenCounter = Entries("taken", "Entries moved from the queue to its journal.");
    private static readonly Counter<long> ConfirmedCounter = Entries("confirmed", "Entries whose barrier returned.");
    private static readonly Counter<long> SettledCounter = Entries("settled", "Entries that left the journal.");
    private static readonly Counter<long> RejectedCounter = Entries("rejected", "Entries that did not pass the stanza firewall.");
    private static readonly Counter<long> DeadLetteredCounter = Entries("dead_lettered", "Entries moved to the dead-letter stream.");
    private static readonly Counter<long> ResentCounter = Entries("resent", "Entries written again, after their stream ended before they were confirmed.");
    private static readonly Counter<long> ExpiredCounter = Entries("expired", "Entries whose time to live ended before they could be sent.");
    private static readonly Counter<long> DeadTrimmedCounter = Meter.CreateCounter<long>("bridge.dead_letters.trimmed", "{entry}", "Dead letters pushed out by the bounds of their stream.");
    private static readonly Counter<long> BouncesCounter = Meter.CreateCounter<long>("bridge.bounces", "{stanza}", "Error stanzas that answer what Bridge wrote.");
    private static readonly Counter<long> InboundCounter = Meter.CreateCounter<long>("bridge.inbound.stanzas", "{stanza}", "Stanzas from the XMPP server, returned barriers excepted.");
    private static readonly Counter<long> InboundDeliveredCounter = Meter.CreateCounter<long>("bridge.inbound.delivered", "{stanza}", "Stanzas for the app that are in Redis.");
    private static readonly Counter<long> InboundRefusedCounter = Meter.CreateCounter<long>("bridge.inbound.refused", "{stanza}", "Stanzas for the app that found no room, and whose senders were told so.");
    private static readonly Counter<long> InboundDroppedCounter = Meter.CreateCounter<long>("bridge.inbound.dropped", "{stanza}", "Stanzas for the app that found no room, and whose senders were told nothing.");
    private static readonly Counter<long> OutcomesDroppedCounter = Meter.CreateCounter<long>("bridge.outcomes.dropped", "{outcome}", "Outcomes dropped because Redis was away and the buffer full.");
    private static readonly Counter<long> OutcomesCounter = Meter.CreateCounter<long>("bridge.outcomes", "{outcome}", "Endings that were told with a settlement.");
    private static readonly Counter<long> RepliesCounter = Meter.CreateCounter<long>("bridge.replies", "{reply}", "Replies put into the lists that messages named.");
    private static readonly Counter<long> RepliesDroppedCounter = Meter.CreateCounter<long>("bridge.replies.dropped", "{reply}", "Replies whose list Redis refused to extend.");
    private static readonly Counter<long> PutOffCounter = Entries("put_off", "Entries that are sent later: it was too early for them, or they, or others to their recipient, bounced.");
    private static readonly Counter<long> AnswersDroppedCounter = Meter.CreateCounter<long>("bridge.answers.dropped", "{stanza}", "Receipts and results for what had ended before, or was answered before.");
    private static readonly Counter<long> PubSubWindowsCounter = Meter.CreateCounter<long>("bridge.pubsub.windows", "{window}", "Times in which an owner did not listen: what was published meanwhile is lost (Pub/Sub, best effort).");
    private static readonly Counter<long> PubSubMessagesCounter = Meter.CreateCounter<long>("bridge.pubsub.messages", "{message}", "Messages heard by Pub/Sub (best effort).");
    private static readonly Counter<long> PubSubDroppedCounter = Meter.CreateCounter<long>("bridge.pubsub.dropped", "{message}", "Messages heard by Pub/Sub (best effort) that did not come to the list.");
    private static readonly Counter<long> TracesDroppedCounter = Meter.CreateCounter<long>("bridge.traces.dropped", "{entry}", "Traced entries whose way was not told, because so many were under way.");
    private static readonly Counter<long> ReconnectsCounter = Meter.CreateCounter<long>("bridge.reconnects", "{reconnect}", "Streams that ended or did not come about, and are tried again.");
    private static readonly Counter<long> RedisFaultsCounter = Meter.CreateCounter<long>("bridge.redis.faults", "{fault}", "Calls to Redis that failed.");
    private static readonly Counter<long> RestartsCounter = Meter.CreateCounter<long>("bridge.restarts", "{restart}", "Restarts of a bridge's actors.");
    private static readonly Counter<long> BytesSentCounter = Meter.CreateCounter<long>("bridge.bytes.sent", "By", "Bytes written to XMPP sockets.");
    private static readonly Counter<long> BytesReceivedCounter = Meter.CreateCounter<long>("bridge.bytes.received", "By", "Bytes read from XMPP sockets.");
    private static readonly Counter<long> BarriersSentCounter = Barriers("sent", "Barriers written.");
    private static readonly Counter<long> BarriersReturnedCounter = Barriers("returned", "Barriers that came back.");
    private static readonly Counter<long> BarriersMissingCounter = Barriers("missing", "Barriers that a later one overtook: a second connection holds the component.");
    private static readonly Counter<long> BarriersUnexpectedCounter = Barriers("unexpected", "Stanzas with a barrier's shape that is none of ours, or not outstanding.");

    private static readonly Histogram<double> RoundTripHistogram = Meter.CreateHistogram<double>(
        "bridge.barrier.round_trip", "s", "From the write of a barrier to its return.", null,
        new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] });

    private static readonly Histogram<double> ConfirmTimeHistogram = Meter.CreateHistogram<double>(
        "bridge.entry.confirm_time", "s", "From the take of an entry to its confirmation; one sample per barrier, of the oldest entry before it.", null,
        new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300] });

    private static readonly Histogram<double> DeliveryTimeHistogram = Meter.CreateHistogram<double>(
        "bridge.entry.delivery_time", "s", "From the push of an entry, where its time is known, to its confirmation; one sample per barrier, of the oldest entry before it.", null,
        new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600] });

    // Conversion is paid for once: the tags of a busy bridge cost no string per event.
    private static readonly FrozenDictionary<ReconnectCause, string> CauseNames = Names<ReconnectCause>();
    private static readonly FrozenDictionary<BridgeActorKind, string> ActorNames = Names<BridgeActorKind>();
    private static readonly FrozenDictionary<PubSubDrop, string> DropNames = Names<PubSubDrop>();
    private static readonly FrozenDictionary<InboundKind, string> InboundNames = Names<InboundKind>();
    private static readonly FrozenDictionary<QueueFault, string> FaultNames = Names<QueueFault>();
    private static readonly FrozenDictionary<ConnectionState, string> StateNames = Names<ConnectionState>();
    private static readonly FrozenSet<string> Reasons =
        Enum.GetValues<RejectionReason>().Select(reason => reason.WireName()).ToFrozenSet(StringComparer.Ordinal);

    private readonly KeyValuePair<string, object?> bridge;

    /// <summary>The metrics of the bridge with this name.</summary>
    public BridgeMetrics(string bridgeName)
    {
        ArgumentException.ThrowIfNullOrEmpty(bridgeName);
        bridge = new("bridge", bridgeName);
    }

    /// <summary>The cause as metrics and logs write it: kebab-case.</summary>
    public static string Name(ReconnectCause cause) => CauseNames.GetValueOrDefault(cause, Other);

    /// <summary>The state as metrics and logs write it: kebab-case.</summary>
    public static string Name(ConnectionState state) => StateNames.GetValueOrDefault(state, Other);

    /// <summary>The fault as metrics and logs write it: kebab-case.</summary>
    public static string Name(QueueFault fault) => FaultNames.GetValueOrDefault(fault, Other);

    /// <summary>Entries were moved to the journal.</summary>
    public void Taken(long entries) => TakenCounter.Add(entries, bridge);

    /// <summary>Entries were confirmed by a barrier; <paramref name="oldest" /> is the time since the oldest of them was taken.</summary>
    public void Confirmed(long entries, TimeSpan oldest)
    {
        ConfirmedCounter.Add(entries, bridge);
        if (entries > 0 && oldest >= TimeSpan.Zero)
            ConfirmTimeHistogram.Record(oldest.TotalSeconds, bridge);
    }

    /// <summary>
    /// Entries were confirmed whose oldest was pushed so long ago, by the clocks of whoever pushed and of this machine: one that is
    /// ahead counts as no time at all.
    /// </summary>
    public void Delivered(TimeSpan oldest) => DeliveryTimeHistogram.Record(Math.Max(0, oldest.TotalSeconds), bridge);

    /// <summary>Entries left the journal.</summary>
    public void Settled(long entries) => SettledCounter.Add(entries, bridge);

    /// <summary>An entry did not pass the firewall.</summary>
    public void Rejected(RejectionReason reason) =>
        RejectedCounter.Add(1, bridge, new("reason", reason.WireName()));

    /// <summary>An entry went to the dead-letter stream; an unknown reason counts as <c>other</c>.</summary>
    /// <param name="reason">Wire name of the reason, as the dead letter carries it.</param>
    public void DeadLettered(string reason) =>
        DeadLetteredCounter.Add(1, bridge, new("reason", Reasons.Contains(reason) ? reason : Other));

    /// <summary>Entries were written to a stream for a second or further time.</summary>
    public void Resent(long entries) => ResentCounter.Add(entries, bridge);

    /// <summary>Entries outlived their time to live.</summary>
    public void Expired(long entries) => ExpiredCounter.Add(entries, bridge);

    /// <summary>The bounds of the dead-letter stream pushed out its oldest ones: they are lost for good.</summary>
    public void DeadLettersTrimmed(long entries) => DeadTrimmedCounter.Add(entries, bridge);

    /// <summary>Entries were put off.</summary>
    public void PutOff(int entries) => PutOffCounter.Add(entries, bridge);

    /// <summary>A receipt or a result came for what waits for none any more.</summary>
    public void AnswerDropped() => AnswersDroppedCounter.Add(1, bridge);

    /// <summary>An error stanza answered one that we wrote; what RFC 6120 does not define counts as <c>other</c>.</summary>
    public void Bounced(StanzaErrorType type, StanzaErrorCondition condition) =>
        BouncesCounter.Add(
            1,
            bridge,
            new("type", type is > StanzaErrorType.Unknown and <= StanzaErrorType.Wait ? StanzaError.WireName(type) : Other),
            new("condition", condition is > StanzaErrorCondition.Unknown and <= StanzaErrorCondition.UnexpectedRequest
                ? StanzaError.WireName(condition)
                : Other));

    /// <summary>A stanza came in that is not a barrier.</summary>
    public void Received(InboundKind kind) =>
        InboundCounter.Add(1, bridge, new("kind", InboundNames.GetValueOrDefault(kind, Other)));

    /// <summary>The kind that a stanza is counted under.</summary>
    public static InboundKind KindOf(StanzaKind kind) => kind switch
    {
        StanzaKind.Message => InboundKind.Message,
        StanzaKind.Presence => InboundKind.Presence,
        StanzaKind.Iq => InboundKind.Iq,
        _ => InboundKind.Skipped,
    };

    /// <summary>Stanzas for the app are in Redis.</summary>
    public void InboundDelivered(InboundKind kind, long stanzas) =>
        InboundDeliveredCounter.Add(stanzas, bridge, new("kind", InboundNames.GetValueOrDefault(kind, Other)));

    /// <summary>A stanza for the app found no room, and its sender was told so.</summary>
    public void InboundRefused(InboundKind kind) =>
        InboundRefusedCounter.Add(1, bridge, new("kind", InboundNames.GetValueOrDefault(kind, Other)));

    /// <summary>Stanzas for the app were lost.</summary>
    public void InboundDropped(InboundKind kind, long stanzas = 1) =>
        InboundDroppedCounter.Add(stanzas, bridge, new("kind", InboundNames.GetValueOrDefault(kind, Other)));

    /// <summary>Outcomes did not fit into the buffer.</summary>
    public void OutcomesDropped(long outcomes) => OutcomesDroppedCounter.Add(outcomes, bridge);

    /// <summary>An ending was told together with a settlement.</summary>
    public void Ended(Ending ending) => OutcomesCounter.Add(1, bridge, new("ending", ending.WireName()));

    /// <summary>Replies are in their lists.</summary>
    public void RepliesDelivered(long replies) => RepliesCounter.Add(replies, bridge);

    /// <summary>Replies could not be put into their lists.</summary>
    public void RepliesDropped(long replies) => RepliesDroppedCounter.Add(replies, bridge);

    /// <summary>The way of traced entries is not told.</summary>
    public void TracesDropped(long entries) => TracesDroppedCounter.Add(entries, bridge);

    /// <summary>A window began in which an owner does not listen.</summary>
    public void PubSubWindowBegan() => PubSubWindowsCounter.Add(1, bridge);

    /// <summary>A subscription heard messages.</summary>
    public void PubSubHeard(long messages) => PubSubMessagesCounter.Add(messages, bridge);

    /// <summary>Messages that were heard did not come to the list.</summary>
    public void PubSubDropped(PubSubDrop reason, long messages) =>
        PubSubDroppedCounter.Add(messages, bridge, new("reason", DropNames.GetValueOrDefault(reason, Other)));

    /// <summary>A stream ended or did not come about, and will be tried again.</summary>
    public void Reconnecting(ReconnectCause cause) => ReconnectsCounter.Add(1, bridge, new("cause", Name(cause)));

    /// <summary>A call to Redis failed.</summary>
    public void RedisFailed(QueueFault fault) => RedisFaultsCounter.Add(1, bridge, new("fault", Name(fault)));

    /// <summary>An actor was restarted by its supervisor.</summary>
    public void Restarted(BridgeActorKind actor) =>
        RestartsCounter.Add(1, bridge, new("actor", ActorNames.GetValueOrDefault(actor, Other)));

    /// <summary>Bytes were written to the socket.</summary>
    public void BytesSent(long bytes) => BytesSentCounter.Add(bytes, bridge);

    /// <summary>Bytes were read from the socket.</summary>
    public void BytesReceived(long bytes) => BytesReceivedCounter.Add(bytes, bridge);

    /// <summary>Barriers were written.</summary>
    public void BarriersSent(long barriers) => BarriersSentCounter.Add(barriers, bridge);

    /// <summary>A barrier came back after <paramref name="roundTrip" />.</summary>
    public void BarrierReturned(TimeSpan roundTrip)
    {
        BarriersReturnedCounter.Add(1, bridge);
        RoundTripHistogram.Record(roundTrip.TotalSeconds, bridge);
    }

    /// <summary>Barriers did not come back although a later one did.</summary>
    public void BarriersMissing(long barriers) => BarriersMissingCounter.Add(barriers, bridge);

    /// <summary>Something like a barrier came that is not one of ours.</summary>
    public void BarrierUnexpected() => BarriersUnexpectedCounter.Add(1, bridge);

    /// <summary>Shows at 0 every counter that a bridge may move.</summary>
    public static void ShowZerosOf(BridgeSettings bridge)
    {
        ArgumentNullException.ThrowIfNull(bridge);
        var metrics = new BridgeMetrics(bridge.Name);
        metrics.ShowZeros();
        if (bridge.Queue.PubSub is not null)
            metrics.ShowPubSubZeros();
    }

    /// <summary>
    /// Shows every counter at 0 before anything happened, so that a rate over the first event is
    /// not lost and a dashboard tells "nothing yet" from "no such series".
    /// </summary>
    public void ShowZeros()
    {
        Taken(0);
        ConfirmedCounter.Add(0, bridge);
        Settled(0);
        Resent(0);
        Expired(0);
        DeadLettersTrimmed(0);
        PutOff(0);
        TracesDropped(0);
        AnswersDroppedCounter.Add(0, bridge);
        OutcomesDropped(0);
        RepliesDelivered(0);
        RepliesDropped(0);
        BytesSent(0);
        BytesReceived(0);
        BarriersSent(0);
        BarriersReturnedCounter.Add(0, bridge);
        BarriersMissing(0);
        BarriersUnexpectedCounter.Add(0, bridge);
        foreach (var reason in Reasons.Where(reason => reason != RejectionReason.None.WireName()))
        {
            RejectedCounter.Add(0, bridge, new("reason", reason));
            DeadLetteredCounter.Add(0, bridge, new("reason", reason));
        }

        foreach (var cause in CauseNames.Values)
            ReconnectsCounter.Add(0, bridge, new("cause", cause));
        foreach (var actor in ActorNames.Values)
            RestartsCounter.Add(0, bridge, new("actor", actor));
        foreach (var fault in FaultNames.Values)
            RedisFaultsCounter.Add(0, bridge, new("fault", fault));
        foreach (var ending in Enum.GetValues<Ending>())
            OutcomesCounter.Add(0, bridge, new("ending", ending.WireName()));
        foreach (var kind in InboundNames.Values)
            InboundCounter.Add(0, bridge, new("kind", kind));
        foreach (var kind in new[] { InboundKind.Message, InboundKind.Presence, InboundKind.Iq })
        {
            InboundDelivered(kind, 0);
            InboundRefusedCounter.Add(0, bridge, new("kind", InboundNames[kind]));
            InboundDropped(kind, 0);
        }
    }

    /// <summary>As <see cref="ShowZeros" />, for a bridge that listens.</summary>
    public void ShowPubSubZeros()
    {
        PubSubWindowsCounter.Add(0, bridge);
        PubSubHeard(0);
        foreach (var drop in DropNames.Keys)
            PubSubDropped(drop, 0);
    }

    private static Counter<long> Entries(string name, string description) =>
        Meter.CreateCounter<long>("bridge.entries." + name, "{entry}", description);

    private static Counter<long> Barriers(string name, string description) =>
        Meter.CreateCounter<long>("bridge.barriers." + name, "{barrier}", description);

    private static FrozenDictionary<T, string> Names<T>()
        where T : struct, Enum =>
        Enum.GetValues<T>().ToFrozenDictionary(value => value, value => JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString()));
}
