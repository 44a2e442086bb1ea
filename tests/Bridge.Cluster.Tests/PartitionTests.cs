using Bridge.TestKit;

namespace Bridge.Cluster.Tests;

/// <summary>A node loses its way to the other nodes, to Redis or to the server: one owner works, and only one.</summary>
public sealed class PartitionTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    private const int Count = 6_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task An_owner_that_the_others_do_not_reach_works_on_for_as_long_as_it_reaches_Redis()
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync("prosody"), bytesPerSecond: DeliveryTrial.SlowFlood);
        await using var nodes = new Nodes(trial, new NodesOptions { BehindProxies = true });
        await nodes.StartAsync();
        var owner = await nodes.OwnerAsync();
        await trial.PushAsync(Count / 2);
        await trial.Ledger.ArrivedAsync(Count / 4, Patience);
        var epoch = await EpochAsync(trial);

        owner.CutOffFromNodes();
        await nodes.UntilAsync(
            async () => (await Task.WhenAll(nodes.All.Where(node => node != owner).Select(node => node.StatusAsync())))
                .All(status => status.Nodes.All(node => node.Node != owner.Name)),
            "the others have thrown it out");
        await trial.PushAsync(Count / 4);
        await trial.Ledger.ArrivedAsync(Count * 3 / 4, Patience);
        owner.HealNodes();
        await nodes.TogetherAsync(3);
        await trial.PushAsync(Count / 4);
        var report = await trial.EndAsync(Patience, excuses: LedgerExcuses.RepliesRepeated);

        Assert.True(report.IsKept, report.ToString() + nodes.Output);
        // What the cluster thought of it has interrupted nothing; once it is back it may be handed over, in order.
        Assert.Empty(report.Duplicated);
        Assert.InRange(await EpochAsync(trial), epoch, epoch + 1);
    }

    [Fact]
    public async Task Two_clusters_become_one_again()
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync("prosody"), bytesPerSecond: DeliveryTrial.SlowFlood);
        await using var nodes = new Nodes(trial, new NodesOptions { BehindProxies = true });
        await nodes.StartAsync();
        await trial.PushAsync(Count / 2);

        // The first seed, once thrown out, founds a cluster where it reaches no other node; Akka unites no two of them. Without Redis
        // it does not get the lease that would let it throw the others out.
        var seed = nodes.All[0];
        seed.Redis!.BlackHole();
        seed.CutOffFromNodes();
        await nodes.UntilAsync(
            async () => await seed.TryStatusAsync() is { Nodes: [{ Membership: "up" }] },
            "the first seed has a cluster of its own");
        // Not that they are two: on a machine that stands still for a while one of them may lose the other as well, and ask to join again.
        await nodes.UntilAsync(
            async () => await nodes.All[1].TryStatusAsync() is { } status && status.Nodes.All(node => node.Node != seed.Name),
            "the others have thrown it out");
        seed.HealNodes();
        seed.Redis.Heal();
        await nodes.TogetherAsync(3);
        await trial.PushAsync(Count / 2);
        var report = await trial.EndAsync(Patience, excuses: LedgerExcuses.RepliesRepeated);

        Assert.True(report.IsKept, report.ToString() + nodes.Output);
    }

    [Fact]
    public async Task An_owner_without_Redis_is_replaced_and_writes_no_more()
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync("ejabberd"), bytesPerSecond: DeliveryTrial.SlowFlood);
        await using var nodes = new Nodes(trial, new NodesOptions { BehindProxies = true });
        await nodes.StartAsync();
        var owner = await nodes.OwnerAsync();
        await trial.PushAsync(Count);
        await trial.Ledger.ArrivedAsync(Count / 4, Patience);
        var epoch = await EpochAsync(trial);

        owner.Redis!.BlackHole();
        var next = await nodes.OwnerAsync(which: node => node != owner);
        var written = owner.Xmpp!.Upstream.Bytes;
        await trial.Ledger.AllArrivedAsync(Patience);
        owner.Redis.Heal();
        var report = await trial.EndAsync(Patience, excuses: LedgerExcuses.RepliesRepeated);

        Assert.True(report.IsKept, report.ToString() + nodes.Output);
        Assert.Equal(epoch + 1, await EpochAsync(trial));
        Assert.Equal(written, owner.Xmpp.Upstream.Bytes);
        Assert.True(Nodes.Owns(await next.StatusAsync(), "main"));
    }

    [Fact]
    public async Task An_owner_that_does_not_reach_the_server_leaves_the_bridge_to_one_that_does()
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync("prosody"), bytesPerSecond: DeliveryTrial.SlowFlood);
        await using var nodes = new Nodes(trial, new NodesOptions { BehindProxies = true, Count = 2 });
        await nodes.StartAsync();
        var owner = await nodes.OwnerAsync();
        await trial.PushAsync(Count);
        await trial.Ledger.ArrivedAsync(Count / 4, Patience);

        owner.Xmpp!.Down();
        owner.Xmpp.ResetPeer();
        var next = await nodes.OwnerAsync(which: node => node != owner);
        var report = await trial.EndAsync(Patience, excuses: LedgerExcuses.RepliesRepeated);

        Assert.True(report.IsKept, report.ToString() + nodes.Output);
        Assert.NotEqual(owner, next);
    }

    private static async Task<long> EpochAsync(DeliveryTrial trial) => (long)await trial.App.HashGetAsync(trial.Keys.Confirmed, "epoch");
}
