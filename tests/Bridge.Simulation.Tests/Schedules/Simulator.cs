using Bridge.Queue;
using Bridge.Settings;
using Bridge.Simulation.Tests.Machine;
using Bridge.Simulation.Tests.Redis;
using Bridge.Simulation.Tests.Server;
using Bridge.Stanzas;
using Bridge.Telemetry;

namespace Bridge.Simulation.Tests.Schedules;

/// <summary>What came of a schedule.</summary>
/// <param name="Violation">The promise that was broken; null when all were kept.</param>
/// <param name="History">What happened, where it was recorded.</param>
/// <param name="Arrived">Messages that arrived.</param>
/// <param name="Repeated">Arrivals of messages that had arrived before.</param>
/// <param name="Owners">How often a node became the owner.</param>
/// <param name="Streams">How many streams were opened.</param>
/// <param name="LateWrites">See <see cref="OwnershipWatch" />.</param>
internal sealed record Verdict(string? Violation, IReadOnlyList<string> History, int Arrived, int Repeated, long Owners, long Streams, int LateWrites);

/// <summary>Runs schedules, one after the other, on the thread that made it: several real bridges, and a model of everything else.</summary>
internal sealed class Simulator
{
    // Far beyond what the slowest search for a silent poison takes.
    private const double Patience = 120_000;

    private readonly VirtualClock _clock = new();
    private readonly SimulatedProcess[] _processes;

    public Simulator() => _processes = [.. Enumerable.Range(0, World.NodesAtMost).Select(_ => new SimulatedProcess(_clock))];

    public Verdict Run(Plan plan, Sabotage sabotage = Sabotage.None, bool recording = false)
    {
        _clock.Reset();
        // In a test framework's context what awaits a call would run on a thread of its choice.
        var context = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            var world = new World(_clock, new Random(Plan.Mix(plan.Seed + 1)), recording);
            var verdict = new Schedule(world, plan, sabotage, _processes).Run();
            return _clock.Stray is { } stray ? throw new InvalidOperationException("Something ran on another thread: " + stray) : verdict;
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(context);
        }
    }

    /// <summary>The shipped settings, quicker: a schedule of a few seconds sees every deadline pass.</summary>
    private static BridgeSettings Settings(QueueKind kind, ConfirmGrade grade, OutcomeMode outcomes, bool triesAgain)
    {
        if (!QueueKeys.TryCreate("xmpp:outbound", out var keys, out var mistake))
            throw new InvalidOperationException(mistake);
        return new BridgeSettings
        {
            Name = "main",
            Writers = 2,
            DrainTimeout = Milliseconds(800),
            Queue = new QueueSettings
            {
                Redis = "unused",
                Keys = keys!,
                Kind = kind,
                Group = "bridge",
                Deletion = StreamDeletion.Own,
                BatchEntries = 4,
                BatchBytes = 1 << 16,
                TakesInFlight = 3,
                MaxEntryBytes = 1 << 10,
                CallTimeout = Milliseconds(400),
                WaitTime = Milliseconds(500),
            },
            Xmpp = new XmppSettings
            {
                Endpoints = [new XmppEndpoint("127.0.0.1", 5347)],
                Domain = "bridge.example.test",
                Secret = new ComponentSecret("correct-horse"),
                ServerDomain = "example.test",
                Tls = null,
                ConnectTimeout = Milliseconds(500),
                HeaderTimeout = Milliseconds(500),
                HandshakeTimeout = Milliseconds(500),
                IdleBarrier = Milliseconds(400),
                ProgressTimeout = Milliseconds(900),
                BarrierTimeout = Milliseconds(3_000),
                CloseTimeout = Milliseconds(300),
                BackoffMin = Milliseconds(100),
                BackoffMax = Milliseconds(800),
                ResumeDelay = TimeSpan.Zero,
                MaxInboundStanzaBytes = 1 << 16,
            },
            Confirm = new ConfirmSettings { Grade = grade, Hold = Milliseconds(300), TrustUptime = UptimeTrust.Auto },
            Window = new WindowSettings
            {
                UnconfirmedEntries = 8,
                UnconfirmedBytes = 1 << 16,
                HeldEntries = 16,
                HeldBytes = 1 << 20,
                BarrierEntries = 3,
                BarrierBytes = 1 << 12,
                TargetRoundTrip = Milliseconds(50),
            },
            Stanza = new StanzaSettings
            {
                MaxBytes = 1 << 16,
                MaxDepth = 64,
                MaxAttributes = 64,
                FromDomains = [],
                DefaultFrom = "bridge.example.test",
                DelayStampAfter = TimeSpan.FromSeconds(10),
            },
            Dead = new DeadLetterSettings { MaxEntries = 1_000, MaxAge = TimeSpan.FromDays(30) },
            Outcomes = new OutcomeSettings { Mode = outcomes, MaxEntries = 1_000, Buffer = 1_000, OwnIdsRemembered = 2 * Plan.MessagesAtMost },
            Answers = new AnswerSettings { MaxAwaiting = 2 * Plan.MessagesAtMost },
            Retry = new RetrySettings { Limit = triesAgain ? 3 : 0, Delay = Milliseconds(100), MaxDelay = Milliseconds(300), Keep = Milliseconds(700) },
            Lease = new LeaseSettings
            {
                TimeToLive = Milliseconds(1_500),
                RenewEvery = Milliseconds(300),
                PollEvery = Milliseconds(200),
                SafetyMargin = Milliseconds(300),
            },
        };
    }

    private static TimeSpan Milliseconds(double milliseconds) => TimeSpan.FromMilliseconds(milliseconds);

    private sealed class Schedule
    {
        private static readonly Dictionary<(QueueKind, ConfirmGrade, OutcomeMode, bool), BridgeSettings> All = (
            from kind in Enum.GetValues<QueueKind>()
            from grade in new[] { ConfirmGrade.Accepted, ConfirmGrade.Held }
            from outcomes in Enum.GetValues<OutcomeMode>()
            from triesAgain in new[] { false, true }
            select (kind, grade, outcomes, triesAgain)).ToDictionary(of => of, of => Settings(of.kind, of.grade, of.outcomes, of.triesAgain));

        private readonly World _world;
        private readonly Plan _plan;
        private readonly BridgeSettings _settings;
        private readonly Sabotage _sabotage;
        private readonly Ledger _ledger;
        private readonly OwnershipWatch _watch;
        private readonly ModelRedis _redis;
        private readonly ModelServer _server;
        private readonly ModelEncoder _encoder;
        private readonly Node[] _nodes;
        private readonly RedisPort?[] _ports = new RedisPort?[World.NodesAtMost];
        private readonly StatusBoard?[] _boards = new StatusBoard?[World.NodesAtMost];
        private int _nextPush;

        public Schedule(World world, Plan plan, Sabotage sabotage, SimulatedProcess[] processes)
        {
            (_world, _plan, _sabotage) = (world, plan, sabotage);
            _settings = All[(plan.Kind, plan.Grade, plan.Outcomes, plan.TriesAgain)];
            _ledger = new Ledger(world, plan);
            _watch = new OwnershipWatch(world, _settings.Lease);
            _redis = ModelRedis.With(world, plan, _ledger, _watch, sabotage);
            _server = new ModelServer(world, _ledger, sabotage);
            _encoder = new ModelEncoder(sabotage, plan);
            _nodes = world.Nodes = [.. plan.Rates.Select((rate, index) => new Node(world, index, processes[index], rate))];
        }

        public Verdict Run()
        {
            foreach (var node in _nodes)
                Start(node);
            Push();
            foreach (var fault in _plan.Faults)
                PlanFault(fault);
            var healed = World.Ticks(Plan.HealedAt);
            var limit = healed + World.Ticks(Patience);
            while (_world.Violation is null)
            {
                if (_world.Now >= healed && IsQuiet)
                {
                    _ledger.Close(_redis.Memory);
                    break;
                }

                if (!_world.Step(limit))
                    _world.Break($"it did not come to rest: {_redis.Memory.Queue.Count} in the queue, {_redis.Memory.Journal.Count} in the journal, {_redis.Memory.Awaiting.Count} wait for an answer, {_redis.Memory.Scheduled.Count} for their time");
            }

            foreach (var node in _nodes)
                Kill(node);
            return new Verdict(_world.Violation, _world.History, _ledger.Arrived, _ledger.Repeated, _redis.Memory.Epoch, _server.NextStream() - 1, _watch.LateWrites);
        }

        private bool IsQuiet =>
            _nextPush == _plan.Messages.Length && _redis.Memory.Queue.Count == 0 && _redis.Memory.Journal.Count == 0
            && _redis.Memory.Awaiting.Count == 0 && _redis.Memory.Scheduled.Count == 0 && !_server.IsHandingOn;

        // The app pushes one message behind the other, and each until Redis has taken it.
        private void Push()
        {
            if (_nextPush == _plan.Messages.Length)
                return;
            var due = World.Ticks(_plan.Messages[_nextPush].At);
            if (_world.Now < due)
                _world.At(due, Push);
            else if (_redis.TryPush(_nextPush))
            {
                if (_world.Recording)
                    _world.Note($"app: pushes message {_nextPush}");
                _nextPush++;
                _world.At(_world.Soon(1), Push);
            }
            else
                _world.After(50, Push);
        }

        private void Start(Node node)
        {
            node.Start(life =>
            {
                var port = _ports[node.Index] = new RedisPort(_world, _redis, life);
                var link = new SharedConnection(port);
                var board = _boards[node.Index] = new StatusBoard(node.Clock);
                var mistaken = MistakenDeadline.Of(_sabotage, node.Clock, _settings.Lease);
                var random = _world.Random;
                return BridgeActor.Props(_settings, new BridgeParts(
                    () => new ModelQueue(port, link, _redis, _settings.Queue, node.Clock, random),
                    () =>
                    {
                        var lease = new ModelLease(port, link, _redis, _settings, life.Number, random);
                        return mistaken is null ? lease : mistaken.Hear(lease);
                    },
                    () => new ModelOutcomes(port, link, _redis, _settings.Queue),
                    () => NoInbound.Instance,
                    new ModelDialer(_world, _server, _watch, life, mistaken, _settings),
                    _encoder,
                    board,
                    node.Clock,
                    NoShared.Instance)
                {
                    Random = random,
                });
            });
            _world.Note($"node {node.Index}: starts");
        }

        private static void Prefer(Node node, bool isPreferred)
        {
            if (node.Life is not null)
                node.Bridge.Tell(new LeaseActor.Prefer(isPreferred), Akka.Actor.ActorRefs.Nobody);
        }

        private void Order(QueueOrder order, long until)
        {
            _redis.Order = order;
            _world.At(until, () => _redis.Order = QueueOrder.Run);
        }

        private void Kill(Node node)
        {
            // A generation is replaced when its memory is worth nothing any more, or when Bridge's own code failed.
            if (!_redis.HasForgotten && _boards[node.Index]?.Find(_settings.Name) is { Restarts: > 0 })
                _world.Break($"an actor of node {node.Index} failed");
            node.Kill();
            _ports[node.Index] = null;
        }

        private void PlanFault(PlannedFault fault)
        {
            var at = World.Ticks(fault.At);
            var until = World.Ticks(Math.Min(fault.At + fault.Lasts, Plan.HealedAt));
            (int Pushed, RedisMemory Memory)? dump = null;
            if (fault.Kind == FaultKind.RedisForgets)
            {
                // Memory of the moments before the crash is lost.
                var dumpedAt = World.Ticks(Math.Max(0, fault.At - 5 - (fault.Lasts / 3)));
                _world.At(dumpedAt, () => dump = (_nextPush, _redis.Memory.Copy()));
            }

            _world.At(at, () =>
            {
                var node = _nodes[fault.Node != PlannedFault.AtOwner ? fault.Node : _redis.Owner is { } owner ? (int)(owner % World.NodesAtMost) : 0];
                var port = _ports[node.Index];
                _world.Note($"FAULT {fault}{(fault is { IsAtNode: true, Node: PlannedFault.AtOwner } ? $", which is node {node.Index}" : "")}");
                switch (fault.Kind)
                {
                    case FaultKind.NodeFreezes:
                        node.Freeze(until);
                        break;
                    case FaultKind.NodeFreezesAtWrite:
                        node.FreezeAtNextWrite(until - at);
                        break;
                    case FaultKind.NodeDies:
                        Replace(node, until);
                        break;
                    case FaultKind.NodeDrains:
                        if (node.Life is not null)
                            node.Bridge.Tell(new BridgeActor.Drain(), Akka.Actor.ActorRefs.Nobody);
                        _world.At(until, () => Replace(node, _world.Now));
                        break;
                    case FaultKind.NodeHandsOver:
                        if (node.Life is not null)
                            node.Bridge.Tell(new BridgeActor.HandOver(), Akka.Actor.ActorRefs.Nobody);
                        break;
                    case FaultKind.NodeIsNotPreferred:
                        Prefer(node, false);
                        _world.At(until, () => Prefer(node, true));
                        break;
                    case FaultKind.QueueIsPaused:
                        Order(QueueOrder.Pause, until);
                        break;
                    case FaultKind.QueueIsDrained:
                        Order(QueueOrder.Drain, until);
                        break;
                    case FaultKind.ClockJumps:
                        node.Clock.Jump(Milliseconds(fault.Lasts));
                        break;
                    case FaultKind.RedisLinkBreaks:
                        port?.Break();
                        break;
                    case FaultKind.RedisLinkStalls:
                        port?.Stall(until);
                        break;
                    case FaultKind.RedisRepliesStall:
                        port?.Silence(until);
                        break;
                    case FaultKind.CutOffFromRedis:
                        port?.CutOff(until);
                        break;
                    case FaultKind.CutOffFromServer:
                        node.CutOff(until);
                        break;
                    case FaultKind.CutOffFromBoth:
                        port?.CutOff(until);
                        node.CutOff(until);
                        break;
                    case FaultKind.RedisFreezes:
                        _redis.Freeze(until);
                        break;
                    case FaultKind.RedisCrashes:
                        _redis.Crash(until, null);
                        break;
                    case FaultKind.RedisForgets:
                        _redis.Crash(until, dump);
                        break;
                    case FaultKind.RedisReadOnly:
                        _redis.Refuse(QueueFault.ReadOnly, until);
                        break;
                    case FaultKind.RedisLoads:
                        _redis.Refuse(QueueFault.NotReady, until);
                        break;
                    case FaultKind.RedisRefusesWrites:
                        _redis.Refuse(QueueFault.RefusesWrites, until);
                        break;
                    case FaultKind.RedisIsFull:
                        _redis.Refuse(QueueFault.OutOfMemory, until);
                        break;
                    case FaultKind.StreamResets:
                        _server.Current?.Reset();
                        break;
                    case FaultKind.StreamEnds:
                        _server.Current?.End(null);
                        break;
                    case FaultKind.StreamShutDown:
                        _server.Current?.End(new StreamError(StreamErrorCondition.SystemShutdown, null));
                        break;
                    case FaultKind.ServerFreezes:
                        _server.Freeze(until);
                        break;
                    case FaultKind.BarriersVanish:
                        _server.LoseBarriers(until);
                        break;
                    case FaultKind.ServerRefuses:
                        _server.Refuse(until);
                        break;
                    case FaultKind.ServerCrashes:
                        // No server is back sooner than this.
                        _server.Crash(Math.Max(until, at + World.Ticks(300)));
                        break;
                    default:
                        throw new InvalidOperationException($"Nobody makes {fault.Kind} happen.");
                }
            });
        }

        private void Replace(Node node, long at)
        {
            if (node.Life is null)
                return;
            Kill(node);
            _world.At(at, () =>
            {
                if (node.Life is null)
                    Start(node);
            });
        }
    }

    private sealed class NoShared : IAsyncDisposable
    {
        public static readonly NoShared Instance = new();

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
