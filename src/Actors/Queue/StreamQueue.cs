using System.Security.Cryptography;
using System.Text;
using Bridge.Settings;
using RESPite.Messages;
using StackExchange.Redis;

namespace Bridge.Queue;

/// <summary>
/// An outbound queue on a Redis stream that the app XADDs to. The journal is the pending entries of
/// the consumer group, all of them of one constant consumer. A stream or group that is missing is
/// made by <see cref="RedisQueue.RecoverAsync" />.
/// </summary>
/// <remarks>
/// A take may exceed the bytes it is limited to by what one slice of the script reads: what
/// XREADGROUP has delivered cannot be given back.
/// </remarks>
/// <param name="link">For every call that does not block; its owner is the caller.</param>
/// <param name="settings">The queue.</param>
/// <param name="dead">The bounds of its dead letters.</param>
/// <param name="outcomes">What is told of endings, and its bounds.</param>
/// <param name="time">The clock of deadlines and pauses.</param>
public sealed class StreamQueue(
    RedisLink link, QueueSettings settings, DeadLetterSettings dead, OutcomeSettings outcomes, TimeProvider? time = null)
    : RedisQueue(link, settings, dead, outcomes, time)
{
    private static readonly RedisScript Recover = RedisScript.Load("stream-position", "stream-recover");
    private static readonly RedisScript Take = RedisScript.Load("fence", "bury", "schedule", "tell", "stream-position", "stream-settle", "stream-take-main");
    private static readonly RedisScript Settle = RedisScript.Load("fence", "bury", "schedule", "tell", "stream-position", "stream-settle", "stream-settle-main");
    private static readonly RedisScript Read = RedisScript.Load("fence", "bury", "schedule", "tell", "stream-position", "stream-settle", "stream-read-main");
    private static readonly RedisScript Depth = RedisScript.Load("stream-depth");

    private readonly string _idPrefix = StreamElement.IdPrefix(settings.Keys.Queue);

    private readonly RedisValue[] _arguments =
        [settings.Group, settings.Deletion == StreamDeletion.Own ? "1" : "0", "b-" + StreamElement.IdPrefix(settings.Keys.Queue) + "-"];

    private protected override IReadOnlyList<(string Key, string Type)> ExpectedTypes { get; } =
    [
        (settings.Keys.Queue, "stream"),
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

    /// <summary>
    /// Length of the queue and of its journal. On Redis 6.2, and on Redis 7 once entries were deleted,
    /// the queued entries of a stream whose settled entries are never deleted are an upper bound.
    /// </summary>
    public override async Task<QueueDepth> DepthAsync()
    {
        using var reply = await SendAsync(Depth, Settings.Group).ConfigureAwait(false);
        return Parse(reply.Read());

        static QueueDepth Parse(RespReader reader)
        {
            reader.DemandAggregate();
            reader.MoveNextScalar();
            var queued = reader.ReadInt64();
            reader.MoveNextScalar();
            var journal = reader.ReadInt64();
            reader.MoveNextScalar();
            return new QueueDepth(
                queued,
                journal,
                EntryPosition.TryParse(reader.ReadString(), out var oldest) ? StreamElement.PushedAt(oldest) : null,
                ReadScheduled(ref reader));
        }

        static long ReadScheduled(ref RespReader reader)
        {
            reader.MoveNextScalar();
            return reader.ReadInt64();
        }
    }

    private protected override RedisValue[] RecoverArguments(EntryPosition seen) => ["", Settings.Group];

    private protected override RedisValue[] KindArguments() => _arguments;

    private protected override RedisValue PositionArgument(EntryPosition position) => position.ToString();

    private protected override Task<RespResult> IssueWaitAsync(IDatabaseAsync database, EntryPosition seen, TimeSpan wait)
    {
        // XREAD delivers to nobody: it only tells that there is something behind what was taken.
        RedisKeyOrValue[] arguments =
        [
            (RedisValue)"COUNT", (RedisValue)1, (RedisValue)"BLOCK", (RedisValue)(long)Math.Ceiling(wait.TotalMilliseconds),
            (RedisValue)"STREAMS", (RedisKey)Settings.Keys.Queue, (RedisValue)seen.ToString(),
        ];
        return database.ExecuteRespAsync("XREAD", arguments, InOrder);
    }

    private protected override EntryBatch ReadEntries(ref RespReader reader) => StreamElement.Read(ref reader, new GeneratedIds(_idPrefix, ofStream: true, Seal));
}

/// <summary>Turns stream entries into queue entries. Pure.</summary>
internal static class StreamElement
{
    /// <summary>
    /// Streams are younger than this (Redis 5 is of 2018): an id below it was chosen by the app and
    /// is no time.
    /// </summary>
    private const ulong EarliestTime = 1_500_000_000_000;

    private const ulong LatestTime = 253_402_300_799_999;

    // Two numbers of 64 bits and a dash.
    private const int LongestId = 41;

    /// <summary>Prefix of the generated ids of a stream queue: 8 hex digits of its name's SHA-256.</summary>
    public static string IdPrefix(string queue) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(queue)).AsSpan(0, 4));

    /// <summary>The time that an entry id carries; null when it is none.</summary>
    public static DateTimeOffset? PushedAt(EntryPosition position) =>
        position.High is >= EarliestTime and <= LatestTime
            ? DateTimeOffset.FromUnixTimeMilliseconds((long)position.High)
            : null;

    /// <summary>
    /// Reads an array with when the entries were taken, once for all of them or once for each, and one with
    /// their ids and contents in turn. A content is the payload, or an array of fields and values in turn of
    /// which a flat JSON envelope is made.
    /// </summary>
    /// <exception cref="QueueFaultException">The reply has another form.</exception>
    public static EntryBatch Read(ref RespReader reader, GeneratedIds ids)
    {
        reader.MoveNextAggregate();
        var times = new DateTimeOffset[reader.AggregateLength()];
        for (var i = 0; i < times.Length; i++)
        {
            reader.MoveNextScalar();
            times[i] = DateTimeOffset.FromUnixTimeMilliseconds(reader.ReadInt64());
        }

        reader.MoveNextAggregate();
        var count = reader.AggregateLength() / 2;
        if (count > 0 && times.Length != 1 && times.Length != count)
            throw TakeReply.Unreadable();
        var batch = EntryBatch.Rent(count, reader);
        Span<byte> id = stackalloc byte[LongestId];
        for (var i = 0; i < count; i++)
        {
            reader.MoveNextScalar();
            if (reader.ScalarLength() > LongestId || !EntryPosition.TryParse(id[..reader.CopyTo(id)], out var position))
                throw TakeReply.Unreadable();
            reader.MoveNext();
            var payload = reader.IsScalar
                ? batch.Copy(ref reader)
                : ReadFields(ref reader);
            batch.Add(new QueueEntry(
                position, EntryKind.Payload, ids, payload, times[times.Length == 1 ? 0 : i], PushedAt(position)));
        }

        return batch;
    }

    private static ReadOnlyMemory<byte> ReadFields(ref RespReader reader)
    {
        var fields = reader.AggregateLength() / 2;
        var ahead = reader;
        reader.SkipChildren();
        var envelope = StreamEnvelope.Write(ahead, fields, out var deferred);
        return deferred.IsEmpty ? envelope : (byte[])[.. deferred.Span, (byte)'\n', .. envelope.Span];
    }

}
