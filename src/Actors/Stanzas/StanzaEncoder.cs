using System.Buffers;
using System.Text;
using Bridge.Deferral;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Telemetry;

namespace Bridge.Stanzas;

/// <summary>
/// Turns an entry into the bytes of one stanza of a component's stream.
/// <para>
/// Raw XML is spliced: the app's own bytes are kept as they are; only these change: the root's
/// default <c>xmlns</c> is left out (Prosody bounces <c>jabber:client</c> on a component's stream),
/// a missing <c>from</c> is filled in, a missing or empty <c>id</c> too, then on a message with an
/// origin-id (XEP-0359) as well. A JSON envelope becomes a message with origin-id. A message that
/// is known to have waited carries a delay stamp (XEP-0203).
/// </para>
/// Immutable and safe for any number of threads; a raw stanza of a common shape allocates nothing.
/// </summary>
public sealed class StanzaEncoder : IStanzaEncoder
{
    /// <summary>Bytes by which a stanza is seldom longer than its payload: what is filled in, and what is escaped.</summary>
    internal const int ExpectedGrowth = 160;

    private readonly StanzaFirewall _firewall;
    private readonly int _maxBytes;
    private readonly TimeSpan _delayStampAfter;
    private readonly byte[] _defaultFrom;
    private readonly byte[] _delayBeforeStamp;
    private readonly OutcomeMode _outcomes;
    private readonly bool _askReceipts;
    private readonly bool _mayTryAgain;
    private readonly AnswerSettings _answers;

    /// <summary>Prepares an encoder.</summary>
    /// <param name="settings">What may pass.</param>
    /// <param name="componentDomain">The component's domain, canonical lower case.</param>
    /// <param name="outcomes">Of which entries the ending is told though they name no list for it: those get a ticket.</param>
    /// <param name="askReceipts">Whether receipts are asked for where the message does not say.</param>
    /// <param name="answers">How long answers are waited for where the message does not say.</param>
    /// <param name="mayTryAgain">Whether messages may be tried again: each gets a ticket, and the hash of its recipient.</param>
    /// <exception cref="ArgumentException">The settings contradict themselves: a domain is not canonical, or the default <c>from</c> is not a JID of an allowed one.</exception>
    public StanzaEncoder(
        StanzaSettings settings, string componentDomain, OutcomeMode outcomes = OutcomeMode.None, bool askReceipts = false, AnswerSettings? answers = null, bool mayTryAgain = false)
    {
        ArgumentNullException.ThrowIfNull(settings);
        _firewall = new StanzaFirewall(settings, componentDomain);
        _maxBytes = settings.MaxBytes;
        _outcomes = outcomes;
        _askReceipts = askReceipts;
        _mayTryAgain = mayTryAgain;
        _answers = answers ?? new AnswerSettings();
        _delayStampAfter = settings.DelayStampAfter;
        _defaultFrom = Encoding.UTF8.GetBytes(settings.DefaultFrom);
        if (!_firewall.CheckFrom(_defaultFrom, 0, out var fault))
            throw new ArgumentException($"the default 'from' cannot be used: {fault.Detail}", nameof(settings));
        _delayBeforeStamp = Encoding.UTF8.GetBytes($"<delay xmlns='urn:xmpp:delay' from='{componentDomain}' stamp='");
    }

    /// <inheritdoc />
    public EncodeResult Encode(in QueueEntry entry, IBufferWriter<byte> output, DateTimeOffset now)
    {
        ArgumentNullException.ThrowIfNull(output);
        var bytes = entry.Payload.Span;
        return bytes.IsEmpty || bytes[0] != Deferred.FirstByte || !Deferred.TryRead(bytes, out var deferred, out var length)
            ? EncodePushed(entry, output, now)
            : Again(EncodePushed(
                entry with { Payload = entry.Payload[length..], TakenAt = deferred!.TakenAt, PushedAt = deferred.PushedAt, CameAgain = true }, output, now), deferred);
    }

    private static EncodeResult Again(in EncodeResult result, Deferred deferred) => result with
    {
        Deferred = deferred,
        PushedAt = null,
        Ticket = result.Ticket is { } ticket ? ticket with { PriorAttempts = deferred.Attempts, Overtaken = deferred.Overtaken } : null,
    };

    private EncodeResult EncodePushed(in QueueEntry entry, IBufferWriter<byte> output, DateTimeOffset now)
    {
        var payload = StanzaFirewall.Trim(entry.Payload.Span, out var start);
        if (payload.IsEmpty)
            return WithTicket(Reject(RejectionReason.EmptyPayload, 0, "nothing but white space"), entry);
        EncodeResult result;
        switch (payload[0])
        {
            case (byte)'<':
                result = EncodeRaw(payload, entry, entry.PushedAt, default(OutcomeWish), output, now);
                break;
            case (byte)'{':
                result = EncodeEnvelope(payload, entry, output, now);
                break;
            case 0xEF when payload.StartsWith("\uFEFF"u8):
                result = Reject(RejectionReason.ByteOrderMark, 0, "a byte order mark");
                break;
            default:
                result = Reject(RejectionReason.UnknownPayloadKind, 0, "neither '<' nor '{'");
                break;
        }

        if (result.Accepted || result.NotYet is not null)
            return result;
        result = WithTicket(result, entry);
        return result.Rejection.Offset < 0
            ? result
            : result with { Rejection = result.Rejection with { Offset = result.Rejection.Offset + start } };
    }

    // One that is rejected is told of also where nothing in it could be read.
    private EncodeResult WithTicket(in EncodeResult rejected, in QueueEntry entry) =>
        rejected.Ticket is null && _outcomes != OutcomeMode.None
            ? rejected with { Ticket = new OutcomeTicket(entry.GeneratedId, "", null, null, entry.PushedAt) }
            : rejected;

    private EncodeResult EncodeRaw(
        ReadOnlySpan<byte> stanza,
        in QueueEntry entry,
        DateTimeOffset? pushedAt,
        OutcomeWish wish,
        IBufferWriter<byte> output,
        DateTimeOffset now)
    {
        if (!_firewall.TryInspect(stanza, out var shape, out var fault))
            return new EncodeResult(fault, 0);
        var to = Plain(stanza[shape.To.Start..shape.To.End], shape.ToEscaped);
        Span<byte> generatedId = stackalloc byte[GeneratedIds.MaxBytes];
        generatedId = shape.Id.Exists ? [] : generatedId[..entry.Ids.Write(entry.Position, to, generatedId)];
        var answer = AnswerTo(stanza, shape, wish);
        if (wish.IsPointless(answer, out fault))
            return new EncodeResult(fault, 0);
        scoped var raw = new RawStanza(
            stanza, shape, generatedId, answer == AnswerKind.Receipt && !shape.HasReceiptRequest, shape.Kind == StanzaKind.Message && !shape.HasDelay && IsLate(pushedAt, now) ? pushedAt : null);
        scoped var writer = new StanzaWriter(output.GetSpan(stanza.Length + ExpectedGrowth));
        WriteRaw(ref writer, raw);
        if (writer.Written > _maxBytes)
            return Oversize(writer.Written);
        if (writer.Overflowed)
        {
            writer = new StanzaWriter(output.GetSpan((int)writer.Written));
            WriteRaw(ref writer, raw);
        }

        output.Advance((int)writer.Written);
        var id = raw.AddId ? generatedId : Plain(stanza[shape.Id.Start..shape.Id.End], shape.IdEscaped);
        var idHash = raw.AddId ? 0 : RecentDeliveries.HashOf(id);
        return new EncodeResult(default, raw.AddId ? 0 : OwnIds.HashWith(idHash, to), TicketOf(wish, id, to, pushedAt, answer))
        {
            Recipient = RecipientOf(to),
            PushedAt = pushedAt,
            IdHash = idHash,
        };
    }

    // A receipt is for what a person reads (XEP-0184 §5.1), and not for many at once (§5.3). A request is answered in any case
    // (RFC 6120 §8.2.3); who does not say that it waits for that has its ending with the confirmation.
    private AnswerKind AnswerTo(ReadOnlySpan<byte> stanza, in StanzaShape shape, in OutcomeWish wish)
    {
        var type = shape.Type.Exists ? stanza[shape.Type.Start..shape.Type.End] : default;
        return shape.Kind switch
        {
            StanzaKind.Message when (wish.Receipt ?? (_askReceipts && shape.HasBody)) && MayAskReceipt(type) => AnswerKind.Receipt,
            StanzaKind.Iq when (wish.ReplyTo is not null || wish.Timeout is not null) && IsRequest(type) => AnswerKind.Result,
            _ => AnswerKind.None,
        };
    }

    private static bool MayAskReceipt(ReadOnlySpan<byte> type) => type.IsEmpty || type.SequenceEqual("chat"u8) || type.SequenceEqual("normal"u8);

    private static bool IsRequest(ReadOnlySpan<byte> type) => type.SequenceEqual("get"u8) || type.SequenceEqual("set"u8);

    // References in an id or an address are rare, and worth an allocation.
    private static ReadOnlySpan<byte> Plain(ReadOnlySpan<byte> value, bool escaped)
    {
        if (!escaped)
            return value;
        var plain = new byte[value.Length];
        return plain.AsSpan(0, XmlText.UnescapeAttribute(value, plain));
    }

    private void WriteRaw(ref StanzaWriter writer, scoped in RawStanza raw)
    {
        var stanza = raw.Stanza;
        ref readonly var shape = ref raw.Shape;
        writer.Write(stanza[..shape.NameEnd]);
        if (!shape.HasFrom)
            writer.WriteAttribute(" from='"u8, _defaultFrom);
        if (raw.AddId)
            writer.WriteAttribute(" id='"u8, raw.GeneratedId);
        WriteAttributes(ref writer, stanza, shape);
        if (!raw.AddOriginId && !raw.AskReceipt && raw.Stamp is null)
        {
            writer.Write(stanza[shape.StartTagEnd..]);
            return;
        }

        var isEmptyTag = shape.EndTagStart < 0;
        if (isEmptyTag)
            writer.Write(">"u8);
        else
            writer.Write(stanza[shape.StartTagEnd..shape.EndTagStart]);
        if (raw.AddOriginId)
            WriteOriginId(ref writer, raw.GeneratedId);
        if (raw.AskReceipt)
            writer.Write(ReceiptRequest);
        if (raw.Stamp is { } pushed)
            WriteDelay(ref writer, pushed);
        if (isEmptyTag)
        {
            writer.Write("</"u8);
            writer.Write(stanza[1..shape.NameEnd]);
            writer.Write(">"u8);
        }
        else
        {
            writer.Write(stanza[shape.EndTagStart..]);
        }
    }

    /// <summary>Copies the start tag's attributes without what is to be cut.</summary>
    private static void WriteAttributes(ref StanzaWriter writer, ReadOnlySpan<byte> stanza, in StanzaShape shape)
    {
        var first = shape.DefaultNamespace;
        var second = shape.EmptyId;
        if (!first.Exists || (second.Exists && second.Start < first.Start))
            (first, second) = (second, first);
        var at = shape.NameEnd;
        if (first.Exists)
        {
            writer.Write(stanza[at..first.Start]);
            at = first.End;
        }

        if (second.Exists)
        {
            writer.Write(stanza[at..second.Start]);
            at = second.End;
        }

        writer.Write(stanza[at..shape.StartTagEnd]);
    }

    private EncodeResult EncodeEnvelope(ReadOnlySpan<byte> json, in QueueEntry entry, IBufferWriter<byte> output, DateTimeOffset now)
    {
        var accepted = Envelope.TryRead(json, out var envelope, out var fault);
        try
        {
            // What was read before a fault names the list that is told of it.
            var wish = new OutcomeWish(
                envelope.ReplyTo.Exists ? Encoding.UTF8.GetString(envelope.Bytes(envelope.ReplyTo)) : null,
                envelope.Meta.Exists && (_outcomes != OutcomeMode.None || envelope.ReplyTo.Exists) ? Encoding.UTF8.GetString(envelope.Bytes(envelope.Meta)) : null,
                envelope.Receipt,
                envelope.Timeout)
            {
                ReceiptOffset = envelope.ReceiptOffset,
                TimeoutOffset = envelope.TimeoutOffset,
            };
            var result = !accepted ? new EncodeResult(fault, 0)
                : envelope.Stanza.Exists ? EncodeInnerStanza(envelope, entry, wish, output, now)
                : EncodeFields(envelope, entry, wish, output, now);
            if (envelope.TraceParent.Exists && result.NotYet is null && DeliverySpans.AreWanted
                && TraceParent.TryRead(envelope.Bytes(envelope.TraceParent), out var parent))
                result = result with { Trace = new DeliveryTrace(parent, envelope.At ?? entry.PushedAt, entry.TakenAt) };
            return result.Accepted || (result.NotYet is null && _outcomes == OutcomeMode.None && wish.ReplyTo is null)
                ? result
                : result with { Ticket = TicketOfRejected(envelope, entry, wish) };
        }
        finally
        {
            envelope.Dispose();
        }
    }

    private static OutcomeTicket TicketOfRejected(in Envelope envelope, in QueueEntry entry, OutcomeWish wish) => new(
        envelope.Id.Length > 0 ? Encoding.UTF8.GetString(envelope.Bytes(envelope.Id)) : entry.GeneratedId,
        envelope.To.Exists ? Encoding.UTF8.GetString(envelope.Bytes(envelope.To)) : "",
        wish.ReplyTo,
        // One that is too long may be what it was rejected for.
        wish.Meta is { Length: <= Envelope.MaxMetaBytes } meta ? meta : null,
        envelope.At ?? entry.PushedAt);

    private EncodeResult EncodeInnerStanza(in Envelope envelope, in QueueEntry entry, OutcomeWish wish, IBufferWriter<byte> output, DateTimeOffset now)
    {
        var stanza = StanzaFirewall.Trim(envelope.Bytes(envelope.Stanza), out var start);
        if (stanza.IsEmpty)
            return Inner(RejectionReason.JsonStanzaInvalid, new Rejection(RejectionReason.EmptyPayload, 0, "nothing but white space"), envelope, envelope.Stanza, 0);
        if (IsExpired(envelope, entry, now, out var expired))
            return new EncodeResult(expired, 0);
        // Whether it could be sent at all is said now.
        if (envelope.NotBefore > now && !entry.CameAgain)
        {
            var check = _firewall.Check(stanza);
            return check.Reason == RejectionReason.None
                ? default(EncodeResult) with { NotYet = new NotYet(envelope.NotBefore.Value, envelope.At ?? entry.PushedAt) }
                : Inner(RejectionReason.JsonStanzaInvalid, check, envelope, envelope.Stanza, start);
        }

        var result = EncodeRaw(stanza, entry, envelope.At ?? entry.PushedAt, wish, output, now);
        return result.Accepted || result.Rejection.Reason is RejectionReason.Oversize or RejectionReason.JsonConflictingFields
            ? result with { PushedAt = Later(result.PushedAt, envelope.NotBefore) }
            : Inner(RejectionReason.JsonStanzaInvalid, result.Rejection, envelope, envelope.Stanza, start);
    }

    private EncodeResult EncodeFields(in Envelope envelope, in QueueEntry entry, OutcomeWish wish, IBufferWriter<byte> output, DateTimeOffset now)
    {
        if (!StanzaFirewall.CheckTo(envelope.Bytes(envelope.To), envelope.To.Offset, out var fault)
            || (envelope.From.Exists && !_firewall.CheckFrom(envelope.Bytes(envelope.From), envelope.From.Offset, out fault)))
            return new EncodeResult(fault, 0);
        var hasDelay = false;
        var hasOriginId = false;
        var hasRequest = false;
        for (var i = 0; i < envelope.XmlCount; i++)
        {
            ref readonly var text = ref envelope.Xml(i);
            var element = StanzaFirewall.Trim(envelope.Bytes(text), out var start);
            if (!_firewall.TryInspectPayload(element, out var what, out fault))
                return Inner(RejectionReason.JsonXmlInvalid, fault, envelope, text, start);
            hasDelay |= what == AddedElement.Delay;
            hasOriginId |= what == AddedElement.OriginId;
            hasRequest |= what == AddedElement.ReceiptRequest;
        }

        if (IsExpired(envelope, entry, now, out var expired))
            return new EncodeResult(expired, 0);

        var ownId = envelope.Id.Length > 0;
        Span<byte> generatedId = stackalloc byte[GeneratedIds.MaxBytes];
        if (!ownId)
            generatedId = generatedId[..entry.Ids.Write(entry.Position, envelope.Bytes(envelope.To), generatedId)];
        var pushedAt = Later(envelope.At ?? entry.PushedAt, envelope.NotBefore);
        var answer = (envelope.Receipt ?? (_askReceipts && envelope.Body.Exists)) && MayAskReceipt(MessageTypeBytes[envelope.Type])
            ? AnswerKind.Receipt
            : AnswerKind.None;
        if (wish.IsPointless(answer, out fault))
            return new EncodeResult(fault, 0);
        if (envelope.NotBefore > now && !entry.CameAgain)
            return new EncodeResult(default, envelope.Id.Length > 0 ? OwnIds.HashOf(envelope.Bytes(envelope.Id), envelope.Bytes(envelope.To)) : 0)
            {
                NotYet = new NotYet(envelope.NotBefore.Value, envelope.At ?? entry.PushedAt),
            };
        scoped var message = new EnvelopeMessage(
            ownId ? envelope.Bytes(envelope.Id) : generatedId,
            hasOriginId,
            answer == AnswerKind.Receipt && !hasRequest,
            !hasDelay && IsLate(pushedAt, now) ? pushedAt : null);
        scoped var writer = new StanzaWriter(output.GetSpan(entry.Payload.Length + ExpectedGrowth));
        WriteMessage(ref writer, envelope, message);
        if (writer.Written > _maxBytes)
            return Oversize(writer.Written);
        if (writer.Overflowed)
        {
            writer = new StanzaWriter(output.GetSpan((int)writer.Written));
            WriteMessage(ref writer, envelope, message);
        }

        output.Advance((int)writer.Written);
        var to = envelope.Bytes(envelope.To);
        var idHash = ownId ? RecentDeliveries.HashOf(message.Id) : 0;
        return new EncodeResult(default, ownId ? OwnIds.HashWith(idHash, to) : 0, TicketOf(wish, message.Id, to, envelope.At ?? entry.PushedAt, answer))
        {
            Recipient = RecipientOf(to),
            PushedAt = pushedAt,
            IdHash = idHash,
        };
    }

    private void WriteMessage(ref StanzaWriter writer, scoped in Envelope envelope, scoped in EnvelopeMessage message)
    {
        writer.Write("<message"u8);
        writer.WriteAttribute(" from='"u8, envelope.From.Exists ? envelope.Bytes(envelope.From) : _defaultFrom);
        writer.WriteAttribute(" to='"u8, envelope.Bytes(envelope.To));
        writer.WriteAttribute(" id='"u8, message.Id);
        writer.Write(TypeAttributes[envelope.Type]);
        if (envelope.Lang.Exists)
            writer.WriteAttribute(" xml:lang='"u8, envelope.Bytes(envelope.Lang));
        writer.Write(">"u8);
        if (envelope.Subject.Exists)
            writer.WriteElement("<subject>"u8, envelope.Bytes(envelope.Subject), "</subject>"u8);
        if (envelope.Body.Exists)
            writer.WriteElement("<body>"u8, envelope.Bytes(envelope.Body), "</body>"u8);
        if (envelope.Thread.Exists)
            writer.WriteElement("<thread>"u8, envelope.Bytes(envelope.Thread), "</thread>"u8);
        for (var i = 0; i < envelope.XmlCount; i++)
            writer.Write(StanzaFirewall.Trim(envelope.Bytes(envelope.Xml(i)), out _));
        for (var i = 0; i < HintElements.Length; i++)
        {
            if (((int)envelope.Hints & (1 << i)) != 0)
                writer.Write(HintElements[i]);
        }

        if (!message.HasOriginId)
            WriteOriginId(ref writer, message.Id);
        if (message.AskReceipt)
            writer.Write(ReceiptRequest);
        if (message.Stamp is { } pushed)
            WriteDelay(ref writer, pushed);
        writer.Write("</message>"u8);
    }

    private static ReadOnlySpan<byte> ReceiptRequest => "<request xmlns='urn:xmpp:receipts'/>"u8;

    private static readonly byte[][] MessageTypeBytes = [.. Envelope.MessageTypes.Select(Encoding.ASCII.GetBytes)];

    private static readonly byte[][] TypeAttributes =
        [.. Envelope.MessageTypes.Select(type => Encoding.ASCII.GetBytes($" type='{type}'"))];

    private static readonly byte[][] HintElements =
        [.. Envelope.HintNames.Select(hint => Encoding.ASCII.GetBytes($"<{hint} xmlns='urn:xmpp:hints'/>"))];

    private static void WriteOriginId(ref StanzaWriter writer, ReadOnlySpan<byte> id)
    {
        writer.WriteAttribute("<origin-id xmlns='urn:xmpp:sid:0' id='"u8, id);
        writer.Write("/>"u8);
    }

    private void WriteDelay(ref StanzaWriter writer, DateTimeOffset pushed)
    {
        Span<byte> stamp = stackalloc byte[XmppTime.Length];
        XmppTime.Format(pushed, stamp);
        writer.Write(_delayBeforeStamp);
        writer.Write(stamp);
        writer.Write("'/>"u8);
    }

    private bool IsLate(DateTimeOffset? pushedAt, DateTimeOffset now) =>
        pushedAt is { } pushed && now - pushed > _delayStampAfter;

    private static DateTimeOffset? Later(DateTimeOffset? pushedAt, DateTimeOffset? notBefore) =>
        notBefore is { } due && !(pushedAt > due) ? due : pushedAt;

    private ulong RecipientOf(ReadOnlySpan<byte> to) => _mayTryAgain ? OwnIds.HashOf([], to) : 0;

    // A time to live counts from when the message was to be sent, else from the push; where nobody knows that, from the moment
    // the entry was first taken, which is the earliest that Bridge can vouch for.
    private static bool IsExpired(in Envelope envelope, in QueueEntry entry, DateTimeOffset now, out Rejection rejection)
    {
        rejection = default;

        // A difference cannot overflow; a sum could, for an entry id far in the future.
        var expired = envelope.Expires is { } deadline && now >= deadline;
        if (envelope.Ttl is { } ttl)
            expired |= now - (Later(envelope.At ?? entry.PushedAt, envelope.NotBefore) ?? entry.TakenAt) >= ttl;
        if (!expired)
            return false;
        rejection = new Rejection(RejectionReason.Expired, -1, "the time to live ended before it could be sent");
        return true;
    }

    private static EncodeResult Inner(RejectionReason reason, in Rejection inner, in Envelope envelope, in EnvelopeText text, int start) =>
        Reject(reason, envelope.OffsetOf(text, inner.Offset + start), $"{inner.Reason.WireName()}: {inner.Detail}");

    private EncodeResult Oversize(long bytes) =>
        Reject(RejectionReason.Oversize, -1, $"the stanza has {bytes} bytes, {_maxBytes} are allowed");

    private static EncodeResult Reject(RejectionReason reason, int offset, string detail) =>
        new(new Rejection(reason, offset, detail), 0);

    private OutcomeTicket? TicketOf(in OutcomeWish wish, ReadOnlySpan<byte> id, ReadOnlySpan<byte> to, DateTimeOffset? pushedAt, AnswerKind answer)
    {
        // Who waits for an answer wants to hear that none came.
        var wanted = wish.ReplyTo is not null || _outcomes == OutcomeMode.All || _mayTryAgain || (answer != AnswerKind.None && _outcomes == OutcomeMode.Failures);
        return wanted
            ? new OutcomeTicket(Encoding.UTF8.GetString(id), Encoding.UTF8.GetString(to), wish.ReplyTo, wish.Meta, pushedAt)
            {
                Answer = answer,
                AnswerWithin = wish.Timeout ?? (answer == AnswerKind.Receipt ? _answers.ReceiptTimeout : _answers.ResultTimeout),
            }
            : null;
    }

    /// <summary>What the app, or the bridge's settings, want of an entry besides its delivery.</summary>
    private readonly record struct OutcomeWish(string? ReplyTo, string? Meta, bool? Receipt, TimeSpan? Timeout)
    {
        /// <summary>Where the app says <c>receipt</c>.</summary>
        public int ReceiptOffset { get; init; }

        /// <summary>Where the app says <c>timeout</c>.</summary>
        public int TimeoutOffset { get; init; }

        /// <summary>Whether it wants an answer where none can be waited for.</summary>
        public bool IsPointless(AnswerKind waitsFor, out Rejection rejection)
        {
            rejection = Receipt == true && waitsFor != AnswerKind.Receipt
                ? new Rejection(RejectionReason.JsonConflictingFields, ReceiptOffset, "'receipt' is for messages of type chat and normal")
                : Timeout is not null && waitsFor == AnswerKind.None
                    ? new Rejection(RejectionReason.JsonConflictingFields, TimeoutOffset, "'timeout' needs 'receipt', or an iq of type get or set")
                    : default;
            return rejection.Reason != RejectionReason.None;
        }
    }

    /// <summary>A raw stanza and what is to be added to it.</summary>
    private readonly ref struct RawStanza(ReadOnlySpan<byte> stanza, scoped in StanzaShape shape, ReadOnlySpan<byte> generatedId, bool askReceipt, DateTimeOffset? stamp)
    {
        public readonly ReadOnlySpan<byte> Stanza = stanza;
        public readonly StanzaShape Shape = shape;
        public readonly ReadOnlySpan<byte> GeneratedId = generatedId;

        /// <summary>Whether a request for a receipt is to be added.</summary>
        public readonly bool AskReceipt = askReceipt;

        /// <summary>The delay stamp to add, if any.</summary>
        public readonly DateTimeOffset? Stamp = stamp;

        public bool AddId => !Shape.Id.Exists;

        public bool AddOriginId => AddId && Shape.Kind == StanzaKind.Message && !Shape.HasOriginId;
    }

    /// <summary>What an envelope's message carries besides the envelope's fields.</summary>
    private readonly ref struct EnvelopeMessage(ReadOnlySpan<byte> id, bool hasOriginId, bool askReceipt, DateTimeOffset? stamp)
    {
        /// <summary>The app's id or the generated one, not escaped.</summary>
        public readonly ReadOnlySpan<byte> Id = id;

        /// <summary>Whether the app's own elements bring an origin-id.</summary>
        public readonly bool HasOriginId = hasOriginId;

        /// <summary>Whether a request for a receipt is to be added.</summary>
        public readonly bool AskReceipt = askReceipt;

        /// <summary>The delay stamp to add, if any.</summary>
        public readonly DateTimeOffset? Stamp = stamp;
    }

    /// <summary>
    /// Fills a span from its front. What no longer fits is only counted: so a stanza that needs more
    /// room than was expected is written again by the same code into as much as it needs, one that is
    /// too large is not appended at all, and no length is computed apart from the writing.
    /// </summary>
    private ref struct StanzaWriter(Span<byte> target)
    {
        private readonly Span<byte> _target = target;

        /// <summary>Bytes written so far, or counted.</summary>
        public long Written { get; private set; }

        /// <summary>Whether not everything fitted: the span's content is worthless then.</summary>
        public readonly bool Overflowed => Written > _target.Length;

        // Empty once something did not fit.
        private readonly Span<byte> Room => Written < _target.Length ? _target[(int)Written..] : default;

        /// <summary>Appends bytes.</summary>
        public void Write(scoped ReadOnlySpan<byte> bytes)
        {
            bytes.TryCopyTo(Room);
            Written += bytes.Length;
        }

        /// <summary>Appends an attribute's beginning, quote included, its value, escaped, and the closing quote.</summary>
        public void WriteAttribute(scoped ReadOnlySpan<byte> beginning, scoped ReadOnlySpan<byte> value)
        {
            Write(beginning);
            var room = Room;
            Written += XmlText.FitsHoweverEscaped(value, room) || XmlText.EscapedAttributeLength(value) <= room.Length
                ? XmlText.EscapeAttribute(value, room)
                : XmlText.EscapedAttributeLength(value);
            Write("'"u8);
        }

        /// <summary>Appends a start tag, text, escaped, and an end tag.</summary>
        public void WriteElement(scoped ReadOnlySpan<byte> startTag, scoped ReadOnlySpan<byte> text, scoped ReadOnlySpan<byte> endTag)
        {
            Write(startTag);
            var room = Room;
            Written += XmlText.FitsHoweverEscaped(text, room) || XmlText.EscapedTextLength(text) <= room.Length
                ? XmlText.EscapeText(text, room)
                : XmlText.EscapedTextLength(text);
            Write(endTag);
        }
    }
}
