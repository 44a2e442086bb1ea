using System.Collections.Frozen;

namespace Bridge.Outcomes;

/// <summary>How a message ended: a closed set. Each ends in exactly one way; only <see cref="Bounced" /> may follow another, marked as late.</summary>
public enum Ending
{
    /// <summary>The server has read and routed it (grade accepted).</summary>
    Accepted,

    /// <summary>And the stream lived on for the hold (grade held).</summary>
    Held,

    /// <summary>The recipient's client answered it: a receipt (XEP-0184), or the result of a request.</summary>
    Received,

    /// <summary>It was confirmed, and an answer was asked for that did not come in time.</summary>
    Unconfirmed,

    /// <summary>A stanza error answered it (RFC 6120 §8.3).</summary>
    Bounced,

    /// <summary>Its time was over before it could be sent; it is among the dead letters as well.</summary>
    Expired,

    /// <summary>It cannot be sent, and stands in the dead-letter stream with the reason.</summary>
    Dead,
}

/// <summary>The endings' names in Redis.</summary>
public static class EndingNames
{
    private static readonly FrozenDictionary<Ending, string> Names =
        Enum.GetValues<Ending>().ToFrozenDictionary(ending => ending, ending => ending.ToString().ToLowerInvariant());

    /// <summary>The ending of a name.</summary>
    /// <exception cref="FormatException">There is none.</exception>
    public static Ending Of(string? name)
    {
        foreach (var (ending, known) in Names)
        {
            if (known == name)
                return ending;
        }

        throw new FormatException("There is no such ending.");
    }

    /// <summary>The name of an ending, in lower case.</summary>
    public static string WireName(this Ending ending) => Names[ending];
}
