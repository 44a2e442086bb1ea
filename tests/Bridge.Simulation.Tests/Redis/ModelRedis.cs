using Bridge.Deferral;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Simulation.Tests.Machine;
using Bridge.Simulation.Tests.Schedules;

namespace Bridge.Simulation.Tests.Redis;

/// <summary>
/// Redis with one queue: each method does what the script of the same name does, in one step, and
/// refuses where the script refuses. Oversized and empty payloads, wrong types and foreign elements are left
/// to the tests on a real Redis.
/// </summary>
internal abstract class ModelRedis(World world, Plan plan, Ledger ledger, OwnershipWatch watch, Sabotage sabotage)
{
    private readonly Dictionary<string, GeneratedIds> _ids = [];
    private readonly List<(RedisConnection Connection, EntryPosition Seen, Action Run)> _waiters = [];
    private long _frozenUntil;
    private long _refusesUntil;
    private QueueFault _refusal;
    private (long Since, int Count) _inVain;

    public static ModelRedis With(World world, Plan plan, Ledger ledger, OwnershipWatch watch, Sabotage sabotage) =>
        plan.Kind == QueueKind.List
            ? new ModelListRedis(world, plan, ledger, watch, sabotage)
            : new ModelStreamRedis(world, plan, ledger, watch, sabotage);

    public RedisMemory Memory { get; private set; } = new();

    public bool IsDown { get; private set; }

    public long FrozenUntil => world.Now < _frozenUntil ? _frozenUntil : 0;

    /// <summary>What every call is answered with at the moment.</summary>
    public QueueFault? Refusal => world.Now < _refusesUntil ? _refusal : null;

    public bool IsFull => Refusal == QueueFault.OutOfMemory;

    /// <summary>Raised when Redis dies: every connection with it.</summary>
    public event Action? Died;

    /// <summary>Which life of a process holds the lease, as far as Redis knows.</summary>
    public long? Owner => Live(Memory.Lease) is { } held ? OwnershipWatch.LifeOf(held.Token) : null;

    /// <summary>Redis has lost writes, and may have lost a lease with them.</summary>
    public bool HasForgotten { get; private set; }

    protected World World => world;

    protected Ledger Ledger => ledger;

    protected DateTimeOffset TimeOfDay => world.Clock.TimeOfDay;

    // ---- What goes wrong with it.

    public void Freeze(long until) => _frozenUntil = Math.Max(_frozenUntil, until);

    public void Refuse(QueueFault with, long until) => (_refusal, _refusesUntil) = (with, until);

    public void Crash(long backAt, (int Pushed, RedisMemory Memory)? dump)
    {
        IsDown = true;
        _frozenUntil = 0;
        _waiters.Clear();
        Died?.Invoke();
        if (dump is { } last)
        {
            HasForgotten = true;
            Memory = last.Memory.Copy();
            watch.Forgot(Memory.Lease?.Token, Memory.Lease?.ExpiresAt ?? 0, Memory.DomainLease?.Token, Memory.DomainLease?.ExpiresAt ?? 0);
            ledger.Forgot(last.Pushed, Memory.Queue.Select(element => element.Message)
                .Concat(Memory.Journal.Where(element => !element.IsPlaceHolder).Select(element => element.Message))
                .Concat(Memory.Awaiting.Values.Select(waiting => waiting.Message))
                .Concat(Memory.Scheduled.Select(scheduled => scheduled.Message)));
        }

        world.At(backAt, () => IsDown = false);
    }

    // ---- What the app does.

    public bool TryPush(int message)
    {
        if (IsDown || FrozenUntil > 0 || Refusal is not null)
            return false;
        Memory.Queue.Add(new QueuedElement(message, NextPosition()));
        ledger.Pushed(message);
        WakeWaiters();
        return true;
    }

    /// <summary>Runs once the queue has something new, at the latest after the wait time.</summary>
    public void Wait(RedisConnection connection, EntryPosition seen, double milliseconds, Action run)
    {
        if (HasNews(seen))
        {
            run();
            return;
        }

        var waiter = (connection, seen, run);
        _waiters.Add(waiter);
        world.After(milliseconds, () =>
        {
            if (_waiters.Remove(waiter))
                run();
        });
    }

    /// <summary>Redis notices that a client is gone.</summary>
    public void Forget(RedisConnection connection) => _waiters.RemoveAll(waiter => waiter.Connection == connection);

    private void WakeWaiters()
    {
        while (_waiters.FindIndex(waiter => HasNews(waiter.Seen)) is >= 0 and var index)
        {
            var run = _waiters[index].Run;
            _waiters.RemoveAt(index);
            run();
        }
    }

    // ---- lease-*.lua

    public Outcome<(bool Granted, long Epoch)> AcquireQueue(string token, long timeToLive)
    {
        if (Live(Memory.Lease) is { } held && (held.Token == token || !IsGivenEarly(held)))
        {
            if (held.Token != token)
                return (false, 0L);
            watch.Granted(token, timeToLive, domain: false);
            Memory.Lease = held with { ExpiresAt = world.Now + timeToLive };
            return (true, held.Epoch);
        }

        if (Order == QueueOrder.Drain)
            return (false, -3L);
        watch.Granted(token, timeToLive, domain: false);
        Memory.Lease = new HeldLease(token, ++Memory.Epoch, 0, world.Now + timeToLive);
        return (true, Memory.Epoch);
    }

    public Outcome<(bool Granted, long Lives)> AcquireDomain(LeaseGrant grant, long timeToLive)
    {
        if (Live(Memory.DomainLease) is { } held && held.Token != grant.Token && !IsGivenEarly(held))
            return (false, held.ExpiresAt - world.Now);
        watch.Granted(grant.Token, timeToLive, domain: true);
        Memory.DomainLease = new HeldLease(grant.Token, grant.Epoch, 0, world.Now + timeToLive);
        return (true, 0L);
    }

    /// <summary>What the operator wants.</summary>
    public QueueOrder Order { get; set; }

    public Outcome<bool> IsFree() => Live(Memory.Lease) is null && Live(Memory.DomainLease) is null;

    public Outcome<bool> Renew(string token, long timeToLive, bool domain)
    {
        if (Live(domain ? Memory.DomainLease : Memory.Lease) is not { } held || held.Token != token)
            return false;
        watch.Granted(token, timeToLive, domain);
        var renewed = held with { ExpiresAt = world.Now + timeToLive };
        if (domain)
            Memory.DomainLease = renewed;
        else
            Memory.Lease = renewed;
        return true;
    }

    public Outcome<bool> Release(string token, bool domain)
    {
        if (Live(domain ? Memory.DomainLease : Memory.Lease) is not { } held || held.Token != token)
            return false;
        watch.Released(token, domain);
        if (domain)
            Memory.DomainLease = null;
        else
            Memory.Lease = null;
        return true;
    }

    // ---- The scripts of the queue.

    /// <summary>Opens a session.</summary>
    public Outcome<RecoverReply> Recover(LeaseGrant grant, string prefix, EntryPosition seen, IReadOnlyList<string> unanswered)
    {
        if (Live(Memory.Lease) is not { } held || held.Token != grant.Token || held.Epoch != grant.Epoch)
            return QueueFault.LeaseLost;
        watch.Opens(grant, held.Session + 1);
        // As the script finds them; what it makes of them comes behind.
        var (basePrefix, baseTaken) = (Memory.SessionPrefix ?? "", Memory.Taken);
        BeginSession(seen);
        var mark = Memory.Mark;
        if (mark is not null && mark.Position > Memory.Taken)
            mark = Memory.Mark = null;

        if (Memory.SessionPrefix is { } current && unanswered.Contains(current))
            (basePrefix, baseTaken) = (Memory.BasePrefix, Memory.BaseTaken);
        Memory.Lease = held with { Session = held.Session + 1 };
        (Memory.SessionPrefix, Memory.BasePrefix, Memory.BaseTaken) = (prefix, basePrefix, baseTaken);
        var (first, last) = Memory.Journal is [var head, .., var tail]
            ? (head.Position, tail.Position)
            : Memory.Journal is [var only] ? (only.Position, only.Position) : (EntryPosition.Zero, EntryPosition.Zero);
        if (world.Recording)
            world.Note($"redis: session {held.Epoch}.{held.Session + 1}, journal {first}..{last}, mark {mark?.Position}");
        return new RecoverReply(held.Session + 1, Memory.Journal.Count, first, last, basePrefix, baseTaken, mark, Memory.Taken, Payloads.Seal, TimeOfDay);
    }

    /// <summary>Settles, then takes.</summary>
    public Outcome<TakenEntries> Take(QueueSession session, TakeLimits limits, SettlementPart part)
    {
        if (Fence(session, "took") is { } fault)
            return fault;
        var settled = Settle(part);
        if (settled.Fault is { } refused)
            return refused;
        var from = Memory.Journal.Count;
        var bytes = 0;
        foreach (var due in TakeDue(limits.Entries))
            TakeAgain(due);
        var again = Memory.Journal.Count - from;
        while (Memory.Journal.Count - from < limits.Entries && Memory.Journal.Count - from - again < Memory.Queue.Count && bytes < limits.Bytes)
        {
            var queued = Memory.Queue[Memory.Journal.Count - from - again];
            Memory.Taken = PositionOnTake(queued);
            Memory.Journal.Add(new JournalElement(queued.Message, Memory.Taken, false, TimeOfDay, IdsOfNow, queued.Said));
            bytes += Payloads.Of(queued.Message, plan.Messages[queued.Message].Kind).Length;
        }

        Memory.Queue.RemoveRange(0, Memory.Journal.Count - from - again);
        var entries = Entries(Memory.Journal.Skip(from));
        if (world.Recording && entries.Count > 0)
            world.Note($"redis: session {session.Grant.Epoch}.{session.Number} takes {Memory.Journal[from].Position}..{Memory.Taken}");
        if (entries.Count == 0 && part == SettlementPart.Nothing)
            WasInVain();
        if (sabotage == Sabotage.QueueSettlesWhatItGives)
            RemoveUpTo(Memory.Taken);
        return new TakenEntries(entries, settled.Value, [], Memory.Queue.Count) { DueIn = DueIn };
    }

    // Not before it is due: Redis counts whole milliseconds, and so does whoever waits for it.
    private TimeSpan? DueIn => Memory.Scheduled.Count == 0
        ? null
        : TimeSpan.FromMilliseconds(Math.Max(0, Math.Ceiling((Memory.Scheduled.Min(scheduled => scheduled.Postponement.Due) - TimeOfDay).TotalMilliseconds)));

    /// <summary>What an owner is told that has not been told before.</summary>
    public (IReadOnlyList<AwaitedAnswer> Awaiting, IReadOnlyList<(ulong Recipient, DateTimeOffset Due)> Blocked) Waiting() => (
        [.. Memory.Awaiting.Values.Select(waiting => waiting.Answer)],
        [.. Memory.Scheduled.Where(scheduled => scheduled.Postponement.Said.Recipient != 0).Select(scheduled => (scheduled.Postponement.Said.Recipient, scheduled.Postponement.Due))]);

    // A wait that ends although there is nothing is asked again at once.
    private void WasInVain()
    {
        if (world.Now - _inVain.Since > TimeSpan.TicksPerSecond)
            _inVain = (world.Now, 0);
        if (++_inVain.Count > 50)
            world.Break("Redis was asked 50 times in a second for what it did not have");
    }

    private List<ScheduledElement> TakeDue(int atMost)
    {
        List<ScheduledElement> due = [.. Memory.Scheduled.Where(scheduled => scheduled.Postponement.Due <= TimeOfDay).OrderBy(scheduled => scheduled.Postponement.Due).Take(atMost)];
        Memory.Scheduled.RemoveAll(due.Contains);
        return due;
    }

    /// <summary>Settles.</summary>
    public Outcome<SettleResult> Settle(QueueSession session, SettlementPart part) =>
        Fence(session, "settled", isOpen: sabotage == Sabotage.SettlementIsNotFenced) is { } fault ? fault : Settle(part);

    /// <summary>Reads the journal behind an entry.</summary>
    public Outcome<TakenEntries> Read(QueueSession session, EntryPosition after, TakeLimits limits) =>
        Fence(session, "read") is { } fault
            ? fault
            : new TakenEntries(Entries(Memory.Journal.Where(element => element.Position > after).Take(limits.Entries)), default, [], -1);

    public Outcome<QueueDepth> Depth() => new QueueDepth(Memory.Queue.Count, Memory.Journal.Count, null);

    private GeneratedIds IdsOfNow
    {
        get
        {
            var prefix = plan.Kind == QueueKind.List ? Memory.SessionPrefix! : "0a1b2c3d";
            if (!_ids.TryGetValue(prefix, out var ids))
                _ids[prefix] = ids = new GeneratedIds(prefix, plan.Kind == QueueKind.Stream, Payloads.Seal);
            return ids;
        }
    }

    /// <summary>What the publisher appends to the outcome stream by itself.</summary>
    public Outcome<bool> Append(IReadOnlyList<Outcome> outcomes)
    {
        foreach (var outcome in outcomes)
            Tell(outcome);
        return true;
    }

    /// <summary>One that was put off is due: into the journal, or behind the queue.</summary>
    protected abstract void TakeAgain(ScheduledElement due);

    protected void AddToJournal(int message, EntryPosition position, Deferred said)
    {
        Memory.Taken = position;
        Memory.Journal.Add(new JournalElement(message, position, false, TimeOfDay, IdsOfNow, said));
    }

    /// <summary>The position that an element has in the queue, where it has one.</summary>
    protected abstract EntryPosition NextPosition();

    /// <summary>The position of an element that is taken now.</summary>
    protected abstract EntryPosition PositionOnTake(QueuedElement element);

    /// <summary>Whether a wait of somebody who has seen so much ends.</summary>
    protected abstract bool HasNews(EntryPosition seen);

    /// <summary>What a recovery changes in what was taken.</summary>
    protected abstract void BeginSession(EntryPosition seen);

    /// <summary>Whether the settlement before this one did not happen.</summary>
    protected abstract bool HasGap(SettlementPart part);

    /// <summary>What stands in the journal for an element that has ended; null when nothing does.</summary>
    protected abstract JournalElement? AfterEnding(JournalElement element);

    private HeldLease? Live(HeldLease? lease) => lease is { } held && held.ExpiresAt > world.Now ? held : null;

    private bool IsGivenEarly(HeldLease held) => sabotage == Sabotage.LeaseIsGrantedEarly && held.ExpiresAt - world.Now < World.Ticks(50);

    private QueueFault? Fence(QueueSession session, string what, bool isOpen = false)
    {
        var held = Live(Memory.Lease);
        var isCurrent = held is not null && held.Token == session.Grant.Token && held.Epoch == session.Grant.Epoch && held.Session == session.Number;
        isOpen |= sabotage == Sabotage.QueueIsNotFenced;
        if (!isCurrent && !isOpen)
            return held is not null && held.Token == session.Grant.Token ? QueueFault.Stale : QueueFault.LeaseLost;
        if (Memory.SessionPrefix is null)
            return QueueFault.Stale;
        watch.Accepts(session, what);
        return null;
    }

    private Outcome<SettleResult> Settle(SettlementPart part)
    {
        var settlement = part.Settlement;
        var (removed, buried) = (0, 0);
        if (HasGap(part))
            return QueueFault.Stale;
        foreach (var ended in settlement.Ended.OrderBy(ended => ended.AwaitedKey is not null))
        {
            if (ended.AwaitedKey is { } key)
            {
                if (Memory.Awaiting.Remove(key, out var waiting))
                {
                    if (ended.Later is not null)
                        PutOff(waiting.Message, ended.Later);
                    else if (ended.Outcome!.IsWantedBy(plan.Outcomes))
                        Tell(ended.Outcome, waiting.Message);
                }

                continue;
            }

            var index = Memory.Journal.FindIndex(element => element.Position == ended.Position && !element.IsPlaceHolder);
            if (index < 0 && sabotage == Sabotage.QueueTellsAgain && ended.Outcome is { } again && again.IsWantedBy(plan.Outcomes))
                Tell(again);
            if (index < 0 || (ended.Expected is { } id && Memory.Journal[index].GeneratedId != id))
                continue;
            var element = Memory.Journal[index];
            if (ended.Awaits is { } awaits)
            {
                Memory.Awaiting[awaits.Key] = (element.Message, awaits);
                continue;
            }

            if (ended.IsDead)
            {
                Memory.Dead.Add(element.Message);
                ledger.DeadLettered(element.Message, Owner);
                buried++;
            }

            if (ended.Later is not null)
                PutOff(element.Message, ended.Later);
            else if (ended.Outcome is { } outcome && outcome.IsWantedBy(plan.Outcomes))
                Tell(outcome, element.Message);
            // What its barrier confirmed leaves with the prefix.
            if (!ended.IsDead && ended.Later is null && ended.Outcome!.Ending is not (Ending.Bounced or Ending.Received))
                continue;
            if (!ended.IsDead && ended.Later is null)
                ledger.EndedEarly(element.Message, Owner);
            if (AfterEnding(element) is { } holder)
                Memory.Journal[index] = holder;
            else
            {
                Memory.Journal.RemoveAt(index);
                removed++;
            }
        }

        if (settlement.UpTo != EntryPosition.Zero)
            removed += RemoveUpTo(settlement.UpTo);
        // One may leave the journal, wait for an answer and be put off in one step.
        foreach (var scheduled in Memory.Scheduled)
            ledger.PutOff(scheduled.Message);
        if (settlement.Mark is { } mark)
            Memory.Mark = mark with { At = TimeOfDay };
        if (world.Recording && (removed > 0 || buried > 0 || settlement.Mark is not null))
            world.Note($"redis: settles up to {settlement.UpTo} ({removed} removed, {buried} buried), mark {Memory.Mark?.Position}");
        return new SettleResult(removed, buried, 0);
    }

    private int RemoveUpTo(EntryPosition last)
    {
        var count = Memory.Journal.TakeWhile(element => element.Position <= last).Count();
        foreach (var element in Memory.Journal.Take(count))
        {
            if (!element.IsPlaceHolder)
                ledger.Settled(element.Message, Owner);
        }

        Memory.Journal.RemoveRange(0, count);
        return count;
    }

    private void PutOff(int message, Postponement later)
    {
        Memory.Scheduled.Add(new ScheduledElement(message, later));
        ledger.PutOff(message);
        if (world.Recording)
            world.Note($"redis: puts message {message} off until {later.Due:ss.fff}");
    }

    private void Tell(Outcome outcome, int? message = null)
    {
        var told = new ToldEnding(message ?? Payloads.MessageOf(outcome.To), outcome.Ending, outcome.Late);
        Memory.Outcomes.Add(told);
        if (world.Recording)
            world.Note($"redis: told of message {told.Message}: {told.Ending}{(told.Late ? ", late" : "")}");
    }

    private ReadOnlyMemory<byte> PayloadOf(JournalElement element)
    {
        var payload = Payloads.Of(element.Message, plan.Messages[element.Message].Kind);
        return element.Said is { } said ? (byte[])[.. System.Text.Encoding.ASCII.GetBytes(said.Line() + "\n"), .. payload.Span] : payload;
    }

    private EntryBatch Entries(IEnumerable<JournalElement> elements)
    {
        QueueEntry[] entries =
        [
            .. elements.Select(element => new QueueEntry(
                element.Position,
                element.IsPlaceHolder ? EntryKind.DeadLettered : EntryKind.Payload,
                element.Ids,
                element.IsPlaceHolder ? default : PayloadOf(element),
                element.TakenAt,
                null)),
        ];
        return entries.Length == 0 ? EntryBatch.Empty : EntryBatch.Of(entries);
    }
}
