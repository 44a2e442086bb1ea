using System.Diagnostics;
using Bridge.Settings;
using Bridge.Telemetry;
using Bridge.TestKit;

namespace Bridge.Faults.Tests;

/// <summary>The TCP link to the XMPP server breaks, goes dead or is merely bad, in the middle of a flood.</summary>
public sealed class BrokenLinkTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    private const int Count = 8_000;

    [Theory]
    [InlineData("prosody", ConfirmGrade.Held)]
    [InlineData("ejabberd", ConfirmGrade.Held)]
    [InlineData("prosody", ConfirmGrade.Accepted)]
    [InlineData("ejabberd", ConfirmGrade.Accepted)]
    public async Task A_reset_connection_is_made_again_and_only_the_unconfirmed_is_repeated(string name, ConfirmGrade grade)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name));
        await using var proxy = new FaultProxy(trial.XmppPort);
        proxy.Upstream.BytesPerSecond = DeliveryTrial.SlowFlood;
        await trial.PushAsync(Count);
        await using var bridge = new InProcessBridge(trial.Settings(grade, proxy.Port));

        await trial.Ledger.ArrivedAsync(Count / 4, TimeSpan.FromSeconds(20));
        var settled = await trial.SettledAsync();
        proxy.ResetPeer();
        await trial.Ledger.ArrivedAsync(Count / 2, TimeSpan.FromSeconds(20));
        proxy.End(ProxyEnding.Close);
        var report = await trial.EndAsync(TimeSpan.FromSeconds(30), bridge);

        Assert.True(report.IsKept, report.ToString());
        Assert.Empty(trial.RepeatedUpTo(settled));
    }

    [Theory]
    [InlineData("prosody")]
    [InlineData("ejabberd")]
    public async Task A_server_that_cannot_be_reached_for_a_while_finds_everything_waiting(string name)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name));
        await using var proxy = new FaultProxy(trial.XmppPort);
        proxy.Upstream.BytesPerSecond = DeliveryTrial.SlowFlood;
        await trial.PushAsync(Count);
        await using var bridge = new InProcessBridge(trial.Settings(ConfirmGrade.Held, proxy.Port));

        await trial.Ledger.ArrivedAsync(Count / 4, TimeSpan.FromSeconds(20));
        var settled = await trial.SettledAsync();
        proxy.Down();
        proxy.ResetPeer();
        await Eventually.TrueAsync(
            () => bridge.Snapshot.LastReconnectCause == ReconnectCause.ConnectFailed, TimeSpan.FromSeconds(5), "a connect is refused");
        await trial.PushAsync(100);
        proxy.Up();
        var report = await trial.EndAsync(TimeSpan.FromSeconds(30), bridge);

        Assert.True(report.IsKept, report.ToString());
        Assert.Empty(trial.RepeatedUpTo(settled));
    }

    [Theory]
    [InlineData("prosody")]
    [InlineData("ejabberd")]
    public async Task A_black_hole_is_noticed_within_the_progress_deadline(string name)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name));
        await using var proxy = new FaultProxy(trial.XmppPort);
        proxy.Upstream.BytesPerSecond = DeliveryTrial.SlowFlood;
        await trial.PushAsync(Count);
        var settings = trial.Settings(ConfirmGrade.Held, proxy.Port);
        settings = settings with { Xmpp = settings.Xmpp with { ProgressTimeout = TimeSpan.FromSeconds(3) } };
        await using var bridge = new InProcessBridge(settings);

        await trial.Ledger.ArrivedAsync(Count / 4, TimeSpan.FromSeconds(20));
        var settled = await trial.SettledAsync();
        proxy.BlackHole();
        var struck = Stopwatch.GetTimestamp();
        await Eventually.TrueAsync(
            () => bridge.Snapshot.LastReconnectCause == ReconnectCause.NoProgress, TimeSpan.FromSeconds(10), "the black hole is noticed");
        var noticed = Stopwatch.GetElapsedTime(struck);
        proxy.Upstream.Swallows = false;
        proxy.Downstream.Swallows = false;
        // The connections that were swallowed into are of no use to anybody any more.
        proxy.ResetPeer();
        var report = await trial.EndAsync(TimeSpan.FromSeconds(30), bridge);

        Assert.True(report.IsKept, report.ToString());
        Assert.Empty(trial.RepeatedUpTo(settled));
        Assert.InRange(noticed, TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(5));
    }

    [Theory]
    [InlineData("prosody")]
    [InlineData("ejabberd")]
    public async Task A_slow_link_in_slices_of_one_byte_is_no_reason_to_reconnect(string name)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name));
        await using var proxy = new FaultProxy(trial.XmppPort);
        foreach (var direction in new[] { proxy.Upstream, proxy.Downstream })
            direction.Slicer = 1;
        await trial.PushAsync(300);
        await using var bridge = new InProcessBridge(trial.Settings(ConfirmGrade.Accepted, proxy.Port));
        var report = await trial.EndAsync(TimeSpan.FromSeconds(30), bridge);
        Assert.True(report.IsClean, report.ToString());

        foreach (var direction in new[] { proxy.Upstream, proxy.Downstream })
        {
            direction.Slicer = null;
            direction.Latency(TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(50));
        }

        await trial.PushAsync(Count);
        report = await trial.EndAsync(TimeSpan.FromSeconds(30), bridge);

        Assert.True(report.IsClean, report.ToString());
        Assert.Equal(1, proxy.Connections);
    }
}
