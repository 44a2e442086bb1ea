using Bridge.Settings;
using Bridge.Stanzas;

namespace Bridge.Deferral;

/// <summary>
/// Which bounces are followed by another attempt, and when: those of type <c>wait</c> alone, which mean that it may work
/// later (RFC 6120 §8.3.2), of messages alone. Pure.
/// </summary>
/// <param name="settings">How often, and how long between.</param>
public sealed class RetryPolicy(RetrySettings settings)
{
    /// <summary>Whether anything is ever tried again.</summary>
    public bool IsOn => settings.Limit > 0;

    /// <summary>Whether a bounced message is tried again.</summary>
    /// <param name="kind">What bounced.</param>
    /// <param name="type">The error's type.</param>
    /// <param name="attempts">How often it was written.</param>
    public bool Retries(StanzaKind kind, StanzaErrorType type, int attempts) =>
        kind == StanzaKind.Message && type == StanzaErrorType.Wait && attempts <= settings.Limit;

    /// <summary>How long after the bounce: doubles with each attempt, up to the longest.</summary>
    /// <param name="attempts">How often it was written; at least 1.</param>
    public TimeSpan DelayAfter(int attempts)
    {
        var delay = settings.Delay;
        for (var i = 1; i < attempts && delay < settings.MaxDelay; i++)
            delay *= 2;
        return delay < settings.MaxDelay ? delay : settings.MaxDelay;
    }
}
