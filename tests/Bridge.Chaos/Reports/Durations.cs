using Bridge.Chaos.Judgement;

namespace Bridge.Chaos.Reports;

/// <summary>How long recoveries took.</summary>
/// <param name="Count">Of how many.</param>
/// <param name="MedianResumed">From the end of a fault to the first arrival, in seconds.</param>
/// <param name="MaxResumed">The longest.</param>
/// <param name="MedianRecovered">To the arrival of what was pushed behind that end: all has caught up.</param>
/// <param name="MaxRecovered">The longest.</param>
internal sealed record Durations(int Count, double MedianResumed, double MaxResumed, double MedianRecovered, double MaxRecovered)
{
    public static Durations Of(IEnumerable<Episode> episodes)
    {
        var all = episodes.ToList();
        var resumed = Seconds(all, episode => episode.ResumedAt);
        var recovered = Seconds(all, episode => episode.RecoveredAt);
        return new Durations(recovered.Count, Median(resumed), resumed.LastOrDefault(), Median(recovered), recovered.LastOrDefault());
    }

    private static List<double> Seconds(List<Episode> episodes, Func<Episode, TimeSpan?> end) =>
        [.. episodes
            .Where(episode => episode.HealedAt is not null && end(episode) is not null)
            .Select(episode => (end(episode)!.Value - episode.HealedAt!.Value).TotalSeconds)
            .Order()];

    private static double Median(List<double> sorted) => sorted.Count == 0 ? 0 : sorted[sorted.Count / 2];
}
