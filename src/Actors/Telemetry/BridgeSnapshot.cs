using Bridge.Queue;

namespace Bridge.Telemetry;

/// <summary>What a bridge is to its queue.</summary>
public enum BridgeRole
{
    /// <summary>Somebody else holds the lease, or nobody could be asked yet; neither takes nor connects.</summary>
    Standby,

    /// <summary>Holds the lease: takes, sends, settles.</summary>
    Owner,

    /// <summary>Takes nothing any more; confirms and settles what is in flight.</summary>
    Draining,

    /// <summary>Ended, in order or for good.</summary>
    Stopped,
}

/// <summary>Where the XMPP connection stands.</summary>
public enum ConnectionState
{
    /// <summary>Not wanted: the bridge does not own its queue.</summary>
    Idle,

    /// <summary>TCP, and TLS where configured, are being set up.</summary>
    Connecting,

    /// <summary>Our stream header is written, the server's is awaited.</summary>
    AwaitingStreamHeader,

    /// <summary>Our handshake is written, the server's answer is awaited.</summary>
    AwaitingHandshake,

    /// <summary>Stanzas flow.</summary>
    Established,

    /// <summary>The last barrier and the server's end of the stream are awaited.</summary>
    Draining,

    /// <summary>Backing off before the next attempt.</summary>
    WaitingToReconnect,
}

/// <summary>
/// How one bridge stands at one moment, as gauges, health and status page show it. Published
/// whole; see <see cref="StatusBoard.Publish" />. Holds no secret, no JID but the component's
/// endpoint, and no payload.
/// </summary>
public sealed record BridgeSnapshot
{
    /// <summary>The bridge's name.</summary>
    public required string Name { get; init; }

    /// <summary>What it is to its queue.</summary>
    public BridgeRole Role { get; init; }

    /// <summary>The epoch of the lease, which rises with each owner; null where it is not ours.</summary>
    public long? Epoch { get; init; }

    /// <summary>What the operator wants of the queue, as of the last look; one that stands by may not know.</summary>
    public QueueOrder Order { get; init; }

    /// <summary>Where its connection stands.</summary>
    public ConnectionState Connection { get; init; }

    /// <summary>The endpoint in use or tried last, <c>host:port</c>; null before the first attempt.</summary>
    public string? Endpoint { get; init; }

    /// <summary>The last stream error: condition and the server's words; null while there was none.</summary>
    public string? LastStreamError { get; init; }

    /// <summary>Why the last connection ended or did not come about; null while there was none.</summary>
    public ReconnectCause? LastReconnectCause { get; init; }

    /// <summary>What Redis refuses at the moment, in plain words; null while it works.</summary>
    public string? QueueFault { get; init; }

    /// <summary>Entries waiting in the queue, as of the last look.</summary>
    public long QueueLength { get; init; }

    /// <summary>When the oldest waiting entry was pushed; null where the queue does not know (lists).</summary>
    public DateTimeOffset? OldestQueued { get; init; }

    /// <summary>Entries in the journal: taken and not settled.</summary>
    public long JournalLength { get; init; }

    /// <summary>Entries taken whose barrier has not returned.</summary>
    public long UnconfirmedEntries { get; init; }

    /// <summary>Their bytes.</summary>
    public long UnconfirmedBytes { get; init; }

    /// <summary>Entries whose barrier returned and whose hold is not over.</summary>
    public long HeldEntries { get; init; }

    /// <summary>Messages that are sent later.</summary>
    public long ScheduledEntries { get; init; }

    /// <summary>Entries that have left the journal and wait for an answer.</summary>
    public long AwaitingEntries { get; init; }

    /// <summary>Entries that may be unconfirmed at the moment: the window, as adapted to the round trip.</summary>
    public long WindowLimit { get; init; }

    /// <summary>Stanzas for the app that are in memory, because Redis has not acknowledged them.</summary>
    public long InboundBuffered { get; init; }

    /// <summary>Round trip of the barrier that returned last; null while none did.</summary>
    public TimeSpan? LastBarrierRoundTrip { get; init; }

    /// <summary>When an entry was last confirmed, or settled without being sent (rejected, expired); null while none was.</summary>
    public DateTimeOffset? LastProgressAt { get; init; }

    /// <summary>Who holds the lease, as Redis told a standby; null while it is ours or unknown.</summary>
    public string? LeaseHolder { get; init; }

    /// <summary>Whether that lease has no end: Bridge sets none like it, and nobody will ever take over.</summary>
    public bool LeaseIsEndless { get; init; }

    /// <summary>When the connection last told how it stands; null while it is not wanted.</summary>
    public DateTimeOffset? ConnectionSeenAt { get; init; }

    /// <summary>When the puller last looked at the queue, or began to; null while it is not wanted.</summary>
    public DateTimeOffset? QueueSeenAt { get; init; }

    /// <summary>Since when a barrier is on its way and none has returned; null while none is on its way.</summary>
    public DateTimeOffset? BarrierSince { get; init; }

    /// <summary>Whether it listens to what is published (best effort); null where its queue is not fed so.</summary>
    public bool? Listening { get; init; }

    /// <summary>Restarts of the bridge's actors since the process began.</summary>
    public long Restarts { get; init; }

    /// <summary>
    /// Since when the bridge has had work without a pause and could have done it; null while it
    /// has none, does not own its queue or is not connected. Filled in by the <see cref="StatusBoard" />.
    /// </summary>
    public DateTimeOffset? BusySince { get; init; }

    /// <summary>When this was published. Filled in by the <see cref="StatusBoard" />.</summary>
    public DateTimeOffset PublishedAt { get; init; }

    /// <summary>Something is queued or unconfirmed, the queue is ours and the stream stands.</summary>
    public bool IsBusy =>
        Role == BridgeRole.Owner
        && Connection == ConnectionState.Established
        && ((QueueLength > 0 && Order == QueueOrder.Run) || UnconfirmedEntries > 0);
}
