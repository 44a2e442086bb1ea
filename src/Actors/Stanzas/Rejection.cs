namespace Bridge.Stanzas;

/// <summary>
/// Why an entry was not sent and went to the dead-letter stream: a closed set. The wire name is
/// the kebab-case of the member and never changes.
/// </summary>
public enum RejectionReason
{
    /// <summary>Not rejected.</summary>
    None = 0,
}
