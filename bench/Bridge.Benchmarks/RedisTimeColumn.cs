using System.Globalization;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;

namespace Bridge.Benchmarks;

/// <summary>
/// The time that Redis itself spent, per entry: a benchmark prints it in its own process, and the
/// output is the only thing that gets from there to the summary.
/// </summary>
internal sealed class RedisTimeColumn : IColumn
{
    private const string LineStart = "// Redis, nanoseconds per entry: ";

    /// <inheritdoc />
    public string Id => nameof(RedisTimeColumn);

    /// <inheritdoc />
    public string ColumnName => "In Redis";

    /// <inheritdoc />
    public string Legend => "Time that Redis spent in the script, per entry (INFO commandstats)";

    /// <inheritdoc />
    public bool AlwaysShow => false;

    /// <inheritdoc />
    public ColumnCategory Category => ColumnCategory.Custom;

    /// <inheritdoc />
    public int PriorityInCategory => 0;

    /// <inheritdoc />
    public bool IsNumeric => true;

    /// <inheritdoc />
    public UnitType UnitType => UnitType.Dimensionless;

    /// <summary>Called by a benchmark, in its process.</summary>
    public static void Report(double nanosecondsPerEntry) =>
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{LineStart}{nanosecondsPerEntry:F1}"));

    /// <inheritdoc />
    public bool IsAvailable(Summary summary) => summary.BenchmarksCases.Any(benchmark => Reported(summary, benchmark) is not null);

    /// <inheritdoc />
    public bool IsDefault(Summary summary, BenchmarkCase benchmarkCase) => Reported(summary, benchmarkCase) is null;

    /// <inheritdoc />
    public string GetValue(Summary summary, BenchmarkCase benchmarkCase) =>
        Reported(summary, benchmarkCase) is { } nanoseconds ? nanoseconds + " ns" : "-";

    /// <inheritdoc />
    public string GetValue(Summary summary, BenchmarkCase benchmarkCase, SummaryStyle style) => GetValue(summary, benchmarkCase);

    private static string? Reported(Summary summary, BenchmarkCase benchmarkCase) => summary[benchmarkCase]?.ExecuteResults
        .SelectMany(result => result.StandardOutput)
        .LastOrDefault(line => line.StartsWith(LineStart, StringComparison.Ordinal))?[LineStart.Length..];
}
