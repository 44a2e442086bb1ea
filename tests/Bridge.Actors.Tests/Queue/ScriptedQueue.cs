using Bridge.Actors.Tests.Outcomes;
using Bridge.Actors.Tests.Stanzas;
using Bridge.Queue;

namespace Bridge.Actors.Tests.Queue;

/// <summary>Which of the queue's calls.</summary>
internal enum QueueCallKind
{
    Recover,
    WaitAndTake,
    Take,
    Settle,
    ReadJournal,
    Depth,
}

/// <summary>
/// A list queue in memory whose every call the test runs and answers by hand, in whatever order: a call
/// may fail before Redis ran it, after, or be run long after it was given up. Sessions fence as the
/// scripts do.
/// </summary>
internal sealed class ScriptedQueue : IOutboundQueue
{
    private readonly List<QueueEntry> _queued = [];
    private readonly List<QueueEntry> _journal = [];
    private readonly List<QueueCall> _calls = [];
    private readonly List<QueueCall> _pending = [];
    private long _session;
    private long _taken;

    /// <summary>What waits in Redis to be taken.</summary>
    public IReadOnlyList<QueueEntry> Queued => _queued;

    /// <summary>What was taken and not settled.</summary>
    public IReadOnlyList<QueueEntry> Journal => _journal;

    /// <summary>Every call so far, in order.</summary>
    public IReadOnlyList<QueueCall> Calls => _calls;

    public List<EndedEntry> Dead { get; } = [];

    public ConfirmedMark? Mark { get; set; }

    /// <summary>Sequence of the last entry that was settled.</summary>
    public long SettledUpTo { get; private set; }

    /// <summary>What the next recoveries say of the past.</summary>
    public bool ContinuesHistory { get; set; } = true;

    public bool Disposed { get; private set; }

    /// <summary>The calls that nobody answered yet, but those for the depth.</summary>
    public IReadOnlyList<QueueCall> Pending
    {
        get
        {
            _pending.RemoveAll(call => call.IsDone);
            return [.. _pending];
        }
    }

    /// <summary>The only call that is not answered.</summary>
    public QueueCall Only => Pending.Single();

    public void Push(int count)
    {
        for (var i = 0; i < count; i++)
            _queued.Add(ScriptedEncoder.Entry(_taken + _queued.Count + 1));
    }

    /// <summary>Pushes payloads of the test's own.</summary>
    public void Push(params string[] payloads)
    {
        foreach (var payload in payloads)
            _queued.Add(ScriptedEncoder.Entry(_taken + _queued.Count + 1, payload));
    }

    /// <summary>What an owner before this one left in the journal: sequences from one on.</summary>
    public void LeaveInJournal(long first, int count)
    {
        for (var i = 0; i < count; i++)
            _journal.Add(ScriptedEncoder.Entry(first + i));
        _taken = first + count - 1;
    }

    /// <summary>The only pending call of a kind.</summary>
    public QueueCall Expect(QueueCallKind kind) => Pending.Single(call => call.Kind == kind);

    public Task<Recovery> RecoverAsync(LeaseGrant grant) => Issue(
        QueueCallKind.Recover, null, default, Settlement.Nothing, default,
        () => new Recovery(
            new QueueSession(grant, ++_session),
            _journal.Count,
            _journal.Count == 0 ? EntryPosition.Zero : _journal[0].Position,
            _journal.Count == 0 ? EntryPosition.Zero : _journal[^1].Position,
            Mark,
            ContinuesHistory,
            SealedIds.Seal));

    public Task<TakenEntries> WaitAndTakeAsync(QueueSession session, TakeLimits limits) => Issue(
        QueueCallKind.WaitAndTake, session, limits, Settlement.Nothing, default, () => Take(limits, Settlement.Nothing));

    public Task<TakenEntries> TakeAsync(QueueSession session, TakeLimits limits, Settlement settlement) => Issue(
        QueueCallKind.Take, session, limits, settlement, default, () => Take(limits, settlement));

    public Task<SettleResult> SettleAsync(QueueSession session, Settlement settlement) => Issue(
        QueueCallKind.Settle, session, default, settlement, default, () => Settle(settlement));

    public Task<TakenEntries> ReadJournalAsync(QueueSession session, EntryPosition after, TakeLimits limits) => Issue(
        QueueCallKind.ReadJournal, session, limits, Settlement.Nothing, after,
        () => new TakenEntries(EntryBatch.Of(Slice(_journal.Where(entry => entry.Position > after), limits)), default, [], -1));

    public Task<QueueDepth> DepthAsync() => Issue(
        QueueCallKind.Depth, null, default, Settlement.Nothing, default, () => new QueueDepth(_queued.Count, _journal.Count, null));

    public ValueTask DisposeAsync()
    {
        Disposed = true;
        return ValueTask.CompletedTask;
    }

    private Task<T> Issue<T>(
        QueueCallKind kind, QueueSession? session, TakeLimits limits, Settlement settlement, EntryPosition after, Func<T> run)
    {
        var call = new QueueCall<T>(
            kind,
            limits,
            settlement,
            after,
            () => session is { } of && of.Number != _session
                ? throw new QueueFaultException(QueueFault.Stale, "another session is the current one")
                : run());
        _calls.Add(call);
        if (kind != QueueCallKind.Depth)
            _pending.Add(call);
        return call.Task;
    }

    private TakenEntries Take(TakeLimits limits, Settlement settlement)
    {
        var settled = Settle(settlement);
        var entries = Slice(_queued, limits);
        _queued.RemoveRange(0, entries.Length);
        _journal.AddRange(entries);
        _taken += entries.Length;
        return new TakenEntries(EntryBatch.Of(entries), settled, [], _queued.Count);
    }

    private SettleResult Settle(Settlement settlement)
    {
        Mark = settlement.Mark ?? Mark;
        var prefix = _journal.TakeWhile(entry => entry.Position <= settlement.UpTo).ToArray();
        if (prefix.Length == 0)
            return default;
        _journal.RemoveRange(0, prefix.Length);
        SettledUpTo = (long)prefix[^1].Position.Low;
        EndedEntry[] dead = [.. settlement.Ended.Where(rejected => rejected.IsDead && prefix.Any(entry => entry.Position == rejected.Position))];
        Dead.AddRange(dead);
        return new SettleResult(prefix.Length, dead.Length, 0);
    }

    private static QueueEntry[] Slice(IEnumerable<QueueEntry> from, TakeLimits limits)
    {
        var slice = new List<QueueEntry>();
        var bytes = 0;
        foreach (var entry in from.Take(limits.Entries))
        {
            slice.Add(entry);
            bytes += entry.Payload.Length;
            if (bytes >= limits.Bytes)
                break;
        }

        return [.. slice];
    }
}

/// <summary>One call to a <see cref="ScriptedQueue" />.</summary>
internal abstract class QueueCall(QueueCallKind kind, TakeLimits limits, Settlement settlement, EntryPosition after)
{
    public QueueCallKind Kind { get; } = kind;

    public TakeLimits Limits { get; } = limits;

    public Settlement Settlement { get; } = settlement;

    public EntryPosition After { get; } = after;

    /// <summary>Redis has run it.</summary>
    public bool HasRun { get; protected set; }

    /// <summary>The caller has got its answer, or the failure.</summary>
    public abstract bool IsDone { get; }

    /// <summary>Redis runs it; the reply is under way.</summary>
    public abstract void Run();

    /// <summary>The reply arrives; before that Redis runs the call, if it has not yet.</summary>
    public abstract void Answer();

    /// <summary>The caller gets an error in place of the reply, whatever Redis did or will do.</summary>
    public abstract void Fail(Exception cause);

    public void Fail(QueueFault fault) => Fail(new QueueFaultException(fault, "as the test wants it"));
}

/// <inheritdoc />
internal sealed class QueueCall<T>(QueueCallKind kind, TakeLimits limits, Settlement settlement, EntryPosition after, Func<T> run)
    : QueueCall(kind, limits, settlement, after)
{
    private readonly PendingCall<Nothing, T> _pending = new(default);
    private T? _reply;
    private QueueFaultException? _refusal;

    public Task<T> Task => _pending.Task;

    public override bool IsDone => _pending.IsDone;

    public override void Run()
    {
        if (HasRun)
            return;
        HasRun = true;
        try
        {
            _reply = run();
        }
        catch (QueueFaultException refusal)
        {
            _refusal = refusal;
        }
    }

    public override void Answer()
    {
        Run();
        if (_refusal is { } refusal)
            _pending.Fail(refusal);
        else
            _pending.Answer(_reply!);
    }

    public override void Fail(Exception cause) => _pending.Fail(cause);

    /// <summary>Redis answers something else than its data give.</summary>
    public void Answer(T reply)
    {
        HasRun = true;
        _pending.Answer(reply);
    }
}
