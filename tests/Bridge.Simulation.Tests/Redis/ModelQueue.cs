using System.Globalization;
using Bridge.Outcomes;
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
/// The client's side of a queue, as <see cref="RedisQueue" /> has it, with the same memory of its own.
/// </summary>
internal sealed class ModelQueue(RedisPort port, SharedConnection link, ModelRedis redis, QueueSettings settings, TimeProvider time, Random random) : IOutboundQueue
{
    private readonly QueueMemory _memory = new();
    private RedisConnection? _waiting;
    private bool _knowsBlocked;
    private long? _nextDue;

    private double Deadline => settings.CallTimeout.TotalMilliseconds;

    public async Task<Recovery> RecoverAsync(LeaseGrant grant)
    {
        _waiting = port.Connect(_waiting);
        if (_waiting is not { Number: var waiting })
            throw new QueueFaultException(QueueFault.Unreachable, "Redis is down.");
        var connection = link.Connect();
        var attempt = _memory.Attempt(random.NextInt64().ToString("x16", CultureInfo.InvariantCulture));
        var facts = await port.CallAsync(
            connection, Deadline, () => redis.Recover(grant, attempt.Prefix, attempt.Seen, attempt.Unanswered)).ConfigureAwait(false);
        var recovery = _memory.Begin(attempt, grant, facts, connection!.Number, waiting);
        var (awaiting, blocked) = await port.CallAsync<(IReadOnlyList<AwaitedAnswer>, IReadOnlyList<(ulong, DateTimeOffset)>)>(
            connection, Deadline, () => redis.Waiting()).ConfigureAwait(false);
        var isFirst = !_knowsBlocked;
        _knowsBlocked = true;
        return recovery with { Awaiting = awaiting, Blocked = isFirst ? blocked : [] };
    }

    public async Task<TakenEntries> WaitAndTakeAsync(QueueSession session, TakeLimits limits)
    {
        ConnectionOf(session);
        _waiting = port.Connect(_waiting);
        if (_waiting is { } waiting)
            _memory.RequireWaiting(session, waiting.Number);
        var wait = settings.WaitTime.TotalMilliseconds;
        if (_nextDue is { } due)
            wait = Math.Clamp(time.GetElapsedTime(time.GetTimestamp(), due).TotalMilliseconds, 1, wait);
        return Seen(session, await port.CallAsync(
            _waiting, wait + Deadline, () => redis.Take(session, limits, SettlementPart.Nothing), (wait, _memory.Seen)).ConfigureAwait(false));
    }

    public async Task<TakenEntries> TakeAsync(QueueSession session, TakeLimits limits, Settlement settlement)
    {
        var connection = ConnectionOf(session);
        var part = PartOf(session, settlement);
        var taken = Seen(session, await port.CallAsync(connection, Deadline, () => redis.Take(session, limits, part)).ConfigureAwait(false));
        _memory.Settled(session, part.Settlement);
        return taken;
    }

    public async Task<SettleResult> SettleAsync(QueueSession session, Settlement settlement)
    {
        var connection = ConnectionOf(session);
        var part = PartOf(session, settlement);
        var settled = await port.CallAsync(connection, Deadline, () => redis.Settle(session, part)).ConfigureAwait(false);
        _memory.Settled(session, part.Settlement);
        return settled;
    }

    public async Task<TakenEntries> ReadJournalAsync(QueueSession session, EntryPosition after, TakeLimits limits) =>
        await port.CallAsync(ConnectionOf(session), Deadline, () => redis.Read(session, after, limits)).ConfigureAwait(false);

    public async Task<QueueDepth> DepthAsync() => await port.CallAsync(link.Connect(), Deadline, redis.Depth).ConfigureAwait(false);

    public ValueTask DisposeAsync()
    {
        if (_waiting is { } waiting)
            port.Close(waiting);
        return ValueTask.CompletedTask;
    }

    private TakenEntries Seen(QueueSession session, TakenEntries taken)
    {
        _nextDue = taken.DueIn is { } dueIn ? time.GetTimestamp() + dueIn.Ticks : null;
        if (taken.Entries is [.., var last])
            _memory.Took(session, last.Position);
        return taken;
    }

    private SettlementPart PartOf(QueueSession session, Settlement settlement) =>
        _memory.Ask(session, _memory.Completed(session, settlement));

    private RedisConnection ConnectionOf(QueueSession session)
    {
        if (!link.IsUsable)
            throw new QueueFaultException(QueueFault.Unreachable, "The connection to Redis was lost since the session began.");
        _memory.RequireConnection(session, link.Current!.Number);
        return link.Current!;
    }
}
