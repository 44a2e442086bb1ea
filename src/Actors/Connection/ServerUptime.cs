namespace Bridge.Connection;

/// <summary>
/// What one life of the stream learnt about the server's start (XEP-0012), and whether that proves that
/// the server lived on over a break. Pure.
/// </summary>
/// <param name="StartedAt">The server's start on our monotonic clock.</param>
/// <param name="StartedAtUnix">The same in Unix milliseconds, for the mark that other processes read.</param>
/// <param name="SingleAddress">Whether exactly one endpoint is configured and it resolved to one address.</param>
internal sealed record ServerUptime(TimeSpan StartedAt, long StartedAtUnix, bool SingleAddress)
{
    // The answer has whole seconds, and takes its time to come.
    private static readonly TimeSpan Tolerance = TimeSpan.FromSeconds(2);

    // Between two processes the clocks of two hosts differ as well.
    private const long MarkToleranceMilliseconds = 3_000;

    /// <summary>Whether the server of the life before still runs, and ran when the oldest held entry was confirmed.</summary>
    public static bool LivedOn(ServerUptime? before, ServerUptime? after, TimeSpan oldestHeldAt) =>
        before is not null && after is not null
        && before.SingleAddress && after.SingleAddress
        && (after.StartedAt - before.StartedAt).Duration() <= Tolerance
        && after.StartedAt <= oldestHeldAt - Tolerance
        && before.StartedAt <= oldestHeldAt - Tolerance;

    /// <summary>Whether the server that a predecessor's mark speaks of is known to have been restarted since.</summary>
    public static bool IsKnownRestart(long markedStartUnix, ServerUptime? now) =>
        markedStartUnix != 0 && now is not null
        && Math.Abs(now.StartedAtUnix - markedStartUnix) > MarkToleranceMilliseconds;
}
