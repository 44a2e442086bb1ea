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

/// <summary>What an arrival was.</summary>
public enum LedgerArrival
{
    /// <summary>The first of its message, and in order.</summary>
    First,

    /// <summary>The first of its message, behind a later one of its recipient or queue.</summary>
    Reordered,

    /// <summary>Not the first of its message.</summary>
    Repeated,

    /// <summary>Of a message that had to be dead-lettered, or that nobody can have received.</summary>
    Wrong,

    /// <summary>Of nothing that was pushed.</summary>
    Unexpected,
}

/// <summary>
/// The promise, counted: what was pushed, what arrived where and in which order, what was dead-lettered, what was left, and
/// what the app was told of each. A test ends on <see cref="Check"/>.
/// </summary>
/// <remarks>
/// Thread-safe: all members take one lock. An observer must record its own arrivals in order. It remembers each
/// message, unless it is told to forget those that have ended: <see cref="Forget"/>.
/// </remarks>
/// <param name="prefix">What the ids begin with, where several ledgers share an observer.</param>
public sealed class Ledger(string prefix = "m")
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, Line> _lines = [];
    private readonly Dictionary<string, long> _nextOfRecipient = [];
    private readonly Dictionary<string, Observer> _observers = [];
    private readonly List<string> _unexpected = [];
    private readonly List<string> _wronglyDeadLettered = [];
    private readonly List<string> _wronglyArrived = [];
    private readonly List<TaskCompletionSource> _waiting = [];
    private readonly List<(int Arrived, TaskCompletionSource Reached)> _milestones = [];
    // By place; those in front that are forgotten have left it.
    private readonly Queue<Line> _remembered = new();
    private long _nextOfLedger;
    private long _forgotten;
    private int _forgottenArrived;
    private int _forgottenDuplicates;
    private int _open;
    private int _arriving;
    private int _arrived;
    private long _arrivals;

    /// <summary>
    /// Whether every ending was to be told (mode <c>all</c>): what was told, and what was not, is then held against what happened.
    /// </summary>
    public bool AllIsTold { get; set; }

    /// <summary>What the test's fault explains of what was told.</summary>
    public LedgerExcuses Excuses { get; set; }

    /// <summary>How many were pushed and have neither arrived nor been dead-lettered nor, where nobody has their address, been told of.</summary>
    public int Open
    {
        get
        {
            lock (_gate)
                return _open;
        }
    }

    /// <summary>How many were pushed: the next message's place.</summary>
    public long Pushed
    {
        get
        {
            lock (_gate)
                return _nextOfLedger;
        }
    }

    /// <summary>How many arrivals were recorded, repeats included.</summary>
    public long Arrivals
    {
        get
        {
            lock (_gate)
                return _arrivals;
        }
    }

    /// <summary>How many messages it remembers.</summary>
    public int Remembered
    {
        get
        {
            lock (_gate)
                return _remembered.Count;
        }
    }

    /// <summary>The places, from 0, of the oldest messages that have not ended.</summary>
    /// <param name="atMost">How many at most.</param>
    public IReadOnlyList<long> OldestOpen(int atMost = 1)
    {
        lock (_gate)
            return [.. _remembered.Where(line => !line.Closed).Take(atMost).Select(line => line.Place)];
    }

    /// <summary>The places, from 0, of the messages that must arrive and have not.</summary>
    public IReadOnlyList<long> Unarrived()
    {
        lock (_gate)
            return [.. _remembered.Where(line => line is { Fate: MessageFate.Arrives, Arrivals: 0 }).Select(line => line.Place)];
    }

    /// <summary>
    /// Forgets what has ended, from the front up to a place: it stays counted, and an arrival of it is still known
    /// to be one more. A message that has not ended ends the forgetting.
    /// </summary>
    /// <param name="below">The place behind the last that may be forgotten.</param>
    public void Forget(long below)
    {
        lock (_gate)
        {
            while (_remembered.TryPeek(out var line) && line.Closed && line.Place < below)
            {
                _remembered.Dequeue();
                _lines.Remove(line.Message.Id);
                _forgotten = line.Place + 1;
                if (line.Arrivals > 0)
                    _forgottenArrived++;
                if (line.Arrivals > 1)
                    _forgottenDuplicates++;
                // What should not have been is told by its id, which needs no line.
                if (line.DeadLetters > line.MostDeadLetters)
                    _wronglyDeadLettered.Add(line.Message.Id);
                if (line is { MayArrive: false, Arrivals: > 0 })
                    _wronglyArrived.Add(line.Message.Id);
            }
        }
    }

    /// <summary>The place of a message of this ledger by its id, remembered or not; null for no such id.</summary>
    public long? PlaceOf(string? id)
    {
        var dash = id is null || !id.StartsWith(prefix, StringComparison.Ordinal) ? -1 : id.IndexOf('-', prefix.Length);
        if (dash < 0 || !long.TryParse(id.AsSpan(prefix.Length, dash - prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var place))
            return null;
        return place < Pushed ? place : null;
    }

    /// <summary>Enters the next message for a recipient. Push it in the order of these calls.</summary>
    /// <param name="recipient">Its <c>to</c>.</param>
    /// <param name="queue">The queue; order is kept within one.</param>
    /// <param name="fate">What must become of it.</param>
    /// <param name="asksForReply">Whether it names a list for its reply.</param>
    public LedgerMessage Push(string recipient, string queue = "queue", MessageFate fate = MessageFate.Arrives, bool asksForReply = false)
    {
        lock (_gate)
        {
            var sequence = _nextOfRecipient.GetValueOrDefault(recipient);
            _nextOfRecipient[recipient] = sequence + 1;
            var place = _nextOfLedger++;
            var message = new LedgerMessage(
                string.Create(CultureInfo.InvariantCulture, $"{prefix}{place}-{sequence}"), queue, recipient, sequence);
            var line = new Line(message, place, fate, asksForReply);
            _lines.Add(message.Id, line);
            _remembered.Enqueue(line);
            _open++;
            _arriving += fate == MessageFate.Arrives ? 1 : 0;
            return message;
        }
    }

    /// <summary>Records an arrival, by the id of the stanza.</summary>
    /// <param name="id">The stanza's id; one that was never pushed is reported as unexpected.</param>
    /// <param name="observer">
    /// Whoever saw it: one user or component. Arrivals at one observer are ordered, at two they are not.
    /// </param>
    /// <returns>What it was.</returns>
    public LedgerArrival Arrived(string? id, string observer)
    {
        lock (_gate)
        {
            _arrivals++;
            if (id is null || !_lines.TryGetValue(id, out var line))
            {
                if (PlaceOf(id) < _forgotten)
                {
                    _forgottenDuplicates++;
                    return LedgerArrival.Repeated;
                }

                _unexpected.Add($"{id ?? "a stanza without an id"} at {observer}");
                return LedgerArrival.Unexpected;
            }

            if (++line.Arrivals > 1)
                return LedgerArrival.Repeated;
            if (!_observers.TryGetValue(observer, out var seen))
                _observers.Add(observer, seen = new Observer());
            // What the server sent back was not on its way any more: a later attempt comes behind its neighbours.
            var inOrder = line.Bounced || seen.Record(line);
            _arrived++;
            if (_milestones.Count > 0)
                _milestones.RemoveAll(milestone => milestone.Arrived <= _arrived && milestone.Reached.TrySetResult());
            Close(line);
            return !line.MayArrive ? LedgerArrival.Wrong : inOrder ? LedgerArrival.First : LedgerArrival.Reordered;
        }
    }

    /// <summary>Records that the server sent a message back: an ending, though it may still arrive, sent again.</summary>
    public void Bounced(string? id)
    {
        lock (_gate)
        {
            if (id is not null && _lines.TryGetValue(id, out var line))
            {
                line.Bounced = true;
                Close(line);
            }
            else if (PlaceOf(id) is null)
            {
                _unexpected.Add($"{id ?? "a stanza without an id"} among the bounces");
            }
        }
    }

    /// <summary>Records a dead letter, by the id of the message in it.</summary>
    public void DeadLettered(string? id)
    {
        lock (_gate)
        {
            if (id is null || !_lines.TryGetValue(id, out var line))
            {
                if (PlaceOf(id) < _forgotten)
                    _wronglyDeadLettered.Add(id!);
                else
                    _unexpected.Add($"{id ?? "an entry without an id"} among the dead letters");
                return;
            }

            line.DeadLetters++;
            Close(line);
        }
    }

    /// <summary>Records an entry of the outcome stream, by the id of the message that it tells of.</summary>
    public void Told(string? id, ToldEnding ending)
    {
        ArgumentNullException.ThrowIfNull(ending);
        lock (_gate)
        {
            if (id is null || !_lines.TryGetValue(id, out var line))
            {
                _unexpected.Add($"{id ?? "a message without an id"} among the outcomes, {ending}");
                return;
            }

            line.Told.Add(ending);
            line.Bounced |= ending.Ending == "bounced";
            if (line.Bounced || line.Fate == MessageFate.Bounces)
                Close(line);
        }
    }

    /// <summary>Records an element of a reply's list, by the id of the message that named the list.</summary>
    public void Replied(string? id, ToldEnding ending)
    {
        ArgumentNullException.ThrowIfNull(ending);
        lock (_gate)
        {
            if (id is null || !_lines.TryGetValue(id, out var line))
                _unexpected.Add($"{id ?? "a message without an id"} among the replies, {ending}");
            else
                line.Replies.Add(ending);
        }
    }

    /// <summary>The test has the server send this one back, though its address exists.</summary>
    public void SentBack(string id)
    {
        lock (_gate)
            _lines[id].WasSentBack = true;
    }

    /// <summary>
    /// Redis lost what it had of these messages. What is missing of them is no fault of Bridge: an arrival, a dead letter, an
    /// ending, a reply. What is told of them must still be true.
    /// </summary>
    /// <param name="from">The place of the first.</param>
    /// <param name="below">The place behind the last.</param>
    public void RedisForgot(long from, long below)
    {
        lock (_gate)
        {
            foreach (var line in _lines.Values.Where(line => line.Place >= from && line.Place < below))
            {
                line.IsForgotten = true;
                Close(line);
            }
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

    /// <summary>Waits until each message pushed so far that must arrive has, whatever becomes of the others.</summary>
    /// <exception cref="TimeoutException">Some have not; the message is the report.</exception>
    public Task AllArrivedAsync(TimeSpan timeout)
    {
        int count;
        lock (_gate)
            count = _arriving;
        return ArrivedAsync(count, timeout);
    }

    /// <summary>How many different messages have arrived.</summary>
    public int ArrivedSoFar
    {
        get
        {
            lock (_gate)
                return _arrived;
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
            var faults = AllIsTold
                ? lines.Where(line => line.LeftIn is null).Select(line => (Line: line, Of: EndingFaults.Of(line.History, Excuses))).ToList()
                : [];
            return new LedgerReport
            {
                Pushed = (int)_nextOfLedger,
                Arrived = _forgottenArrived + lines.Count(line => line.Arrivals > 0),
                Lost = [.. lines.Where(line => line is { Arrivals: 0, DeadLetters: 0, Bounced: false, LeftIn: null, IsForgotten: false } && !line.IsToldToNobody).Select(Id)],
                Duplicated = lines.Where(line => line.Arrivals > 1).ToDictionary(Id, line => line.Arrivals),
                ForgottenDuplicates = _forgottenDuplicates,
                ReorderedOfRecipient = [.. _observers.SelectMany(o => o.Value.OfRecipient.Select(late => $"{late} at {o.Key}"))],
                ReorderedOfQueue = [.. _observers.SelectMany(o => o.Value.OfQueue.Select(late => $"{late} at {o.Key}"))],
                Unexpected = [.. _unexpected],
                Bounced = [.. lines.Where(line => line is { Bounced: true, Arrivals: 0, Fate: MessageFate.Arrives }).Select(Id)],
                DeadLettered = [.. lines.Where(line => line.DeadLetters > 0).Select(Id)],
                WronglyDeadLettered = [.. _wronglyDeadLettered, .. lines.Where(line => line.DeadLetters > line.MostDeadLetters).Select(Id)],
                WronglyArrived = [.. _wronglyArrived, .. lines.Where(line => line is { MayArrive: false, Arrivals: > 0 }).Select(Id)],
                Left = lines.Where(line => line.LeftIn is not null).ToDictionary(Id, line => line.LeftIn!),
                Untold = [.. faults.Where(fault => fault.Of.Untold && !fault.Line.IsForgotten).Select(fault => Id(fault.Line))],
                ToldTwice = Words(fault => fault.ToldTwice),
                WronglyTold = Words(fault => fault.WronglyTold),
                Unanswered = [.. faults.Where(fault => fault.Of.Unanswered && !fault.Line.IsForgotten).Select(fault => Id(fault.Line))],
                AnsweredTwice = Words(fault => fault.AnsweredTwice),
                WronglyAnswered = Words(fault => fault.WronglyAnswered),
            };

            Dictionary<string, string> Words(Func<EndingFaults, string?> kind) =>
                faults.Where(fault => kind(fault.Of) is not null).ToDictionary(fault => Id(fault.Line), fault => kind(fault.Of)!);
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

    private sealed class Line(LedgerMessage message, long place, MessageFate fate, bool asksForReply)
    {
        public LedgerMessage Message { get; } = message;

        public long Place { get; } = place;

        public MessageFate Fate { get; } = fate;

        public List<ToldEnding> Told { get; } = [];

        public List<ToldEnding> Replies { get; } = [];

        public bool WasSentBack { get; set; }

        public bool IsForgotten { get; set; }

        public bool MayArrive => Fate is MessageFate.Arrives or MessageFate.MayExpire;

        public int MostDeadLetters => Fate is MessageFate.Expires or MessageFate.MayExpire or MessageFate.Dies ? 1 : 0;

        // The news of its bounce may be lost; that the server has it is not.
        public bool IsToldToNobody => Fate == MessageFate.Bounces && Told.Count > 0;

        public MessageHistory History => new(Fate, Arrivals, DeadLetters, asksForReply, WasSentBack, Told, Replies);

        public int Arrivals { get; set; }

        public int DeadLetters { get; set; }

        public bool Bounced { get; set; }

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

        public bool Record(Line line)
        {
            // Two queues keep no order between them, so neither does a recipient that both write to.
            var recipient = $"{line.Message.Queue}\n{line.Message.Recipient}";
            var inOrder = Record(line, _recipients, recipient, OfRecipient);
            return Record(line, _queues, line.Message.Queue, OfQueue) && inOrder;
        }

        private static bool Record(Line line, Dictionary<string, long> highest, string key, List<string> late)
        {
            if (highest.TryGetValue(key, out var place) && place > line.Place)
            {
                late.Add(line.Message.Id);
                return false;
            }

            highest[key] = line.Place;
            return true;
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

    /// <summary>How many arrivals beyond the first were of messages, or counted with messages, that it has forgotten.</summary>
    public int ForgottenDuplicates { get; init; }

    /// <summary>First arrivals behind a later message for the same recipient, with the observer.</summary>
    public required IReadOnlyList<string> ReorderedOfRecipient { get; init; }

    /// <summary>First arrivals at one observer behind a later message of the same queue.</summary>
    public required IReadOnlyList<string> ReorderedOfQueue { get; init; }

    /// <summary>Ids that nobody pushed, and where they were seen.</summary>
    public required IReadOnlyList<string> Unexpected { get; init; }

    /// <summary>Sent back by the server, and never arrived.</summary>
    public required IReadOnlyList<string> Bounced { get; init; }

    /// <summary>All that were dead-lettered.</summary>
    public required IReadOnlyList<string> DeadLettered { get; init; }

    /// <summary>Dead-lettered without having to be, or more than once.</summary>
    public required IReadOnlyList<string> WronglyDeadLettered { get; init; }

    /// <summary>Arrived, though only a dead letter would have been right.</summary>
    public required IReadOnlyList<string> WronglyArrived { get; init; }

    /// <summary>Left in Redis, with the key.</summary>
    public required IReadOnlyDictionary<string, string> Left { get; init; }

    /// <summary>Without an ending, though every one was to be told.</summary>
    public IReadOnlyList<string> Untold { get; init; } = [];

    /// <summary>With an ending too many, and what was told.</summary>
    public IReadOnlyDictionary<string, string> ToldTwice { get; init; } = new Dictionary<string, string>();

    /// <summary>With an ending that says other than what happened, in words.</summary>
    public IReadOnlyDictionary<string, string> WronglyTold { get; init; } = new Dictionary<string, string>();

    /// <summary>Without the reply that they asked for.</summary>
    public IReadOnlyList<string> Unanswered { get; init; } = [];

    /// <summary>With a reply too many, and what was replied.</summary>
    public IReadOnlyDictionary<string, string> AnsweredTwice { get; init; } = new Dictionary<string, string>();

    /// <summary>With a reply that says other than the outcome stream, in words.</summary>
    public IReadOnlyDictionary<string, string> WronglyAnswered { get; init; } = new Dictionary<string, string>();

    /// <summary>Everything ended once, rightly and in order.</summary>
    public bool IsClean => IsKept && Duplicated.Count == 0 && ForgottenDuplicates == 0;

    /// <summary>The promise under a fault: as <see cref="IsClean"/>, but duplicates may be.</summary>
    public bool IsKept =>
        Lost.Count == 0 && ReorderedOfRecipient.Count == 0 && ReorderedOfQueue.Count == 0 && Unexpected.Count == 0
        && WronglyDeadLettered.Count == 0 && WronglyArrived.Count == 0 && Left.Count == 0
        && Untold.Count == 0 && ToldTwice.Count == 0 && WronglyTold.Count == 0
        && Unanswered.Count == 0 && AnsweredTwice.Count == 0 && WronglyAnswered.Count == 0;

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
        Tell("untold", Untold);
        Tell("told twice", Told(ToldTwice));
        Tell("wrongly told", Told(WronglyTold));
        Tell("unanswered", Unanswered);
        Tell("answered twice", Told(AnsweredTwice));
        Tell("wrongly answered", Told(WronglyAnswered));
        return text.ToString();

        static string[] Told(IReadOnlyDictionary<string, string> words) => [.. words.Select(line => $"{line.Key} {line.Value}")];

        void Tell(string kind, IReadOnlyList<string> ids)
        {
            if (ids.Count == 0)
                return;
            var more = ids.Count > 10 ? ", …" : "";
            text.Append(CultureInfo.InvariantCulture, $"\n{ids.Count} {kind}: {string.Join(", ", ids.Take(10))}{more}");
        }
    }
}
