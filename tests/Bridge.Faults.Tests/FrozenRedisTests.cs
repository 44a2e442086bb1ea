using System.Diagnostics;
using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Faults.Tests;

/// <summary>SIGSTOP of Redis, longer than the lease lives.</summary>
public sealed class FrozenRedisTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    private const int Count = 12_000;

    [Theory]
    [InlineData("prosody")]
    [InlineData("ejabberd")]
    public async Task Delivery_goes_on_within_two_seconds_of_its_return(string name)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name), bytesPerSecond: DeliveryTrial.SlowFlood);
        await trial.PushAsync(Count);
        await using var bridge = new InProcessBridge(trial.Settings(ConfirmGrade.Held, window: 2_000));

        await trial.Ledger.ArrivedAsync(Count / 4, TimeSpan.FromSeconds(20));
        var confirmed = await trial.ConfirmedAsync();
        await trial.Redis.Process.FreezeForAsync(TimeSpan.FromSeconds(8));
        var woken = Stopwatch.GetTimestamp();
        var before = trial.Ledger.Check().Arrived;
        await trial.Ledger.ArrivedAsync(before + 1, TimeSpan.FromSeconds(20));
        var recovered = Stopwatch.GetElapsedTime(woken);
        var report = await trial.EndAsync(TimeSpan.FromSeconds(40), bridge, LedgerExcuses.RepliesRepeated);

        Assert.True(report.IsKept, report.ToString());
        Assert.InRange(before, Count / 4, Count - 1);
        Assert.InRange(recovered, TimeSpan.Zero, TimeSpan.FromSeconds(2));
        Assert.Empty(trial.RepeatedUpTo(confirmed));
    }
}
