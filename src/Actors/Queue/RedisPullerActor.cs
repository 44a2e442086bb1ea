using Akka.Actor;
using Bridge.Inbound;
using Bridge.Outcomes;
using Bridge.Scheduling;
using Bridge.Settings;
using Bridge.Stanzas;
using Bridge.Telemetry;
using Microsoft.Extensions.Logging;

namespace Bridge.Queue;

/// <summary>
/// Moves entries from Redis to the writers, and settlements back. Demand comes from the connection;
/// without it nothing is taken, and what the app pushes stays in Redis, which is the durable buffer.
/// <para>
/// Memory is a cache of the journal. After any doubt (an error, a lost reply, its own restart) the
/// puller opens a new session and reads on in the journal behind the last entry it handed over, so
/// nothing is skipped or handed over twice within one flow. When the connection must send again, it
/// begins a new flow at an earlier position, and the puller reads from there.
/// </para>
/// <para>Child of <see cref="BridgeActor" />, which replaces it together with the connection when it dies.</para>
/// </summary>
public sealed class RedisPullerActor : ReceiveActor, IWithTimers
{
    /// <summary>From the connection: hand over what comes after a position, as a new flow.</summary>
    /// <param name="Flow">Number of the flow; higher than any before.</param>
    /// <param name="After">Where to begin.</param>
    /// <param name="Writers">The router that the batches go to.</param>
    public sealed record StartFlow(int Flow, EntryPosition After, IActorRef Writers);

    /// <summary>From the connection: how far the flow's window has moved. Totals, so that a lost or late one does no harm.</summary>
    /// <param name="Flow">The flow it speaks of.</param>
    /// <param name="DoneEntries">Entries of the flow that left the window, in total.</param>
    /// <param name="DoneBytes">Their payload bytes.</param>
    /// <param name="LimitEntries">Entries that may be in the window; 0: take nothing.</param>
    /// <param name="LimitBytes">Payload bytes that may be in the window.</param>
    public sealed record WindowMoved(int Flow, long DoneEntries, long DoneBytes, int LimitEntries, long LimitBytes);

    /// <summary>From the connection: a prefix of the journal may leave it, or the confirmed mark moved, or both.</summary>
    /// <param name="Settlement">What to settle.</param>
    public sealed record Settle(Settlement Settlement);

    /// <summary>Take nothing more; hand over what the journal still has, then say so.</summary>
    public sealed record StopTaking;

    /// <summary>Take nothing for now, or take again. What was taken is handed over and settled meanwhile.</summary>
    /// <param name="Taking">Whether to take.</param>
    public sealed record SetTaking(bool Taking);

    /// <summary>To the parent: nothing is taken from here on; or it is again.</summary>
    /// <param name="Taking">Which of both.</param>
    public sealed record TakingSet(bool Taking);

    /// <summary>Settle what is pending, then say so to the sender. For the end of a drain.</summary>
    public sealed record FlushSettlements;

    /// <summary>To the sender of <see cref="FlushSettlements" />: nothing is pending any more.</summary>
    public sealed record SettlementsFlushed;

    /// <summary>To the connection: a session is open; this is what the journal holds. It answers with <see cref="StartFlow" /> in its own time.</summary>
    /// <param name="Recovery">The facts.</param>
    public sealed record JournalRecovered(Recovery Recovery);

    /// <summary>To the connection: Redis has these waiting for an answer, and some of them were thought to have ended.</summary>
    /// <param name="Awaiting">All that wait.</param>
    public sealed record AwaitingFound(IReadOnlyList<AwaitedAnswer> Awaiting);

    /// <summary>To the connection: every entry of the flow that will come has been handed over.</summary>
    /// <param name="Flow">The flow.</param>
    /// <param name="HandedEntries">How many entries that were, in total.</param>
    public sealed record TakingStopped(int Flow, long HandedEntries);

    /// <summary>To the parent: what Redis says of the queue now; for status and metrics.</summary>
    /// <param name="Depth">Lengths; null when they could not be read.</param>
    /// <param name="Fault">The fault that holds the queue up, or null.</param>
    public sealed record QueueObserved(QueueDepth? Depth, string? Fault);

    /// <summary>To the parent: the lease is not ours any more, says Redis.</summary>
    public sealed record LeaseFoundLost;

    private sealed record Recovered(int Life, Recovery Result);

    private sealed record Taken(int Life, long Ticket, TakeLimits Reserved, TakenEntries Result, Settlement Settlement);

    private sealed record JournalRead(int Life, int Flow, EntryPosition JournalLast, TakenEntries Result);

    private sealed record Settled(int Life, Settlement Settlement, SettleResult Result);

    private sealed record DepthRead(int Life, QueueDepth Depth);

    private sealed record CallFailed(int Life, Exception Cause);

    private sealed record PumpNow
    {
        public static readonly PumpNow Instance = new();
    }

    private sealed record RecoverNow
    {
        public static readonly RecoverNow Instance = new();
    }

    private sealed record ReadDepth
    {
        public static readonly ReadDepth Instance = new();
    }

    private static readonly TimeSpan DepthEvery = TimeSpan.FromSeconds(1);

    private readonly QueueSettings _settings;
    private readonly LeaseGrant _grant;
    private readonly IOutboundQueue _queue;
    private readonly IActorRef _connection;
    private readonly BridgeMetrics _metrics;
    private readonly ILogger _log = ActorLogger.Of(Context);

    // One life of the session: results of an earlier life are recognised by its number and dropped.
    private int _life;
    private QueueSession? _session;
    private bool _recovering;
    private bool _everRecovered;
    private int _failuresInRow;
    private QueueFault? _shownFault;
    private string? _faultText;
    private QueueDepth? _depth;
    private bool _depthInFlight;

    // Where the journal ends, as far as replies have told, and what the flow has been handed.
    private EntryPosition _journalLast;
    private EntryPosition _cursor;
    private IActorRef? _writers;
    private int _flow;
    private long _handedEntries;
    private long _handedBytes;
    private long _doneEntries;
    private long _doneBytes;
    private int _limitEntries;
    private long _limitBytes;

    // Takes under way, by ticket: tasks may complete in any order, entries are released in that of the calls.
    private readonly SortedDictionary<long, Taken> _arrived = [];
    private long _lastTicket;
    private long _releasedTicket;
    private int _reservedEntries;
    private long _reservedBytes;
    private bool _waiting;
    private bool _readInFlight;
    private bool _queueMayHaveMore;

    private Settlement _pending = Settlement.Nothing;
    private Settlement? _settling;
    private bool _paused;
    private bool _stopping;
    private bool _stopReported;
    private IActorRef? _flushRequester;

    /// <summary>Use <see cref="Props" />.</summary>
    public RedisPullerActor(QueueSettings settings, LeaseGrant grant, Func<IOutboundQueue> openQueue, IActorRef connection, BridgeMetrics metrics)
    {
        ArgumentNullException.ThrowIfNull(openQueue);
        _settings = settings;
        _grant = grant;
        _queue = openQueue();
        _connection = connection;
        _metrics = metrics;
        Pulling();
    }

    /// <inheritdoc />
    public ITimerScheduler Timers { get; set; } = null!;

    private bool NothingUnderWay => _lastTicket == _releasedTicket && !_waiting;

    private bool CursorAtEnd => _cursor >= _journalLast;

    /// <summary>A puller for one generation of the bridge.</summary>
    /// <param name="settings">The Redis side.</param>
    /// <param name="grant">The lease under which it works.</param>
    /// <param name="openQueue">Makes the queue; the puller owns and disposes it.</param>
    /// <param name="connection">Gets the recovered journal's facts; tells demand and settlements.</param>
    /// <param name="metrics">Where it counts.</param>
    public static Props Props(QueueSettings settings, LeaseGrant grant, Func<IOutboundQueue> openQueue, IActorRef connection, BridgeMetrics metrics) =>
        Akka.Actor.Props.Create(() => new RedisPullerActor(settings, grant, openQueue, connection, metrics));

    // One behaviour: with a session or without, messages mean the same; what may be called is asked
    // of the state (_session, _writers, the window) in Pump.
    private void Pulling()
    {
        Receive<StartFlow>(OnStartFlow);
        Receive<WindowMoved>(OnWindowMoved);
        Receive<Settle>(message =>
        {
            _pending = Merge(_pending, message.Settlement);
            Pump();
        });
        Receive<StopTaking>(_ => OnStopTaking());
        Receive<SetTaking>(OnSetTaking);
        Receive<FlushSettlements>(_ =>
        {
            _flushRequester = Sender;
            Pump();
        });
        Receive<Recovered>(message => message.Life == _life, OnRecovered);
        Receive<Taken>(message => message.Life == _life, OnTaken);
        Receive<JournalRead>(message => message.Life == _life, OnJournalRead);
        Receive<Settled>(message => message.Life == _life, OnSettled);
        Receive<DepthRead>(message => message.Life == _life, OnDepthRead);
        Receive<CallFailed>(message => message.Life == _life, message => OnFault(message.Cause));
        Receive<PumpNow>(_ => Pump());
        Receive<RecoverNow>(_ => Recover());
        Receive<ReadDepth>(_ => OnReadDepth());
        // Late results of an earlier life: the new session has read the truth from the journal.
        Receive<Recovered>(_ => { });
        Receive<Taken>(_ => { });
        Receive<JournalRead>(_ => { });
        Receive<Settled>(_ => { });
        Receive<DepthRead>(_ => { });
        Receive<CallFailed>(_ => { });
    }

    private void LeaseGone()
    {
        ReceiveAny(_ => { });
    }

    private void OnStartFlow(StartFlow message)
    {
        _flow = message.Flow;
        _writers = message.Writers;
        _cursor = message.After;
        _handedEntries = _handedBytes = _doneEntries = _doneBytes = 0;
        _readInFlight = false;
        _stopReported = false;
        Pump();
    }

    private void OnWindowMoved(WindowMoved message)
    {
        if (message.Flow != _flow)
            return;
        _doneEntries = message.DoneEntries;
        _doneBytes = message.DoneBytes;
        _limitEntries = message.LimitEntries;
        _limitBytes = message.LimitBytes;
        Pump();
    }

    private void OnStopTaking()
    {
        if (_stopping)
            return;
        _stopping = true;
        // A wait that is under way would take when it ends. A new session makes its take stale; what
        // it took before stands in the journal and is read from there. A session that is being opened does so
        // as well, and only its answer tells what Redis may have forgotten.
        if (!_recovering)
            BeginLife(TimeSpan.Zero);
    }

    private void OnSetTaking(SetTaking message)
    {
        if (message.Taking != _paused)
            return;
        _paused = !message.Taking;
        // As in a stop: a wait that is under way would take.
        if (_paused && _session is not null)
        {
            BeginLife(TimeSpan.Zero);
            return;
        }

        if (!_paused)
            Context.Parent.Tell(new TakingSet(true));
        Pump();
    }

    private void OnRecovered(Recovered message)
    {
        var recovery = message.Result;
        _recovering = false;
        if (_everRecovered && !recovery.ContinuesHistory)
            throw new QueueHistoryLostException(
                $"Redis does not remember what was done to {_settings.Keys.Queue}: a failover lost writes, or the keys were deleted. What it still has is sent again.");
        _session = recovery.Session;
        // What an earlier session's wait would still take is stale by now.
        if (_paused)
            Context.Parent.Tell(new TakingSet(false));
        _journalLast = recovery.Count == 0 ? _cursor : recovery.Last;
        _queueMayHaveMore = false;
        if (!_everRecovered)
        {
            _everRecovered = true;
            _connection.Tell(new JournalRecovered(recovery));
        }
        else if (recovery.Awaiting.Count > 0)
            _connection.Tell(new AwaitingFound(recovery.Awaiting));

        if (!Timers.IsTimerActive(nameof(ReadDepth)))
            Timers.StartPeriodicTimer(nameof(ReadDepth), ReadDepth.Instance, TimeSpan.Zero, DepthEvery);
        Pump();
    }

    private void OnTaken(Taken message)
    {
        _arrived.Add(message.Ticket, message);
        while (_arrived.Remove(_releasedTicket + 1, out var next))
        {
            _releasedTicket++;
            Release(next);
        }

        // A queue that is empty now is waited on only when what came is on the socket: asking Redis again
        // takes as long as encoding and writing one message.
        if (_queueMayHaveMore || !NothingUnderWay)
            Pump();
        else
            MailboxChain.TellLast(Self, PumpNow.Instance);
    }

    private void Release(Taken taken)
    {
        var result = taken.Result;
        _failuresInRow = 0;
        ShowFault(null, null);
        if (_waiting)
            _waiting = false;
        if (ReferenceEquals(taken.Settlement, _settling))
            SettlementDone(taken.Settlement, result.Settled);
        // Only the answer that nothing remains makes us wait; a stream that cannot tell is asked again.
        _queueMayHaveMore = result.Remaining != 0;
        CountOversize(result.Oversize);
        _reservedEntries -= taken.Reserved.Entries;
        _reservedBytes -= taken.Reserved.Bytes;
        if (result.Entries.Count == 0)
            return;
        _metrics.Taken(result.Entries.Count);
        var wasAtEnd = CursorAtEnd;
        _journalLast = result.Entries[^1].Position;
        // After a new flow began at an earlier position, entries taken meanwhile are read from the
        // journal in their turn. Such a read may run behind this take and be answered before it: then
        // some of these entries have been handed over already.
        // The same for what the window, smaller by now, has no room for.
        if (wasAtEnd && _writers is not null && HasRoomFor(result.Entries))
            HandOverBehindCursor(result.Entries);
    }

    private bool HasRoomFor(EntryBatch entries)
    {
        var (outstanding, bytes) = (_handedEntries - _doneEntries, _handedBytes - _doneBytes);
        // The last one may exceed the window's bytes, as the last one of a take may.
        foreach (ref readonly var entry in entries.Span[..^1])
            bytes += entry.Payload.Length;
        return outstanding == 0 || (outstanding + entries.Count <= _limitEntries && bytes < _limitBytes);
    }

    private void HandOverBehindCursor(EntryBatch entries)
    {
        if (entries[0].Position > _cursor)
            HandOver(entries);
        else if (entries[^1].Position > _cursor)
            HandOver([.. entries.Where(entry => entry.Position > _cursor)]);
    }

    private void OnJournalRead(JournalRead message)
    {
        if (message.Flow != _flow)
            return;
        _readInFlight = false;
        _failuresInRow = 0;
        CountOversize(message.Result.Oversize);
        if (message.Result.Entries.Count > 0)
            HandOver(message.Result.Entries);
        // A read that ended early says how far it looked. One that found nothing looked up to where the
        // journal ended when it was asked: takes may have made it longer since.
        var looked = message.Result.LookedUpTo
            ?? (message.Result.Entries.Count == 0 ? message.JournalLast : _cursor);
        if (looked > _cursor)
            _cursor = looked;
        Pump();
    }

    private void OnSettled(Settled message)
    {
        SettlementDone(message.Settlement, message.Result);
        Pump();
    }

    private void OnReadDepth()
    {
        if (_depthInFlight)
            return;
        _depthInFlight = true;
        Call(_queue.DepthAsync(), (life, depth) => new DepthRead(life, depth));
    }

    private void OnDepthRead(DepthRead message)
    {
        _depthInFlight = false;
        _depth = message.Depth;
        Context.Parent.Tell(new QueueObserved(_depth, _faultText));
    }

    private void OnFault(Exception cause)
    {
        // Anything but a named fault is a mistake in Bridge: the supervisor replaces the generation.
        if (cause is not QueueFaultException { Fault: var fault })
            throw new InvalidOperationException("A queue call failed for no named reason.", cause);
        _metrics.RedisFailed(fault);
        if (fault == QueueFault.LeaseLost)
        {
            _log.LeaseFoundLost(_settings.Keys.Queue, cause.Message);
            Timers.CancelAll();
            Context.Parent.Tell(new LeaseFoundLost());
            Become(LeaseGone);
            return;
        }

        _failuresInRow++;
        ShowFault(fault, cause.Message);
        BeginLife(QueueFaultPolicy.Delay(fault, _failuresInRow));
    }

    /// <summary>Ends the session, keeps what is known of the flow, and recovers after a delay.</summary>
    private void BeginLife(TimeSpan delay)
    {
        _life++;
        _session = null;
        _recovering = false;
        _arrived.Clear();
        _releasedTicket = _lastTicket;
        (_reservedEntries, _reservedBytes) = (0, 0);
        _waiting = false;
        _readInFlight = false;
        _depthInFlight = false;
        if (_settling is { } unsure)
        {
            // Settling twice does nothing, so what may have been lost is simply said again.
            _settling = null;
            _pending = Merge(unsure, _pending);
        }

        Timers.Cancel(nameof(ReadDepth));
        Timers.StartSingleTimer(nameof(RecoverNow), RecoverNow.Instance, delay);
    }

    private void Recover()
    {
        _recovering = true;
        Call(_queue.RecoverAsync(_grant), (life, result) => new Recovered(life, result));
    }

    /// <summary>Issues every call that the state allows.</summary>
    private void Pump()
    {
        if (_session is null)
            return;
        if (_writers is not null)
        {
            if (!CursorAtEnd)
                ReadOn();
            else if (_stopping)
                ReportStop();
            else if (!_paused)
                TakeMore();
        }
        else if (_stopping)
            ReportStop();

        SettleAlone();
    }

    private void ReadOn()
    {
        // What takes under way bring is behind the journal's end and is read in its turn: their
        // reservations take no room from this read.
        if (_readInFlight || !MayAsk(0, 0, out var limits))
            return;
        _readInFlight = true;
        var (flow, journalLast) = (_flow, _journalLast);
        Call(_queue.ReadJournalAsync(_session!, _cursor, limits), (life, result) => new JournalRead(life, flow, journalLast, result));
    }

    private void TakeMore()
    {
        if (_waiting)
            return;
        if (!_queueMayHaveMore)
        {
            if (NothingUnderWay && MayAsk(_reservedEntries, _reservedBytes, out var limits))
            {
                _waiting = true;
                Ask(_queue.WaitAndTakeAsync(_session!, limits), limits, Settlement.Nothing);
            }

            return;
        }

        while (_lastTicket - _releasedTicket < _settings.TakesInFlight && MayAsk(_reservedEntries, _reservedBytes, out var limits))
        {
            var settlement = NextSettlement();
            Ask(_queue.TakeAsync(_session!, limits, settlement), limits, settlement);
        }
    }

    private void Ask(Task<TakenEntries> call, TakeLimits limits, Settlement settlement)
    {
        var ticket = ++_lastTicket;
        _reservedEntries += limits.Entries;
        _reservedBytes += limits.Bytes;
        Call(call, (life, result) => new Taken(life, ticket, limits, result, settlement));
    }

    private bool MayAsk(int reservedEntries, long reservedBytes, out TakeLimits limits)
    {
        var outstanding = _handedEntries - _doneEntries + reservedEntries;
        var entries = (int)Math.Min(_settings.BatchEntries, _limitEntries - outstanding);
        var bytes = (int)Math.Min(_settings.BatchBytes, _limitBytes - (_handedBytes - _doneBytes + reservedBytes));
        limits = new TakeLimits(entries, bytes);
        if (entries < 1 || bytes < 1)
            return false;
        // A window that opens by a few entries at a time would turn batches into single messages.
        var worthwhile = Math.Min(_settings.BatchEntries, _limitEntries) / 4;
        return entries >= worthwhile || outstanding == 0;
    }

    private void SettleAlone()
    {
        // While takes are under way the next of them carries the settlement: one round trip for both.
        var nextTakeCarriesIt = !_waiting && !NothingUnderWay;
        if (_settling is null && !IsNothing(_pending))
        {
            if (nextTakeCarriesIt)
                return;
            var settlement = NextSettlement();
            Call(_queue.SettleAsync(_session!, settlement), (life, result) => new Settled(life, settlement, result));
        }
        else if (_settling is null && _flushRequester is { } requester)
        {
            _flushRequester = null;
            requester.Tell(new SettlementsFlushed());
        }
    }

    private Settlement NextSettlement()
    {
        if (_settling is not null || IsNothing(_pending))
            return Settlement.Nothing;
        _settling = _pending;
        _pending = Settlement.Nothing;
        return _settling;
    }

    private void SettlementDone(Settlement settlement, SettleResult result)
    {
        _settling = null;
        _metrics.Settled(result.Removed);
        if (result.DeadLettered > 0)
            CountDeadLetters(settlement, (int)result.DeadLettered);
        foreach (var entry in settlement.Ended)
        {
            if (entry is { Later: null, Outcome: { } outcome })
                _metrics.Ended(outcome.Ending);
        }

        CountPutOff(settlement, (int)result.DeadLettered);

        if (settlement.Replies)
            Context.Parent.Tell(InboundPublisherActor.DeliverReplies.Instance);
        if (result.DeadTrimmed > 0)
        {
            _metrics.DeadLettersTrimmed(result.DeadTrimmed);
            _log.DeadLettersTrimmed(result.DeadTrimmed, _settings.Keys.Queue);
        }
    }

    private void CountPutOff(Settlement settlement, int deadLettered)
    {
        EndedEntry[] later = [.. settlement.Ended.Where(entry => entry.Later is not null)];
        if (later.Length == 0)
            return;
        // What was dead-lettered besides found no room: the last of them, because the first fill it.
        var refused = Math.Clamp(deadLettered - settlement.Ended.Count(entry => entry.IsDead), 0, later.Length);
        _metrics.PutOff(later.Length - refused);
        foreach (var entry in later.AsSpan(later.Length - refused))
        {
            _metrics.DeadLettered(entry.Later!.WhenFull);
            _log.NotPutOff(entry.Position, _settings.Keys.Queue);
        }
    }

    private void CountDeadLetters(Settlement settlement, int count)
    {
        EndedEntry[] dead = [.. settlement.Ended.Where(entry => entry.IsDead)];
        // Of a settlement that was said again, the first ones may have been dead-lettered, and counted, before.
        foreach (var entry in dead.AsSpan(Math.Max(0, dead.Length - count)))
        {
            _metrics.DeadLettered(entry.Reason);
            _log.DeadLettered(entry.Position, _settings.Keys.Queue, entry.Reason, entry.Offset, entry.Detail);
        }
    }

    private void HandOver(EntryBatch entries)
    {
        _cursor = entries[^1].Position;
        var first = _handedEntries;
        _handedEntries += entries.Count;
        foreach (ref readonly var entry in entries.Span)
            _handedBytes += entry.Payload.Length;
        _writers!.Tell(new StanzaWriterActor.EncodeBatch(_flow, first, entries));
    }

    private void ReportStop()
    {
        if (_stopReported)
            return;
        _stopReported = true;
        _connection.Tell(new TakingStopped(_flow, _handedEntries));
    }

    private void CountOversize(IReadOnlyList<OversizeEntry> oversize)
    {
        foreach (var entry in oversize)
        {
            _metrics.DeadLettered(entry.Reason);
            _log.DeadLetteredUnread(entry.Position, _settings.Keys.Queue, entry.Reason, entry.Bytes);
        }
    }

    private void ShowFault(QueueFault? fault, string? words)
    {
        if (fault == _shownFault)
            return;
        _shownFault = fault;
        if (fault is { } current)
        {
            _faultText = $"{current}: {words} {QueueFaultPolicy.Advice(current)}";
            if (QueueFaultPolicy.NeedsOperator(current))
                _log.QueueNeedsOperator(_settings.Keys.Queue, current, words, QueueFaultPolicy.Advice(current));
            else
                _log.QueueFails(_settings.Keys.Queue, current, words);
        }
        else
        {
            _faultText = null;
            _log.QueueWorksAgain(_settings.Keys.Queue);
        }

        Context.Parent.Tell(new QueueObserved(_depth, _faultText));
    }

    private void Call<T>(Task<T> call, Func<int, T, object> success)
    {
        var life = _life;
        _ = MailboxChain.PipeTo(call, Self, result => success(life, result), cause => new CallFailed(life, cause));
    }

    private static bool IsNothing(Settlement settlement) =>
        settlement.UpTo == EntryPosition.Zero && settlement.Ended.Count == 0 && settlement.Mark is null && settlement.Seen.Count == 0;

    private static Settlement Merge(Settlement earlier, Settlement later) => new(
        later.UpTo > earlier.UpTo ? later.UpTo : earlier.UpTo,
        earlier.Ended.Count == 0 ? later.Ended
        : later.Ended.Count == 0 ? earlier.Ended
        : [.. earlier.Ended, .. later.Ended],
        later.Mark ?? earlier.Mark)
    {
        Seen = earlier.Seen.Count == 0 ? later.Seen : later.Seen.Count == 0 ? earlier.Seen : [.. earlier.Seen, .. later.Seen],
    };

    /// <inheritdoc />
    protected override void PreStart() => Recover();

    /// <inheritdoc />
    protected override void PostStop()
    {
        // The queue's own deadlines end what is under way; disposal only closes its connections.
        Closing.InBackground(_queue, "the queue's connections", _log);
    }
}

/// <summary>Redis does not remember what this process saw it do; the bridge begins a new generation.</summary>
public sealed class QueueHistoryLostException(string message) : Exception(message);
