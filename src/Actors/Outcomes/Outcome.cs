using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Bridge.Settings;
using Bridge.Stanzas;

namespace Bridge.Outcomes;

/// <summary>How a message ended, as it is told. Times are those of Bridge's clock, but for those that Redis or the app gave.</summary>
/// <param name="Ending">How.</param>
/// <param name="Id">Its stanza id.</param>
/// <param name="To">The recipient; empty where the payload told none.</param>
public sealed record Outcome(Ending Ending, string Id, string To)
{
    /// <summary>Another ending was told before, or would have been: the bounce came after the message had left Redis.</summary>
    public bool Late { get; init; }

    /// <summary>What bounced.</summary>
    public StanzaKind Kind { get; init; }

    /// <summary>The error of a bounce.</summary>
    public StanzaError? Error { get; init; }

    /// <summary>The result that answered a request: the iq, as it came.</summary>
    public string? Answer { get; init; }

    /// <summary>Why it is dead: the dead letter's reason. Or why an answer was not waited for.</summary>
    public string? Reason { get; init; }

    /// <summary>When it was pushed, where that is known.</summary>
    public DateTimeOffset? PushedAt { get; init; }

    /// <summary>When it was first taken from the queue.</summary>
    public DateTimeOffset? TakenAt { get; init; }

    /// <summary>When it was last written to the server.</summary>
    public DateTimeOffset? WrittenAt { get; init; }

    /// <summary>When its barrier returned.</summary>
    public DateTimeOffset? ConfirmedAt { get; init; }

    /// <summary>How often it was written, as far as the process knows that tells it.</summary>
    public int Attempts { get; init; }

    /// <summary>Whether messages that were pushed behind it went before it: it was put off, or tried again.</summary>
    public bool Overtaken { get; init; }

    /// <summary>The app's own notes: a JSON object, as it was written.</summary>
    public string? Meta { get; init; }

    /// <summary>The list that gets it, if the message names one.</summary>
    public string? ReplyTo { get; init; }

    /// <summary>Whether it belongs into the stream of outcomes of a bridge in this mode.</summary>
    public bool IsWantedBy(OutcomeMode mode) => mode switch
    {
        OutcomeMode.All => true,
        OutcomeMode.Failures => Ending is Ending.Unconfirmed or Ending.Bounced or Ending.Expired or Ending.Dead,
        _ => false,
    };

    /// <summary>The fields of the outcome stream's entry, names and values in turn; what is not known has none.</summary>
    public IReadOnlyList<string> Fields()
    {
        List<string> fields = ["ending", Ending.WireName(), "id", Id, "to", To];
        Add("late", Late ? "1" : null);
        if (Error is { } error)
        {
            fields.AddRange(["kind", KindName, "type", StanzaError.WireName(error.Type), "condition", StanzaError.WireName(error.Condition)]);
            fields.AddRange(["text", error.Text ?? ""]);
        }

        Add("reason", Reason);
        Add("attempts", Attempts > 0 ? Attempts.ToString(CultureInfo.InvariantCulture) : null);
        Add("overtaken", Overtaken ? "1" : null);
        Add("pushed", Milliseconds(PushedAt));
        Add("taken", Milliseconds(TakenAt));
        Add("written", Milliseconds(WrittenAt));
        Add("confirmed", Milliseconds(ConfirmedAt));
        Add("meta", Meta);
        Add("answer", Answer);
        return fields;

        void Add(string name, string? value)
        {
            if (value is not null)
                fields.AddRange([name, value]);
        }

        static string? Milliseconds(DateTimeOffset? time) => time?.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>The reply: a JSON object with the same names.</summary>
    public string Json()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, JsonOptions))
        {
            writer.WriteStartObject();
            writer.WriteString("ending", Ending.WireName());
            writer.WriteString("id", Id);
            writer.WriteString("to", To);
            if (Late)
                writer.WriteBoolean("late", true);
            if (Error is { } error)
            {
                writer.WriteString("kind", KindName);
                writer.WriteString("type", StanzaError.WireName(error.Type));
                writer.WriteString("condition", StanzaError.WireName(error.Condition));
                if (error.Text is not null)
                    writer.WriteString("text", error.Text);
            }

            if (Reason is not null)
                writer.WriteString("reason", Reason);
            if (Attempts > 0)
                writer.WriteNumber("attempts", Attempts);
            if (Overtaken)
                writer.WriteBoolean("overtaken", true);
            writer.WriteTime("pushed", PushedAt);
            writer.WriteTime("taken", TakenAt);
            writer.WriteTime("written", WrittenAt);
            writer.WriteTime("confirmed", ConfirmedAt);
            if (Meta is not null)
            {
                writer.WritePropertyName("meta");
                // The envelope's reader has accepted it as an object.
                writer.WriteRawValue(Meta, skipInputValidation: true);
            }

            if (Answer is not null)
                writer.WriteString("answer", Answer);

            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    // It goes into Redis, not into a page: only what JSON demands is escaped.
    private static readonly JsonWriterOptions JsonOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private string KindName => Kind switch
    {
        StanzaKind.Message => "message",
        StanzaKind.Presence => "presence",
        StanzaKind.Iq => "iq",
        _ => "other",
    };
}
