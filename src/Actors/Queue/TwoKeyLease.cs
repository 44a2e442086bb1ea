using System.Security.Cryptography;

namespace Bridge.Queue;

/// <summary>
/// A lease of two keys under one token: the queue's and the component domain's, both or none. What is asked in which
/// order, and under which token; the store's calls are its heirs'. One caller at a time.
/// </summary>
/// <remarks>
/// Any call may be given up and run later all the same, by a store that was frozen. A release that runs late must not end
/// a lease that was granted since: so a token is never used again once a lease under it may have been released.
/// </remarks>
public abstract class TwoKeyLease : IQueueLease
{
    // The same until the queue's key was won under it: an attempt that was given up may run later, and a lease under a
    // token that nobody knows would lock everybody out until it ends.
    private string? _token;

    /// <inheritdoc />
    public async Task<LeaseAttempt> TryAcquireAsync()
    {
        var token = _token ??= NewToken();
        var (granted, epoch) = await AcquireQueueAsync(token).ConfigureAwait(false);
        if (!granted)
            return epoch == IsToStayDrained
                ? new LeaseAttempt(null, "it is to stay drained until `bridge resume`", QueueOrder.Drain)
                : new LeaseAttempt(null, QueueHolder(epoch), IsEndless: epoch == HasNoEnd);
        // From here on it is either handed out or released.
        _token = null;
        var grant = new LeaseGrant(token, epoch);
        bool both;
        long lives;
        var order = QueueOrder.Run;
        try
        {
            (both, lives) = await AcquireDomainAsync(grant).ConfigureAwait(false);
            if (both)
                order = await ReadOrderAsync().ConfigureAwait(false);
        }
        catch (QueueFaultException)
        {
            // Whoever comes next need not wait for the end of its time to live. Should this fail as
            // well, they must; what the caller is told is the first fault.
            await TryReleaseAsync(token).ConfigureAwait(false);
            throw;
        }

        if (both)
            return new LeaseAttempt(grant, null, order);
        await ReleaseQueueAsync(token).ConfigureAwait(false);
        return new LeaseAttempt(null, DomainHolder(lives), IsEndless: lives == HasNoEnd);
    }

    /// <inheritdoc />
    public async Task<bool> RenewAsync(LeaseGrant grant)
    {
        ArgumentNullException.ThrowIfNull(grant);
        var queue = RenewQueueAsync(grant.Token);
        var domain = RenewDomainAsync(grant.Token);
        await Task.WhenAll(queue, domain).ConfigureAwait(false);
        return await queue.ConfigureAwait(false) && await domain.ConfigureAwait(false);
    }

    /// <inheritdoc />
    public async Task ReleaseAsync(LeaseGrant grant)
    {
        ArgumentNullException.ThrowIfNull(grant);
        await Task.WhenAll(ReleaseQueueAsync(grant.Token), ReleaseDomainAsync(grant.Token)).ConfigureAwait(false);
    }

    /// <inheritdoc />
    public abstract Task<QueueOrder> ReadOrderAsync();

    /// <inheritdoc />
    public abstract Task<bool> IsFreeAsync();

    /// <summary>Does nothing: the connection is its owner's, and a lease that nobody renews ends by itself.</summary>
    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return ValueTask.CompletedTask;
    }

    // What PTTL answers of a key without a time to live.
    private const long HasNoEnd = -1;

    /// <summary>In place of how long another's lease lives: nobody's does, and nobody is to have one.</summary>
    protected const long IsToStayDrained = -3;

    /// <summary>
    /// Takes the queue's key where it is free, or ours already; tells the epoch, or how long another's lives, or <see cref="IsToStayDrained" />.
    /// </summary>
    protected abstract Task<(bool Granted, long Number)> AcquireQueueAsync(string token);

    /// <summary>Takes the domain's key where it is free, or ours already; tells how long another's lives.</summary>
    protected abstract Task<(bool Granted, long Number)> AcquireDomainAsync(LeaseGrant grant);

    /// <summary>Gives the queue's key its time to live again; false where it is not under this token.</summary>
    protected abstract Task<bool> RenewQueueAsync(string token);

    /// <summary>As <see cref="RenewQueueAsync" />, for the domain.</summary>
    protected abstract Task<bool> RenewDomainAsync(string token);

    /// <summary>Removes the queue's key where it is under this token.</summary>
    protected abstract Task ReleaseQueueAsync(string token);

    /// <summary>As <see cref="ReleaseQueueAsync" />, for the domain.</summary>
    protected abstract Task ReleaseDomainAsync(string token);

    /// <summary>Words for who holds the queue, from how long that lives: negative where it has no time to live.</summary>
    protected abstract string QueueHolder(long lives);

    /// <summary>As <see cref="QueueHolder" />, for the domain.</summary>
    protected abstract string DomainHolder(long lives);

    /// <summary>A token that nobody has.</summary>
    protected virtual string NewToken() => RandomNumberGenerator.GetHexString(32, lowercase: true);

    private async Task TryReleaseAsync(string token)
    {
        try
        {
            // The domain's too: the answer that it was taken may have been lost.
            await Task.WhenAll(ReleaseQueueAsync(token), ReleaseDomainAsync(token)).ConfigureAwait(false);
        }
        catch (QueueFaultException e) when (e.Fault is not QueueFault.Stale)
        {
            // Its time to live ends it.
        }
    }
}
