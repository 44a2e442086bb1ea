using System.Collections.Immutable;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Bridge.Cluster;
using Bridge.Queue;
using Bridge.Telemetry;

namespace Bridge.Host.Hosting;

/// <summary>What <c>/api/status</c> answers and <c>bridge status</c> shows: all nodes and bridges, as one node knows them. No secret, no JID, no body.</summary>
internal sealed record StatusReport
{
    /// <summary>How it is written and read.</summary>
    public static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
        // Readable in a terminal; it is not put into HTML.
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
    };

    /// <summary>The same, on one line.</summary>
    public static readonly JsonSerializerOptions JsonLine = new(Json) { WriteIndented = false };

    /// <summary>Who answers.</summary>
    public required string Node { get; init; }

    /// <summary>The version of its program.</summary>
    public required string Version { get; init; }

    /// <summary>Whether it is in a cluster: else it knows of itself alone.</summary>
    public required bool Clustered { get; init; }

    /// <summary>The nodes, by name.</summary>
    public required ImmutableArray<NodeLine> Nodes { get; init; }

    /// <summary>The bridges, by name.</summary>
    public required ImmutableArray<BridgeLine> Bridges { get; init; }

    /// <summary>One node.</summary>
    public sealed record NodeLine
    {
        /// <summary>Its name.</summary>
        public required string Node { get; init; }

        /// <summary>What the cluster calls it; <c>alone</c> without one.</summary>
        public required string Membership { get; init; }

        /// <summary>The version of its program; null while it has told nothing.</summary>
        public string? Version { get; init; }

        /// <summary>How old is what it told, in milliseconds; null while it has told nothing.</summary>
        public long? AgeMs { get; init; }

        /// <summary>Whether it is about to end.</summary>
        public bool Leaving { get; init; }

        /// <summary>The bridges that it owns.</summary>
        public ImmutableArray<string> Owns { get; init; } = [];

        /// <summary>What each of its bridges says of itself there, by name.</summary>
        public ImmutableSortedDictionary<string, string> Bridges { get; init; } = ImmutableSortedDictionary<string, string>.Empty;
    }

    /// <summary>One bridge.</summary>
    public sealed record BridgeLine
    {
        /// <summary>Its name.</summary>
        public required string Name { get; init; }

        /// <summary>The queue's key.</summary>
        public required string Queue { get; init; }

        /// <summary>The component domain.</summary>
        public required string Domain { get; init; }

        /// <summary>The node that owns it; null where none does that is known.</summary>
        public string? Owner { get; init; }

        /// <summary>The node that should own it; null where there is no cluster, or none is able.</summary>
        public string? Preferred { get; init; }

        /// <summary>The epoch of the owner's lease.</summary>
        public long? Epoch { get; init; }

        /// <summary>What the operator wants.</summary>
        public QueueOrder Order { get; init; }

        /// <summary>Where the owner's connection stands.</summary>
        public ConnectionState Connection { get; init; }

        /// <summary>Whether the owner is ready.</summary>
        public bool Ready { get; init; }

        /// <summary>Why, or why not.</summary>
        public string Reason { get; init; } = "";

        /// <summary>Entries in the queue.</summary>
        public long Queued { get; init; }

        /// <summary>How long the oldest has waited, in milliseconds; null where the queue does not know, as a list.</summary>
        public long? OldestMs { get; init; }

        /// <summary>Entries in the journal.</summary>
        public long Journal { get; init; }

        /// <summary>Entries whose barrier has not returned.</summary>
        public long Unconfirmed { get; init; }

        /// <summary>Entries whose hold is not over.</summary>
        public long Held { get; init; }
    }

    /// <summary>How all stands now, as this process knows it.</summary>
    public static StatusReport Of(ClusterPicture? picture, ConfiguredBridges bridges, StatusBoard board, DateTimeOffset now) =>
        Of(picture, NodeStatuses.Of(Environment.MachineName, ProgramVersion.Text, isLeaving: false, bridges.Current, board, now));

    /// <summary>The report of a cluster's picture; without one, of this node alone.</summary>
    public static StatusReport Of(ClusterPicture? picture, NodeStatus own)
    {
        var nodes = picture?.Nodes ?? [new NodeView(own.Node, "alone", own, TimeSpan.Zero)];
        return new StatusReport
        {
            Node = picture?.Self ?? own.Node,
            Version = own.Version,
            Clustered = picture is not null,
            Nodes = [.. nodes.Select(Line)],
            Bridges =
            [
                .. nodes
                    .Where(node => node.Status is not null)
                    .SelectMany(node => node.Status!.Bridges.Select(bridge => (node.Node, Bridge: bridge)))
                    .GroupBy(told => told.Bridge.Identity.Name, StringComparer.Ordinal)
                    .OrderBy(group => group.Key, StringComparer.Ordinal)
                    .Select(group => Line([.. group], picture)),
            ],
        };
    }

    private static NodeLine Line(NodeView node) => new()
    {
        Node = node.Node,
        Membership = node.Membership,
        Version = node.Status?.Version,
        AgeMs = node.Status is null ? null : (long)node.Age.TotalMilliseconds,
        Leaving = node.Status?.IsLeaving ?? false,
        Owns = node.Status is { } status ? [.. status.Bridges.Where(Owns).Select(bridge => bridge.Identity.Name)] : [],
        Bridges = node.Status is { } told
            ? told.Bridges.ToImmutableSortedDictionary(bridge => bridge.Identity.Name, bridge => bridge.Reason, StringComparer.Ordinal)
            : ImmutableSortedDictionary<string, string>.Empty,
    };

    private static BridgeLine Line(IReadOnlyList<(string Node, BridgeStatus Bridge)> told, ClusterPicture? picture)
    {
        // Two that take themselves for owners cannot both be right: the later epoch is.
        var owner = told.Where(one => Owns(one.Bridge)).OrderByDescending(one => one.Bridge.Epoch ?? 0).Select(one => one.Node).FirstOrDefault();
        var (_, bridge) = told.FirstOrDefault(one => one.Node == owner, told[0]);
        return new BridgeLine
        {
            Name = bridge.Identity.Name,
            Queue = bridge.Identity.Queue,
            Domain = bridge.Identity.Domain,
            Owner = owner,
            Preferred = picture?.Placement.GetValueOrDefault(bridge.Identity.Name),
            Epoch = bridge.Epoch,
            Order = bridge.Order,
            Connection = bridge.Connection,
            Ready = owner is not null && bridge.IsReady,
            Reason = owner is not null || picture is null ? bridge.Reason : "no node owns it: " + bridge.Reason,
            Queued = bridge.Queued,
            OldestMs = bridge.OldestMs,
            Journal = bridge.Journal,
            Unconfirmed = bridge.Unconfirmed,
            Held = bridge.Held,
        };
    }

    private static bool Owns(BridgeStatus bridge) => bridge.Role is BridgeRole.Owner or BridgeRole.Draining;
}
