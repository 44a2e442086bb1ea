namespace Bridge.Host.Hosting;

/// <summary>
/// Which events of the log are written and which only counted: of one kind so many in a window, so that a fault that repeats does not
/// bury what else there is to read, nor fill the disk. Not thread-safe.
/// </summary>
/// <param name="burst">How many of one kind are written in a window; at least 1.</param>
/// <param name="window">How long a window is. It begins with the first event of its kind.</param>
/// <param name="kinds">How many kinds are told apart at once; those that come beyond share one.</param>
internal sealed class RepeatLimiter<TKind>(int burst, TimeSpan window, int kinds)
    where TKind : notnull
{
    private readonly Dictionary<TKind, Window> _windows = [];
    private readonly Window _shared = new();

    /// <summary>Whether an event is to be written. One that is not counts as withheld.</summary>
    public bool Admits(TKind kind, TimeSpan now)
    {
        if (!_windows.TryGetValue(kind, out var current))
        {
            if (_windows.Count < kinds)
                _windows.Add(kind, current = new Window { EndsAt = now + window });
            else
                current = _shared;
        }

        if (current == _shared && now >= _shared.EndsAt)
            (_shared.Written, _shared.EndsAt) = (0, now + window);
        if (current.Written < burst)
        {
            current.Written++;
            return true;
        }

        current.Withheld++;
        return false;
    }

    /// <summary>Ends the windows whose time is over, and gives those in which something was withheld, with how many. Null: of several kinds.</summary>
    public IReadOnlyList<(TKind? Kind, long Withheld)> Ended(TimeSpan now)
    {
        List<(TKind?, long)> ended = [];
        foreach (var (kind, over) in _windows.Where(pair => now >= pair.Value.EndsAt).ToList())
        {
            _windows.Remove(kind);
            if (over.Withheld > 0)
                ended.Add((kind, over.Withheld));
        }

        if (_shared.Withheld > 0 && now >= _shared.EndsAt)
        {
            ended.Add((default, _shared.Withheld));
            _shared.Withheld = 0;
        }

        return ended;
    }

    private sealed class Window
    {
        public TimeSpan EndsAt { get; set; }

        public int Written { get; set; }

        public long Withheld { get; set; }
    }
}
