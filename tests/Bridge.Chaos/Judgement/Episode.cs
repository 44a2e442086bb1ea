using Bridge.Chaos.Faults;

namespace Bridge.Chaos.Judgement;

/// <summary>One round of faults as it went: when it struck and ended, what it may explain, and what came of it.</summary>
/// <remarks>Times are since the start of the run. The judge's lock guards what changes.</remarks>
internal sealed class Episode
{
    public required int Number { get; init; }

    /// <summary>The faults' names.</summary>
    public required IReadOnlyList<string> Names { get; init; }

    /// <summary>The faults with their parameters.</summary>
    public required string Description { get; init; }

    /// <summary>What it explains.</summary>
    public required Repeats Repeats { get; init; }

    /// <summary>Whether sessions at the server died, so that what was for them may come back as an error.</summary>
    public required bool KillsServer { get; init; }

    public required TimeSpan StruckAt { get; init; }

    /// <summary>By lane: the place up to which nothing may be repeated.</summary>
    public required IReadOnlyDictionary<string, long> Bounds { get; init; }

    /// <summary>Connections to the server when it struck: each further one may repeat what was unconfirmed.</summary>
    public required int ConnectionsBefore { get; init; }

    public TimeSpan? HealedAt { get; set; }

    /// <summary>When the first message arrived behind the healing.</summary>
    public TimeSpan? ResumedAt { get; set; }

    /// <summary>When a message of each lane had arrived that was pushed behind the healing: nothing is behind any more.</summary>
    public TimeSpan? RecoveredAt { get; set; }

    /// <summary>By lane, the place of the first message behind the healing.</summary>
    public Dictionary<string, long> Markers { get; } = [];

    /// <summary>Arrivals of what had arrived before, that this one explains.</summary>
    public long Repeated { get; set; }
}

/// <summary>A promise that did not hold.</summary>
/// <param name="Promise">Which.</param>
/// <param name="At">When, since the start.</param>
/// <param name="Words">What was seen.</param>
internal sealed record BrokenPromise(string Promise, TimeSpan At, string Words);

/// <summary>The judge's counts at one moment.</summary>
internal sealed record Tally(
    long Pushed, long Arrived, long Repeated, long Reordered, long Lost, long DeadLettered, long Bounced, long Open);
