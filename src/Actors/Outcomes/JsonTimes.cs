using System.Text.Json;

namespace Bridge.Outcomes;

/// <summary>Times in JSON, as everywhere in Redis: milliseconds of Unix time.</summary>
internal static class JsonTimes
{
    /// <summary>Writes a time, where it is known.</summary>
    public static void WriteTime(this Utf8JsonWriter writer, string name, DateTimeOffset? time)
    {
        if (time is { } at)
            writer.WriteNumber(name, at.ToUnixTimeMilliseconds());
    }
}
