using Bridge.Chaos.Judgement;

namespace Bridge.Chaos.Reports;

/// <summary>A kind of fault in the reports' table; two at once are a kind of their own.</summary>
internal sealed record FaultRow(string Name, int Times, long Repeated, Durations Durations)
{
    public static IReadOnlyList<FaultRow> Of(IReadOnlyList<Episode> episodes) =>
    [
        .. episodes
            .GroupBy(episode => episode.Names.Count == 1 ? episode.Names[0] : "two at once")
            .OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group => Row(group.Key, [.. group])),
        Row("all", [.. episodes]),
    ];

    private static FaultRow Row(string name, List<Episode> episodes) =>
        new(name, episodes.Count, episodes.Sum(episode => episode.Repeated), Durations.Of(episodes));
}
