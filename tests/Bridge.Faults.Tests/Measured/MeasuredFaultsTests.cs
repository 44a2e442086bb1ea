using System.Globalization;
using Bridge.TestKit;
using Xunit.Abstractions;

namespace Bridge.Faults.Tests.Measured;

/// <summary>
/// Each fault in the middle of a flood, on a real server with live recipients and with the shipped defaults: how long until Bridge
/// notices, until it delivers again and until it is as fast as before. Prints the table of <c>docs/reliability.md</c>.
/// </summary>
/// <remarks><c>BRIDGE_FAULT_RUNS</c> is the number of runs of each fault, 5 without it; <c>BRIDGE_FAULT</c> a part of the names of those to run.</remarks>
[Trait("Duration", "long")]
[Collection(WholeProcess.Name)]
public sealed class MeasuredFaultsTests(ITestOutputHelper output)
{
    private static readonly int Runs =
        int.TryParse(Environment.GetEnvironmentVariable("BRIDGE_FAULT_RUNS"), NumberStyles.None, CultureInfo.InvariantCulture, out var runs) ? runs : 5;

    private static readonly string Only = Environment.GetEnvironmentVariable("BRIDGE_FAULT") ?? "";

    private static readonly TimeSpan Age = TimeSpan.FromSeconds(4);

    [Theory]
    [InlineData("prosody")]
    [InlineData("ejabberd")]
    public async Task Every_fault_is_noticed_and_over_within_its_bounds(string name)
    {
        // As in ServerRestartTests: what a dying server stored would overtake at the next login.
        await using var servers = new RealServers(_ => new XmppServerOptions { StoresOffline = false, KicksOldComponent = name == "prosody" });
        List<string> late = [];
        output.WriteLine("| fault | server | runs | lost | reordered | repeated, most | bounced, most | noticed, s | first message, s | full rate, s |");
        output.WriteLine("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|");
        foreach (var fault in MeasuredFault.All.Where(fault => fault.Name.Contains(Only, StringComparison.OrdinalIgnoreCase)))
        {
            List<MeasuredRun> runs = [];
            for (var run = 0; run < Runs; run++)
            {
                var server = await servers.GetAsync(name);
                // Of a server that has just started nothing shows that it lived on: everything held would be repeated.
                if (run == 0 || fault.KillsServer)
                    await TimeProvider.System.PassAsync(Age, CancellationToken.None);
                runs.Add(await MeasuredRun.OfAsync(server, fault, MeasuredRun.Place(run)));
            }

            output.WriteLine(MeasuredRun.Row(fault.Name, name, runs));
            var (noticed, full) = (runs.Max(run => run.Noticed), runs.Max(run => run.FullRate));
            if (noticed > fault.NoticedWithin)
                late.Add($"{fault} was noticed after {noticed.TotalSeconds:F1} s, {fault.NoticedWithin.TotalSeconds} s are allowed");
            if (full > fault.FullRateWithin)
                late.Add($"{fault}: at full rate after {full.TotalSeconds:F1} s, {fault.FullRateWithin.TotalSeconds} s are allowed; messages a second: {runs.MaxBy(run => run.FullRate)!.Rates}");
        }

        Assert.Empty(late);
    }
}
