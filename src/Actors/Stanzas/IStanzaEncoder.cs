using System.Buffers;
using Bridge.Deferral;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Telemetry;

namespace Bridge.Stanzas;

/// <summary>A rejection: the reason, where in the payload, and what was found there.</summary>
/// <param name="Reason">The named reason; <see cref="RejectionReason.None" /> when there is none.</param>
/// <param name="Offset">Byte offset into the payload at which the fault was found; -1 where no single byte is at fault.</param>
/// <param name="Detail">One short line for the producer's developer; never the body of the message. May be null.</param>
public readonly record struct Rejection(RejectionReason Reason, int Offset, string? Detail);

/// <summary>An entry that is to be sent later.</summary>
/// <param name="Due">When, at the earliest.</param>
/// <param name="PushedAt">When it was pushed, where that is known.</param>
public sealed record NotYet(DateTimeOffset Due, DateTimeOffset? PushedAt);

/// <summary>What became of one entry in the encoder.</summary>
/// <param name="Rejection">Set when nothing was appended.</param>
/// <param name="OwnIdHash">
/// <see cref="OwnIds.HashOf" /> of the stanza id when the payload brought its own; 0 when the
/// entry's generated id was used. Serves to recognise bounces.
/// </param>
/// <param name="Ticket">Where somebody wants to be told how the entry ends; null otherwise.</param>
public readonly record struct EncodeResult(Rejection Rejection, ulong OwnIdHash, OutcomeTicket? Ticket = null)
{
    /// <summary>Set when nothing was appended because it is too early.</summary>
    public NotYet? NotYet { get; init; }

    /// <summary>Where messages may be tried again, the hash of the bare address that it is written to.</summary>
    public ulong Recipient { get; init; }

    /// <summary>What was said of it when it was put off, if it was.</summary>
    public Deferred? Deferred { get; init; }

    /// <summary>
    /// From when on its delivery counts: its push, or the later time before which it was not to be sent. Null where nobody knows,
    /// and for one that was put off.
    /// </summary>
    public DateTimeOffset? PushedAt { get; init; }

    /// <summary><see cref="RecentDeliveries.HashOf" /> of the stanza id when the payload brought its own; else 0.</summary>
    public ulong IdHash { get; init; }

    /// <summary>Set where the app traces it and somebody listens.</summary>
    public DeliveryTrace? Trace { get; init; }

    /// <summary>Whether the stanza's bytes were appended to the output.</summary>
    public bool Accepted => Rejection.Reason == RejectionReason.None && NotYet is null;
}

/// <summary>
/// Turns an entry into the bytes of exactly one stanza that cannot hurt the stream, or rejects it.
/// Implementations are deterministic for a given clock and keep no state between calls.
/// </summary>
public interface IStanzaEncoder
{
    /// <summary>
    /// Appends the stanza to <paramref name="output" />, or appends nothing and says why.
    /// Never throws for anything that an entry can hold.
    /// </summary>
    EncodeResult Encode(in QueueEntry entry, IBufferWriter<byte> output, DateTimeOffset now);
}
