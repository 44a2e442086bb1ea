using Microsoft.Extensions.Logging;

namespace Bridge.Inbound;

/// <summary>What is said of the way back to the app. Numbers 4000 to 4999.</summary>
internal static partial class InboundLog
{
    [LoggerMessage(4001, LogLevel.Warning, "{Count} replies could not be put into their lists, which hold another type or do not fit into Redis: they are dropped")]
    public static partial void RepliesDropped(this ILogger log, long count);

    [LoggerMessage(4002, LogLevel.Warning, "Outcomes cannot be published and are kept, up to {Limit}: {Cause}")]
    public static partial void OutcomesKept(this ILogger log, int limit, string cause);

    [LoggerMessage(4003, LogLevel.Warning, "Stanzas for the app cannot be put into Redis and are kept, up to {Limit}: {Cause}")]
    public static partial void StanzasKept(this ILogger log, int limit, string cause);

    [LoggerMessage(4004, LogLevel.Warning, "{Count} stanzas for the app are dropped: their connection has ended, and Redis has not taken them")]
    public static partial void StanzasDropped(this ILogger log, long count);

    [LoggerMessage(4005, LogLevel.Warning, "Redis refuses the list or the channels of what users send, which get nothing; the stream has it: {Cause}")]
    public static partial void ListRefused(this ILogger log, string cause);

    [LoggerMessage(4006, LogLevel.Information, "Stanzas for the app can be put into Redis again")]
    public static partial void StanzasFlowAgain(this ILogger log);

    [LoggerMessage(4007, LogLevel.Warning, "The outcome buffer is full ({Limit}): outcomes are dropped and counted")]
    public static partial void OutcomesDropped(this ILogger log, int limit);

    [LoggerMessage(4008, LogLevel.Information, "Outcomes can be published again")]
    public static partial void OutcomesFlowAgain(this ILogger log);

    [LoggerMessage(4009, LogLevel.Warning, "{Count} stanzas for the app are lost: Redis has not taken them before the deadline of the drain")]
    public static partial void StanzasLost(this ILogger log, long count);
}
