using System.Runtime.InteropServices;
using Bridge.Deferral;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;
using Bridge.Telemetry;

namespace Bridge.Connection;

/// <summary>What to put on the stream next.</summary>
/// <param name="Batch">The batch whose bytes are next, or null for a barrier.</param>
/// <param name="Offset">Where in the batch.</param>
/// <param name="Length">How many bytes.</param>
/// <param name="Barrier">The barrier's number when <paramref name="Batch" /> is null.</param>
internal readonly record struct WriteStep(EncodedBatch? Batch, int Offset, int Length, long Barrier);

/// <summary>What a returned barrier meant.</summary>
/// <param name="Expected">False: no such barrier is outstanding (answered twice, or a late one); nothing changed.</param>
/// <param name="ConfirmedEntries">Entries that it confirmed.</param>
/// <param name="Missing">Earlier barriers that did not return before it: somebody else gets part of our stream.</param>
/// <param name="RoundTrip">From its write to its return.</param>
/// <param name="OldestTakenAt">When the first of the confirmed entries was taken; default when none was confirmed.</param>
/// <param name="OldestPushedAtMs">When the one of them was pushed that was pushed first, see <see cref="EncodedEntry.PushedAtMs" />; 0 where that is known of none.</param>
internal readonly record struct BarrierOutcome(
    bool Expected,
    int ConfirmedEntries,
    int Missing,
    TimeSpan RoundTrip,
    DateTimeOffset OldestTakenAt,
    long OldestPushedAtMs);

/// <summary>A prefix of the journal that may leave it, and entries to dead-letter.</summary>
/// <param name="UpTo">Up to and including this position; <see cref="EntryPosition.Zero" /> when nothing may leave.</param>
/// <param name="Entries">How many entries that is.</param>
/// <param name="Ended">
/// Entries that go to the dead-letter stream or have an ending to tell, within the prefix or behind it: at once, not only when
/// the hold of their neighbours is over, because the mark passes over them before.
/// </param>
internal sealed record Settleable(EntryPosition UpTo, long Entries, IReadOnlyList<EndedEntry> Ended);

/// <summary>
/// The entries between the take and the settlement, in the order of the queue: encoded and not yet
/// written, written and not yet confirmed, confirmed and held. Decides what goes onto the stream
/// next, where barriers stand, what a returned barrier confirms, and what may be settled. Pure:
/// time comes as the elapsed time of a monotonic clock; no I/O, no actor.
/// </summary>
internal sealed class DeliveryWindow(WindowSettings limits, ConfirmGrade grade, TimeSpan hold, EndingBook endings, SeenIds? seen = null, RecentDeliveries? recent = null)
{
    private struct Item
    {
        public EntryPosition Position;
        public EncodedBatch Batch;
        public int Offset;
        public int Length;
        public int PayloadLength;
        public int Attempts;
        public bool LastOfBatch;
        public Rejection Rejection;
        public DateTimeOffset TakenAt;
        public long PushedAtMs;
        public OpenTicket? Ticket;
        public DeliveryTrace? Trace;
        public ulong Recipient;
        public ulong IdHash;

        // Its ending has been told: it is not written again.
        public bool HasEnded;

        // A predecessor saw it confirmed: it is not written, and is held as if it had been now.
        public bool WasConfirmed;
    }

    private static readonly List<FinishedTrace> NoTraces = [];

    private static readonly Rejection Repeated = new(RejectionReason.Duplicate, -1, "another message with this id is sent");

    private readonly record struct OutstandingBarrier(long Number, long UpTo, TimeSpan WrittenAt);

    private sealed class HeldRange
    {
        public EntryPosition LastPosition;
        public long Entries;
        public long Bytes;
        public TimeSpan BeganAt;
        public TimeSpan ConfirmedAt;
        public bool AnySent;
    }

    // A ring of the unconfirmed entries; indexes into the flow are absolute, so that barriers and
    // limits stay valid while the front moves on.
    private Item[] _ring = new Item[1024];
    private long _first;
    private long _end;
    private long _written;
    private long _writtenBytes;

    private readonly Queue<OutstandingBarrier> _barriers = new();
    private long _lastBarrier;
    private int _openEntries;
    private int _openBytes;

    // Ranges confirmed within this time of one another are one: a trickle has a barrier for each entry.
    private static readonly TimeSpan RangeSpan = TimeSpan.FromMilliseconds(50);

    private readonly LinkedList<HeldRange> _held = new();
    private List<EndedEntry> _ended = [];
    private EntryPosition _confirmedBefore = EntryPosition.Zero;

    // What is read from the journal again was written before: where its time is over by then, its ending says so.
    private EntryPosition _writtenUpTo = EntryPosition.Zero;
    private TimeSpan _provenAliveAt = TimeSpan.MinValue;

    private readonly List<RecentDeliveries.Confirmed> _confirmed = [];

    private List<FinishedTrace> _finished = [];
    private int _traced;

    /// <summary>Entries released by the writers and not confirmed.</summary>
    public int UnconfirmedEntries => (int)(_end - _first);

    /// <summary>Their payload bytes in Redis.</summary>
    public long UnconfirmedPayloadBytes { get; private set; }

    /// <summary>Their bytes in memory, encoded.</summary>
    public long UnconfirmedBytes { get; private set; }

    /// <summary>Entries confirmed and held.</summary>
    public long HeldEntries { get; private set; }

    /// <summary>Their payload bytes in Redis.</summary>
    public long HeldBytes { get; private set; }

    /// <summary>Entries that ended by themselves and that <see cref="TakeSettleable" /> has not handed out yet.</summary>
    public int PendingEndings => _ended.Count;

    /// <summary>Traced entries whose way is not told, because so many were under way.</summary>
    public long UntoldTraces { get; private set; }

    /// <summary>Barriers written and not returned.</summary>
    public int OutstandingBarriers => _barriers.Count;

    /// <summary>When the oldest outstanding barrier was written, if there is one.</summary>
    public TimeSpan? OldestBarrierAt => _barriers.TryPeek(out var oldest) ? oldest.WrittenAt : null;

    /// <summary>When the oldest held entry was confirmed, if one is held.</summary>
    public TimeSpan? OldestHeldAt => _held.First?.Value.ConfirmedAt;

    /// <summary>Everything up to here was handed to settlement.</summary>
    public EntryPosition SettledUpTo { get; private set; } = EntryPosition.Zero;

    /// <summary>Everything up to here is confirmed: the mark.</summary>
    public EntryPosition ConfirmedUpTo => _held.Last?.Value.LastPosition ?? SettledUpTo;

    /// <summary>
    /// Up to here no entry is unconfirmed, nor will one come: right before the first unconfirmed one, because entries come
    /// in order. It may lie behind <see cref="ConfirmedUpTo" />: on a stream, what was dead-lettered has left the journal,
    /// and is not seen again when it is read anew.
    /// </summary>
    public EntryPosition ClearUpTo => _first < _end ? At(_first).Position.Previous : ConfirmedUpTo;

    /// <summary>Whether the held limits are reached: no more entries may be asked for.</summary>
    public bool HeldIsFull =>
        HeldEntries >= limits.HeldEntries || HeldBytes >= limits.HeldBytes || PendingEndings >= limits.UnconfirmedEntries || endings.IsFull;

    /// <summary>Whether nothing is unconfirmed (held entries may remain).</summary>
    public bool AllConfirmed => _first == _end;

    /// <summary>Takes the next batch, in order. The window owns the batch from here on.</summary>
    /// <exception cref="InvalidOperationException">The batch does not come after what the window has: order would be lost.</exception>
    public void Append(EncodedBatch batch, TimeSpan now)
    {
        var entries = batch.Entries;
        if (entries.Length > 0)
            endings.Took(entries[^1].TakenAt, now);
        for (var i = 0; i < entries.Length; i++)
        {
            ref readonly var entry = ref entries[i];
            var last = _end > _first ? At(_end - 1).Position : ConfirmedUpTo;
            if (entry.Position <= last)
                throw new InvalidOperationException($"Entry {entry.Position} does not come after {last}.");
            var hasEnded = endings.HasEnded(entry.Position);
            var wasConfirmed = entry.Position <= _confirmedBefore;
            if (entry.Deferred is { } deferred && !hasEnded)
                endings.Came(deferred);
            // One that comes again was seen when it was put off.
            var isRepeated = seen is not null && !hasEnded && !entry.IsRejected && entry.Deferred is null
                && seen.IsRepeated(entry.OwnIdHash, entry.Position, endings.WallClock(now));
            if (entry.MayBePutOff && !hasEnded && !wasConfirmed && !isRepeated && endings.PutsOff(entry, now, out var postponed))
            {
                _ended.Add(postponed);
                hasEnded = true;
            }

            // An answer belongs to the one that is sent.
            var ticket = hasEnded || entry.Ticket is null ? null
                : isRepeated ? endings.Open(entry with { OwnIdHash = 0 })
                : endings.Open(entry);
            var attempts = entry.Position <= _writtenUpTo ? 1 : 0;
            if (ticket is not null)
                ticket.Attempts += attempts;
            Push(new Item
            {
                Position = entry.Position,
                Batch = batch,
                Offset = entry.Offset,
                Length = hasEnded || wasConfirmed || isRepeated ? 0 : entry.Length,
                PayloadLength = entry.PayloadLength,
                // What was sent is not rejected for having expired since.
                Rejection = hasEnded || wasConfirmed ? default : isRepeated ? Repeated : entry.Rejection,
                TakenAt = entry.TakenAt,
                PushedAtMs = entry.PushedAtMs,
                LastOfBatch = i == entries.Length - 1,
                Ticket = ticket,
                Trace = hasEnded || wasConfirmed ? null : Follow(entry.Trace),
                Attempts = attempts,
                HasEnded = hasEnded,
                WasConfirmed = wasConfirmed,
                Recipient = entry.Recipient,
                IdHash = entry.IdHash,
            });
        }

        if (entries.Length == 0)
            batch.Release();
        else
            batch.ReleaseEntries();
        AbsorbUnsentFront(now);
    }

    /// <summary>
    /// What to write next, if anything. A barrier follows every <see cref="WindowSettings.BarrierEntries" />
    /// entries and <see cref="WindowSettings.BarrierBytes" /> bytes, and whatever is written while no
    /// barrier is outstanding: so a trickle is confirmed at once, and a flood pays one barrier for hundreds.
    /// </summary>
    /// <param name="upTo">Nothing behind this position is written; a barrier closes what is before it. Null: no limit.</param>
    /// <param name="share">The share of the window that may be written and unconfirmed: a slow link is not filled to the brim.</param>
    /// <param name="now">Monotonic time.</param>
    /// <param name="step">What to write.</param>
    public bool TryNextWrite(EntryPosition? upTo, double share, TimeSpan now, out WriteStep step)
    {
        if (_openEntries >= limits.BarrierEntries || _openBytes >= limits.BarrierBytes)
        {
            step = NextBarrier(now);
            return true;
        }

        var stop = upTo is { } limit ? Math.Min(_end, IndexAfter(limit)) : _end;
        while (_written < stop && At(_written).Length == 0)
            _written++;
        if (_written < stop && HasRoom(share))
        {
            step = NextRun(stop, now);
            return true;
        }

        if (_openEntries > 0 && (_barriers.Count == 0 || upTo is not null))
        {
            step = NextBarrier(now);
            return true;
        }

        step = default;
        return false;
    }

    /// <summary>A barrier for its own sake: the keepalive of an idle stream, or the last one before a close.</summary>
    public WriteStep NextBarrier(TimeSpan now)
    {
        _openEntries = 0;
        _openBytes = 0;
        _barriers.Enqueue(new OutstandingBarrier(++_lastBarrier, _written, now));
        return new WriteStep(null, 0, 0, _lastBarrier);
    }

    /// <summary>Takes a returned barrier in. Barriers are cumulative: one confirms all before it.</summary>
    public BarrierOutcome BarrierReturned(long number, TimeSpan now)
    {
        if (!_barriers.TryPeek(out var oldest) || number < oldest.Number || number > _lastBarrier)
            return default;
        var missing = -1;
        OutstandingBarrier barrier;
        do
        {
            barrier = _barriers.Dequeue();
            missing++;
        }
        while (barrier.Number != number);

        _provenAliveAt = barrier.WrittenAt;
        var takenAt = _first < barrier.UpTo ? At(_first).TakenAt : default;
        var confirmed = Confirm(barrier.UpTo, now, out var pushedAt);
        if (recent is not null)
        {
            recent.Add(CollectionsMarshal.AsSpan(_confirmed), endings.WallClock(barrier.WrittenAt), endings.WallClock(now));
            _confirmed.Clear();
        }

        AbsorbUnsentFront(now);
        return new BarrierOutcome(true, confirmed, missing, now - barrier.WrittenAt, takenAt, pushedAt);
    }

    /// <summary>
    /// What may leave the journal now: confirmed, and held for long enough where the grade asks for
    /// it. The hold is over only when a barrier that was <em>written</em> after it has returned: our own
    /// clock does not tell that the server lived on. Null when there is nothing new.
    /// </summary>
    /// <param name="atLeast">
    /// Null also when it is fewer entries than this: settling blocks Redis for the same while however few they are.
    /// Ignored while <see cref="HeldIsFull" />, when every one that leaves makes room.
    /// </param>
    public Settleable? TakeSettleable(int atLeast = 1)
    {
        if (atLeast > 1 && !HeldIsFull && !AreSettleable(atLeast))
            return null;
        long entries = 0;
        while (_held.First is { Value: var range } && IsSettleable(range))
        {
            _held.RemoveFirst();
            HeldEntries -= range.Entries;
            HeldBytes -= range.Bytes;
            SettledUpTo = range.LastPosition;
            entries += range.Entries;
        }

        var told = entries == 0 ? [] : endings.Settled(SettledUpTo);
        if (entries == 0 && _ended.Count == 0)
            return null;
        var ended = TakeEnded();
        if (told.Count > 0)
            ended = [.. ended, .. told];
        return new Settleable(entries == 0 ? EntryPosition.Zero : SettledUpTo, entries, ended);
    }

    /// <summary>Entries that ended by themselves and were not handed out yet.</summary>
    public IReadOnlyList<EndedEntry> TakeEnded()
    {
        var ended = _ended;
        _ended = [];
        return ended;
    }

    /// <summary>Traced entries whose way is over and that were not handed out yet.</summary>
    public IReadOnlyList<FinishedTrace> TakeFinishedTraces()
    {
        if (_finished.Count == 0)
            return NoTraces;
        var finished = _finished;
        _finished = [];
        return finished;
    }

    private DeliveryTrace? Follow(DeliveryTrace? trace)
    {
        if (trace is null)
            return null;
        if (_traced >= DeliverySpans.MostUnderWay)
        {
            UntoldTraces++;
            return null;
        }

        _traced++;
        return trace;
    }

    /// <summary>Whether a hold is over but for the barrier that proves it, and none is on its way.</summary>
    public bool NeedsProofOfLife(TimeSpan now) =>
        grade != ConfirmGrade.Accepted && _barriers.Count == 0
        && _held.First is { Value: { AnySent: true } range } && now >= range.ConfirmedAt + hold;

    /// <summary>
    /// The stream ended: outstanding barriers will never return, and what was written must be written
    /// again. Returns the positions that were under way, in order: among them stands what made the
    /// server hang up, if it was a stanza.
    /// </summary>
    /// <param name="now">Monotonic time.</param>
    public IReadOnlyList<EntryPosition> StreamLost(TimeSpan now)
    {
        var underWay = new List<EntryPosition>();
        for (var i = _first; i < _written; i++)
        {
            ref var item = ref At(i);
            if (item.Length == 0)
                continue;
            item.Attempts++;
            if (item.HasEnded)
                DoNotWrite(ref item);
            else
                underWay.Add(item.Position);
        }

        _barriers.Clear();
        _openEntries = 0;
        _openBytes = 0;
        _written = _first;
        _writtenBytes = 0;
        AbsorbUnsentFront(now);
        return underWay;
    }

    /// <summary>
    /// Throws away everything but what was handed to settlement: the entries behind
    /// <see cref="SettledUpTo" /> come again from the journal.
    /// </summary>
    /// <param name="settledUpTo">Where the journal now begins, for a new owner; null keeps what is known.</param>
    public void ForgetAll(EntryPosition? settledUpTo = null)
    {
        while (_first < _end)
            DropFront();
        _written = _first;
        _writtenBytes = 0;
        _barriers.Clear();
        _openEntries = 0;
        _openBytes = 0;
        _held.Clear();
        HeldEntries = 0;
        HeldBytes = 0;
        // What is dead comes again with its entry; who bounced is not asked again.
        _ended.RemoveAll(entry => entry.IsDead);
        _confirmedBefore = EntryPosition.Zero;
        endings.ForgetOpen();
        if (settledUpTo is { } known)
            SettledUpTo = known;
    }

    /// <summary>A new owner continues the hold of what its predecessor saw confirmed.</summary>
    /// <exception cref="InvalidOperationException">The window is not empty.</exception>
    public void ContinueHold(EntryPosition upTo, long entries, TimeSpan now)
    {
        RequireEmpty();
        _held.AddLast(new HeldRange { LastPosition = upTo, Entries = entries, BeganAt = now, ConfirmedAt = now, AnySent = true });
        HeldEntries += entries;
    }

    /// <summary>
    /// As <see cref="ContinueHold" />, where endings of entries that a predecessor saw confirmed are still to be told: those up to
    /// here come again from the journal, and are held without being written.
    /// </summary>
    /// <exception cref="InvalidOperationException">The window is not empty.</exception>
    public void ContinueHoldAndTell(EntryPosition upTo)
    {
        RequireEmpty();
        _confirmedBefore = upTo;
    }

    /// <summary>Whether entries that a predecessor saw confirmed are still to come from the journal.</summary>
    public bool AwaitsConfirmed => ConfirmedUpTo < _confirmedBefore;

    /// <summary>Everything up to here is confirmed, as a predecessor's mark or a barrier told.</summary>
    public EntryPosition MarkedUpTo => AwaitsConfirmed ? _confirmedBefore : ConfirmedUpTo;

    /// <summary>An entry ended before its neighbours: it is not written again, and what is to be told of it goes out with the next settlement.</summary>
    public void End(EndedEntry entry, TimeSpan now)
    {
        _ended.Add(entry);
        if (entry.Later is { Said.Recipient: not 0 } later)
            PutOffBehind(later, entry.Position);
        if (!TryFind(entry.Position, out var index))
        {
            AbsorbUnsentFront(now);
            return;
        }

        ref var item = ref At(index);
        item.HasEnded = true;
        item.Ticket = null;
        // One that is under way stays so until its barrier returns, or its stream ends.
        if (index >= _written)
            DoNotWrite(ref item);
        AbsorbUnsentFront(now);
    }

    /// <summary>How often an entry was written to a stream that ended; 0 when it is not in the window.</summary>
    public int AttemptsAt(EntryPosition position) => TryFind(position, out var index) ? At(index).Attempts : 0;

    /// <summary>Marks an entry that must not be sent again. True when it was found among the unwritten ones.</summary>
    /// <param name="position">The entry.</param>
    /// <param name="rejection">Why.</param>
    /// <param name="now">Monotonic time.</param>
    /// <param name="attempts">How often it was written, where the caller remembers more than the window.</param>
    public bool Reject(EntryPosition position, Rejection rejection, TimeSpan now, int attempts = 0)
    {
        if (!TryFind(position, out var index) || index < _written)
            return false;
        ref var item = ref At(index);
        item.Attempts = Math.Max(item.Attempts, attempts);
        if (item.Length > 0)
            item.Ticket ??= endings.OfStanza(item.Batch.Bytes(item.Offset, item.Length), position, item.TakenAt);
        DoNotWrite(ref item);
        item.Rejection = rejection;
        AbsorbUnsentFront(now);
        return true;
    }

    // What is written already goes before it; what is not queues up behind it.
    private void PutOffBehind(Postponement first, EntryPosition position)
    {
        var recipient = first.Said.Recipient;
        for (var i = _written; i < _end; i++)
        {
            ref var item = ref At(i);
            if (item.Recipient != recipient || item.Length == 0 || item.HasEnded || item.Position == position)
                continue;
            _ended.Add(endings.PutOffBehind(item.Position, recipient, item.TakenAt, item.Ticket, first.Due));
            item.HasEnded = true;
            item.Ticket = null;
            DoNotWrite(ref item);
        }
    }

    private void RequireEmpty()
    {
        if (_held.Count > 0 || _first != _end)
            throw new InvalidOperationException("Only an empty window can continue a predecessor's hold.");
    }

    private void DoNotWrite(ref Item item)
    {
        UnconfirmedBytes -= item.Length;
        item.Length = 0;
    }

    private bool AreSettleable(int atLeast)
    {
        long entries = _ended.Count;
        for (var node = _held.First; entries < atLeast && node is not null && IsSettleable(node.Value); node = node.Next)
            entries += node.Value.Entries;
        return entries >= atLeast;
    }

    private bool IsSettleable(HeldRange range) =>
        !range.AnySent || grade == ConfirmGrade.Accepted || _provenAliveAt >= range.ConfirmedAt + hold;

    // At least one barrier's worth, whatever the share.
    private bool HasRoom(double share) =>
        _written - _first < Math.Max(limits.BarrierEntries, limits.UnconfirmedEntries * share)
        && _writtenBytes < Math.Max(limits.BarrierBytes, limits.UnconfirmedBytes * share);

    private WriteStep NextRun(long stop, TimeSpan now)
    {
        ref var head = ref At(_written);
        var (batch, start) = (head.Batch, head.Offset);
        var length = 0;
        // Contiguous entries of one batch are contiguous in its bytes: one copy for all of them.
        while (_written < stop && _openEntries < limits.BarrierEntries && _openBytes < limits.BarrierBytes)
        {
            ref var item = ref At(_written);
            if (item.Length > 0)
            {
                if (item.Batch != batch || item.Offset != start + length)
                    break;
                length += item.Length;
                if (item.Position > _writtenUpTo)
                    _writtenUpTo = item.Position;
                _writtenBytes += item.Length;
                _openEntries++;
                _openBytes += item.Length;
                if (item.Ticket is { } ticket)
                {
                    ticket.WrittenAt = now;
                    ticket.Attempts++;
                }

                if (item.Trace is { } trace)
                    trace.WrittenAt = now;
            }

            _written++;
        }

        return new WriteStep(batch, start, length, 0);
    }

    private int Confirm(long upTo, TimeSpan now, out long oldestPushedAt)
    {
        oldestPushedAt = 0;
        if (upTo <= _first)
            return 0;
        var range = new HeldRange { BeganAt = now, ConfirmedAt = now };
        var count = 0;
        for (; _first < upTo; count++)
        {
            // By reference: a pattern would copy the item.
            ref var item = ref At(_first);
            if (item.Ticket is { } ticket && item.Length > 0)
                ticket.ConfirmedAt = now;
            if (item.PushedAtMs > 0 && item.Length > 0 && (oldestPushedAt == 0 || item.PushedAtMs < oldestPushedAt))
                oldestPushedAt = item.PushedAtMs;
            if (item.Trace is { } trace && item.Length > 0)
                _finished.Add(new FinishedTrace(trace, now, item.Attempts, null));
            if (recent is not null && item.Length > 0)
                _confirmed.Add(new(RecentDeliveries.KeyOf(item.IdHash, item.Position), item.TakenAt.ToUnixTimeMilliseconds(), item.PushedAtMs, item.Attempts + 1));
            AddFrontTo(range);
        }

        if (_held.Last?.Value is { AnySent: true } last && range.AnySent && now - last.BeganAt < RangeSpan)
        {
            // The later time holds for all of them: never too early, and late by an instant.
            (last.LastPosition, last.ConfirmedAt) = (range.LastPosition, now);
            last.Entries += range.Entries;
            last.Bytes += range.Bytes;
        }
        else
            _held.AddLast(range);
        return count;
    }

    /// <summary>
    /// Entries at the front for which nothing is sent need no barrier: they belong to what is
    /// confirmed before them, or to nothing.
    /// </summary>
    private void AbsorbUnsentFront(TimeSpan now)
    {
        while (_first < _end && At(_first).Length == 0)
        {
            var range = _held.Last?.Value;
            if (range is null)
            {
                range = new HeldRange { BeganAt = now, ConfirmedAt = now };
                _held.AddLast(range);
            }

            if (At(_first).WasConfirmed)
            {
                if (At(_first).Ticket is { } ticket)
                    ticket.ConfirmedAt = now;
                range.ConfirmedAt = now;
            }

            AddFrontTo(range);
        }

        if (_written < _first)
            _written = _first;
    }

    private void AddFrontTo(HeldRange range)
    {
        ref var item = ref At(_first);
        range.LastPosition = item.Position;
        range.Entries++;
        range.Bytes += item.PayloadLength;
        range.AnySent |= item.Length > 0 || item.WasConfirmed;
        HeldEntries++;
        HeldBytes += item.PayloadLength;
        if (item.Rejection.Reason != RejectionReason.None)
        {
            _ended.Add(endings.Dead(item.Position, item.Rejection, item.Attempts, item.Ticket));
            if (item.Trace is { } trace)
                _finished.Add(new FinishedTrace(trace, default, item.Attempts, item.Rejection.Reason.WireName()));
        }

        DropFront();
    }

    private void DropFront()
    {
        ref var item = ref At(_first);
        UnconfirmedPayloadBytes -= item.PayloadLength;
        UnconfirmedBytes -= item.Length;
        if (_first < _written)
            _writtenBytes -= item.Length;
        if (item.Trace is not null)
            _traced--;
        if (item.LastOfBatch)
            item.Batch.Release();
        item = default;
        _first++;
    }

    private void Push(in Item item)
    {
        if (_end - _first == _ring.Length)
        {
            var larger = new Item[_ring.Length * 2];
            for (var i = _first; i < _end; i++)
                larger[i & (larger.Length - 1)] = _ring[i & (_ring.Length - 1)];
            _ring = larger;
        }

        _ring[_end & (_ring.Length - 1)] = item;
        _end++;
        UnconfirmedPayloadBytes += item.PayloadLength;
        UnconfirmedBytes += item.Length;
    }

    private ref Item At(long index) => ref _ring[index & (_ring.Length - 1)];

    private bool TryFind(EntryPosition position, out long index)
    {
        index = IndexAfter(position) - 1;
        return index >= _first && index < _end && At(index).Position == position;
    }

    /// <summary>The index of the first entry behind a position.</summary>
    private long IndexAfter(EntryPosition position)
    {
        var (low, high) = (_first, _end);
        while (low < high)
        {
            var middle = low + (high - low) / 2;
            if (At(middle).Position <= position)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }
}
