using System.Globalization;
using System.Text.Json;
using StackExchange.Redis;

namespace Bridge.TestKit;

/// <summary>What must become of a message that a test pushed.</summary>
public enum MessageFate
{
    /// <summary>Its recipient gets it.</summary>
    Arrives,

    /// <summary>Nobody has its address: the server sends it back, or the news of it is lost with a stream that breaks.</summary>
    Bounces,

    /// <summary>Its time is over when it is pushed.</summary>
    Expires,

    /// <summary>Its time may be over before it is sent: it arrives, or it expires.</summary>
    MayExpire,

    /// <summary>It cannot be sent.</summary>
    Dies,
}

/// <summary>What a fault explains, and nothing else does.</summary>
[Flags]
public enum LedgerExcuses
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>
    /// The server died, and with it the sessions of recipients who exist: what it had for them it sent back.
    /// </summary>
    SessionsDied = 1,

    /// <summary>
    /// Whoever carries replies failed between a reply's arrival in its list and its removal from <c>{q}:replies</c>, or Redis
    /// did, or forgot the removal: the list may have it more than once.
    /// </summary>
    RepliesRepeated = 2,
}

/// <summary>An ending as it was told: in the outcome stream, or in a reply.</summary>
/// <param name="Ending">Its name.</param>
/// <param name="Late">Whether it says that it comes behind another one.</param>
/// <param name="Details">Everything else that it says, in one form for both places.</param>
public sealed record ToldEnding(string Ending, bool Late = false, string Details = "")
{
    /// <summary>Reads an entry of the outcome stream.</summary>
    public static ToldEnding Of(StreamEntry outcome) => new(
        (string?)outcome["ending"] ?? "",
        outcome["late"] == "1",
        Joined(outcome.Values
            .Select(field => ((string)field.Name!, Value: (string?)field.Value ?? ""))
            // Of a bounce without words the stream has an empty field, the reply none.
            .Where(field => field is not ("ending", _) and not ("late", _) and not ("text", ""))
            .Select(field => field.Item1 == "meta" ? (field.Item1, Normal(field.Value)) : field)));

    /// <summary>Reads a reply.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    public static (string? Id, ToldEnding Told) OfReply(string reply)
    {
        using var document = JsonDocument.Parse(reply);
        var fields = document.RootElement;
        var told = new ToldEnding(
            fields.TryGetProperty("ending", out var ending) ? ending.GetString() ?? "" : "",
            fields.TryGetProperty("late", out var late) && late.GetBoolean(),
            Joined(fields.EnumerateObject()
                .Where(field => field.Name is not ("ending" or "late"))
                .Select(field => (field.Name, field.Value.ValueKind switch
                {
                    JsonValueKind.String => field.Value.GetString() ?? "",
                    JsonValueKind.Object => Normal(field.Value.GetRawText()),
                    _ => field.Value.GetRawText(),
                }))));
        return (fields.TryGetProperty("id", out var id) ? id.GetString() : null, told);
    }

    /// <inheritdoc/>
    public override string ToString() => Late ? Ending + " (late)" : Ending;

    private static string Joined(IEnumerable<(string Name, string Value)> fields) => string.Join(
        ' ', fields.OrderBy(field => field.Name, StringComparer.Ordinal).Select(field => $"{field.Name}={field.Value}"));

    private static string Normal(string json)
    {
        using var document = JsonDocument.Parse(json);
        return JsonSerializer.Serialize(document.RootElement);
    }
}

/// <summary>What is known of a message when its endings are judged.</summary>
/// <param name="Fate">What must become of it.</param>
/// <param name="Arrivals">How often it arrived.</param>
/// <param name="DeadLetters">How many dead letters it has.</param>
/// <param name="AsksForReply">Whether it names a list for its reply.</param>
/// <param name="WasSentBack">Whether the test had the server send it back, whatever else became of it.</param>
/// <param name="Told">Its entries of the outcome stream, in order.</param>
/// <param name="Replies">What its list has, in order.</param>
public sealed record MessageHistory(
    MessageFate Fate,
    int Arrivals,
    int DeadLetters,
    bool AsksForReply,
    bool WasSentBack,
    IReadOnlyList<ToldEnding> Told,
    IReadOnlyList<ToldEnding> Replies);

/// <summary>What is wrong with what was told of a message, by kind; null: nothing.</summary>
/// <param name="Untold">Whether it has no ending.</param>
/// <param name="ToldTwice">An ending too many.</param>
/// <param name="WronglyTold">An ending that says other than what happened.</param>
/// <param name="Unanswered">Whether it has no reply, and asked for one.</param>
/// <param name="AnsweredTwice">A reply too many.</param>
/// <param name="WronglyAnswered">A reply that says other than the stream.</param>
public readonly record struct EndingFaults(
    bool Untold, string? ToldTwice, string? WronglyTold, bool Unanswered, string? AnsweredTwice, string? WronglyAnswered)
{
    private static readonly string[] Confirmed = ["accepted", "held", "received", "unconfirmed"];

    /// <summary>Holds what was told of a message against what became of it.</summary>
    /// <param name="message">The message.</param>
    /// <param name="excuses">What a fault explains.</param>
    public static EndingFaults Of(MessageHistory message, LedgerExcuses excuses)
    {
        var endings = message.Told.Where(told => !told.Late).ToList();
        var sequels = message.Told.Where(told => told.Late).ToList();
        var mayBounce = message.Fate == MessageFate.Bounces || message.WasSentBack
            || (message.Fate is MessageFate.Arrives or MessageFate.MayExpire && excuses.HasFlag(LedgerExcuses.SessionsDied));
        var (answeredTwice, wronglyAnswered) = Answers(message, endings, excuses);
        return new EndingFaults(
            endings.Count == 0,
            IsOnce(endings, sequels) ? null : string.Join(", ", message.Told),
            endings.Concat(sequels).Select(told => Contradiction(told, message, mayBounce, sequels.Count > 0)).FirstOrDefault(words => words is not null)
            ?? (message.DeadLetters > 0 && !endings.Exists(told => told.Ending is "dead" or "expired") && endings.Count > 0
                ? $"{endings[0]}, and it is dead-lettered"
                : null),
            message is { AsksForReply: true, Replies.Count: 0 },
            answeredTwice,
            wronglyAnswered);
    }

    // A bounce may come behind what the barrier told, and behind nothing else.
    private static bool IsOnce(List<ToldEnding> endings, List<ToldEnding> sequels) =>
        endings.Count <= 1 && sequels is [] or [{ Ending: "bounced" }]
        && (sequels.Count == 0 || endings is [] or [{ Ending: "accepted" or "held" or "unconfirmed" }]);

    private static string? Contradiction(ToldEnding told, MessageHistory message, bool mayBounce, bool bouncedLate)
    {
        switch (told.Ending)
        {
            case "received" when message.Fate == MessageFate.Bounces:
                return $"{told}, and nobody has its address";
            case var confirmed when Confirmed.Contains(confirmed):
                if (message.Fate is MessageFate.Expires or MessageFate.Dies)
                    return $"{told}, and it cannot be sent";
                return message is { Fate: MessageFate.Arrives or MessageFate.MayExpire, Arrivals: 0 } && !(bouncedLate && mayBounce)
                    ? $"{told}, and it never arrived"
                    : null;
            case "bounced":
                if (mayBounce)
                    return null;
                return message.Fate is MessageFate.Arrives or MessageFate.MayExpire ? $"{told}, and its address exists" : $"{told}, and it cannot be sent";
            case "expired" or "dead":
                var isRight = told.Ending == "dead"
                    ? message.Fate == MessageFate.Dies
                    : message.Fate is MessageFate.Expires or MessageFate.MayExpire;
                if (!isRight)
                    return $"{told}, and it had to {Must(message.Fate)}";
                if (message.Arrivals > 0)
                    return $"{told}, and it arrived";
                return message.DeadLetters == 0 ? $"{told}, and it has no dead letter" : null;
            default:
                return $"'{told}' is no ending";
        }
    }

    private static string Must(MessageFate fate) => fate switch
    {
        MessageFate.Arrives => "arrive",
        MessageFate.Bounces => "bounce",
        MessageFate.Expires => "expire",
        MessageFate.MayExpire => "arrive or expire",
        _ => "die",
    };

    private static (string? Twice, string? Wrongly) Answers(MessageHistory message, List<ToldEnding> endings, LedgerExcuses excuses)
    {
        if (message.Replies.Count == 0)
            return default;
        if (!message.AsksForReply)
            return (null, $"{message.Replies[0]}, and it asked for no reply");
        // Where it is told twice or not at all, that is what is wrong.
        var other = endings.Count == 0 ? null : message.Replies.FirstOrDefault(reply => !endings.Contains(reply));
        var wrongly = other is null ? null : $"reply '{other}' {other.Details}, stream '{endings[0]}' {endings[0].Details}";
        var isTwice = message.Replies.Distinct().Count() > 1
            || (message.Replies.Count > 1 && !excuses.HasFlag(LedgerExcuses.RepliesRepeated));
        return (isTwice ? string.Create(CultureInfo.InvariantCulture, $"{string.Join(", ", message.Replies)}") : null, wrongly);
    }
}
