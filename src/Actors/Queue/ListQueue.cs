using Bridge.Outcomes;
using Bridge.Settings;
using RESPite.Messages;
using StackExchange.Redis;

namespace Bridge.Queue;

/// <summary>
/// An outbound queue on a Redis list that the app RPUSHes to. The journal is the list
/// <c>{q}:inflight</c>: what was taken and not settled, in order, with sequences that rise by one; what
/// entries that were taken together have in common stands in <c>{q}:runs</c>.
/// </summary>
/// <param name="link">For every call that does not block; its owner is the caller.</param>
/// <param name="settings">The queue.</param>
/// <param name="dead">The bounds of its dead letters.</param>
/// <param name="outcomes">What is told of endings, and its bounds.</param>
/// <param name="time">The clock of deadlines and pauses.</param>
public sealed class ListQueue(
    RedisLink link, QueueSettings settings, DeadLetterSettings dead, OutcomeSettings outcomes, TimeProvider? time = null)
    : RedisQueue(link, settings, dead, outcomes, time)
{
    private static readonly RedisScript Recover = RedisScript.Load("list-recover");
    private static readonly RedisScript Take = RedisScript.Load("fence", "bury", "schedule", "tell", "list-journal", "list-settle", "list-take-main");
    private static readonly RedisScript Settle = RedisScript.Load("fence", "bury", "schedule", "tell", "list-journal", "list-settle", "list-settle-main");
    private static readonly RedisScript Read = RedisScript.Load("fence", "list-journal", "list-read-main");

    private readonly RedisLink _link = link;

    private protected override IReadOnlyList<(string Key, string Type)> ExpectedTypes { get; } =
    [
        (settings.Keys.Queue, "list"),
        (settings.Keys.Inflight, "list"),
        (settings.Keys.Runs, "list"),
        (settings.Keys.Lease, "string"),
        (settings.Keys.Confirmed, "hash"),
        (settings.Keys.Dead, "stream"),
        (settings.Keys.Outcomes, "stream"),
        (settings.Keys.Replies, "stream"),
        (settings.Keys.Awaiting, "hash"),
        (settings.Keys.Kept, "hash"),
        (settings.Keys.Scheduled, "zset"),
        (settings.Keys.ScheduledContent, "hash"),
        (settings.Keys.Seen, "zset"),
    ];

    private protected override RedisScript RecoverScript => Recover;

    private protected override RedisScript TakeScript => Take;

    private protected override RedisScript SettleScript => Settle;

    private protected override RedisScript ReadScript => Read;

    /// <inheritdoc />
    public override async Task<QueueDepth> DepthAsync()
    {
        var connection = await _link.ConnectAsync().ConfigureAwait(false);
        var queued = LengthAsync(connection, Settings.Keys.Queue);
        var journal = LengthAsync(connection, Settings.Keys.Inflight);
        var scheduled = _link.SendAsync(connection, database => database.SortedSetLengthAsync(Settings.Keys.Scheduled), Settings.CallTimeout);
        await Task.WhenAll(queued, journal, scheduled).ConfigureAwait(false);
        return new QueueDepth(await queued.ConfigureAwait(false), await journal.ConfigureAwait(false), null, await scheduled.ConfigureAwait(false));
    }

    private protected override RedisValue[] RecoverArguments(EntryPosition seen) => [seen.Low, ""];

    private protected override RedisValue PositionArgument(EntryPosition position) => position.Low;

    private protected override Task<RespResult> IssueWaitAsync(IDatabaseAsync database, EntryPosition seen, TimeSpan wait)
    {
        // Moves the head onto itself: wakes when there is one, and changes nothing (BLMOVE, Redis 6.2).
        RedisKey queue = Settings.Keys.Queue;
        RedisKeyOrValue[] arguments =
            [queue, queue, (RedisValue)"LEFT", (RedisValue)"LEFT", (RedisValue)wait.TotalSeconds];
        return database.ExecuteRespAsync("BLMOVE", arguments, InOrder);
    }

    private protected override EntryBatch ReadEntries(ref RespReader reader) => JournalRun.Read(ref reader, Seal);

    private Task<long> LengthAsync(RedisConnection connection, string key) =>
        _link.SendAsync(connection, database => database.ListLengthAsync(key), Settings.CallTimeout);
}

/// <summary>Numbers the payloads of a list's journal by the runs that they belong to. Pure.</summary>
internal static class JournalRun
{
    /// <summary>Reads an array of runs and one of payloads, whose generated ids get this seal. An empty payload holds the place of a dead letter.</summary>
    /// <exception cref="QueueFaultException">The runs have gaps, or are for more or fewer entries than there are.</exception>
    public static EntryBatch Read(ref RespReader reader, IdSeal? seal)
    {
        reader.MoveNextAggregate();
        var runs = new TakenRun[reader.AggregateLength()];
        for (var i = 0; i < runs.Length; i++)
        {
            reader.MoveNextScalar();
            if (!TakenRun.TryParse(reader.ReadString(), out runs[i])
                || (i > 0 && runs[i].First != runs[i - 1].First + (ulong)runs[i - 1].Count))
                throw TakeReply.Unreadable();
        }

        reader.MoveNextAggregate();
        var left = reader.AggregateLength();
        var batch = EntryBatch.Rent(left, reader);
        foreach (ref readonly var run in runs.AsSpan())
        {
            if (run.Count > left)
                throw TakeReply.Unreadable();
            left -= run.Count;
            var ids = new GeneratedIds(run.Prefix, ofStream: false, seal);
            for (var i = 0; i < run.Count; i++)
            {
                reader.MoveNextScalar();
                var payload = batch.Copy(ref reader);
                batch.Add(new QueueEntry(
                    EntryPosition.OfSequence(run.First + (ulong)i),
                    payload.IsEmpty ? EntryKind.DeadLettered : EntryKind.Payload,
                    ids,
                    payload,
                    run.TakenAt,
                    null));
            }
        }

        return left == 0 ? batch : throw TakeReply.Unreadable();
    }
}
