namespace Bridge.Queue;

/// <summary>
/// What Redis said it had settled, by which a process tells after a recovery whether Redis still knows.
/// One that lost its last writes has in its journal again what had left it, and the payload of a dead
/// letter where a place holder stood: neither would be sent or dead-lettered again by anybody. Pure; not
/// thread-safe.
/// </summary>
internal sealed class SettlementMemory
{
    private readonly SortedDictionary<EntryPosition, EndedEntry> _buried = [];
    private EntryPosition _settled = EntryPosition.Zero;
    private bool _sayAgain;

    /// <summary>Takes in that Redis did what it was asked for.</summary>
    public void Answered(Settlement settlement)
    {
        if (settlement.UpTo > _settled)
            _settled = settlement.UpTo;
        // In the prefix it has left the journal; behind it, it may come back.
        foreach (var rejected in settlement.Ended)
            _buried[rejected.Position] = rejected;
        while (_buried.Count > 0 && _buried.First() is { Key: var first } && first <= _settled)
            _buried.Remove(first);
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
            _buried.Clear();
        }

        _sayAgain = _buried.Count > 0;
        return remembered;
    }

    /// <summary>The session's first settlement says again what was dead-lettered behind the prefix; where it is known it does nothing.</summary>
    public Settlement Completed(Settlement settlement)
    {
        if (!_sayAgain)
            return settlement;
        _sayAgain = false;
        var said = settlement.Ended.Select(rejected => rejected.Position).ToHashSet();
        return settlement with
        {
            Ended = [.. _buried.Values.Where(rejected => !said.Contains(rejected.Position)).Concat(settlement.Ended).OrderBy(rejected => rejected.Position)],
        };
    }
}
