using Akka.Actor;
using Bridge.Connection;
using Bridge.Settings;
using Bridge.Telemetry;
using Microsoft.Extensions.Logging;

namespace Bridge.Queue;

/// <summary>
/// Hears what is published and appends it to the end of the list, from where it goes the way of every entry. Best effort: what
/// is published while it does not listen is lost. It counts and logs each such <em>window</em>, which lasts from when it was last
/// known to listen, or from its start, to when Redis has confirmed its patterns.
/// <para>
/// Child of <see cref="BridgeActor" />, which makes one for as long as it holds the lease, and another one when it fails. The
/// lease fences what it appends: whoever lost it appends nothing any more, so that two owners never append the same message.
/// </para>
/// </summary>
public sealed class PubSubIntakeActor : ReceiveActor, IWithTimers
{
    /// <summary>To the parent: whether it listens.</summary>
    /// <param name="Listening">From Redis' confirmation to the end of the subscription.</param>
    public sealed record Observed(bool Listening);

    /// <summary>From the parent: listen no more, append all that was heard, and say <see cref="Finished" />. For the end of a drain.</summary>
    public sealed record Finish;

    /// <summary>To the parent: everything that was heard is in the list, or dropped and counted.</summary>
    public sealed record Finished;

    private sealed record Subscribed(int Life);

    private sealed record Heard(int Life, ReadOnlyMemory<byte> Message);

    private sealed record Answered(int Life);

    private sealed record Stopped(int Life);

    private sealed record Ended(int Life, string Cause);

    private sealed record SubscriptionFailed(int Life, Exception Cause);

    private sealed record Appended(int Accepted);

    private sealed record AppendFailed(Exception Cause);

    private sealed record PingNow
    {
        public static readonly PingNow Instance = new();
    }

    private sealed record SubscribeAgain
    {
        public static readonly SubscribeAgain Instance = new();
    }

    private sealed record AppendAgain
    {
        public static readonly AppendAgain Instance = new();
    }

    private static readonly TimeSpan PingEvery = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan FirstDelay = TimeSpan.FromMilliseconds(200);

    // Every moment without a subscription loses messages.
    private static readonly TimeSpan LongestDelay = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan StableAfter = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan TellAgainAfter = TimeSpan.FromMinutes(1);

    private readonly PubSubSettings _settings;
    private readonly LeaseGrant _grant;
    private readonly IPubSub _pubSub;
    private readonly BridgeMetrics _metrics;
    private readonly TimeProvider _time;
    private readonly Random _random;
    private readonly ILogger _log = ActorLogger.Of(Context);
    private readonly Backoff _delays = new(FirstDelay, LongestDelay, StableAfter);
    private readonly IntakeBuffer _buffer;

    // One life of the subscription; what an earlier one still says is not listened to.
    private int _life;
    private IPatternSubscription? _subscription;
    private long _listeningSince;
    private long _lastSign;
    private long? _windowSince;
    private string? _lastCause;
    private bool _pingUnderWay;

    // The batch that is under way or to be tried again, and its number.
    private IReadOnlyList<ReadOnlyMemory<byte>>? _batch;
    private long _number;
    private bool _appending;
    private bool _finishing;
    private int _failures;
    private long? _bufferFullToldAt;
    private long? _listFullToldAt;

    /// <summary>Use <see cref="Props" />.</summary>
    public PubSubIntakeActor(
        PubSubSettings settings, LeaseGrant grant, int incarnation, Func<IPubSub> open, BridgeMetrics metrics, TimeProvider time, Random random)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(open);
        _settings = settings;
        _grant = grant;
        // Above all numbers of those before it: Lua counts exactly to 2^53.
        _number = (long)incarnation << 32;
        _pubSub = open();
        _metrics = metrics;
        _time = time;
        _random = random;
        _buffer = new IntakeBuffer(settings.Buffer);
        Subscribing();
    }

    /// <inheritdoc />
    public ITimerScheduler Timers { get; set; } = null!;

    /// <summary>An intake that begins at once.</summary>
    /// <param name="settings">Patterns and bounds.</param>
    /// <param name="grant">The lease that it appends under.</param>
    /// <param name="incarnation">Rises with each one that is made under a lease, from 0.</param>
    /// <param name="open">Makes the way to Redis.</param>
    /// <param name="metrics">Where windows and drops are counted.</param>
    /// <param name="time">The clock.</param>
    /// <param name="random">Draws the jitter.</param>
    public static Props Props(
        PubSubSettings settings, LeaseGrant grant, int incarnation, Func<IPubSub> open, BridgeMetrics metrics, TimeProvider time, Random random) =>
        Akka.Actor.Props.Create(() => new PubSubIntakeActor(settings, grant, incarnation, open, metrics, time, random));

    // Expecting Redis to confirm the patterns, each step within its deadline.
    private void Subscribing()
    {
        ReceiveMessagesAndReplies();
        Receive<Subscribed>(message => message.Life == _life, _ => Listens());
        Receive<Finish>(_ => BeginFinish(false));
        ReceiveAny(IgnoreWhatIsOver);
    }

    // Expecting messages, and a sign of life each second.
    private void Listening()
    {
        ReceiveMessagesAndReplies();
        Receive<PingNow>(_ => Ping());
        Receive<Answered>(message => message.Life == _life, _ =>
        {
            _pingUnderWay = false;
            _lastSign = _time.GetTimestamp();
        });
        Receive<Finish>(_ => BeginFinish(true));
        ReceiveAny(IgnoreWhatIsOver);
    }

    // Expecting the delay to be over.
    private void Waiting()
    {
        ReceiveMessagesAndReplies();
        Receive<SubscribeAgain>(_ => Subscribe());
        Receive<Finish>(_ => BeginFinish(false));
        ReceiveAny(IgnoreWhatIsOver);
    }

    // Expecting the last of what Redis has sent, and Redis to take it; both once.
    private void Finishing()
    {
        ReceiveMessagesAndReplies();
        Receive<Stopped>(message => message.Life == _life, _ => EndLife("its work is done"));
        ReceiveAny(IgnoreWhatIsOver);
    }

    // Expecting the parent to end it: the lease is not ours, so nothing it hears can be appended.
    private void Idle()
    {
        Receive<Finish>(_ => Context.Parent.Tell(new Finished()));
        ReceiveAny(IgnoreWhatIsOver);
    }

    // Of an earlier life, or a timer that fired before it was cancelled.
    private static void IgnoreWhatIsOver(object message)
    {
    }

    private void ReceiveMessagesAndReplies()
    {
        Receive<Heard>(message => message.Life == _life, message => Hear(message.Message));
        Receive<Ended>(message => message.Life == _life, message => EndLife(message.Cause));
        Receive<SubscriptionFailed>(message => message.Life == _life, message =>
        {
            if (message.Cause is not QueueFaultException fault)
                throw new InvalidOperationException("Listening failed for no named reason.", message.Cause);
            _metrics.RedisFailed(fault.Fault);
            EndLife($"{fault.Fault}: {fault.Message}");
        });
        Receive<Appended>(message => OnAppended(message.Accepted));
        Receive<AppendFailed>(message => OnAppendFailed(message.Cause));
        Receive<AppendAgain>(_ => Append());
    }

    private void Subscribe()
    {
        Become(Subscribing);
        var life = ++_life;
        var self = Self;
        _pingUnderWay = false;
        _subscription = _pubSub.Subscribe();
        _subscription
            .ListenAsync(message => self.Tell(new Heard(life, message)), cause => self.Tell(new Ended(life, cause)))
            .PipeTo(self, self, () => new Subscribed(life), cause => new SubscriptionFailed(life, cause));
    }

    private void Listens()
    {
        Become(Listening);
        _listeningSince = _lastSign = _time.GetTimestamp();
        var length = _time.GetElapsedTime(_windowSince ?? _lastSign);
        _windowSince = null;
        _lastCause = null;
        _log.Listening(_settings.Patterns.Length, (long)length.TotalMilliseconds);
        Context.Parent.Tell(new Observed(true));
        Timers.StartPeriodicTimer(nameof(PingNow), PingNow.Instance, PingEvery);
    }

    private void Ping()
    {
        if (_pingUnderWay)
            return;
        _pingUnderWay = true;
        var life = _life;
        _subscription!.PingAsync().PipeTo(Self, Self, () => new Answered(life), cause => new SubscriptionFailed(life, cause));
    }

    private void EndLife(string cause)
    {
        _life++;
        Timers.Cancel(nameof(PingNow));
        CloseSubscription();
        if (_finishing)
        {
            Context.Parent.Tell(new Observed(false));
            Append();
            return;
        }

        if (_windowSince is null)
        {
            _delays.Succeeded(_time.GetElapsedTime(_listeningSince));
            BeginWindow(_lastSign, cause);
        }
        else if (cause != _lastCause)
            _log.StillNotListening(cause);
        _lastCause = cause;
        Become(Waiting);
        Timers.StartSingleTimer(nameof(SubscribeAgain), SubscribeAgain.Instance, _delays.Next(_random.NextDouble()));
    }

    private void BeginWindow(long since, string? cause)
    {
        _windowSince = since;
        _metrics.PubSubWindowBegan();
        Context.Parent.Tell(new Observed(false));
        if (cause is null)
            _log.NotYetListening();
        else
            _log.NotListening(cause);
    }

    private void Hear(ReadOnlyMemory<byte> message)
    {
        _lastSign = _time.GetTimestamp();
        _metrics.PubSubHeard(1);
        if (_buffer.TryAdd(message))
            Append();
        else
        {
            _metrics.PubSubDropped(PubSubDrop.BufferFull, 1);
            if (IsToBeTold(ref _bufferFullToldAt))
                _log.IntakeBufferFull(_settings.Buffer);
        }
    }

    private void Append()
    {
        if (Timers.IsTimerActive(nameof(AppendAgain)) || _appending)
            return;
        if (_batch is null && _buffer.Count > 0)
        {
            _batch = _buffer.NextBatch();
            _number++;
        }

        if (_batch is null)
        {
            if (_finishing && _subscription is null)
                FinishNow();
            return;
        }

        _appending = true;
        _pubSub.AppendAsync(_grant, _number, _batch).PipeTo(Self, Self, accepted => new Appended(accepted), cause => new AppendFailed(cause));
    }

    private void OnAppended(int accepted)
    {
        _appending = false;
        var refused = _batch!.Count - accepted;
        _buffer.Remove(_batch.Count);
        _batch = null;
        if (_failures > 0)
            _log.IntakeFlowsAgain();
        _failures = 0;
        if (refused > 0)
        {
            _metrics.PubSubDropped(PubSubDrop.QueueFull, refused);
            if (IsToBeTold(ref _listFullToldAt))
                _log.IntakeListFull(_settings.MaxQueued);
        }

        Append();
    }

    // A flood fills and empties them many times a second.
    private bool IsToBeTold(ref long? toldAt)
    {
        if (toldAt is { } before && _time.GetElapsedTime(before) < TellAgainAfter)
            return false;
        toldAt = _time.GetTimestamp();
        return true;
    }

    private void OnAppendFailed(Exception cause)
    {
        _appending = false;
        if (cause is not QueueFaultException fault)
            throw new InvalidOperationException("Appending failed for no named reason.", cause);
        _metrics.RedisFailed(fault.Fault);
        if (fault.Fault == QueueFault.LeaseLost)
        {
            _log.IntakeEnds();
            End();
            return;
        }

        if (_failures++ == 0)
            _log.IntakeKept(_settings.Buffer, fault.Fault, fault.Message);
        if (_finishing)
            FinishNow();
        else
            // It may have been appended: said again under its number, it is not appended twice.
            Timers.StartSingleTimer(nameof(AppendAgain), AppendAgain.Instance, QueueFaultPolicy.Delay(fault.Fault, _failures));
    }

    private void BeginFinish(bool listening)
    {
        _finishing = true;
        Timers.CancelAll();
        Become(Finishing);
        if (!listening)
        {
            EndLife("it had not begun");
            return;
        }

        var life = _life;
        _subscription!.StopAsync().PipeTo(Self, Self, () => new Stopped(life), cause => new SubscriptionFailed(life, cause));
        Append();
    }

    private void FinishNow()
    {
        End();
        Context.Parent.Tell(new Finished());
    }

    private void End()
    {
        _life++;
        Timers.CancelAll();
        CloseSubscription();
        DropBuffer();
        Context.Parent.Tell(new Observed(false));
        Become(Idle);
    }

    private void DropBuffer()
    {
        if (_buffer.Count == 0)
            return;
        _metrics.PubSubDropped(PubSubDrop.Ended, _buffer.Count);
        _log.IntakeDropped(_buffer.Count);
        _buffer.Remove(_buffer.Count);
        _batch = null;
    }

    private void CloseSubscription()
    {
        if (_subscription is { } subscription)
            Closing.InBackground(subscription, "the subscription's connection", _log);
        _subscription = null;
    }

    /// <inheritdoc />
    protected override void PreStart()
    {
        BeginWindow(_time.GetTimestamp(), null);
        Subscribe();
    }

    /// <inheritdoc />
    protected override void PostStop()
    {
        DropBuffer();
        CloseSubscription();
        Closing.InBackground(_pubSub, "the intake's connection", _log);
    }
}
