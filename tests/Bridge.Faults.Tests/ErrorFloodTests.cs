using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Faults.Tests;

/// <summary>The server sends errors that answer nothing, faster than anybody could use them, in the middle of a flood.</summary>
public sealed class ErrorFloodTests
{
    private const int Count = 10_000;
    private const int Errors = 100_000;

    [Theory]
    [InlineData(ConfirmGrade.Held, QueueKind.List)]
    [InlineData(ConfirmGrade.Accepted, QueueKind.Stream)]
    public async Task Errors_that_answer_nothing_end_nothing_and_hold_nothing_up(ConfirmGrade grade, QueueKind kind)
    {
        await using var server = new ScriptedXmppServer();
        await using var trial = await DeliveryTrial.StartAsync(server, kind: kind);
        await trial.PushAsync(Count);
        await using var bridge = new InProcessBridge(trial.Settings(grade, window: 1_000));

        await trial.Ledger.ArrivedAsync(Count / 10, TimeSpan.FromSeconds(20));
        server.Connections[^1].SendErrors(Errors);
        var report = await trial.EndAsync(TimeSpan.FromSeconds(60), bridge);

        Assert.True(report.IsClean, report.ToString());
        Assert.Equal(Count, report.Arrived);
        Assert.Single(server.Connections);
    }
}
