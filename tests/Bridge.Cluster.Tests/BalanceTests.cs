using System.Collections.Immutable;
using System.Globalization;
using Bridge.Host.Hosting;
using Bridge.TestKit;

namespace Bridge.Cluster.Tests;

/// <summary>Bridges are spread over the nodes that are there, and every node can tell where each is.</summary>
public sealed class BalanceTests
{
    private const int Bridges = 6;

    [Fact]
    public async Task Bridges_are_spread_evenly_over_nodes_that_join_leave_and_die_and_any_node_tells_where_they_are()
    {
        await using var server = new ScriptedXmppServer(new ScriptedXmppServerOptions { AnyComponent = true });
        await using var trial = await DeliveryTrial.StartAsync(server);
        await using var nodes = new Nodes(trial, new NodesOptions
        {
            Environment = new Dictionary<string, string?> { ["BRIDGE_QUEUE"] = null, ["BRIDGE_DOMAIN"] = null },
            Configuration = "bridge.cluster.settle = 1s\n" + string.Join('\n', Enumerable.Range(0, Bridges).Select(i => string.Create(
                CultureInfo.InvariantCulture, $"bridge.bridges.b{i} {{ queue.name = \"xmpp:b{i}\", xmpp.domain = \"b{i}.example.test\" }}"))),
        });

        await nodes.StartAsync(2);
        await SpreadAsync(nodes, 3, 3);
        nodes.All[2].Program.Start();
        await nodes.TogetherAsync(3);
        await SpreadAsync(nodes, 2, 2, 2);
        Assert.Equal(0, await nodes.All[1].Program.StopAsync());
        await SpreadAsync(nodes, 3, 3);
        await nodes.All[2].Program.KillAsync();
        await SpreadAsync(nodes, 6);
    }

    // Each node says the same, of a full set of bridges that are connected, each on one node.
    private static async Task SpreadAsync(Nodes nodes, params int[] shares) => await nodes.UntilAsync(
        async () =>
        {
            var statuses = await nodes.StatusesAsync();
            return statuses.Count == shares.Length && statuses.All(status => Shares(status).SequenceEqual(shares));
        },
        $"{string.Join(", ", shares)} bridges on {shares.Length} nodes, as each of them tells");

    private static ImmutableArray<int> Shares(StatusReport status) =>
        status.Bridges.Length == Bridges && status.Bridges.All(bridge => bridge is { Ready: true, Owner: not null, Epoch: > 0 } && bridge.Owner == bridge.Preferred)
            ? status.Bridges.GroupBy(bridge => bridge.Owner).Select(group => group.Count()).Order().ToImmutableArray()
            : [];
}
