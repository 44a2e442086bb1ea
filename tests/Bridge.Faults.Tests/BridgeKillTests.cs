using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Faults.Tests;

/// <summary>kill -9 of the real program in the middle of a flood.</summary>
public sealed class BridgeKillTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    private const int Count = 12_000;

    [Theory]
    [InlineData("prosody", ConfirmGrade.Held, QueueKind.List)]
    [InlineData("ejabberd", ConfirmGrade.Held, QueueKind.Stream)]
    [InlineData("prosody", ConfirmGrade.Accepted, QueueKind.Stream)]
    [InlineData("ejabberd", ConfirmGrade.Accepted, QueueKind.List)]
    public async Task Its_next_life_sends_again_only_what_lies_behind_the_confirmed_mark(string name, ConfirmGrade grade, QueueKind kind)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name), kind: kind, bytesPerSecond: DeliveryTrial.SlowFlood);
        await trial.PushAsync(Count);
        await using var bridge = trial.Program(grade, window: 2_000);

        bridge.Start();
        await bridge.ReadyAsync(TimeSpan.FromSeconds(20));
        await trial.Ledger.ArrivedAsync(Count / 3, TimeSpan.FromSeconds(20));
        await bridge.KillAsync();
        var (confirmed, taken) = (await trial.ConfirmedAsync(), await trial.TakenAsync());
        bridge.Start();
        var report = await trial.EndAsync(TimeSpan.FromSeconds(40), excuses: LedgerExcuses.RepliesRepeated);

        Assert.True(report.IsKept, report.ToString());
        Assert.Equal(Count, report.Arrived);
        Assert.InRange(taken, Count / 3, Count - 1);
        Assert.Empty(trial.RepeatedUpTo(confirmed));
        Assert.InRange(report.Duplicated.Count, 0, taken - confirmed);
        Assert.All(report.Duplicated.Values, times => Assert.Equal(2, times));
    }
}
