using System.IO.Hashing;
using System.Text;

namespace Bridge.Cluster;

/// <summary>
/// Which node should own which bridge: each bridge ranks the nodes by a hash of both names (rendezvous hashing), and takes the
/// first that does not have its fair share yet. Every node that knows the same nodes and bridges comes to the same result; a node
/// that joins or leaves moves its share and, to keep the shares fair, few others. Pure.
/// </summary>
public static class Placement
{
    /// <summary>The preferred node of each bridge that has a candidate.</summary>
    /// <param name="candidates">The nodes that can own each bridge, by the bridge's name.</param>
    public static IReadOnlyDictionary<string, string> Of(IReadOnlyDictionary<string, IReadOnlyCollection<string>> candidates)
    {
        ArgumentNullException.ThrowIfNull(candidates);
        var nodes = candidates.Values.SelectMany(names => names).Distinct(StringComparer.Ordinal).Count();
        var placed = new Dictionary<string, string>(StringComparer.Ordinal);
        if (nodes == 0)
            return placed;
        var bridges = candidates.Where(pair => pair.Value.Count > 0).OrderBy(pair => pair.Key, StringComparer.Ordinal).ToList();
        var share = (bridges.Count + nodes - 1) / nodes;
        var load = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (bridge, able) in bridges)
        {
            var ranked = able.Distinct(StringComparer.Ordinal).OrderByDescending(node => Weight(bridge, node)).ThenBy(node => node, StringComparer.Ordinal).ToList();
            // All candidates may have their share where not every node can own every bridge.
            var node = ranked.Find(node => load.GetValueOrDefault(node) < share) ?? ranked.MinBy(node => load.GetValueOrDefault(node))!;
            placed.Add(bridge, node);
            load[node] = load.GetValueOrDefault(node) + 1;
        }

        return placed;
    }

    private static ulong Weight(string bridge, string node) => XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(bridge + "\0" + node));
}
