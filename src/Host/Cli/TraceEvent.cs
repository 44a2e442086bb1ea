using System.Globalization;
using System.Text.Json.Serialization;
using Bridge.Outcomes;
using Bridge.Telemetry;
using StackExchange.Redis;

namespace Bridge.Host.Cli;

/// <summary>One thing that happened to a message.</summary>
/// <param name="Bridge">Whose it was.</param>
/// <param name="At">When.</param>
/// <param name="Event">What: pushed, taken, written, confirmed, or its ending.</param>
/// <param name="Node">Who tells: a node, or Redis.</param>
/// <param name="Detail">More, on one line; no body.</param>
internal sealed record TraceEvent(string Bridge, DateTimeOffset At, string Event, string Node, string Detail)
{
    private const string Redis = "redis";

    private static readonly string[] Words = ["reason", "type", "condition", "text"];
    private static readonly string[] Steps = ["pushed", "taken", "written", "confirmed"];

    /// <summary>
    /// Where what it is a part of stands among the others: the steps of one delivery stay together and in order, whatever the clocks of
    /// Redis and of the node say, by the time at which it was written. What bounced then stands behind it, also where the bounce was
    /// told before the barrier behind the message had returned.
    /// </summary>
    [JsonIgnore]
    public DateTimeOffset Place { get; init; } = At;

    /// <summary>Which step of that it is.</summary>
    [JsonIgnore]
    public int Step => Array.IndexOf(Steps, Event) is >= 0 and var step ? step : Steps.Length;

    /// <summary>The steps of a delivery that a node remembers.</summary>
    public static IEnumerable<TraceEvent> Of(string bridge, string node, Delivery delivery)
    {
        if (delivery.PushedAt is { } pushed)
            yield return new(bridge, pushed, "pushed", node, "") { Place = delivery.WrittenAt };
        yield return new(bridge, delivery.TakenAt, "taken", node, "") { Place = delivery.WrittenAt };
        yield return new(bridge, delivery.WrittenAt, "written", node, delivery.Attempts > 1 ? string.Create(CultureInfo.InvariantCulture, $"attempt {delivery.Attempts}") : "") { Place = delivery.WrittenAt };
        var took = string.Create(CultureInfo.InvariantCulture, $"{(delivery.ConfirmedAt - delivery.TakenAt).TotalMilliseconds:0} ms after it was taken");
        yield return new(bridge, delivery.ConfirmedAt, "confirmed", node, took) { Place = delivery.WrittenAt };
    }

    /// <summary>What an entry of the outcome stream tells.</summary>
    /// <param name="bridge">Whose it is.</param>
    /// <param name="entry">The entry.</param>
    /// <param name="isRemembered">Whether a node has told the steps already.</param>
    public static IEnumerable<TraceEvent> OfOutcome(string bridge, StreamEntry entry, bool isRemembered)
    {
        var over = MillisecondsOf((string)entry.Id!);
        foreach (var step in isRemembered ? [] : Steps)
        {
            if ((long?)entry[step] is { } at)
                yield return new(bridge, DateTimeOffset.FromUnixTimeMilliseconds(at), step, Redis, "") { Place = over };
        }

        var words = Words.Select(name => (string?)entry[name]).Where(text => !string.IsNullOrEmpty(text));
        yield return new(
            bridge,
            over,
            (string?)entry["ending"] ?? "ended",
            Redis,
            string.Join(' ', words.Append((string?)entry["attempts"] is { } attempts and not "1" ? $"(written {attempts} times)" : "").Where(text => text!.Length > 0)));
    }

    /// <summary>What a dead letter tells.</summary>
    public static IEnumerable<TraceEvent> Of(string bridge, DeadLetter letter)
    {
        yield return new(bridge, letter.TakenAt, "taken", Redis, "") { Place = letter.At };
        yield return new(bridge, letter.At, "dead-lettered", Redis, $"{letter.Reason}{(letter.Detail.Length > 0 ? ": " + letter.Detail : "")} (bridge dead show {letter.Id})");
    }

    /// <summary>A time for people.</summary>
    public static string Time(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    private static DateTimeOffset MillisecondsOf(string id) =>
        DateTimeOffset.FromUnixTimeMilliseconds(long.Parse(id.AsSpan(0, id.IndexOf('-', StringComparison.Ordinal)), NumberStyles.None, CultureInfo.InvariantCulture));
}
