using Bridge.Stanzas;

namespace Bridge.Connection;

/// <summary>
/// The reorder buffer between writers that encode in parallel and the one stream: batches go in as
/// they are ready and come out in the order of the queue. Pure. Bounded by the caller's demand: it
/// never holds more than what the puller was allowed to hand over.
/// </summary>
internal sealed class OrderedRelease
{
    private readonly SortedDictionary<long, EncodedBatch> _waiting = [];
    private long _next;

    /// <summary>Batches that wait for an earlier one.</summary>
    public int Waiting => _waiting.Count;

    /// <summary>Entries released so far in this flow.</summary>
    public long ReleasedEntries => _next;

    /// <summary>Begins a new flow at ordinal 0; what waited is let go.</summary>
    public void Restart()
    {
        foreach (var batch in _waiting.Values)
            batch.Release();
        _waiting.Clear();
        _next = 0;
    }

    /// <summary>Takes a batch in. A batch that was released already, or is here already, is let go and false returned.</summary>
    public bool Offer(EncodedBatch batch)
    {
        if (batch.FirstOrdinal >= _next && _waiting.TryAdd(batch.FirstOrdinal, batch))
            return true;
        batch.Release();
        return false;
    }

    /// <summary>The next batch in order, once it is here.</summary>
    public bool TryTake(out EncodedBatch batch)
    {
        if (!_waiting.Remove(_next, out batch!))
            return false;
        _next += batch.Entries.Length;
        return true;
    }
}
