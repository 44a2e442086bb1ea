using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Bridge.Host.Cli;

/// <summary>One entry of a stream that <c>bridge tail</c> follows.</summary>
/// <param name="Stream"><c>outcomes</c> or <c>inbound</c>.</param>
/// <param name="Id">The entry's id in Redis.</param>
/// <param name="Fields">Its fields, in order.</param>
internal sealed record TailLine(string Stream, string Id, IReadOnlyList<KeyValuePair<string, string>> Fields)
{
    private const int LongestText = 200;

    // Readable in a terminal; control characters are escaped all the same.
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Whether it may stand where an entry id is asked for.</summary>
    public static bool IsId(string text)
    {
        var parts = text.Split('-');
        return parts.Length <= 2 && parts.All(part => ulong.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out _));
    }

    /// <summary>The milliseconds of Unix time in the id.</summary>
    public long Milliseconds =>
        long.TryParse(Id.AsSpan(0, Math.Max(0, Id.IndexOf('-', StringComparison.Ordinal))), NumberStyles.None, CultureInfo.InvariantCulture, out var at) ? at : 0;

    /// <summary>For people: one line without control characters, with the time at which Redis got it.</summary>
    public string Words()
    {
        var words = new StringBuilder(Time()).Append(' ').Append(Stream == "inbound" ? "inbound" : "outcome");
        if (Stream == "inbound")
        {
            Add("kind", " ");
            Add("type", " ");
            Add("from", " ");
            Add("to", " -> ");
            Add("id", " id=");
            Add("error-type", " ");
            Add("condition", " ");
            Add("text", ": ");
            Add("subject", " subject: ");
            Add("body", " body: ");
        }
        else
        {
            Add("ending", " ");
            if (Find("late") is not null)
                words.Append(" late");
            Add("to", " to ");
            Add("id", " id=");
            Add("reason", " ");
            Add("type", " ");
            Add("condition", " ");
            Add("text", ": ");
            Add("meta", " meta=");
        }

        return OneBridge.OneLine(words.ToString());

        void Add(string name, string before)
        {
            if (Find(name) is not { Length: > 0 } value)
                return;
            words.Append(before).Append(value.Length <= LongestText ? value : value[..LongestText] + "…");
        }
    }

    /// <summary>For programs: a JSON object in one line, with every field.</summary>
    public string Json()
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, Options))
        {
            writer.WriteStartObject();
            writer.WriteString("stream", Stream);
            writer.WriteString("entry", Id);
            foreach (var (name, value) in Fields)
                writer.WriteString(name, value);
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    private string? Find(string name)
    {
        foreach (var (found, value) in Fields)
        {
            if (found == name)
                return value;
        }

        return null;
    }

    // An app may give entries ids of its own.
    private string Time() => Milliseconds <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds()
        ? DateTimeOffset.FromUnixTimeMilliseconds(Milliseconds).ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture)
        : Id;
}
