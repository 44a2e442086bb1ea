using System.Diagnostics.Metrics;
using Bridge.Cluster;

namespace Bridge.Telemetry;

/// <summary>
/// What is known of the actors at a moment, and of the cluster's members: read from the boards when somebody collects, so that an idle
/// process measures nothing. Disposing it ends them.
/// </summary>
public sealed class ActorGauges : IDisposable
{
    private readonly Meter meter = new(BridgeMetrics.MeterName);

    /// <summary>Begins to observe the boards.</summary>
    public ActorGauges(ActorBoard actors, ClusterBoard cluster)
    {
        ArgumentNullException.ThrowIfNull(actors);
        ArgumentNullException.ThrowIfNull(cluster);
        meter.CreateObservableCounter(
            "akka.messages.recv", () => Measure(group => group.Received), "{message}", "Messages that actors were given.");
        meter.CreateObservableGauge(
            "akka.actor.mailbox.depth", () => Measure(group => group.MailboxDepth), "{message}", "Messages that wait in mailboxes.");
        meter.CreateObservableGauge(
            "akka.actor.live", () => Measure(group => group.Live), "{actor}", "Actors that live.");
        meter.CreateObservableGauge(
            "akka.cluster.members", () => Count(_ => true), "{node}", "Members of the cluster, as this node sees it.");
        meter.CreateObservableGauge(
            "akka.cluster.reachable_members", () => Count(node => node.Membership != "unreachable"), "{node}", "Members of the cluster that this node reaches.");

        IEnumerable<Measurement<long>> Measure(Func<ActorGroupReading, long> value) => actors.Groups.Select(
            group => new Measurement<long>(value(group), new KeyValuePair<string, object?>("actor", group.Type), new KeyValuePair<string, object?>("bridge", group.Bridge)));

        IEnumerable<Measurement<long>> Count(Func<NodeView, bool> isCounted) =>
            cluster.Picture is { } picture ? [new Measurement<long>(picture.Nodes.Count(isCounted))] : [];
    }

    /// <inheritdoc />
    public void Dispose() => meter.Dispose();
}
