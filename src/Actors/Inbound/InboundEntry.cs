using System.Buffers;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Bridge.Connection;
using Bridge.Stanzas;
using Bridge.Telemetry;

namespace Bridge.Inbound;

/// <summary>One stanza on its way to the app. Immutable; what the app reads of it is made when it is written to Redis.</summary>
/// <param name="Session">Whose count <see cref="Number" /> belongs to: random, one per life of a connection's actor.</param>
/// <param name="Number">Counts the session's entries from 1, without a gap.</param>
/// <param name="At">When it came.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Type">Its type; null where it has none.</param>
/// <param name="Id">Its id; null where it has none.</param>
/// <param name="From">The sender.</param>
/// <param name="To">The recipient.</param>
/// <param name="Error">What an error says; null for all that is none.</param>
/// <param name="Xml">The stanza as it came.</param>
public sealed record InboundEntry(
    string Session,
    long Number,
    DateTimeOffset At,
    StanzaKind Kind,
    string? Type,
    string? Id,
    string? From,
    string? To,
    StanzaError? Error,
    ReadOnlyMemory<byte> Xml)
{
    // What an entry costs besides its bytes, roughly.
    private const int Overhead = 512;

    // It goes into Redis, not into a page: only what JSON demands is escaped.
    private static readonly JsonWriterOptions JsonOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>An entry of a stanza that is no error.</summary>
    public static InboundEntry Of(string session, long number, DateTimeOffset at, StanzaReceived stanza)
    {
        ArgumentNullException.ThrowIfNull(stanza);
        return new InboundEntry(session, number, at, stanza.Kind, stanza.Type, stanza.Id, stanza.From, stanza.To, null, stanza.Xml);
    }

    /// <summary>An entry of an error that answers nothing of ours.</summary>
    public static InboundEntry Of(string session, long number, DateTimeOffset at, StanzaBounced error)
    {
        ArgumentNullException.ThrowIfNull(error);
        return new InboundEntry(session, number, at, error.Kind, "error", error.Id, error.From, error.To, error.Error, error.Xml);
    }

    /// <summary>What it takes of a buffer.</summary>
    public int Bytes => Xml.Length + Overhead;

    /// <summary>Unique to this stanza, and the same in every repetition.</summary>
    public string Stamp => string.Create(CultureInfo.InvariantCulture, $"{Session}-{Number}");

    /// <summary>The kind that metrics count it under.</summary>
    internal InboundKind Counted => BridgeMetrics.KindOf(Kind);

    /// <summary>The local part of the recipient; empty where there is none.</summary>
    public string LocalPart
    {
        get
        {
            var bare = To.AsSpan();
            var slash = bare.IndexOf('/');
            if (slash >= 0)
                bare = bare[..slash];
            var at = bare.IndexOf('@');
            return at < 0 ? "" : bare[..at].ToString();
        }
    }

    /// <summary>The text fields, names and values in their order, without <c>xml</c>; what the stanza does not have has none.</summary>
    public IReadOnlyList<(string Name, string Value)> Fields()
    {
        var (body, subject) = Kind == StanzaKind.Message ? MessageText.Read(Xml.Span) : default;
        var fields = new List<(string Name, string Value)>(12) { ("kind", KindName) };
        Add("type", Type);
        Add("id", Id);
        Add("from", From);
        Add("to", To);
        Add("body", body);
        Add("subject", subject);
        if (Error is { } error)
        {
            fields.Add(("condition", StanzaError.WireName(error.Condition)));
            fields.Add(("error-type", StanzaError.WireName(error.Type)));
            Add("text", error.Text);
        }

        fields.Add(("at", At.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture)));
        fields.Add(("stamp", Stamp));
        return fields;

        void Add(string name, string? value)
        {
            if (value is not null)
                fields.Add((name, value));
        }
    }

    /// <summary>The same as a JSON object, <c>xml</c> last; <c>at</c> is a number.</summary>
    /// <param name="fields">What <see cref="Fields" /> gives.</param>
    public byte[] Json(IReadOnlyList<(string Name, string Value)> fields)
    {
        ArgumentNullException.ThrowIfNull(fields);
        var buffer = new ArrayBufferWriter<byte>(Xml.Length + Overhead);
        using (var writer = new Utf8JsonWriter(buffer, JsonOptions))
        {
            writer.WriteStartObject();
            foreach (var (name, value) in fields)
            {
                if (name == "at")
                    writer.WriteNumber(name, At.ToUnixTimeMilliseconds());
                else
                    writer.WriteString(name, value);
            }

            writer.WriteString("xml", Xml.Span);
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private string KindName => Kind switch
    {
        StanzaKind.Message => "message",
        StanzaKind.Presence => "presence",
        StanzaKind.Iq => "iq",
        _ => "other",
    };
}
