using System.Globalization;
using Bridge.Queue;
using Bridge.Settings;

namespace Bridge.Simulation.Tests.Redis;

/// <summary>The connection that all calls of a process share but the waits.</summary>
internal sealed class SharedConnection(RedisPort port)
{
    public RedisConnection? Current { get; private set; }

    public RedisConnection? Connect() => Current = port.Connect(Current);

    public bool IsUsable => Current is { IsGivenUp: false };
}

/// <summary>
/// The client's side of a list queue, as <see cref="RedisQueue" /> has it: sessions bound to the connection
/// that they began on, what was asked before, and whether Redis remembers.
/// </summary>
internal sealed class ModelQueue(RedisPort port, SharedConnection link, ModelRedis redis, QueueSettings settings, Random random) : IOutboundQueue
{
    private sealed class OpenSession(QueueSession session, long connection)
    {
        public QueueSession Session { get; } = session;

        public long Connection { get; } = connection;

        public long? Waiting { get; set; }

        public long SettleAsked { get; set; }

        public long LastRejected { get; set; }
    }

    private readonly SettlementMemory _settlements = new();
    private readonly List<string> _unanswered = [];
    private RedisConnection? _waiting;
    private OpenSession? _open;
    private string? _prefix;
    private long _seen;

    private double Deadline => settings.CallTimeout.TotalMilliseconds;

    public async Task<Recovery> RecoverAsync(LeaseGrant grant)
    {
        var connection = link.Connect();
        var prefix = random.NextInt64().ToString("x16", CultureInfo.InvariantCulture);
        var (lastPrefix, seen) = (_prefix, _seen);
        string[] unanswered = [.. _unanswered];
        if (_unanswered.Count == 16)
            _unanswered.RemoveAt(0);
        _unanswered.Add(prefix);
        var facts = await port.CallAsync(connection, Deadline, () => redis.Recover(grant, prefix, seen, unanswered)).ConfigureAwait(false);
        var session = new QueueSession(grant, facts.Session);
        var continues = lastPrefix is not null && facts.BasePrefix == lastPrefix && facts.BaseTaken >= seen;
        if (_open?.Session is { } current && current.Grant == grant && current.Number >= session.Number)
            throw new QueueFaultException(QueueFault.Stale, "Another recovery opened a later session meanwhile.");
        _unanswered.Remove(prefix);
        (_prefix, _seen) = (prefix, facts.Taken);
        _open = new OpenSession(session, connection!.Number);
        continues &= _settlements.Recovered(facts.Count, Position(facts.First));
        return new Recovery(session, facts.Count, Position(facts.First), Position(facts.Last), facts.Mark, continues);
    }

    public async Task<TakenEntries> WaitAndTakeAsync(QueueSession session, TakeLimits limits)
    {
        ConnectionOf(session);
        _waiting = port.Connect(_waiting);
        if (_open is { } open && open.Session == session && _waiting is { } waiting && (open.Waiting ??= waiting.Number) != waiting.Number)
            throw new QueueFaultException(QueueFault.Unreachable, "The waiting connection to Redis was replaced since the session began.");
        var wait = settings.WaitTime.TotalMilliseconds;
        return Seen(session, await port.CallAsync(
            _waiting, wait + Deadline, () => redis.Take(session, limits, SettlementPart.Nothing), wait).ConfigureAwait(false));
    }

    public async Task<TakenEntries> TakeAsync(QueueSession session, TakeLimits limits, Settlement settlement)
    {
        var connection = ConnectionOf(session);
        var part = PartOf(session, settlement);
        var taken = Seen(session, await port.CallAsync(connection, Deadline, () => redis.Take(session, limits, part)).ConfigureAwait(false));
        Answered(session, part);
        return taken;
    }

    public async Task<SettleResult> SettleAsync(QueueSession session, Settlement settlement)
    {
        var connection = ConnectionOf(session);
        var part = PartOf(session, settlement);
        var settled = await port.CallAsync(connection, Deadline, () => redis.Settle(session, part)).ConfigureAwait(false);
        Answered(session, part);
        return settled;
    }

    public async Task<TakenEntries> ReadJournalAsync(QueueSession session, EntryPosition after, TakeLimits limits) =>
        await port.CallAsync(ConnectionOf(session), Deadline, () => redis.Read(session, (long)after.Low, limits)).ConfigureAwait(false);

    public async Task<QueueDepth> DepthAsync() => await port.CallAsync(link.Connect(), Deadline, redis.Depth).ConfigureAwait(false);

    public ValueTask DisposeAsync()
    {
        if (_waiting is { } waiting)
            port.Close(waiting);
        return ValueTask.CompletedTask;
    }

    private static EntryPosition Position(long sequence) => EntryPosition.OfSequence((ulong)sequence);

    private TakenEntries Seen(QueueSession session, TakenEntries taken)
    {
        if (_open?.Session == session && taken.Entries is [.., var last])
            _seen = Math.Max(_seen, (long)last.Position.Low);
        return taken;
    }

    private void Answered(QueueSession session, SettlementPart part)
    {
        if (_open?.Session == session)
            _settlements.Answered(part.Settlement);
    }

    private SettlementPart PartOf(QueueSession session, Settlement settlement)
    {
        if (_open is not { } open || open.Session != session)
            return new SettlementPart(settlement, 0, 0);
        settlement = _settlements.Completed(settlement);
        var (after, rejectedBefore, upTo) = (open.SettleAsked, open.LastRejected, (long)settlement.UpTo.Low);
        open.SettleAsked = Math.Max(after, upTo);
        if (settlement.Rejected is [.., var last])
            open.LastRejected = (long)last.Position.Low;
        return new SettlementPart(settlement, after < upTo ? after : 0, rejectedBefore);
    }

    private RedisConnection ConnectionOf(QueueSession session)
    {
        if (!link.IsUsable)
            throw new QueueFaultException(QueueFault.Unreachable, "The connection to Redis was lost since the session began.");
        if (_open is { } open && open.Session == session && open.Connection != link.Current!.Number)
            throw new QueueFaultException(QueueFault.Unreachable, "The connection to Redis was replaced since the session began.");
        return link.Current!;
    }
}
