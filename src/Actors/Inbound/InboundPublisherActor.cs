using Akka.Actor;
using Akka.Event;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Telemetry;

namespace Bridge.Inbound;

/// <summary>
/// Carries what the server answers to Redis: bounces, to the outcome stream. While Redis is away it
/// keeps a bounded number and drops and counts what comes beyond. Child of
/// <see cref="BridgeActor" />, which replaces it; what it had buffered is then gone, and counted by
/// nobody: bounces inform, entries do not depend on them.
/// </summary>
public sealed class InboundPublisherActor : ReceiveActor, IWithTimers
{
    /// <summary>Bounces to publish.</summary>
    /// <param name="Bounces">In the order of their arrival.</param>
    public sealed record Publish(IReadOnlyList<Bounce> Bounces);

    /// <summary>Publish what is buffered, then say <see cref="Flushed" /> to the sender. For the end of a drain.</summary>
    public sealed record Flush;

    /// <summary>To the sender of <see cref="Flush" />: nothing is buffered, or Redis does not take it now.</summary>
    public sealed record Flushed;

    private sealed record Published(int Count);

    private sealed record PublishFailed(Exception Cause);

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
    private readonly Queue<Bounce> _buffer = new();
    private bool _callUnderWay;
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
            foreach (var bounce in message.Bounces)
                Keep(bounce);
            Send();
        });
        Receive<Published>(message =>
        {
            _callUnderWay = false;
            for (var i = 0; i < message.Count; i++)
                _buffer.Dequeue();
            if (_failing)
                _log.Info("Outcomes can be published again");
            (_failing, _dropping) = (false, false);
            Send();
            AnswerFlush();
        });
        Receive<PublishFailed>(message =>
        {
            _callUnderWay = false;
            if (message.Cause is not QueueFaultException)
                throw new InvalidOperationException("Publishing failed for no named reason.", message.Cause);
            if (!_failing)
                _log.Warning("Outcomes cannot be published and are kept, up to {Limit}: {Cause}", _settings.Buffer, message.Cause.Message);
            _failing = true;
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
        if (_flushRequester is not { } requester || (!_failing && (_callUnderWay || _buffer.Count > 0)))
            return;
        _flushRequester = null;
        requester.Tell(new Flushed());
    }

    private void Keep(Bounce bounce)
    {
        if (_buffer.Count < _settings.Buffer)
        {
            _buffer.Enqueue(bounce);
            return;
        }

        _metrics.OutcomesDropped(1);
        if (!_dropping)
            _log.Warning("The outcome buffer is full ({Limit}): outcomes are dropped and counted", _settings.Buffer);
        _dropping = true;
    }

    private void Send()
    {
        if (_callUnderWay || _buffer.Count == 0 || Timers.IsTimerActive(nameof(TryAgain)))
            return;
        _callUnderWay = true;
        Bounce[] batch = [.. _buffer.Take(BatchSize)];
        _stream.AppendAsync(batch).PipeTo(Self, Self, () => new Published(batch.Length), cause => new PublishFailed(cause));
    }

    /// <inheritdoc />
    protected override void PostStop() =>
        Closing.InBackground(_stream, "the outcome stream's connection", _log);
}
