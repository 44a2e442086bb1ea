namespace Bridge.Measuring;

/// <summary>What the sink has counted since its last reset.</summary>
public sealed record SinkReport
{
    /// <summary>Messages, repeated ones included.</summary>
    public long Arrived { get; init; }

    /// <summary>Different numbers, over all queues.</summary>
    public long Distinct { get; init; }

    /// <summary>Those seen before.</summary>
    public long Repeated { get; init; }

    /// <summary>Seen for the first time behind a higher number of the same queue.</summary>
    public long Reordered { get; init; }

    /// <summary>Messages whose id does not end in a number.</summary>
    public long Unnumbered { get; init; }

    public long Bytes { get; init; }

    /// <summary>When the last message arrived, in ticks of the clock.</summary>
    public long LastAt { get; init; }

    /// <summary>The first arrival, then each awaited count, in order.</summary>
    public IReadOnlyList<ArrivalMark> Marks { get; init; } = [];

    /// <summary>From push to arrival, where the ids tell when that was.</summary>
    public LatencyReport? Latency { get; init; }
}

/// <summary>How many different messages had arrived at a time, and what the watched processes had computed by then.</summary>
/// <param name="Count">At least the awaited count: what arrives in one read counts at once.</param>
/// <param name="At">Ticks of the clock.</param>
/// <param name="Busy">Nanoseconds by process id; see <see cref="ProcessorClock"/>.</param>
public sealed record ArrivalMark(long Count, long At, IReadOnlyDictionary<int, long> Busy);

/// <summary>Percentiles in nanoseconds.</summary>
public sealed record LatencyReport(long Count, long P50, long P99, long P999, long Max);
