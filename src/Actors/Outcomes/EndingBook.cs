using System.Diagnostics.CodeAnalysis;
using System.Text;
using Bridge.Connection;
using Bridge.Deferral;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;

namespace Bridge.Outcomes;

/// <summary>A message whose ending is owed to somebody, and what is known of its way so far.</summary>
internal sealed class OpenTicket(OutcomeTicket ticket, EntryPosition position, ulong ownIdHash, DateTimeOffset takenAt)
{
    public OutcomeTicket Ticket { get; } = ticket;

    public EntryPosition Position { get; } = position;

    public ulong OwnIdHash { get; } = ownIdHash;

    public DateTimeOffset TakenAt { get; } = takenAt;

    /// <summary>When it was last written; monotonic time.</summary>
    public TimeSpan? WrittenAt { get; set; }

    /// <summary>When its barrier returned; monotonic time.</summary>
    public TimeSpan? ConfirmedAt { get; set; }

    public int Attempts { get; set; } = ticket.PriorAttempts;

    public bool HasEnded { get; set; }

    /// <summary>A later message with the same id to the same recipient: an answer belongs to the first that has none.</summary>
    public OpenTicket? NextOfId { get; set; }

    /// <summary>The last of them, known to the first.</summary>
    public OpenTicket? LastOfId { get; set; }
}

/// <summary>What an error that came back means.</summary>
/// <param name="IsOurs">Whether it answers something that was written.</param>
/// <param name="Ended">The entry that it ends, which is still in the journal.</param>
/// <param name="Told">What is to be told of a message whose entry it does not end.</param>
internal readonly record struct BounceMeaning(bool IsOurs, EndedEntry? Ended, Outcome? Told)
{
    /// <summary>It answers nothing of ours, or something that has ended.</summary>
    public static readonly BounceMeaning Nothing;
}

/// <summary>
/// Knows of each message between take and settlement whether its ending is owed to somebody, and sees to it that each
/// has one: the first that is found. Finds the message that an error answers. Pure: time comes as the elapsed
/// time of a monotonic clock.
/// </summary>
/// <param name="settings">What is told, and of how many at once.</param>
/// <param name="answers">How many messages may wait for an answer at once.</param>
/// <param name="retry">Whether a message that bounced is tried again.</param>
/// <param name="grade">What a confirmed entry's ending is called.</param>
/// <param name="origin">What the clock on the wall showed when the monotonic one stood at zero; that of Redis counts once it is known.</param>
internal sealed class EndingBook(OutcomeSettings settings, AnswerSettings answers, RetrySettings retry, ConfirmGrade grade, DateTimeOffset origin)
{
    private const int BouncesRemembered = 10_000;

    private readonly Queue<OpenTicket> _inOrder = new();
    private readonly Dictionary<EntryPosition, OpenTicket> _byPosition = [];
    private readonly Dictionary<ulong, OpenTicket> _byOwnId = [];
    private readonly OwnIds _ownIds = new(settings.OwnIdsRemembered);

    // Entries of the journal that ended before their neighbours: should they be read again, nothing is sent for them.
    private readonly SortedSet<EntryPosition> _ended = [];

    // What bounced last. A message that was sent twice may bounce twice, the second time when it has left the journal.
    private readonly Recent<ulong> _bounced = new(BouncesRemembered);

    // Requests in the journal: their time may be over before they leave it.
    private readonly LinkedList<OpenTicket> _requests = new();

    private readonly AnswersAwaited _awaiting = new(answers.MaxAwaiting);

    private readonly RetryPolicy _retries = new(retry);
    private readonly BlockedRecipients _blocked = new();

    /// <summary>The key of the generated ids; null until a session has begun.</summary>
    public IdSeal? Seal { get; set; }

    /// <summary>What the clock on the wall shows.</summary>
    public DateTimeOffset WallClock(TimeSpan now) => origin + now;

    /// <summary>
    /// An entry was taken at this time, by the clock of Redis. One that was set forward is followed; one that was set back shows only at
    /// the next recovery, as an entry may also be one that was taken long ago.
    /// </summary>
    public void Took(DateTimeOffset at, TimeSpan now)
    {
        if (at > origin + now)
            origin = at - now;
    }

    /// <summary>Whether so many endings are owed that no more entries may be asked for.</summary>
    public bool IsFull => _inOrder.Count >= settings.MaxPending || _ended.Count >= settings.MaxPending;

    /// <summary>Messages that have left the journal and wait for an answer.</summary>
    public int Awaiting => _awaiting.Count;

    /// <summary>Messages whose ending goes to a list that somebody may wait at.</summary>
    public int RepliesOwed { get; private set; }

    /// <summary>Whether an ending is owed of an entry up to this position.</summary>
    public bool Owes(EntryPosition upTo)
    {
        while (_inOrder.TryPeek(out var open))
        {
            if (!open.HasEnded)
                return open.Position <= upTo;
            _inOrder.Dequeue();
        }

        return false;
    }

    /// <summary>Takes the ids of the app's own in a batch in.</summary>
    public void Remember(ReadOnlySpan<EncodedEntry> batch) => _ownIds.Remember(batch);

    /// <summary>Whether an entry, read again, has ended and must not be sent.</summary>
    public bool HasEnded(EntryPosition position) => _ended.Count > 0 && _ended.Contains(position);

    /// <summary>Opens an entry's ticket, if it has one. In the order of the queue.</summary>
    public OpenTicket? Open(in EncodedEntry entry)
    {
        if (entry.Ticket is not { } ticket)
            return null;
        var open = new OpenTicket(ticket, entry.Position, entry.OwnIdHash, entry.Deferred?.TakenAt ?? entry.TakenAt);
        _inOrder.Enqueue(open);
        _byPosition[entry.Position] = open;
        RepliesOwed += ticket.ReplyTo is null ? 0 : 1;
        if (ticket.Answer == AnswerKind.Result)
            _requests.AddLast(open);
        if (entry.OwnIdHash != 0 && !_byOwnId.TryAdd(entry.OwnIdHash, open))
        {
            var first = _byOwnId[entry.OwnIdHash];
            (first.LastOfId ?? first).NextOfId = open;
            first.LastOfId = open;
        }

        return open;
    }

    /// <summary>
    /// A ticket for an entry that brought none and fails all the same, from what was to be written for it: most entries bring none,
    /// and hardly one is convicted. Null where failures are not told.
    /// </summary>
    public OpenTicket? OfStanza(ReadOnlySpan<byte> stanza, EntryPosition position, DateTimeOffset takenAt)
    {
        if (settings.Mode == OutcomeMode.None)
            return null;
        var cursor = new MarkupCursor(stanza);
        return cursor.Next()
            ? new OpenTicket(new OutcomeTicket(Attribute(cursor, "id"u8), Attribute(cursor, "to"u8), null, null, null), position, 0, takenAt)
            : null;

        static string Attribute(in MarkupCursor cursor, ReadOnlySpan<byte> name) =>
            MarkupCursor.TryGetAttribute(cursor.Attributes, name, out var raw) ? MarkupText.AttributeText(raw) : "";
    }

    /// <summary>An entry that is dead-lettered, with what is told of it.</summary>
    public EndedEntry Dead(EntryPosition position, in Rejection rejection, int attempts, OpenTicket? open)
    {
        var reason = rejection.Reason.WireName();
        var dead = new EndedEntry(position, reason, rejection.Detail ?? "", rejection.Offset, attempts);
        if (open is null)
            return dead;
        End(open);
        return dead with
        {
            Outcome = Of(open, rejection.Reason == RejectionReason.Expired ? Ending.Expired : Ending.Dead) with { Reason = reason, Attempts = attempts },
        };
    }

    /// <summary>What is told of the entries that leave the journal, up to and including this one, and have not ended before.</summary>
    public IReadOnlyList<EndedEntry> Settled(EntryPosition upTo)
    {
        while (_ended.Count > 0 && _ended.Min <= upTo)
            _ended.Remove(_ended.Min);
        List<EndedEntry> told = [];
        while (_inOrder.TryPeek(out var open) && open.Position <= upTo)
        {
            _inOrder.Dequeue();
            if (open.HasEnded)
                continue;
            End(open);
            told.Add(open.Ticket.Answer != AnswerKind.None || _retries.IsOn ? Await(open)
                : EndedEntry.Told(open.Position, Of(open, grade == ConfirmGrade.Accepted ? Ending.Accepted : Ending.Held)));
        }

        return told;
    }

    /// <summary>
    /// Takes over what a predecessor left waiting for an answer, and whom it had put messages off for; and the clock by which it
    /// counted and its successor will, whatever those of the nodes show.
    /// </summary>
    /// <param name="recovery">What Redis told.</param>
    /// <param name="now">Monotonic time.</param>
    public void Restore(Recovery recovery, TimeSpan now)
    {
        ArgumentNullException.ThrowIfNull(recovery);
        origin = recovery.Clock - now ?? origin;
        Restore(recovery.Awaiting);
        foreach (var (recipient, due) in recovery.Blocked)
            _blocked.Block(recipient, due);
    }

    /// <summary>Takes in what Redis has waiting for an answer and this book does not know: what had ended was forgotten there, and ends again.</summary>
    public void Restore(IReadOnlyList<AwaitedAnswer> awaiting)
    {
        ArgumentNullException.ThrowIfNull(awaiting);
        foreach (var message in _awaiting.Unknown(awaiting))
            _awaiting.Add(message);
    }

    /// <summary>Whether an entry is put off: because it is too early for it, or another one to its recipient waits for its next attempt.</summary>
    /// <param name="entry">One that has not ended.</param>
    /// <param name="postponed">What is done with it instead of sending it.</param>
    /// <param name="now">Monotonic time.</param>
    public bool PutsOff(in EncodedEntry entry, TimeSpan now, [NotNullWhen(true)] out EndedEntry? postponed)
    {
        postponed = null;
        // One that comes again is what the others wait for, or one of them.
        if (entry.Deferred is not null)
            return false;
        if (entry.NotYet is { } early)
        {
            postponed = PutOff(entry.Position, new Deferred(0, true, 0, entry.TakenAt, early.PushedAt), early.Due, "schedule-full", Unopened(entry));
        }
        else if (_blocked.IsBlocked(entry.Recipient, origin + now, out var lastDue))
        {
            postponed = PutOff(
                entry.Position, new Deferred(0, true, entry.Recipient, entry.TakenAt, entry.Ticket?.PushedAt), lastDue, "retry-full", Unopened(entry));
        }

        return postponed is not null;
    }

    /// <summary>An entry has come again, whatever becomes of it.</summary>
    public void Came(Deferred deferred)
    {
        ArgumentNullException.ThrowIfNull(deferred);
        _blocked.Came(deferred.Recipient);
    }

    /// <summary>An entry is put off that was to be sent, because one before it to its recipient waits for its next attempt.</summary>
    public EndedEntry PutOffBehind(EntryPosition position, ulong recipient, DateTimeOffset takenAt, OpenTicket? open, DateTimeOffset due)
    {
        if (open is not null)
            End(open);
        var prior = open?.Ticket.PriorAttempts ?? 0;
        return PutOff(position, new Deferred(prior, true, recipient, takenAt, open?.Ticket.PushedAt), due, "retry-full", open);
    }

    /// <summary>The messages whose answer did not come in time.</summary>
    public IReadOnlyList<EndedEntry> Overdue(TimeSpan now)
    {
        List<EndedEntry> ended = [];
        foreach (var waited in _awaiting.TakeDue(origin + now))
            ended.Add(EndedEntry.OfAwaited(waited.Key, waited.Outcome));
        for (var node = _requests.First; node is not null;)
        {
            var (open, next) = (node.Value, node.Next);
            if (open.HasEnded)
                _requests.Remove(node);
            else if (open.WrittenAt is { } written && now - written >= open.Ticket.AnswerWithin)
            {
                // Not sent again either, should its server die: who asked was told that nothing came.
                _requests.Remove(node);
                ended.Add(EndEarly(open, Of(open, Ending.Unconfirmed)));
            }

            node = next;
        }

        return ended;
    }

    /// <summary>What an answer ends, a receipt or the result of a request.</summary>
    /// <param name="id">The id that it answers.</param>
    /// <param name="from">Who sent it.</param>
    /// <param name="kind">What it is.</param>
    /// <param name="answer">A result, as it came; empty for a receipt.</param>
    /// <param name="isOurs">Whether it answers what we wrote, though perhaps nothing that still waits.</param>
    public EndedEntry? Answered(string id, string from, AnswerKind kind, ReadOnlySpan<byte> answer, out bool isOurs)
    {
        var (idBytes, fromBytes) = (Encoding.UTF8.GetBytes(id), Encoding.UTF8.GetBytes(from));
        var hash = OwnIds.HashOf(idBytes, fromBytes);
        var isSealed = IsSealed(idBytes, fromBytes, out var position);
        isOurs = true;
        if (Find(id, isSealed, position, hash) is { } open)
        {
            if (open.Ticket.Answer == kind)
                return EndEarly(open, Of(open, Ending.Received) with { Answer = AnswerText(answer) }, isSealed ? Unsealed(id) : null);
            isOurs = false;
            return null;
        }

        if (_awaiting.Take(hash, kind) is { } waited)
            return EndedEntry.OfAwaited(waited.Key, waited.Outcome with { Ending = Ending.Received, Answer = AnswerText(answer) });
        isOurs = isSealed || _ownIds.Knows(hash);
        return null;
    }

    /// <summary>What an error that came back means.</summary>
    /// <param name="bounced">The error; with an id and a sender.</param>
    /// <param name="settledUpTo">Everything up to here has left the journal.</param>
    /// <param name="now">Monotonic time.</param>
    public BounceMeaning Bounced(StanzaBounced bounced, EntryPosition settledUpTo, TimeSpan now)
    {
        ArgumentNullException.ThrowIfNull(bounced);
        var id = Encoding.UTF8.GetBytes(bounced.Id!);
        var from = Encoding.UTF8.GetBytes(bounced.From!);
        var hash = OwnIds.HashOf(id, from);
        var isSealed = IsSealed(id, from, out var position);
        if (Find(bounced.Id!, isSealed, position, hash) is { } open)
        {
            // That message may have been sent twice, and bounce twice.
            _bounced.Add(hash);
            if (_retries.Retries(bounced.Kind, bounced.Error.Type, open.Attempts))
                return new BounceMeaning(true, TryAgain(open, bounced, now, isSealed ? Unsealed(bounced.Id!) : null), null);
            return new BounceMeaning(
                true, EndEarly(open, Of(open, Ending.Bounced) with { Kind = bounced.Kind, Error = bounced.Error }, isSealed ? Unsealed(bounced.Id!) : null), null);
        }

        if (_awaiting.Take(hash, AnswerKind.None) is { } waited)
        {
            _bounced.Add(hash);
            if (waited.MayBeSentAgain && _retries.Retries(bounced.Kind, bounced.Error.Type, waited.Outcome.Attempts))
                return new BounceMeaning(true, TryAgain(waited, bounced, now), null);
            return new BounceMeaning(
                true, EndedEntry.OfAwaited(waited.Key, waited.Outcome with { Ending = Ending.Bounced, Kind = bounced.Kind, Error = bounced.Error }), null);
        }

        if (isSealed)
        {
            if (!_bounced.Add(hash))
                return BounceMeaning.Nothing;
            if (settings.Mode == OutcomeMode.None)
                return new BounceMeaning(true, null, null);
            // Nobody asked for its ending: what is still held is sent again should the server die, because a server that
            // stops sends back what is for sessions that it has closed already. Where all are told, its ticket is gone, or comes
            // with it from the journal that is read again at the moment, or it is of a history that a failover ended: to end
            // the entry that has its place would be wrong in the last case.
            return new BounceMeaning(true, null, Of(bounced) with { Late = settings.Mode == OutcomeMode.All || position <= settledUpTo });
        }

        if (!_ownIds.Knows(hash))
            return BounceMeaning.Nothing;
        // Where every message has a ticket, one without has left the journal, and may have bounced before. Where only failures are
        // told, an app that gives many messages one id must hear of each, but for what a ticket has ended.
        return settings.Mode switch
        {
            OutcomeMode.None => new BounceMeaning(true, null, null),
            OutcomeMode.All when !_bounced.Add(hash) => BounceMeaning.Nothing,
            OutcomeMode.Failures when _bounced.Contains(hash) => BounceMeaning.Nothing,
            _ => new BounceMeaning(true, null, Of(bounced) with { Late = settings.Mode == OutcomeMode.All }),
        };
    }

    /// <summary>What was not settled comes again from the journal, with new tickets; what ended early did so for good.</summary>
    public void ForgetOpen()
    {
        _inOrder.Clear();
        _byPosition.Clear();
        _byOwnId.Clear();
        _requests.Clear();
        RepliesOwed = 0;
    }

    private static string? AnswerText(ReadOnlySpan<byte> answer) => answer.IsEmpty ? null : Encoding.UTF8.GetString(answer);

    private bool IsSealed(ReadOnlySpan<byte> id, ReadOnlySpan<byte> from, out EntryPosition position)
    {
        position = default;
        return Seal is { } seal && GeneratedIds.TryOpen(id, from, seal, out position);
    }

    private OpenTicket? Find(string id, bool isSealed, EntryPosition position, ulong hash) =>
        // After a failover another entry may have its place, here as in Redis.
        isSealed ? _byPosition.TryGetValue(position, out var byPosition) && byPosition.Ticket.Id == id ? byPosition : null
        : _byOwnId.GetValueOrDefault(hash);

    private static string Unsealed(string id) => id[..id.LastIndexOf('-')];

    private EndedEntry EndEarly(OpenTicket open, Outcome outcome, string? expected = null)
    {
        End(open);
        _ended.Add(open.Position);
        return EndedEntry.Told(open.Position, outcome) with { Expected = expected };
    }

    private EndedEntry TryAgain(OpenTicket open, StanzaBounced bounced, TimeSpan now, string? expected)
    {
        End(open);
        var due = origin + now + _retries.DelayAfter(open.Attempts);
        var said = new Deferred(open.Attempts, true, RecipientOf(open.Ticket.To), open.TakenAt, open.Ticket.PushedAt);
        var putOff = PutOff(open.Position, said, due, "retry-full", open);
        return putOff with { Expected = expected, Outcome = putOff.Outcome! with { Kind = bounced.Kind, Error = bounced.Error, Overtaken = open.Ticket.Overtaken } };
    }

    private EndedEntry TryAgain(AwaitedAnswer waited, StanzaBounced bounced, TimeSpan now)
    {
        var outcome = waited.Outcome;
        var due = origin + now + _retries.DelayAfter(outcome.Attempts);
        var recipient = RecipientOf(outcome.To);
        _blocked.Block(recipient, due);
        var said = new Deferred(outcome.Attempts, true, recipient, outcome.TakenAt ?? default, outcome.PushedAt);
        var told = outcome with { Ending = Ending.Dead, Reason = "retry-full", Kind = bounced.Kind, Error = bounced.Error };
        return EndedEntry.OfAwaited(waited.Key, told) with { Attempts = outcome.Attempts, Later = new Postponement(due, said, "retry-full") };
    }

    private static OpenTicket? Unopened(in EncodedEntry entry) =>
        entry.Ticket is { } ticket ? new OpenTicket(ticket, entry.Position, entry.OwnIdHash, entry.TakenAt) : null;

    private static ulong RecipientOf(string to) => OwnIds.HashOf([], Encoding.UTF8.GetBytes(to));

    private EndedEntry PutOff(
        EntryPosition position, Deferred said, DateTimeOffset due, string whenFull, OpenTicket? open)
    {
        _ended.Add(position);
        _blocked.Block(said.Recipient, due);
        var outcome = open is null ? null : Of(open, Ending.Dead) with { Reason = whenFull, Overtaken = said.Overtaken };
        return new EndedEntry(position, "", "", -1, said.Attempts, outcome)
        {
            Later = new Postponement(due, said, whenFull),
        };
    }

    private EndedEntry Await(OpenTicket open)
    {
        var kind = open.Ticket.Answer == AnswerKind.None ? AnswerKind.Bounce : open.Ticket.Answer;
        var outcome = Of(open, kind == AnswerKind.Bounce ? Ending.Held : Ending.Unconfirmed);
        if (kind == AnswerKind.Bounce && grade == ConfirmGrade.Accepted)
            outcome = outcome with { Ending = Ending.Accepted };
        if (_awaiting.IsFull)
            return EndedEntry.Told(open.Position, kind == AnswerKind.Bounce ? outcome : outcome with { Reason = "awaiting-full" });
        var due = origin + (open.WrittenAt ?? open.ConfirmedAt ?? TimeSpan.Zero) + (kind == AnswerKind.Bounce ? retry.Keep : open.Ticket.AnswerWithin);
        var waiting = new AwaitedAnswer($"{open.Position} {outcome.Id}", outcome, kind, due) { MayBeSentAgain = _retries.IsOn };
        _awaiting.Add(waiting);
        return new EndedEntry(open.Position, "", "", -1, 0) { Awaits = waiting };
    }

    private void End(OpenTicket open)
    {
        open.HasEnded = true;
        _byPosition.Remove(open.Position);
        RepliesOwed -= open.Ticket.ReplyTo is null ? 0 : 1;
        if (open.OwnIdHash == 0 || !_byOwnId.TryGetValue(open.OwnIdHash, out var first))
            return;
        if (first != open)
        {
            // Only one that is convicted ends before those before it.
            var before = first;
            while (before.NextOfId is { } next && next != open)
                before = next;
            before.NextOfId = open.NextOfId;
            if (first.LastOfId == open)
                first.LastOfId = before;
        }
        else if (open.NextOfId is { } following)
        {
            following.LastOfId = open.LastOfId == following ? null : open.LastOfId;
            _byOwnId[open.OwnIdHash] = following;
        }
        else
            _byOwnId.Remove(open.OwnIdHash);
    }

    private Outcome Of(OpenTicket open, Ending ending) => new(ending, open.Ticket.Id, open.Ticket.To)
    {
        PushedAt = open.Ticket.PushedAt,
        TakenAt = open.TakenAt,
        WrittenAt = origin + open.WrittenAt,
        ConfirmedAt = origin + open.ConfirmedAt,
        Attempts = open.Attempts,
        Overtaken = open.Ticket.Overtaken,
        Meta = open.Ticket.Meta,
        ReplyTo = open.Ticket.ReplyTo,
    };

    private static Outcome Of(StanzaBounced bounced) =>
        new(Ending.Bounced, bounced.Id!, bounced.From!) { Kind = bounced.Kind, Error = bounced.Error };
}

/// <summary>The last so many of what was added.</summary>
internal sealed class Recent<T>(int capacity)
{
    private readonly HashSet<T> _known = [];
    private readonly Queue<T> _inOrder = new();

    /// <summary>Whether it is known.</summary>
    public bool Contains(T item) => _known.Contains(item);

    /// <summary>Takes it in. False: it is known.</summary>
    public bool Add(T item)
    {
        if (!_known.Add(item))
            return false;
        _inOrder.Enqueue(item);
        if (_inOrder.Count > capacity)
            _known.Remove(_inOrder.Dequeue());
        return true;
    }
}
