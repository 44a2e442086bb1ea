using System.Globalization;
using Bridge.Settings;

namespace Bridge.Queue;

/// <summary>An id of the app's own, and the entry that it came with.</summary>
/// <param name="Hash">Of the id and of the bare address that it is written to.</param>
/// <param name="Position">The entry.</param>
/// <param name="At">When it was seen.</param>
public readonly record struct SeenId(ulong Hash, EntryPosition Position, DateTimeOffset At)
{
    /// <summary>As it stands in <c>{q}:seen</c>, where its score is the time.</summary>
    public string Member => string.Create(CultureInfo.InvariantCulture, $"{Hash:x}:{Position}");

    /// <summary>Reads a member. False: it is something that somebody else put there.</summary>
    public static bool TryRead(string? member, double score, out SeenId seen)
    {
        seen = default;
        if (member?.Split(':') is not [var hash, var at]
            || !ulong.TryParse(hash, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
            || !EntryPosition.TryParse(at, out var position))
            return false;
        seen = new SeenId(value, position, DateTimeOffset.FromUnixTimeMilliseconds((long)Math.Clamp(score, 0, DateTimeOffset.MaxValue.ToUnixTimeMilliseconds())));
        return true;
    }
}

/// <summary>
/// Knows the ids of the app's own that were taken within a window of time, so that one that is pushed twice is sent once. An
/// entry that is read again is itself, not a repetition: ids are known together with their entries. Bounded; pure; not
/// thread-safe.
/// </summary>
/// <param name="settings">How long, and how many.</param>
internal sealed class SeenIds(RepeatSettings settings)
{
    private readonly Dictionary<ulong, (EntryPosition Position, DateTimeOffset At)> _known = [];
    private readonly Queue<(ulong Hash, DateTimeOffset At)> _inOrder = new();
    private readonly Queue<SeenId> _unsaid = new();

    /// <summary>How many are known.</summary>
    public int Count => _known.Count;

    /// <summary>Whether an entry brings an id that came with another one within the window; if not, it is known from now on.</summary>
    /// <param name="hash">Of the id and of the recipient; 0 for an id that Bridge made.</param>
    /// <param name="position">The entry.</param>
    /// <param name="now">The time.</param>
    public bool IsRepeated(ulong hash, EntryPosition position, DateTimeOffset now)
    {
        if (hash == 0)
            return false;
        if (_known.TryGetValue(hash, out var first) && now - first.At < settings.Window)
            return first.Position != position;
        Know(new SeenId(hash, position, now));
        _unsaid.Enqueue(new SeenId(hash, position, now));
        return false;
    }

    /// <summary>Takes over what a predecessor has seen.</summary>
    public void Restore(IReadOnlyList<SeenId> seen)
    {
        foreach (var one in seen)
            Know(one);
    }

    /// <summary>What Redis has not been told of, at most so many, in the order in which it was seen.</summary>
    public IReadOnlyList<SeenId> TakeUnsaid(int atMost)
    {
        if (_unsaid.Count == 0)
            return [];
        var taken = new SeenId[Math.Min(atMost, _unsaid.Count)];
        for (var i = 0; i < taken.Length; i++)
            taken[i] = _unsaid.Dequeue();
        return taken;
    }

    private void Know(SeenId seen)
    {
        _known[seen.Hash] = (seen.Position, seen.At);
        _inOrder.Enqueue((seen.Hash, seen.At));
        while (_inOrder.Count > settings.MaxEntries || (_inOrder.TryPeek(out var oldest) && seen.At - oldest.At >= settings.Window))
        {
            var (hash, at) = _inOrder.Dequeue();
            if (_known.TryGetValue(hash, out var known) && known.At == at)
                _known.Remove(hash);
        }
    }
}
