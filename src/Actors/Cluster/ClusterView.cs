using System.Collections.Immutable;
using Bridge.Queue;
using Bridge.Telemetry;

namespace Bridge.Cluster;

/// <summary>What a node is to do for its bridges' placement.</summary>
/// <param name="Placement">The node that should own each bridge.</param>
/// <param name="Preferred">Of the bridges here: whether this node should own it.</param>
/// <param name="Handover">The bridge, if any, to hand over now, and to whom.</param>
public sealed record PlacementDecision(
    IReadOnlyDictionary<string, string> Placement, IReadOnlyDictionary<string, bool> Preferred, (string Bridge, string Node)? Handover);

/// <summary>
/// What this node knows of itself and of the others, and what follows from it. Ownership does not: the lease decides that, and a view
/// that is wrong costs a needless handover at worst. Pure; time is given.
/// </summary>
/// <param name="self">This node's name.</param>
/// <param name="settle">How long another node must be the better owner before a bridge is handed to it.</param>
public sealed class ClusterView(string self, TimeSpan settle)
{
    /// <summary>After so long without word a node is not counted on.</summary>
    public static readonly TimeSpan FreshFor = TimeSpan.FromSeconds(3);

    /// <summary>After so long cut off from the server an owner leaves the bridge to whoever else is able.</summary>
    public static readonly TimeSpan StreamPatience = TimeSpan.FromSeconds(10);

    /// <summary>How long an owner that had no stream is not able then; and how long a node that did not keep what it was given gets it not again.</summary>
    public static readonly TimeSpan Distrust = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan LongestDistrust = TimeSpan.FromMinutes(32);

    // One at a time: each handover is a pause of its bridge, and changes what is fair for the rest.
    private static readonly TimeSpan BetweenHandovers = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, (NodeStatus Status, TimeSpan HeardAt)> _others = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TimeSpan> _withoutStreamSince = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TimeSpan> _unableUntil = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TimeSpan> _unableFor = new(StringComparer.Ordinal);
    private readonly Dictionary<string, TimeSpan> _withStreamSince = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (string Node, TimeSpan Since)> _betterOwner = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (string Node, TimeSpan At, bool IsGone)> _handedOver = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Bridge, string Node), TimeSpan> _distrustedUntil = [];
    private HashSet<string> _wanted = new(StringComparer.Ordinal);
    private TimeSpan? _lastHandover;

    /// <summary>What is known of the others, by node.</summary>
    public IReadOnlyDictionary<string, (NodeStatus Status, TimeSpan HeardAt)> Others => _others;

    /// <summary>A node told how it stands.</summary>
    public void Heard(NodeStatus status, TimeSpan now)
    {
        ArgumentNullException.ThrowIfNull(status);
        if (status.Node != self)
            _others[status.Node] = (status, now);
    }

    /// <summary>A node has left, or cannot be reached.</summary>
    public void Lost(string node) => _others.Remove(node);

    /// <summary>The node that should own this bridge, by the last decision, among those that stay; null: none.</summary>
    public string? Successor(string bridge, TimeSpan now) => _handedOver.TryGetValue(bridge, out var given) && now - given.At < FreshFor
        ? given.Node
        : Placement.Of(Candidates(null, now)).GetValueOrDefault(bridge);

    /// <summary>How this node stands, as it is told to the others: with what it would own, and what it is not able to.</summary>
    public NodeStatus Own(NodeStatus status, TimeSpan now)
    {
        ArgumentNullException.ThrowIfNull(status);
        return status with
        {
            Bridges = [.. status.Bridges.Select(bridge => bridge with
            {
                IsAble = bridge.IsAble && !(_unableUntil.TryGetValue(bridge.Identity.Name, out var until) && now < until),
                IsWanted = _wanted.Contains(bridge.Identity.Name),
            })],
        };
    }

    /// <summary>What follows for this node.</summary>
    /// <param name="status">How it stands, from <see cref="Own" />.</param>
    /// <param name="now">The moment, on the clock of <see cref="Heard" />.</param>
    public PlacementDecision Decide(NodeStatus status, TimeSpan now)
    {
        ArgumentNullException.ThrowIfNull(status);
        foreach (var bridge in status.Bridges)
            Watch(bridge, now);
        status = Own(status, now);
        var placement = Placement.Of(Candidates(status, now));
        // Where nobody seems able everybody may try: who is, Redis knows better.
        var preferred = status.Bridges.ToDictionary(
            bridge => bridge.Identity.Name,
            bridge => !status.IsLeaving && (!placement.TryGetValue(bridge.Identity.Name, out var node) || node == self),
            StringComparer.Ordinal);
        _wanted = preferred.Where(pair => pair.Value).Select(pair => pair.Key).ToHashSet(StringComparer.Ordinal);
        return new PlacementDecision(placement, preferred, status.IsLeaving ? null : NextHandover(status, placement, now));
    }

    private void Watch(BridgeStatus bridge, TimeSpan now)
    {
        var name = bridge.Identity.Name;
        if (_handedOver.TryGetValue(name, out var given))
        {
            // It did not keep it. Not twice in a row.
            if (bridge.Role == BridgeRole.Owner && given.IsGone)
                _distrustedUntil[(name, given.Node)] = now + Distrust;
            if (now - given.At >= Distrust || (bridge.Role == BridgeRole.Owner && given.IsGone))
                _handedOver.Remove(name);
            else if (bridge.Role == BridgeRole.Standby)
                _handedOver[name] = given with { IsGone = true };
        }

        if (bridge.Role != BridgeRole.Owner || !bridge.IsCutOff)
            _withoutStreamSince.Remove(name);
        else if (!_withoutStreamSince.TryAdd(name, now) && now - _withoutStreamSince[name] >= StreamPatience && AnotherIsAble(name, now))
        {
            // Each time for twice as long: whoever works must not be interrupted once a minute for another vain try.
            var length = _unableFor.GetValueOrDefault(name, Distrust);
            _unableUntil[name] = now + length;
            _unableFor[name] = length < LongestDistrust ? length * 2 : length;
            _withoutStreamSince.Remove(name);
        }

        if (bridge.Role != BridgeRole.Owner || bridge.Connection != ConnectionState.Established)
            _withStreamSince.Remove(name);
        else if (!_withStreamSince.TryAdd(name, now) && now - _withStreamSince[name] >= Distrust)
            _unableFor.Remove(name);
        if (bridge.Connection == ConnectionState.Established)
            _unableUntil.Remove(name);
    }

    private bool AnotherIsAble(string bridge, TimeSpan now) => Fresh(now).Any(status => IsCandidate(status, bridge));

    private IEnumerable<NodeStatus> Fresh(TimeSpan now) => _others.Values.Where(other => now - other.HeardAt < FreshFor).Select(other => other.Status);

    private static bool IsCandidate(NodeStatus status, string bridge) =>
        !status.IsLeaving && status.Bridges.Any(one => one.Identity.Name == bridge && one.IsAble);

    private Dictionary<string, IReadOnlyCollection<string>> Candidates(NodeStatus? own, TimeSpan now)
    {
        var candidates = new Dictionary<string, IReadOnlyCollection<string>>(StringComparer.Ordinal);
        foreach (var status in own is null ? Fresh(now) : Fresh(now).Append(own))
        {
            foreach (var bridge in status.Bridges.Where(bridge => IsCandidate(status, bridge.Identity.Name)))
            {
                if (!candidates.TryGetValue(bridge.Identity.Name, out var nodes))
                    candidates.Add(bridge.Identity.Name, nodes = new List<string>());
                ((List<string>)nodes).Add(status.Node);
            }
        }

        return candidates;
    }

    private (string Bridge, string Node)? NextHandover(NodeStatus status, IReadOnlyDictionary<string, string> placement, TimeSpan now)
    {
        (string Bridge, string Node)? next = null;
        foreach (var bridge in status.Bridges)
        {
            var name = bridge.Identity.Name;
            if (bridge.Role != BridgeRole.Owner || bridge.Order != QueueOrder.Run || !placement.TryGetValue(name, out var node) || node == self)
            {
                _betterOwner.Remove(name);
                continue;
            }

            if (!_betterOwner.TryGetValue(name, out var better) || better.Node != node)
                _betterOwner[name] = better = (node, now);
            // An owner without a stream has nothing that a handover could interrupt.
            var isTime = !bridge.IsAble || now - better.Since >= settle;
            if (next is null && isTime && IsAwaitedBy(node, name) && !IsDistrusted(name, node, now) && (_lastHandover is not { } last || now - last >= BetweenHandovers))
                next = (name, node);
        }

        if (next is { } handover)
        {
            _lastHandover = now;
            _handedOver[handover.Bridge] = (handover.Node, now, false);
        }

        return next;
    }

    // Nodes that see the members differently may each take the other for the better owner.
    private bool IsAwaitedBy(string node, string bridge) =>
        _others.TryGetValue(node, out var other) && other.Status.Bridges.Any(one => one.Identity.Name == bridge && one.IsWanted && one.Role == BridgeRole.Standby);

    private bool IsDistrusted(string bridge, string node, TimeSpan now) => _distrustedUntil.TryGetValue((bridge, node), out var until) && now < until;
}
