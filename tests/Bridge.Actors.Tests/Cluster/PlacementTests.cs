using System.Globalization;
using Bridge.Cluster;

namespace Bridge.Actors.Tests.Cluster;

public sealed class PlacementTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(6, 2)]
    [InlineData(7, 3)]
    [InlineData(2, 5)]
    [InlineData(100, 7)]
    public void No_node_has_more_than_its_share(int bridges, int nodes)
    {
        var placed = Place(bridges, Nodes(nodes));

        Assert.Equal(bridges, placed.Count);
        Assert.All(placed.Values.GroupBy(node => node), group => Assert.InRange(group.Count(), 1, (bridges + nodes - 1) / nodes));
    }

    [Fact]
    public void Every_node_comes_to_the_same_result_in_whatever_order_it_learned_of_the_others()
    {
        Assert.Equal(Place(20, Nodes(3)).OrderBy(pair => pair.Key), Place(20, [.. Nodes(3).Reverse()]).OrderBy(pair => pair.Key));
    }

    [Fact]
    public void A_node_that_joins_takes_its_share_and_moves_few_others()
    {
        var (before, after) = (Place(60, Nodes(3)), Place(60, Nodes(4)));

        var moved = before.Count(pair => after[pair.Key] != pair.Value);
        Assert.Equal(15, after.Values.Count(node => node == "node-3"));
        Assert.InRange(moved, 15, 30);
    }

    [Fact]
    public void A_node_that_leaves_moves_its_own_and_few_others()
    {
        var (before, after) = (Place(60, Nodes(4)), Place(60, Nodes(3)));

        Assert.DoesNotContain("node-3", after.Values);
        Assert.InRange(before.Count(pair => pair.Value != "node-3" && after[pair.Key] != pair.Value), 0, 20);
    }

    [Fact]
    public void A_bridge_is_placed_only_where_it_can_be()
    {
        var placed = Placement.Of(new Dictionary<string, IReadOnlyCollection<string>>
        {
            ["a"] = ["one"],
            ["b"] = ["one"],
            ["c"] = ["one", "two"],
            ["d"] = [],
        });

        Assert.Equal(["one", "one", "two"], placed.OrderBy(pair => pair.Key).Select(pair => pair.Value));
        Assert.DoesNotContain("d", placed.Keys);
    }

    [Fact]
    public void Nothing_is_placed_where_there_is_nobody() => Assert.Empty(Placement.Of(new Dictionary<string, IReadOnlyCollection<string>>()));

    private static string[] Nodes(int count) => [.. Enumerable.Range(0, count).Select(i => "node-" + i.ToString(CultureInfo.InvariantCulture))];

    private static IReadOnlyDictionary<string, string> Place(int bridges, string[] nodes) => Placement.Of(Enumerable.Range(0, bridges)
        .ToDictionary(i => "bridge-" + i.ToString(CultureInfo.InvariantCulture), IReadOnlyCollection<string> (_) => nodes));
}
