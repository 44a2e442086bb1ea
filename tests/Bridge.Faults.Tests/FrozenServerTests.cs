using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Faults.Tests;

/// <summary>SIGSTOP of the XMPP server: its kernel accepts what it does not read.</summary>
public sealed class FrozenServerTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    private const int Count = 12_000;

    [Theory]
    [InlineData("prosody")]
    [InlineData("ejabberd")]
    public async Task A_server_that_wakes_after_a_long_time_receives_everything_in_order(string name)
    {
        var server = await servers.GetAsync(name);
        await using var trial = await DeliveryTrial.StartAsync(server, bytesPerSecond: DeliveryTrial.SlowFlood);
        await trial.PushAsync(Count);
        await using var bridge = new InProcessBridge(trial.Settings(ConfirmGrade.Held));

        await trial.Ledger.ArrivedAsync(Count / 4, TimeSpan.FromSeconds(20));
        var settled = await trial.SettledAsync();
        // How long that takes depends on how much the kernels swallow before a write hangs: until it is noticed, and a while longer.
        await server.Process.FreezeAsync();
        await Eventually.TrueAsync(
            () => bridge.Snapshot.LastReconnectCause is not null,
            TimeSpan.FromSeconds(60),
            "the frozen server is noticed",
            () => bridge.Snapshot.ToString());
        await TimeProvider.System.PassAsync(TimeSpan.FromSeconds(5), CancellationToken.None);
        server.Process.Thaw();
        var report = await trial.EndAsync(TimeSpan.FromSeconds(40), bridge);

        Assert.True(report.IsKept, report.ToString());
        Assert.Equal(Count, report.Arrived);
        Assert.Empty(trial.RepeatedUpTo(settled));
    }
}
