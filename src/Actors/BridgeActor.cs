using Akka.Actor;
using Bridge.Connection;
using Bridge.Inbound;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;
using Bridge.Telemetry;
using Microsoft.Extensions.Logging;

namespace Bridge;

/// <summary>What a bridge is made of besides its settings; tests put their own parts in.</summary>
/// <param name="OpenQueue">Makes the queue of one generation.</param>
/// <param name="OpenLease">Makes the lease.</param>
/// <param name="OpenOutcomes">Makes the way to the outcome stream.</param>
/// <param name="OpenInbound">Makes the way of what users send to the app.</param>
/// <param name="Dialer">Opens component streams.</param>
/// <param name="Encoder">Turns entries into stanzas.</param>
/// <param name="Board">Where the state is published.</param>
/// <param name="Time">The clock.</param>
/// <param name="Shared">What the parts share; disposed when the bridge ends for good.</param>
public sealed record BridgeParts(
    Func<IOutboundQueue> OpenQueue,
    Func<IQueueLease> OpenLease,
    Func<IOutcomeStream> OpenOutcomes,
    Func<IInboundStream> OpenInbound,
    IComponentDialer Dialer,
    IStanzaEncoder Encoder,
    StatusBoard Board,
    TimeProvider Time,
    IAsyncDisposable Shared)
{
    /// <summary>Makes the way to what is published, for a bridge that listens; null: none does.</summary>
    public Func<IPubSub>? OpenPubSub { get; init; }

    /// <summary>Draws the jitter of restarts and reconnects.</summary>
    public Random Random { get; init; } = Random.Shared;
}

/// <summary>
/// One bridge: one queue, one component domain, one XMPP connection. Owns the lease, the outcome
/// publisher, and, while the lease is held, the intake of what is published, where it is to listen, and
/// one <em>generation</em>: a puller and a connection,
/// which live and die together, because what one of them remembers is worth nothing without the
/// other. A generation that died is replaced after a backoff; the new one reads the truth from the
/// journal. Nothing is lost when this actor dies: the lease runs out, and whoever gets it recovers.
/// </summary>
public sealed class BridgeActor : ReceiveActor, IWithTimers
{
    /// <summary>Finish what is in flight, close, give the lease back, and answer <see cref="Drained" />.</summary>
    public sealed record Drain;

    /// <summary>To the sender of <see cref="Drain" />: the bridge does nothing any more.</summary>
    /// <param name="Name">The bridge.</param>
    /// <param name="Complete">Whether everything that was in flight was confirmed before the deadline.</param>
    public sealed record Drained(string Name, bool Complete);

    /// <summary>
    /// From the cluster: another node should own the queue. Finishes what is in flight, without sitting out the hold, gives the
    /// lease back, says <see cref="HandedOver" /> to the parent and stands by. Ignored where it is not the owner.
    /// </summary>
    public sealed record HandOver;

    /// <summary>To the parent: the lease is given back, for another node.</summary>
    /// <param name="Name">The bridge.</param>
    public sealed record HandedOver(string Name);

    private sealed record StartGeneration
    {
        public static readonly StartGeneration Instance = new();
    }

    private sealed record StartLease
    {
        public static readonly StartLease Instance = new();
    }

    private sealed record StartPublisher
    {
        public static readonly StartPublisher Instance = new();
    }

    private sealed record StartIntake
    {
        public static readonly StartIntake Instance = new();
    }

    private sealed record DrainDeadline
    {
        public static readonly DrainDeadline Instance = new();
    }

    private sealed record LastDeadline
    {
        public static readonly LastDeadline Instance = new();
    }

    private sealed record Publish
    {
        public static readonly Publish Instance = new();
    }

    private static readonly TimeSpan PublishEvery = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan FirstRestart = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LongestRestart = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan StableAfter = TimeSpan.FromMinutes(1);

    private readonly BridgeSettings _settings;
    private readonly BridgeParts _parts;
    private readonly BridgeMetrics _metrics;
    private readonly ILogger _log = ActorLogger.Of(Context);
    private readonly Backoff _restarts = new(FirstRestart, LongestRestart, StableAfter);
    private readonly Backoff _intakeRestarts = new(FirstRestart, LongestRestart, StableAfter);

    private IActorRef _lease = ActorRefs.Nobody;
    private IActorRef _publisher = ActorRefs.Nobody;
    private IActorRef? _connection;
    private IActorRef? _puller;
    private IActorRef? _intake;
    private int _intakes;
    private long _intakeStartedAt;
    private LeaseActor.Acquired? _ownership;
    private int _generation;
    private long _generationStartedAt;
    private string? _lastCause;
    private BridgeSnapshot _snapshot;
    private IActorRef? _drainRequester;
    private bool _drainComplete;
    private bool _releasing;
    private bool _draining;
    private bool _flushing;
    private bool _released;
    // Behind the drain: whether it stands by again, and whether that is for another node's sake.
    private bool _standsByAgain;
    private bool _handsOver;
    private LeaseActor.Prefer? _preference;
    private QueueOrder _order;

    /// <summary>Use <see cref="Props" />.</summary>
    public BridgeActor(BridgeSettings settings, BridgeParts parts)
    {
        ArgumentNullException.ThrowIfNull(settings);
        _settings = settings;
        _parts = parts;
        _metrics = new BridgeMetrics(settings.Name);
        _snapshot = new BridgeSnapshot { Name = settings.Name, Listening = settings.Queue.PubSub is null ? null : false };
        StandingBy();
    }

    /// <inheritdoc />
    public ITimerScheduler Timers { get; set; } = null!;

    private bool GenerationIsGone => _connection is null && _puller is null;

    /// <summary>A bridge that stands by for its lease as soon as it starts.</summary>
    public static Props Props(BridgeSettings settings, BridgeParts parts) =>
        Akka.Actor.Props.Create(() => new BridgeActor(settings, parts));

    // Expecting the lease. Neither waits on the queue nor connects to the server.
    private void StandingBy()
    {
        ReceiveObservations();
        Receive<LeaseActor.TryNow>(message => _lease.Tell(message));
        Receive<HandOver>(_ => { });
        Receive<LeaseActor.Ordered>(_ => { });
        // Of a lease that was found lost as it was given back: it idles.
        Receive<LeaseActor.Lost>(_ => _lease.Tell(new LeaseActor.StandBy()));
        Receive<LeaseActor.Acquired>(message =>
        {
            _ownership = message;
            _order = message.Order;
            _log.Owns(_settings.Name, _settings.Queue.Keys.Queue, _settings.Xmpp.Domain, message.Grant.Epoch);
            if (_order == QueueOrder.Pause)
                _log.OwnsPaused(_settings.Name);
            _snapshot = _snapshot with { Role = BridgeRole.Owner, Epoch = message.Grant.Epoch, Order = _order, LeaseHolder = null, LeaseIsEndless = false, QueueFault = null };
            Become(Owning);
            BeginGeneration();
            BeginIntake();
        });
        Receive<LeaseActor.StandingByBehind>(message =>
        {
            if (message.Fault is null)
                _log.StandsBy(_settings.Name, message.Holder);
            else
                _log.CannotAskForLease(_settings.Name, message.Holder);
            _snapshot = message.Fault is null
                ? _snapshot with { LeaseHolder = message.Holder, LeaseIsEndless = message.IsEndless, QueueFault = null, Order = message.Order }
                : _snapshot with { LeaseHolder = null, LeaseIsEndless = false, QueueFault = message.Holder };
            PublishSnapshot();
        });
        Receive<Terminated>(OnTerminated);
        Receive<Drain>(_ =>
        {
            BeginDrain();
            _drainComplete = true;
            FlushPublisher();
        });
        Receive<StartGeneration>(_ => { });
    }

    // Expecting the generation to work until it fails, the lease is lost, or a drain is asked for.
    private void Owning()
    {
        ReceiveObservations();
        Receive<LeaseActor.Lost>(message => OnLeaseLost(message.Reason));
        Receive<RedisPullerActor.LeaseFoundLost>(_ => OnLeaseLost("the queue's scripts found another owner"));
        Receive<LeaseActor.TryNow>(_ => { });
        Receive<LeaseActor.Ordered>(message => OnOrdered(message.Order));
        Receive<HandOver>(_ =>
        {
            _log.HandsOver(_settings.Name);
            _handsOver = true;
            DrainAndStandBy();
        });
        Receive<StartGeneration>(_ =>
        {
            if (GenerationIsGone)
                BeginGeneration();
        });
        Receive<Terminated>(OnTerminated);
        Receive<Drain>(_ =>
        {
            BeginDrain();
            DrainGeneration();
        });
    }

    private void OnOrdered(QueueOrder order)
    {
        _log.Ordered(_settings.Name, order);
        _order = order;
        if (order == QueueOrder.Drain)
            DrainAndStandBy();
        else
            _puller?.Tell(new RedisPullerActor.SetTaking(order == QueueOrder.Run));
    }

    private void DrainAndStandBy()
    {
        _standsByAgain = true;
        BeginDrain();
        DrainGeneration();
    }

    private void DrainGeneration()
    {
        if (_connection is null || _puller is null)
        {
            // Between two generations nothing is in flight: all of it stands in the journal.
            _drainComplete = true;
            FlushPublisher();
            return;
        }

        _puller.Tell(new RedisPullerActor.StopTaking());
        _connection.Tell(new XmppConnectionActor.Drain());
    }

    // Expecting the old generation's end; only then may the lease be asked for again.
    private void Leaving()
    {
        ReceiveObservations();
        Receive<LeaseActor.TryNow>(_ => { });
        Receive<LeaseActor.Ordered>(_ => { });
        Receive<LeaseActor.Released>(_ => { });
        Receive<HandOver>(_ => { });
        Receive<Terminated>(message =>
        {
            OnTerminated(message);
            if (!GenerationIsGone)
                return;
            Become(StandingBy);
            _lease.Tell(new LeaseActor.StandBy());
        });
        Receive<StartGeneration>(_ => { });
        Receive<LeaseActor.Lost>(_ => { });
        Receive<RedisPullerActor.LeaseFoundLost>(_ => { });
        Receive<Drain>(_ =>
        {
            BeginDrain();
            _drainComplete = false;
            FlushPublisher();
        });
    }

    // Expecting, in this order: the connection's last barrier and close, the last settlement, the
    // lease given back. The deadline cuts it short at any point; nothing is lost by that.
    private void Draining()
    {
        ReceiveObservations();
        Receive<LeaseActor.TryNow>(_ => { });
        Receive<LeaseActor.Ordered>(_ => { });
        Receive<HandOver>(_ => { });
        Receive<XmppConnectionActor.Drained>(message =>
        {
            _drainComplete = message.AllConfirmed;
            _puller?.Tell(new RedisPullerActor.FlushSettlements());
        });
        Receive<RedisPullerActor.SettlementsFlushed>(_ => FlushPublisher());
        Receive<InboundPublisherActor.Flushed>(_ =>
        {
            // One that an earlier drain asked for may come now.
            if (_flushing)
                ReleaseLease();
        });
        Receive<PubSubIntakeActor.Finished>(_ =>
        {
            StopIntake();
            ReleaseLease();
        });
        Receive<LeaseActor.Released>(_ => FinishDrain());
        Receive<DrainDeadline>(_ =>
        {
            _log.NotDrained(_settings.Name, _settings.DrainTimeout);
            _drainComplete = false;
            // A successor should not have to wait until the lease runs out.
            StopGeneration();
            StopIntake();
            Timers.StartSingleTimer(nameof(LastDeadline), LastDeadline.Instance, _settings.Queue.CallTimeout);
            ReleaseLease();
        });
        Receive<LastDeadline>(_ => FinishDrain());
        Receive<LeaseActor.Lost>(_ => FinishDrain());
        Receive<RedisPullerActor.LeaseFoundLost>(_ => FinishDrain());
        Receive<Terminated>(message =>
        {
            var ofGeneration = message.ActorRef.Equals(_connection) || message.ActorRef.Equals(_puller);
            var ofRelease = message.ActorRef.Equals(_lease) || (message.ActorRef.Equals(_intake) && _releasing);
            OnTerminated(message);
            if (ofGeneration)
                // Not the lease at once: a successor would carry the replies that the publisher is carrying.
                FlushPublisher();
            else if (ofRelease)
                ReleaseLease();
        });
        Receive<StartGeneration>(_ => { });
        Receive<Drain>(_ =>
        {
            _drainRequester = Sender;
            _standsByAgain = false;
        });
    }

    private void Stopped()
    {
        ReceiveObservations();
        Receive<Drain>(_ => Sender.Tell(new Drained(_settings.Name, _drainComplete)));
        ReceiveAny(_ => { });
    }

    private void ReceiveObservations()
    {
        Receive<XmppConnectionActor.Observed>(message =>
        {
            if (!Sender.Equals(_connection))
                return;
            var now = _parts.Time.GetUtcNow();
            _snapshot = _snapshot with
            {
                ConnectionSeenAt = now,
                BarrierSince = now - message.BarrierUnderWay,
                Connection = message.State,
                Endpoint = message.Endpoint,
                LastStreamError = message.LastStreamError,
                LastReconnectCause = message.LastReconnectCause,
                UnconfirmedEntries = message.UnconfirmedEntries,
                UnconfirmedBytes = message.UnconfirmedBytes,
                HeldEntries = message.HeldEntries,
                WindowLimit = message.WindowLimit,
                LastBarrierRoundTrip = message.LastBarrierRoundTrip,
                LastProgressAt = message.LastProgressAt,
                AwaitingEntries = message.AwaitingEntries,
                InboundBuffered = message.InboundBuffered,
            };
        });
        Receive<RedisPullerActor.QueueObserved>(message => _snapshot = _snapshot with
        {
            QueueFault = message.Fault,
            QueueSeenAt = message.Depth is null ? _snapshot.QueueSeenAt : _parts.Time.GetUtcNow(),
            QueueLength = message.Depth?.Queued ?? _snapshot.QueueLength,
            ScheduledEntries = message.Depth?.Scheduled ?? _snapshot.ScheduledEntries,
            JournalLength = message.Depth?.Journal ?? _snapshot.JournalLength,
            OldestQueued = message.Depth is { } depth ? depth.OldestQueued : _snapshot.OldestQueued,
        });
        Receive<RedisPullerActor.TakingSet>(message =>
        {
            if (!Sender.Equals(_puller))
                return;
            _snapshot = _snapshot with { Order = message.Taking ? QueueOrder.Run : QueueOrder.Pause };
            PublishSnapshot();
        });
        Receive<Publish>(_ => PublishSnapshot());
        Receive<PubSubIntakeActor.Observed>(message =>
        {
            if (!Sender.Equals(_intake))
                return;
            _snapshot = _snapshot with { Listening = message.Listening };
            PublishSnapshot();
        });
        Receive<StartIntake>(_ => BeginIntake());
        Receive<InboundPublisherActor.Publish>(message => _publisher.Tell(message));
        Receive<InboundPublisherActor.DeliverReplies>(message => _publisher.Tell(message));
        // Its answers go to the connection.
        Receive<InboundPublisherActor.Deliver>(message => _publisher.Tell(message, Sender));
        Receive<LeaseActor.Prefer>(message =>
        {
            _preference = message;
            _lease.Tell(message);
        });
        Receive<StartLease>(_ => CreateLease());
        Receive<StartPublisher>(_ => CreatePublisher());
    }

    private void BeginGeneration()
    {
        _generation++;
        _generationStartedAt = _parts.Time.GetTimestamp();
        var ownership = _ownership!;
        _connection = Context.Watch(Context.ActorOf(
            XmppConnectionActor.Props(_settings, _parts.Dialer, _parts.Encoder, ownership.Deadline, _metrics, _parts.Board.RecentOf(_settings.Name, _settings.TraceEntries), _parts.Time, _parts.Random),
            $"connection-{_generation}"));
        _puller = Context.Watch(Context.ActorOf(
            RedisPullerActor.Props(_settings.Queue, ownership.Grant, _parts.OpenQueue, _connection, _metrics),
            $"puller-{_generation}"));
        if (_order == QueueOrder.Pause)
            _puller.Tell(new RedisPullerActor.SetTaking(false));
        // What a predecessor's publisher left.
        _publisher.Tell(InboundPublisherActor.DeliverReplies.Instance);
        var now = _parts.Time.GetUtcNow();
        _snapshot = _snapshot with { ConnectionSeenAt = now, QueueSeenAt = now, BarrierSince = null };
        PublishSnapshot();
    }

    // Beside the generations: a stream that breaks is no reason not to listen.
    private void BeginIntake()
    {
        if (_settings.Queue.PubSub is not { } settings || _parts.OpenPubSub is not { } open || _ownership is not { } ownership || _intake is not null)
            return;
        _intakeStartedAt = _parts.Time.GetTimestamp();
        var incarnation = _intakes++;
        _intake = Context.Watch(Context.ActorOf(
            PubSubIntakeActor.Props(settings, ownership.Grant, incarnation, open, _metrics, _parts.Time, _parts.Random), $"intake-{incarnation}"));
    }

    private void StopIntake()
    {
        Timers.Cancel(nameof(StartIntake));
        if (_intake is not { } intake)
            return;
        _intake = null;
        _snapshot = _snapshot with { Listening = false };
        Context.Unwatch(intake);
        Context.Stop(intake);
    }

    private void OnLeaseLost(string reason)
    {
        _log.LostLease(_settings.Name, reason);
        _snapshot = _snapshot with { Role = BridgeRole.Standby, Epoch = null, LeaseHolder = null, QueueFault = null };
        // The deadline is shared with the socket's pump: no write begins from here on.
        _ownership?.Deadline.Revoke();
        _ownership = null;
        StopIntake();
        PublishSnapshot();
        // Gives it back if it was the scripts that found it lost; otherwise the actor is idle already.
        _lease.Tell(new LeaseActor.Release());
        if (GenerationIsGone)
        {
            Timers.Cancel(nameof(StartGeneration));
            Become(StandingBy);
            _lease.Tell(new LeaseActor.StandBy());
            return;
        }

        Become(Leaving);
        StopGeneration();
    }

    private void OnTerminated(Terminated message)
    {
        var gone = message.ActorRef;
        if (gone.Equals(_connection) || gone.Equals(_puller))
        {
            if (gone.Equals(_connection))
                _connection = null;
            else
                _puller = null;
            StopGeneration();
            if (GenerationIsGone)
                OnGenerationGone();
        }
        else if (gone.Equals(_lease))
        {
            _lease = ActorRefs.Nobody;
            Timers.StartSingleTimer(nameof(StartLease), StartLease.Instance, FirstRestart);
            if (_ownership is not null)
                OnLeaseLost("the lease's actor died");
        }
        else if (gone.Equals(_publisher))
        {
            _publisher = ActorRefs.Nobody;
            Timers.StartSingleTimer(nameof(StartPublisher), StartPublisher.Instance, FirstRestart);
        }
        else if (gone.Equals(_intake))
        {
            _intake = null;
            _snapshot = _snapshot with { Listening = false };
            PublishSnapshot();
            _intakeRestarts.Succeeded(_parts.Time.GetElapsedTime(_intakeStartedAt));
            if (!_draining)
                Timers.StartSingleTimer(nameof(StartIntake), StartIntake.Instance, _intakeRestarts.Next(_parts.Random.NextDouble()));
        }
    }

    private void OnGenerationGone()
    {
        _snapshot = _snapshot with { Connection = ConnectionState.Idle, UnconfirmedEntries = 0, UnconfirmedBytes = 0, HeldEntries = 0, AwaitingEntries = 0, InboundBuffered = 0, Endpoint = null, ConnectionSeenAt = null, QueueSeenAt = null, BarrierSince = null };
        if (_ownership is null || _draining)
            return;
        _restarts.Succeeded(_parts.Time.GetElapsedTime(_generationStartedAt));
        var delay = _restarts.Next(_parts.Random.NextDouble());
        _snapshot = _snapshot with { Restarts = _snapshot.Restarts + 1 };
        PublishSnapshot();
        Timers.StartSingleTimer(nameof(StartGeneration), StartGeneration.Instance, delay);
    }

    private void StopGeneration()
    {
        if (_connection is { } connection)
            Context.Stop(connection);
        if (_puller is { } puller)
            Context.Stop(puller);
    }

    /// <summary>
    /// How long a drain may take in all: the time to confirm what is in flight, which the connection
    /// minds itself, the close of the stream, and the last calls to Redis.
    /// </summary>
    public static TimeSpan DrainPatience(BridgeSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return settings.DrainTimeout + settings.Xmpp.CloseTimeout + (settings.Queue.CallTimeout * 2);
    }

    private void BeginDrain()
    {
        _draining = true;
        (_drainComplete, _flushing, _releasing, _released) = (false, false, false, false);
        _drainRequester = _standsByAgain ? null : Sender;
        _snapshot = _snapshot with { Role = BridgeRole.Draining };
        PublishSnapshot();
        Timers.Cancel(nameof(StartGeneration));
        Timers.Cancel(nameof(StartIntake));
        Timers.StartSingleTimer(nameof(DrainDeadline), DrainDeadline.Instance, DrainPatience(_settings));
        Become(Draining);
    }

    // Also without a generation: an earlier one may have left what users sent.
    private void FlushPublisher()
    {
        if (_flushing)
            return;
        _flushing = true;
        if (_publisher.IsNobody())
            ReleaseLease();
        else
            _publisher.Tell(new InboundPublisherActor.Flush());
    }

    private void ReleaseLease()
    {
        if (_intake is { } intake)
        {
            // Under the lease alone can it append what it has heard; until then it listens, so that the window is short.
            _releasing = true;
            intake.Tell(new PubSubIntakeActor.Finish());
            return;
        }

        _ownership = null;
        if (_lease.IsNobody())
            FinishDrain();
        else if (!_released)
            _lease.Tell(new LeaseActor.Release());
        _released = true;
    }

    private void FinishDrain()
    {
        if (_standsByAgain)
        {
            StandByAgain();
            return;
        }

        Timers.CancelAll();
        StopGeneration();
        StopIntake();
        _snapshot = _snapshot with { Role = BridgeRole.Stopped, Epoch = null, Connection = ConnectionState.Idle };
        PublishSnapshot();
        _log.Drained(_settings.Name, _drainComplete);
        Become(Stopped);
        _drainRequester?.Tell(new Drained(_settings.Name, _drainComplete));
    }

    private void StandByAgain()
    {
        Timers.Cancel(nameof(DrainDeadline));
        Timers.Cancel(nameof(LastDeadline));
        StopGeneration();
        StopIntake();
        _ownership?.Deadline.Revoke();
        _ownership = null;
        // It may be the scripts that found it lost: the lease's actor then has it still, and would not stand by.
        if (!_released)
            _lease.Tell(new LeaseActor.Release());
        var handedOver = _handsOver;
        (_standsByAgain, _handsOver, _draining, _releasing) = (false, false, false, false);
        _log.GivenBack(_settings.Name, _settings.Queue.Keys.Queue, _drainComplete);
        _snapshot = _snapshot with { Role = BridgeRole.Standby, Epoch = null, LeaseHolder = null };
        PublishSnapshot();
        // The lease is free: whoever is to have it need not wait until this one's sockets are closed.
        if (handedOver)
            Context.Parent.Tell(new HandedOver(_settings.Name));
        if (!GenerationIsGone)
        {
            Become(Leaving);
            return;
        }

        Become(StandingBy);
        _lease.Tell(new LeaseActor.StandBy());
    }

    private void PublishSnapshot()
    {
        var now = _parts.Time.GetUtcNow();
        _snapshot = _snapshot with { PublishedAt = now };
        _snapshot = _snapshot with { BusySince = _snapshot.IsBusy ? _snapshot.BusySince ?? now : null };
        _parts.Board.Publish(_snapshot);
    }

    private void CreateLease()
    {
        _lease = Context.Watch(Context.ActorOf(LeaseActor.Props(_settings.Lease, _parts.OpenLease, _parts.Time), "lease"));
        if (_preference is { } preference)
            _lease.Tell(preference);
        if (_ownership is null && GenerationIsGone)
            _lease.Tell(new LeaseActor.StandBy());
    }

    private void CreatePublisher()
    {
        _publisher = Context.Watch(Context.ActorOf(
            InboundPublisherActor.Props(_settings.Outcomes, _parts.OpenOutcomes, _settings.Inbound, _parts.OpenInbound, _metrics), "publisher"));
        // What its predecessor had and did not deliver.
        _connection?.Tell(XmppConnectionActor.HandInboundOver.Instance);
        if (_ownership is not null)
            _publisher.Tell(InboundPublisherActor.DeliverReplies.Instance);
    }

    /// <inheritdoc />
    protected override void PreStart()
    {
        CreatePublisher();
        CreateLease();
        Timers.StartPeriodicTimer(nameof(Publish), Publish.Instance, TimeSpan.Zero, PublishEvery);
    }

    /// <inheritdoc />
    protected override void PostStop() => _ownership?.Deadline.Revoke();

    /// <summary>
    /// A child that fails is stopped, not restarted in place: the parent replaces it after a backoff
    /// with everything that depends on its memory. Logged once per cause; all are counted.
    /// </summary>
    protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(
        cause =>
        {
            var kind = Sender.Equals(_connection) ? BridgeActorKind.Connection
                : Sender.Equals(_puller) ? BridgeActorKind.Puller
                : Sender.Equals(_publisher) ? BridgeActorKind.Publisher
                : Sender.Equals(_intake) ? BridgeActorKind.Intake
                : BridgeActorKind.Lease;
            _metrics.Restarted(kind);
            Context.System.EventStream.Publish(new ActorFailed(Sender, cause));
            var words = $"{kind}: {cause.GetType().Name}: {cause.Message}";
            if (words != _lastCause)
                _log.ActorFailed(cause, _settings.Name, kind, cause.Message);
            _lastCause = words;
            return Directive.Stop;
        },
        loggingEnabled: false);
}
