namespace Bridge.Outcomes;

/// <summary>What is to be told of a message when it has ended. Made by the encoder where somebody wants to know.</summary>
/// <param name="Id">Its stanza id.</param>
/// <param name="To">The recipient, as it was written; empty where the payload told none.</param>
/// <param name="ReplyTo">The list that gets the outcome, if the message names one.</param>
/// <param name="Meta">The app's own notes: a JSON object, as it was written.</param>
/// <param name="PushedAt">When it was pushed, where that is known.</param>
public sealed record OutcomeTicket(string Id, string To, string? ReplyTo, string? Meta, DateTimeOffset? PushedAt)
{
    /// <summary>How the key of every such list begins, so that no message can name a key of something else.</summary>
    public const string ReplyKeyPrefix = "bridge:reply:";

    /// <summary>How often it was written before it was put off.</summary>
    public int PriorAttempts { get; init; }

    /// <summary>Whether messages that were pushed behind it went before it.</summary>
    public bool Overtaken { get; init; }

    /// <summary>What it waits for before it ends.</summary>
    public AnswerKind Answer { get; init; }

    /// <summary>How long it waits, from when it was written.</summary>
    public TimeSpan AnswerWithin { get; init; }
}

/// <summary>What a message may wait for, besides its confirmation.</summary>
public enum AnswerKind
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>A receipt of the recipient's client (XEP-0184).</summary>
    Receipt,

    /// <summary>The result of a request (RFC 6120 §8.2.3), or its error.</summary>
    Result,

    /// <summary>Whether it bounces, for it would be tried again.</summary>
    Bounce,
}
