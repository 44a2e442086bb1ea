using System.Diagnostics;
using System.Globalization;
using Bridge.Settings;
using Bridge.Telemetry;
using Bridge.TestKit;
using Xunit.Abstractions;

namespace Bridge.Faults.Tests;

/// <summary>
/// kill -9 of a real server in the middle of a flood, with live recipients, again and again: each time at another place.
/// The number of runs is <c>BRIDGE_KILL_RUNS</c>, 100 without it.
/// </summary>
/// <remarks>
/// The flood lasts longer than the hold, at a pace at which the recipients, who share the processors, keep up: what piles
/// up inside a server because a recipient reads too slowly dies with it, however long it was held (docs/reliability.md).
/// </remarks>
[Trait("Duration", "long")]
public sealed class ServerKillRunsTests(ITestOutputHelper output)
{
    private const int Count = 36_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static readonly int Runs =
        int.TryParse(Environment.GetEnvironmentVariable("BRIDGE_KILL_RUNS"), NumberStyles.None, CultureInfo.InvariantCulture, out var runs) ? runs : 100;

    [Theory]
    [InlineData("prosody")]
    [InlineData("ejabberd")]
    public async Task Nothing_is_lost_and_nothing_reordered_in_any_run(string name)
    {
        // As in ServerRestartTests: what a dying server stored would overtake at the next login.
        await using var servers = new RealServers(_ => new XmppServerOptions { StoresOffline = false });
        var server = await servers.GetAsync(name);
        var results = new List<KillRun>();
        for (var run = 0; run < Runs; run++)
        {
            // From a tenth to nine tenths of the flood, never twice at the same place.
            var result = await RunAsync(server, (Count / 10) + (run * 7_919 % (Count * 8 / 10)));
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{run + 1}: {result}"));
            Assert.True(result.Report.IsKept, result.Report.ToString());
            Assert.Equal(Count, result.Report.Arrived + result.Report.Bounced.Count);
            results.Add(result);
        }

        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{name}: {results.Count} runs, lost 0, reordered 0, repeated {results.Max(run => run.Report.Duplicated.Count)} at most, bounced {results.Max(run => run.Report.Bounced.Count)} at most; "
            + $"noticed within {results.Max(run => run.Noticed.TotalSeconds):F2} s, delivered {results.Max(run => run.Recovered.TotalSeconds):F2} s after the recipients' return at most"));
    }

    private static async Task<KillRun> RunAsync(IXmppServer server, int strikeAt)
    {
        await using var trial = await DeliveryTrial.StartAsync(
            server, bytesPerSecond: DeliveryTrial.SlowFlood, outcomes: OutcomeMode.Failures);
        await trial.PushPlainAsync(Count);
        var settings = trial.Settings(ConfirmGrade.Held);
        await using var bridge = new InProcessBridge(
            settings with { Xmpp = settings.Xmpp with { ResumeDelay = TimeSpan.FromSeconds(1) } });
        await trial.Ledger.ArrivedAsync(strikeAt, Patience);
        var settled = await trial.SettledAsync();

        var killed = Stopwatch.GetTimestamp();
        await server.KillAsync();
        await Eventually.TrueAsync(
            () => bridge.Snapshot.Connection != ConnectionState.Established, Patience, "the bridge notices", () => $"{bridge.Snapshot}");
        var noticed = Stopwatch.GetElapsedTime(killed);
        var arrived = trial.Ledger.Check().Arrived;
        await server.StartAsync();
        await trial.JoinAsync();
        var returned = Stopwatch.GetTimestamp();
        await trial.Ledger.ArrivedAsync(Math.Min(arrived + 1, Count), Patience);
        var recovered = Stopwatch.GetElapsedTime(returned);
        var report = await trial.EndAsync(Patience, bridge, LedgerExcuses.SessionsDied);

        Assert.Empty(trial.RepeatedUpTo(settled));
        return new KillRun(strikeAt, report, noticed, recovered);
    }

    private sealed record KillRun(int StruckAt, LedgerReport Report, TimeSpan Noticed, TimeSpan Recovered)
    {
        public override string ToString() => string.Create(
            CultureInfo.InvariantCulture,
            $"killed at {StruckAt} of {Count}: {Report.Arrived} arrived, {Report.Lost.Count} lost, {Report.ReorderedOfQueue.Count + Report.ReorderedOfRecipient.Count} reordered, "
            + $"{Report.Duplicated.Count} repeated; noticed after {Noticed.TotalSeconds:F2} s, delivered {Recovered.TotalSeconds:F2} s after the return");
    }
}
