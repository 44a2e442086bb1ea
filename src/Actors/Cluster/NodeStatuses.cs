using Bridge.Queue;
using Bridge.Settings;
using Bridge.Telemetry;

namespace Bridge.Cluster;

/// <summary>How this node stands, out of what its bridges have published. Pure.</summary>
public static class NodeStatuses
{
    private const int LongestReason = 200;

    /// <summary>The status, with nothing wanted yet.</summary>
    /// <param name="node">This node's name.</param>
    /// <param name="version">The program's version.</param>
    /// <param name="isLeaving">Whether it is about to leave.</param>
    /// <param name="bridges">Its bridges.</param>
    /// <param name="board">What they have published.</param>
    /// <param name="now">The time.</param>
    public static NodeStatus Of(string node, string version, bool isLeaving, IEnumerable<BridgeSettings> bridges, StatusBoard board, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(bridges);
        ArgumentNullException.ThrowIfNull(board);
        return new NodeStatus
        {
            Node = node,
            Version = version,
            IsLeaving = isLeaving,
            Bridges = [.. bridges.Select(bridge => Of(BridgeIdentity.Of(bridge), board.Find(bridge.Name), now))],
        };
    }

    private static BridgeStatus Of(BridgeIdentity identity, BridgeSnapshot? snapshot, DateTimeOffset now)
    {
        if (snapshot is null)
            return new BridgeStatus { Identity = identity, Reason = "starting" };
        var (isReady, reason) = Readiness.Ready(snapshot, now);
        var owns = snapshot.Role is BridgeRole.Owner or BridgeRole.Draining;
        return new BridgeStatus
        {
            Identity = identity,
            Role = snapshot.Role,
            Connection = snapshot.Connection,
            IsCutOff = owns && snapshot.Connection != ConnectionState.Established && snapshot.LastReconnectCause is
                ReconnectCause.ConnectFailed or ReconnectCause.ConnectTimeout or ReconnectCause.TlsFailed or ReconnectCause.HeaderTimeout
                or ReconnectCause.HandshakeTimeout or ReconnectCause.SocketFailed or ReconnectCause.NoProgress,
            Order = snapshot.Order,
            Epoch = snapshot.Epoch,
            // One that has not seen the lease yet may not reach Redis.
            IsAble = snapshot.Role == BridgeRole.Owner
                || (snapshot.Role == BridgeRole.Standby && snapshot is { LeaseHolder: not null, QueueFault: null, Order: not QueueOrder.Drain }
                    && now - snapshot.PublishedAt <= Readiness.SilenceLimit),
            IsReady = isReady,
            // It tells an operator, who finds the rest in the log; a message between nodes has a bound.
            Reason = reason.Length > LongestReason ? reason[..LongestReason] : reason,
            Queued = owns ? snapshot.QueueLength : 0,
            OldestMs = owns && snapshot.OldestQueued is { } oldest ? (long)Math.Max(0, (now - oldest).TotalMilliseconds) : null,
            Journal = owns ? snapshot.JournalLength : 0,
            Unconfirmed = owns ? snapshot.UnconfirmedEntries : 0,
            Held = owns ? snapshot.HeldEntries : 0,
        };
    }
}
