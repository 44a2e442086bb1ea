using System.Diagnostics;

namespace Bridge.Telemetry;

/// <summary>
/// Tells the way of traced entries as spans, once it is over: <c>bridge deliver</c> below the app's own span, and below it
/// <c>queue wait</c>, <c>encode</c>, <c>write</c> and <c>confirm</c>. Until then a traced entry is a small object beside its place in
/// the window, and where nobody listens there is none.
/// </summary>
public static class DeliverySpans
{
    /// <summary>Name of the source.</summary>
    public const string SourceName = "Bridge";

    /// <summary>Traced entries of one bridge that may be under way; of more the way is not told, and they are counted.</summary>
    public const int MostUnderWay = 1_000;

    private static readonly ActivitySource Source = new(SourceName);

    /// <summary>Whether anybody wants spans.</summary>
    public static bool AreWanted => Source.HasListeners();

    /// <summary>Tells of these.</summary>
    /// <param name="finished">Traced entries whose way is over.</param>
    /// <param name="bridge">The bridge's name.</param>
    /// <param name="now">The moment on the clock of the window.</param>
    /// <param name="wallClock">The same on the wall.</param>
    internal static void Tell(IReadOnlyList<FinishedTrace> finished, string bridge, TimeSpan now, DateTimeOffset wallClock)
    {
        foreach (var one in finished)
            Tell(one, bridge, time => wallClock - (now - time));
    }

    private static void Tell(in FinishedTrace finished, string bridge, Func<TimeSpan, DateTimeOffset> wallClock)
    {
        var trace = finished.Trace;
        var endedAt = finished.Rejection is null ? wallClock(finished.EndedAt) : trace.EncodedAt;
        using var whole = Source.StartActivity(
            "bridge deliver", ActivityKind.Consumer, trace.Parent, startTime: trace.PushedAt < trace.TakenAt ? trace.PushedAt.Value : trace.TakenAt);
        if (whole is null)
            return;
        whole.SetTag("messaging.system", "redis");
        whole.SetTag("bridge.name", bridge);
        if (finished.Resent > 0)
            whole.SetTag("bridge.resent", finished.Resent);
        if (trace.PushedAt is { } pushed && pushed < trace.TakenAt)
            Step("queue wait", pushed, trace.TakenAt);
        Step("encode", trace.EncodeBeganAt, trace.EncodedAt);
        if (finished.Rejection is { } rejection)
        {
            whole.SetTag("error.type", rejection);
            whole.SetStatus(ActivityStatusCode.Error);
        }
        else if (trace.WrittenAt is { } written)
        {
            var writtenAt = wallClock(written);
            Step("write", trace.EncodedAt, writtenAt);
            Step("confirm", writtenAt, endedAt);
        }

        whole.SetEndTime((endedAt < trace.EncodedAt ? trace.EncodedAt : endedAt).UtcDateTime);

        void Step(string name, DateTimeOffset from, DateTimeOffset to)
        {
            using var step = Source.StartActivity(name, ActivityKind.Internal, whole.Context, startTime: from);
            // Two clocks may disagree; no span ends before it begins.
            step?.SetEndTime((to < from ? from : to).UtcDateTime);
        }
    }
}
