using System.Diagnostics;
using System.Globalization;
using Bridge.TestKit;

namespace Bridge.Faults.Tests.Measured;

/// <summary>One run of one fault.</summary>
/// <param name="Report">The ledger's, at the end.</param>
/// <param name="Noticed">From the strike until Bridge showed it.</param>
/// <param name="Resumed">Until the first message arrived: from the peer's return, or from the strike where an owner fell.</param>
/// <param name="FullRate">Until as much arrived as before, likewise.</param>
/// <param name="Rates">Messages a second behind it, quarter by quarter of a second.</param>
internal sealed record MeasuredRun(LedgerReport Report, TimeSpan Noticed, TimeSpan Resumed, TimeSpan FullRate, string Rates)
{
    private const int Count = 100_000;

    // The rate before is that of a second, which scatters.
    private const double AsBefore = 0.8;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private long Reordered => Report.ReorderedOfQueue.Count + Report.ReorderedOfRecipient.Count;

    /// <summary>Floods, strikes at a place of the flood, heals, and counts.</summary>
    public static async Task<MeasuredRun> OfAsync(IXmppServer server, MeasuredFault fault, int strikeAt)
    {
        await using var stage = await FaultStage.StartAsync(server, fault, Count);
        await stage.Trial.Ledger.ArrivedAsync(strikeAt, Patience);
        var untouched = fault.Repeats switch
        {
            MayRepeat.Nothing => Count,
            MayRepeat.Unconfirmed => await stage.Trial.ConfirmedAsync(),
            _ => await stage.Trial.SettledAsync(),
        };

        var struck = Stopwatch.GetTimestamp();
        var noticing = NoticedAsync(stage, fault);
        await fault.StrikeAsync(stage);
        var healing = HealedAsync(stage, fault);
        var (noticed, healed) = (await noticing, await healing);
        var began = fault.StrikesOwner ? struck : healed;
        var report = await stage.Trial.EndAsync(Patience, stage.Bridge, fault.KillsServer ? LedgerExcuses.SessionsDied : LedgerExcuses.None);

        Assert.True(report.IsKept, $"{fault}: {report}");
        Assert.Equal(Count, report.Arrived + report.Bounced.Count);
        Assert.Empty(stage.Trial.RepeatedUpTo(untouched));
        var from = Math.Max(noticed, healed);
        var resumed = stage.Meter.FirstBehind(from) ?? throw new InvalidOperationException($"{fault}: nothing arrived behind it, the flood was too short.");
        var full = stage.Meter.ReachedBehind(from, AsBefore * stage.Meter.RateBefore(struck))
            ?? throw new InvalidOperationException($"{fault}: the rate of before, {stage.Meter.RateBefore(struck):F0}/s, was not reached again.");
        return new MeasuredRun(
            report,
            Stopwatch.GetElapsedTime(struck, noticed),
            Stopwatch.GetElapsedTime(began, resumed),
            Stopwatch.GetElapsedTime(began, full),
            string.Create(CultureInfo.InvariantCulture, $"{stage.Meter.RateBefore(struck):F0} before, then {stage.Meter.RatesBehind(from)}"));
    }

    /// <summary>Where in the flood a run strikes: from a quarter of it on, when the first have left the journal, never twice at the same place.</summary>
    public static int Place(int run) => (Count / 4) + (run * 1_709 % (Count / 5));

    /// <summary>The runs of one fault as a row of the table.</summary>
    public static string Row(string fault, string server, IReadOnlyList<MeasuredRun> runs) => string.Create(
        CultureInfo.InvariantCulture,
        $"| {fault} | {server} | {runs.Count} | {runs.Sum(run => run.Report.Lost.Count)} | {runs.Sum(run => run.Reordered)} "
        + $"| {runs.Max(run => run.Report.Duplicated.Count)} | {runs.Max(run => run.Report.Bounced.Count)} | {Spread(runs.Select(run => run.Noticed))} | {Spread(runs.Select(run => run.Resumed))} | {Spread(runs.Select(run => run.FullRate))} |");

    private static string Spread(IEnumerable<TimeSpan> times)
    {
        var sorted = times.Select(time => time.TotalSeconds).Order().ToList();
        return string.Create(CultureInfo.InvariantCulture, $"{sorted[sorted.Count / 2]:F2} ({sorted[0]:F2}–{sorted[^1]:F2})");
    }

    private static async Task<long> NoticedAsync(FaultStage stage, MeasuredFault fault)
    {
        await Eventually.TrueAsync(() => fault.IsNoticed(stage), Patience, $"{fault}: Bridge notices", () => $"{stage.Bridge.Snapshot}");
        return Stopwatch.GetTimestamp();
    }

    private static async Task<long> HealedAsync(FaultStage stage, MeasuredFault fault)
    {
        await fault.HealAsync(stage);
        return Stopwatch.GetTimestamp();
    }
}
