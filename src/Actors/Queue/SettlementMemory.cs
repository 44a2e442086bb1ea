namespace Bridge.Queue;

/// <summary>
/// What Redis said it had settled, by which a process tells after a recovery whether Redis still knows.
/// One that lost its last writes has in its journal again what had left it, and the payload of a dead
/// letter where a place holder stood: neither would be sent or dead-lettered again by anybody. Pure; not
/// thread-safe.
/// </summary>
internal sealed class SettlementMemory
{
    private readonly SortedDictionary<EntryPosition, EndedEntry> _ended = [];
    private EntryPosition _settled = EntryPosition.Zero;
    private bool _sayAgain;

    /// <summary>Takes in that Redis did what it was asked for.</summary>
    public void Answered(Settlement settlement)
    {
        if (settlement.UpTo > _settled)
            _settled = settlement.UpTo;
        // In the prefix it has left the journal; behind it, it may come back.
        foreach (var entry in settlement.Ended)
        {
            if (entry.Position > _settled)
                _ended[entry.Position] = entry;
        }

        while (_ended.Count > 0 && _ended.First() is { Key: var first } && first <= _settled)
            _ended.Remove(first);
    }

    /// <summary>A new session begins. False: its journal has what had left it, so that Redis has lost writes.</summary>
    /// <param name="count">Entries in the journal.</param>
    /// <param name="first">The first of them.</param>
    public bool Recovered(long count, EntryPosition first)
    {
        var remembered = count == 0 || first > _settled;
        if (!remembered)
        {
            _settled = EntryPosition.Zero;
            _ended.Clear();
        }

        _sayAgain = _ended.Count > 0;
        return remembered;
    }

    /// <summary>The session's first settlement says again what ended behind the prefix; where it is known it does nothing.</summary>
    public Settlement Completed(Settlement settlement)
    {
        if (!_sayAgain)
            return settlement;
        _sayAgain = false;
        var said = settlement.Ended.Select(entry => entry.Position).ToHashSet();
        return settlement with
        {
            Ended = [.. _ended.Values.Where(entry => !said.Contains(entry.Position)).Concat(settlement.Ended).OrderBy(entry => entry.Position)],
        };
    }
}
