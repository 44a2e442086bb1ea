using System.Globalization;
using Bridge.Queue;
using Bridge.Simulation.Tests.Machine;
using Bridge.Simulation.Tests.Schedules;

namespace Bridge.Simulation.Tests.Redis;

/// <summary>
/// Redis with one list queue: each method does what the script of the same name does, in one step, and
/// refuses where the script refuses. Oversized and empty payloads, wrong types and foreign elements are left
/// to the tests on a real Redis.
/// </summary>
internal sealed class ModelRedis(World world, Plan plan, Ledger ledger, Sabotage sabotage)
{
    private readonly List<(RedisConnection Connection, Action Run)> _waiters = [];
    private long _frozenUntil;
    private long _refusesUntil;
    private QueueFault _refusal;

    public RedisMemory Memory { get; private set; } = new();

    public bool IsDown { get; private set; }

    public long FrozenUntil => world.Now < _frozenUntil ? _frozenUntil : 0;

    /// <summary>What every call is answered with at the moment.</summary>
    public QueueFault? Refusal => world.Now < _refusesUntil ? _refusal : null;

    public bool IsFull => Refusal == QueueFault.OutOfMemory;

    /// <summary>Raised when Redis dies: every connection with it.</summary>
    public event Action? Died;

    /// <summary>Which life of a process holds the lease, as far as Redis knows.</summary>
    public long? Owner => Live(Memory.Lease) is { } held
        ? long.Parse(held.Token.AsSpan(0, held.Token.IndexOf('-', StringComparison.Ordinal)), CultureInfo.InvariantCulture)
        : null;

    /// <summary>Redis has lost writes, and may have lost a lease with them.</summary>
    public bool HasForgotten { get; private set; }

    private DateTimeOffset TimeOfDay => world.Clock.GetUtcNow();

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
            ledger.Forgot(last.Pushed, Memory.Queue.Concat(Memory.Journal.Where(element => !element.IsPlaceHolder).Select(element => element.Message)));
        }

        world.At(backAt, () => IsDown = false);
    }

    // ---- What the app does.

    public bool TryPush(int message)
    {
        if (IsDown || FrozenUntil > 0 || Refusal is not null)
            return false;
        Memory.Queue.Add(message);
        ledger.Pushed(message);
        WakeWaiters();
        return true;
    }

    /// <summary>Runs once the queue has something, at the latest after the wait time.</summary>
    public void Wait(RedisConnection connection, double milliseconds, Action run)
    {
        if (Memory.Queue.Count > 0)
        {
            run();
            return;
        }

        var waiter = (connection, run);
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
        while (_waiters.Count > 0 && Memory.Queue.Count > 0)
        {
            var waiter = _waiters[0];
            _waiters.RemoveAt(0);
            waiter.Run();
        }
    }

    // ---- lease-*.lua

    public Outcome<(bool Granted, long Epoch)> AcquireQueue(string token, long timeToLive)
    {
        if (Live(Memory.Lease) is { } held)
        {
            if (held.Token != token)
                return (false, 0L);
            Memory.Lease = held with { ExpiresAt = world.Now + timeToLive };
            return (true, held.Epoch);
        }

        Memory.Lease = new HeldLease(token, ++Memory.Epoch, 0, world.Now + timeToLive);
        return (true, Memory.Epoch);
    }

    public Outcome<bool> AcquireDomain(LeaseGrant grant, long timeToLive)
    {
        if (Live(Memory.DomainLease) is { } held && held.Token != grant.Token)
            return false;
        Memory.DomainLease = new HeldLease(grant.Token, grant.Epoch, 0, world.Now + timeToLive);
        return true;
    }

    public Outcome<bool> Renew(string token, long timeToLive, bool domain)
    {
        if (Live(domain ? Memory.DomainLease : Memory.Lease) is not { } held || held.Token != token)
            return false;
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
        if (domain)
            Memory.DomainLease = null;
        else
            Memory.Lease = null;
        return true;
    }

    // ---- list-recover.lua

    public Outcome<RecoverReply> Recover(LeaseGrant grant, string prefix, long seen, IReadOnlyList<string> unanswered)
    {
        if (Live(Memory.Lease) is not { } held || held.Token != grant.Token || held.Epoch != grant.Epoch)
            return QueueFault.LeaseLost;
        var length = Memory.Journal.Count;
        // As the script finds them; what it makes of them comes behind.
        var (basePrefix, baseTaken) = (Memory.SessionPrefix ?? "", Memory.Taken);
        if (length == 0)
            Memory.Taken = Memory.Settled = Math.Max(Memory.Taken, seen);
        var mark = Memory.Mark;
        if (mark is not null && (long)mark.Position.Low > Memory.Taken)
            mark = Memory.Mark = null;

        if (Memory.SessionPrefix is { } current && unanswered.Contains(current))
            (basePrefix, baseTaken) = (Memory.BasePrefix, Memory.BaseTaken);
        Memory.Lease = held with { Session = held.Session + 1 };
        (Memory.SessionPrefix, Memory.BasePrefix, Memory.BaseTaken) = (prefix, basePrefix, baseTaken);
        if (world.Recording)
            world.Note($"redis: session {held.Epoch}.{held.Session + 1}, journal {Memory.Settled + 1}..{Memory.Taken}, mark {mark?.Position}");
        return new RecoverReply(
            held.Session + 1, length, Position(length == 0 ? 0 : Memory.Settled + 1), Position(length == 0 ? 0 : Memory.Taken),
            basePrefix, Position(baseTaken), mark, Position(Memory.Taken));
    }

    // ---- list-take-main.lua, list-settle.lua, list-read-main.lua

    public Outcome<TakenEntries> Take(QueueSession session, TakeLimits limits, SettlementPart part)
    {
        if (Fence(session) is { } fault)
            return fault;
        var settled = Settle(part);
        if (settled.Fault is { } refused)
            return refused;
        var count = 0;
        var bytes = 0;
        while (count < limits.Entries && count < Memory.Queue.Count && bytes < limits.Bytes)
        {
            var message = Memory.Queue[count++];
            Memory.Journal.Add(new JournalElement(message, false, Memory.SessionPrefix!, TimeOfDay));
            bytes += Payloads.Of(message, plan.Messages[message].Kind).Length;
        }

        Memory.Queue.RemoveRange(0, count);
        Memory.Taken += count;
        var entries = Entries(Memory.Taken - count, count);
        if (world.Recording && count > 0)
            world.Note($"redis: session {session.Grant.Epoch}.{session.Number} takes {Memory.Taken - count + 1}..{Memory.Taken}");
        if (sabotage == Sabotage.QueueSettlesWhatItGives)
            RemoveFront(Memory.Journal.Count);
        return new TakenEntries(entries, settled.Value, [], Memory.Queue.Count);
    }

    public Outcome<SettleResult> Settle(QueueSession session, SettlementPart part) =>
        Fence(session) is { } fault ? fault : Settle(part);

    public Outcome<TakenEntries> Read(QueueSession session, long after, TakeLimits limits)
    {
        if (Fence(session) is { } fault)
            return fault;
        var from = Math.Max(after, Memory.Settled);
        return new TakenEntries(Entries(from, (int)Math.Min(limits.Entries, Math.Max(0, Memory.Taken - from))), default, [], -1);
    }

    public Outcome<QueueDepth> Depth() => new QueueDepth(Memory.Queue.Count, Memory.Journal.Count, null);

    private HeldLease? Live(HeldLease? lease) => lease is { } held && held.ExpiresAt > world.Now ? held : null;

    private QueueFault? Fence(QueueSession session)
    {
        var held = Live(Memory.Lease);
        var isCurrent = held is not null && held.Token == session.Grant.Token && held.Epoch == session.Grant.Epoch && held.Session == session.Number;
        if (sabotage == Sabotage.QueueIsNotFenced && Memory.SessionPrefix is not null)
        {
            if (!isCurrent)
                world.Break("a call that is not of the current session changed the queue");
            return null;
        }

        if (!isCurrent)
            return held is not null && held.Token == session.Grant.Token ? QueueFault.Stale : QueueFault.LeaseLost;
        return Memory.SessionPrefix is null ? QueueFault.Stale : null;
    }

    private Outcome<SettleResult> Settle(SettlementPart part)
    {
        var settlement = part.Settlement;
        var (removed, buried) = (0, 0);
        var upTo = (long)settlement.UpTo.Low;
        if (Memory.Taken > Memory.Settled && (upTo > 0 || settlement.Rejected.Count > 0 || part.RejectedBefore != EntryPosition.Zero))
        {
            var before = (long)part.RejectedBefore.Low - Memory.Settled - 1;
            if (Memory.Settled < (long)part.After.Low || (before >= 0 && before < Memory.Journal.Count && !Memory.Journal[(int)before].IsPlaceHolder))
                return QueueFault.Stale;
            var count = (int)Math.Max(0, Math.Min(upTo - Memory.Settled, Memory.Journal.Count));
            foreach (var rejected in settlement.Rejected)
            {
                var index = (int)((long)rejected.Position.Low - Memory.Settled - 1);
                if (index < 0 || index >= Memory.Journal.Count || Memory.Journal[index].IsPlaceHolder)
                    continue;
                var element = Memory.Journal[index];
                Memory.Dead.Add(element.Message);
                ledger.DeadLettered(element.Message);
                buried++;
                Memory.Journal[index] = element with { IsPlaceHolder = true };
            }

            removed = RemoveFront(count);
        }

        if (settlement.Mark is { } mark)
            Memory.Mark = mark with { At = TimeOfDay };
        if (world.Recording && (removed > 0 || buried > 0 || settlement.Mark is not null))
            world.Note($"redis: settles up to {Memory.Settled} ({removed} removed, {buried} buried), mark {Memory.Mark?.Position}");
        return new SettleResult(removed, buried, 0);
    }

    private int RemoveFront(int count)
    {
        for (var i = 0; i < count; i++)
        {
            if (!Memory.Journal[i].IsPlaceHolder)
                ledger.Settled(Memory.Journal[i].Message);
        }

        Memory.Journal.RemoveRange(0, count);
        Memory.Settled += count;
        return count;
    }

    private EntryBatch Entries(long after, int count)
    {
        if (count == 0)
            return EntryBatch.Empty;
        var entries = new QueueEntry[count];
        for (var i = 0; i < count; i++)
        {
            var element = Memory.Journal[(int)(after - Memory.Settled) + i];
            entries[i] = new QueueEntry(
                Position(after + i + 1),
                element.IsPlaceHolder ? EntryKind.DeadLettered : EntryKind.Payload,
                Payloads.Ids,
                element.IsPlaceHolder ? default : Payloads.Of(element.Message, plan.Messages[element.Message].Kind),
                element.TakenAt,
                null);
        }

        return EntryBatch.Of(entries);
    }

    private static EntryPosition Position(long sequence) => EntryPosition.OfSequence((ulong)sequence);
}
