namespace Bridge.Queue;

/// <summary>
/// One owner per queue and per component domain, decided by Redis alone. Holds two keys:
/// the queue's lease and the domain's (<see cref="QueueKeys.DomainLease" />); both or none.
/// Calls have their own deadline and throw <see cref="QueueFaultException" />.
/// </summary>
public interface IQueueLease : IAsyncDisposable
{
    /// <summary>
    /// Tries once to become the owner. An attempt that failed without an answer may still have
    /// succeeded in Redis; the next attempt by the same object then gets that lease. At most one
    /// attempt may be under way.
    /// </summary>
    Task<LeaseAttempt> TryAcquireAsync();

    /// <summary>Prolongs the lease. False: it is no longer ours, and nothing was changed.</summary>
    Task<bool> RenewAsync(LeaseGrant grant);

    /// <summary>What the operator wants of the queue: whoever owns it, on whichever node.</summary>
    Task<QueueOrder> ReadOrderAsync();

    /// <summary>Whether nobody holds either key, as it looks at this moment: takes nothing.</summary>
    Task<bool> IsFreeAsync();

    /// <summary>Gives the lease back at once; does nothing when it is no longer ours.</summary>
    Task ReleaseAsync(LeaseGrant grant);
}

/// <summary>What came of an attempt to acquire.</summary>
/// <param name="Grant">The lease, or null when somebody else holds it.</param>
/// <param name="Holder">What stands in the way, for the log: which of the two keys is held. The same words for as long as nothing changes. Null when granted.</param>
/// <param name="Order">What the operator wants of the queue. <see cref="QueueOrder.Drain" /> grants nothing.</param>
/// <param name="IsEndless">Whether the key that is held has no time to live, so that it is held for ever.</param>
public sealed record LeaseAttempt(LeaseGrant? Grant, string? Holder, QueueOrder Order = QueueOrder.Run, bool IsEndless = false);
