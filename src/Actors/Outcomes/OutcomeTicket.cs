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
}
