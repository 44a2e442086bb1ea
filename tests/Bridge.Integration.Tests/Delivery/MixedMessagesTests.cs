using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Delivery;

/// <summary>What apps push every day, through real servers, to a second component and to a logged-in user.</summary>
public sealed class MixedMessagesTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    [Theory]
    [InlineData("prosody", ConfirmGrade.Held, QueueKind.List)]
    [InlineData("ejabberd", ConfirmGrade.Held, QueueKind.Stream)]
    [InlineData("prosody", ConfirmGrade.Accepted, QueueKind.Stream)]
    [InlineData("ejabberd", ConfirmGrade.Accepted, QueueKind.List)]
    public async Task Twenty_thousand_arrive_complete_once_and_in_order(string name, ConfirmGrade grade, QueueKind kind)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name), kind: kind);
        await trial.PushAsync(10_000, withLarge: true);
        await using var bridge = new InProcessBridge(trial.Settings(grade));
        await trial.PushAsync(10_000, withLarge: true);

        var report = await trial.EndAsync(TimeSpan.FromSeconds(40), bridge);

        Assert.True(report.IsClean, report.ToString());
        Assert.Equal(20_000, report.Arrived);
        Assert.Null(bridge.Snapshot.LastReconnectCause);
    }
}
