using System.Diagnostics;

namespace Bridge.Telemetry;

/// <summary>
/// Of one entry whose app traces it: the app's span, and when which step was done. Whoever holds the entry fills in its own step, so
/// nothing is locked.
/// </summary>
/// <param name="parent">The app's span, from <c>traceparent</c>.</param>
/// <param name="pushedAt">When it was pushed, where that is known.</param>
/// <param name="takenAt">When it was taken, by the clock of Redis.</param>
public sealed class DeliveryTrace(ActivityContext parent, DateTimeOffset? pushedAt, DateTimeOffset takenAt)
{
    /// <summary>The app's span.</summary>
    public ActivityContext Parent { get; } = parent;

    /// <summary>When it was pushed, where that is known.</summary>
    public DateTimeOffset? PushedAt { get; } = pushedAt;

    /// <summary>When it was taken, by the clock of Redis.</summary>
    public DateTimeOffset TakenAt { get; } = takenAt;

    /// <summary>When its writer began with its batch.</summary>
    public DateTimeOffset EncodeBeganAt { get; set; }

    /// <summary>When it was encoded.</summary>
    public DateTimeOffset EncodedAt { get; set; }

    /// <summary>When it was last written to the stream, on the clock of the window.</summary>
    internal TimeSpan? WrittenAt { get; set; }
}

/// <summary>A traced entry whose way is over.</summary>
/// <param name="Trace">What is known of it.</param>
/// <param name="EndedAt">When its barrier returned, on the clock of the window; nothing where it was not sent.</param>
/// <param name="Resent">How often it was written in vain before.</param>
/// <param name="Rejection">Why it was not sent, as the dead letter has it; null where it was.</param>
internal readonly record struct FinishedTrace(DeliveryTrace Trace, TimeSpan EndedAt, int Resent, string? Rejection);
