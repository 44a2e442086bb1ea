using Akka.Actor;
using Akka.Event;
using Bridge.Settings;

namespace Bridge;

/// <summary>
/// The parent of every bridge of this process: starts them, replaces one that fails, and drains them
/// together. It is registered in the actor registry under its own type.
/// </summary>
public sealed class BridgesActor : ReceiveActor, IWithTimers
{
    /// <summary>Command: every bridge stops taking, confirms and settles what is in flight, closes its stream and releases its lease.</summary>
    public sealed record Drain
    {
        /// <summary>The only one.</summary>
        public static readonly Drain Instance = new();
    }

    /// <summary>Answer to <see cref="Drain" />: every bridge has drained, or gave up at its deadline.</summary>
    public sealed record Drained
    {
        /// <summary>The only one.</summary>
        public static readonly Drained Instance = new();
    }

    private sealed record StartBridge(BridgeSettings Settings);

    private static readonly TimeSpan FirstRestart = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestRestart = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan StableAfter = TimeSpan.FromMinutes(1);

    private readonly IReadOnlyList<BridgeSettings> _bridges;
    private readonly Dictionary<string, (BridgeSettings Settings, BridgeParts Parts, Connection.Backoff Restarts, long StartedAt)> _known = [];
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly HashSet<string> _draining = [];
    private readonly List<IActorRef> _requesters = [];

    /// <summary>Use <see cref="Props" />.</summary>
    public BridgesActor(IReadOnlyList<BridgeSettings> bridges, Func<BridgeSettings, BridgeParts> parts)
    {
        ArgumentNullException.ThrowIfNull(bridges);
        ArgumentNullException.ThrowIfNull(parts);
        _bridges = bridges;
        foreach (var bridge in bridges)
            _known.Add(bridge.Name, (bridge, parts(bridge), new Connection.Backoff(FirstRestart, LongestRestart, StableAfter), 0));
        Running();
    }

    /// <inheritdoc />
    public ITimerScheduler Timers { get; set; } = null!;

    /// <summary>The parent of these bridges.</summary>
    /// <param name="bridges">Validated settings, each with its own name.</param>
    /// <param name="parts">What each is made of.</param>
    public static Props Props(IReadOnlyList<BridgeSettings> bridges, Func<BridgeSettings, BridgeParts> parts) =>
        Akka.Actor.Props.Create(() => new BridgesActor(bridges, parts));

    private void Running()
    {
        Receive<StartBridge>(message => Start(message.Settings));
        Receive<Terminated>(OnBridgeDied);
        Receive<Drain>(_ =>
        {
            _requesters.Add(Sender);
            Become(Draining);
            foreach (var bridge in _bridges)
            {
                // One that just died has nothing in flight: its entries stand in the journal.
                if (Context.Child(bridge.Name).IsNobody())
                    continue;
                _draining.Add(bridge.Name);
                Context.Child(bridge.Name).Tell(new BridgeActor.Drain());
            }

            AnswerWhenDone();
        });
    }

    // Expecting an answer of each bridge; each has its own deadline.
    private void Draining()
    {
        Receive<Drain>(_ =>
        {
            _requesters.Add(Sender);
            AnswerWhenDone();
        });
        Receive<StartBridge>(_ => { });
        Receive<Terminated>(message =>
        {
            _draining.Remove(message.ActorRef.Path.Name);
            AnswerWhenDone();
        });
        Receive<BridgeActor.Drained>(message =>
        {
            _draining.Remove(message.Name);
            AnswerWhenDone();
        });
    }

    private void AnswerWhenDone()
    {
        if (_draining.Count > 0)
            return;
        foreach (var requester in _requesters)
            requester.Tell(Drained.Instance);
        _requesters.Clear();
    }

    private void Start(BridgeSettings settings)
    {
        var known = _known[settings.Name];
        _known[settings.Name] = known with { StartedAt = known.Parts.Time.GetTimestamp() };
        Context.Watch(Context.ActorOf(BridgeActor.Props(settings, known.Parts), settings.Name));
    }

    private void OnBridgeDied(Terminated message)
    {
        // A bridge that fails as a whole comes back after a growing delay, apart from its neighbours.
        var (settings, parts, restarts, startedAt) = _known[message.ActorRef.Path.Name];
        restarts.Succeeded(parts.Time.GetElapsedTime(startedAt));
        var delay = restarts.Next(Random.Shared.NextDouble());
        _log.Error("Bridge {Bridge} failed and starts again in {Delay}", settings.Name, delay);
        Timers.StartSingleTimer(settings.Name, new StartBridge(settings), delay);
    }

    /// <inheritdoc />
    protected override void PreStart()
    {
        foreach (var bridge in _bridges)
            Start(bridge);
    }

    /// <inheritdoc />
    protected override void PostStop()
    {
        foreach (var (_, parts, _, _) in _known.Values)
            Closing.InBackground(parts.Shared, "a bridge's connections", _log);
    }

    /// <summary>Stopped, not restarted in place: see <see cref="OnBridgeDied" />.</summary>
    protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(_ => Directive.Stop);
}
