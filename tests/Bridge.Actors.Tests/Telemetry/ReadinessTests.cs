using Bridge.Telemetry;

namespace Bridge.Actors.Tests.Telemetry;

public sealed class ReadinessTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private static readonly BridgeSnapshot Owner = new()
    {
        Name = "main",
        Role = BridgeRole.Owner,
        Connection = ConnectionState.Established,
        Endpoint = "127.0.0.1:5347",
        PublishedAt = Now,
    };

    private static readonly BridgeSnapshot Busy = Owner with { QueueLength = 5, UnconfirmedEntries = 7, BusySince = Ago(60) };

    public static TheoryData<string, BridgeSnapshot, bool, string> Rows => new()
    {
        { "has not been answered yet", Owner with { Role = BridgeRole.Standby, Connection = ConnectionState.Idle }, false, "asks for the lease" },
        { "stands by behind a known holder", Owner with { Role = BridgeRole.Standby, LeaseHolder = "queue lease, 3 s left" }, true, "stands by: queue lease, 3 s left" },
        { "stands by without Redis", Owner with { Role = BridgeRole.Standby, QueueFault = "no answer" }, false, "Redis: no answer" },
        { "owns, connected, idle", Owner, true, "connected to 127.0.0.1:5347" },
        { "owns, connecting", Owner with { Connection = ConnectionState.Connecting }, false, "XMPP: connecting (127.0.0.1:5347)" },
        { "owns, waiting to reconnect after an error", Owner with { Connection = ConnectionState.WaitingToReconnect, LastStreamError = "conflict" }, false, "XMPP: waiting to reconnect (127.0.0.1:5347); last stream error: conflict" },
        { "owns, handshake under way after a silent end", Owner with { Connection = ConnectionState.AwaitingHandshake, Endpoint = null, LastReconnectCause = ReconnectCause.StreamEnded }, false, "XMPP: awaiting the answer to the handshake; last end: stream-ended" },
        { "owns, Redis refuses", Owner with { QueueFault = "WRONGTYPE" }, false, "Redis: WRONGTYPE" },
        { "owns, fed by Pub/Sub, listening", Owner with { Listening = true }, true, "connected to 127.0.0.1:5347" },
        { "owns, fed by Pub/Sub, deaf", Owner with { Listening = false }, false, "does not listen (Pub/Sub, best effort): what is published now is lost" },
        { "stands by, fed by Pub/Sub", Owner with { Role = BridgeRole.Standby, LeaseHolder = "queue lease", Listening = false }, true, "stands by: queue lease" },
        { "busy, confirmed just now", Busy with { LastProgressAt = Ago(1) }, true, "connected to 127.0.0.1:5347" },
        { "busy, window full, still confirming", Busy with { UnconfirmedEntries = 10_000, WindowLimit = 10_000, QueueLength = 1_000_000, LastProgressAt = Ago(9) }, true, "connected to 127.0.0.1:5347" },
        { "busy, nothing confirmed for exactly the limit", Busy with { LastProgressAt = Ago(10) }, true, "connected to 127.0.0.1:5347" },
        { "busy, nothing confirmed for longer", Busy with { LastProgressAt = Ago(11) }, false, "nothing confirmed for 11 s, with 7 unconfirmed and 5 queued" },
        { "busy, never confirmed anything", Busy with { BusySince = Ago(12) }, false, "nothing confirmed for 12 s, with 7 unconfirmed and 5 queued" },
        { "busy for a moment after a long idle time", Busy with { BusySince = Ago(2), LastProgressAt = Ago(3600) }, true, "connected to 127.0.0.1:5347" },
        { "owns, the connection's actor is stuck", Owner with { ConnectionSeenAt = Ago(12) }, false, "the connection's actor has not reported for 12 s" },
        { "owns, stuck while it connects", Owner with { Connection = ConnectionState.Connecting, ConnectionSeenAt = Ago(12) }, false, "the connection's actor has not reported for 12 s" },
        { "owns, the puller is stuck", Owner with { ConnectionSeenAt = Ago(1), QueueSeenAt = Ago(13) }, false, "the puller has not looked at the queue for 13 s" },
        { "owns, the puller has looked a while ago", Owner with { QueueSeenAt = Ago(10) }, true, "connected to 127.0.0.1:5347" },
        { "idle, a barrier does not return", Owner with { BarrierSince = Ago(11) }, false, "the server has answered no barrier for 11 s, with 0 unconfirmed" },
        { "busy, a barrier does not return", Busy with { BarrierSince = Ago(11), LastProgressAt = Ago(1) }, false, "the server has answered no barrier for 11 s, with 7 unconfirmed" },
        { "busy, a barrier takes its time", Busy with { BarrierSince = Ago(9), LastProgressAt = Ago(9) }, true, "connected to 127.0.0.1:5347" },
        { "stands by behind a lease without an end", Owner with { Role = BridgeRole.Standby, LeaseHolder = "queue lease is held", LeaseIsEndless = true }, false, "nobody can take over: queue lease is held" },
        { "silent", Owner with { PublishedAt = Ago(11) }, false, "the bridge has not reported for 11 s" },
        { "drains", Busy with { Role = BridgeRole.Draining }, false, "draining: takes nothing any more" },
        { "stopped long ago", Owner with { Role = BridgeRole.Stopped, PublishedAt = Ago(100) }, false, "stopped" },
    };

    [Theory]
    [MemberData(nameof(Rows))]
    public void A_bridge_is_ready_while_it_does_what_it_is_there_for(string row, BridgeSnapshot snapshot, bool ready, string reason) =>
        Assert.Equal((row, ready, reason), (row, Readiness.Ready(snapshot, Now).Ready, Readiness.Ready(snapshot, Now).Reason));

    private static DateTimeOffset Ago(double seconds) => Now - TimeSpan.FromSeconds(seconds);
}
