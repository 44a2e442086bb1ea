using Akka.Actor;
using Akka.Event;
using Akka.Hosting;

namespace Bridge.Telemetry;

/// <summary>
/// On the event stream, from a supervisor: a child failed, is stopped and will be replaced. Of one that is restarted Akka tells
/// itself (<see cref="ActorRestarted" />).
/// </summary>
/// <param name="Subject">The child.</param>
/// <param name="Reason">Of what.</param>
public sealed record ActorFailed(IActorRef Subject, Exception Reason);

/// <summary>Puts what Akka tells of its actors (<c>akka.actor.telemetry.enabled = on</c>) on the board.</summary>
public sealed class ActorEvents : ReceiveActor
{
    /// <summary>Use <see cref="ActorTelemetry.WithActorBoard" />.</summary>
    public ActorEvents(ActorBoard board)
    {
        Receive<ActorRestarted>(message => board.Failed(message.Subject.Path, message.Reason));
        Receive<ActorFailed>(message => board.Failed(message.Subject.Path, message.Reason));
        Receive<DeadLetter>(message => board.DeadLettered(message.Recipient.Path));
        Receive<UnhandledMessage>(message => board.Unhandled(message.Recipient.Path));
    }

    /// <summary>Begins to listen, before it returns.</summary>
    internal static void Start(ActorSystem system, ActorBoard board)
    {
        var actor = ((ExtendedActorSystem)system).SystemActorOf(Props.Create(() => new ActorEvents(board)), "actor-events");
        foreach (var told in (Type[])[typeof(ActorRestarted), typeof(ActorFailed), typeof(DeadLetter), typeof(UnhandledMessage)])
            system.EventStream.Subscribe(actor, told);
    }
}

/// <summary>Connects actor systems with the board.</summary>
public static class ActorTelemetry
{
    /// <summary>Shows the actors of this system on the board. To be called before anything that makes actors.</summary>
    public static AkkaConfigurationBuilder WithActorBoard(this AkkaConfigurationBuilder builder, ActorBoard board) => builder
        .AddSetup(new ActorBoardSetup(board))
        .WithActors((system, _) => ActorEvents.Start(system, board));
}
