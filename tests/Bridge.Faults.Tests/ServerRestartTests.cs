using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Faults.Tests;

/// <summary>The XMPP server dies in the middle of a flood, in order or not, and comes back.</summary>
public sealed class ServerRestartTests
{
    private const int Count = 15_000;

    public enum Ending
    {
        Stopped,
        Killed,
    }

    [Theory]
    [InlineData("prosody", Ending.Stopped, OutcomeMode.Failures)]
    [InlineData("prosody", Ending.Stopped, OutcomeMode.All)]
    [InlineData("prosody", Ending.Killed, OutcomeMode.All)]
    [InlineData("ejabberd", Ending.Stopped, OutcomeMode.Failures)]
    [InlineData("ejabberd", Ending.Stopped, OutcomeMode.All)]
    [InlineData("ejabberd", Ending.Killed, OutcomeMode.All)]
    public async Task What_was_unconfirmed_or_held_is_sent_again_and_nothing_else(string name, Ending ending, OutcomeMode outcomes)
    {
        // A message stored for a user whose session the dying server has closed already would overtake, at his
        // next login, those that died with the session.
        await using var servers = new RealServers(_ => new XmppServerOptions { StoresOffline = false });
        var server = await servers.GetAsync(name);
        await using var trial = await DeliveryTrial.StartAsync(server, bytesPerSecond: DeliveryTrial.SlowFlood, outcomes: outcomes);
        await trial.PushAsync(Count);
        var settings = trial.Settings(ConfirmGrade.Held, window: 5_000);
        await using var bridge = new InProcessBridge(
            settings with { Xmpp = settings.Xmpp with { ResumeDelay = TimeSpan.FromSeconds(2) } });

        await trial.Ledger.ArrivedAsync(Count / 3, TimeSpan.FromSeconds(20));
        // What the journal has lost by now was held for its time: nobody may see it again.
        var settled = await trial.SettledAsync();
        await (ending == Ending.Stopped ? server.StopAsync() : server.KillAsync());
        var arrived = trial.Ledger.Check().Arrived;
        await server.StartAsync();
        await trial.JoinAsync();
        // Where every ending is told, what the server sends back has ended; where it is not, a bounce ends nothing.
        var excuses = outcomes == OutcomeMode.All ? LedgerExcuses.SessionsDied : LedgerExcuses.None;
        var report = await trial.EndAsync(TimeSpan.FromSeconds(40), bridge, excuses);

        Assert.True(report.IsKept, report.ToString());
        Assert.InRange(arrived, Count / 3, Count - 1);
        Assert.Equal(Count, report.Arrived + report.Bounced.Count);
        Assert.True(outcomes == OutcomeMode.All || report.Bounced.Count == 0, report.ToString());
        Assert.Empty(trial.RepeatedUpTo(settled));
        Assert.All(report.Duplicated.Values, times => Assert.Equal(2, times));
    }
}
