namespace Bridge.Cluster;

/// <summary>Whether the bridges of two nodes go together. Sets may differ, as they do while a bridge is added node by node. Pure.</summary>
public static class BridgeSets
{
    /// <summary>
    /// What keeps these bridges from working beside those: one name for two things, or one queue or domain under two names. Empty:
    /// nothing.
    /// </summary>
    /// <param name="mine">The bridges here.</param>
    /// <param name="theirs">The bridges there.</param>
    public static IReadOnlyList<string> Conflicts(IEnumerable<BridgeIdentity> mine, IReadOnlyCollection<BridgeIdentity> theirs)
    {
        ArgumentNullException.ThrowIfNull(mine);
        var conflicts = new List<string>();
        foreach (var one in mine)
        {
            foreach (var other in theirs)
            {
                if (one.Name == other.Name)
                {
                    Compare("the queue", one.Queue, other.Queue, one.Name);
                    Compare("the domain", one.Domain, other.Domain, one.Name);
                    Compare("the kind of queue", one.Kind, other.Kind, one.Name);
                }
                else if (one.Queue == other.Queue)
                    conflicts.Add($"queue {one.Queue} is bridge {one.Name}'s here and bridge {other.Name}'s there");
                else if (one.Domain == other.Domain)
                    conflicts.Add($"domain {one.Domain} is bridge {one.Name}'s here and bridge {other.Name}'s there");
            }
        }

        return conflicts;

        void Compare(string what, string here, string there, string bridge)
        {
            if (here != there)
                conflicts.Add($"{what} of bridge {bridge} is {here} here and {there} there");
        }
    }
}
