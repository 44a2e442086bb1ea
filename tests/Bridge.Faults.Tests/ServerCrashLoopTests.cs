using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Faults.Tests;

/// <summary>A server that hangs up on everybody convicts nobody.</summary>
public sealed class ServerCrashLoopTests
{
    [Theory]
    [InlineData(BarrierAnswer.Silent)]
    [InlineData(BarrierAnswer.AsSent)]
    public async Task A_server_in_a_crash_loop_convicts_nobody_and_gets_everything_once_it_stands(BarrierAnswer barriers)
    {
        var random = new Random(20_110_714);
        await using var server = new ScriptedXmppServer
        {
            Script = new ServerScript { Barriers = barriers },
        };
        await using var trial = await DeliveryTrial.StartAsync(server);
        await trial.PushAsync(500);
        var settings = trial.Settings(ConfirmGrade.Held);
        await using var bridge = new InProcessBridge(settings with { Xmpp = settings.Xmpp with { BackoffMax = TimeSpan.FromSeconds(1) } });

        // It lives for 0.3 to 1 s each time, takes what comes, routes barriers back or not, and falls over.
        for (var life = 0; life < 8; life++)
        {
            var connection = await server.ConnectionAsync(life, TimeSpan.FromSeconds(15));
            await Life(random.Next(300, 1_000));
            await trial.PushAsync(20);
            connection.React(ServerReaction.EndOfFile);
        }

        server.Script = new ServerScript();
        await trial.PushAsync(500);
        var report = await trial.EndAsync(TimeSpan.FromSeconds(30), bridge);

        Assert.True(report.IsKept, report.ToString());
        Assert.Equal(1_160, report.Arrived);
        Assert.DoesNotContain(await trial.DeadLettersAsync(), letter => letter["reason"] == "convicted");
    }

    private static async Task Life(int milliseconds)
    {
        using var clock = new PeriodicTimer(TimeSpan.FromMilliseconds(milliseconds));
        await clock.WaitForNextTickAsync();
    }
}
