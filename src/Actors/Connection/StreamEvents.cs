using Bridge.Outcomes;
using Bridge.Stanzas;
using Bridge.Telemetry;

namespace Bridge.Connection;

/// <summary>Something that the server said, distilled where it was read.</summary>
public abstract record StreamEvent
{
    /// <summary>The server's stream header.</summary>
    /// <param name="Id">Stream id, the salt of the handshake; empty where the server refuses already.</param>
    public sealed record HeaderReceived(string Id) : StreamEvent;

    /// <summary>The handshake was accepted.</summary>
    public sealed record HandshakeAccepted : StreamEvent;

    /// <summary>A stream error; the end of the stream follows.</summary>
    /// <param name="Error">Its condition and words.</param>
    public sealed record ErrorReceived(StreamError Error) : StreamEvent;

    /// <summary>A barrier of this life came back.</summary>
    /// <param name="Number">Its number.</param>
    public sealed record BarrierReturned(long Number) : StreamEvent;

    /// <summary>An IQ from ourselves that is no barrier of this life.</summary>
    public sealed record StrangeBarrier : StreamEvent;

    /// <summary>The server's answer to the question for its uptime (XEP-0012).</summary>
    /// <param name="Id">Id of the question.</param>
    /// <param name="From">Who answered.</param>
    /// <param name="Uptime">Since when it runs; null when it does not tell.</param>
    public sealed record UptimeTold(string Id, string From, TimeSpan? Uptime) : StreamEvent;

    /// <summary>A stanza error came back.</summary>
    /// <param name="Bounce">Id, address and error.</param>
    public sealed record Bounced(Bounce Bounce) : StreamEvent;

    /// <summary>Somebody asks something of us.</summary>
    /// <param name="Id">Id of the request.</param>
    /// <param name="From">Who asks.</param>
    /// <param name="To">Which of our addresses.</param>
    public sealed record IqRequested(string Id, string From, string To) : StreamEvent;

    /// <summary>A stanza that nobody waits for.</summary>
    /// <param name="Kind">What it was.</param>
    public sealed record Ignored(InboundKind Kind) : StreamEvent;

    /// <summary>What came is no XMPP stream; the stream must be given up.</summary>
    /// <param name="Reason">What was wrong.</param>
    public sealed record Malformed(string Reason) : StreamEvent;

    /// <summary>The server closed the stream properly; its end of the connection follows.</summary>
    public sealed record Closed : StreamEvent;
}

/// <summary>Events of one link, in order. The receiver answers with <see cref="IComponentLink.Consumed" />.</summary>
/// <param name="Events">At least one.</param>
public sealed record LinkEvents(IReadOnlyList<StreamEvent> Events);

/// <summary>The link is gone.</summary>
/// <param name="Reason">Why.</param>
/// <param name="Words">What the system said, if anything.</param>
public sealed record LinkEnded(LinkEnd Reason, string? Words);

/// <summary>Why a link ended: a closed set.</summary>
public enum LinkEnd
{
    /// <summary>The server closed its end.</summary>
    RemoteClosed,

    /// <summary>The connection was reset, or failed beneath us.</summary>
    Failed,

    /// <summary>The lease's deadline had passed when a write was due: the socket was reset.</summary>
    LeaseExpired,

    /// <summary>We reset or closed it.</summary>
    Local,
}

/// <summary>Why a connect failed: a closed set.</summary>
public enum ConnectFault
{
    /// <summary>Nobody listens there.</summary>
    Refused,

    /// <summary>The host or network cannot be reached.</summary>
    Unreachable,

    /// <summary>The name has no address.</summary>
    NameNotFound,

    /// <summary>No connection within the deadline.</summary>
    TimedOut,

    /// <summary>TLS failed: certificate, name or protocol.</summary>
    TlsFailed,

    /// <summary>Anything else; the words of the system are in the message.</summary>
    Other,
}

/// <summary>A connect failed, for a named reason.</summary>
public sealed class ConnectFaultException : Exception
{
    /// <summary>Creates it.</summary>
    public ConnectFaultException(ConnectFault fault, string message, Exception? innerException = null)
        : base(message, innerException) => Fault = fault;

    /// <summary>What went wrong.</summary>
    public ConnectFault Fault { get; }
}
