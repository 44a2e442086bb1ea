using Bridge.Queue;
using Bridge.Telemetry;
using Microsoft.Extensions.Logging;

namespace Bridge;

/// <summary>What bridges say of themselves: who owns, stands by, drains. Numbers 1000 to 1999.</summary>
internal static partial class BridgeLog
{
    [LoggerMessage(1001, LogLevel.Information, "Bridge {Bridge} owns {Queue} and {Domain}, epoch {Epoch}")]
    public static partial void Owns(this ILogger log, string bridge, string queue, string domain, long epoch);

    [LoggerMessage(1002, LogLevel.Information, "Bridge {Bridge} is to pause: it takes nothing")]
    public static partial void OwnsPaused(this ILogger log, string bridge);

    [LoggerMessage(1003, LogLevel.Information, "Bridge {Bridge} stands by: {Holder}")]
    public static partial void StandsBy(this ILogger log, string bridge, string holder);

    [LoggerMessage(1004, LogLevel.Warning, "Bridge {Bridge} cannot ask Redis for its lease: {Fault}")]
    public static partial void CannotAskForLease(this ILogger log, string bridge, string fault);

    [LoggerMessage(1005, LogLevel.Information, "Bridge {Bridge} hands over to another node")]
    public static partial void HandsOver(this ILogger log, string bridge);

    [LoggerMessage(1006, LogLevel.Information, "Bridge {Bridge} is to {Order}")]
    public static partial void Ordered(this ILogger log, string bridge, QueueOrder order);

    [LoggerMessage(1007, LogLevel.Warning, "Bridge {Bridge} did not drain within {Deadline}; what is unconfirmed stays in the journal")]
    public static partial void NotDrained(this ILogger log, string bridge, TimeSpan deadline);

    [LoggerMessage(1008, LogLevel.Warning, "Bridge {Bridge} lost its lease: {Reason}. It stops and stands by")]
    public static partial void LostLease(this ILogger log, string bridge, string reason);

    [LoggerMessage(1009, LogLevel.Information, "Bridge {Bridge} has drained, complete: {Complete}")]
    public static partial void Drained(this ILogger log, string bridge, bool complete);

    [LoggerMessage(1010, LogLevel.Information, "Bridge {Bridge} has given {Queue} back, complete: {Complete}, and stands by")]
    public static partial void GivenBack(this ILogger log, string bridge, string queue, bool complete);

    [LoggerMessage(1011, LogLevel.Error, "Bridge {Bridge}: {Actor} failed and is replaced: {Cause}")]
    public static partial void ActorFailed(this ILogger log, Exception exception, string bridge, BridgeActorKind actor, string cause);

    [LoggerMessage(1012, LogLevel.Information, "The bridges are as configured now: {Added} added, {Changed} changed, {Removed} removed")]
    public static partial void Reconfigured(this ILogger log, string added, string changed, string removed);

    [LoggerMessage(1013, LogLevel.Error, "Bridge {Bridge} cannot be started and is tried again in {Delay}: {Cause}")]
    public static partial void BridgeNotStarted(this ILogger log, string bridge, TimeSpan delay, string cause);

    [LoggerMessage(1014, LogLevel.Error, "Bridge {Bridge} failed and starts again in {Delay}")]
    public static partial void BridgeFailed(this ILogger log, string bridge, TimeSpan delay);

    [LoggerMessage(1015, LogLevel.Warning, "Closing {What} failed: {Cause}")]
    public static partial void NotClosed(this ILogger log, string what, string? cause);
}
