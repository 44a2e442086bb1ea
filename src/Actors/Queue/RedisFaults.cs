using System.Net.Sockets;
using StackExchange.Redis;

namespace Bridge.Queue;

/// <summary>Names what went wrong on the Redis side. Pure: the same error always gets the same name.</summary>
public static class RedisFaults
{
    /// <summary>
    /// Names an exception of the Redis client. Never throws; what it does not know is
    /// <see cref="QueueFault.Other" />.
    /// </summary>
    public static QueueFault Classify(Exception exception) => exception switch
    {
        QueueFaultException named => named.Fault,
        // Of a redirection that is not to be followed the client has words of its own.
        RedisServerException { Kind: RedisErrorKind.Moved or RedisErrorKind.Ask or RedisErrorKind.UnknownRedirectTarget } => QueueFault.NotReady,
        RedisServerException answered => Classify(answered.Message),
        RedisConnectionException { FailureType: ConnectionFailureType.AuthenticationFailure } => QueueFault.Forbidden,
        // A server that refuses the handshake does so in words, which the client wraps.
        RedisConnectionException refused => FindCode(Causes(refused)) ?? QueueFault.Unreachable,
        TimeoutException or ObjectDisposedException or SocketException or IOException or OperationCanceledException
            => QueueFault.Unreachable,
        RedisCommandException { Message: var text } when text.Contains("replica", StringComparison.OrdinalIgnoreCase)
            => QueueFault.ReadOnly,
        _ => QueueFault.Other,
    };

    /// <summary>
    /// Names an error reply. Redis 7 hands a script's error on as it is; Redis 6.2 wraps it:
    /// <c>ERR Error running script (call to f_…): @user_script:1: WRONGTYPE …</c>, with or without a
    /// <c>-</c> before the code.
    /// </summary>
    public static QueueFault Classify(string reply)
    {
        ArgumentNullException.ThrowIfNull(reply);
        var text = reply.AsSpan();
        var script = text.LastIndexOf("user_script:", StringComparison.Ordinal);
        if (text.StartsWith("ERR Error", StringComparison.Ordinal) && script >= 0)
        {
            text = text[(script + "user_script:".Length)..];
            var behindLine = text.IndexOf(':');
            text = text[(behindLine + 1)..].TrimStart(' ');
        }

        // What a script lacks rights for, up to Redis 7.0.
        if (reply.Contains("The user executing the script can't", StringComparison.Ordinal))
            return QueueFault.Forbidden;
        return OfCode(text)
            ?? (text.StartsWith("ERR max number of clients", StringComparison.Ordinal) ? QueueFault.NotReady : QueueFault.Other);
    }

    /// <summary>Whether Redis does not know the script that EVALSHA named: it has done nothing.</summary>
    public static bool IsUnknownScript(QueueFaultException fault)
    {
        ArgumentNullException.ThrowIfNull(fault);
        return fault is { Fault: QueueFault.NotReady, InnerException: RedisServerException answer }
            && answer.Message.StartsWith("NOSCRIPT", StringComparison.Ordinal);
    }

    /// <summary>Whether the slot of the command's keys belongs to another node of the cluster by now.</summary>
    public static bool IsMoved(Exception exception) => exception is RedisServerException { Kind: RedisErrorKind.Moved or RedisErrorKind.UnknownRedirectTarget };

    private static QueueFault? OfCode(ReadOnlySpan<char> text)
    {
        if (text.StartsWith('-'))
            text = text[1..];
        var end = text.IndexOf(' ');
        return (end < 0 ? text : text[..end]) switch
        {
            "BRIDGE-STALE" => QueueFault.Stale,
            "BRIDGE-LEASE-LOST" => QueueFault.LeaseLost,
            "NOAUTH" or "WRONGPASS" or "NOPERM" => QueueFault.Forbidden,
            "READONLY" or "MASTERDOWN" => QueueFault.ReadOnly,
            // UNBLOCKED: the instance changed its role under a blocking wait.
            "LOADING" or "BUSY" or "TRYAGAIN" or "CLUSTERDOWN" or "NOSCRIPT" or "UNBLOCKED" or "MOVED" or "ASK"
                => QueueFault.NotReady,
            "OOM" => QueueFault.OutOfMemory,
            "MISCONF" or "NOREPLICAS" => QueueFault.RefusesWrites,
            "WRONGTYPE" => QueueFault.WrongType,
            "NOGROUP" => QueueFault.GroupMissing,
            _ => null,
        };
    }

    private static QueueFault? FindCode(IEnumerable<string> texts)
    {
        foreach (var text in texts)
        {
            foreach (var word in text.Split([' ', ':', '\'', '"', ',', '(', ')'], StringSplitOptions.RemoveEmptyEntries))
            {
                if (OfCode(word) is { } fault)
                    return fault;
            }
        }

        return null;
    }

    private static IEnumerable<string> Causes(Exception exception)
    {
        for (var cause = exception; cause is not null; cause = cause.InnerException)
            yield return cause.Message;
    }
}
