namespace Bridge.Queue;

/// <summary>What was heard and is not yet in the list, in order; bounded in messages and bytes. Not thread-safe.</summary>
/// <param name="limit">Messages, at least 1.</param>
public sealed class IntakeBuffer(int limit)
{
    /// <summary>Messages that one call carries, at most.</summary>
    public const int BatchMessages = 512;

    /// <summary>Bytes behind which a call carries no further message.</summary>
    public const int BatchBytes = 1 << 20;

    /// <summary>
    /// Bytes kept, at most. Redis itself ends a subscription for which 32 MB have piled up (client-output-buffer-limit), so no
    /// message is larger.
    /// </summary>
    public const long LongestBytes = 64L << 20;

    private readonly Queue<ReadOnlyMemory<byte>> _messages = new();
    private long _bytes;

    /// <summary>Messages in it.</summary>
    public int Count => _messages.Count;

    /// <summary>Adds a message at the end; false: it is full, and nothing was added.</summary>
    public bool TryAdd(ReadOnlyMemory<byte> message)
    {
        if (_messages.Count >= limit || _bytes + message.Length > LongestBytes)
            return false;
        _messages.Enqueue(message);
        _bytes += message.Length;
        return true;
    }

    /// <summary>What the next call carries: the first messages, which stay here until they are removed.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> NextBatch()
    {
        var batch = new List<ReadOnlyMemory<byte>>(Math.Min(_messages.Count, BatchMessages));
        var bytes = 0L;
        foreach (var message in _messages)
        {
            if (batch.Count == BatchMessages || (batch.Count > 0 && bytes + message.Length > BatchBytes))
                break;
            batch.Add(message);
            bytes += message.Length;
        }

        return batch;
    }

    /// <summary>Removes the first messages.</summary>
    public void Remove(int count)
    {
        for (; count > 0; count--)
            _bytes -= _messages.Dequeue().Length;
    }
}
