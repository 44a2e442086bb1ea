using System.Buffers;
using System.Globalization;
using System.Text;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Stanzas;

/// <summary>
/// Encodes a payload as <c>&lt;e&gt;payload&lt;/e&gt;</c>. A payload that begins with <c>reject</c> is
/// rejected, one that begins with <c>throw</c> kills the writer, each with half a stanza written; one that
/// begins with <c>id=</c> brings that id of its own, and one that begins with <c>told=</c> wants to be told of besides. All
/// go to <see cref="Recipient" />.
/// </summary>
internal sealed class ScriptedEncoder : IStanzaEncoder
{
    public const string Recipient = "ada@example.test";

    public static readonly DateTimeOffset TakenAt = ManualTime.Start - TimeSpan.FromSeconds(1);

    public EncodeResult Encode(in QueueEntry entry, IBufferWriter<byte> output, DateTimeOffset now)
    {
        var payload = Encoding.UTF8.GetString(entry.Payload.Span);
        output.Write("<e>"u8);
        if (payload.StartsWith("throw", StringComparison.Ordinal))
            throw new InvalidOperationException("the writer dies of " + payload);
        if (payload.StartsWith("reject", StringComparison.Ordinal))
            return new EncodeResult(new Rejection(RejectionReason.NotWellFormed, 3, payload), 0);
        output.Write(entry.Payload.Span);
        output.Write("</e>"u8);
        var equals = payload.IndexOf('=', StringComparison.Ordinal);
        var id = equals < 0 ? null : payload[(equals + 1)..];
        return new EncodeResult(
            default,
            id is null ? 0 : OwnIds.HashOf(Encoding.UTF8.GetBytes(id), Encoding.UTF8.GetBytes(Recipient)),
            payload.StartsWith("told=", StringComparison.Ordinal) ? new OutcomeTicket(id!, Recipient, null, null, null) : null);
    }

    /// <summary>An entry at a sequence; its payload is the sequence unless the test wants another.</summary>
    public static QueueEntry Entry(long sequence, string? payload = null) => new(
        EntryPosition.OfSequence((ulong)sequence),
        EntryKind.Payload,
        EncoderFixture.Ids,
        Encoding.UTF8.GetBytes(payload ?? sequence.ToString(CultureInfo.InvariantCulture)),
        TakenAt,
        null);

    /// <summary>A place holder at a sequence.</summary>
    public static QueueEntry PlaceHolder(long sequence) =>
        Entry(sequence) with { Kind = EntryKind.DeadLettered, Payload = default };
}
