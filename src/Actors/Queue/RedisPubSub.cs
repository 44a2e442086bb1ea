using Bridge.Settings;
using StackExchange.Redis;

namespace Bridge.Queue;

/// <summary>
/// Listens on a connection of its own for each life of the subscription, and appends on another one: neither a flood of
/// messages nor a large one holds up the lease or the queue.
/// </summary>
public sealed class RedisPubSub : IPubSub
{
    private static readonly RedisScript Intake = RedisScript.Load("list-intake");

    private readonly RedisLink _link;
    private readonly QueueKeys _keys;
    private readonly PubSubSettings _settings;
    private readonly Func<long, IPatternSubscription> _subscribe;
    private long _lives;

    /// <summary>Prepares; connects to nothing yet.</summary>
    /// <param name="queue">The list, its Redis and the patterns.</param>
    /// <param name="bridge">The bridge's name, for CLIENT LIST.</param>
    /// <param name="time">The clock of the deadlines.</param>
    /// <exception cref="ArgumentException">These settings are not of a queue that is fed by Pub/Sub.</exception>
    public RedisPubSub(QueueSettings queue, string bridge, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(queue);
        _settings = queue.PubSub ?? throw new ArgumentException("No patterns.", nameof(queue));
        _keys = queue.Keys;
        _link = new RedisLink(queue, $"bridge-{bridge}-intake", time);
        _subscribe = life => new RedisPatternSubscription(queue, $"bridge-{bridge}-pubsub", _settings.Patterns, life, time ?? TimeProvider.System);
    }

    /// <inheritdoc />
    public IPatternSubscription Subscribe() => _subscribe(Interlocked.Increment(ref _lives) - 1);

    /// <inheritdoc />
    public async Task<int> AppendAsync(LeaseGrant grant, long number, IReadOnlyList<ReadOnlyMemory<byte>> messages)
    {
        ArgumentNullException.ThrowIfNull(grant);
        ArgumentNullException.ThrowIfNull(messages);
        var values = new RedisValue[3 + messages.Count];
        (values[0], values[1], values[2]) = (grant.Token, number, _settings.MaxQueued);
        for (var i = 0; i < messages.Count; i++)
            values[3 + i] = messages[i];
        using var reply = await _link.CallAsync(
            database => database.ExecuteRespAsync("EVAL", Intake.Arguments([_keys.Queue, _keys.Lease, _keys.Confirmed], values))).ConfigureAwait(false);
        return (int)reply.ReadScalar().ReadInt64();
    }

    /// <inheritdoc />
    public ValueTask DisposeAsync() => _link.DisposeAsync();
}
