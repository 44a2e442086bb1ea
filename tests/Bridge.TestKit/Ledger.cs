using System.Globalization;
using System.Text;

namespace Bridge.TestKit;

/// <summary>One message that a test pushed.</summary>
/// <param name="Id">Its stanza id: unique in the ledger, ends in <c>-</c> and the sequence number.</param>
/// <param name="Queue">The queue it was pushed to.</param>
/// <param name="Recipient">Its <c>to</c>.</param>
/// <param name="Sequence">Its number among the recipient's messages, from 0.</param>
public sealed record LedgerMessage(string Id, string Queue, string Recipient, long Sequence)
{
    /// <summary>The message as a raw stanza, as an app would push it.</summary>
    public string ToStanza(string body = "hi") =>
        $"<message to='{StartTag.Escape(Recipient)}' id='{Id}' type='chat'><body>{StartTag.Escape(body)}</body></message>";
}

/// <summary>
/// The promise, counted: what was pushed, what arrived where and in which order, what was dead-lettered, what
/// was left. A test ends on <see cref="Check"/>.
/// </summary>
/// <remarks>Thread-safe: all members take one lock. An observer must record its own arrivals in order.</remarks>
public sealed class Ledger
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Line> _lines = [];
    private readonly Dictionary<string, long> _nextOfRecipient = [];
    private readonly Dictionary<string, Observer> _observers = [];
    private readonly List<string> _unexpected = [];
    private readonly List<TaskCompletionSource> _waiting = [];
    private readonly List<(int Arrived, TaskCompletionSource Reached)> _milestones = [];
    private long _nextOfLedger;
    private int _open;
    private int _arrived;

    /// <summary>How many were pushed and have neither arrived nor been dead-lettered.</summary>
    public int Open
    {
        get
        {
            lock (_gate)
                return _open;
        }
    }

    /// <summary>Enters the next message for a recipient. Push it in the order of these calls.</summary>
    /// <param name="recipient">Its <c>to</c>.</param>
    /// <param name="queue">The queue; order is kept within one.</param>
    /// <param name="mustBeDeadLettered">Whether the only right ending is a dead letter.</param>
    public LedgerMessage Push(string recipient, string queue = "queue", bool mustBeDeadLettered = false)
    {
        lock (_gate)
        {
            var sequence = _nextOfRecipient.GetValueOrDefault(recipient);
            _nextOfRecipient[recipient] = sequence + 1;
            var place = _nextOfLedger++;
            var message = new LedgerMessage(
                string.Create(CultureInfo.InvariantCulture, $"m{place}-{sequence}"), queue, recipient, sequence);
            _lines.Add(message.Id, new Line(message, place, mustBeDeadLettered));
            _open++;
            return message;
        }
    }

    /// <summary>Records an arrival, by the id of the stanza.</summary>
    /// <param name="id">The stanza's id; one that was never pushed is reported as unexpected.</param>
    /// <param name="observer">
    /// Whoever saw it: one user or component. Arrivals at one observer are ordered, at two they are not.
    /// </param>
    public void Arrived(string? id, string observer)
    {
        lock (_gate)
        {
            if (id is null || !_lines.TryGetValue(id, out var line))
            {
                _unexpected.Add($"{id ?? "a stanza without an id"} at {observer}");
                return;
            }

            if (++line.Arrivals > 1)
                return;
            if (!_observers.TryGetValue(observer, out var seen))
                _observers.Add(observer, seen = new Observer());
            seen.Record(line);
            _arrived++;
            if (_milestones.Count > 0)
                _milestones.RemoveAll(milestone => milestone.Arrived <= _arrived && milestone.Reached.TrySetResult());
            Close(line);
        }
    }

    /// <summary>Records a dead letter, by the id of the message in it.</summary>
    public void DeadLettered(string? id)
    {
        lock (_gate)
        {
            if (id is null || !_lines.TryGetValue(id, out var line))
            {
                _unexpected.Add($"{id ?? "an entry without an id"} among the dead letters");
                return;
            }

            line.DeadLetters++;
            Close(line);
        }
    }

    /// <summary>Records what is still in Redis at the end.</summary>
    /// <param name="id">The message's id.</param>
    /// <param name="where">The key: queue, journal.</param>
    public void Left(string? id, string where)
    {
        lock (_gate)
        {
            if (id is null || !_lines.TryGetValue(id, out var line))
                _unexpected.Add($"{id ?? "an entry without an id"} left in {where}");
            else
                line.LeftIn = where;
        }
    }

    /// <summary>Waits until each message pushed so far has arrived or been dead-lettered.</summary>
    /// <exception cref="TimeoutException">Some have not; the message is the report.</exception>
    public async Task SettledAsync(TimeSpan timeout)
    {
        TaskCompletionSource settled;
        lock (_gate)
        {
            if (_open == 0)
                return;
            settled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Add(settled);
        }

        try
        {
            await settled.Task.WaitAsync(timeout);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"Not settled within {timeout}.\n{Check()}");
        }
    }

    /// <summary>Waits until so many different messages have arrived: the moment for a fault.</summary>
    /// <exception cref="TimeoutException">Fewer have; the message is the report.</exception>
    public async Task ArrivedAsync(int count, TimeSpan timeout)
    {
        TaskCompletionSource reached;
        lock (_gate)
        {
            if (_arrived >= count)
                return;
            reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _milestones.Add((count, reached));
        }

        try
        {
            await reached.Task.WaitAsync(timeout);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"Not {count} arrived within {timeout}.\n{Check()}");
        }
    }

    /// <summary>Compares what was pushed with what became of it.</summary>
    public LedgerReport Check()
    {
        lock (_gate)
        {
            var lines = _lines.Values.OrderBy(line => line.Place).ToList();
            return new LedgerReport
            {
                Pushed = lines.Count,
                Arrived = lines.Count(line => line.Arrivals > 0),
                Lost = [.. lines.Where(line => line is { Arrivals: 0, DeadLetters: 0, LeftIn: null }).Select(Id)],
                Duplicated = lines.Where(line => line.Arrivals > 1).ToDictionary(Id, line => line.Arrivals),
                ReorderedOfRecipient = [.. _observers.SelectMany(o => o.Value.OfRecipient.Select(late => $"{late} at {o.Key}"))],
                ReorderedOfQueue = [.. _observers.SelectMany(o => o.Value.OfQueue.Select(late => $"{late} at {o.Key}"))],
                Unexpected = [.. _unexpected],
                DeadLettered = [.. lines.Where(line => line.DeadLetters > 0).Select(Id)],
                WronglyDeadLettered = [.. lines.Where(line => line.DeadLetters > (line.MustBeDeadLettered ? 1 : 0)).Select(Id)],
                WronglyArrived = [.. lines.Where(line => line is { MustBeDeadLettered: true, Arrivals: > 0 }).Select(Id)],
                Left = lines.Where(line => line.LeftIn is not null).ToDictionary(Id, line => line.LeftIn!),
            };
        }
    }

    private static string Id(Line line) => line.Message.Id;

    private void Close(Line line)
    {
        if (line.Closed)
            return;
        line.Closed = true;
        if (--_open > 0)
            return;
        // Completing inside the lock is safe: the continuations run elsewhere.
        _waiting.ForEach(settled => settled.TrySetResult());
        _waiting.Clear();
    }

    private sealed class Line(LedgerMessage message, long place, bool mustBeDeadLettered)
    {
        public LedgerMessage Message { get; } = message;

        public long Place { get; } = place;

        public bool MustBeDeadLettered { get; } = mustBeDeadLettered;

        public int Arrivals { get; set; }

        public int DeadLetters { get; set; }

        public string? LeftIn { get; set; }

        public bool Closed { get; set; }
    }

    /// <summary>The highest place so far, by recipient and by queue: a first arrival below it came too late.</summary>
    private sealed class Observer
    {
        private readonly Dictionary<string, long> _recipients = [];
        private readonly Dictionary<string, long> _queues = [];

        public List<string> OfRecipient { get; } = [];

        public List<string> OfQueue { get; } = [];

        public void Record(Line line)
        {
            // Two queues keep no order between them, so neither does a recipient that both write to.
            var recipient = $"{line.Message.Queue}\n{line.Message.Recipient}";
            Record(line, _recipients, recipient, OfRecipient);
            Record(line, _queues, line.Message.Queue, OfQueue);
        }

        private static void Record(Line line, Dictionary<string, long> highest, string key, List<string> late)
        {
            if (highest.TryGetValue(key, out var place) && place > line.Place)
                late.Add(line.Message.Id);
            else
                highest[key] = line.Place;
        }
    }
}

/// <summary>What <see cref="Ledger.Check"/> found; lists hold the messages' ids.</summary>
public sealed record LedgerReport
{
    /// <summary>How many were pushed.</summary>
    public required int Pushed { get; init; }

    /// <summary>How many arrived at least once.</summary>
    public required int Arrived { get; init; }

    /// <summary>Neither arrived, nor dead-lettered, nor left in Redis.</summary>
    public required IReadOnlyList<string> Lost { get; init; }

    /// <summary>Arrived more than once, with how often.</summary>
    public required IReadOnlyDictionary<string, int> Duplicated { get; init; }

    /// <summary>First arrivals behind a later message for the same recipient, with the observer.</summary>
    public required IReadOnlyList<string> ReorderedOfRecipient { get; init; }

    /// <summary>First arrivals at one observer behind a later message of the same queue.</summary>
    public required IReadOnlyList<string> ReorderedOfQueue { get; init; }

    /// <summary>Ids that nobody pushed, and where they were seen.</summary>
    public required IReadOnlyList<string> Unexpected { get; init; }

    /// <summary>All that were dead-lettered.</summary>
    public required IReadOnlyList<string> DeadLettered { get; init; }

    /// <summary>Dead-lettered without having to be, or more than once.</summary>
    public required IReadOnlyList<string> WronglyDeadLettered { get; init; }

    /// <summary>Arrived, though only a dead letter would have been right.</summary>
    public required IReadOnlyList<string> WronglyArrived { get; init; }

    /// <summary>Left in Redis, with the key.</summary>
    public required IReadOnlyDictionary<string, string> Left { get; init; }

    /// <summary>Everything ended once, rightly and in order.</summary>
    public bool IsClean => IsKept && Duplicated.Count == 0;

    /// <summary>The promise under a fault: as <see cref="IsClean"/>, but duplicates may be.</summary>
    public bool IsKept =>
        Lost.Count == 0 && ReorderedOfRecipient.Count == 0 && ReorderedOfQueue.Count == 0 && Unexpected.Count == 0
        && WronglyDeadLettered.Count == 0 && WronglyArrived.Count == 0 && Left.Count == 0;

    /// <summary>The report in words, at most ten ids of each kind.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{Pushed} pushed, {Arrived} arrived, {DeadLettered.Count} dead-lettered");
        Tell("lost", Lost);
        Tell("duplicated", [.. Duplicated.Select(line => $"{line.Key} x{line.Value}")]);
        Tell("reordered for their recipient", ReorderedOfRecipient);
        Tell("reordered in their queue", ReorderedOfQueue);
        Tell("unexpected", Unexpected);
        Tell("wrongly dead-lettered", WronglyDeadLettered);
        Tell("wrongly arrived", WronglyArrived);
        Tell("left", [.. Left.Select(line => $"{line.Key} in {line.Value}")]);
        return text.ToString();

        void Tell(string kind, IReadOnlyList<string> ids)
        {
            if (ids.Count == 0)
                return;
            var more = ids.Count > 10 ? ", …" : "";
            text.Append(CultureInfo.InvariantCulture, $"\n{ids.Count} {kind}: {string.Join(", ", ids.Take(10))}{more}");
        }
    }
}
