using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using Bridge.Outcomes;

namespace Bridge.TestKit;

/// <summary>A payload that a test pushed, and what of it must be found in the stanza that arrives.</summary>
/// <param name="Message">Its line in the ledger.</param>
/// <param name="Payload">The bytes in the queue.</param>
/// <param name="Body">The body; null: none may arrive.</param>
/// <param name="Extension">A payload element of the message; null: none was pushed.</param>
public sealed record PushedMessage(LedgerMessage Message, byte[] Payload, string? Body, XElement? Extension);

/// <summary>What becomes of a message that is no ordinary one, and whether it asks to be told of it.</summary>
/// <param name="Fate">What must become of it.</param>
/// <param name="AsksForReply">Whether it names a list for its reply.</param>
public readonly record struct OddMessage(MessageFate Fate, bool AsksForReply);

/// <summary>
/// Messages of every kind that apps push, in turn: short, with extensions, non-ASCII, self-closing, with and
/// without id and from, with either quotes, as JSON envelopes, and a large one now and then.
/// </summary>
public static class MixedMessages
{
    private const int LargeEvery = 500;
    private const int LargeBytes = 50 << 10;
    private const string LedgerNamespace = "urn:example:ledger";

    // Where somebody waits for a reply, settlements do not wait for one another: half of the time nobody does.
    private const int RepliesTakeTurnsEvery = 1_000;

    /// <summary>What does not arrive, for each reason, with and without an id of its own, with and without a list for its reply.</summary>
    public static readonly IReadOnlyList<OddMessage> Odd =
    [
        new(MessageFate.Bounces, false),
        new(MessageFate.Bounces, true),
        new(MessageFate.Dies, false),
        new(MessageFate.Dies, true),
        new(MessageFate.Expires, false),
        new(MessageFate.Expires, true),
    ];

    /// <summary>Every how many messages <see cref="Next"/> makes one of each kind.</summary>
    public const int Kinds = 10;

    /// <summary>The next message of a sequence.</summary>
    /// <param name="message">Its line in the ledger.</param>
    /// <param name="place">Its number in the sequence; decides about its kind.</param>
    /// <param name="domain">The component's domain.</param>
    /// <param name="withLarge">Whether every 500th has 50 KiB.</param>
    /// <param name="withReplies">Whether those of <see cref="AsksForReply"/> name a list.</param>
    public static PushedMessage Next(LedgerMessage message, long place, string domain, bool withLarge, bool withReplies = false)
    {
        var to = StartTag.Escape(message.Recipient);
        var id = message.Id;
        var number = place.ToString(CultureInfo.InvariantCulture);
        if (withLarge && place % LargeEvery == LargeEvery - 1)
        {
            var large = string.Concat(Enumerable.Repeat($"large {number} ", LargeBytes / 12));
            return Of($"<message to='{to}' id='{id}' type='chat'><body>{large}</body></message>", large);
        }

        switch (place % Kinds)
        {
            case 0:
                return Of($"<message to='{to}' id='{id}'><body>{number}</body></message>", number);
            case 1:
                var order = new XElement(
                    XName.Get("order", "urn:example:order"),
                    new XElement(XName.Get("item", "urn:example:order"), new XAttribute("sku", "a&b'c\"<" + number), "one > two"),
                    new XElement(XName.Get("note", "urn:example:note"), "of its own namespace"));
                return Of(
                    $"<message to='{to}' id='{id}' type='chat'><body>{number}</body>{order.ToString(SaveOptions.DisableFormatting)}" +
                    "<active xmlns='http://jabber.org/protocol/chatstates'/></message>",
                    number,
                    order);
            case 2:
                return Of(
                    $"<message to='{to}' id='{id}' type='chat'><subject>Grüße</subject><body>Ω 世界 🎉 &lt;&amp;&gt; {number}</body></message>",
                    $"Ω 世界 🎉 <&> {number}");
            case 3:
                return Of($"<message to='{to}' id='{id}'/>", null);
            case 4:
                // The id that Bridge gives is not known beforehand: the ledger's travels inside.
                return Of(
                    $"<message to='{to}' from='{domain}'><body>{number}</body><line xmlns='{LedgerNamespace}' n='{id}'/></message>", number);
            case 5:
                return Of($"<message type=\"headline\" id=\"{id}\" to=\"{to}\" from=\"news@{domain}/desk\"><body>{number}</body></message>", number);
            case 6:
                return Of(
                    $"<message xmlns='jabber:client' to='{to}' xml:lang='de'><body>{number}</body><line xmlns='{LedgerNamespace}' n='{id}'/></message>",
                    number);
            case 7:
                return Of(
                    WithReply(new JsonObject { ["to"] = message.Recipient, ["id"] = id, ["body"] = "Ω 世界 🎉 <&> " + number }),
                    "Ω 世界 🎉 <&> " + number);
            case 8:
                var line = $"<line xmlns='{LedgerNamespace}' n='{id}'/>";
                return Of(
                    WithReply(new JsonObject { ["to"] = message.Recipient, ["subject"] = "no id", ["body"] = number, ["xml"] = new JsonArray(line) }),
                    number);
            default:
                return Of($"\n<message\n\tto='{to}'\n\tid='{id}'>\n<body>line 1\nline {number}</body>\n</message>\n", $"line 1\nline {number}");
        }

        PushedMessage Of(string payload, string? body, XElement? extension = null) =>
            new(message, Encoding.UTF8.GetBytes(payload), body, extension);

        string WithReply(JsonObject envelope)
        {
            if (withReplies && AsksForReply(place, withLarge))
            {
                envelope["replyTo"] = ReplyList(message);
                envelope["meta"] = new JsonObject { ["line"] = id };
            }

            return envelope.ToJsonString();
        }
    }

    /// <summary>Whether the message at a place names a list for its reply, where replies are asked for.</summary>
    public static bool AsksForReply(long place, bool withLarge) =>
        place % Kinds is 7 or 8 && place / RepliesTakeTurnsEvery % 2 == 0 && !(withLarge && place % LargeEvery == LargeEvery - 1);

    /// <summary>One that does not arrive.</summary>
    /// <param name="message">Its line in the ledger; its recipient is nobody, where it bounces.</param>
    /// <param name="odd">One of <see cref="Odd"/>.</param>
    public static PushedMessage NextOdd(LedgerMessage message, OddMessage odd)
    {
        var (to, id) = (message.Recipient, message.Id);
        var envelope = new JsonObject { ["to"] = to, ["body"] = id };
        if (odd.AsksForReply)
        {
            envelope["replyTo"] = ReplyList(message);
            envelope["meta"] = new JsonObject { ["line"] = id };
        }

        switch (odd)
        {
            case (MessageFate.Bounces, false):
                return Of($"<message to='{StartTag.Escape(to)}' id='{id}' type='chat'><body>to nobody</body></message>");
            case (MessageFate.Bounces, true):
                break;
            case (MessageFate.Dies, false):
                return Of($"<message to='{StartTag.Escape(to)}' id='{id}'><body>fish & chips</body></message>");
            case (MessageFate.Dies, true):
                envelope["id"] = id;
                envelope["to"] = "@";
                break;
            case (MessageFate.Expires, var asks):
                (envelope["at"], envelope["ttl"]) = (1_000_000_000, 1);
                if (!asks)
                    envelope["id"] = id;
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(odd), odd, "It arrives.");
        }

        return Of(envelope.ToJsonString());

        PushedMessage Of(string payload) => new(message, Encoding.UTF8.GetBytes(payload), null, null);
    }

    /// <summary>The list that a message names for its reply.</summary>
    public static string ReplyList(LedgerMessage message)
    {
        ArgumentNullException.ThrowIfNull(message);
        return OutcomeTicket.ReplyKeyPrefix + message.Id;
    }

    /// <summary>The id in the ledger of a message that arrived; null for one without.</summary>
    public static string? LedgerId(ReceivedStanza stanza)
    {
        ReadOnlySpan<byte> mark = "xmlns='urn:example:ledger'"u8;
        var raw = stanza.Raw.Span;
        var at = raw.IndexOf(mark);
        if (at < 0)
            return stanza.Id;
        // Attributes may have changed places.
        var start = raw[..at].LastIndexOf((byte)'<');
        return StartTag.TryGet(raw[start..], "n"u8, out var id) ? Encoding.UTF8.GetString(id) : null;
    }

    /// <summary>What a stanza that arrived lacks of what was pushed, in words; null: nothing.</summary>
    public static string? Difference(PushedMessage pushed, ReceivedStanza stanza)
    {
        if (stanza.Body != pushed.Body)
            return $"body '{Shortened(stanza.Body)}' in place of '{Shortened(pushed.Body)}'";
        if (stanza.To is not { } to || !to.StartsWith(pushed.Message.Recipient, StringComparison.Ordinal))
            return $"to {stanza.To} in place of {pushed.Message.Recipient}";
        if (stanza.Id is null or "")
            return "no id";
        if (pushed.Extension is not { } extension)
            return null;
        var arrived = stanza.Element.Element(extension.Name);
        return arrived is not null && Described(arrived).SequenceEqual(Described(extension))
            ? null
            : $"extension {arrived} in place of {extension}";
    }

    // Declarations of namespaces are the server's to place.
    private static IEnumerable<string> Described(XElement element) =>
        element.DescendantsAndSelf().Select(part =>
            $"{part.Name} {string.Join(' ', part.Attributes().Where(a => !a.IsNamespaceDeclaration).OrderBy(a => a.Name.ToString()).Select(a => $"{a.Name}={a.Value}"))} {part.Value}");

    private static string? Shortened(string? text) => text is { Length: > 60 } ? text[..60] + "…" : text;
}
