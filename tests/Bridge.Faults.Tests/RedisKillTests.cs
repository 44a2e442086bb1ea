using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Faults.Tests;

/// <summary>kill -9 and restart of a Redis that flushes each write, in the middle of a flood.</summary>
public sealed class RedisKillTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    private const int Count = 15_000;

    [Theory]
    [InlineData("prosody", ConfirmGrade.Held, QueueKind.List)]
    [InlineData("ejabberd", ConfirmGrade.Held, QueueKind.Stream)]
    [InlineData("prosody", ConfirmGrade.Accepted, QueueKind.Stream)]
    [InlineData("ejabberd", ConfirmGrade.Accepted, QueueKind.List)]
    public async Task The_flood_goes_on_where_it_was(string name, ConfirmGrade grade, QueueKind kind)
    {
        await using var trial = await DeliveryTrial.StartAsync(
            await servers.GetAsync(name), new RedisOptions { AppendOnly = true, AppendFsync = "always" }, kind, DeliveryTrial.SlowFlood);
        await trial.PushAsync(Count);
        await using var bridge = new InProcessBridge(trial.Settings(grade, window: 2_000));

        await trial.Ledger.ArrivedAsync(Count / 4, TimeSpan.FromSeconds(20));
        var confirmed = await trial.ConfirmedAsync();
        await trial.Redis.KillAsync();
        var arrived = trial.Ledger.Check().Arrived;
        await trial.Redis.RestartAsync();
        var report = await trial.EndAsync(TimeSpan.FromSeconds(40), bridge, LedgerExcuses.RepliesRepeated);

        Assert.True(report.IsKept, report.ToString());
        Assert.Equal(Count, report.Arrived);
        Assert.InRange(arrived, Count / 4, Count - 1);
        Assert.Empty(trial.RepeatedUpTo(confirmed));
        Assert.Null(bridge.Snapshot.QueueFault);
    }
}
