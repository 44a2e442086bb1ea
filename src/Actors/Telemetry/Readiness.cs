using System.Globalization;
using Bridge.Queue;

namespace Bridge.Telemetry;

/// <summary>Whether a bridge does what it is there for: the rule behind <c>/health/ready</c>.</summary>
public static class Readiness
{
    /// <summary>How long nothing may be confirmed while something is queued or unconfirmed.</summary>
    public static readonly TimeSpan ProgressLimit = TimeSpan.FromSeconds(10);

    /// <summary>How long a bridge, its connection or its puller may tell nothing.</summary>
    public static readonly TimeSpan SilenceLimit = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Standing by behind a known holder is ready. An owner is ready while it is connected and progresses; a full
    /// window that still confirms is progress. One that is fed by Pub/Sub must listen as well. A fault on the Redis side is not ready in any role.
    /// </summary>
    public static (bool Ready, string Reason) Ready(BridgeSnapshot snapshot, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        if (snapshot.Role == BridgeRole.Stopped)
            return (false, "stopped");
        if (snapshot.Role == BridgeRole.Draining)
            return (false, "draining: takes nothing any more");
        var silence = now - snapshot.PublishedAt;
        if (silence > SilenceLimit)
            return (false, $"the bridge has not reported for {Seconds(silence)}");
        if (snapshot.QueueFault is { } fault)
            return (false, "Redis: " + fault);
        if (snapshot is { Role: BridgeRole.Standby, LeaseIsEndless: true })
            return (false, "nobody can take over: " + snapshot.LeaseHolder);
        if (snapshot.Role == BridgeRole.Standby)
            // Before Redis has answered it is neither: a start that ends as owner is not ready yet.
            return snapshot.LeaseHolder is { } holder
                ? (true, "stands by: " + holder)
                : (false, "asks for the lease");
        if (now - snapshot.ConnectionSeenAt is { } unseen && unseen > SilenceLimit)
            return (false, $"the connection's actor has not reported for {Seconds(unseen)}");
        if (snapshot.Connection != ConnectionState.Established)
            return (false, NotConnected(snapshot));
        if (snapshot.Listening == false)
            return (false, "does not listen (Pub/Sub, best effort): what is published now is lost");
        if (now - snapshot.QueueSeenAt is { } unlooked && unlooked > SilenceLimit)
            return (false, $"the puller has not looked at the queue for {Seconds(unlooked)}");
        if (now - snapshot.BarrierSince is { } unanswered && unanswered > ProgressLimit)
            return (false, $"the server has answered no barrier for {Seconds(unanswered)}, with {Number(snapshot.UnconfirmedEntries)} unconfirmed");
        if (snapshot.BusySince is { } busySince)
        {
            var since = snapshot.LastProgressAt is { } progress && progress > busySince ? progress : busySince;
            if (now - since > ProgressLimit)
                return (false, string.Create(
                    CultureInfo.InvariantCulture,
                    $"nothing confirmed for {Seconds(now - since)}, with {snapshot.UnconfirmedEntries} unconfirmed and {snapshot.QueueLength} queued"));
        }

        return (true, (snapshot.Order == QueueOrder.Pause ? "paused: takes nothing; " : "") + "connected to " + (snapshot.Endpoint ?? "the XMPP server"));
    }

    private static string NotConnected(BridgeSnapshot snapshot)
    {
        var state = snapshot.Connection switch
        {
            ConnectionState.Connecting => "connecting",
            ConnectionState.AwaitingStreamHeader => "awaiting the server's stream header",
            ConnectionState.AwaitingHandshake => "awaiting the answer to the handshake",
            ConnectionState.WaitingToReconnect => "waiting to reconnect",
            ConnectionState.Draining => "closing the stream",
            _ => "not connected",
        };
        var text = snapshot.Endpoint is { } endpoint ? $"XMPP: {state} ({endpoint})" : "XMPP: " + state;
        if (snapshot.LastStreamError is { } error)
            return $"{text}; last stream error: {error}";
        return snapshot.LastReconnectCause is { } cause ? $"{text}; last end: {BridgeMetrics.Name(cause)}" : text;
    }

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Seconds(TimeSpan time) =>
        string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(time.TotalSeconds):0} s");
}
