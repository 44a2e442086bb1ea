using System.Globalization;
using Bridge.Chaos.Faults;
using Bridge.Chaos.Running;
using Bridge.TestKit;

namespace Bridge.Chaos.Judgement;

/// <summary>
/// Holds every event of a run against the promises, as it happens. The first that is broken ends the run.
/// </summary>
/// <remarks>Thread-safe: all members take one lock.</remarks>
/// <param name="lanes">The queues.</param>
/// <param name="window">How many entries of a lane may be unconfirmed.</param>
/// <param name="perSecond">Messages a second and lane.</param>
/// <param name="time">The clock; the system's when null.</param>
internal sealed class Judge(IReadOnlyList<Lane> lanes, int window, int perSecond, TimeProvider? time = null)
{
    /// <summary>How long after a fault's end everything must have caught up.</summary>
    public static readonly TimeSpan RecoveryBound = TimeSpan.FromSeconds(60);

    /// <summary>
    /// What left Redis must have been seen so long after: as long as the longest freeze of a server or a Redis that
    /// keeps it from us, twice.
    /// </summary>
    public static readonly TimeSpan LossBound = TimeSpan.FromSeconds(30);

    // What was written before the recovery may still be on its way through a slow reader.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    // A server's start must lie two seconds before the oldest held entry to prove anything; held means two seconds,
    // and while a stream breaks nothing is settled.
    private static readonly TimeSpan YoungServer = TimeSpan.FromSeconds(20);

    private const int HistoryLength = 200;

    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly long _started = (time ?? TimeProvider.System).GetTimestamp();
    private readonly Lock _gate = new();
    private readonly Dictionary<string, LaneState> _states = lanes.ToDictionary(lane => lane.Name, _ => new LaneState());
    private readonly List<Episode> _episodes = [];
    private readonly Queue<string> _history = new();
    private readonly TaskCompletionSource<BrokenPromise> _broken = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _arrived;
    private long _repeated;
    private long _reordered;
    private long _lost;
    private long _deadLettered;
    private long _bounced;
    private int _connections;
    private TimeSpan? _serverBackAt;

    /// <summary>Time since the start.</summary>
    public TimeSpan Now => _time.GetElapsedTime(_started);

    /// <summary>Completes with the first broken promise.</summary>
    public Task<BrokenPromise> Broken => _broken.Task;

    /// <summary>The rounds so far.</summary>
    public IReadOnlyList<Episode> Episodes
    {
        get
        {
            lock (_gate)
                return [.. _episodes];
        }
    }

    /// <summary>The newest noteworthy events, oldest first.</summary>
    public IReadOnlyList<string> History
    {
        get
        {
            lock (_gate)
                return [.. _history];
        }
    }

    /// <summary>The counts.</summary>
    public Tally Counts
    {
        get
        {
            lock (_gate)
            {
                return new Tally(
                    lanes.Sum(lane => lane.Ledger.Pushed), _arrived, _repeated, _reordered, _lost, _deadLettered, _bounced,
                    lanes.Sum(lane => (long)lane.Ledger.Open));
            }
        }
    }

    /// <summary>Enters a message that is about to be pushed.</summary>
    /// <param name="lane">The queue.</param>
    /// <param name="recipient">For whom.</param>
    /// <param name="reason">The reason of the dead letter that it must become; null: it must arrive.</param>
    public LedgerMessage Push(Lane lane, string recipient, string? reason = null)
    {
        lock (_gate)
        {
            var message = lane.Ledger.Push(recipient, lane.Queue, reason is null ? MessageFate.Arrives : MessageFate.Dies);
            if (reason is not null)
                _states[lane.Name].Reasons.Add(message.Id, reason);
            return message;
        }
    }

    /// <summary>A message arrived.</summary>
    public void Arrived(string? id, string observer)
    {
        lock (_gate)
        {
            if (LaneOf(id) is not { } lane)
            {
                Break("nothing unexpected arrives", $"{id ?? "a message without an id"} at {observer}");
                return;
            }

            var state = _states[lane.Name];
            var place = lane.Ledger.PlaceOf(id) ?? -1;
            switch (lane.Ledger.Arrived(id, observer))
            {
                case LedgerArrival.First:
                    _arrived++;
                    state.Highest = Math.Max(state.Highest, place);
                    Recover();
                    break;
                case LedgerArrival.Reordered:
                    _arrived++;
                    _reordered++;
                    Break("order is kept", $"{id} at {observer} came behind a later one of its queue; the highest was {state.Highest}");
                    break;
                case LedgerArrival.Repeated:
                    _repeated++;
                    Explain(lane, id!, place, observer);
                    break;
                case LedgerArrival.Wrong:
                    Break("what is wrong is dead-lettered", $"{id} has a mistake and arrived at {observer}");
                    break;
                default:
                    Break("nothing unexpected arrives", $"{id} at {observer} was never pushed");
                    break;
            }
        }
    }

    /// <summary>A dead letter was found.</summary>
    public void DeadLettered(Lane lane, string id, string reason)
    {
        lock (_gate)
        {
            _deadLettered++;
            lane.Ledger.DeadLettered(id);
            if (!_states[lane.Name].Reasons.Remove(id, out var expected))
                Break("only what is wrong is dead-lettered, once", $"{(id.Length == 0 ? "something" : id)} in {lane.Dead} as {reason}");
            else if (expected != reason)
                Break("a dead letter tells the right reason", $"{id} in {lane.Dead} as {reason} in place of {expected}");
        }
    }

    /// <summary>The server sent a message back: an ending, where the recipient's session has died.</summary>
    public void Bounced(Lane lane, string? id)
    {
        lock (_gate)
        {
            _bounced++;
            lane.Ledger.Bounced(id);
            if (!_episodes.Any(episode => episode.KillsServer && IsOpen(episode)))
                Break("nothing comes back but from a server that died", $"{id ?? "a message without an id"} in {lane.Outcomes}");
        }
    }

    /// <summary>How far a lane is confirmed and settled, as Redis has it: places, -1 for nothing.</summary>
    public void Settled(Lane lane, long mark, long settled)
    {
        lock (_gate)
        {
            var state = _states[lane.Name];
            state.Mark = Math.Max(state.Mark, mark);
            state.Settled = Math.Max(state.Settled, settled);
            if (state.Past.Count == 0 || Now - state.Past.Last().At >= TimeSpan.FromSeconds(1))
                state.Past.Enqueue((Now, state.Settled));
        }
    }

    /// <summary>How many connections to the server there were so far.</summary>
    public void Connections(int count)
    {
        lock (_gate)
            _connections = count;
    }

    /// <summary>A round is about to strike.</summary>
    public Episode Strike(Round round)
    {
        lock (_gate)
        {
            var now = Now;
            var repeats = round.Faults.Max(fault => fault.Repeats);
            // A server that has just come back cannot be shown to have lived on while the held entries were written.
            var young = _serverBackAt is { } back && now - back < YoungServer;
            if (young || _episodes.Any(other => other.KillsServer && IsOpen(other)))
                repeats = Repeats.Held;
            var episode = new Episode
            {
                Number = round.Number,
                Names = [.. round.Faults.Select(fault => fault.Name)],
                Description = round.ToString(),
                Repeats = repeats,
                KillsServer = round.Faults.Any(fault => fault.KillsServer),
                StruckAt = now,
                Bounds = _states.ToDictionary(
                    state => state.Key, state => repeats == Repeats.Held ? state.Value.Settled : state.Value.Mark),
                ConnectionsBefore = _connections,
            };
            _episodes.Add(episode);
            Note($"{round.Number}: {round} strikes");
            return episode;
        }
    }

    /// <summary>All of a round's faults are over.</summary>
    public void Heal(Episode episode)
    {
        lock (_gate)
        {
            episode.HealedAt = Now;
            if (episode.KillsServer)
                _serverBackAt = Now;
            foreach (var lane in lanes)
                episode.Markers[lane.Name] = lane.Ledger.Pushed;
            Note($"{episode.Number}: healed");
        }
    }

    /// <summary>What only time tells: a recovery that does not come, and what left Redis without arriving.</summary>
    public void Tick()
    {
        lock (_gate)
        {
            foreach (var episode in _episodes)
            {
                if (episode is { HealedAt: { } healed, RecoveredAt: null } && Now - healed > RecoveryBound
                    && !_episodes.Any(other => other.HealedAt is null || other.HealedAt > healed))
                {
                    Break(
                        "delivery catches up after a fault",
                        $"{episode.Description}: {RecoveryBound.TotalSeconds} s after its end, " + string.Join(", ", lanes.Select(lane =>
                            $"{lane.Name} has arrived up to {_states[lane.Name].Highest} of {lane.Ledger.Pushed - 1}")));
                }
            }

            foreach (var lane in lanes)
                Lose(lane);
        }
    }

    /// <summary>The end: queues and journals are empty, and whatever has not ended now never will.</summary>
    public void Close()
    {
        lock (_gate)
        {
            foreach (var lane in lanes)
            {
                if (lane.Ledger.OldestOpen(10) is { Count: > 0 } open)
                {
                    _lost += lane.Ledger.Open;
                    Break("nothing is lost", $"{lane.Ledger.Open} of {lane.Name} left Redis and did not arrive: {string.Join(", ", open)}");
                }

                var report = lane.Ledger.Check();
                if (!report.IsKept)
                    Break("the ledger is clean", report.ToString());
            }
        }
    }

    /// <summary>Enters a promise that somebody else saw broken.</summary>
    public void Break(string promise, string words)
    {
        lock (_gate)
        {
            if (_broken.TrySetResult(new BrokenPromise(promise, Now, words)))
                Note($"BROKEN: {promise}: {words}");
        }
    }

    private void Lose(Lane lane)
    {
        var state = _states[lane.Name];
        var before = -1L;
        while (state.Past.TryPeek(out var past) && Now - past.At > LossBound)
        {
            before = past.Settled;
            state.Past.Dequeue();
        }

        if (before < 0)
            return;
        var open = lane.Ledger.OldestOpen(10).Where(place => place <= before).ToList();
        if (open.Count > 0)
        {
            _lost += open.Count;
            Break(
                "nothing is lost",
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{string.Join(", ", open)} of {lane.Name} left Redis {LossBound.TotalSeconds} s ago and did not arrive"));
        }

        lane.Ledger.Forget(below: before + 1);
    }

    private void Explain(Lane lane, string id, long place, string observer)
    {
        var open = _episodes.FindAll(IsOpen);
        var explaining = open.FindLast(episode => episode.Repeats != Repeats.Nothing && place > episode.Bounds[lane.Name]);
        if (explaining is null)
        {
            var bounds = string.Join("; ", open.Select(episode =>
                $"{episode.Description} explains {episode.Repeats} behind {episode.Bounds[lane.Name]}"));
            Break("a duplicate has its fault", $"{id} at {observer} once more; {(bounds.Length == 0 ? "no fault is near" : bounds)}");
            return;
        }

        explaining.Repeated++;
        if (explaining.Repeats != Repeats.Unconfirmed || open.Exists(episode => episode.Repeats == Repeats.Held))
            return;
        // Each life of the stream may repeat a window, and half a second's messages that no mark told of yet.
        var lives = Math.Max(1, _connections - explaining.ConnectionsBefore + 1);
        var most = (long)lives * lanes.Count * (window + (perSecond / 2));
        if (explaining.Repeated > most)
        {
            Break(
                "only what was unconfirmed is repeated",
                $"{explaining.Description}: {explaining.Repeated} repeated, where {most} could have been unconfirmed");
        }
    }

    private bool IsOpen(Episode episode) => episode.RecoveredAt is not { } recovered || Now - recovered <= Grace;

    private void Recover()
    {
        foreach (var episode in _episodes)
        {
            if (episode is not { HealedAt: { } healed, RecoveredAt: null })
                continue;
            episode.ResumedAt ??= Now;
            if (!lanes.All(lane => _states[lane.Name].Highest >= episode.Markers[lane.Name]))
                continue;
            episode.RecoveredAt = Now;
            Note(string.Create(
                CultureInfo.InvariantCulture,
                $"{episode.Number}: recovered {(Now - healed).TotalSeconds:F1} s after its end, {episode.Repeated} repeated"));
        }
    }

    private Lane? LaneOf(string? id)
    {
        foreach (var lane in lanes)
        {
            if (lane.Ledger.PlaceOf(id) is not null)
                return lane;
        }

        return null;
    }

    private void Note(string words)
    {
        _history.Enqueue(string.Create(CultureInfo.InvariantCulture, $"{Now:hh\\:mm\\:ss\\.fff} {words}"));
        if (_history.Count > HistoryLength)
            _history.Dequeue();
    }

    private sealed class LaneState
    {
        public Dictionary<string, string> Reasons { get; } = [];

        public Queue<(TimeSpan At, long Settled)> Past { get; } = new();

        public long Highest { get; set; } = -1;

        public long Mark { get; set; } = -1;

        public long Settled { get; set; } = -1;
    }
}
