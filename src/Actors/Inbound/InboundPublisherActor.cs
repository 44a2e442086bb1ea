using Akka.Actor;
using Akka.Event;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Telemetry;

namespace Bridge.Inbound;

/// <summary>
/// Carries outcomes to Redis that no settlement can carry: of bounces that end no entry, to the outcome stream; and
/// replies, which settlements put down beside the queue, to the lists where somebody waits for them. While Redis
/// is away it keeps a bounded number of outcomes and drops and counts what comes beyond; replies are kept by Redis. Child of
/// <see cref="BridgeActor" />, which replaces it; what it had buffered is then gone, and counted by
/// nobody: these outcomes inform, entries do not depend on them.
/// </summary>
public sealed class InboundPublisherActor : ReceiveActor, IWithTimers
{
    /// <summary>Outcomes to publish.</summary>
    /// <param name="Outcomes">In the order of their arrival.</param>
    public sealed record Publish(IReadOnlyList<Outcome> Outcomes);

    /// <summary>Replies may lie beside the queue: carry them to their lists. For the owner of the queue alone, or both would carry them.</summary>
    public sealed record DeliverReplies
    {
        /// <summary>The only one.</summary>
        public static readonly DeliverReplies Instance = new();
    }

    /// <summary>Publish what is buffered, then say <see cref="Flushed" /> to the sender. For the end of a drain.</summary>
    public sealed record Flush;

    /// <summary>To the sender of <see cref="Flush" />: nothing is buffered, or Redis does not take it now.</summary>
    public sealed record Flushed;

    private sealed record Published(int Count);

    private sealed record RepliesDelivered(ReplyDelivery Delivery);

    private sealed record PublishFailed(Exception Cause, bool OfReplies);

    private sealed record TryAgain
    {
        public static readonly TryAgain Instance = new();
    }

    private const int BatchSize = 500;
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(500);

    private readonly OutcomeSettings _settings;
    private readonly IOutcomeStream _stream;
    private readonly BridgeMetrics _metrics;
    private readonly ILoggingAdapter _log = Context.GetLogger();
    private readonly Queue<Outcome> _buffer = new();
    private bool _callUnderWay;
    private bool _repliesWaiting;
    private bool _failing;
    private bool _dropping;
    private IActorRef? _flushRequester;

    /// <summary>Use <see cref="Props" />.</summary>
    public InboundPublisherActor(OutcomeSettings settings, Func<IOutcomeStream> openStream, BridgeMetrics metrics)
    {
        ArgumentNullException.ThrowIfNull(openStream);
        _settings = settings;
        _stream = openStream();
        _metrics = metrics;
        Publishing();
    }

    /// <inheritdoc />
    public ITimerScheduler Timers { get; set; } = null!;

    /// <summary>A publisher for one bridge.</summary>
    public static Props Props(OutcomeSettings settings, Func<IOutcomeStream> openStream, BridgeMetrics metrics) =>
        Akka.Actor.Props.Create(() => new InboundPublisherActor(settings, openStream, metrics));

    private void Publishing()
    {
        Receive<Publish>(message =>
        {
            foreach (var outcome in message.Outcomes)
                Keep(outcome);
            Send();
        });
        Receive<DeliverReplies>(_ =>
        {
            _repliesWaiting = true;
            Send();
        });
        Receive<Published>(message =>
        {
            for (var i = 0; i < message.Count; i++)
                _buffer.Dequeue();
            Succeeded();
        });
        Receive<RepliesDelivered>(message =>
        {
            var (delivered, refused, mayBeMore) = message.Delivery;
            _metrics.RepliesDelivered(delivered);
            _repliesWaiting |= mayBeMore;
            if (refused > 0)
            {
                _metrics.RepliesDropped(refused);
                _log.Warning("{Count} replies could not be put into their lists, which hold another type or do not fit into Redis: they are dropped", refused);
            }

            Succeeded();
        });
        Receive<PublishFailed>(message =>
        {
            _callUnderWay = false;
            if (message.Cause is not QueueFaultException)
                throw new InvalidOperationException("Publishing failed for no named reason.", message.Cause);
            if (!_failing)
                _log.Warning("Outcomes cannot be published and are kept, up to {Limit}: {Cause}", _settings.Buffer, message.Cause.Message);
            _failing = true;
            _repliesWaiting |= message.OfReplies;
            AnswerFlush();
            Timers.StartSingleTimer(nameof(TryAgain), TryAgain.Instance, RetryAfter);
        });
        Receive<TryAgain>(_ => Send());
        Receive<Flush>(_ =>
        {
            _flushRequester = Sender;
            AnswerFlush();
        });
    }

    private void AnswerFlush()
    {
        if (_flushRequester is not { } requester || (!_failing && (_callUnderWay || _repliesWaiting || _buffer.Count > 0)))
            return;
        _flushRequester = null;
        requester.Tell(new Flushed());
    }

    private void Keep(Outcome outcome)
    {
        if (_buffer.Count < _settings.Buffer)
        {
            _buffer.Enqueue(outcome);
            return;
        }

        _metrics.OutcomesDropped(1);
        if (!_dropping)
            _log.Warning("The outcome buffer is full ({Limit}): outcomes are dropped and counted", _settings.Buffer);
        _dropping = true;
    }

    private void Succeeded()
    {
        _callUnderWay = false;
        if (_failing)
            _log.Info("Outcomes can be published again");
        (_failing, _dropping) = (false, false);
        Send();
        AnswerFlush();
    }

    private void Send()
    {
        if (_callUnderWay || Timers.IsTimerActive(nameof(TryAgain)))
            return;
        if (_repliesWaiting)
        {
            _callUnderWay = true;
            _repliesWaiting = false;
            _stream.DeliverRepliesAsync().PipeTo(Self, Self, delivery => new RepliesDelivered(delivery), cause => new PublishFailed(cause, true));
            return;
        }

        if (_buffer.Count == 0)
            return;
        _callUnderWay = true;
        Outcome[] batch = [.. _buffer.Take(BatchSize)];
        _stream.AppendAsync(batch).PipeTo(Self, Self, () => new Published(batch.Length), cause => new PublishFailed(cause, false));
    }

    /// <inheritdoc />
    protected override void PostStop() =>
        Closing.InBackground(_stream, "the outcome stream's connection", _log);
}
