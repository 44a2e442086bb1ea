using System.Collections.Immutable;

namespace Bridge.TestKit;

/// <summary>How a scripted server ends a connection, or lets it hang.</summary>
public enum ServerReaction
{
    /// <summary>A stream error, the end tag, end of file; everything behind it is read and dropped.</summary>
    StreamError,

    /// <summary>The end tag of the stream, then end of file, without an error.</summary>
    EndTag,

    /// <summary>A bare end of file, as of a server that got SIGTERM; what still comes is read and dropped.</summary>
    EndOfFile,

    /// <summary>A TCP reset.</summary>
    Reset,

    /// <summary>Reads on and says nothing more, not even at the handshake.</summary>
    Silence,

    /// <summary>Reads nothing more and says nothing: the component's writes fill the buffers.</summary>
    StopReading,
}

/// <summary>Where in a connection's life a fault strikes.</summary>
public enum ServerMoment
{
    /// <summary>Accepted, nothing sent.</summary>
    BeforeHeader,

    /// <summary>The header was sent, the handshake not yet read.</summary>
    AfterHeader,

    /// <summary>The handshake was read, in place of its answer.</summary>
    AtHandshake,

    /// <summary>The handshake was answered; no stanza was read.</summary>
    AfterHandshake,

    /// <summary>In place of taking a stanza: it and all behind it are not recorded.</summary>
    OnStanza,
}

/// <summary>One fault: when, and what then.</summary>
public sealed record ServerFault
{
    /// <summary>Where it strikes.</summary>
    public required ServerMoment Moment { get; init; }

    /// <summary>What happens.</summary>
    public required ServerReaction Reaction { get; init; }

    /// <summary>The condition of a stream error, RFC 6120 §4.9.3.</summary>
    public string Condition { get; init; } = "undefined-condition";

    /// <summary>The text of a stream error.</summary>
    public string? Text { get; init; }

    /// <summary>
    /// For <see cref="ServerMoment.OnStanza"/>: which one. It is given the stanza and how many the connection took
    /// before it, barriers not counted.
    /// </summary>
    public Func<ReceivedStanza, long, bool> Stanza { get; init; } = (_, _) => true;

    /// <summary>A fault at a moment before the first stanza.</summary>
    public static ServerFault At(ServerMoment moment, ServerReaction reaction, string condition = "undefined-condition") =>
        new() { Moment = moment, Reaction = reaction, Condition = condition };

    /// <summary>In place of the stanza behind the first so many; a barrier is no stanza here.</summary>
    public static ServerFault AfterStanzas(
        long count, ServerReaction reaction, string condition = "undefined-condition") =>
        new()
        {
            Moment = ServerMoment.OnStanza,
            Reaction = reaction,
            Condition = condition,
            Stanza = (_, taken) => taken >= count,
        };

    /// <summary>On each stanza that matches, like a server that hangs up on it every time.</summary>
    public static ServerFault OnStanza(
        Func<ReceivedStanza, bool> matches, ServerReaction reaction, string condition = "not-well-formed") =>
        new()
        {
            Moment = ServerMoment.OnStanza,
            Reaction = reaction,
            Condition = condition,
            Stanza = (stanza, _) => matches(stanza),
        };
}

/// <summary>What a scripted server does with a barrier: a request of the component to itself.</summary>
public enum BarrierAnswer
{
    /// <summary>Routes it back as it came.</summary>
    AsSent,

    /// <summary>Routes it back with other quotes and attributes in another order.</summary>
    Reordered,

    /// <summary>Routes it back twice.</summary>
    Twice,

    /// <summary>Routes back one with an id that nobody sent.</summary>
    WrongId,

    /// <summary>Routes back one that a user sent with the same id.</summary>
    Forged,

    /// <summary>Never routes it back.</summary>
    Silent,
}

/// <summary>What a scripted server answers to <c>jabber:iq:last</c>.</summary>
public enum UptimeAnswer
{
    /// <summary>The error <c>service-unavailable</c>, as a server without the module.</summary>
    Unavailable,

    /// <summary>The seconds since <see cref="ServerScript.StartedAt"/>.</summary>
    Seconds,

    /// <summary>Nothing.</summary>
    Silent,
}

/// <summary>How a scripted server behaves. Without any change, as a real one would.</summary>
public sealed record ServerScript
{
    /// <summary>The faults; the first that fits strikes.</summary>
    public ImmutableArray<ServerFault> Faults { get; init; } = [];

    /// <summary>What becomes of barriers.</summary>
    public BarrierAnswer Barriers { get; init; }

    /// <summary>How long everything routed back is held, in order, by the server's clock.</summary>
    public TimeSpan BarrierDelay { get; init; }

    /// <summary>The most bytes read per second; null: no limit.</summary>
    public int? ReadBytesPerSecond { get; init; }

    /// <summary>Writes in pieces of at most so many bytes, one send each; null: whole.</summary>
    public int? WriteChunk { get; init; }

    /// <summary>What the server's domain answers to <c>jabber:iq:last</c> (XEP-0012).</summary>
    public UptimeAnswer Uptime { get; init; }

    /// <summary>The start that <see cref="UptimeAnswer.Seconds"/> tells.</summary>
    public DateTimeOffset StartedAt { get; init; }
}
