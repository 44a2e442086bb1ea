namespace Bridge.Queue;

/// <summary>
/// What a process remembers of its queue, by which it tells whether Redis still knows what it was told: the
/// session and the connections that it began on, the last entry that was taken, what was settled, and the
/// recoveries whose answers never came. Pure; not thread-safe.
/// </summary>
internal sealed class QueueMemory
{
    /// <summary>Recoveries without an answer that Redis is told of; it may have run any of them.</summary>
    public const int UnansweredAtMost = 16;

    private readonly List<string> _unanswered = [];
    private readonly SettlementMemory _settlements = new();
    private OpenSession? _open;
    private string? _prefix;

    /// <summary>The last entry that was taken, or that a recovery told of.</summary>
    public EntryPosition Seen { get; private set; }

    /// <summary>Begins a recovery: what Redis is to be told.</summary>
    /// <param name="prefix">The new session's, random.</param>
    public RecoveryAttempt Attempt(string prefix)
    {
        var attempt = new RecoveryAttempt(prefix, _prefix, Seen, [.. _unanswered]);
        if (_unanswered.Count == UnansweredAtMost)
            _unanswered.RemoveAt(0);
        _unanswered.Add(prefix);
        return attempt;
    }

    /// <summary>Redis answered: the session begins.</summary>
    /// <param name="attempt">What it answered to.</param>
    /// <param name="grant">The lease under which it was asked.</param>
    /// <param name="facts">Its answer.</param>
    /// <param name="connection">The connection that answered.</param>
    /// <param name="waiting">The one that is to wait. Both were open before Redis was asked.</param>
    /// <exception cref="QueueFaultException">Another recovery has opened a later session meanwhile: stale.</exception>
    public Recovery Begin(RecoveryAttempt attempt, LeaseGrant grant, RecoverReply facts, long connection, long waiting)
    {
        var session = new QueueSession(grant, facts.Session);
        // Two recoveries may be under way at once, and their answers pass each other.
        if (_open?.Session is { } current && current.Grant == grant && current.Number >= session.Number)
            throw new QueueFaultException(QueueFault.Stale, "Another recovery opened a later session meanwhile.");
        var continues = attempt.LastPrefix is not null && facts.PreviousPrefix == attempt.LastPrefix && facts.PreviousTaken >= attempt.Seen;
        // The earlier ones stay: over another connection, Redis may run one of them later than this.
        _unanswered.Remove(attempt.Prefix);
        _prefix = attempt.Prefix;
        Seen = facts.Taken;
        _open = new OpenSession(session, connection, waiting);
        continues &= _settlements.Recovered(facts.Count, facts.First);
        return new Recovery(session, facts.Count, facts.First, facts.Last, facts.Mark, continues, facts.Seal) { Clock = facts.Clock };
    }

    /// <summary>
    /// A session ends with either of its connections: another one may lead to a Redis that was restarted, or failed
    /// over and lost the last takes, and gives their sequences to other entries.
    /// </summary>
    /// <param name="session">Whose call it is. Of one that is not open Redis itself says stale.</param>
    /// <param name="connection">The number of the connection in use for calls.</param>
    /// <exception cref="QueueFaultException">It is another one than the session began on.</exception>
    public void RequireConnection(QueueSession session, long connection)
    {
        if (_open?.Session == session && _open.Connection != connection)
            throw new QueueFaultException(QueueFault.Unreachable, "The connection to Redis was replaced since the session began.");
    }

    /// <summary>As <see cref="RequireConnection" />, for the one that waits.</summary>
    /// <exception cref="QueueFaultException">It is another one than the session began on.</exception>
    public void RequireWaiting(QueueSession session, long waiting)
    {
        if (_open?.Session == session && _open.Waiting != waiting)
            throw new QueueFaultException(QueueFault.Unreachable, "The waiting connection to Redis was replaced since the session began.");
    }

    /// <summary>A take has answered, and brought entries up to this one.</summary>
    public void Took(QueueSession session, EntryPosition last)
    {
        if (_open?.Session == session && last > Seen)
            Seen = last;
    }

    /// <summary>Redis has done this settlement.</summary>
    public void Settled(QueueSession session, Settlement settlement)
    {
        if (_open?.Session == session)
            _settlements.Answered(settlement);
    }

    /// <summary>The settlement, and in the session's first one what Redis may have forgotten since it was said.</summary>
    public Settlement Completed(QueueSession session, Settlement settlement) =>
        _open?.Session == session ? _settlements.Completed(settlement) : settlement;

    /// <summary>Settles next: what the session asked for before it, which Redis must find done.</summary>
    public SettlementPart Ask(QueueSession session, Settlement settlement)
    {
        if (_open?.Session != session)
            return new SettlementPart(settlement, EntryPosition.Zero, EntryPosition.Zero);
        var after = _open.SettleAsked;
        var endedBefore = _open.LastEnded;
        if (settlement.UpTo > after)
            _open.SettleAsked = settlement.UpTo;
        // One that must have a certain id may be passed over, and stay.
        if (settlement.Ended.LastOrDefault(entry => entry is { Expected: null, AwaitedKey: null }) is { } last)
            _open.LastEnded = last.Position;
        // Asking twice for the same is no gap.
        return new SettlementPart(settlement, after < settlement.UpTo ? after : EntryPosition.Zero, endedBefore);
    }

    private sealed class OpenSession(QueueSession session, long connection, long waiting)
    {
        public QueueSession Session { get; } = session;

        public long Connection { get; } = connection;

        public long Waiting { get; } = waiting;

        public EntryPosition SettleAsked { get; set; } = EntryPosition.Zero;

        public EntryPosition LastEnded { get; set; } = EntryPosition.Zero;
    }
}

/// <summary>What a recovery tells Redis.</summary>
/// <param name="Prefix">The new session's.</param>
/// <param name="LastPrefix">The one of the last session that was answered, if there was one.</param>
/// <param name="Seen">The last entry that this process remembers.</param>
/// <param name="Unanswered">The prefixes of recoveries that nobody answered, the newest last.</param>
internal sealed record RecoveryAttempt(string Prefix, string? LastPrefix, EntryPosition Seen, IReadOnlyList<string> Unanswered);

/// <summary>What one call settles.</summary>
/// <param name="Settlement">The settlement or a part of it.</param>
/// <param name="After">Up to where the calls before it were to settle.</param>
/// <param name="EndedBefore">The last entry that the calls before it were to end.</param>
internal sealed record SettlementPart(Settlement Settlement, EntryPosition After, EntryPosition EndedBefore)
{
    /// <summary>Settles nothing.</summary>
    public static readonly SettlementPart Nothing = new(Settlement.Nothing, EntryPosition.Zero, EntryPosition.Zero);
}
