using Bridge.Settings;
using Bridge.Telemetry;
using Bridge.TestKit;

namespace Bridge.Faults.Tests;

/// <summary>Two bridges on one queue: one works, the other one waits for its end, whatever end it takes.</summary>
public sealed class StandbyTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    private const int Count = 10_000;

    [Theory]
    [InlineData("prosody", ConfirmGrade.Held)]
    [InlineData("ejabberd", ConfirmGrade.Accepted)]
    public async Task The_second_stands_by_and_takes_over_when_the_first_drains(string name, ConfirmGrade grade)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name), bytesPerSecond: DeliveryTrial.SlowFlood);
        await using var proxy = new FaultProxy(trial.XmppPort);
        await trial.PushAsync(Count);
        await using var first = new InProcessBridge(trial.Settings(grade, window: 1_000));
        await first.EstablishedAsync();
        await using var second = new InProcessBridge(trial.Settings(grade, proxy.Port));
        await StandsByAsync(second);

        await trial.Ledger.ArrivedAsync(Count / 4, TimeSpan.FromSeconds(20));
        Assert.Equal(0, proxy.Connections);
        await first.DrainAsync();
        await trial.PushAsync(100);
        var report = await trial.EndAsync(TimeSpan.FromSeconds(30), second);

        Assert.True(report.IsClean, report.ToString());
        Assert.Equal(BridgeRole.Stopped, first.Snapshot.Role);
        Assert.Equal(1, proxy.Connections);
    }

    [Theory]
    [InlineData("prosody", ConfirmGrade.Held)]
    [InlineData("ejabberd", ConfirmGrade.Accepted)]
    public async Task The_second_takes_over_when_the_first_dies(string name, ConfirmGrade grade)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name), bytesPerSecond: DeliveryTrial.SlowFlood);
        await trial.PushAsync(Count);
        await using var first = new InProcessBridge(trial.Settings(grade, window: 1_000));
        await first.EstablishedAsync();
        await using var second = new InProcessBridge(trial.Settings(grade));
        await StandsByAsync(second);

        await trial.Ledger.ArrivedAsync(Count / 4, TimeSpan.FromSeconds(20));
        await first.DisposeAsync();
        var confirmed = await trial.ConfirmedAsync();
        await trial.PushAsync(1_000);
        var report = await trial.EndAsync(TimeSpan.FromSeconds(30), second, LedgerExcuses.RepliesRepeated);

        Assert.True(report.IsKept, report.ToString());
        Assert.Empty(trial.RepeatedUpTo(confirmed));
    }

    [Fact]
    public async Task A_process_frozen_past_its_lease_neither_takes_nor_settles_and_writes_once_at_most()
    {
        await using var kicking = new RealServers(_ => new XmppServerOptions { KicksOldComponent = true });
        await using var trial = await DeliveryTrial.StartAsync(await kicking.GetAsync("prosody"), bytesPerSecond: DeliveryTrial.SlowFlood);
        await using var proxy = new FaultProxy(trial.XmppPort);
        await trial.PushAsync(Count);
        await using var first = trial.Program(ConfirmGrade.Held, proxy.Port, window: 1_000);
        await using var second = trial.Program(ConfirmGrade.Held, window: 1_000);
        first.Start();
        await first.ReadyAsync(TimeSpan.FromSeconds(20));
        await trial.Ledger.ArrivedAsync(Count / 4, TimeSpan.FromSeconds(20));
        second.Start();

        await first.Process.FreezeAsync();
        var confirmed = await trial.ConfirmedAsync();
        var epoch = await EpochAsync(trial);
        await Eventually.TrueAsync(async () => await EpochAsync(trial) > epoch, TimeSpan.FromSeconds(15), "the second takes over");
        await trial.Ledger.ArrivedAsync(Count / 2, TimeSpan.FromSeconds(20));
        var (before, owner) = (proxy.Upstream.Bytes, await OwnerAsync(trial));
        first.Process.Thaw();
        await first.Process.LineAsync(
            line => line.Contains("lost its lease", StringComparison.Ordinal), TimeSpan.FromSeconds(10));
        await trial.PushAsync(1_000);
        var report = await trial.EndAsync(TimeSpan.FromSeconds(30), excuses: LedgerExcuses.RepliesRepeated);

        Assert.True(report.IsKept, report.ToString());
        Assert.Empty(trial.RepeatedUpTo(confirmed));
        Assert.InRange(proxy.Upstream.Bytes - before, 0, 64 << 10);
        // Takes and settlements carry the owner's token and epoch: nobody but the second could run one.
        Assert.Equal(owner, await OwnerAsync(trial));
        Assert.Equal(1, proxy.Connections);
    }

    private static Task StandsByAsync(InProcessBridge bridge) => Eventually.TrueAsync(
        () => bridge.Board.Snapshots.Any(s => s is { Role: BridgeRole.Standby, LeaseHolder: not null }),
        TimeSpan.FromSeconds(5),
        "the second bridge stands by");

    // The lease's value is token:epoch:session.
    private static async Task<string> OwnerAsync(DeliveryTrial trial)
    {
        var lease = (string?)await trial.App.StringGetAsync(trial.Keys.Lease) ?? "";
        return lease[..Math.Max(0, lease.LastIndexOf(':'))];
    }

    private static async Task<long> EpochAsync(DeliveryTrial trial) =>
        (long)await trial.App.HashGetAsync(trial.Keys.Confirmed, "epoch");
}
