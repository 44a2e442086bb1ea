using System.Collections.Immutable;
using Bridge.Stanzas;

namespace Bridge.Connection;

/// <summary>
/// Receives what the server sent. Called from the socket's own loops, one call at a time, never
/// after <see cref="Ended" />; must not block or throw: it hands over to an actor's mailbox.
/// </summary>
public interface IInboundSink
{
    /// <summary>
    /// Events in the order of the stream. The receiver answers each batch with
    /// <see cref="ComponentSocket.Consumed" /> once it has dealt with it; else reading stops.
    /// </summary>
    void Post(InboundBatch batch);

    /// <summary>The last call: how the connection ended, and what the platform said, if anything.</summary>
    void Ended(SocketEnd reason, string? detail);
}

/// <summary>A run of events; immutable.</summary>
/// <param name="Events">At least one.</param>
/// <param name="Bytes">Memory that the events hold, roughly.</param>
public sealed record InboundBatch(ImmutableArray<InboundEvent> Events, int Bytes);

/// <summary>Something that the server sent: a closed set of immutable records.</summary>
public abstract record InboundEvent
{
    private protected InboundEvent()
    {
    }
}

/// <summary>The server's stream header.</summary>
public sealed record StreamOpened(StreamHeader Header) : InboundEvent;

/// <summary>The server accepted our handshake.</summary>
public sealed record HandshakeAccepted : InboundEvent;

/// <summary>A stream error; the server closes the stream behind it.</summary>
public sealed record StreamFailed(StreamError Error) : InboundEvent;

/// <summary>The server's <c>&lt;/stream:stream&gt;</c>.</summary>
public sealed record StreamClosed : InboundEvent;

/// <summary>What came is no XMPP stream; the socket resets the connection.</summary>
/// <param name="Reason">What was wrong; holds nothing of the content.</param>
public sealed record StreamMalformed(string Reason) : InboundEvent;

/// <summary>One of our barriers came back: everything written before it was routed.</summary>
/// <param name="Number">The number it was written with.</param>
/// <param name="ArrivedAt">Timestamp of the socket's <see cref="TimeProvider" /> when it was read.</param>
public sealed record BarrierReturned(long Number, long ArrivedAt) : InboundEvent;

/// <summary>A stanza of type <c>error</c>: a bounce, when we wrote one with this id.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Id">Its id; null when it has none.</param>
/// <param name="From">Who bounced it, as on the wire.</param>
/// <param name="To">To which of our JIDs.</param>
/// <param name="Error">Its content; all Unknown where it has no <c>error</c> child.</param>
public sealed record StanzaBounced(StanzaKind Kind, string? Id, string? From, string? To, StanzaError Error) : InboundEvent
{
    /// <summary>The element, as it came.</summary>
    public ReadOnlyMemory<byte> Xml { get; init; }
}

/// <summary>Any other stanza or first-level element.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Id">Its id.</param>
/// <param name="From">Its sender.</param>
/// <param name="To">Its recipient.</param>
/// <param name="Type">Its type.</param>
/// <param name="FirstChild">Local name of its first child element; null when there is none.</param>
/// <param name="FirstChildNamespace">That child's namespace; null when it is the stream's own.</param>
/// <param name="Xml">The element, as it came.</param>
public sealed record StanzaReceived(
    StanzaKind Kind,
    string? Id,
    string? From,
    string? To,
    string? Type,
    string? FirstChild,
    string? FirstChildNamespace,
    ReadOnlyMemory<byte> Xml) : InboundEvent;

/// <summary>A stanza beyond the bounds went by unread.</summary>
public sealed record StanzaSkipped(SkippedStanza Stanza) : InboundEvent;
