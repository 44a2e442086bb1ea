using Akka.Actor;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Telemetry;
using Microsoft.Extensions.Logging;

namespace Bridge.Inbound;

/// <summary>
/// Carries to Redis what no settlement can carry: what users send to the app, in order and at least once, to the inbound stream;
/// outcomes of bounces that end no entry, to the outcome stream; and replies, which settlements put down beside the queue, to the
/// lists where somebody waits for them. While Redis is away it keeps a bounded number of outcomes and drops and counts what comes
/// beyond; replies are kept by Redis. Child of <see cref="BridgeActor" />, which replaces it. The outcomes that it had buffered are
/// then gone, and counted by nobody: they inform, entries do not depend on them. What users sent is handed over again by the
/// connection, which keeps it, within its bounds, until it is told that Redis has it.
/// </summary>
public sealed class InboundPublisherActor : ReceiveActor, IWithTimers
{
    /// <summary>Outcomes to publish.</summary>
    /// <param name="Outcomes">In the order of their arrival.</param>
    public sealed record Publish(IReadOnlyList<Outcome> Outcomes);

    /// <summary>
    /// From a connection: stanzas for the app. Each is taken once: what was taken before is passed over, and where one is missing, all
    /// wait for the connection to hand over again.
    /// </summary>
    /// <param name="Entries">In the order of their arrival, their numbers without a gap.</param>
    /// <param name="AcknowledgedUpTo">Up to which number the connection knows of no more need.</param>
    public sealed record Deliver(IReadOnlyList<InboundEntry> Entries, long AcknowledgedUpTo);

    /// <summary>To the sender of <see cref="Deliver" />: Redis has all of its entries up to this number.</summary>
    /// <param name="UpTo">The number.</param>
    public sealed record Delivered(long UpTo);

    /// <summary>Replies may lie beside the queue: carry them to their lists. For the owner of the queue alone, or both would carry them.</summary>
    public sealed record DeliverReplies
    {
        /// <summary>The only one.</summary>
        public static readonly DeliverReplies Instance = new();
    }

    /// <summary>Deliver what is buffered, then say <see cref="Flushed" /> to the sender. For the end of a drain.</summary>
    public sealed record Flush;

    /// <summary>To the sender of <see cref="Flush" />: nothing for the app is buffered, and no outcome, or Redis does not take these now.</summary>
    public sealed record Flushed;

    private sealed record Published(int Count);

    private sealed record RepliesDelivered(ReplyDelivery Delivery);

    private sealed record PublishFailed(Exception Cause, bool OfReplies);

    private sealed record TryAgain
    {
        public static readonly TryAgain Instance = new();
    }

    private sealed record EntriesAppended(int Count, QueueFaultException? CopiesRefused);

    private sealed record AppendFailed(Exception Cause);

    private sealed record AppendAgain
    {
        public static readonly AppendAgain Instance = new();
    }

    private const int BatchSize = 500;
    private const int BatchBytes = 1 << 20;
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(500);

    private readonly OutcomeSettings _settings;
    private readonly InboundSettings _inboundSettings;
    private readonly IInboundStream _inboundStream;
    private readonly Queue<(InboundEntry Entry, IActorRef Connection)> _entries = new();
    private readonly IOutcomeStream _stream;
    private readonly BridgeMetrics _metrics;
    private readonly ILogger _log = ActorLogger.Of(Context);
    private readonly Queue<Outcome> _buffer = new();
    private bool _callUnderWay;
    private bool _repliesWaiting;
    private bool _failing;
    private bool _dropping;
    private IActorRef? _flushRequester;

    // Of the connection that delivers now: earlier ones have ended.
    private IActorRef _connection = ActorRefs.Nobody;
    private long _takenUpTo;
    private int _entriesUnderWay;
    private bool _appendFails;
    private bool _copiesFail;

    /// <summary>Use <see cref="Props" />.</summary>
    public InboundPublisherActor(
        OutcomeSettings settings, Func<IOutcomeStream> openStream, InboundSettings inbound, Func<IInboundStream> openInbound, BridgeMetrics metrics)
    {
        ArgumentNullException.ThrowIfNull(openStream);
        ArgumentNullException.ThrowIfNull(openInbound);
        _settings = settings;
        _inboundSettings = inbound;
        _stream = openStream();
        _inboundStream = openInbound();
        _metrics = metrics;
        Publishing();
    }

    /// <inheritdoc />
    public ITimerScheduler Timers { get; set; } = null!;

    /// <summary>A publisher for one bridge.</summary>
    public static Props Props(
        OutcomeSettings settings, Func<IOutcomeStream> openStream, InboundSettings inbound, Func<IInboundStream> openInbound, BridgeMetrics metrics) =>
        Akka.Actor.Props.Create(() => new InboundPublisherActor(settings, openStream, inbound, openInbound, metrics));

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
                _log.RepliesDropped(refused);
            }

            Succeeded();
        });
        Receive<PublishFailed>(message =>
        {
            _callUnderWay = false;
            if (message.Cause is not QueueFaultException)
                throw new InvalidOperationException("Publishing failed for no named reason.", message.Cause);
            if (!_failing)
                _log.OutcomesKept(_settings.Buffer, message.Cause.Message);
            _failing = true;
            _repliesWaiting |= message.OfReplies;
            AnswerFlush();
            Timers.StartSingleTimer(nameof(TryAgain), TryAgain.Instance, RetryAfter);
        });
        Receive<TryAgain>(_ => Send());
        Receive<Deliver>(Take);
        Receive<EntriesAppended>(OnAppended);
        Receive<AppendFailed>(message =>
        {
            _entriesUnderWay = 0;
            if (message.Cause is not QueueFaultException { Fault: var fault })
                throw new InvalidOperationException("Delivering stanzas failed for no named reason.", message.Cause);
            _metrics.RedisFailed(fault);
            if (!_appendFails)
                _log.StanzasKept(_inboundSettings.Buffer, message.Cause.Message);
            _appendFails = true;
            Timers.StartSingleTimer(nameof(AppendAgain), AppendAgain.Instance, RetryAfter);
        });
        Receive<AppendAgain>(_ => Append());
        Receive<Flush>(_ =>
        {
            _flushRequester = Sender;
            AnswerFlush();
        });
    }

    private void AnswerFlush()
    {
        // What users sent is worth the whole deadline of a drain.
        if (_flushRequester is not { } requester || _entries.Count > 0 || (!_failing && (_callUnderWay || _repliesWaiting || _buffer.Count > 0)))
            return;
        _flushRequester = null;
        requester.Tell(new Flushed());
    }

    private void Take(Deliver message)
    {
        if (!Sender.Equals(_connection))
        {
            LeaveRoomAfter(_connection);
            (_connection, _takenUpTo) = (Sender, message.AcknowledgedUpTo);
        }

        foreach (var entry in message.Entries)
        {
            if (entry.Number > _takenUpTo + 1)
                return;
            if (entry.Number <= _takenUpTo)
                continue;
            _takenUpTo = entry.Number;
            _entries.Enqueue((entry, Sender));
        }

        Append();
    }

    // Each connection has a whole buffer. What its predecessors left may fill another one, no more.
    private void LeaveRoomAfter(IActorRef predecessor)
    {
        var room = Math.Max(_inboundSettings.Buffer, _entriesUnderWay);
        if (predecessor.IsNobody() || _entries.Count <= room)
            return;
        var kept = _entries.Take(room).ToArray();
        foreach (var (entry, _) in _entries.Skip(room))
            _metrics.InboundDropped(entry.Counted);
        _log.StanzasDropped(_entries.Count - room);
        _entries.Clear();
        foreach (var one in kept)
            _entries.Enqueue(one);
    }

    private void Append()
    {
        if (_entriesUnderWay > 0 || _entries.Count == 0 || Timers.IsTimerActive(nameof(AppendAgain)))
            return;
        var batch = new List<InboundEntry>();
        var bytes = 0L;
        foreach (var (entry, _) in _entries)
        {
            // The stream knows what it has of one session.
            if (batch.Count == BatchSize || (batch.Count > 0 && (bytes + entry.Bytes > BatchBytes || entry.Session != batch[0].Session)))
                break;
            batch.Add(entry);
            bytes += entry.Bytes;
        }

        _entriesUnderWay = batch.Count;
        _inboundStream.AppendAsync(batch).PipeTo(
            Self, Self, refused => new EntriesAppended(batch.Count, refused), cause => new AppendFailed(cause));
    }

    private void OnAppended(EntriesAppended message)
    {
        _entriesUnderWay = 0;
        for (var i = 1; i <= message.Count; i++)
        {
            var (entry, connection) = _entries.Dequeue();
            _metrics.InboundDelivered(entry.Counted, 1);
            // A batch is of one connection.
            if (i == message.Count)
                connection.Tell(new Delivered(entry.Number));
        }

        if (message.CopiesRefused is { } refused)
        {
            _metrics.RedisFailed(refused.Fault);
            if (!_copiesFail)
                _log.ListRefused(refused.Message);
        }

        _copiesFail = message.CopiesRefused is not null;
        if (_appendFails)
            _log.StanzasFlowAgain();
        _appendFails = false;
        Append();
        AnswerFlush();
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
            _log.OutcomesDropped(_settings.Buffer);
        _dropping = true;
    }

    private void Succeeded()
    {
        _callUnderWay = false;
        if (_failing)
            _log.OutcomesFlowAgain();
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
    protected override void PostStop()
    {
        // At the end of a drain nobody hands them over again.
        if (_flushRequester is not null && _entries.Count > 0)
        {
            foreach (var (entry, _) in _entries)
                _metrics.InboundDropped(entry.Counted);
            _log.StanzasLost(_entries.Count);
        }

        Closing.InBackground(_stream, "the outcome stream's connection", _log);
        Closing.InBackground(_inboundStream, "the inbound stream's connection", _log);
    }
}
