using Akka.Actor;
using Bridge.Settings;
using Bridge.Telemetry;
using Microsoft.Extensions.Logging;

namespace Bridge.Queue;

/// <summary>
/// Holds the lease of one queue and domain, or waits for it. Redis alone decides who owns; the
/// holder's own deadline is the moment at which it <em>sent</em> its last successful renewal, plus
/// the time to live, less a margin, and every socket write checks it.
/// <para>
/// Child of <see cref="BridgeActor" />. When it dies the lease is not renewed any more, the deadline
/// passes, and nothing is written: the parent ends the generation at once and starts over.
/// </para>
/// </summary>
public sealed class LeaseActor : ReceiveActor, IWithTimers
{
    /// <summary>From the parent: try to become the owner, and keep trying.</summary>
    public sealed record StandBy;

    /// <summary>From the parent: give the lease back.</summary>
    public sealed record Release;

    /// <summary>
    /// From the parent: whether this node should be the owner, as the cluster sees it. One that should not leaves a lease that it
    /// finds free to others for a moment, and takes it then all the same.
    /// </summary>
    /// <param name="IsPreferred">True without a cluster.</param>
    public sealed record Prefer(bool IsPreferred);

    /// <summary>From the parent: the lease has just been given back for us; try now.</summary>
    public sealed record TryNow;

    /// <summary>To the parent: the lease is ours.</summary>
    /// <param name="Grant">Under which takes and settlements run.</param>
    /// <param name="Deadline">Which every socket write checks.</param>
    /// <param name="Order">What the operator wants.</param>
    public sealed record Acquired(LeaseGrant Grant, LeaseDeadline Deadline, QueueOrder Order = QueueOrder.Run);

    /// <summary>To the parent: the operator wants something else of the queue, which is ours.</summary>
    /// <param name="Order">What is wanted now.</param>
    public sealed record Ordered(QueueOrder Order);

    /// <summary>To the parent: the lease is not ours any more, or not provably.</summary>
    /// <param name="Reason">For the log and the status.</param>
    public sealed record Lost(string Reason);

    /// <summary>To the parent: somebody else holds it.</summary>
    /// <param name="Holder">Which key is held; or what Redis said.</param>
    /// <param name="Fault">Set when Redis could not be asked, so that it is unknown whether somebody holds it.</param>
    /// <param name="Order">What the operator wants.</param>
    /// <param name="IsEndless">Whether that is held for ever.</param>
    public sealed record StandingByBehind(string Holder, QueueFault? Fault = null, QueueOrder Order = QueueOrder.Run, bool IsEndless = false);

    /// <summary>To the parent: the lease was given back, or was not ours, or Redis did not answer in time.</summary>
    public sealed record Released;

    private sealed record Attempted(LeaseAttempt Attempt, long SentAt);

    private sealed record Looked(bool IsFree);

    private sealed record OrderRead(LeaseGrant Grant, QueueOrder Order);

    private sealed record OrderUnknown;

    private sealed record Renewed(LeaseGrant Grant, bool StillOurs, long SentAt);

    private sealed record CallFailed(Exception Cause);

    private sealed record ReleaseDone;

    private sealed record Tick
    {
        public static readonly Tick Instance = new();
    }

    private readonly LeaseSettings _settings;
    private readonly IQueueLease _lease;
    private readonly TimeProvider _time;
    private readonly ILogger _log = ActorLogger.Of(Context);
    private bool _callUnderWay;
    private string? _lastWords;
    private QueueFault? _lastFault;
    private LeaseGrant? _grant;
    private LeaseDeadline? _deadline;
    private bool _isPreferred = true;
    private bool _wasFree;
    private QueueOrder _order;
    private int _givingBack;
    private IActorRef _waitsForRelease = ActorRefs.Nobody;

    /// <summary>Use <see cref="Props" />.</summary>
    public LeaseActor(LeaseSettings settings, Func<IQueueLease> openLease, TimeProvider time)
    {
        ArgumentNullException.ThrowIfNull(openLease);
        _settings = settings;
        _lease = openLease();
        _time = time;
        Idle();
    }

    /// <inheritdoc />
    public ITimerScheduler Timers { get; set; } = null!;

    /// <summary>A lease that does nothing until <see cref="StandBy" />.</summary>
    public static Props Props(LeaseSettings settings, Func<IQueueLease> openLease, TimeProvider time) =>
        Akka.Actor.Props.Create(() => new LeaseActor(settings, openLease, time));

    // Neither ours nor wanted: before the first StandBy, and after a loss until the parent has put
    // the old generation away.
    private void Idle()
    {
        Receive<StandBy>(_ =>
        {
            // What was said of an earlier wait is news again.
            (_lastWords, _lastFault) = (null, null);
            Become(StandingBy);
            Timers.StartPeriodicTimer(nameof(Tick), Tick.Instance, TimeSpan.Zero, _settings.PollEvery);
        });
        Receive<Release>(_ =>
        {
            // One that was lost a moment ago may still be on its way back: "released" must mean that nobody waits for it.
            if (_givingBack == 0)
                Sender.Tell(new Released());
            else
                _waitsForRelease = Sender;
        });
        ReceivePreference();
        Receive<TryNow>(_ => { });
        Receive<Looked>(_ => _callUnderWay = false);
        Receive<OrderRead>(_ => { });
        Receive<OrderUnknown>(_ => { });
        Receive<Attempted>(message =>
        {
            // An attempt that was under way when the wish ended: what it won is given back.
            _callUnderWay = false;
            if (message.Attempt.Grant is { } grant)
                GiveBack(grant, ActorRefs.Nobody);
        });
        Receive<Renewed>(_ => _callUnderWay = false);
        Receive<CallFailed>(_ => _callUnderWay = false);
        Receive<Tick>(_ => { });
        ReceiveReleaseDone();
    }

    // Expecting the lease to become free: looks every half second, and takes nothing else up.
    private void StandingBy()
    {
        _wasFree = false;
        Receive<Tick>(_ =>
        {
            if (_callUnderWay)
                return;
            // Whoever should have it looks as often, and has taken it by the second look.
            if (_isPreferred || _wasFree)
                Try();
            else
                Look();
        });
        Receive<TryNow>(_ =>
        {
            if (!_callUnderWay)
                Try();
        });
        ReceivePreference();
        Receive<Looked>(message =>
        {
            _callUnderWay = false;
            _wasFree = message.IsFree;
            if (!message.IsFree)
                Say("another process holds it, as it should");
        });
        Receive<OrderRead>(_ => { });
        Receive<OrderUnknown>(_ => { });
        Receive<Attempted>(message =>
        {
            _callUnderWay = false;
            _wasFree = false;
            if (message.Attempt.Grant is { } grant)
                Own(grant, message.SentAt, message.Attempt.Order);
            else
                Say(message.Attempt.Holder ?? "another process", order: message.Attempt.Order, isEndless: message.Attempt.IsEndless);
        });
        Receive<CallFailed>(message =>
        {
            _callUnderWay = false;
            Say(Words(message.Cause), message.Cause is QueueFaultException fault ? fault.Fault : QueueFault.Other);
        });
        Receive<Release>(_ =>
        {
            Timers.CancelAll();
            Become(Idle);
            Sender.Tell(new Released());
        });
        Receive<Renewed>(_ => _callUnderWay = false);
        Receive<StandBy>(_ => { });
        ReceiveReleaseDone();
    }

    // Expecting each renewal to succeed before the deadline; a single refusal ends it.
    private void Owning()
    {
        Receive<Tick>(_ => Renew());
        ReceivePreference();
        Receive<TryNow>(_ => { });
        Receive<Looked>(_ => { });
        Receive<OrderRead>(message =>
        {
            if (message.Grant != _grant || message.Order == _order)
                return;
            _order = message.Order;
            Context.Parent.Tell(new Ordered(_order));
        });
        // The renewal beside it tells of a Redis that does not answer.
        Receive<OrderUnknown>(_ => { });
        Receive<Renewed>(message => message.Grant == _grant, message =>
        {
            _callUnderWay = false;
            _lastWords = null;
            if (message.StillOurs)
                _deadline!.Extend(message.SentAt, _settings.TimeToLive - _settings.SafetyMargin);
            else
                Lose("Redis gave it to somebody else, or it ran out");
        });
        Receive<CallFailed>(message =>
        {
            _callUnderWay = false;
            if (_lastWords is null)
                _log.LeaseNotRenewed(Words(message.Cause));
            _lastWords = Words(message.Cause);
            if (!_deadline!.MayWriteNow())
                Lose(_lastWords);
        });
        Receive<Release>(_ =>
        {
            Timers.CancelAll();
            _deadline!.Revoke();
            GiveBack(_grant!, Sender);
            _grant = null;
            Become(Idle);
        });
        Receive<StandBy>(_ => { });
        Receive<Attempted>(_ => { });
        Receive<Renewed>(_ => { });
        ReceiveReleaseDone();
    }

    private void ReceivePreference() => Receive<Prefer>(message => _isPreferred = message.IsPreferred);

    private void ReceiveReleaseDone() => Receive<ReleaseDone>(_ =>
    {
        if (--_givingBack > 0)
            return;
        _waitsForRelease.Tell(new Released());
        _waitsForRelease = ActorRefs.Nobody;
    });

    private void Try()
    {
        _callUnderWay = true;
        var sentAt = _time.GetTimestamp();
        _lease.TryAcquireAsync().PipeTo(Self, Self, attempt => new Attempted(attempt, sentAt), cause => new CallFailed(cause));
    }

    private void Look()
    {
        _callUnderWay = true;
        _lease.IsFreeAsync().PipeTo(Self, Self, isFree => new Looked(isFree), cause => new CallFailed(cause));
    }

    private void Own(LeaseGrant grant, long sentAt, QueueOrder order)
    {
        _grant = grant;
        _order = order;
        _deadline = new LeaseDeadline(_time);
        _deadline.Extend(sentAt, _settings.TimeToLive - _settings.SafetyMargin);
        _lastWords = null;
        _lastFault = null;
        Become(Owning);
        Timers.StartPeriodicTimer(nameof(Tick), Tick.Instance, _settings.RenewEvery);
        Context.Parent.Tell(new Acquired(grant, _deadline, order));
    }

    private void Renew()
    {
        if (!_deadline!.MayWriteNow())
        {
            Lose(_lastWords ?? "no renewal succeeded in time; this process was frozen, or Redis was");
            return;
        }

        if (_callUnderWay)
            return;
        _callUnderWay = true;
        var grant = _grant!;
        var sentAt = _time.GetTimestamp();
        _lease.RenewAsync(grant).PipeTo(
            Self, Self, stillOurs => new Renewed(grant, stillOurs, sentAt), cause => new CallFailed(cause));
        _lease.ReadOrderAsync().PipeTo(Self, Self, order => new OrderRead(grant, order), _ => new OrderUnknown());
    }

    private void Lose(string reason)
    {
        Timers.CancelAll();
        _deadline!.Revoke();
        // It may still be ours in Redis: giving it back lets a successor in at once.
        GiveBack(_grant!, ActorRefs.Nobody);
        _grant = null;
        Become(Idle);
        Context.Parent.Tell(new Lost(reason));
    }

    private void GiveBack(LeaseGrant grant, IActorRef requester)
    {
        _givingBack++;
        if (!requester.IsNobody())
            _waitsForRelease = requester;
        _lease.ReleaseAsync(grant).PipeTo(
            Self,
            Self,
            () => new ReleaseDone(),
            cause =>
            {
                // Not given back: it runs out by itself, a time to live later.
                _log.LeaseNotGivenBack(Words(cause));
                return new ReleaseDone();
            });
    }

    private void Say(string words, QueueFault? fault = null, QueueOrder order = QueueOrder.Run, bool isEndless = false)
    {
        // The words about one fault differ from attempt to attempt; it is told once.
        if (words == _lastWords || (fault is not null && fault == _lastFault))
            return;
        _lastWords = words;
        _lastFault = fault;
        Context.Parent.Tell(new StandingByBehind(words, fault, order, isEndless));
    }

    private static string Words(Exception cause) =>
        cause is QueueFaultException fault ? $"{fault.Fault}: {fault.Message}" : cause.GetType().Name + ": " + cause.Message;

    /// <inheritdoc />
    protected override void PostStop()
    {
        _deadline?.Revoke();
        Closing.InBackground(_lease, "the lease's connection", _log);
    }
}
