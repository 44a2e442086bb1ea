using System.Collections.Concurrent;
using System.Diagnostics;
using Akka.Actor;
using Akka.Actor.Setup;
using Akka.Configuration;
using Akka.Dispatch;
using Akka.Dispatch.MessageQueues;

namespace Bridge.Telemetry;

/// <summary>Hands the board to an actor system, whose mailboxes are made by Akka alone.</summary>
/// <param name="board">The process' board.</param>
public sealed class ActorBoardSetup(ActorBoard board) : Setup
{
    /// <summary>The process' board.</summary>
    public ActorBoard Board { get; } = board;
}

/// <summary>
/// The mailbox of every actor that needs no other: unbounded as Akka's own, and counted on the <see cref="ActorBoard" /> that the
/// system was set up with. <c>akka.actor.default-mailbox.mailbox-type = "Bridge.Telemetry.MeteredMailbox, Bridge.Actors"</c>.
/// Without a board it is Akka's own. Actors that stash are given another by Akka, as every actor that names what it needs.
/// </summary>
/// <param name="settings">The system's.</param>
/// <param name="config">The mailbox's section.</param>
public sealed class MeteredMailbox(Akka.Actor.Settings settings, Config config)
    : MailboxType(settings, config), IProducesMessageQueue<MeteredQueue>
{
    private readonly ActorBoard? board = settings.Setup.Get<ActorBoardSetup>() is { HasValue: true } setup ? setup.Value.Board : null;

    /// <inheritdoc />
    public override IMessageQueue Create(IActorRef owner, ActorSystem system) =>
        board is null || owner is null ? new UnboundedMessageQueue() : new MeteredQueue(board, ActorPlace.Of(owner.Path));
}

/// <summary>Akka's unbounded queue, with the time since when each message waits.</summary>
internal sealed class MeteredQueue : IMessageQueue, IUnboundedMessageQueueSemantics
{
    private readonly ConcurrentQueue<(Envelope Envelope, long Since)> queue = new();
    private readonly ActorBoard board;
    private readonly ActorPlace place;
    private readonly ActorGroup group;
    private long received;

    /// <summary>The mailbox of the actor at this place.</summary>
    public MeteredQueue(ActorBoard board, ActorPlace place)
    {
        this.board = board;
        this.place = place;
        group = board.Add(place, this);
    }

    /// <summary>Messages that the actor took.</summary>
    public long Received => Volatile.Read(ref received);

    /// <inheritdoc />
    public bool HasMessages => !queue.IsEmpty;

    /// <inheritdoc />
    public int Count => queue.Count;

    /// <inheritdoc />
    public void Enqueue(IActorRef receiver, Envelope envelope) => queue.Enqueue((envelope, Stopwatch.GetTimestamp()));

    /// <inheritdoc />
    public bool TryDequeue(out Envelope envelope)
    {
        if (!queue.TryDequeue(out var next))
        {
            envelope = default;
            return false;
        }

        envelope = next.Envelope;
        // No two threads run one mailbox at a time.
        Volatile.Write(ref received, received + 1);
        group.Waited(Stopwatch.GetElapsedTime(next.Since));
        return true;
    }

    /// <inheritdoc />
    public void CleanUp(IActorRef owner, IMessageQueue deadletters)
    {
        while (queue.TryDequeue(out var next))
            deadletters.Enqueue(owner, next.Envelope);
        board.Remove(place, this);
    }
}
