using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using Perfolizer.Horology;

namespace Bridge.Benchmarks;

/// <summary>
/// What all benchmarks have in common. Iterations are few and short, so that all of them together
/// take some four minutes on two cores: enough to see a change of a tenth, not one of a hundredth.
/// </summary>
internal sealed class BenchmarkConfiguration : ManualConfig
{
    public BenchmarkConfiguration()
    {
        AddJob(Job.Default
            .WithLaunchCount(1)
            .WithWarmupCount(5)
            .WithIterationCount(10)
            .WithIterationTime(TimeInterval.FromMilliseconds(200))
            // Otherwise the runtime waits for 100 ms without new methods before it optimises, and a
            // busy machine measures code that is not optimised yet.
            .WithEnvironmentVariable("DOTNET_TC_CallCountingDelayMs", "0"));
        AddDiagnoser(MemoryDiagnoser.Default);
        AddColumnProvider(DefaultColumnProviders.Instance);
        // The least is what other work on the machine disturbs least.
        AddColumn(StatisticColumn.Min, new RedisTimeColumn());
        AddLogger(ConsoleLogger.Default);
        AddExporter(MarkdownExporter.GitHub);
        // Only what was measured: the columns of medians and of garbage collections say nothing here.
        HideColumns(Column.Median, Column.RatioSD, Column.Gen0, Column.Gen1, Column.Gen2, Column.AllocRatio);
    }
}
