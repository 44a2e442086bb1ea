using System.Text.RegularExpressions;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Host;

/// <summary>The table of <c>docs/metrics.md</c>.</summary>
internal static partial class MetricsManual
{
    /// <summary>One line of it.</summary>
    /// <param name="Name">As Prometheus has it.</param>
    /// <param name="Kind">counter, gauge or histogram.</param>
    /// <param name="Unit">Of its values.</param>
    /// <param name="Tags">Its labels.</param>
    public sealed record Line(string Name, string Kind, string Unit, IReadOnlyList<string> Tags);

    /// <summary>All lines.</summary>
    public static IReadOnlyList<Line> Series { get; } =
    [
        .. Row().Matches(File.ReadAllText(Path.Combine(BridgeProcess.RepositoryRoot, "docs", "metrics.md"))).Select(match => new Line(
            match.Groups["name"].Value,
            match.Groups["kind"].Value,
            match.Groups["unit"].Value,
            [.. Tag().Matches(match.Groups["tags"].Value).Select(tag => tag.Groups[1].Value)])),
    ];

    /// <summary>Every name that a query may have: of a histogram those of its parts.</summary>
    public static IReadOnlySet<string> Names { get; } = Series
        .SelectMany(line => line.Kind == "histogram" ? (string[])[line.Name + "_bucket", line.Name + "_sum", line.Name + "_count"] : [line.Name])
        .ToHashSet();

    [GeneratedRegex("^\\| `(?<name>[a-z_]+)` \\| (?<kind>counter|gauge|histogram) \\| (?<unit>[^|]*) \\| (?<tags>[^|]*) \\|", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex("`([a-z_]+)`")]
    private static partial Regex Tag();
}
