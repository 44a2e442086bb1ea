using System.Collections.Immutable;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Telemetry;

namespace Bridge.Cluster;

/// <summary>What a bridge is, as nodes compare it: where these differ, two nodes would not mean the same by its name.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Queue">The queue's key.</param>
/// <param name="Domain">The component domain.</param>
/// <param name="Kind">List, stream or Pub/Sub, with the group of a stream.</param>
public sealed record BridgeIdentity(string Name, string Queue, string Domain, string Kind)
{
    /// <summary>The identity that these settings give.</summary>
    public static BridgeIdentity Of(BridgeSettings settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        return new BridgeIdentity(
            settings.Name,
            settings.Queue.Keys.Queue,
            settings.Xmpp.Domain,
            settings.Queue.Kind == QueueKind.Stream ? $"{settings.Queue.KindText} of group {settings.Queue.Group}" : settings.Queue.KindText);
    }
}

/// <summary>How a bridge stands on one node, as nodes tell one another.</summary>
public sealed record BridgeStatus
{
    /// <summary>Which bridge.</summary>
    public required BridgeIdentity Identity { get; init; }

    /// <summary>What it is to its queue there.</summary>
    public BridgeRole Role { get; init; }

    /// <summary>Where its connection stands.</summary>
    public ConnectionState Connection { get; init; }

    /// <summary>
    /// Whether it has no stream for a reason that another node may not have: the network, not the server's refusal. Not so where
    /// the server takes another stream for the component's: which other node asked would change nothing.
    /// </summary>
    public bool IsCutOff { get; init; }

    /// <summary>What the operator wants.</summary>
    public QueueOrder Order { get; init; }

    /// <summary>The epoch of the lease; null where this node does not have it.</summary>
    public long? Epoch { get; init; }

    /// <summary>Whether it could own the bridge: it works, or it stands by behind a lease that it has seen.</summary>
    public bool IsAble { get; init; }

    /// <summary>Whether this node thinks that it should own the bridge.</summary>
    public bool IsWanted { get; init; }

    /// <summary>Whether <c>/health/ready</c> counts it as ready there.</summary>
    public bool IsReady { get; init; }

    /// <summary>Why, or why not.</summary>
    public string Reason { get; init; } = "";

    /// <summary>Entries in the queue; of an owner only.</summary>
    public long Queued { get; init; }

    /// <summary>How long the oldest of them has waited, in milliseconds; null where the queue does not know.</summary>
    public long? OldestMs { get; init; }

    /// <summary>Entries in the journal; of an owner only.</summary>
    public long Journal { get; init; }

    /// <summary>Entries whose barrier has not returned.</summary>
    public long Unconfirmed { get; init; }

    /// <summary>Entries whose hold is not over.</summary>
    public long Held { get; init; }
}

/// <summary>How one node stands. Sent to every other one twice a second.</summary>
public sealed record NodeStatus
{
    /// <summary>Its address, <c>host:port</c>.</summary>
    public required string Node { get; init; }

    /// <summary>The version of the program.</summary>
    public required string Version { get; init; }

    /// <summary>Whether it is about to leave: nobody should hand anything over to it.</summary>
    public bool IsLeaving { get; init; }

    /// <summary>Its bridges.</summary>
    public ImmutableArray<BridgeStatus> Bridges { get; init; } = [];
}

/// <summary>To the node that should own a bridge: its lease has just been given back.</summary>
/// <param name="Bridge">Its name.</param>
public sealed record TakeOver(string Bridge);

/// <summary>From a node that is about to join: its bridges. Answered with <see cref="Welcome" />.</summary>
/// <param name="Node">Its address.</param>
/// <param name="Version">The version of its program.</param>
/// <param name="Bridges">What they are.</param>
public sealed record Hello(string Node, string Version, ImmutableArray<BridgeIdentity> Bridges);

/// <summary>Answer to <see cref="Hello" />: the bridges here. Whether they go together the newcomer sees itself.</summary>
/// <param name="Node">The address of who answers.</param>
/// <param name="Version">The version of its program.</param>
/// <param name="Bridges">What they are.</param>
/// <param name="Members">How many nodes its cluster has; 0: it has not joined one.</param>
/// <param name="First">The first of their names.</param>
public sealed record Welcome(string Node, string Version, ImmutableArray<BridgeIdentity> Bridges, int Members = 0, string First = "");

/// <summary>A message that this version does not know, of a node that runs another one. Ignored.</summary>
/// <param name="Manifest">What it calls it.</param>
public sealed record UnknownMessage(string Manifest);
