using Akka.Actor;

namespace Bridge;

/// <summary>
/// The parent of every bridge of this process: starts them, and drains them together. It is
/// registered in the actor registry under its own type.
/// </summary>
public sealed class BridgesActor : ReceiveActor
{
    /// <summary>Creates it; the bridges come with the runtime.</summary>
    public BridgesActor() => Receive<Drain>(_ => Sender.Tell(Drained.Instance));

    /// <summary>Command: every bridge stops taking, confirms and settles what is in flight, closes its stream and releases its lease.</summary>
    public sealed record Drain
    {
        /// <summary>The only one.</summary>
        public static readonly Drain Instance = new();
    }

    /// <summary>Answer to <see cref="Drain" />: every bridge has drained, or gave up at its deadline.</summary>
    public sealed record Drained
    {
        /// <summary>The only one.</summary>
        public static readonly Drained Instance = new();
    }
}
