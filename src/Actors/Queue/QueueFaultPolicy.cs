namespace Bridge.Queue;

/// <summary>How long the puller waits before it looks at Redis again after a fault: a table, pure.</summary>
internal static class QueueFaultPolicy
{
    // Redis must be recovered from within 2 s of its return, so whatever passes by itself (a disk that has
    // room again, too) is looked at every quarter of a second for as long as it lasts.
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Full = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);

    /// <summary>The delay before the next look.</summary>
    /// <param name="fault">What went wrong.</param>
    /// <param name="failuresInRow">Faults since the last successful take, this one included; at least 1.</param>
    public static TimeSpan Delay(QueueFault fault, int failuresInRow) => fault switch
    {
        QueueFault.Stale or QueueFault.GroupMissing => failuresInRow <= 1 ? TimeSpan.Zero : Soon,
        QueueFault.OutOfMemory => Full,
        QueueFault.Unreachable or QueueFault.NotReady or QueueFault.ReadOnly or QueueFault.RefusesWrites => Soon,
        _ => Doubling(failuresInRow),
    };

    /// <summary>Whether only an operator can mend it: logged as an error, with what to do.</summary>
    public static bool NeedsOperator(QueueFault fault) =>
        fault is QueueFault.WrongType or QueueFault.Forbidden or QueueFault.Untrusted or QueueFault.RefusesWrites or QueueFault.Other;

    /// <summary>What the operator should do, in one sentence.</summary>
    public static string Advice(QueueFault fault) => fault switch
    {
        QueueFault.Stale => "Nothing: the queue is recovered at once.",
        QueueFault.LeaseLost => "Nothing: another process owns the queue now, and this one stands by.",
        QueueFault.Unreachable => "Check that Redis runs and is reachable; Bridge looks again four times a second.",
        QueueFault.WrongType => "Rename or remove the key, or set queue.kind to what the key is.",
        QueueFault.Forbidden => "Check the password and the ACL rights of the Redis user (bridge check names what is missing).",
        QueueFault.Untrusted => "Name the certificate's authority in redis-ca-file, and its name in sslHost of the connection string.",
        QueueFault.ReadOnly => "Point the connection string at the master (or at Sentinel).",
        QueueFault.NotReady => "Nothing: Redis is loading, failing over or busy; Bridge looks again four times a second.",
        QueueFault.OutOfMemory => "Give Redis more memory; what is queued is still delivered.",
        QueueFault.RefusesWrites => "Mend the persistence or replication of Redis (see its log).",
        QueueFault.GroupMissing => "Nothing: the stream or its group was deleted, and the group is made again.",
        _ => "See the words of Redis.",
    };

    private static TimeSpan Doubling(int failuresInRow)
    {
        var delay = First * Math.Pow(2, Math.Clamp(failuresInRow - 1, 0, 10));
        return delay > Longest ? Longest : delay;
    }
}
