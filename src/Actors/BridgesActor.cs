using Akka.Actor;
using Bridge.Connection;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Telemetry;
using Microsoft.Extensions.Logging;

namespace Bridge;

/// <summary>
/// The parent of every bridge of this process: starts them, replaces one that fails, exchanges those whose settings change, carries
/// to them what the cluster wants, and drains them together. It is registered in the actor registry under its own type.
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

    /// <summary>
    /// Command: these are the bridges from now on. One that is new starts, one that is gone drains and ends, one whose
    /// <see cref="BridgeSettings.Fingerprint" /> differs drains, ends and starts anew; the others notice nothing.
    /// </summary>
    /// <param name="Bridges">All of them, validated, each with its own name.</param>
    public sealed record Apply(IReadOnlyList<BridgeSettings> Bridges);

    /// <summary>Answer to <see cref="Apply" />, before what it begins has ended: names, in order.</summary>
    /// <param name="Added">Started.</param>
    /// <param name="Changed">To be drained and started anew.</param>
    /// <param name="Removed">To be drained.</param>
    public sealed record Applied(IReadOnlyList<string> Added, IReadOnlyList<string> Changed, IReadOnlyList<string> Removed);

    /// <summary>From the cluster: which bridges this node should own. Those that are not named keep what they were told.</summary>
    /// <param name="Preferred">By the bridge's name: whether it should own it.</param>
    /// <param name="Observer">Gets <see cref="BridgeActor.HandedOver" />.</param>
    public sealed record Place(IReadOnlyDictionary<string, bool> Preferred, IActorRef Observer);

    /// <summary>From the cluster: hand this bridge over, see <see cref="BridgeActor.HandOver" />.</summary>
    /// <param name="Bridge">Its name.</param>
    public sealed record HandOver(string Bridge);

    /// <summary>From the cluster: this bridge's lease has just been given back for us.</summary>
    /// <param name="Bridge">Its name.</param>
    public sealed record TakeOver(string Bridge);

    private sealed record StartBridge(string Name);

    private sealed class Life(BridgeSettings settings, BridgeParts parts)
    {
        public BridgeSettings Settings { get; } = settings;

        public BridgeParts Parts { get; } = parts;

        public Backoff Restarts { get; } = new(FirstRestart, LongestRestart, StableAfter);

        public long StartedAt { get; set; }

        public bool IsEnding { get; set; }
    }

    private static readonly TimeSpan FirstRestart = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan LongestRestart = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan StableAfter = TimeSpan.FromMinutes(1);

    private readonly Func<BridgeSettings, BridgeParts> _parts;
    private readonly Dictionary<string, Life> _lives = [];
    private readonly Dictionary<string, bool> _preferred = [];
    private readonly ILogger _log = ActorLogger.Of(Context);
    private readonly HashSet<string> _draining = [];
    private readonly List<IActorRef> _requesters = [];
    private Dictionary<string, BridgeSettings> _wanted;
    private IActorRef _observer = ActorRefs.Nobody;

    /// <summary>Use <see cref="Props" />.</summary>
    public BridgesActor(IReadOnlyList<BridgeSettings> bridges, Func<BridgeSettings, BridgeParts> parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        _wanted = bridges.ToDictionary(bridge => bridge.Name);
        _parts = parts;
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
        Receive<StartBridge>(message =>
        {
            if (Context.Child(message.Name).IsNobody())
                Start(message.Name);
        });
        Receive<Terminated>(OnBridgeEnded);
        // Of one that was told to end.
        Receive<BridgeActor.Drained>(message => Context.Stop(Context.Child(message.Name)));
        Receive<Apply>(OnApply);
        ReceiveFromCluster();
        Receive<Drain>(_ =>
        {
            _requesters.Add(Sender);
            Become(Draining);
            foreach (var name in _lives.Keys)
            {
                Timers.Cancel(name);
                // One that just died has nothing in flight: its entries stand in the journal.
                if (Context.Child(name).IsNobody())
                    continue;
                _draining.Add(name);
                Context.Child(name).Tell(new BridgeActor.Drain());
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
        Receive<Apply>(_ => Sender.Tell(new Applied([], [], [])));
        ReceiveFromCluster();
        Receive<Terminated>(message =>
        {
            _draining.Remove(message.ActorRef.Path.Name);
            AnswerWhenDone();
        });
        Receive<BridgeActor.Drained>(message =>
        {
            _draining.Remove(message.Name);
            // The lease is free: whoever the cluster prefers need not find out by looking.
            _observer.Tell(new BridgeActor.HandedOver(message.Name));
            AnswerWhenDone();
        });
    }

    private void ReceiveFromCluster()
    {
        Receive<Place>(message =>
        {
            _observer = message.Observer;
            foreach (var (name, isPreferred) in message.Preferred)
            {
                _preferred[name] = isPreferred;
                Context.Child(name).Tell(new LeaseActor.Prefer(isPreferred));
            }
        });
        Receive<HandOver>(message => Context.Child(message.Bridge).Tell(new BridgeActor.HandOver()));
        Receive<TakeOver>(message => Context.Child(message.Bridge).Tell(new LeaseActor.TryNow()));
        Receive<BridgeActor.HandedOver>(message => _observer.Tell(message));
    }

    private void AnswerWhenDone()
    {
        if (_draining.Count > 0)
            return;
        foreach (var requester in _requesters)
            requester.Tell(Drained.Instance);
        _requesters.Clear();
    }

    private void OnApply(Apply message)
    {
        _wanted = message.Bridges.ToDictionary(bridge => bridge.Name);
        var removed = _lives.Keys.Where(name => !_wanted.ContainsKey(name)).Order(StringComparer.Ordinal).ToList();
        var changed = _lives.Values
            .Where(life => _wanted.TryGetValue(life.Settings.Name, out var wanted) && wanted.Fingerprint != life.Settings.Fingerprint)
            .Select(life => life.Settings.Name).Order(StringComparer.Ordinal).ToList();
        var added = _wanted.Keys.Where(name => !_lives.ContainsKey(name)).Order(StringComparer.Ordinal).ToList();
        foreach (var name in removed.Concat(changed))
            End(name);
        foreach (var name in added)
            Start(name);
        _log.Reconfigured(Names(added), Names(changed), Names(removed));
        Sender.Tell(new Applied(added, changed, removed));

        static string Names(List<string> names) => names.Count == 0 ? "none" : string.Join(", ", names);
    }

    private void Start(string name)
    {
        if (!_lives.TryGetValue(name, out var life))
        {
            if (!_wanted.TryGetValue(name, out var settings) || TryMakeParts(settings) is not { } parts)
                return;
            _lives.Add(name, life = new Life(settings, parts));
        }

        life.StartedAt = life.Parts.Time.GetTimestamp();
        var bridge = Context.Watch(Context.ActorOf(BridgeActor.Props(life.Settings, life.Parts), name));
        if (_preferred.TryGetValue(name, out var isPreferred))
            bridge.Tell(new LeaseActor.Prefer(isPreferred));
    }

    // Of one that cannot be made, a file of certificates that was exchanged meanwhile say, the others must not hear.
    private BridgeParts? TryMakeParts(BridgeSettings settings)
    {
        try
        {
            return _parts(settings);
        }
        catch (Exception exception) when (exception is ArgumentException or IOException or UnauthorizedAccessException)
        {
            _log.BridgeNotStarted(settings.Name, LongestRestart, exception.Message);
            Timers.StartSingleTimer(settings.Name, new StartBridge(settings.Name), LongestRestart);
            return null;
        }
    }

    private void End(string name)
    {
        var life = _lives[name];
        if (life.IsEnding)
            return;
        life.IsEnding = true;
        Timers.Cancel(name);
        if (Context.Child(name).IsNobody())
            Ended(life);
        else
            Context.Child(name).Tell(new BridgeActor.Drain());
    }

    private void Ended(Life life)
    {
        var name = life.Settings.Name;
        Closing.InBackground(life.Parts.Shared, "a bridge's connections", _log);
        _lives.Remove(name);
        if (_wanted.ContainsKey(name))
            Start(name);
        else
            life.Parts.Board.Remove(name);
    }

    private void OnBridgeEnded(Terminated message)
    {
        var name = message.ActorRef.Path.Name;
        var life = _lives[name];
        if (life.IsEnding)
        {
            Ended(life);
            return;
        }

        // A bridge that fails as a whole comes back after a growing delay, apart from its neighbours.
        life.Restarts.Succeeded(life.Parts.Time.GetElapsedTime(life.StartedAt));
        var delay = life.Restarts.Next(Random.Shared.NextDouble());
        _log.BridgeFailed(name, delay);
        Timers.StartSingleTimer(name, new StartBridge(name), delay);
    }

    /// <inheritdoc />
    protected override void PreStart()
    {
        foreach (var name in _wanted.Keys)
            Start(name);
    }

    /// <inheritdoc />
    protected override void PostStop()
    {
        foreach (var life in _lives.Values)
            Closing.InBackground(life.Parts.Shared, "a bridge's connections", _log);
    }

    /// <summary>Stopped, not restarted in place: see <see cref="OnBridgeEnded" />.</summary>
    protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(cause =>
    {
        Context.System.EventStream.Publish(new ActorFailed(Sender, cause));
        return Directive.Stop;
    });
}
