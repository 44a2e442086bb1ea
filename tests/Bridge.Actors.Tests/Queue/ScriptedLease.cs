using Bridge.Queue;

namespace Bridge.Actors.Tests.Queue;

/// <summary>A lease whose every call the test answers.</summary>
internal sealed class ScriptedLease : IQueueLease
{
    public List<PendingCall<Nothing, LeaseAttempt>> Attempts { get; } = [];

    public List<PendingCall<LeaseGrant, bool>> Renewals { get; } = [];

    public List<PendingCall<LeaseGrant, Nothing>> Releases { get; } = [];

    /// <summary>The next renewal throws instead of being under way: a mistake in the lease's code.</summary>
    public bool IsBroken { get; set; }

    /// <summary>What the operator wants, as each look finds it.</summary>
    public QueueOrder Order { get; set; }

    /// <summary>Whether nobody holds it, as each look finds it.</summary>
    public bool IsFree { get; set; }

    /// <summary>How often it was asked whether it is free.</summary>
    public int Looks { get; private set; }

    public bool Disposed { get; private set; }

    public static LeaseGrant Grant(long epoch = 1) => new("token-" + epoch, epoch);

    public Task<LeaseAttempt> TryAcquireAsync()
    {
        Attempts.Add(new(default));
        return Attempts[^1].Task;
    }

    public Task<bool> RenewAsync(LeaseGrant grant)
    {
        if (IsBroken)
            throw new InvalidOperationException("a broken lease");
        Renewals.Add(new(grant));
        return Renewals[^1].Task;
    }

    public Task<QueueOrder> ReadOrderAsync() => Task.FromResult(Order);

    public Task<bool> IsFreeAsync()
    {
        Looks++;
        return Task.FromResult(IsFree);
    }

    public Task ReleaseAsync(LeaseGrant grant)
    {
        Releases.Add(new(grant));
        return Releases[^1].Task;
    }

    public ValueTask DisposeAsync()
    {
        Disposed = true;
        return ValueTask.CompletedTask;
    }
}
