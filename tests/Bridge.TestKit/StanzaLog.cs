namespace Bridge.TestKit;

/// <summary>
/// What one connection received, in order of arrival. Thread-safe: all members take one lock.
/// </summary>
public sealed class StanzaLog
{
    private readonly Lock _gate = new();
    private readonly List<ReceivedStanza> _stanzas = [];
    private readonly List<(int Count, TaskCompletionSource Reached)> _counts = [];
    private readonly List<Action<ReceivedStanza>> _observers = [];
    private readonly List<(Func<ReceivedStanza, bool> Matches, TaskCompletionSource<ReceivedStanza> Found)> _searches = [];

    private int _count;
    private bool _keeps = true;

    /// <summary>How many arrived, kept or not.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return _count;
        }
    }

    /// <summary>
    /// Whether what arrives is kept. Set to false, what is there is forgotten, and what comes is only shown to
    /// whoever observes or waits: for loads that last.
    /// </summary>
    public bool Keeps
    {
        get
        {
            lock (_gate)
                return _keeps;
        }

        set
        {
            lock (_gate)
            {
                _keeps = value;
                if (!value)
                    _stanzas.Clear();
            }
        }
    }

    /// <summary>What arrived so far.</summary>
    public IReadOnlyList<ReceivedStanza> Snapshot()
    {
        lock (_gate)
            return [.. _stanzas];
    }

    /// <summary>
    /// Calls the observer with each stanza, in order: those that are there at once, the others as they arrive.
    /// It is called under the log's lock and must not wait.
    /// </summary>
    public void Observe(Action<ReceivedStanza> observer)
    {
        lock (_gate)
        {
            _stanzas.ForEach(observer);
            _observers.Add(observer);
        }
    }

    /// <summary>Waits until at least this many arrived.</summary>
    /// <exception cref="TimeoutException">Fewer did; the message says how many.</exception>
    public async Task CountAsync(int count, TimeSpan timeout)
    {
        TaskCompletionSource reached;
        lock (_gate)
        {
            if (_count >= count)
                return;
            reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _counts.Add((count, reached));
        }

        try
        {
            await reached.Task.WaitAsync(timeout);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"{Count} of {count} stanzas arrived within {timeout}.");
        }
    }

    /// <summary>The first stanza that matches, of those that arrived and those to come.</summary>
    /// <exception cref="TimeoutException">None came.</exception>
    public async Task<ReceivedStanza> FirstAsync(Func<ReceivedStanza, bool> matches, TimeSpan timeout)
    {
        TaskCompletionSource<ReceivedStanza> found;
        lock (_gate)
        {
            if (_stanzas.Find(stanza => matches(stanza)) is { } present)
                return present;
            found = new TaskCompletionSource<ReceivedStanza>(TaskCreationOptions.RunContinuationsAsynchronously);
            _searches.Add((matches, found));
        }

        try
        {
            return await found.Task.WaitAsync(timeout);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"None of {Count} stanzas within {timeout} is the awaited one.");
        }
    }

    internal void Add(ReceivedStanza stanza)
    {
        lock (_gate)
        {
            _count++;
            if (_keeps)
                _stanzas.Add(stanza);
            foreach (var observer in _observers)
                observer(stanza);
            // Completing inside the lock is safe: the continuations run elsewhere.
            if (_counts.Count > 0)
                _counts.RemoveAll(waiting => waiting.Count <= _count && waiting.Reached.TrySetResult());
            if (_searches.Count > 0)
                _searches.RemoveAll(search => search.Matches(stanza) && search.Found.TrySetResult(stanza));
        }
    }
}
