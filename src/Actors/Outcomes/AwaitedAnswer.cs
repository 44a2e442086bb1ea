using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Bridge.Outcomes;

/// <summary>
/// A message that has left the journal and waits for an answer: what stands of it in <c>{q}:awaiting</c>, so that whoever
/// owns the queue when its time is over can tell how it ended.
/// </summary>
/// <param name="Key">Its field there, which no other message has.</param>
/// <param name="Outcome">What is known of its way; the ending is what it will be if nothing comes.</param>
/// <param name="Answer">What it waits for.</param>
/// <param name="Due">Until when.</param>
public sealed record AwaitedAnswer(string Key, Outcome Outcome, AnswerKind Answer, DateTimeOffset Due)
{
    private static readonly string[] Kinds = ["none", "receipt", "result", "bounce"];

    /// <summary>Whether what is sent of it is kept, for another attempt.</summary>
    public bool MayBeSentAgain { get; init; }

    /// <summary>As it stands in Redis.</summary>
    public string Json()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteString("id", Outcome.Id);
            writer.WriteString("to", Outcome.To);
            writer.WriteString("for", Kinds[(int)Answer]);
            writer.WriteString("else", Outcome.Ending.WireName());
            writer.WriteNumber("due", Due.ToUnixTimeMilliseconds());
            writer.WriteNumber("attempts", Outcome.Attempts);
            if (Outcome.Overtaken)
                writer.WriteBoolean("overtaken", true);
            if (MayBeSentAgain)
                writer.WriteBoolean("again", true);
            writer.WriteTime("pushed", Outcome.PushedAt);
            writer.WriteTime("taken", Outcome.TakenAt);
            writer.WriteTime("written", Outcome.WrittenAt);
            writer.WriteTime("confirmed", Outcome.ConfirmedAt);
            if (Outcome.ReplyTo is { } replyTo)
                writer.WriteString("replyTo", replyTo);
            if (Outcome.Meta is { } meta)
                writer.WriteString("meta", meta);
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    /// <summary>Reads what <see cref="Json" /> wrote. False: it is something else, which somebody put there by hand.</summary>
    public static bool TryRead(string key, string json, out AwaitedAnswer? awaited)
    {
        awaited = null;
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            awaited = new AwaitedAnswer(
                key,
                new Outcome(EndingNames.Of(root.GetProperty("else").GetString()), root.GetProperty("id").GetString()!, root.GetProperty("to").GetString()!)
                {
                    Attempts = root.GetProperty("attempts").GetInt32(),
                    Overtaken = root.TryGetProperty("overtaken", out _),
                    PushedAt = Time(root, "pushed"),
                    TakenAt = Time(root, "taken"),
                    WrittenAt = Time(root, "written"),
                    ConfirmedAt = Time(root, "confirmed"),
                    ReplyTo = Text(root, "replyTo"),
                    Meta = Text(root, "meta"),
                },
                (AnswerKind)Array.IndexOf(Kinds, root.GetProperty("for").GetString()),
                DateTimeOffset.FromUnixTimeMilliseconds(root.GetProperty("due").GetInt64()))
            {
                MayBeSentAgain = root.TryGetProperty("again", out _),
            };
            return awaited.Answer > AnswerKind.None;
        }
        catch (Exception mistake) when (mistake is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentOutOfRangeException)
        {
            return false;
        }
    }

    private static string? Text(JsonElement root, string name) => root.TryGetProperty(name, out var value) ? value.GetString() : null;

    private static DateTimeOffset? Time(JsonElement root, string name) =>
        root.TryGetProperty(name, out var value) ? DateTimeOffset.FromUnixTimeMilliseconds(value.GetInt64()) : null;
}
