using System.Globalization;
using System.Security.Cryptography;
using Bridge.Outcomes;
using Bridge.Settings;
using StackExchange.Redis;

namespace Bridge.Queue;

/// <summary>
/// What list and stream queues have in common: sessions, deadlines, the order of settlements, and
/// names for what went wrong.
/// </summary>
public abstract class RedisQueue : IOutboundQueue
{
    /// <summary>Bytes that one script call may dead-letter, so that it does not block Redis for long.</summary>
    private const int DeadLetterBytesPerCall = 16 * 1024 * 1024;

    /// <summary>Endings that one call may tell: each is some ten arguments and two commands.</summary>
    private const int EndingsPerCall = 1_000;

    private const int AwaitingPerPage = 1_000;

    private const int SortedPerPage = 10_000;

    // Above what the client asks about the server while it connects.
    private const int ShortestLimitOfReplies = 64 * 1024;

    // Of a message that comes again.
    private const int RoomForWhatIsSaid = 1024;

    /// <summary>
    /// Of calls that must run in the order in which they are issued: one that the client sent again to where its slot lies now would
    /// run behind later ones. It fails instead, and the queue is recovered.
    /// </summary>
    private protected const CommandFlags InOrder = CommandFlags.NoRedirect;

    // None at all would wait for ever.
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan OutOfMemoryPause = TimeSpan.FromMilliseconds(50);

    private readonly Lock _gate = new();
    private readonly RedisLink _link;
    private readonly RedisLink _waiting;
    private readonly TimeProvider _time;
    private readonly int _deadPerCall;
    private readonly RedisKey[] _keys;

    // Under the gate.
    private readonly QueueMemory _memory = new();
    private int _takeSlice = 1;

    // The waiting connection over which Redis was told the take script.
    private long _scriptKnownOn;
    private int _readSlice = 1;

    // When the next message that was put off is due, as the last take told; a timestamp of ours.
    private long? _nextDue;

    // How many wait for an answer, as far as replies have told. A Redis that forgot the end of one has it again, and nothing
    // else tells of that.
    private long? _awaiting;

    /// <summary>Prepares a queue; connects to nothing yet.</summary>
    /// <param name="link">For every call that does not block; its owner is the caller.</param>
    /// <param name="settings">The queue.</param>
    /// <param name="dead">The bounds of its dead letters.</param>
    /// <param name="outcomes">What is told of endings, and its bounds.</param>
    /// <param name="time">The clock of deadlines and pauses.</param>
    protected RedisQueue(RedisLink link, QueueSettings settings, DeadLetterSettings dead, OutcomeSettings outcomes, TimeProvider? time)
    {
        ArgumentNullException.ThrowIfNull(settings);
        _link = link;
        Settings = settings;
        Dead = dead;
        Outcomes = outcomes;
        _time = time ?? TimeProvider.System;
        // A blocking command holds up everything behind it on its connection, so it has one of its own.
        // What ends a wait comes with it, however large: nothing above the limit is of use here.
        _waiting = new RedisLink(
            settings, "bridge-wait", _time, onReplyThread: true,
            Math.Max(settings.MaxEntryBytes, ShortestLimitOfReplies) + RoomForWhatIsSaid, settings.WaitTime + settings.CallTimeout);
        _deadPerCall = Math.Clamp(DeadLetterBytesPerCall / Math.Max(1, settings.MaxEntryBytes), 1, 128);
        var keys = settings.Keys;
        _keys =
        [
            keys.Queue, keys.Inflight, keys.Lease, keys.Confirmed, keys.Dead, keys.None, keys.Runs, keys.Outcomes, keys.Replies, keys.Awaiting, keys.Kept,
            keys.Scheduled, keys.ScheduledContent, keys.Seen,
        ];
    }

    /// <summary>The queue's settings.</summary>
    protected QueueSettings Settings { get; }

    /// <summary>The bounds of the dead letters.</summary>
    protected DeadLetterSettings Dead { get; }

    /// <summary>What is told of endings, and its bounds.</summary>
    protected OutcomeSettings Outcomes { get; }

    /// <summary>The key of the generated ids, as Redis told it last.</summary>
    private protected IdSeal? Seal { get; private set; }

    /// <summary>Keys that hold the wrong type are told from the others by the type they should have.</summary>
    private protected abstract IReadOnlyList<(string Key, string Type)> ExpectedTypes { get; }

    private protected abstract RedisScript RecoverScript { get; }

    private protected abstract RedisScript TakeScript { get; }

    private protected abstract RedisScript SettleScript { get; }

    private protected abstract RedisScript ReadScript { get; }

    /// <inheritdoc />
    public async Task<Recovery> RecoverAsync(LeaseGrant grant)
    {
        ArgumentNullException.ThrowIfNull(grant);
        // Both, before Redis is asked: one that is made later may lead to another Redis, behind the same name.
        var connecting = _link.ConnectAsync();
        var waiting = await _waiting.ConnectAsync().ConfigureAwait(false);
        var connection = await connecting.ConfigureAwait(false);
        RecoveryAttempt attempt;
        lock (_gate)
            attempt = _memory.Attempt(RandomNumberGenerator.GetHexString(16, lowercase: true));
        var lease = string.Create(CultureInfo.InvariantCulture, $"{grant.Token}:{grant.Epoch}:");
        using var reply = await SendAsync(
            _link,
            connection,
            RecoverScript.Arguments(
                _keys,
                [
                    lease, attempt.Prefix, .. RecoverArguments(attempt.Seen), RandomNumberGenerator.GetHexString(IdSeal.KeyDigits, lowercase: true),
                    .. attempt.Unanswered.Select(prefix => (RedisValue)prefix),
                ]),
            Settings.CallTimeout).ConfigureAwait(false);
        var facts = RecoverReply.Read(reply.Read());
        Seal = facts.Seal;
        Recovery recovery;
        lock (_gate)
            recovery = _memory.Begin(attempt, grant, facts, connection.Number, waiting.Number);
        // Behind the fence: nobody else adds to them any more.
        var length = await _link.SendAsync(connection, database => database.HashLengthAsync(Settings.Keys.Awaiting, CommandFlags.DemandMaster), Settings.CallTimeout).ConfigureAwait(false);
        bool isFirst, areKnown;
        lock (_gate)
            (isFirst, areKnown) = (_awaiting is null, _awaiting == length);
        if (!areKnown)
            recovery = recovery with { Awaiting = await ReadAwaitingAsync(connection).ConfigureAwait(false) };
        if (isFirst)
        {
            recovery = recovery with
            {
                Blocked = await ReadBlockedAsync(connection).ConfigureAwait(false),
                Seen = Settings.Repeats is null ? [] : await ReadSeenAsync(connection).ConfigureAwait(false),
            };
        }

        lock (_gate)
            _awaiting = length;
        return recovery;
    }

    /// <inheritdoc />
    public async Task<TakenEntries> WaitAndTakeAsync(QueueSession session, TakeLimits limits)
    {
        ArgumentNullException.ThrowIfNull(session);
        ConnectionOf(session);
        var connection = await _waiting.ConnectAsync().ConfigureAwait(false);
        lock (_gate)
            _memory.RequireWaiting(session, connection.Number);

        var deadline = Settings.WaitTime + Settings.CallTimeout;
        // Right behind the wait, in one write, without awaiting it: Redis runs the take the moment the wait ends. Its reply
        // comes first, so that it has ended when the take has: awaiting it apart would wake a thread for nothing.
        var batch = connection.Database.CreateBatch();
        var wait = IssueWait(batch);
        TakenEntries taken;
        try
        {
            var take = TakeByDigestAsync(connection, batch, session, limits, deadline);
            Send(batch);
            taken = await take.ConfigureAwait(false);
        }
        catch (QueueFaultException)
        {
            RedisLink.Abandon(wait);
            throw;
        }

        var waitFault = await EndOfAsync(wait, connection).ConfigureAwait(false);
        if (waitFault is null || taken.Entries.Count > 0 || taken.Oversize.Count > 0)
            return taken;
        // A full Redis refuses the wait, not the take: look again after a pause instead.
        if (waitFault.Fault == QueueFault.OutOfMemory)
        {
            await Task.Delay(OutOfMemoryPause, _time).ConfigureAwait(false);
            return taken;
        }

        throw waitFault;
    }

    /// <inheritdoc />
    public async Task<TakenEntries> TakeAsync(QueueSession session, TakeLimits limits, Settlement settlement)
    {
        ArgumentNullException.ThrowIfNull(session);
        ArgumentNullException.ThrowIfNull(settlement);
        var connection = ConnectionOf(session);
        var (last, before) = IssueParts(connection, session, settlement);
        var take = TakeAsync(_link, connection, connection.Database, session, limits, last, Settings.CallTimeout);
        if (before.Count == 0)
            return await take.ConfigureAwait(false);
        // All at once, so that none is left unobserved when the first fails.
        await Task.WhenAll([.. before, take]).ConfigureAwait(false);
        var taken = await take.ConfigureAwait(false);
        return taken with { Settled = Sum(await SumAsync(before).ConfigureAwait(false), taken.Settled) };
    }

    /// <inheritdoc />
    public async Task<SettleResult> SettleAsync(QueueSession session, Settlement settlement)
    {
        ArgumentNullException.ThrowIfNull(session);
        ArgumentNullException.ThrowIfNull(settlement);
        var connection = ConnectionOf(session);
        var (last, before) = IssueParts(connection, session, settlement);
        before.Add(SettlePartAsync(connection, session, last));
        await Task.WhenAll(before).ConfigureAwait(false);
        return await SumAsync(before).ConfigureAwait(false);
    }

    /// <inheritdoc />
    public async Task<TakenEntries> ReadJournalAsync(QueueSession session, EntryPosition after, TakeLimits limits)
    {
        ArgumentNullException.ThrowIfNull(session);
        var connection = ConnectionOf(session);
        using var reply = await SendAsync(
            _link,
            connection,
            ReadScript.Arguments(_keys, Values(session, SettlementPart.Nothing with { Settlement = new Settlement(after, [], null) }, limits, Volatile.Read(ref _readSlice))),
            Settings.CallTimeout).ConfigureAwait(false);
        var read = TakeReply.Read(reply.Read(), ReadEntries);
        Volatile.Write(ref _readSlice, Math.Max(1, read.Slice));
        return read.Unfinished ? read.Taken with { LookedUpTo = LastOf(read.Taken) } : read.Taken;
    }

    /// <inheritdoc />
    public abstract Task<QueueDepth> DepthAsync();

    /// <summary>Closes the waiting connection; the other one is its owner's.</summary>
    public async ValueTask DisposeAsync()
    {
        await _waiting.DisposeAsync().ConfigureAwait(false);
        GC.SuppressFinalize(this);
    }

    /// <summary>The two things that <see cref="RecoverScript" /> is told besides lease, prefix and key.</summary>
    private protected abstract RedisValue[] RecoverArguments(EntryPosition seen);

    /// <summary>What the scripts are told between the common arguments and the rejected entries.</summary>
    private protected virtual RedisValue[] KindArguments() => [];

    /// <summary>How the scripts of this kind write a position.</summary>
    private protected abstract RedisValue PositionArgument(EntryPosition position);

    /// <summary>The blocking command.</summary>
    private protected abstract Task<RespResult> IssueWaitAsync(IDatabaseAsync database, EntryPosition seen, TimeSpan wait);

    /// <summary>Reads the entries out of a reply, with what they have in common.</summary>
    private protected abstract EntryBatch ReadEntries(ref RESPite.Messages.RespReader reader);

    /// <summary>Sends arguments of EVAL or EVALSHA; names the key at fault when one has the wrong type.</summary>
    private protected Task<RespResult> SendAsync(RedisLink link, RedisConnection connection, RedisKeyOrValue[] arguments, TimeSpan deadline) =>
        SendAsync(link, connection, connection.Database, arguments, deadline, "EVAL");

    private async Task<RespResult> SendAsync(
        RedisLink link,
        RedisConnection connection,
        IDatabaseAsync database,
        RedisKeyOrValue[] arguments,
        TimeSpan deadline,
        string command)
    {
        try
        {
            return await link.SendAsync(connection, _ => database.ExecuteRespAsync(command, arguments, InOrder), deadline)
                .ConfigureAwait(false);
        }
        catch (QueueFaultException fault) when (fault.Fault == QueueFault.WrongType)
        {
            throw new QueueFaultException(fault.Fault, await DescribeTypesAsync(fault.Message).ConfigureAwait(false), fault);
        }
    }

    /// <summary>Sends a script outside any session, connecting where there is no connection.</summary>
    private protected async Task<RespResult> SendAsync(RedisScript script, params RedisValue[] values)
    {
        var connection = await _link.ConnectAsync().ConfigureAwait(false);
        return await SendAsync(_link, connection, script.Arguments(_keys, values), Settings.CallTimeout).ConfigureAwait(false);
    }

    private async Task<IReadOnlyList<AwaitedAnswer>> ReadAwaitingAsync(RedisConnection connection)
    {
        List<AwaitedAnswer> awaiting = [];
        RedisValue cursor = 0;
        do
        {
            var at = cursor;
            var page = (RedisResult[])(await _link.SendAsync(
                connection,
                database => database.ExecuteAsync("HSCAN", [(RedisKey)Settings.Keys.Awaiting, at, "COUNT", AwaitingPerPage], CommandFlags.DemandMaster),
                Settings.CallTimeout).ConfigureAwait(false))!;
            cursor = (RedisValue)page[0];
            var fields = (RedisValue[])page[1]!;
            for (var i = 0; i + 1 < fields.Length; i += 2)
            {
                if (AwaitedAnswer.TryRead(fields[i]!, fields[i + 1]!, out var awaited))
                    awaiting.Add(awaited!);
            }
        }
        while (cursor != 0);

        // HSCAN may bring a field twice.
        return [.. awaiting.DistinctBy(awaited => awaited.Key)];
    }

    // A key ends in whom it blocks.
    private async Task<IReadOnlyList<(ulong Recipient, DateTimeOffset Due)>> ReadBlockedAsync(RedisConnection connection)
    {
        List<(ulong, DateTimeOffset)> blocked = [];
        await foreach (var scheduled in ReadSortedAsync(connection, Settings.Keys.Scheduled).ConfigureAwait(false))
        {
            if (((string?)scheduled.Element)?.Split(':') is [_, var hash]
                && ulong.TryParse(hash, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var recipient) && recipient != 0)
                blocked.Add((recipient, DateTimeOffset.FromUnixTimeMilliseconds((long)scheduled.Score)));
        }

        return blocked;
    }

    private async Task<IReadOnlyList<SeenId>> ReadSeenAsync(RedisConnection connection)
    {
        List<SeenId> seen = [];
        await foreach (var member in ReadSortedAsync(connection, Settings.Keys.Seen).ConfigureAwait(false))
        {
            if (SeenId.TryRead(member.Element, member.Score, out var one))
                seen.Add(one);
        }

        return seen;
    }

    private async IAsyncEnumerable<SortedSetEntry> ReadSortedAsync(RedisConnection connection, string key)
    {
        for (var from = 0L; ; from += SortedPerPage)
        {
            var start = from;
            var page = await _link.SendAsync(
                connection,
                database => database.SortedSetRangeByRankWithScoresAsync(key, start, start + SortedPerPage - 1, flags: CommandFlags.DemandMaster),
                Settings.CallTimeout).ConfigureAwait(false);
            foreach (var entry in page)
                yield return entry;
            if (page.Length < SortedPerPage)
                yield break;
        }
    }

    private static SettleResult Sum(SettleResult left, SettleResult right) => new(
        left.Removed + right.Removed, left.DeadLettered + right.DeadLettered, left.DeadTrimmed + right.DeadTrimmed);

    /// <summary>The last entry that a reply speaks of, whether it brings it or says that it was dead-lettered.</summary>
    private static EntryPosition LastOf(TakenEntries taken)
    {
        var brought = taken.Entries is [.., var entry] ? entry.Position : EntryPosition.Zero;
        return taken.Oversize is [.., var buried] && buried.Position > brought ? buried.Position : brought;
    }

    private static async Task<SettleResult> SumAsync(List<Task<SettleResult>> parts)
    {
        var sum = default(SettleResult);
        foreach (var part in parts)
            sum = Sum(sum, await part.ConfigureAwait(false));
        return sum;
    }

    private Task<RespResult> IssueWait(IDatabaseAsync database)
    {
        EntryPosition seen;
        var wait = Settings.WaitTime;
        lock (_gate)
        {
            seen = _memory.Seen;
            // What is due ends a wait that nothing else ends.
            if (_nextDue is { } due && _time.GetElapsedTime(_time.GetTimestamp(), due) is var left && left < wait)
                wait = left > ShortestWait ? left : ShortestWait;
        }

        try
        {
            return IssueWaitAsync(database, seen, wait);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            // The client throws at once where it has no connection; the take behind it meets the same.
            return Task.FromException<RespResult>(exception);
        }
    }

    private async Task<QueueFaultException?> EndOfAsync(Task<RespResult> wait, RedisConnection connection)
    {
        try
        {
            (await wait.WaitAsync(Settings.CallTimeout, _time).ConfigureAwait(false)).Dispose();
            return null;
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            RedisLink.Abandon(wait);
            return _waiting.FaultOf(connection, exception, Settings.CallTimeout);
        }
    }

    private static void Send(IBatch batch)
    {
        try
        {
            batch.Execute();
        }
        catch (RedisConnectionException)
        {
            // What was in the batch says the same to whoever waits for it.
        }
    }

    private async Task<TakenEntries> TakeByDigestAsync(
        RedisConnection connection, IBatch batch, QueueSession session, TakeLimits limits, TimeSpan deadline)
    {
        IDatabaseAsync database = batch;
        if (Interlocked.Read(ref _scriptKnownOn) == connection.Number)
        {
            try
            {
                return await TakeAsync(_waiting, connection, database, session, limits, SettlementPart.Nothing, deadline, byDigest: true).ConfigureAwait(false);
            }
            catch (QueueFaultException fault) when (RedisFaults.IsUnknownScript(fault))
            {
                // A SCRIPT FLUSH: nothing was done. EVAL tells Redis the script again. The batch is on its way.
                database = connection.Database;
            }
        }

        var taken = await TakeAsync(_waiting, connection, database, session, limits, SettlementPart.Nothing, deadline).ConfigureAwait(false);
        Interlocked.Exchange(ref _scriptKnownOn, connection.Number);
        return taken;
    }

    private async Task<TakenEntries> TakeAsync(
        RedisLink link,
        RedisConnection connection,
        IDatabaseAsync database,
        QueueSession session,
        TakeLimits limits,
        SettlementPart part,
        TimeSpan deadline,
        bool byDigest = false)
    {
        var values = Values(session, part, limits, Volatile.Read(ref _takeSlice));
        var arguments = byDigest ? TakeScript.ArgumentsByDigest(_keys, values) : TakeScript.Arguments(_keys, values);
        using var reply = await SendAsync(link, connection, database, arguments, deadline, byDigest ? "EVALSHA" : "EVAL").ConfigureAwait(false);
        var read = TakeReply.Read(reply.Read(), ReadEntries);
        Volatile.Write(ref _takeSlice, Math.Max(1, read.Slice));
        lock (_gate)
        {
            _memory.Took(session, LastOf(read.Taken));
            if (!read.Unfinished)
                Settled(session, part.Settlement);
            _nextDue = read.Taken.DueIn is { } dueIn ? _time.GetTimestamp() + (long)(dueIn.TotalSeconds * _time.TimestampFrequency) : null;
        }

        return read.Unfinished
            ? read.Taken with
            {
                Settled = Sum(read.Taken.Settled, await SettlePartAsync(ConnectionOf(session), session, part).ConfigureAwait(false)),
            }
            : read.Taken;
    }

    private async Task<SettleResult> SettlePartAsync(RedisConnection connection, QueueSession session, SettlementPart part)
    {
        var sum = default(SettleResult);
        bool unfinished;
        do
        {
            var arguments = SettleScript.Arguments(_keys, Values(session, part, new TakeLimits(0, 0), 1));
            using var reply = await SendAsync(_link, connection, arguments, Settings.CallTimeout).ConfigureAwait(false);
            var read = TakeReply.Read(reply.Read(), ReadEntries);
            sum = Sum(sum, read.Taken.Settled);
            unfinished = read.Unfinished;
        }
        while (unfinished);
        lock (_gate)
            Settled(session, part.Settlement);
        return sum;
    }

    private void Settled(QueueSession session, Settlement settlement)
    {
        _memory.Settled(session, settlement);
        foreach (var ended in settlement.Ended)
        {
            if (ended.Awaits is not null)
                _awaiting++;
            else if (ended.AwaitedKey is not null)
                _awaiting--;
        }
    }

    /// <summary>The arguments of taking, settling and reading, which stand in one order for all of them.</summary>
    private RedisValue[] Values(QueueSession session, SettlementPart part, TakeLimits limits, int slice)
    {
        var settlement = part.Settlement;
        var mark = settlement.Mark;
        List<RedisValue> values =
        [
            session.LeaseValue,
            PositionArgument(settlement.UpTo),
            PositionArgument(part.After),
            mark is null ? "" : mark.Position.ToString(),
            mark?.Endpoint ?? "",
            mark?.ServerStart ?? 0,
            Dead.MaxEntries,
            (long)Dead.MaxAge.TotalMilliseconds,
            limits.Entries,
            limits.Bytes,
            Settings.MaxEntryBytes,
            slice,
            PositionArgument(part.EndedBefore),
            Outcomes.MaxEntries,
            Outcomes.Mode == OutcomeMode.None ? "0" : "1",
            mark is { Owed: true } ? "1" : "0",
            Settings.MaxScheduled,
            settlement.Seen.Count == 0 ? "" : string.Join(' ', settlement.Seen.Select(seen => seen.Member)),
            Settings.Repeats is { } repeats ? (long)repeats.Window.TotalMilliseconds : 0,
            Settings.Repeats?.MaxEntries ?? 0,
            .. KindArguments(),
        ];
        foreach (var ended in settlement.Ended)
        {
            values.AddRange(
                [PositionArgument(ended.Position), ended.Reason, ended.Later?.WhenFull ?? ended.Detail, ended.Offset, ended.Attempts, ended.AwaitedKey ?? ended.Expected ?? ""]);
            if (ended.Awaits is { } awaited)
                values.AddRange([awaited.Key, awaited.Json(), awaited.MayBeSentAgain ? -2 : -1]);
            else
            {
                if (ended.Later is { } later)
                    values.AddRange([string.Create(CultureInfo.InvariantCulture, $"{later.Due.ToUnixTimeMilliseconds()} {later.Said.Recipient:x}"), later.Said.Line(), -3]);
                AddOutcome(values, ended.Outcome);
            }
        }

        return [.. values];
    }

    private void AddOutcome(List<RedisValue> values, Outcome? outcome)
    {
        values.AddRange(outcome is { ReplyTo: { } key } ? [key, outcome.Json()] : ["", ""]);
        if (outcome is null || !outcome.IsWantedBy(Outcomes.Mode))
        {
            values.Add(0);
            return;
        }

        var fields = outcome.Fields();
        values.Add(fields.Count);
        foreach (var field in fields)
            values.Add(field);
    }

    /// <summary>
    /// Cuts a settlement with many entries that end into parts, each small enough for one call, and
    /// issues all but the last, which carries the mark. A part whose predecessor failed changes
    /// nothing and says stale.
    /// </summary>
    private (SettlementPart Last, List<Task<SettleResult>> Before) IssueParts(RedisConnection connection, QueueSession session, Settlement settlement)
    {
        List<Task<SettleResult>> before = [];
        lock (_gate)
            settlement = _memory.Completed(session, settlement);

        if (settlement.Ended.Count <= _deadPerCall)
            return (PartOf(session, settlement), before);

        // A part removes what lies before its last entry that ends: none of a later part may be there.
        // Behind them those that had left the journal: one may have done so in this very settlement.
        EndedEntry[] ended = [.. settlement.Ended.OrderBy(entry => entry.AwaitedKey is not null).ThenBy(entry => entry.Position)];
        var start = 0;
        while (EndOfPart(ended, start) is var end && end < ended.Length)
        {
            var some = ended[start..end];
            // What ends behind the prefix does not make the prefix longer.
            var upTo = some[^1].Position < settlement.UpTo ? some[^1].Position : settlement.UpTo;
            before.Add(SettlePartAsync(connection, session, PartOf(session, new Settlement(upTo, some, null))));
            start = end;
        }

        return (PartOf(session, settlement with { Ended = ended[start..] }), before);
    }

    private int EndOfPart(EndedEntry[] ended, int start)
    {
        var dead = 0;
        var end = start;
        while (end < ended.Length && end - start < EndingsPerCall && (!ended[end].IsDead || ++dead <= _deadPerCall))
            end++;
        return end;
    }

    private SettlementPart PartOf(QueueSession session, Settlement settlement)
    {
        lock (_gate)
            return _memory.Ask(session, settlement);
    }

    private RedisConnection ConnectionOf(QueueSession session)
    {
        if (!_link.TryGetConnection(out var connection))
            throw new QueueFaultException(QueueFault.Unreachable, "The connection to Redis was lost since the session began.");
        lock (_gate)
            _memory.RequireConnection(session, connection.Number);
        return connection;
    }

    private async Task<string> DescribeTypesAsync(string otherwise)
    {
        List<string> wrong = [];
        try
        {
            foreach (var (key, expected) in ExpectedTypes)
            {
                var found = (string?)await _link.CallAsync(database => database.ExecuteAsync("TYPE", [(RedisKey)key])).ConfigureAwait(false);
                if (found != expected && found != "none")
                    wrong.Add($"The key {key} holds a {found}, expected is a {expected}.");
            }
        }
        catch (QueueFaultException fault)
        {
            // Which key it is remains unsaid; that one has the wrong type is known already.
            return $"{otherwise} (Which key it is could not be found out: {fault.Message})";
        }

        return wrong.Count > 0 ? string.Join(' ', wrong) : otherwise;
    }
}
