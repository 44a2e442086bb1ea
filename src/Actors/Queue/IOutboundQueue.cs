using Bridge.Deferral;
using Bridge.Outcomes;

namespace Bridge.Queue;

/// <summary>
/// The seam between the puller and Redis: one outbound queue with its journal.
/// <para>
/// Every call carries a session. A session is opened by <see cref="RecoverAsync" />, which raises
/// the session number inside the lease; any call of an older session changes nothing and throws
/// <see cref="QueueFault.Stale" />. So a call that was given up, and that Redis runs later, cannot
/// harm. After any other fault the caller does not know what Redis did: it recovers.
/// </para>
/// <para>
/// Every call has the implementation's own deadline; past it, it throws
/// <see cref="QueueFault.Unreachable" /> and the connection under it is thrown away.
/// Calls may be issued without awaiting the one before; Redis runs them in the order of the calls,
/// their tasks may complete in any order.
/// </para>
/// </summary>
public interface IOutboundQueue : IAsyncDisposable
{
    /// <summary>
    /// Opens a new session under the lease and tells what the journal holds. May be called again
    /// after a fault, and while another such call is under way: the later session is the current one.
    /// </summary>
    /// <exception cref="QueueFaultException">
    /// <see cref="QueueFault.LeaseLost" /> when the lease is no longer the grant's;
    /// <see cref="QueueFault.Stale" /> when another call has opened a later session meanwhile.
    /// </exception>
    Task<Recovery> RecoverAsync(LeaseGrant grant);

    /// <summary>
    /// Waits (at most the configured wait time) until the queue has something, then takes. Takes
    /// nothing while it waits. At most one such call may be under way.
    /// </summary>
    Task<TakenEntries> WaitAndTakeAsync(QueueSession session, TakeLimits limits);

    /// <summary>Settles, then moves up to the limits from the queue to its journal, in one atomic step.</summary>
    Task<TakenEntries> TakeAsync(QueueSession session, TakeLimits limits, Settlement settlement);

    /// <summary>
    /// Settles: dead-letters what was rejected, removes the journal's prefix up to a position, writes
    /// the mark; in this order and in one atomic step, so that nothing is removed or marked as
    /// confirmed while a rejected entry before it is not yet in the dead-letter stream. Only
    /// a settlement with very many rejected entries takes several steps, of which the last one writes
    /// the mark. Said twice, it does nothing the second time.
    /// </summary>
    Task<SettleResult> SettleAsync(QueueSession session, Settlement settlement);

    /// <summary>
    /// Reads entries of the journal that come after a position, in order. Changes nothing but this: an
    /// entry whose body was trimmed from its stream goes to the dead-letter stream. No entries means the
    /// end of the journal, unless <see cref="TakenEntries.LookedUpTo" /> says where to read on.
    /// </summary>
    Task<TakenEntries> ReadJournalAsync(QueueSession session, EntryPosition after, TakeLimits limits);

    /// <summary>Length of the queue (not yet taken) and of its journal, for metrics and health.</summary>
    Task<QueueDepth> DepthAsync();
}

/// <summary>An acquired lease. The lease's value in Redis is <c>token:epoch:session</c>.</summary>
/// <param name="Token">128 random bits, drawn anew for each acquisition.</param>
/// <param name="Epoch">Rises with each acquisition that Redis remembers.</param>
public sealed record LeaseGrant(string Token, long Epoch);

/// <summary>A session under a lease.</summary>
/// <param name="Grant">The lease it belongs to.</param>
/// <param name="Number">Rises with each recovery under the lease.</param>
public sealed record QueueSession(LeaseGrant Grant, long Number)
{
    /// <summary>The lease's value while this session is the current one.</summary>
    public string LeaseValue { get; } =
        string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Grant.Token}:{Grant.Epoch}:{Number}");
}

/// <summary>Bounds of one take or journal read; both at least 1.</summary>
/// <param name="Entries">Entries at most.</param>
/// <param name="Bytes">Payload bytes after which no further entry is added; a single entry may exceed it.</param>
public readonly record struct TakeLimits(int Entries, int Bytes);

/// <summary>What the journal holds when a session begins.</summary>
/// <param name="Session">The new session.</param>
/// <param name="Count">Entries in the journal.</param>
/// <param name="First">Position of the first; <see cref="EntryPosition.Zero" /> when empty.</param>
/// <param name="Last">Position of the last; <see cref="EntryPosition.Zero" /> when empty.</param>
/// <param name="Mark">
/// The confirmed mark that the last owner left, if any; never ahead of everything that was taken, as
/// that of a stream that was deleted and made anew with smaller ids would be.
/// </param>
/// <param name="ContinuesHistory">
/// False when Redis does not remember what this object saw it do (a first recovery, a failover
/// that lost the tail, a flush): what memory holds must then be thrown away.
/// </param>
/// <param name="Seal">The key of the generated ids, which lives in Redis.</param>
public sealed record Recovery(
    QueueSession Session,
    long Count,
    EntryPosition First,
    EntryPosition Last,
    ConfirmedMark? Mark,
    bool ContinuesHistory,
    IdSeal? Seal = null)
{
    /// <summary>
    /// Messages that wait for an answer: with the first session those that a predecessor left, with a later one all of them, should
    /// Redis have others than it was told of.
    /// </summary>
    public IReadOnlyList<AwaitedAnswer> Awaiting { get; init; } = [];

    /// <summary>Whom messages that were put off block, and until when; told with the first session only.</summary>
    public IReadOnlyList<(ulong Recipient, DateTimeOffset Due)> Blocked { get; init; } = [];

    /// <summary>What Redis' clock showed: by it all owners count, whatever theirs show. Null where it was not told.</summary>
    public DateTimeOffset? Clock { get; init; }

    /// <summary>Ids of the app's own that were seen, the oldest first; told with the first session only.</summary>
    public IReadOnlyList<SeenId> Seen { get; init; } = [];
}

/// <summary>A contiguous run of journal entries, in order, and what the call did besides.</summary>
/// <param name="Entries">The entries; empty when there was nothing. Whoever gets them owns them.</param>
/// <param name="Settled">What the settlement in the same call did.</param>
/// <param name="Oversize">
/// Entries above the size limit, or empty, that the script moved to the dead-letter stream by itself
/// (position and size), for log and metrics; list queues also show each as a
/// <see cref="EntryKind.DeadLettered" /> entry.
/// </param>
/// <param name="Remaining">Entries left in the queue after a take, -1 where unknown; 0 means: wait.</param>
/// <param name="LookedUpTo">
/// Set by a journal read that ended early, having met so many entries whose bodies are gone that more
/// of them would have blocked Redis: everything up to here has been looked at, and the journal goes on
/// behind it. Null: up to the last of <paramref name="Entries" />, or to the end where there are none.
/// </param>
public sealed record TakenEntries(
    EntryBatch Entries,
    SettleResult Settled,
    IReadOnlyList<OversizeEntry> Oversize,
    long Remaining,
    EntryPosition? LookedUpTo = null)
{
    /// <summary>After a take, in how long the next message that was put off is due, by the clock of Redis; null where none was.</summary>
    public TimeSpan? DueIn { get; init; }
}

/// <summary>An entry that a script dead-lettered because it was too large or empty, or its body was gone.</summary>
/// <param name="Position">Its place.</param>
/// <param name="Bytes">Its size; 0 for one that was trimmed from its stream.</param>
/// <param name="Reason">Wire name of the reason: <c>oversize</c>, <c>empty-payload</c> or <c>trimmed</c>.</param>
public readonly record struct OversizeEntry(EntryPosition Position, long Bytes, string Reason);

/// <summary>A prefix of the journal to settle, and entries that end by themselves, in it or behind it.</summary>
/// <param name="UpTo">Everything up to and including this position is settled; <see cref="EntryPosition.Zero" />: nothing.</param>
/// <param name="Ended">
/// Entries of the journal that are dead-lettered, or of which an ending is told. One behind the prefix ends at
/// once as well: on a list its place in the journal is kept by an <see cref="EntryKind.DeadLettered" />
/// entry, on a stream it leaves the journal. One that ended already, or that the journal does
/// not have, is passed over, so that each ends once, whoever says it how often.
/// </param>
/// <param name="Mark">The confirmed mark to write in the same step, if any.</param>
public sealed record Settlement(EntryPosition UpTo, IReadOnlyList<EndedEntry> Ended, ConfirmedMark? Mark)
{
    /// <summary>Settles nothing.</summary>
    public static readonly Settlement Nothing = new(EntryPosition.Zero, [], null);

    /// <summary>Ids of the app's own that were seen, for whoever comes next.</summary>
    public IReadOnlyList<SeenId> Seen { get; init; } = [];

    /// <summary>Whether a message with a list for its reply ends with it.</summary>
    public bool Replies => Ended.Any(entry => entry.Outcome?.ReplyTo is not null);
}

/// <summary>An entry that ends: dead-lettered with what is said of it there, or with no more than its ending to tell.</summary>
/// <param name="Position">Its place.</param>
/// <param name="Reason">Wire name of the dead letter's reason; empty for one that is not dead-lettered.</param>
/// <param name="Detail">One line; may be empty.</param>
/// <param name="Offset">Byte offset of the fault in the payload, -1 if none.</param>
/// <param name="Attempts">How often it was written to a socket.</param>
/// <param name="Outcome">What is told, where somebody wants to know.</param>
public sealed record EndedEntry(EntryPosition Position, string Reason, string Detail, int Offset, int Attempts, Outcome? Outcome = null)
{
    /// <summary>One that has left the journal before, and whose waiting for an answer ends.</summary>
    /// <param name="key"><see cref="AwaitedAnswer.Key" />.</param>
    /// <param name="outcome">What is told; nothing where it waits no more.</param>
    public static EndedEntry OfAwaited(string key, Outcome outcome) => new(EntryPosition.Zero, "", "", -1, 0, outcome) { AwaitedKey = key };

    /// <summary>One that has left the journal before, see <see cref="AwaitedAnswer.Key" />; null: it stands in the journal.</summary>
    public string? AwaitedKey { get; init; }

    /// <summary>One that does not end yet: it leaves the journal, and waits for an answer.</summary>
    public AwaitedAnswer? Awaits { get; init; }

    /// <summary>
    /// One that does not end yet: it leaves the journal, or those that wait for an answer, and comes again. Its outcome is
    /// what is told should there be no room for it.
    /// </summary>
    public Postponement? Later { get; init; }

    /// <summary>One that is not dead-lettered.</summary>
    public static EndedEntry Told(EntryPosition position, Outcome outcome) => new(position, "", "", -1, 0, outcome);

    /// <summary>
    /// The generated id, without its seal, that the entry must have to be ended; null: whichever. After a failover that lost the
    /// last takes another entry may have the place that an answer speaks of.
    /// </summary>
    public string? Expected { get; init; }

    /// <summary>Whether it goes to the dead-letter stream.</summary>
    public bool IsDead => Reason.Length > 0;
}

/// <summary>What a settlement changed.</summary>
/// <param name="Removed">Entries that left the journal, without those that left a place holder in it.</param>
/// <param name="DeadLettered">Entries that went to the dead-letter stream, in the prefix or behind it.</param>
/// <param name="DeadTrimmed">Dead letters that the stream's bounds pushed out.</param>
public readonly record struct SettleResult(long Removed, long DeadLettered, long DeadTrimmed);

/// <summary>
/// Up to where barriers have returned: written with takes and settlements, so that a new owner
/// continues the hold instead of sending again.
/// </summary>
/// <param name="Position">The last confirmed position.</param>
/// <param name="Endpoint">The server endpoint that confirmed it.</param>
/// <param name="ServerStart">Unix milliseconds at which that server started, 0 where it does not tell.</param>
/// <param name="At">When it was written, by the clock of Redis; ignored when writing.</param>
/// <param name="Owed">
/// Whether the ending of an entry up to the mark is still to be told: a new owner then reads the entries up to the mark again,
/// though it sends none of them.
/// </param>
public sealed record ConfirmedMark(EntryPosition Position, string Endpoint, long ServerStart, DateTimeOffset At, bool Owed = false);

/// <summary>How much waits.</summary>
/// <param name="Queued">Entries not yet taken.</param>
/// <param name="Journal">Entries taken and not settled.</param>
/// <param name="OldestQueued">When the oldest queued entry was pushed, where the queue knows.</param>
/// <param name="Scheduled">Messages that are sent later.</param>
public readonly record struct QueueDepth(long Queued, long Journal, DateTimeOffset? OldestQueued, long Scheduled = 0);

/// <summary>What went wrong on the Redis side: a closed set, each with its reaction.</summary>
public enum QueueFault
{
    /// <summary>The session is no longer the current one. Recover.</summary>
    Stale,

    /// <summary>The lease is not ours. Stop; stand by.</summary>
    LeaseLost,

    /// <summary>No answer within the deadline, or no connection. Recover once Redis answers.</summary>
    Unreachable,

    /// <summary>A key holds another type than it should. The operator must rename or remove it; look again with backoff.</summary>
    WrongType,

    /// <summary>Redis refuses our credentials or rights (NOAUTH, WRONGPASS, NOPERM). The operator must act; look again with backoff.</summary>
    Forbidden,

    /// <summary>The certificate of Redis is for another name, or nobody trusted vouches for it. The operator must act; look again with backoff.</summary>
    Untrusted,

    /// <summary>The server is a replica or lost its role (READONLY, MASTERDOWN). Reconnect, then recover.</summary>
    ReadOnly,

    /// <summary>Redis is loading its data, is failing over, or runs a long script (LOADING, BUSY, TRYAGAIN, CLUSTERDOWN). Look again soon.</summary>
    NotReady,

    /// <summary>Redis is full and refused a command. Look again every 50 ms.</summary>
    OutOfMemory,

    /// <summary>Redis refuses writes because it cannot persist (MISCONF, NOREPLICAS). The operator must act; look again with backoff.</summary>
    RefusesWrites,

    /// <summary>The stream or its group was deleted. Recover, which makes the group again.</summary>
    GroupMissing,

    /// <summary>Anything else that Redis answered; its words are in the message. Look again with backoff.</summary>
    Other,
}

/// <summary>A call to the queue failed, for a named reason.</summary>
public sealed class QueueFaultException : Exception
{
    /// <summary>Creates it.</summary>
    public QueueFaultException(QueueFault fault, string message, Exception? innerException = null)
        : base(message, innerException) => Fault = fault;

    /// <summary>What went wrong.</summary>
    public QueueFault Fault { get; }
}
