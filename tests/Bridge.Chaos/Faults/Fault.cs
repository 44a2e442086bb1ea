using Bridge.Chaos.Running;

namespace Bridge.Chaos.Faults;

/// <summary>What is struck. Two faults at once never strike the same.</summary>
internal enum FaultTarget
{
    RedisLink,
    XmppLink,
    Redis,
    Server,
    Bridge,
}

/// <summary>Which repetitions a fault may cause, as the README promises; each holds the ones before.</summary>
internal enum Repeats
{
    /// <summary>The stream to the server lives on, or ends in order.</summary>
    Nothing,

    /// <summary>What was unconfirmed, and what the mark did not tell yet.</summary>
    Unconfirmed,

    /// <summary>What was held as well: the server died, or cannot be shown to have lived on.</summary>
    Held,
}

/// <summary>One thing that goes wrong for a while.</summary>
/// <param name="Name">Its kind, as counted and reported.</param>
/// <param name="Target">What it strikes.</param>
/// <param name="Repeats">What it explains.</param>
/// <param name="Length">How long it lasts until it is healed.</param>
internal abstract record Fault(string Name, FaultTarget Target, Repeats Repeats, TimeSpan Length)
{
    /// <summary>Its parameters in words; may be empty.</summary>
    public abstract string Parameters { get; }

    /// <summary>Whether the server loses what it had in memory, and its sessions.</summary>
    public virtual bool KillsServer => false;

    /// <summary>Begins it.</summary>
    public abstract Task StrikeAsync(Stage stage);

    /// <summary>Ends it, whatever came of it; the world is as before.</summary>
    public abstract Task HealAsync(Stage stage);

    public sealed override string ToString() => Parameters.Length == 0
        ? FormattableString.Invariant($"{Name} for {Length.TotalSeconds:F1} s")
        : FormattableString.Invariant($"{Name} ({Parameters}) for {Length.TotalSeconds:F1} s");

    private protected static string On(FaultTarget link, string what) =>
        what + (link == FaultTarget.RedisLink ? " of the link to Redis" : " of the link to the server");
}
