using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;

namespace Bridge.Fuzz.Tests;

/// <summary>The encoder under test, with limits so small that random payloads meet each of them.</summary>
internal static class FuzzedEncoder
{
    // The judges know these names.
    public const string Domain = "app.example";
    public const string OtherDomain = "other.example";
    public const string DefaultFrom = "bot@app.example";

    public const int MaxBytes = 8192;
    public const int MaxDepth = 12;

    // Times the depth it is more than the prefixes that may be in scope.
    public const int MaxAttributes = 24;

    public static readonly DateTimeOffset Now = new(2026, 5, 17, 12, 0, 0, TimeSpan.Zero);

    private static readonly StanzaSettings Rules = new()
    {
        MaxBytes = MaxBytes,
        MaxDepth = MaxDepth,
        MaxAttributes = MaxAttributes,
        FromDomains = [OtherDomain],
        DefaultFrom = DefaultFrom,
        DelayStampAfter = TimeSpan.FromSeconds(10),
    };

    private static readonly GeneratedIds Ids = new("0123456789abcdef", ofStream: false);

    public static readonly StanzaFirewall Firewall = new(Rules, Domain);

    public static readonly StanzaEncoder Encoder = new(Rules, Domain);

    /// <summary>An entry that was pushed just now, or long enough ago for a delay stamp.</summary>
    public static QueueEntry Entry(byte[] payload, bool late) =>
        new(EntryPosition.OfSequence(7), EntryKind.Payload, Ids, payload, Now, late ? Now.AddMinutes(-1) : null);
}
