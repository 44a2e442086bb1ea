namespace Bridge.Deferral;

/// <summary>
/// The recipients for whom a message waits for another attempt: what comes for them meanwhile queues up behind it, so that
/// each of them has its messages in order. By the hash of the bare address. Pure; not thread-safe.
/// </summary>
internal sealed class BlockedRecipients
{
    // One whose messages never came again, because there was no room for them: not for ever.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly Dictionary<ulong, (int Waiting, DateTimeOffset LastDue)> _blocked = [];

    /// <summary>How many recipients.</summary>
    public int Count => _blocked.Count;

    /// <summary>Whether messages to a recipient queue up, and behind what.</summary>
    public bool IsBlocked(ulong recipient, DateTimeOffset now, out DateTimeOffset lastDue)
    {
        lastDue = default;
        if (_blocked.Count == 0 || recipient == 0 || !_blocked.TryGetValue(recipient, out var blocked))
            return false;
        lastDue = blocked.LastDue;
        return now - lastDue < Patience || !_blocked.Remove(recipient);
    }

    /// <summary>A message to the recipient was put off.</summary>
    public void Block(ulong recipient, DateTimeOffset due)
    {
        if (recipient == 0)
            return;
        var (waiting, lastDue) = _blocked.GetValueOrDefault(recipient);
        _blocked[recipient] = (waiting + 1, due > lastDue ? due : lastDue);
    }

    /// <summary>One of those that were put off has come again.</summary>
    public void Came(ulong recipient)
    {
        if (!_blocked.TryGetValue(recipient, out var blocked))
            return;
        if (blocked.Waiting <= 1)
            _blocked.Remove(recipient);
        else
            _blocked[recipient] = blocked with { Waiting = blocked.Waiting - 1 };
    }
}
