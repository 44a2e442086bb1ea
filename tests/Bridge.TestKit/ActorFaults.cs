using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;
using Akka.Dispatch.MessageQueues;

namespace Bridge.TestKit;

/// <summary>Where in the handling of a message an actor fails.</summary>
public enum ActorFaultMoment
{
    /// <summary>Instead of it: the message has no effect.</summary>
    Before,

    /// <summary>Right behind it, before any other message.</summary>
    Behind,
}

/// <summary>
/// Makes one actor of a bridge fail at one message, by configuration alone: the mailboxes of the actor system put a
/// <see cref="Kill"/> in the message's place or behind it. Also counts which messages the actors get.
/// </summary>
/// <remarks>
/// Thread-safe. Messages are named by their type, those of timers by their key. The message that a failing writer was
/// encoding is known to its supervisor, which a <see cref="Kill"/> in its place is not: let the encoder fail for that.
/// </remarks>
public sealed class ActorFaults : IDisposable
{
    private static readonly ConcurrentDictionary<string, ActorFaults> s_all = [];

    private readonly string _id = Guid.NewGuid().ToString("N");
    private readonly ConcurrentDictionary<(string Actor, string Message), int> _met = [];
    private readonly TaskCompletionSource _struck = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Fault? _fault;

    /// <summary>Without a fault, it only counts.</summary>
    public ActorFaults() => s_all[_id] = this;

    /// <summary>The configuration of the actor system whose actors are to fail.</summary>
    public Config Configuration => ConfigurationFactory.ParseString(
        $$"""
        akka.actor.default-mailbox {
          mailbox-type = "{{typeof(FaultingMailbox).AssemblyQualifiedName}}"
          faults = "{{_id}}"
        }
        """);

    /// <summary>Which messages the actors of Bridge got so far, and how often.</summary>
    public IReadOnlyDictionary<(string Actor, string Message), int> Met => _met;

    /// <summary>Completes when the fault has struck.</summary>
    public Task Struck => _struck.Task;

    /// <summary>From now on: the actor fails at the n-th such message from now, once.</summary>
    /// <param name="actor">The name of its type.</param>
    /// <param name="message">The name of the message's type, or the key of its timer.</param>
    /// <param name="moment">Where in its handling.</param>
    /// <param name="nth">Counted from 1, over all actors of the type.</param>
    public void Strike(string actor, string message, ActorFaultMoment moment, int nth = 1) =>
        Volatile.Write(ref _fault, new Fault(actor, message, moment, nth));

    /// <inheritdoc/>
    public void Dispose() => s_all.TryRemove(_id, out _);

    private ActorFaultMoment? At(string actor, string message)
    {
        _met.AddOrUpdate((actor, message), 1, (_, count) => count + 1);
        if (Volatile.Read(ref _fault) is not { } fault || fault.Actor != actor || fault.Message != message || fault.CountDown() != 0)
            return null;
        _struck.TrySetResult();
        return fault.Moment;
    }

    private sealed class Fault(string actor, string message, ActorFaultMoment moment, int nth)
    {
        private int _left = nth;

        public string Actor => actor;

        public string Message => message;

        public ActorFaultMoment Moment => moment;

        public int CountDown() => Interlocked.Decrement(ref _left);
    }

    /// <summary>The mailbox of <see cref="Configuration"/>; made by Akka.</summary>
    public sealed class FaultingMailbox(Akka.Actor.Settings settings, Config config) : MailboxType(settings, config), IProducesMessageQueue<FaultingMessageQueue>
    {
        /// <inheritdoc/>
        public override IMessageQueue Create(IActorRef owner, ActorSystem system) =>
            new FaultingMessageQueue(owner, s_all[Config.GetString("faults")]);
    }

    /// <summary>What an actor's messages wait in.</summary>
    public sealed class FaultingMessageQueue : IMessageQueue, IUnboundedMessageQueueSemantics
    {
        private readonly UnboundedMessageQueue _messages = new();
        private readonly ActorFaults _faults;
        private readonly ActorRefWithCell? _owner;
        private Envelope? _first;

        internal FaultingMessageQueue(IActorRef owner, ActorFaults faults)
        {
            _faults = faults;
            _owner = owner as ActorRefWithCell;
        }

        /// <inheritdoc/>
        public bool HasMessages => _first is not null || _messages.HasMessages;

        /// <inheritdoc/>
        public int Count => _messages.Count + (_first is null ? 0 : 1);

        /// <inheritdoc/>
        public void Enqueue(IActorRef receiver, Envelope envelope) => _messages.Enqueue(receiver, envelope);

        /// <inheritdoc/>
        public bool TryDequeue(out Envelope envelope)
        {
            if (_first is { } first)
            {
                envelope = first;
                _first = null;
                return true;
            }

            if (!_messages.TryDequeue(out envelope))
                return false;
            // A router's cell is of another type: it hands its messages on to actors that have mailboxes of their own.
            if (_owner?.Underlying is not ActorCell { Props.Type: { Namespace: { } space } type } cell || cell.GetType() != typeof(ActorCell)
                || !space.StartsWith("Bridge.", StringComparison.Ordinal))
                return true;
            var moment = _faults.At(type.Name, NameOf(envelope.Message));
            if (moment is null)
                return true;
            var kill = new Envelope(Kill.Instance, envelope.Sender);
            if (moment == ActorFaultMoment.Before)
                envelope = kill;
            else
                _first = kill;
            return true;
        }

        /// <inheritdoc/>
        public void CleanUp(IActorRef owner, IMessageQueue deadletters) => _messages.CleanUp(owner, deadletters);

        // What a timer sends is wrapped, twice; its key is the message's name, as everywhere in Bridge, or begins with it.
        private static string NameOf(object message)
        {
            if (message.GetType().GetProperty("Message")?.GetValue(message) is { } scheduled && message.GetType().Name.StartsWith("Scheduled", StringComparison.Ordinal))
                message = scheduled;
            if (message.GetType() is not { Name: "TimerMsg" } timer)
                return message.GetType().Name;
            var key = timer.GetProperty("Key")?.GetValue(message);
            return (key is ITuple several ? several[0] : key)?.ToString() ?? timer.Name;
        }
    }
}
