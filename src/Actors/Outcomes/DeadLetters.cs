using System.Collections.Immutable;
using System.Globalization;
using Bridge.Queue;
using Bridge.Settings;
using RESPite.Messages;
using StackExchange.Redis;

namespace Bridge.Outcomes;

/// <summary>One entry of the dead-letter stream.</summary>
/// <param name="Id">Its id in the dead-letter stream; serves to show, replay and purge it.</param>
/// <param name="Reason">Wire name of why it was not sent.</param>
/// <param name="Detail">One line; may be empty.</param>
/// <param name="Offset">Byte offset of the fault in the payload, -1 where no single byte is at fault.</param>
/// <param name="Position">Its place in the queue's order.</param>
/// <param name="GeneratedId">The stanza id that it had or would have had.</param>
/// <param name="Attempts">How often it was written to a socket.</param>
/// <param name="At">When it was dead-lettered, by the clock of Redis.</param>
/// <param name="TakenAt">When it was taken from the queue, by the clock of Redis.</param>
/// <param name="Size">Bytes of the payload, or of all fields' values.</param>
/// <param name="Payload">
/// What the app pushed, cut where a page shows only its beginning; empty for a stream entry of
/// several fields, and where the body was gone.
/// </param>
/// <param name="Fields">The fields of a stream entry of several, in their order; else empty.</param>
public sealed record DeadLetter(
    string Id,
    string Reason,
    string Detail,
    int Offset,
    EntryPosition Position,
    string GeneratedId,
    int Attempts,
    DateTimeOffset At,
    DateTimeOffset TakenAt,
    long Size,
    ReadOnlyMemory<byte> Payload,
    ImmutableArray<KeyValuePair<string, ReadOnlyMemory<byte>>> Fields);

/// <summary>What became of a replay.</summary>
/// <param name="Replayed">Put back at the queue's end, and no longer among the dead letters.</param>
/// <param name="WithoutBody">Left where they were: their body was gone when they were dead-lettered, or does not fit the kind of the queue.</param>
public readonly record struct ReplayResult(long Replayed, long WithoutBody);

/// <summary>
/// The dead letters of one queue, of either kind: to be looked at, put back, and thrown away. Works
/// beside a running Bridge, without the lease. Calls throw <see cref="QueueFaultException" />.
/// </summary>
/// <param name="link">Its owner is the caller.</param>
/// <param name="keys">The queue.</param>
/// <param name="kind">What a replay writes to.</param>
public sealed class DeadLetters(RedisLink link, QueueKeys keys, QueueKind kind)
{
    private const int PreviewBytes = 1024;
    private const int ReplaysAtOnce = 16;

    private static readonly RedisScript Page = RedisScript.Load("dead-page");
    private static readonly RedisScript Replay = RedisScript.Load("dead-replay");

    /// <summary>How many there are.</summary>
    public Task<long> CountAsync() => link.CallAsync(database => database.StreamLengthAsync(keys.Dead));

    /// <summary>A page, each with the first 1,024 bytes of its payload.</summary>
    /// <param name="count">Letters at most, at least 1.</param>
    /// <param name="newestFirst">From the newest to the oldest, or the other way.</param>
    /// <param name="behind">The last id of the page before; null for the first page.</param>
    public async Task<ImmutableArray<DeadLetter>> ListAsync(int count, bool newestFirst = true, string? behind = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        var page = ImmutableArray.CreateBuilder<DeadLetter>();
        while (page.Count < count)
        {
            var arguments = Page.Arguments([keys.Dead], newestFirst ? "newest" : "oldest", behind ?? "", count - page.Count, PreviewBytes);
            using var reply = await link.CallAsync(database => database.ExecuteRespAsync("EVAL", arguments)).ConfigureAwait(false);
            var before = page.Count;
            ReadPage(reply.Read(), page);
            if (page.Count == before)
                break;
            behind = page[^1].Id;
        }

        return page.ToImmutable();
    }

    /// <summary>One letter, whole; null when there is none of this id.</summary>
    public async Task<DeadLetter?> ShowAsync(string id)
    {
        RedisKeyOrValue[] arguments = [(RedisKey)keys.Dead, (RedisValue)id, (RedisValue)id];
        using var reply = await link.CallAsync(database => database.ExecuteRespAsync("XRANGE", arguments)).ConfigureAwait(false);
        return ReadOne(reply.Read());

        static DeadLetter? ReadOne(RespReader reader)
        {
            reader.DemandAggregate();
            if (reader.AggregateLength() == 0)
                return null;
            reader.MoveNextAggregate();
            reader.MoveNextScalar();
            var id = reader.ReadString() ?? "";
            reader.MoveNextAggregate();
            return Read(ref reader, id, null, reader.AggregateLength() / 2);
        }
    }

    /// <summary>Puts one letter back at the queue's end and takes it from the dead letters, in one step.</summary>
    /// <returns>Nothing replayed and nothing without body: there is none of this id.</returns>
    public async Task<ReplayResult> ReplayAsync(string id)
    {
        var arguments = Replay.Arguments([keys.Queue, keys.Dead, keys.None], id, kind == QueueKind.List ? "list" : "stream");
        using var reply = await link.CallAsync(database => database.ExecuteRespAsync("EVAL", arguments)).ConfigureAwait(false);
        var done = reply.ReadScalar().ReadInt64();
        return new ReplayResult(done == 1 ? 1 : 0, done == -1 ? 1 : 0);
    }

    /// <summary>
    /// Puts back all that are there when it begins, oldest first. What is dead-lettered again in the
    /// meantime stays.
    /// </summary>
    public async Task<ReplayResult> ReplayAllAsync()
    {
        var newest = await ListAsync(1).ConfigureAwait(false);
        if (newest.IsEmpty || !EntryPosition.TryParse(newest[0].Id, out var end))
            return default;
        var sum = default(ReplayResult);
        string? behind = null;
        while (true)
        {
            var page = await ListAsync(ReplaysAtOnce, newestFirst: false, behind).ConfigureAwait(false);
            // Issued together, they reach Redis in this order.
            var replays = page
                .Where(letter => EntryPosition.TryParse(letter.Id, out var position) && position <= end)
                .Select(letter => ReplayAsync(letter.Id))
                .ToArray();
            foreach (var done in await Task.WhenAll(replays).ConfigureAwait(false))
                sum = new ReplayResult(sum.Replayed + done.Replayed, sum.WithoutBody + done.WithoutBody);
            if (replays.Length < ReplaysAtOnce)
                return sum;
            behind = page[^1].Id;
        }
    }

    /// <summary>Throws one letter away.</summary>
    /// <returns>Whether there was one of this id.</returns>
    public async Task<bool> PurgeAsync(string id) =>
        await link.CallAsync(database => database.StreamDeleteAsync(keys.Dead, [id])).ConfigureAwait(false) == 1;

    /// <summary>Throws all away.</summary>
    /// <returns>How many there were.</returns>
    public Task<long> PurgeAllAsync() => link.CallAsync(database => database.StreamTrimAsync(keys.Dead, 0));

    private static void ReadPage(RespReader reader, ImmutableArray<DeadLetter>.Builder page)
    {
        reader.DemandAggregate();
        var letters = reader.AggregateLength();
        for (var i = 0; i < letters; i++)
        {
            reader.MoveNextAggregate();
            var fields = (reader.AggregateLength() - 2) / 2;
            reader.MoveNextScalar();
            var id = reader.ReadString() ?? "";
            reader.MoveNextScalar();
            var size = reader.ReadInt64();
            page.Add(Read(ref reader, id, size, fields));
        }
    }

    /// <summary>Fields that are missing, as after a change by hand, read as empty or zero.</summary>
    private static DeadLetter Read(ref RespReader reader, string id, long? size, int fields)
    {
        var texts = new Dictionary<string, string>(StringComparer.Ordinal);
        var named = ImmutableArray.CreateBuilder<KeyValuePair<string, ReadOnlyMemory<byte>>>();
        ReadOnlyMemory<byte> payload = default;
        for (var i = 0; i < fields; i++)
        {
            reader.MoveNextScalar();
            var name = reader.ReadString() ?? "";
            reader.MoveNextScalar();
            if (name == "payload")
                payload = reader.ReadByteArray() ?? [];
            else if (name.StartsWith("field:", StringComparison.Ordinal))
                named.Add(new(name["field:".Length..], reader.ReadByteArray() ?? []));
            else
                texts[name] = reader.ReadString() ?? "";
        }

        _ = EntryPosition.TryParse(texts.GetValueOrDefault("position"), out var position);
        return new DeadLetter(
            id,
            texts.GetValueOrDefault("reason", ""),
            texts.GetValueOrDefault("detail", ""),
            (int)Number(texts, "offset", -1),
            position,
            texts.GetValueOrDefault("id", ""),
            (int)Number(texts, "attempts", 0),
            DateTimeOffset.FromUnixTimeMilliseconds(Number(texts, "at", 0)),
            DateTimeOffset.FromUnixTimeMilliseconds(Number(texts, "taken-at", 0)),
            size ?? payload.Length + named.Sum(field => (long)field.Value.Length),
            payload,
            named.ToImmutable());
    }

    private static long Number(Dictionary<string, string> texts, string name, long otherwise) =>
        long.TryParse(texts.GetValueOrDefault(name), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            ? number
            : otherwise;
}
