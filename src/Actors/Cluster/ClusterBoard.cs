using System.Collections.Immutable;

namespace Bridge.Cluster;

/// <summary>One node in the cluster's picture.</summary>
/// <param name="Node">Its name.</param>
/// <param name="Membership">What the cluster calls it: up, joining, leaving, unreachable and so on.</param>
/// <param name="Status">How it stands; null while it has told nothing, or none of it is fresh.</param>
/// <param name="Age">How old that is.</param>
public sealed record NodeView(string Node, string Membership, NodeStatus? Status, TimeSpan Age);

/// <summary>The cluster, as one node sees it.</summary>
/// <param name="Self">Who sees it.</param>
/// <param name="Nodes">All members, this node among them, by name.</param>
/// <param name="Placement">Which node should own which bridge.</param>
public sealed record ClusterPicture(string Self, ImmutableArray<NodeView> Nodes, IReadOnlyDictionary<string, string> Placement);

/// <summary>Where the cluster's actor publishes the picture, and where the status is read. One publisher, many readers.</summary>
public sealed class ClusterBoard
{
    private ClusterPicture? _picture;

    /// <summary>The newest picture; null without a cluster, and before there is one.</summary>
    public ClusterPicture? Picture => Volatile.Read(ref _picture);

    /// <summary>Replaces the picture.</summary>
    public void Publish(ClusterPicture? picture) => Volatile.Write(ref _picture, picture);
}
