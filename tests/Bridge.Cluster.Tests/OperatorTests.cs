using System.Globalization;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Cluster.Tests;

/// <summary>What an operator does to bridges that run: pause, drain, add, change, remove, look; and what is refused.</summary>
public sealed class OperatorTests
{
    private const int Count = 2_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    [Fact]
    public async Task A_bridge_is_paused_drained_and_resumed_on_whichever_node_it_is()
    {
        await using var server = new ScriptedXmppServer();
        await using var trial = await DeliveryTrial.StartAsync(server);
        await using var nodes = new Nodes(trial, new NodesOptions { Count = 2, Clustered = false });
        await nodes.StartAsync();
        var owner = await nodes.OwnerAsync();
        await trial.PushAsync(Count);
        await trial.Ledger.AllArrivedAsync(Patience);

        Assert.Equal(0, await RunAsync(trial, "pause"));
        await OrderAsync(nodes, owner, QueueOrder.Pause);
        await trial.PushAsync(100);
        // It owns the queue, has its stream, settles what is held, and takes nothing.
        await nodes.UntilAsync(async () => (await trial.DepthAsync()).Journal == 0, "what was taken is settled");
        Assert.True(Nodes.Owns(await owner.StatusAsync(), "main"));
        Assert.Equal(Count, trial.Ledger.ArrivedSoFar);

        Assert.Equal(0, await RunAsync(trial, "drain", "main"));
        Assert.False(await trial.App.KeyExistsAsync(trial.Keys.Lease));
        await nodes.UntilAsync(() => ValueTask.FromResult(server.Connections.All(connection => connection.Ended.IsCompleted)), "no node has a stream");
        Assert.Equal(Count, trial.Ledger.ArrivedSoFar);

        Assert.Equal(0, await RunAsync(trial, "resume", "main"));
        var report = await trial.EndAsync(Patience);
        Assert.True(report.IsClean, report.ToString() + nodes.Output);
        Assert.Equal(Count + 100, report.Arrived);
    }

    [Fact]
    public async Task A_pause_outlives_the_owner()
    {
        await using var server = new ScriptedXmppServer();
        await using var trial = await DeliveryTrial.StartAsync(server);
        await using var nodes = new Nodes(trial, new NodesOptions { Count = 2, Clustered = false });
        await nodes.StartAsync();
        var owner = await nodes.OwnerAsync();
        Assert.Equal(0, await RunAsync(trial, "pause"));
        await OrderAsync(nodes, owner, QueueOrder.Pause);
        await trial.PushAsync(100);

        await owner.Program.KillAsync();
        var next = await nodes.OwnerAsync(which: node => node != owner);
        await OrderAsync(nodes, next, QueueOrder.Pause);
        Assert.Equal(0, trial.Ledger.ArrivedSoFar);
        Assert.Equal(0, await RunAsync(trial, "resume"));

        var report = await trial.EndAsync(Patience);
        Assert.True(report.IsClean, report.ToString() + nodes.Output);
    }

    [Fact]
    public async Task A_reload_adds_changes_and_removes_bridges_and_the_others_notice_nothing()
    {
        await using var server = new ScriptedXmppServer(new ScriptedXmppServerOptions { AnyComponent = true });
        await using var trial = await DeliveryTrial.StartAsync(server);
        await using var program = trial.Program(ConfirmGrade.Held, shipped: true, environment: new Dictionary<string, string?> { ["BRIDGE_QUEUE"] = null, ["BRIDGE_DOMAIN"] = null });
        program.Configure(Bridges(("chat", ""), ("alerts", ""), ("old", "")));
        program.Start();
        await program.ReadyAsync(Patience);
        var before = server.Connections.Count;

        program.Configure(Bridges(("chat", ""), ("alerts", "confirm.hold = 1s"), ("new", "")));
        program.Process.Signal(PosixSignalNumber.Hangup);
        await program.Process.LineAsync(line => line.Contains("new added, alerts changed, old removed", StringComparison.Ordinal), Patience);
        await Eventually.TrueAsync(() => server.Connections.Count == before + 2, Patience, "the new one and the changed one connect", () => program.Process.Output);
        await program.ReadyAsync(Patience);
        Assert.Equal(3, server.Connections.Count(connection => !connection.Ended.IsCompleted));

        // A mistake anywhere changes nothing at all.
        program.Configure(Bridges(("chat", "confirm.hold = 1 lightyear"), ("alerts", "")));
        program.Process.Signal(PosixSignalNumber.Hangup);
        await program.Process.LineAsync(line => line.Contains("is not reloaded", StringComparison.Ordinal) && line.Contains("lightyear", StringComparison.Ordinal), Patience);
        Assert.Equal(before + 2, server.Connections.Count);
        Assert.Equal(3, server.Connections.Count(connection => !connection.Ended.IsCompleted));
        Assert.Equal(0, await program.StopAsync());
    }

    [Fact]
    public async Task A_node_whose_bridges_mean_something_else_does_not_join_and_says_why()
    {
        await using var server = new ScriptedXmppServer();
        await using var trial = await DeliveryTrial.StartAsync(server);
        await using var nodes = new Nodes(trial, new NodesOptions { Count = 1 });
        await nodes.StartAsync();
        await using var newcomer = trial.Program(ConfirmGrade.Held, environment: new Dictionary<string, string?>
        {
            ["BRIDGE_QUEUE"] = "xmpp:other",
            ["BRIDGE_CLUSTER_SEEDS"] = nodes.All[0].Name,
            ["BRIDGE_CLUSTER_PORT"] = FreePorts.Next().ToString(CultureInfo.InvariantCulture),
        });
        newcomer.Start();

        Assert.Equal(2, await newcomer.Process.WaitForExitAsync(Patience));
        Assert.Contains("the queue of bridge main is xmpp:other here and xmpp:outbound there", newcomer.Process.Output, StringComparison.Ordinal);
        Assert.True(Nodes.Owns(await nodes.All[0].StatusAsync(), "main"));
    }

    private static string Bridges(params (string Name, string Settings)[] bridges) => string.Join('\n', bridges.Select(bridge => string.Create(
        CultureInfo.InvariantCulture,
        $"bridge.bridges.{bridge.Name} {{ queue.name = \"xmpp:{bridge.Name}\"\n xmpp.domain = \"{bridge.Name}.example.test\"\n {bridge.Settings} }}")));

    private static Task OrderAsync(Nodes nodes, Node node, QueueOrder order) => nodes.UntilAsync(
        async () => (await node.StatusAsync()).Bridges.Single() is { Owner: not null } bridge && bridge.Order == order, $"its owner knows that it is to {order}");

    private static async Task<int> RunAsync(DeliveryTrial trial, params string[] arguments)
    {
        await using var command = new BridgeProcess(new BridgeProcessOptions
        {
            Environment = new Dictionary<string, string?>
            {
                ["BRIDGE_REDIS"] = trial.Redis.ConnectionString,
                ["BRIDGE_DOMAIN"] = trial.Domain,
                ["BRIDGE_SECRET"] = "unused",
            },
            Arguments = arguments,
        });
        command.Start();
        return await command.Process.WaitForExitAsync(Patience);
    }
}
