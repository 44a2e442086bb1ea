using System.Globalization;
using Bridge.TestKit;
using Xunit.Abstractions;

namespace Bridge.Faults.Tests.Measured;

/// <summary>
/// Each fault at full flood, on a real server with live recipients and with the shipped defaults: how long until Bridge
/// notices, until it delivers again and until it is as fast as before. Prints the table of <c>docs/reliability.md</c>.
/// </summary>
/// <remarks><c>BRIDGE_FAULT_RUNS</c> is the number of runs of each fault, 5 without it; <c>BRIDGE_FAULT</c> a part of the names of those to run.</remarks>
[Trait("Duration", "long")]
[Collection(nameof(WholeProcess))]
public sealed class MeasuredFaultsTests(ITestOutputHelper output)
{
    private static readonly int Runs =
        int.TryParse(Environment.GetEnvironmentVariable("BRIDGE_FAULT_RUNS"), NumberStyles.None, CultureInfo.InvariantCulture, out var runs) ? runs : 5;

    private static readonly string Only = Environment.GetEnvironmentVariable("BRIDGE_FAULT") ?? "";

    [Theory]
    [InlineData("prosody")]
    [InlineData("ejabberd")]
    public async Task Every_fault_is_noticed_and_over_within_its_bounds(string name)
    {
        // As in ServerRestartTests: what a dying server stored would overtake at the next login.
        await using var servers = new RealServers(_ => new XmppServerOptions { StoresOffline = false, KicksOldComponent = name == "prosody" });
        List<string> late = [];
        output.WriteLine("| fault | server | runs | lost | reordered | repeated, most | noticed, s | first message, s | full rate, s |");
        output.WriteLine("|---|---|---:|---:|---:|---:|---:|---:|---:|");
        foreach (var fault in MeasuredFault.All.Where(fault => fault.Name.Contains(Only, StringComparison.OrdinalIgnoreCase)))
        {
            List<MeasuredRun> runs = [];
            for (var run = 0; run < Runs; run++)
                runs.Add(await MeasuredRun.OfAsync(await servers.GetAsync(name), fault, MeasuredRun.Place(run)));

            output.WriteLine(MeasuredRun.Row(fault.Name, name, runs));
            var (noticed, full) = (runs.Max(run => run.Noticed), runs.Max(run => run.FullRate));
            if (noticed > fault.NoticedWithin)
                late.Add($"{fault} was noticed after {noticed.TotalSeconds:F1} s, {fault.NoticedWithin.TotalSeconds} s are allowed");
            if (full > fault.FullRateWithin)
                late.Add($"{fault}: at full rate after {full.TotalSeconds:F1} s, {fault.FullRateWithin.TotalSeconds} s are allowed");
        }

        Assert.Empty(late);
    }
}
