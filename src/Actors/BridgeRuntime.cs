using Akka.Actor;
using Akka.Hosting;
using Bridge.Settings;
using Bridge.Telemetry;

namespace Bridge;

/// <summary>Puts bridges into an actor system.</summary>
public static class BridgeRuntime
{
    /// <summary>
    /// Starts one <see cref="BridgesActor" /> for all of <paramref name="bridges" />, registered
    /// under its type, when the actor system starts. Each bridge publishes how it stands on the
    /// <paramref name="board" />.
    /// </summary>
    public static AkkaConfigurationBuilder WithBridges(
        this AkkaConfigurationBuilder builder, IReadOnlyList<BridgeSettings> bridges, StatusBoard board) =>
        builder.WithActors((system, registry) =>
            registry.Register<BridgesActor>(system.ActorOf(Props.Create<BridgesActor>(), "bridges")));
}
