using System.Buffers;
using System.Security.Cryptography;
using System.Text;
using Akka.Actor;
using Akka.Routing;
using Bridge.Inbound;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Scheduling;
using Bridge.Settings;
using Bridge.Stanzas;
using Bridge.Telemetry;
using Microsoft.Extensions.Logging;

namespace Bridge.Connection;

/// <summary>
/// Owns the component stream to the XMPP server and supervises the writers. Releases what the writers
/// encoded in the order of the queue, with barriers; confirms what the barriers prove; tells the
/// puller how much it may hand over and what may be settled. Reconnects for as long as it lives.
/// <para>
/// Each life of the stream is one object with an incarnation number, made fresh and thrown away
/// whole; events of an earlier life are recognised by it and dropped. What was unconfirmed when a
/// stream ended is written again, in order; what was held is read again from the journal, unless the
/// server is known to have lived on.
/// </para>
/// <para>
/// Child of <see cref="BridgeActor" />. When it dies the socket is reset, and the parent replaces it
/// together with the puller; nothing is lost, because the journal has everything that is not settled.
/// </para>
/// </summary>
[System.Diagnostics.CodeAnalysis.SuppressMessage(
    "Design", "CA1001", Justification = "An actor's resources end in PostStop.")]
public sealed class XmppConnectionActor : ReceiveActor, IWithTimers
{
    /// <summary>From the parent: confirm what is in flight, close the stream, and say <see cref="Drained" />.</summary>
    public sealed record Drain;

    /// <summary>To the parent: the stream is closed and nothing will be written any more.</summary>
    /// <param name="AllConfirmed">Whether everything that was handed over had been confirmed.</param>
    public sealed record Drained(bool AllConfirmed);

    /// <summary>To the parent: what the connection is doing, four times a second and at each change of state.</summary>
    /// <param name="State">Where the stream stands.</param>
    /// <param name="Endpoint">The endpoint in use.</param>
    /// <param name="LastStreamError">The last stream error's words.</param>
    /// <param name="LastReconnectCause">Why the last stream ended.</param>
    /// <param name="UnconfirmedEntries">Entries in the window.</param>
    /// <param name="UnconfirmedBytes">Their bytes.</param>
    /// <param name="HeldEntries">Entries confirmed and held.</param>
    /// <param name="WindowLimit">Entries that may be in the window now.</param>
    /// <param name="LastBarrierRoundTrip">The last round trip, if there was one.</param>
    /// <param name="LastProgressAt">When a barrier last returned.</param>
    public sealed record Observed(
        ConnectionState State,
        string? Endpoint,
        string? LastStreamError,
        ReconnectCause? LastReconnectCause,
        int UnconfirmedEntries,
        long UnconfirmedBytes,
        long HeldEntries,
        int WindowLimit,
        TimeSpan? LastBarrierRoundTrip,
        DateTimeOffset? LastProgressAt)
    {
        /// <summary>For how long a barrier is on its way and none has returned; null where none is on its way.</summary>
        public TimeSpan? BarrierUnderWay { get; init; }

        /// <summary>Stanzas for the app that Redis has not acknowledged.</summary>
        public int InboundBuffered { get; init; }

        /// <summary>Entries that have left the journal and wait for an answer.</summary>
        public int AwaitingEntries { get; init; }
    }

    /// <summary>From the parent: a new publisher is there; hand over what Redis has not acknowledged.</summary>
    public sealed record HandInboundOver
    {
        /// <summary>The only one.</summary>
        public static readonly HandInboundOver Instance = new();
    }

    private sealed record Dialed(int Incarnation, IComponentLink Link);

    private sealed record DialFailed(int Incarnation, Exception Cause);

    private sealed record FromLink(int Incarnation, InboundBatch Batch);

    private sealed record LinkEnded(int Incarnation, SocketEnd End, string? Words);

    private sealed record LinkClosed(int Incarnation);

    private sealed record DeadlinePassed(int Incarnation, ReconnectCause Cause);

    private sealed record UptimeUnknown(int Incarnation);

    private sealed record ResumeDelayOver(int Incarnation);

    private sealed record ControlPhaseOver(int Incarnation);

    private sealed record EncodeAgain(StanzaWriterActor.EncodeBatch Batch);

    private sealed record DialNow
    {
        public static readonly DialNow Instance = new();
    }

    private sealed record Tick
    {
        public static readonly Tick Instance = new();
    }

    private sealed record Observe
    {
        public static readonly Observe Instance = new();
    }

    private sealed record DrainDeadline
    {
        public static readonly DrainDeadline Instance = new();
    }

    /// <summary>One life of the stream.</summary>
    private sealed class StreamLife(int incarnation, XmppEndpoint endpoint, BarrierIdentity barrier)
    {
        public int Incarnation { get; } = incarnation;

        public XmppEndpoint Endpoint { get; } = endpoint;

        public BarrierIdentity Barrier { get; } = barrier;

        public string UptimeId { get; } = "u-" + Guid.NewGuid().ToString("N");

        public IComponentLink? Link { get; set; }

        public TimeSpan? EstablishedAt { get; set; }

        public ServerUptime? Uptime { get; set; }

        public bool UptimeSettled { get; set; }

        public bool Resumed { get; set; }

        public bool ResumeDelayed { get; set; }

        public StreamError? Error { get; set; }

        public int BarriersReturned { get; set; }

        public TimeSpan LastBarrierReturnedAt { get; set; }

        public int ReplyBytes { get; set; }

        public long RefusalBytes { get; set; }

        public TimeSpan LastBarrierWrittenAt { get; set; }

        public TimeSpan LastProgressAt { get; set; }

        public long LastAcknowledgedBytes { get; set; }

        public long LastReadBytes { get; set; }

        public long CountedBytesSent { get; set; }

        public long CountedBytesRead { get; set; }
    }

    /// <summary>Carries what the socket's loops read into the mailbox, with the life it belongs to.</summary>
    private sealed class Mailbox(IActorRef connection, int incarnation) : IInboundSink
    {
        public void Post(InboundBatch batch) => MailboxChain.Tell(connection, new FromLink(incarnation, batch));

        public void Ended(SocketEnd end, string? detail) => connection.Tell(new LinkEnded(incarnation, end, detail));
    }

    // Marks and holds are looked at ten times a second.
    private static readonly TimeSpan TickEvery = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan ObserveEvery = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan UptimePatience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan WriterStormDelay = TimeSpan.FromMilliseconds(100);
    private const int WriterFailuresPerSecond = 64;

    private const int SeenPerSettlement = 5_000;
    private const int ReadBytesOfProgress = 256 * 1024;

    // Between two returned barriers.
    private const int MaxReplyBytes = 256 * 1024;

    private readonly BridgeSettings _settings;
    private readonly XmppSettings _xmpp;
    private readonly IComponentDialer _dialer;
    private readonly LeaseDeadline _lease;
    private readonly BridgeMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly Random _random;
    private readonly long _origin;
    private readonly ILogger _log = ActorLogger.Of(Context);
    private readonly IActorRef _writers;
    private readonly CancellationTokenSource _stopped = new();

    private readonly DeliveryWindow _window;
    private readonly OrderedRelease _release = new();
    private readonly RoundTripControl _control;
    private readonly ReconnectPolicy _reconnect;
    private readonly EndingBook _endings;
    private readonly SeenIds? _seen;
    private readonly InboundRules _rules;
    private readonly InboundHandover _inbound;
    private readonly List<InboundEntry> _inboundNow = [];
    private readonly string _inboundSession = RandomNumberGenerator.GetHexString(16, lowercase: true);
    private readonly Dictionary<EntryPosition, (Rejection Rejection, int Attempts)> _convicted = [];

    private ConnectionState _state = ConnectionState.Connecting;
    private Action<InboundEvent> _onEvent = _ => { };
    private StreamLife _life;
    private int _incarnation;
    private Task<IComponentLink>? _dialing;

    // What earlier lives left behind, for the next one to decide with.
    private ServerUptime? _uptimeBefore;
    private bool _lastEndProvedLife;
    private string? _lastStreamError;
    private ReconnectCause? _lastCause;
    private bool _everEstablished;
    private TimeSpan? _lastRoundTrip;
    private DateTimeOffset? _lastProgressAt;
    private Bisection? _bisection;
    private bool _impatienceLogged;
    private EntryPosition _furthestConfirmed = EntryPosition.Zero;
    private EntryPosition? _silentAt;
    private int _silentEnds;

    private IActorRef? _puller;
    private Recovery? _recovered;
    private bool _flowStarted;
    private int _flow;
    private long _releasedBytes;
    private RedisPullerActor.WindowMoved? _lastTold;
    private EntryPosition _markTold;

    private int _writerFailures;
    private TimeSpan _writerFailuresSince;
    private string? _lastWriterFailure;

    private long _untoldTraces;

    private bool _draining;
    private bool _drainExpired;
    private RedisPullerActor.TakingStopped? _takingStopped;

    /// <summary>Use <see cref="Props" />.</summary>
    public XmppConnectionActor(
        BridgeSettings settings,
        IComponentDialer dialer,
        IStanzaEncoder encoder,
        LeaseDeadline lease,
        BridgeMetrics metrics,
        RecentDeliveries recent,
        TimeProvider time,
        Random random)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(time);
        _settings = settings;
        _xmpp = settings.Xmpp;
        _dialer = dialer;
        _lease = lease;
        _metrics = metrics;
        _time = time;
        _random = random;
        _origin = time.GetTimestamp();
        _rules = new InboundRules(settings.Inbound, settings.Xmpp.Domain);
        _inbound = new InboundHandover(settings.Inbound.Buffer, settings.Inbound.BufferBytes);
        _endings = new EndingBook(settings.Outcomes, settings.Answers, settings.Retry, settings.Confirm.Grade, time.GetUtcNow());
        _seen = settings.Queue.Repeats is { } repeats ? new SeenIds(repeats) : null;
        _window = new DeliveryWindow(settings.Window, settings.Confirm.Grade, settings.Confirm.Hold, _endings, _seen, recent);
        _control = new RoundTripControl(settings.Window.TargetRoundTrip, settings.Window.UnconfirmedEntries, settings.Window.BarrierEntries);
        _reconnect = new ReconnectPolicy(_xmpp.BackoffMin, _xmpp.BackoffMax, _xmpp.Endpoints.Length);
        _life = new StreamLife(0, _xmpp.Endpoints[0], new BarrierIdentity(_xmpp.Domain));

        // A pool's own strategy would escalate to us and restart every writer for the fault of one.
        var oneWriter = new OneForOneStrategy(
            cause =>
            {
                metrics.Restarted(BridgeActorKind.Writer);
                return Directive.Restart;
            },
            loggingEnabled: false);
        _writers = Context.ActorOf(
            new RoundRobinPool(settings.Writers).WithSupervisorStrategy(oneWriter)
                .Props(StanzaWriterActor.Props(encoder, Self, time)),
            "writers");
        Connecting();
    }

    /// <inheritdoc />
    public ITimerScheduler Timers { get; set; } = null!;

    private TimeSpan Now => _time.GetElapsedTime(_origin);

    private IComponentLink Link => _life.Link!;

    private bool UptimeMayBeAsked =>
        _settings.Confirm.TrustUptime == UptimeTrust.Auto && _xmpp.ServerDomain is not null;

    private bool IsBisecting => _bisection is { Over: false };

    /// <summary>A connection for one generation of the bridge.</summary>
    /// <param name="settings">The bridge.</param>
    /// <param name="dialer">Opens streams.</param>
    /// <param name="encoder">Shared by the writers; keeps no state.</param>
    /// <param name="lease">Checked before each socket write.</param>
    /// <param name="metrics">Where it counts.</param>
    /// <param name="recent">Where confirmed messages are remembered.</param>
    /// <param name="time">The clock.</param>
    /// <param name="random">Draws the jitter of reconnects; null: the process' own.</param>
    public static Props Props(
        BridgeSettings settings,
        IComponentDialer dialer,
        IStanzaEncoder encoder,
        LeaseDeadline lease,
        BridgeMetrics metrics,
        RecentDeliveries recent,
        TimeProvider time,
        Random? random = null)
    {
        random ??= Random.Shared;
        return Akka.Actor.Props.Create(() => new XmppConnectionActor(settings, dialer, encoder, lease, metrics, recent, time, random));
    }

    // Expecting the dialer's answer, which has its own deadline.
    private void Connecting()
    {
        ReceiveAlways();
        Receive<Dialed>(message => message.Incarnation == _life.Incarnation, message =>
        {
            _dialing = null;
            _life.Link = message.Link;
            Link.Start(new StanzaReader(_xmpp.MaxInboundStanzaBytes), _life.Barrier, new Mailbox(Self, _life.Incarnation));
            Link.Output.Write(Handshake.StreamHeader(_xmpp.Domain));
            Link.Flush();
            Enter(ConnectionState.AwaitingStreamHeader, AwaitingStreamHeader, _xmpp.HeaderTimeout, ReconnectCause.HeaderTimeout);
        });
        Receive<DialFailed>(message => message.Incarnation == _life.Incarnation, message =>
        {
            var cause = message.Cause is ConnectFaultException { Fault: var fault }
                ? fault switch
                {
                    ConnectFault.TimedOut => ReconnectCause.ConnectTimeout,
                    ConnectFault.TlsFailed or ConnectFault.CertificateRejected or ConnectFault.CaFileUnusable => ReconnectCause.TlsFailed,
                    _ => ReconnectCause.ConnectFailed,
                }
                : throw new InvalidOperationException("A dial failed for no named reason.", message.Cause);
            EndLife(cause, message.Cause.Message);
        });
    }

    // Expecting the server's stream header. A frozen server accepts TCP and says nothing, hence the deadline.
    private void AwaitingStreamHeader()
    {
        ReceiveAlways();
        ReceiveFromLink();
        _onEvent = @event =>
        {
            switch (@event)
            {
                case StreamOpened { Header.Id: { Length: > 0 } id }:
                    Link.Output.Write(Handshake.Proof(id, _xmpp.Secret));
                    Link.Flush();
                    Enter(ConnectionState.AwaitingHandshake, AwaitingHandshake, _xmpp.HandshakeTimeout, ReconnectCause.HandshakeTimeout);
                    break;
                case StreamOpened:
                    // Prosody names an unknown host in a header with an empty id; the error follows.
                    break;
                default:
                    OnStreamLevel(@event);
                    break;
            }
        };
    }

    // Expecting the server's <handshake/> or a stream error (XEP-0114 §3).
    private void AwaitingHandshake()
    {
        ReceiveAlways();
        ReceiveFromLink();
        _onEvent = @event =>
        {
            if (@event is HandshakeAccepted)
                OnEstablished();
            else
                OnStreamLevel(@event);
        };
    }

    // The stream carries entries. Expecting barriers back, in order, and progress at all times.
    private void Established()
    {
        ReceiveAlways();
        ReceiveFromLink();
        _onEvent = OnEventWhileEstablished;
        Receive<Tick>(_ => OnTick());
        Receive<UptimeUnknown>(message => message.Incarnation == _life.Incarnation, _ =>
        {
            _life.UptimeSettled = true;
            TryResume();
        });
        Receive<ResumeDelayOver>(message => message.Incarnation == _life.Incarnation, _ =>
        {
            _life.ResumeDelayed = false;
            TryResume();
        });
        Receive<ControlPhaseOver>(message => message.Incarnation == _life.Incarnation, _ => WriteOut());
    }

    // Nothing is written any more; expecting the server's end of the stream, or the close's own deadline.
    private void Closing()
    {
        Receive<LinkClosed>(message => message.Incarnation == _life.Incarnation, _ => FinishDrain());
        Receive<FromLink>(message =>
        {
            if (message.Incarnation != _life.Incarnation)
                return;
            foreach (var @event in message.Batch.Events)
                OnEventWhileClosing(@event);
            Link.Consumed(message.Batch);
            HandInbound();
        });
        Receive<InboundPublisherActor.Delivered>(message => _inbound.Acknowledge(message.UpTo));
        Receive<HandInboundOver>(_ => HandOver(_inbound.Kept));
        Receive<StanzaWriterActor.BatchEncoded>(message => message.Batch.Release());
        Receive<Observe>(_ => TellParent());
        ReceiveAny(_ => { });
    }

    // Expecting the end of a delay; demand is still told and what the writers encode is buffered, up to the window.
    private void WaitingToReconnect()
    {
        ReceiveAlways();
        Receive<DialNow>(_ => Dial());
    }

    private void Gone() => ReceiveAny(message =>
    {
        if (message is StanzaWriterActor.BatchEncoded encoded)
            encoded.Batch.Release();
        else if (message is InboundPublisherActor.Delivered delivered)
            _inbound.Acknowledge(delivered.UpTo);
        else if (message is HandInboundOver)
            HandOver(_inbound.Kept);
    });

    /// <summary>What means the same in every state.</summary>
    private void ReceiveAlways()
    {
        Receive<StanzaWriterActor.BatchEncoded>(message => OnBatchEncoded(message.Batch));
        Receive<StanzaWriterActor.EncodingFailed>(OnEncodingFailed);
        Receive<EncodeAgain>(message => _writers.Tell(message.Batch));
        Receive<RedisPullerActor.JournalRecovered>(message =>
        {
            _puller = Sender;
            _recovered = message.Recovery;
            _endings.Seal = message.Recovery.Seal;
            _endings.Restore(message.Recovery, Now);
            _seen?.Restore(message.Recovery.Seen);
            TryResume();
        });
        Receive<RedisPullerActor.AwaitingFound>(message => _endings.Restore(message.Awaiting));
        Receive<RedisPullerActor.TakingStopped>(message =>
        {
            _takingStopped = message;
            TryFinishDrain();
        });
        Receive<Drain>(_ =>
        {
            _draining = true;
            Timers.StartSingleTimer(nameof(DrainDeadline), DrainDeadline.Instance, _settings.DrainTimeout);
            TryFinishDrain();
        });
        Receive<DrainDeadline>(_ =>
        {
            _drainExpired = true;
            TryFinishDrain();
        });
        Receive<Observe>(_ =>
        {
            // Also where there is no stream: no answer comes there either.
            EndOverdue();
            TellParent();
        });
        Receive<InboundPublisherActor.Delivered>(message => _inbound.Acknowledge(message.UpTo));
        Receive<HandInboundOver>(_ => HandOver(_inbound.Kept));
        Receive<DeadlinePassed>(message => message.Incarnation == _life.Incarnation, message => EndLife(message.Cause, "no answer in time"));
        // Late events of an earlier life, or of a state that is over.
        Receive<DeadlinePassed>(_ => { });
        Receive<UptimeUnknown>(message => message.Incarnation != _life.Incarnation, _ => { });
        Receive<ResumeDelayOver>(message => message.Incarnation != _life.Incarnation, _ => { });
        Receive<ControlPhaseOver>(message => message.Incarnation != _life.Incarnation, _ => { });
        Receive<Dialed>(message => message.Incarnation != _life.Incarnation, message => message.Link.ResetNow());
        Receive<DialFailed>(message => message.Incarnation != _life.Incarnation, _ => { });
        Receive<FromLink>(message => message.Incarnation != _life.Incarnation, _ => { });
        Receive<LinkEnded>(message => message.Incarnation != _life.Incarnation, _ => { });
        Receive<LinkClosed>(_ => { });
    }

    private void ReceiveFromLink()
    {
        Receive<FromLink>(message => message.Incarnation == _life.Incarnation, message =>
        {
            var life = _life;
            foreach (var @event in message.Batch.Events)
            {
                // An event may end the life, and the rest of the batch with it.
                if (!ReferenceEquals(life, _life) || _state == ConnectionState.Idle)
                    break;
                // Asked anew each time: a stanza may come in one read with the <handshake/> that changes the behaviour.
                if (_state == ConnectionState.Draining)
                    OnEventWhileClosing(@event);
                else
                    _onEvent(@event);
            }

            life.Link!.Consumed(message.Batch);
            HandInbound();
            if (ReferenceEquals(life, _life))
                WriteOut();
        });
        Receive<LinkEnded>(message => message.Incarnation == _life.Incarnation, OnLinkEnded);
    }

    private void Dial()
    {
        var endpoint = _xmpp.Endpoints[_reconnect.Endpoint];
        var life = new StreamLife(++_incarnation, endpoint, new BarrierIdentity(_xmpp.Domain));
        _life = life;
        SetState(ConnectionState.Connecting);
        Become(Connecting);
        _dialing = _dialer.DialAsync(endpoint, _xmpp, _lease, _stopped.Token);
        _dialing.PipeTo(Self, Self, link => new Dialed(life.Incarnation, link), cause => new DialFailed(life.Incarnation, cause));
    }

    private void Enter(ConnectionState state, Action behaviour, TimeSpan deadline, ReconnectCause cause)
    {
        SetState(state);
        Become(behaviour);
        Timers.StartSingleTimer(nameof(DeadlinePassed), new DeadlinePassed(_life.Incarnation, cause), deadline);
    }

    private void OnEstablished()
    {
        Timers.Cancel(nameof(DeadlinePassed));
        var life = _life;
        life.EstablishedAt = life.LastProgressAt = life.LastBarrierWrittenAt = Now;
        _log.Connected(_settings.Name, life.Endpoint, _xmpp.Domain);
        SetState(ConnectionState.Established);
        Become(Established);
        Timers.StartPeriodicTimer(nameof(Tick), Tick.Instance, TickEvery);
        if (_xmpp.ResumeDelay > TimeSpan.Zero && _everEstablished)
        {
            life.ResumeDelayed = true;
            Timers.StartSingleTimer(nameof(ResumeDelayOver), new ResumeDelayOver(life.Incarnation), _xmpp.ResumeDelay);
        }

        _everEstablished = true;
        if (UptimeMayBeAsked)
        {
            Link.Output.Write(Encoding.UTF8.GetBytes(
                $"<iq type='get' id='{life.UptimeId}' from='{_xmpp.Domain}' to='{_xmpp.ServerDomain}'><query xmlns='jabber:iq:last'/></iq>"));
            Timers.StartSingleTimer(nameof(UptimeUnknown), new UptimeUnknown(life.Incarnation), UptimePatience);
        }
        else
            life.UptimeSettled = true;

        // The first barrier shows at once whether they come back, and opens a bisection's control phase.
        WriteBarrier();
        TryResume();
    }

    /// <summary>Begins to write once all that decides where to begin is known.</summary>
    private void TryResume()
    {
        if (_state != ConnectionState.Established || _life.Resumed || _life.ResumeDelayed)
            return;
        if (!_flowStarted)
        {
            if (_recovered is not { } recovery)
                return;
            // Only a mark that names a server start can be contradicted by the server's answer.
            if (recovery is { Count: > 0, Mark.ServerStart: not 0 } && !_life.UptimeSettled)
                return;
            _life.Resumed = true;
            StartFirstFlow(recovery);
        }
        else
        {
            var held = _window.OldestHeldAt;
            if (held is not null && !_lastEndProvedLife && !_life.UptimeSettled)
                return;
            _life.Resumed = true;
            if (held is { } oldest && !_lastEndProvedLife && !ServerUptime.LivedOn(_uptimeBefore, _life.Uptime, oldest))
            {
                _log.HeldSentAgain(_settings.Name, _window.HeldEntries);
                _metrics.Resent(_window.HeldEntries);
                _window.ForgetAll();
                StartFlow(_window.SettledUpTo);
            }
        }

        _uptimeBefore = _life.Uptime;
        WriteOut();
        Settle();
        TryFinishDrain();
    }

    private void StartFirstFlow(Recovery recovery)
    {
        _flowStarted = true;
        var after = EntryPosition.Zero;
        if (recovery.Count > 0)
        {
            after = recovery.First.Previous;
            _window.ForgetAll(after);
            if (recovery.Mark is { } mark && mark.Position >= recovery.First)
            {
                if (!IsUpheld(mark))
                {
                    _log.PredecessorsHeldSentAgain(_settings.Name);
                    _metrics.Resent(recovery.Count);
                }
                else
                {
                    // The predecessor saw these confirmed: the hold is continued, not begun again with a re-send.
                    var confirmed = mark.Position < recovery.Last ? mark.Position : recovery.Last;
                    if (mark.Owed)
                        _window.ContinueHoldAndTell(confirmed);
                    else
                    {
                        after = confirmed;
                        var held = recovery.First.High == 0 && after.High == 0
                            ? (long)(after.Low - recovery.First.Low) + 1
                            : Math.Min(recovery.Count, 1);
                        _window.ContinueHold(after, held, Now);
                    }
                }
            }
        }
        else if (recovery.Mark is { } settled)
        {
            after = settled.Position;
            _window.ForgetAll(after);
        }

        _markTold = _window.MarkedUpTo;
        StartFlow(after);
    }

    /// <summary>
    /// Whether the server that a predecessor's mark speaks of is the one we are connected to, and lived
    /// on. Its start tells; but the nodes of a cluster may have started together, so where several
    /// endpoints are configured, or the mark names no start, it must be the same endpoint as well.
    /// </summary>
    private bool IsUpheld(ConfirmedMark mark) =>
        ServerUptime.Upholds(mark.ServerStart, _life.Uptime)
        && (mark.Endpoint == _life.Endpoint.ToString() || (mark.ServerStart != 0 && _xmpp.Endpoints.Length == 1));

    private void StartFlow(EntryPosition after)
    {
        _flow++;
        _release.Restart();
        _releasedBytes = 0;
        _lastTold = null;
        _puller!.Tell(new RedisPullerActor.StartFlow(_flow, after, _writers));
        TellWindow();
    }

    private void OnEventWhileEstablished(InboundEvent @event)
    {
        switch (@event)
        {
            case BarrierReturned barrier:
                OnBarrierReturned(barrier.Number);
                break;
            case StanzaBounced bounced:
                OnBounced(bounced);
                break;
            case StanzaReceived { Kind: StanzaKind.Iq } iq:
                OnIq(iq);
                break;
            case StanzaReceived { Kind: StanzaKind.Message } message when IsReceipt(message):
                break;
            case StanzaReceived received:
                OnStanza(received);
                break;
            case StanzaSkipped:
                _metrics.Received(InboundKind.Skipped);
                break;
            default:
                OnStreamLevel(@event);
                break;
        }
    }

    // Nothing is answered any more, but what came is not lost for that.
    private void OnEventWhileClosing(InboundEvent @event)
    {
        switch (@event)
        {
            case StanzaBounced bounced:
                OnBounced(bounced);
                break;
            case StanzaReceived { Kind: StanzaKind.Iq } iq when IsResult(iq):
            case StanzaReceived { Kind: StanzaKind.Message } message when IsReceipt(message):
                break;
            case StanzaReceived received when !IsOwnPing(received):
                _metrics.Received(BridgeMetrics.KindOf(received.Kind));
                if (_rules.Judge(received, Now).ForApp && !TryGiveToApp(EntryOf(received)))
                    _metrics.InboundDropped(BridgeMetrics.KindOf(received.Kind));
                break;
        }
    }

    private void OnStanza(StanzaReceived stanza)
    {
        _metrics.Received(BridgeMetrics.KindOf(stanza.Kind));
        var verdict = _rules.Judge(stanza, Now);
        if (verdict.ForApp && !TryGiveToApp(EntryOf(stanza)))
        {
            if (InboundRules.Refusal(stanza, _xmpp.Domain) is { IsEmpty: false } refusal && TryRefuse(refusal))
                _metrics.InboundRefused(BridgeMetrics.KindOf(stanza.Kind));
            else
                _metrics.InboundDropped(BridgeMetrics.KindOf(stanza.Kind));
        }

        if (!verdict.Answer.IsEmpty)
            _ = TryReply(verdict.Answer);
    }

    private InboundEntry EntryOf(StanzaReceived stanza) => InboundEntry.Of(_inboundSession, _inbound.Next, _time.GetUtcNow(), stanza);

    /// <summary>Keeps a stanza for the app, to be handed over; false when there is no room.</summary>
    private bool TryGiveToApp(InboundEntry entry)
    {
        if (_inbound.TryKeep(entry))
        {
            _inboundNow.Add(entry);
            return true;
        }

        if (_inbound.BeginsToRefuse(Now))
            _log.InboundFull(_settings.Name, _inbound.Entries, _inbound.Bytes);
        return false;
    }

    // One message for all that came in one read.
    private void HandInbound()
    {
        if (_inboundNow.Count == 0)
            return;
        HandOver([.. _inboundNow]);
        _inboundNow.Clear();
    }

    // Through the parent, who knows the publisher that lives now.
    private void HandOver(IReadOnlyList<InboundEntry> entries)
    {
        if (entries.Count > 0)
            Context.Parent.Tell(new InboundPublisherActor.Deliver(entries, _inbound.AcknowledgedUpTo));
    }

    /// <summary>Says something to a sender, unless so much was said since the last barrier that the server seems not to read it.</summary>
    private bool TryReply(ReadOnlyMemory<byte> reply)
    {
        if (_life.ReplyBytes >= MaxReplyBytes)
            return false;
        _life.ReplyBytes += reply.Length;
        WriteReply(reply, _life.ReplyBytes);
        return true;
    }

    /// <summary>Asks a sender to wait. The bound is that of what waits: behind a flood barriers are late, and all its senders should hear.</summary>
    private bool TryRefuse(ReadOnlyMemory<byte> refusal)
    {
        if (_life.RefusalBytes >= _settings.Inbound.BufferBytes)
            return false;
        _life.RefusalBytes += refusal.Length;
        WriteReply(refusal, _life.RefusalBytes);
        return true;
    }

    private void WriteReply(ReadOnlyMemory<byte> reply, long sinceBarrier)
    {
        Link.Output.Write(reply.Span);
        Link.Flush();
        // Many who ask should not wait for the next idle barrier.
        if (sinceBarrier >= MaxReplyBytes / 2 && _window.OutstandingBarriers == 0)
            WriteBarrier();
    }

    private bool IsOwnPing(StanzaReceived stanza) =>
        stanza is { Kind: StanzaKind.Iq, Type: "get" or "set" } && stanza.From == _xmpp.Domain && stanza.To == _xmpp.Domain;

    private void OnStreamLevel(InboundEvent @event)
    {
        switch (@event)
        {
            case StreamFailed { Error: var error }:
                // The end of the stream follows; a server that does not send it is not waited for.
                _life.Error = error;
                EndLife(CauseOf(error), error.Text is { Length: > 0 } text ? $"{StreamError.WireName(error.Condition)}: {text}" : StreamError.WireName(error.Condition));
                break;
            case StreamMalformed { Reason: var reason }:
                EndLife(ReconnectCause.ProtocolViolation, reason);
                break;
            case StreamClosed:
                EndLife(ReconnectCause.StreamEnded, "the server closed the stream");
                break;
            default:
                // A stanza before the handshake was answered: nothing that a server does.
                EndLife(ReconnectCause.ProtocolViolation, $"unexpected {@event.GetType().Name} while {_state}");
                break;
        }
    }

    private void OnLinkEnded(LinkEnded ended) => EndLife(
        ended.End switch
        {
            SocketEnd.RemoteClosed => ReconnectCause.StreamEnded,
            SocketEnd.LeaseExpired => ReconnectCause.LeaseLost,
            SocketEnd.Malformed => ReconnectCause.ProtocolViolation,
            _ => ReconnectCause.SocketFailed,
        },
        ended.Words ?? ended.End.ToString());

    private void OnBarrierReturned(long number)
    {
        var full = _window.UnconfirmedEntries >= _control.Entries
            || _window.UnconfirmedBytes + _settings.Queue.BatchBytes >= _settings.Window.UnconfirmedBytes * _control.Share;
        var outcome = _window.BarrierReturned(number, Now);
        if (!outcome.Expected)
        {
            _metrics.BarrierUnexpected();
            return;
        }

        _life.BarriersReturned++;
        _life.LastBarrierReturnedAt = Now;
        _life.ReplyBytes = 0;
        _life.RefusalBytes = 0;
        _life.LastProgressAt = Now;
        _lastRoundTrip = outcome.RoundTrip;
        _lastProgressAt = _time.GetUtcNow();
        _metrics.BarrierReturned(outcome.RoundTrip);
        _control.Measured(outcome.RoundTrip, full);
        if (outcome.Missing > 0)
        {
            _metrics.BarriersMissing(outcome.Missing);
            _log.BarriersMissing(outcome.Missing, _xmpp.Domain);
        }

        if (outcome.ConfirmedEntries > 0)
        {
            var now = _time.GetUtcNow();
            _metrics.Confirmed(outcome.ConfirmedEntries, now - outcome.OldestTakenAt);
            if (outcome.OldestPushedAtMs > 0)
                _metrics.Delivered(now - DateTimeOffset.FromUnixTimeMilliseconds(outcome.OldestPushedAtMs));
            if (_window.ConfirmedUpTo > _furthestConfirmed)
                _furthestConfirmed = _window.ConfirmedUpTo;
        }

        TellTraces();
        AdvanceBisection();
        // What is less than a batch waits for the tick: at a thousand messages a second, settlements that each
        // came by themselves were what made its slowest ones slow (docs/performance.md).
        // Where somebody waits for a reply, the reply does not wait.
        Settle(atLeast: _endings.RepliesOwed > 0 ? 1 : _settings.Queue.BatchEntries);
        TellWindow();
        TryFinishDrain();
    }

    private void AdvanceBisection()
    {
        _bisection?.Cleared(_window.ClearUpTo);
        if (_bisection is not { Over: true })
            return;
        _log.SearchWithoutVerdict(_settings.Name);
        _bisection = null;
    }

    private void OnIq(StanzaReceived iq)
    {
        if (iq.Type is "get" or "set")
        {
            if (IsOwnPing(iq))
            {
                // A barrier of an earlier life, or a forged one: never answered, and confirms nothing.
                _metrics.BarrierUnexpected();
                return;
            }

            // RFC 6120 §8.2.3: a request must be answered, if only with an error. But a flood of requests
            // must not fill our memory with answers that the server does not read.
            OnStanza(iq);
        }
        else if (iq.Id == _life.UptimeId && iq.From == _xmpp.ServerDomain)
            OnUptimeTold(ServerUptime.ReadAnswer(iq.Xml.Span));
        else if (!IsResult(iq))
            _metrics.Received(InboundKind.Iq);
    }

    private bool IsResult(StanzaReceived iq) =>
        iq is { Type: "result", Id.Length: > 0, From: not null } && IsAnswer(iq.Id, iq.From, AnswerKind.Result, iq.Xml.Span);

    private bool IsReceipt(StanzaReceived message) =>
        message.From is not null && Receipts.TryRead(message.Xml.Span, out var id) && IsAnswer(id, message.From, AnswerKind.Receipt, default);

    private bool IsAnswer(string id, string from, AnswerKind kind, ReadOnlySpan<byte> answer)
    {
        var ended = _endings.Answered(id, from, kind, answer, out var isOurs);
        if (ended is not null)
            End(ended);
        else if (isOurs)
            _metrics.AnswerDropped();
        return isOurs;
    }

    private void End(EndedEntry ended)
    {
        _window.End(ended, Now);
        Settle(atLeast: ended.Outcome?.ReplyTo is null ? _settings.Queue.BatchEntries : 1);
    }

    private void EndOverdue()
    {
        if (_puller is null || _endings.Overdue(Now) is not { Count: > 0 } overdue)
            return;
        foreach (var ended in overdue)
            _window.End(ended, Now);
        if (_state == ConnectionState.Established && _life.Resumed)
            Settle();
        else
            Tell(Settlement.Nothing with { Ended = _window.TakeEnded() });
    }

    private void OnUptimeTold(TimeSpan? uptime)
    {
        if (_life.UptimeSettled)
            return;
        Timers.Cancel(nameof(UptimeUnknown));
        if (uptime is { } runsFor)
            _life.Uptime = new ServerUptime(
                Now - runsFor,
                (_time.GetUtcNow() - runsFor).ToUnixTimeMilliseconds(),
                _xmpp.Endpoints.Length == 1 && Link.SingleAddress);
        _life.UptimeSettled = true;
        if (_life.Resumed)
            _uptimeBefore = _life.Uptime;
        TryResume();
    }

    private void OnBounced(StanzaBounced bounced)
    {
        if (bounced.Id == _life.UptimeId)
        {
            OnUptimeTold(null);
            return;
        }

        var meaning = bounced is { Id.Length: > 0, From: not null } ? _endings.Bounced(bounced, _window.SettledUpTo, Now) : BounceMeaning.Nothing;
        if (!meaning.IsOurs)
        {
            _metrics.Received(BridgeMetrics.KindOf(bounced.Kind));
            if (_rules.WantsError(bounced.Kind)
                && !TryGiveToApp(InboundEntry.Of(_inboundSession, _inbound.Next, _time.GetUtcNow(), bounced)))
                _metrics.InboundDropped(BridgeMetrics.KindOf(bounced.Kind));
            return;
        }

        _metrics.Bounced(bounced.Error.Type, bounced.Error.Condition);
        // Not at info: a storm of bounces is counted, and each stands in the outcome stream.
        _log.Bounced(bounced.Id, bounced.Error.Type, bounced.Error.Condition);
        if (meaning.Ended is { } ended)
            End(ended);
        else if (meaning.Told is { } told)
        {
            // Through the parent, who knows the publisher that lives now.
            Context.Parent.Tell(new InboundPublisherActor.Publish([told]));
        }
    }

    private void OnBatchEncoded(EncodedBatch batch)
    {
        if (batch.Flow != _flow)
        {
            batch.Release();
            return;
        }

        _release.Offer(batch);
        while (_release.TryTake(out var next))
        {
            _endings.Remember(next.Entries);
            foreach (ref readonly var entry in next.Entries)
            {
                _releasedBytes += entry.PayloadLength;
                if (entry.IsRejected)
                    CountRejected(entry.Rejection.Reason);
            }

            _window.Append(next, Now);
        }

        ApplyConvictions();
        TellTraces();
        WriteOut();
        Settle();
        TellWindow();
        TryFinishDrain();
    }

    private void TellTraces()
    {
        if (_window.TakeFinishedTraces() is { Count: > 0 } finished)
            DeliverySpans.Tell(finished, _settings.Name, Now, _time.GetUtcNow());
        if (_window.UntoldTraces == _untoldTraces)
            return;
        _metrics.TracesDropped(_window.UntoldTraces - _untoldTraces);
        _untoldTraces = _window.UntoldTraces;
    }

    private void CountRejected(RejectionReason reason)
    {
        _metrics.Rejected(reason);
        if (reason == RejectionReason.Expired)
            _metrics.Expired(1);
    }

    private void OnEncodingFailed(StanzaWriterActor.EncodingFailed message)
    {
        var batch = message.Batch;
        if (batch.Flow != _flow)
            return;
        var words = $"{message.Cause.GetType().Name}: {message.Cause.Message}";
        if (words != _lastWriterFailure)
            _log.WriterFailed(message.Cause, _settings.Name);
        _lastWriterFailure = words;

        if (batch.Entries.Count == 1)
        {
            var entry = batch.Entries[0];
            var rejection = new Rejection(RejectionReason.WriterFailed, -1, words);
            // Nobody knows what its payload says: it is told of as one that cannot be read.
            var ticket = _settings.Outcomes.Mode == OutcomeMode.None ? null : new OutcomeTicket(entry.GeneratedId, "", null, null, entry.PushedAt);
            OnBatchEncoded(new EncodedBatch(
                batch.Flow,
                batch.FirstOrdinal,
                new[] { new EncodedEntry(entry.Position, 0, 0, entry.Payload.Length, rejection, 0, entry.TakenAt, ticket) },
                ArrayPool<byte>.Shared.Rent(1)));
            return;
        }

        var half = batch.Entries.Count / 2;
        // Copies that share the payloads' memory, which is therefore left to the garbage collector.
        EncodeLater(batch with { Entries = EntryBatch.Of(batch.Entries.Span[..half]) });
        EncodeLater(new StanzaWriterActor.EncodeBatch(batch.Flow, batch.FirstOrdinal + half, EntryBatch.Of(batch.Entries.Span[half..])));
    }

    /// <summary>Encodes again at once, or, when writers fail by the dozen, a little later: a storm of restarts must not eat a core.</summary>
    private void EncodeLater(StanzaWriterActor.EncodeBatch batch)
    {
        if (Now - _writerFailuresSince > TimeSpan.FromSeconds(1))
            (_writerFailures, _writerFailuresSince) = (0, Now);
        if (++_writerFailures <= WriterFailuresPerSecond)
            _writers.Tell(batch);
        else
            Timers.StartSingleTimer((nameof(EncodeAgain), batch.FirstOrdinal), new EncodeAgain(batch), WriterStormDelay);
    }

    /// <summary>Puts everything on the stream that may go there now.</summary>
    private void WriteOut()
    {
        if (!_life.Resumed || _state != ConnectionState.Established)
            return;
        var now = Now;
        EntryPosition? upTo = null;
        // Also where nothing was confirmed: a suspect that is not sent any more (it expired) must not hold the search up.
        AdvanceBisection();
        if (_bisection is { Over: false } bisection)
        {
            // Before the first barrier of this life came back, nothing of the group under test is sent.
            var lives = _life.BarriersReturned > 0 ? now - _life.EstablishedAt!.Value : TimeSpan.MinValue;
            upTo = bisection.WriteUpTo(_window.ClearUpTo, lives);
            if (bisection.ControlFor > lives && lives >= TimeSpan.Zero)
                Timers.StartSingleTimer(nameof(ControlPhaseOver), new ControlPhaseOver(_life.Incarnation), bisection.ControlFor - lives + TimeSpan.FromMilliseconds(5));
        }

        var wasIdle = _window.OutstandingBarriers == 0;
        var output = Link.Output;
        long barriers = 0;
        while (_window.TryNextWrite(upTo, _control.Share, now, out var step))
        {
            if (step.Batch is null)
            {
                _life.Barrier.Write(output, step.Barrier);
                barriers++;
            }
            else
                output.Write(step.Batch.Bytes(step.Offset, step.Length));
        }

        if (barriers > 0)
        {
            _life.LastBarrierWrittenAt = now;
            _metrics.BarriersSent(barriers);
            // Progress is awaited from the moment on at which something is.
            if (wasIdle)
                _life.LastProgressAt = now;
        }

        Link.Flush();
    }

    private void WriteBarrier()
    {
        if (_window.OutstandingBarriers == 0)
            _life.LastProgressAt = Now;
        _life.Barrier.Write(Link.Output, _window.NextBarrier(Now).Barrier);
        _life.LastBarrierWrittenAt = Now;
        _metrics.BarriersSent(1);
        Link.Flush();
    }

    private void OnTick()
    {
        EndOverdue();
        Settle();
        TellMark();
        TellWindow();
        CheckProgress();
    }

    private void CheckProgress()
    {
        var now = Now;
        // What left the kernel's send queue has reached the peer's kernel: a slow link is alive.
        var acknowledged = Link.BytesWritten - Math.Max(0, Link.KernelSendQueue());
        if (acknowledged != _life.LastAcknowledgedBytes)
        {
            _life.LastAcknowledgedBytes = acknowledged;
            _life.LastProgressAt = now;
        }

        // Behind a flood a barrier is late as well. What trickles in proves nothing about the other direction.
        if (Link.BytesRead - _life.LastReadBytes >= ReadBytesOfProgress)
        {
            _life.LastReadBytes = Link.BytesRead;
            _life.LastProgressAt = now;
        }

        if (_window.OldestBarrierAt is { } oldest)
        {
            // A barrier that waits behind a shrinking send queue is late, not lost; but not for ever.
            if (now - _life.LastProgressAt >= _xmpp.ProgressTimeout || now - Later(oldest, _life.LastBarrierReturnedAt) >= _xmpp.BarrierTimeout)
                EndLife(ReconnectCause.NoProgress, $"no barrier came back for {(now - oldest).TotalSeconds:F1} s");
        }
        else if (now - _life.LastBarrierWrittenAt >= _xmpp.IdleBarrier || _window.NeedsProofOfLife(now))
            WriteBarrier();
    }

    private void Settle(int atLeast = 1)
    {
        // Held entries settle while the stream lives on: a stream that is down proves nothing.
        if (_puller is null || _state != ConnectionState.Established || !_life.Resumed
            || _window.TakeSettleable(atLeast) is not { } settleable)
            return;
        // A conviction is kept until its entry has left the journal: until then it may be read again.
        foreach (var position in _convicted.Keys.Where(position => position <= settleable.UpTo).ToArray())
            _convicted.Remove(position);
        Tell(new Settlement(settleable.UpTo, settleable.Ended, MayMark ? Mark() : null));
        TellWindow();
    }

    private void TellMark()
    {
        if (_window.ConfirmedUpTo > _markTold && MayMark)
            Tell(Settlement.Nothing with { Mark = Mark() });
    }

    // A mark says that this server confirmed everything up to it. Before the stream was resumed that is
    // what an earlier server said; before the uptime is known the mark could not be held against it.
    private bool MayMark => _flowStarted && _life is { Resumed: true, UptimeSettled: true } && !_window.AwaitsConfirmed;

    private ConfirmedMark Mark()
    {
        _markTold = _window.ConfirmedUpTo;
        return new ConfirmedMark(
            _markTold, _life.Endpoint.ToString(), _life.Uptime?.StartedAtUnix ?? 0, default, _endings.Owes(_markTold));
    }

    /// <summary>
    /// Takes the mark back to what is settled: the server that confirmed the rest may have forgotten
    /// it, and a successor must not continue its hold.
    /// </summary>
    private void TakeMarkBack()
    {
        if (!_flowStarted || _markTold <= _window.SettledUpTo)
            return;
        _markTold = _window.SettledUpTo;
        Tell(Settlement.Nothing with { Mark = new ConfirmedMark(_markTold, _life.Endpoint.ToString(), 0, default) });
    }

    private void Tell(Settlement settlement) =>
        _puller?.Tell(new RedisPullerActor.Settle(_seen is null ? settlement : settlement with { Seen = _seen.TakeUnsaid(SeenPerSettlement) }));

    private void TellWindow()
    {
        if (!_flowStarted || _puller is null)
            return;
        var limit = _window.HeldIsFull ? 0 : _control.Entries;
        var grown = Math.Max(0, _window.UnconfirmedBytes - _window.UnconfirmedPayloadBytes);
        var moved = new RedisPullerActor.WindowMoved(
            _flow,
            _release.ReleasedEntries - _window.UnconfirmedEntries,
            _releasedBytes - _window.UnconfirmedPayloadBytes,
            limit,
            Math.Max(1, (long)(_settings.Window.UnconfirmedBytes * _control.Share) - grown));
        if (moved == _lastTold)
            return;
        _lastTold = moved;
        _puller.Tell(moved);
    }

    /// <summary>Ends this life of the stream, draws its lessons, and plans the next one.</summary>
    private void EndLife(ReconnectCause cause, string words)
    {
        var life = _life;
        Timers.Cancel(nameof(Tick));
        Timers.Cancel(nameof(DeadlinePassed));
        Timers.Cancel(nameof(UptimeUnknown));
        Timers.Cancel(nameof(ResumeDelayOver));
        Timers.Cancel(nameof(ControlPhaseOver));
        life.Link?.ResetNow();
        CountBytes(life);
        TimeSpan? lived = life.EstablishedAt is { } since ? Now - since : null;
        _lastCause = cause;
        if (life.Error is not null)
            _lastStreamError = words;
        _metrics.Reconnecting(cause);

        // An error that names a stanza's fault is the word of a server that lives and has worked off
        // everything before that stanza; a refused connection afterwards would take that back.
        _lastEndProvedLife = lived is not null
            ? cause == ReconnectCause.StanzaFault
            : _lastEndProvedLife && cause == ReconnectCause.Conflict;

        // The stream whose end is the verdict belongs to the search as well.
        var searched = IsBisecting && _bisection!.IsPatient(Now);
        // When we let go ourselves for the lease's sake, the server has no part in it.
        if (!_lastEndProvedLife && cause != ReconnectCause.LeaseLost)
            TakeMarkBack();
        if (lived is not null)
            LearnFromEnd(cause, words, lived.Value);
        if (_draining && (cause == ReconnectCause.LeaseLost || _drainExpired))
        {
            FinishDrain();
            return;
        }

        var bisecting = searched || (IsBisecting && _bisection!.IsPatient(Now));
        if (IsBisecting && !bisecting && !_impatienceLogged)
        {
            _impatienceLogged = true;
            _log.SearchSlow(_settings.Name, Bisection.Patience, _bisection!.Suspects);
        }

        // An endpoint that lets us in and brings no barrier back is none to stay with.
        var useful = bisecting || life.BarriersReturned > 0 ? lived : null;
        var delay = _reconnect.Next(cause, useful, bisecting, Now, _random.NextDouble());
        LogEnd(cause, words, delay);
        SetState(ConnectionState.WaitingToReconnect);
        // A fresh life: whatever still comes from the old one is recognised by its number.
        _life = new StreamLife(++_incarnation, life.Endpoint, life.Barrier);
        Become(WaitingToReconnect);
        Timers.StartSingleTimer(nameof(DialNow), DialNow.Instance, delay);
    }

    private void LearnFromEnd(ReconnectCause cause, string words, TimeSpan lived)
    {
        var kind = cause switch
        {
            ReconnectCause.StanzaFault => StreamEndKind.StanzaFault,
            ReconnectCause.StreamEnded or ReconnectCause.SocketFailed => StreamEndKind.Silent,
            _ => StreamEndKind.Unrelated,
        };
        var underWayFor = _window.OldestBarrierAt is { } oldest ? Now - oldest : lived;
        var underWay = _window.StreamLost(Now);
        _metrics.Resent(underWay.Count);

        if (_bisection is { Over: false } bisection)
        {
            var tested = underWay.Count > 0 && underWay[^1] >= bisection.Suspect;
            if (bisection.StreamEnded(kind, tested, lived) is { } convicted)
                Convict(convicted, kind == StreamEndKind.StanzaFault ? words : "the server hung up on it without a word, each time");
            return;
        }

        if (underWay.Count == 0 || kind == StreamEndKind.Unrelated)
            return;
        if (kind == StreamEndKind.Silent)
        {
            // The same place is where no life got beyond: held entries that are sent again are confirmed
            // anew each time, and that is no progress.
            _silentEnds = _silentAt == _furthestConfirmed ? _silentEnds + 1 : 1;
            _silentAt = _furthestConfirmed;
            if (_silentEnds < Bisection.SilentEndsToBegin)
                return;
        }

        _silentAt = null;
        _impatienceLogged = false;
        _bisection = new Bisection(underWay, underWayFor, Now);
        _log.SearchBegins(_settings.Name, words, underWay.Count);
    }

    private void Convict(EntryPosition position, string words)
    {
        // An entry that was read from the journal again counts from zero in the window.
        var attempts = Math.Max(_bisection!.Attempts, _window.AttemptsAt(position));
        _bisection = null;
        _log.Convicted(_settings.Name, position, words);
        _metrics.Rejected(RejectionReason.Convicted);
        _convicted[position] = (new Rejection(RejectionReason.Convicted, -1, words), attempts);
        ApplyConvictions();
    }

    private void ApplyConvictions()
    {
        foreach (var (position, (rejection, attempts)) in _convicted)
            _window.Reject(position, rejection, Now, attempts);
    }

    private void LogEnd(ReconnectCause cause, string words, TimeSpan delay)
    {
        if (_life.Error is { Class: StreamErrorClass.Refused } refused)
            _log.Refused(_life.Endpoint, _xmpp.Domain, words, refused.Advice, delay);
        else if (cause == ReconnectCause.Conflict && _reconnect.ConflictPersists(Now))
            _log.Conflict(_life.Endpoint, _xmpp.Domain, _life.Error?.Advice, delay);
        else
            _log.StreamEnded(_life.Endpoint, BridgeMetrics.Name(cause), words, delay);
    }

    private void TryFinishDrain()
    {
        if (!_draining || _state == ConnectionState.Draining)
            return;
        var allHanded = _takingStopped is { } stopped
            && (!_flowStarted || (stopped.Flow == _flow && stopped.HandedEntries == _release.ReleasedEntries));
        var done = allHanded && _window.AllConfirmed;
        if (!done && !_drainExpired)
            return;
        if (_state != ConnectionState.Established)
        {
            FinishDrain();
            return;
        }

        // The mark lets the next owner continue the hold; it is not sat out here.
        Settle();
        if (MayMark)
            Tell(Settlement.Nothing with { Mark = Mark() });
        Timers.Cancel(nameof(Tick));
        SetState(ConnectionState.Draining);
        Become(Closing);
        // A plain close with unread input makes the kernel send RST, which takes back stanzas already written.
        Link.Output.Write("</stream:stream>"u8);
        Link.Flush();
        var incarnation = _life.Incarnation;
        Link.CloseAsync(_xmpp.CloseTimeout).PipeTo(Self, Self, () => new LinkClosed(incarnation), _ => new LinkClosed(incarnation));
    }

    private void FinishDrain()
    {
        HandInbound();
        var complete = _window.AllConfirmed && _takingStopped is not null;
        // Bounces that came while the stream was closing: nobody will hear of them again.
        if (_window.TakeEnded() is { Count: > 0 } ended)
            Tell(Settlement.Nothing with { Ended = ended });
        Timers.CancelAll();
        CountBytes(_life);
        SetState(ConnectionState.Idle);
        Become(Gone);
        Context.Parent.Tell(new Drained(complete));
    }

    private void SetState(ConnectionState state)
    {
        _state = state;
        TellParent();
    }

    private void TellParent()
    {
        CountBytes(_life);
        Context.Parent.Tell(new Observed(
            _state,
            _life.Endpoint.ToString(),
            _lastStreamError,
            _lastCause,
            _window.UnconfirmedEntries,
            _window.UnconfirmedBytes,
            _window.HeldEntries,
            _control.Entries,
            _lastRoundTrip,
            _lastProgressAt)
        {
            BarrierUnderWay = _window.OldestBarrierAt is { } oldest ? Now - Later(oldest, _life.LastBarrierReturnedAt) : null,
            InboundBuffered = _inbound.Entries,
            AwaitingEntries = _endings.Awaiting,
        });
    }

    private void CountBytes(StreamLife life)
    {
        if (life.Link is not { } link)
            return;
        var (sent, read) = (link.BytesWritten, link.BytesRead);
        _metrics.BytesSent(sent - life.CountedBytesSent);
        _metrics.BytesReceived(read - life.CountedBytesRead);
        (life.CountedBytesSent, life.CountedBytesRead) = (sent, read);
    }

    private static TimeSpan Later(TimeSpan one, TimeSpan other) => one > other ? one : other;

    private static ReconnectCause CauseOf(StreamError error) => error.Class switch
    {
        StreamErrorClass.NamesAStanzaFault => ReconnectCause.StanzaFault,
        StreamErrorClass.Conflict => ReconnectCause.Conflict,
        StreamErrorClass.Refused => ReconnectCause.Refused,
        _ => ReconnectCause.StreamError,
    };

    /// <inheritdoc />
    protected override void PreStart()
    {
        Timers.StartPeriodicTimer(nameof(Observe), Observe.Instance, ObserveEvery);
        Dial();
    }

    /// <inheritdoc />
    protected override void PostStop()
    {
        // A dial that is under way gives its socket up; one that came about all the same has no reader any more.
        _stopped.Cancel();
        _stopped.Dispose();
        _dialing?.PipeTo(ActorRefs.Nobody, success: link =>
        {
            link.ResetNow();
            return link;
        });
        _life.Link?.ResetNow();
        _release.Restart();
        _window.ForgetAll();
    }
}
