using System.Buffers;
using System.Collections.Immutable;
using Bridge.Fuzz.Tests.Corpora;
using Bridge.Fuzz.Tests.Judging;
using Bridge.Stanzas;

namespace Bridge.Fuzz.Tests;

/// <summary>The firewall, the envelope and the encoder: payloads become stanzas, or are refused.</summary>
/// <param name="envelopes">Whether the payloads are JSON, or raw XML.</param>
internal sealed class EncoderTarget(bool envelopes) : FuzzTarget
{
    /// <summary>Reasons that no payload can cause by itself.</summary>
    private static readonly ImmutableHashSet<RejectionReason> Impossible =
        [RejectionReason.WriterFailed, RejectionReason.Convicted, RejectionReason.Trimmed, RejectionReason.MissingNamespace, RejectionReason.LeadingContent];

    /// <summary>Reasons on which any XML parser must agree; the others are stricter than XML on purpose.</summary>
    private static readonly ImmutableHashSet<RejectionReason> OfGrammar =
    [
        RejectionReason.NotUtf8, RejectionReason.NotWellFormed, RejectionReason.TrailingContent, RejectionReason.Doctype,
        RejectionReason.ForbiddenCharacter, RejectionReason.UndeclaredEntity, RejectionReason.UndeclaredPrefix, RejectionReason.DuplicateAttribute,
    ];

    private static readonly string[] Accepted = ["accepted"];

    private readonly ArrayBufferWriter<byte> _output = new(4 * FuzzedEncoder.MaxBytes);

    public override InputSource Inputs(int seed) => envelopes ? InputSource.OfEnvelopes(seed) : InputSource.OfStanzas(seed);

    public override Examination Examine(byte[] input)
    {
        try
        {
            return ExamineUnguarded(input);
        }
        catch (Exception fault)
        {
            // Not hidden: that it threw is the finding.
            return new Examination($"threw {fault}", false, [], 0, null);
        }
    }

    private Examination ExamineUnguarded(byte[] payload)
    {
        var late = (payload.Length & 1) == 0;
        var entry = FuzzedEncoder.Entry(payload, late);
        _output.ResetWrittenCount();
        var result = FuzzedEncoder.Encoder.Encode(entry, _output, FuzzedEncoder.Now);
        var output = _output.WrittenSpan;

        // Once more, into a buffer that has never more room than was asked for.
        var tight = new TightWriter();
        var again = FuzzedEncoder.Encoder.Encode(entry, tight, FuzzedEncoder.Now);
        var fault = result != again || !output.SequenceEqual(tight.Written) ? $"{result} became {again} the second time" : null;

        var trimmed = payload.AsSpan().Trim(" \t\r\n"u8);
        var isRaw = trimmed.StartsWith("<"u8);
        if (fault is null && isRaw)
            fault = FaultOfCheck(FuzzedEncoder.Firewall.Check(payload), result.Rejection);
        if (!result.Accepted)
        {
            fault ??= FaultOf(result.Rejection, payload, output);

            // XmlReader, the second opinion, knows rules that are none of the grammar, such as the values of xml:space.
            var byGrammar = isRaw && OfGrammar.Contains(result.Rejection.Reason) && result.Rejection.Detail != "a second parser refuses it";
            JudgedCase? refused = byGrammar ? new JudgedCase(Question.RefusedByGrammar, late, payload, []) : null;
            return new Examination(fault, false, Verdicts(result.Rejection), TraitOf(result.Rejection, payload), refused);
        }

        // An envelope may say itself that it was pushed just now; the raw stanza that it became cannot.
        fault ??= FaultOf(output, late && isRaw);
        var question = isRaw ? Question.SameAsRaw : Question.SameAsEnvelope;
        return new Examination(fault, true, Accepted, TraitOf(payload, output), new JudgedCase(question, late, payload, output.ToArray()));
    }

    private static string? FaultOfCheck(in Rejection check, in Rejection encoded) =>
        check == encoded || (check.Reason == RejectionReason.None && encoded.Reason == RejectionReason.Oversize)
            ? null
            : $"the firewall alone says {check}, the encoder {encoded}";

    private static string? FaultOf(in Rejection rejection, byte[] payload, ReadOnlySpan<byte> output)
    {
        if (!output.IsEmpty)
            return "rejected, and yet something was written";
        if (!Enum.IsDefined(rejection.Reason) || Impossible.Contains(rejection.Reason))
            return $"a reason that no payload can cause: {rejection}";
        var mayHaveNoPlace = rejection.Reason is RejectionReason.Oversize or RejectionReason.Expired;
        if (rejection.Offset > payload.Length || rejection.Offset < (mayHaveNoPlace ? -1 : 0))
            return $"an offset outside of the payload of {payload.Length} bytes: {rejection}";
        return string.IsNullOrEmpty(rejection.Detail) || rejection.Detail.AsSpan().ContainsAny('\r', '\n')
            ? $"the detail is not one line: {rejection}"
            : null;
    }

    private static string? FaultOf(ReadOnlySpan<byte> output, bool late)
    {
        if (output.Length > FuzzedEncoder.MaxBytes)
            return $"{output.Length} bytes were written, {FuzzedEncoder.MaxBytes} are allowed";
        if (StreamParse.Mistake(output) is { } mistake)
            return $"to XmlReader: {mistake}";

        // What was written needs nothing more.
        var stanza = output.ToArray();
        var tight = new TightWriter();
        var again = FuzzedEncoder.Encoder.Encode(FuzzedEncoder.Entry(stanza, late), tight, FuzzedEncoder.Now);

        // What was filled in counts as attributes the next time; and the id of an envelope is measured
        // as it is meant, that of a raw stanza as it is written, escapes and all.
        if (again.Rejection.Reason is RejectionReason.TooManyAttributes or RejectionReason.InvalidId)
            return null;
        if (!again.Accepted)
            return $"what was written is not accepted itself: {again.Rejection}";
        return tight.Written.SequenceEqual(stanza) ? null : "what was written does not stay the same when it is sent again";
    }

    // With the reason inside, which the detail begins with.
    private static string[] Verdicts(in Rejection rejection) =>
        rejection.Reason is RejectionReason.JsonStanzaInvalid or RejectionReason.JsonXmlInvalid
            ? [rejection.Reason.WireName(), $"{rejection.Reason.WireName()}: {rejection.Detail!.Split(':')[0]}"]
            : [rejection.Reason.WireName()];

    private static ulong TraitOf(in Rejection rejection, byte[] payload)
    {
        var trait = new Trait();
        trait.Add((int)rejection.Reason);

        // The names of unknown fields are the input's own.
        if (rejection.Reason != RejectionReason.JsonUnknownField)
            trait.Add(rejection.Detail);
        trait.AddMagnitude(rejection.Offset / 16);
        trait.AddSurroundings(payload, rejection.Offset);
        return trait.Value;
    }

    private static ulong TraitOf(ReadOnlySpan<byte> payload, ReadOnlySpan<byte> output)
    {
        var trait = new Trait();
        trait.Add(output[1]);
        trait.AddMagnitude(output.Length / 64);
        trait.AddMagnitude(output.Length - payload.Length);
        trait.AddMagnitude(output.Count((byte)'<'));
        trait.AddMagnitude(output.Count((byte)':'));
        trait.AddMagnitude(output.Count((byte)'&'));
        trait.Add(output.IndexOf("<![CDATA["u8) >= 0 ? 1 : 0);
        trait.Add(output.IndexOf("xmlns:"u8) >= 0 ? 1 : 0);
        trait.Add(output.IndexOfAnyInRange((byte)0x80, (byte)0xDF) >= 0 ? 1 : 0);
        trait.Add(output.IndexOfAnyInRange((byte)0xF0, (byte)0xFF) >= 0 ? 1 : 0);
        trait.Add(payload.IndexOf((byte)'\\') >= 0 ? 1 : 0);
        return trait.Value;
    }

    /// <summary>Gives exactly the room that was asked for, so that writing beyond it throws.</summary>
    private sealed class TightWriter : IBufferWriter<byte>
    {
        private byte[] _buffer = [];
        private int _written;

        public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, _written);

        public void Advance(int count) => _written += count;

        public Memory<byte> GetMemory(int sizeHint = 0)
        {
            Array.Resize(ref _buffer, _written + Math.Max(sizeHint, 1));
            return _buffer.AsMemory(_written);
        }

        public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;
    }
}
