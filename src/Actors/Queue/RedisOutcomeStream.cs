using Bridge.Outcomes;
using Bridge.Settings;
using StackExchange.Redis;

namespace Bridge.Queue;

/// <summary>
/// The outcome stream <c>{q}:outcomes</c>, bounded by count, and the way of replies from <c>{q}:replies</c> to their lists. What
/// an outcome says: <see cref="Outcome.Fields" />.
/// </summary>
/// <param name="link">A connection that does not block; its owner is the caller.</param>
/// <param name="keys">The queue's keys.</param>
/// <param name="settings">The bounds.</param>
public sealed class RedisOutcomeStream(RedisLink link, QueueKeys keys, OutcomeSettings settings) : IOutcomeStream
{
    private const int RepliesPerCall = 500;

    private static readonly RedisScript Reply = RedisScript.Load("reply");

    /// <inheritdoc />
    public Task AppendAsync(IReadOnlyList<Outcome> outcomes) => link.CallAsync(async database =>
    {
        // Issued together and in order; the last reply comes after all the others.
        var batch = new Task[outcomes.Count];
        for (var i = 0; i < batch.Length; i++)
            batch[i] = database.StreamAddAsync(keys.Outcomes, Fields(outcomes[i]), maxLength: settings.MaxEntries, useApproximateMaxLength: true);
        await Task.WhenAll(batch).ConfigureAwait(false);
        return true;
    });

    /// <inheritdoc />
    public async Task<ReplyDelivery> DeliverRepliesAsync()
    {
        var lying = await link.CallAsync(database => database.StreamRangeAsync(keys.Replies, count: RepliesPerCall)).ConfigureAwait(false);
        if (lying.Length == 0)
            return default;
        var carried = await Task.WhenAll(lying.Select(CarryAsync)).ConfigureAwait(false);
        // Behind the lists: a reply that is carried twice is the same twice, one that is removed first may be lost. What lies on a node of
        // a cluster that is away stays, and is no reason to carry the others again.
        RedisValue[] done = [.. lying.Zip(carried).Where(pair => pair.Second.Fault is null).Select(pair => pair.First.Id)];
        if (done.Length > 0)
            await link.CallAsync(database => database.StreamDeleteAsync(keys.Replies, done)).ConfigureAwait(false);
        if (carried.FirstOrDefault(one => one.Fault is not null).Fault is { } fault)
            throw fault;
        var delivered = carried.Count(one => one.IsIn);
        return new ReplyDelivery(delivered, lying.Length - delivered, lying.Length == RepliesPerCall);
    }

    /// <inheritdoc />
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async Task<(bool IsIn, QueueFaultException? Fault)> CarryAsync(StreamEntry entry)
    {
        RedisKey list = (string?)entry["key"];
        try
        {
            var arguments = Reply.Arguments([list], entry["reply"], (long)settings.ReplyTimeToLive.TotalMilliseconds);
            (await link.CallAsync(database => database.ExecuteRespAsync("EVAL", arguments), key: list).ConfigureAwait(false)).Dispose();
            return (true, null);
        }
        catch (QueueFaultException fault) when (fault.Fault is QueueFault.WrongType or QueueFault.OutOfMemory or QueueFault.Forbidden)
        {
            // Of this list alone, and not to be mended here: the others must not wait for it.
            return (false, null);
        }
        catch (QueueFaultException fault)
        {
            return (false, fault);
        }
    }

    private static NameValueEntry[] Fields(Outcome outcome)
    {
        var fields = outcome.Fields();
        var entries = new NameValueEntry[fields.Count / 2];
        for (var i = 0; i < entries.Length; i++)
            entries[i] = new NameValueEntry(fields[2 * i], fields[(2 * i) + 1]);
        return entries;
    }
}
