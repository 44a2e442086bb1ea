namespace Bridge.Inbound;

/// <summary>
/// What a connection has handed to the publisher and Redis has not acknowledged: bounded, so that the connection knows without
/// asking whether another one finds room, and kept, so that a publisher that replaces another gets it again. Pure.
/// </summary>
/// <param name="maxEntries">Entries at once, 1 or more.</param>
/// <param name="maxBytes">Their <see cref="InboundEntry.Bytes" />; an entry alone may exceed it.</param>
internal sealed class InboundHandover(int maxEntries, long maxBytes)
{
    /// <summary>A time of refusals is over when none came for so long.</summary>
    public static readonly TimeSpan Quiet = TimeSpan.FromSeconds(10);

    private readonly Queue<InboundEntry> _kept = new();
    private TimeSpan? _refusedAt;

    /// <summary>The number that the next entry must have.</summary>
    public long Next { get; private set; } = 1;

    /// <summary>Up to which number Redis has them.</summary>
    public long AcknowledgedUpTo => Next - 1 - _kept.Count;

    /// <summary>Entries that are not acknowledged.</summary>
    public int Entries => _kept.Count;

    /// <summary>Their bytes.</summary>
    public long Bytes { get; private set; }

    /// <summary>What is not acknowledged, in order.</summary>
    public IReadOnlyList<InboundEntry> Kept => [.. _kept];

    /// <summary>Keeps the entry, which has the number <see cref="Next" />; false when there is no room.</summary>
    public bool TryKeep(InboundEntry entry)
    {
        ArgumentNullException.ThrowIfNull(entry);
        ArgumentOutOfRangeException.ThrowIfNotEqual(entry.Number, Next);
        if (_kept.Count >= maxEntries || (_kept.Count > 0 && Bytes + entry.Bytes > maxBytes))
            return false;
        _kept.Enqueue(entry);
        Bytes += entry.Bytes;
        Next++;
        return true;
    }

    /// <summary>Whether a refusal is the first of its time: the one to be logged.</summary>
    public bool BeginsToRefuse(TimeSpan now)
    {
        var begins = _refusedAt is not { } last || now - last >= Quiet;
        _refusedAt = now;
        return begins;
    }

    /// <summary>Redis has everything up to this number. One that was told before changes nothing.</summary>
    public void Acknowledge(long upTo)
    {
        while (_kept.TryPeek(out var entry) && entry.Number <= upTo)
        {
            Bytes -= entry.Bytes;
            _kept.Dequeue();
        }
    }
}
