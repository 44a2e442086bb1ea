using Microsoft.Extensions.Logging;

namespace Bridge.Queue;

/// <summary>What is said of Redis: leases, the queue, dead letters, what is published. Numbers 2000 to 2999.</summary>
internal static partial class QueueLog
{
    [LoggerMessage(2001, LogLevel.Warning, "The lease could not be renewed: {Cause}")]
    public static partial void LeaseNotRenewed(this ILogger log, string cause);

    [LoggerMessage(2002, LogLevel.Information, "The lease could not be given back and will run out: {Cause}")]
    public static partial void LeaseNotGivenBack(this ILogger log, string cause);

    [LoggerMessage(2003, LogLevel.Information, "Listening to {Count} Pub/Sub patterns, best effort: the window in which nobody listened has ended after {Milliseconds} ms")]
    public static partial void Listening(this ILogger log, long count, long milliseconds);

    [LoggerMessage(2004, LogLevel.Warning, "Pub/Sub (best effort) still cannot listen: {Cause}")]
    public static partial void StillNotListening(this ILogger log, string cause);

    [LoggerMessage(2005, LogLevel.Information, "Pub/Sub (best effort) is not yet listening: a window begins, and what is published in it is lost")]
    public static partial void NotYetListening(this ILogger log);

    [LoggerMessage(2006, LogLevel.Warning, "Pub/Sub (best effort) does not listen any more: a window begins, and what is published in it is lost: {Cause}")]
    public static partial void NotListening(this ILogger log, string cause);

    [LoggerMessage(2007, LogLevel.Warning, "The buffer of Pub/Sub (best effort) is full ({Limit}): what is heard is dropped and counted")]
    public static partial void IntakeBufferFull(this ILogger log, int limit);

    [LoggerMessage(2008, LogLevel.Information, "What Pub/Sub (best effort) hears comes to the list again")]
    public static partial void IntakeFlowsAgain(this ILogger log);

    [LoggerMessage(2009, LogLevel.Warning, "The list has as many entries as it may ({Limit}): what Pub/Sub (best effort) hears is dropped and counted")]
    public static partial void IntakeListFull(this ILogger log, long limit);

    [LoggerMessage(2010, LogLevel.Information, "Pub/Sub (best effort) ends: another process owns the queue")]
    public static partial void IntakeEnds(this ILogger log);

    [LoggerMessage(2011, LogLevel.Warning, "What Pub/Sub (best effort) hears cannot be appended and is kept, up to {Limit}: {Fault}: {Cause}")]
    public static partial void IntakeKept(this ILogger log, int limit, QueueFault fault, string cause);

    [LoggerMessage(2012, LogLevel.Warning, "{Count} messages that Pub/Sub (best effort) had heard are dropped: they were not in the list when it ended")]
    public static partial void IntakeDropped(this ILogger log, long count);

    [LoggerMessage(2013, LogLevel.Warning, "Redis says that the lease of {Queue} is not ours any more: {Words}")]
    public static partial void LeaseFoundLost(this ILogger log, string queue, string words);

    [LoggerMessage(2014, LogLevel.Warning, "{Count} dead letters of {Queue} were trimmed: the stream's bounds are reached")]
    public static partial void DeadLettersTrimmed(this ILogger log, long count, string queue);

    [LoggerMessage(2015, LogLevel.Warning, "Entry {Position} of {Queue} could not be put off and was dead-lettered")]
    public static partial void NotPutOff(this ILogger log, EntryPosition position, string queue);

    [LoggerMessage(2016, LogLevel.Warning, "Entry {Position} of {Queue} was dead-lettered: {Reason} at {Offset}: {Detail}")]
    public static partial void DeadLettered(this ILogger log, EntryPosition position, string queue, string reason, int offset, string detail);

    [LoggerMessage(2017, LogLevel.Warning, "Entry {Position} of {Queue} was dead-lettered: {Reason}, {Bytes} bytes")]
    public static partial void DeadLetteredUnread(this ILogger log, EntryPosition position, string queue, string reason, long bytes);

    [LoggerMessage(2018, LogLevel.Error, "Queue {Queue}: {Fault}: {Words} {Advice}")]
    public static partial void QueueNeedsOperator(this ILogger log, string queue, QueueFault fault, string? words, string? advice);

    [LoggerMessage(2019, LogLevel.Warning, "Queue {Queue}: {Fault}: {Words}")]
    public static partial void QueueFails(this ILogger log, string queue, QueueFault fault, string? words);

    [LoggerMessage(2020, LogLevel.Information, "Queue {Queue} works again")]
    public static partial void QueueWorksAgain(this ILogger log, string queue);
}
