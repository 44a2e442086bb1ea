using Microsoft.Extensions.Logging;

namespace Bridge.Cluster;

/// <summary>What is said of the other nodes. Numbers 5000 to 5999.</summary>
internal static partial class ClusterLog
{
    [LoggerMessage(5001, LogLevel.Information, "Node {Node}, version {Version}, asks to join")]
    public static partial void AsksToJoin(this ILogger log, string node, string version);

    [LoggerMessage(5002, LogLevel.Warning, "A node sends what this version does not know: {Manifest}. It is ignored")]
    public static partial void UnknownMessage(this ILogger log, string manifest);

    [LoggerMessage(5003, LogLevel.Error, "This node cannot join the cluster again, and works on by its leases: {Conflicts}")]
    public static partial void CannotJoinAgain(this ILogger log, string conflicts);

    [LoggerMessage(5004, LogLevel.Information, "Joins the cluster through {Seeds}")]
    public static partial void Joins(this ILogger log, string seeds);

    [LoggerMessage(5005, LogLevel.Warning, "Node {Node} is of another cluster, of {Members} nodes: this node leaves its own and joins that")]
    public static partial void OtherCluster(this ILogger log, string node, int members);

    [LoggerMessage(5006, LogLevel.Error, "This node and {Node} mean different things: {Conflicts}. Give both the same configuration")]
    public static partial void ConfigurationsDiffer(this ILogger log, string node, string conflicts);

    [LoggerMessage(5007, LogLevel.Information, "Bridge {Bridge} is handed over to {Node}")]
    public static partial void HandedOver(this ILogger log, string bridge, string node);

    [LoggerMessage(5008, LogLevel.Warning, "The lease {Key} is lost: {Reason}")]
    public static partial void ClusterLeaseLost(this ILogger log, string? key, string reason);
}
