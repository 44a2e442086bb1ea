using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;
using Microsoft.Extensions.Logging;

namespace Bridge.Connection;

/// <summary>What is said of the stream to the server. Numbers 3000 to 3999.</summary>
internal static partial class ConnectionLog
{
    [LoggerMessage(3001, LogLevel.Information, "Bridge {Bridge} is connected to {Endpoint} as {Domain}")]
    public static partial void Connected(this ILogger log, string bridge, XmppEndpoint endpoint, string domain);

    [LoggerMessage(3002, LogLevel.Information, "Bridge {Bridge} sends {Held} held entries again: the server is not known to have lived on")]
    public static partial void HeldSentAgain(this ILogger log, string bridge, long held);

    [LoggerMessage(3003, LogLevel.Information, "Bridge {Bridge} sends what was held again: the server that confirmed it is not known to have lived on")]
    public static partial void PredecessorsHeldSentAgain(this ILogger log, string bridge);

    [LoggerMessage(3004, LogLevel.Warning, "Bridge {Bridge}: {Entries} stanzas for the app ({Bytes} bytes) wait for Redis: until there is room, senders are told to wait")]
    public static partial void InboundFull(this ILogger log, string bridge, int entries, long bytes);

    [LoggerMessage(3005, LogLevel.Warning, "{Missing} barriers of {Domain} did not come back to us: a second connection holds the same component")]
    public static partial void BarriersMissing(this ILogger log, long missing, string domain);

    [LoggerMessage(3006, LogLevel.Information, "Bridge {Bridge}: the search for what made the server hang up ended without a verdict")]
    public static partial void SearchWithoutVerdict(this ILogger log, string bridge);

    [LoggerMessage(3007, LogLevel.Debug, "Stanza {Id} bounced: {Type} {Condition}")]
    public static partial void Bounced(this ILogger log, string? id, StanzaErrorType type, StanzaErrorCondition condition);

    [LoggerMessage(3008, LogLevel.Error, "Bridge {Bridge}: a stanza writer failed and was restarted; its batch is encoded again in halves")]
    public static partial void WriterFailed(this ILogger log, Exception cause, string bridge);

    [LoggerMessage(3009, LogLevel.Error, "Bridge {Bridge}: no verdict within {Patience} on what makes the server hang up; {Suspects} entries are suspected, the search goes on slowly")]
    public static partial void SearchSlow(this ILogger log, string bridge, TimeSpan patience, int suspects);

    [LoggerMessage(3010, LogLevel.Warning, "Bridge {Bridge}: the server hung up ({Words}); searching {Suspects} entries for the one that made it")]
    public static partial void SearchBegins(this ILogger log, string bridge, string words, int suspects);

    [LoggerMessage(3011, LogLevel.Warning, "Bridge {Bridge}: entry {Position} makes the server hang up and is dead-lettered: {Words}")]
    public static partial void Convicted(this ILogger log, string bridge, EntryPosition position, string words);

    [LoggerMessage(3012, LogLevel.Error, "{Endpoint} refuses {Domain}: {Words}. {Advice} Next try in {Delay}")]
    public static partial void Refused(this ILogger log, XmppEndpoint endpoint, string domain, string words, string? advice, TimeSpan delay);

    [LoggerMessage(3013, LogLevel.Error, "{Endpoint} answers conflict for {Domain} for more than a minute: {Advice} Next try in {Delay}")]
    public static partial void Conflict(this ILogger log, XmppEndpoint endpoint, string domain, string? advice, TimeSpan delay);

    [LoggerMessage(3014, LogLevel.Warning, "Stream to {Endpoint} ended: {Cause}: {Words}. Next try in {Delay}")]
    public static partial void StreamEnded(this ILogger log, XmppEndpoint endpoint, string cause, string words, TimeSpan delay);
}
