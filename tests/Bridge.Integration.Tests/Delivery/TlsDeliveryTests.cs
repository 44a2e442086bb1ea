using Bridge.Settings;
using Bridge.Telemetry;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Delivery;

/// <summary>Direct TLS to the component port, which of the two servers ejabberd has.</summary>
public sealed class TlsDeliveryTests
{
    [Fact]
    public async Task Messages_arrive_over_tls_with_a_certificate_that_the_ca_file_vouches_for()
    {
        await using var server = new EjabberdServer(new XmppServerOptions { ComponentTls = true });
        await server.StartAsync();
        await using var trial = await DeliveryTrial.StartAsync(server);
        await trial.PushAsync(5_000, withLarge: true);
        await using var bridge = new InProcessBridge(Settings(trial, server.CertificateFile));

        var report = await trial.EndAsync(TimeSpan.FromSeconds(20), bridge);

        Assert.True(report.IsClean, report.ToString());
        Assert.Null(bridge.Snapshot.LastReconnectCause);
    }

    [Fact]
    public async Task A_certificate_that_nobody_vouches_for_is_refused_and_nothing_is_sent()
    {
        await using var server = new EjabberdServer(new XmppServerOptions { ComponentTls = true });
        await server.StartAsync();
        await using var trial = await DeliveryTrial.StartAsync(server);
        await trial.PushAsync(10);
        await using var bridge = new InProcessBridge(Settings(trial, null));

        await Eventually.TrueAsync(
            () => bridge.Board.Snapshots.Any(s => s.LastReconnectCause == ReconnectCause.TlsFailed),
            TimeSpan.FromSeconds(10),
            "the certificate is refused",
            () => bridge.Board.Snapshots.SingleOrDefault()?.ToString() ?? "");

        Assert.Equal(0, trial.Ledger.Check().Arrived);
    }

    private static BridgeSettings Settings(DeliveryTrial trial, string? caFile)
    {
        var settings = trial.Settings(ConfirmGrade.Accepted);
        return settings with { Xmpp = settings.Xmpp with { Tls = new TlsSettings { ServerName = "localhost", CaFile = caFile } } };
    }
}
