using Akka.Hosting;
using Bridge.Connection;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;
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
            registry.Register<BridgesActor>(system.ActorOf(
                BridgesActor.Props(bridges, bridge => RealParts(bridge, board)), "bridges")));

    /// <summary>The parts of a bridge on real Redis and a real socket.</summary>
    public static BridgeParts RealParts(BridgeSettings bridge, StatusBoard board)
    {
        ArgumentNullException.ThrowIfNull(bridge);
        var time = TimeProvider.System;
        // One connection for everything that does not block; the queue makes its own for waiting.
        var link = new RedisLink(bridge.Queue, "bridge-" + bridge.Name, time, onReplyThread: true);
        return new BridgeParts(
            OpenQueue: () => OpenQueue(bridge, link, time),
            OpenLease: () => new RedisQueueLease(link, bridge.Queue.Keys, bridge.Xmpp.Domain, bridge.Lease),
            OpenOutcomes: () => new RedisOutcomeStream(link, bridge.Queue.Keys, bridge.Outcomes),
            OpenInbound: () => new RedisInboundStream(
                new RedisLink(bridge.Queue, $"bridge-{bridge.Name}-inbound", time), bridge.Queue.Keys, bridge.Inbound),
            Dialer: new ComponentDialer(time),
            Encoder: new StanzaEncoder(bridge.Stanza, bridge.Xmpp.Domain, bridge.Outcomes.Mode, bridge.Confirm.Grade == ConfirmGrade.Received, bridge.Answers, bridge.Retry.Limit > 0),
            Board: board,
            Time: time,
            Shared: link)
        {
            OpenPubSub = bridge.Queue.PubSub is null ? null : () => new RedisPubSub(bridge.Queue, bridge.Name, time),
        };
    }

    private static RedisQueue OpenQueue(BridgeSettings bridge, RedisLink link, TimeProvider time) =>
        bridge.Queue.Kind switch
        {
            QueueKind.List => new ListQueue(link, bridge.Queue, bridge.Dead, bridge.Outcomes, time),
            QueueKind.Stream => new StreamQueue(link, bridge.Queue, bridge.Dead, bridge.Outcomes, time),
            _ => throw new ArgumentOutOfRangeException(nameof(bridge), bridge.Queue.Kind, "unknown kind"),
        };
}
