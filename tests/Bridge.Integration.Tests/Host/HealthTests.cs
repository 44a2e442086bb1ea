using System.Net;
using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Host;

/// <summary>What <c>/health/ready</c> of the real program says where something does not progress, and where it only looks so.</summary>
public sealed class HealthTests
{
    [Fact]
    public async Task A_lease_that_never_ends_makes_no_node_ready()
    {
        await using var server = new ScriptedXmppServer();
        await using var trial = await DeliveryTrial.StartAsync(server);
        await trial.App.StringSetAsync(trial.Keys.Lease, "somebody:1:0");
        await using var bridge = trial.Program(ConfirmGrade.Held);
        bridge.Start();

        await UnreadyAsync(bridge, "nobody can take over: " + trial.Keys.Lease + " is held, without a time to live");
        await trial.App.KeyDeleteAsync(trial.Keys.Lease);
        await bridge.ReadyAsync(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task A_server_that_answers_no_barrier_is_told_though_nothing_is_queued()
    {
        await using var server = new ScriptedXmppServer();
        await using var trial = await DeliveryTrial.StartAsync(server);
        await using var bridge = trial.Program(ConfirmGrade.Held);
        bridge.Start();
        await bridge.ReadyAsync(TimeSpan.FromSeconds(20));

        (await server.ConnectionAsync(0, TimeSpan.FromSeconds(10))).PauseReading();
        // At progress-timeout (6 s) the stream is given up, and a new one has its turn: the server reads that one.
        await bridge.Process.LineAsync(line => line.Contains("no-progress", StringComparison.Ordinal), TimeSpan.FromSeconds(30));
        await bridge.ReadyAsync(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task A_full_window_under_load_is_no_reason_not_to_be_ready()
    {
        // Some hundreds of messages a second, of many thousands that wait.
        await using var server = new ScriptedXmppServer { Script = new ServerScript { ReadBytesPerSecond = 100_000 } };
        await using var trial = await DeliveryTrial.StartAsync(server);
        await trial.PushPlainAsync(20_000);
        await using var bridge = trial.Program(ConfirmGrade.Held);
        bridge.Start();
        await bridge.ReadyAsync(TimeSpan.FromSeconds(20));

        var since = TimeProvider.System.GetTimestamp();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(250));
        var full = 0;
        // Longer than what counts as no progress.
        while (TimeProvider.System.GetElapsedTime(since) < TimeSpan.FromSeconds(12))
        {
            var (status, body) = await AskAsync(bridge);
            Assert.True(status == HttpStatusCode.OK, body);
            if ((await bridge.MetricsAsync()).Sum("bridge_unconfirmed_entries") > 0)
                full++;
            await timer.WaitForNextTickAsync();
        }

        Assert.InRange(full, 20, int.MaxValue);
        Assert.True((await trial.DepthAsync()).Queued > 0);
    }

    private static async Task UnreadyAsync(BridgeProcess bridge, string reason)
    {
        var body = "";
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    (var status, body) = await AskAsync(bridge);
                    return status == HttpStatusCode.ServiceUnavailable && body.Contains(reason, StringComparison.Ordinal);
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            },
            TimeSpan.FromSeconds(20),
            reason,
            () => body + "\n" + bridge.Process.Output);
    }

    private static async Task<(HttpStatusCode Status, string Body)> AskAsync(BridgeProcess bridge)
    {
        using var http = new HttpClient { BaseAddress = bridge.Http };
        using var answer = await http.GetAsync(new Uri("/health/ready", UriKind.Relative));
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }
}
