using System.Text;

namespace Bridge.Outcomes;

/// <summary>
/// The messages that have left the journal and wait for an answer: finds the one that an answer belongs to, and
/// those whose time is over. Pure; not thread-safe.
/// </summary>
/// <param name="capacity">How many may wait; at least 1.</param>
internal sealed class AnswersAwaited(int capacity)
{
    private sealed class Waiting(AwaitedAnswer message, ulong hash, long number)
    {
        public AwaitedAnswer Message { get; } = message;

        public ulong Hash { get; } = hash;

        public long Number { get; } = number;
    }

    private sealed class ByDueTime : IComparer<Waiting>
    {
        public int Compare(Waiting? x, Waiting? y) =>
            (x!.Message.Due, x.Number).CompareTo((y!.Message.Due, y.Number));
    }

    private readonly SortedSet<Waiting> _byDueTime = new(new ByDueTime());

    // Nearly always one: an app may give several messages one id.
    private readonly Dictionary<ulong, List<Waiting>> _byHash = [];
    private long _lastNumber;

    /// <summary>How many wait.</summary>
    public int Count => _byDueTime.Count;

    /// <summary>Whether no more may wait.</summary>
    public bool IsFull => Count >= capacity;

    /// <summary>Takes a message in, even above the capacity: what a predecessor left must be told of.</summary>
    public void Add(AwaitedAnswer message)
    {
        ArgumentNullException.ThrowIfNull(message);
        var hash = OwnIds.HashOf(Encoding.UTF8.GetBytes(message.Outcome.Id), Encoding.UTF8.GetBytes(message.Outcome.To));
        var waiting = new Waiting(message, hash, ++_lastNumber);
        _byDueTime.Add(waiting);
        if (!_byHash.TryGetValue(hash, out var others))
            _byHash[hash] = others = new List<Waiting>(1);
        others.Add(waiting);
    }

    /// <summary>Those among some that are not here.</summary>
    public IReadOnlyList<AwaitedAnswer> Unknown(IReadOnlyList<AwaitedAnswer> messages)
    {
        var known = _byDueTime.Select(waiting => waiting.Message.Key).ToHashSet();
        return [.. messages.Where(message => !known.Contains(message.Key))];
    }

    /// <summary>Takes out the first message that an answer belongs to; null where none waits for it.</summary>
    /// <param name="hash"><see cref="OwnIds.HashOf" /> of the id that it names and of who sent it.</param>
    /// <param name="kind">What came; <see cref="AnswerKind.None" /> for an error, which answers whatever it was.</param>
    public AwaitedAnswer? Take(ulong hash, AnswerKind kind)
    {
        if (!_byHash.TryGetValue(hash, out var waiting)
            || waiting.Find(one => kind == AnswerKind.None || one.Message.Answer == kind) is not { } first)
            return null;
        Remove(first);
        return first.Message;
    }

    /// <summary>Takes out those whose time is over.</summary>
    public IReadOnlyList<AwaitedAnswer> TakeDue(DateTimeOffset now)
    {
        if (_byDueTime.Min is not { } next || next.Message.Due > now)
            return [];
        List<AwaitedAnswer> due = [];
        while (_byDueTime.Min is { } first && first.Message.Due <= now)
        {
            Remove(first);
            due.Add(first.Message);
        }

        return due;
    }

    private void Remove(Waiting waiting)
    {
        _byDueTime.Remove(waiting);
        var others = _byHash[waiting.Hash];
        others.Remove(waiting);
        if (others.Count == 0)
            _byHash.Remove(waiting.Hash);
    }
}
