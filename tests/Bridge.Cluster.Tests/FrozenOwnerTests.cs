using Bridge.TestKit;

namespace Bridge.Cluster.Tests;

/// <summary>An owner that is frozen past its lease (SIGSTOP): what becomes of its queue, and of itself when it wakes.</summary>
public sealed class FrozenOwnerTests
{
    private const int Count = 8_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task It_is_replaced_and_when_it_wakes_neither_takes_nor_settles_nor_writes_nor_throws_the_next_one_out()
    {
        await using var kicking = new RealServers(_ => new XmppServerOptions { KicksOldComponent = true });
        await using var trial = await DeliveryTrial.StartAsync(await kicking.GetAsync("prosody"), bytesPerSecond: DeliveryTrial.SlowFlood);
        await using var nodes = new Nodes(trial, new NodesOptions { BehindProxies = true, Rebalances = false });
        await nodes.StartAsync();
        var owner = await nodes.OwnerAsync();
        await trial.PushAsync(Count);
        await trial.Ledger.ArrivedAsync(Count / 4, Patience);
        var epoch = await EpochAsync(trial);

        await owner.Program.Process.FreezeAsync();
        var next = await nodes.OwnerAsync(which: node => node != owner);
        await trial.Ledger.ArrivedAsync(Count * 3 / 4, Patience);
        var (written, connections) = (owner.Xmpp!.Upstream.Bytes, next.Xmpp!.Connections);
        owner.Program.Process.Thaw();
        await owner.Program.Process.LineAsync(line => line.Contains("lost its lease", StringComparison.Ordinal), Patience);
        await nodes.TogetherAsync(3);
        await trial.PushAsync(500);
        var report = await trial.EndAsync(Patience, excuses: LedgerExcuses.RepliesRepeated);

        Assert.True(report.IsKept, report.ToString() + nodes.Output);
        // The deadline is checked at each write: what stood between check and system call is one write at most.
        Assert.InRange(owner.Xmpp.Upstream.Bytes - written, 0, 64 << 10);
        Assert.Equal(connections, next.Xmpp.Connections);
        Assert.Equal(epoch + 1, await EpochAsync(trial));
    }

    [Fact]
    public async Task Where_the_server_keeps_the_frozen_stream_the_next_owner_waits_for_its_end_and_there_is_no_ping_pong()
    {
        // Prosody's default: whoever connects second is refused with conflict.
        await using var keeping = new RealServers(_ => new XmppServerOptions { KicksOldComponent = false });
        await using var trial = await DeliveryTrial.StartAsync(await keeping.GetAsync("prosody"), bytesPerSecond: DeliveryTrial.SlowFlood);
        await using var nodes = new Nodes(trial, new NodesOptions { BehindProxies = true, Rebalances = false });
        await nodes.StartAsync();
        var owner = await nodes.OwnerAsync();
        await trial.PushAsync(Count);
        await trial.Ledger.ArrivedAsync(Count / 4, Patience);
        var (epoch, connections) = (await EpochAsync(trial), owner.Xmpp!.Connections);

        await owner.Program.Process.FreezeAsync();
        await nodes.UntilAsync(async () => await EpochAsync(trial) > epoch, "another node owns the queue");
        await nodes.UntilAsync(
            () => ValueTask.FromResult(nodes.All.Any(node => node != owner && node.Program.Process.Lines.Any(line => line.Contains("conflict", StringComparison.Ordinal)))),
            "the server refuses its stream");
        owner.Program.Process.Thaw();
        var next = await nodes.OwnerAsync(which: node => node != owner);
        var report = await trial.EndAsync(Patience, excuses: LedgerExcuses.RepliesRepeated);

        Assert.True(report.IsKept, report.ToString() + nodes.Output);
        Assert.NotEqual(owner, next);
        // It asked no second time, and the queue changed hands once for the freeze.
        Assert.Equal(connections, owner.Xmpp.Connections);
        Assert.Equal(epoch + 1, await EpochAsync(trial));
    }

    private static async Task<long> EpochAsync(DeliveryTrial trial) => (long)await trial.App.HashGetAsync(trial.Keys.Confirmed, "epoch");
}
