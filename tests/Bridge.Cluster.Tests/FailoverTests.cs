using System.Diagnostics;
using Bridge.TestKit;
using Xunit.Abstractions;

namespace Bridge.Cluster.Tests;

/// <summary>The owner ends, in order or not, and another node delivers; the ledger tells what became of the messages.</summary>
public sealed class FailoverTests(RealServersFixture servers, ITestOutputHelper output) : IClassFixture<RealServersFixture>
{
    private const int Count = 12_000;
    private const int Late = 100;

    [Fact]
    public async Task Nodes_are_replaced_one_after_another_and_nothing_is_lost_reordered_or_repeated()
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync("prosody"), bytesPerSecond: DeliveryTrial.SlowFlood);
        await using var nodes = new Nodes(trial, new NodesOptions
        {
            Shipped = true,
            Environment = new Dictionary<string, string?> { ["BRIDGE_HOLD"] = "8s" },
        });
        await nodes.StartAsync();
        var gaps = new List<TimeSpan>();

        // The owner first: the bridge moves while nodes are replaced, and could be elsewhere at the turn of each.
        var first = await nodes.OwnerAsync();
        foreach (var node in nodes.All.OrderByDescending(node => node == first))
        {
            await trial.PushAsync(Count / 3);
            // Whichever it is: a node that had it and left a moment ago is not preferred again at once.
            if (await nodes.OwnerAsync(which: _ => true) is var owner && owner == node)
            {
                gaps.Add(await GapAsync(trial, () => node.Program.Process.Signal(PosixSignalNumber.Terminate)));
                output.WriteLine($"handed over in {gaps[^1].TotalMilliseconds:0} ms");
            }
            else
                node.Program.Process.Signal(PosixSignalNumber.Terminate);
            Assert.Equal(0, await node.Program.Process.WaitForExitAsync(TimeSpan.FromSeconds(20)));
            node.Program.Start();
            await node.Program.ReadyAsync(TimeSpan.FromSeconds(20));
            await nodes.TogetherAsync(3);
        }

        var report = await trial.EndAsync(TimeSpan.FromSeconds(60));
        Assert.True(report.IsClean, report.ToString() + nodes.Output);
        Assert.Equal(Count + (gaps.Count * Late), report.Arrived);
        Assert.NotEmpty(gaps);
        // It takes no second on a machine that has time; on none does it sit out the hold, longer here than a busy machine needs.
        Assert.True(gaps.TrueForAll(gap => gap < TimeSpan.FromSeconds(8)), string.Join(", ", gaps) + nodes.Output);
    }

    [Fact]
    public async Task With_the_values_for_a_fast_failover_it_takes_two_seconds()
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync("prosody"), bytesPerSecond: DeliveryTrial.SlowFlood);
        var profile = await File.ReadAllTextAsync(Path.Combine(BridgeProcess.RepositoryRoot, "hocon", "fast-failover.conf"));
        await using var nodes = new Nodes(trial, new NodesOptions { Shipped = true, Count = 2, Configuration = profile });
        await nodes.StartAsync();
        var owner = await nodes.OwnerAsync();
        await trial.PushAsync(Count);
        await trial.Ledger.ArrivedAsync(Count / 4, TimeSpan.FromSeconds(30));

        var gap = await GapAsync(trial, () => owner.Program.Process.Signal(PosixSignalNumber.Kill));
        var report = await trial.EndAsync(TimeSpan.FromSeconds(60), excuses: LedgerExcuses.RepliesRepeated);

        output.WriteLine($"another node delivered after {gap.TotalMilliseconds:0} ms");
        Assert.True(report.IsKept, report.ToString() + nodes.Output);
        // Two seconds on a machine that has time; with several tests at once, at least before the shipped lease would have run out.
        Assert.InRange(gap, TimeSpan.Zero, TimeSpan.FromSeconds(4));
    }

    [Theory]
    [InlineData("prosody", true)]
    [InlineData("ejabberd", false)]
    public async Task When_the_owner_is_killed_another_node_delivers_within_seven_seconds(string server, bool clustered)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(server), bytesPerSecond: DeliveryTrial.SlowFlood);
        await using var nodes = new Nodes(trial, new NodesOptions { Shipped = true, Clustered = clustered, Count = clustered ? 3 : 2 });
        await nodes.StartAsync();
        var owner = await nodes.OwnerAsync();
        await trial.PushAsync(Count);
        await trial.Ledger.ArrivedAsync(Count / 4, TimeSpan.FromSeconds(30));

        var gap = await GapAsync(trial, () => owner.Program.Process.Signal(PosixSignalNumber.Kill));
        var report = await trial.EndAsync(TimeSpan.FromSeconds(60), excuses: LedgerExcuses.RepliesRepeated);

        output.WriteLine($"another node delivered after {gap.TotalMilliseconds:0} ms");
        Assert.True(report.IsKept, report.ToString() + nodes.Output);
        Assert.Equal(Count + Late, report.Arrived);
        Assert.InRange(gap, TimeSpan.Zero, TimeSpan.FromSeconds(7));
    }

    // From the signal to the first message that the next owner has delivered.
    private static async Task<TimeSpan> GapAsync(DeliveryTrial trial, Action signal)
    {
        var epoch = await EpochAsync(trial);
        var started = Stopwatch.GetTimestamp();
        signal();
        await Eventually.TrueAsync(async () => await EpochAsync(trial) > epoch, TimeSpan.FromSeconds(20), "another node owns the queue");
        // The flood may be over.
        var before = trial.Ledger.ArrivedSoFar;
        await trial.PushAsync(Late);
        await trial.Ledger.ArrivedAsync(before + 1, TimeSpan.FromSeconds(20));
        return Stopwatch.GetElapsedTime(started);
    }

    private static async Task<long> EpochAsync(DeliveryTrial trial) => (long)await trial.App.HashGetAsync(trial.Keys.Confirmed, "epoch");
}
