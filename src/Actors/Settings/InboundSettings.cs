namespace Bridge.Settings;

/// <summary>Kinds of stanzas that go to the app.</summary>
[Flags]
public enum InboundStanzas
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary>Messages.</summary>
    Message = 1,

    /// <summary>Presence.</summary>
    Presence = 2,

    /// <summary>Requests that Bridge does not answer by itself.</summary>
    Iq = 4,
}

/// <summary>Who decides on requests for a presence subscription (RFC 6121 §3) to the component's addresses.</summary>
public enum SubscriptionPolicy
{
    /// <summary>Bridge, which refuses.</summary>
    Refuse,

    /// <summary>Bridge, which accepts, and says to each who asks that it is there.</summary>
    Accept,

    /// <summary>The app, which gets the requests.</summary>
    App,
}

/// <summary>What becomes of stanzas that users send to the component's addresses.</summary>
public sealed record InboundSettings
{
    /// <summary>The kinds that go to the app.</summary>
    public InboundStanzas Stanzas { get; init; } = InboundStanzas.Message;

    /// <summary>Entries kept in <c>{q}:inbound</c>, and in the list.</summary>
    public long MaxEntries { get; init; } = 10_000;

    /// <summary>A list that gets each of them as well, as JSON; null: none.</summary>
    public string? List { get; init; }

    /// <summary>Whether each is also published on the channel of its recipient.</summary>
    public bool Publish { get; init; }

    /// <summary>Stanzas that Redis has not acknowledged, kept in memory; beyond, their senders are refused.</summary>
    public int Buffer { get; init; } = 1_000;

    /// <summary>Their bytes.</summary>
    public long BufferBytes { get; init; } = 16 << 20;

    /// <summary>Who decides on subscriptions.</summary>
    public SubscriptionPolicy Subscriptions { get; init; } = SubscriptionPolicy.Refuse;
}
