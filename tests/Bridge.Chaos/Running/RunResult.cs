using Bridge.Chaos.Judgement;
using Bridge.Chaos.Reports;

namespace Bridge.Chaos.Running;

/// <summary>All that the reports tell of a run.</summary>
internal sealed record RunResult
{
    public required CommandLine CommandLine { get; init; }

    /// <summary>Messages a second and lane.</summary>
    public required int PerSecond { get; init; }

    public required IReadOnlyList<string> Lanes { get; init; }

    /// <summary>Why it ended, in words.</summary>
    public required string Ending { get; init; }

    public required BrokenPromise? Broken { get; init; }

    public required TimeSpan Length { get; init; }

    public required Tally Counts { get; init; }

    public required IReadOnlyList<Episode> Episodes { get; init; }

    public required IReadOnlyList<string> History { get; init; }

    public required IReadOnlyList<Sample> Samples { get; init; }

    /// <summary>What the Bridges wrote last; of a broken run only.</summary>
    public required IReadOnlyList<string> Outputs { get; init; }
}
