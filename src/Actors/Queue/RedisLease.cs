using System.Globalization;
using System.Security.Cryptography;
using Bridge.Settings;
using StackExchange.Redis;

namespace Bridge.Queue;

/// <summary>
/// The lease on a queue and on a component domain, as two Redis keys with one token and a time to
/// live. Acquires on a full Redis too. The two keys lie in different slots, so each is a call of its
/// own; when the second is taken, the first is given back.
/// </summary>
/// <param name="link">Its owner is the caller.</param>
/// <param name="keys">The queue.</param>
/// <param name="domain">The component domain.</param>
/// <param name="settings">Time to live.</param>
public sealed class RedisLease(RedisLink link, QueueKeys keys, string domain, LeaseSettings settings) : IQueueLease
{
    private static readonly RedisScript AcquireQueue = RedisScript.Load("lease-acquire-queue");
    private static readonly RedisScript AcquireDomain = RedisScript.Load("lease-acquire-domain");
    private static readonly RedisScript Renew = RedisScript.Load("lease-renew");
    private static readonly RedisScript Release = RedisScript.Load("lease-release");

    private readonly RedisKey _queueLease = keys.Lease;
    private readonly RedisKey _domainLease = QueueKeys.DomainLease(domain);

    // In the slot of the domain's own key: a hash tag around the whole name hashes like the name.
    private readonly RedisKey _domainAbsent = "{" + QueueKeys.DomainLease(domain) + "}:none";
    private readonly long _timeToLive = (long)settings.TimeToLive.TotalMilliseconds;

    // The same until a grant was handed out under it: an attempt that was given up may run later, and
    // a lease under a token that nobody knows would lock everybody out until it ends.
    private string _token = NewToken();

    /// <inheritdoc />
    public async Task<LeaseAttempt> TryAcquireAsync()
    {
        var token = _token;
        var (granted, epoch) = await AcquireAsync(
            AcquireQueue.Arguments([_queueLease, keys.Confirmed, keys.None], token, _timeToLive)).ConfigureAwait(false);
        if (!granted)
            return new LeaseAttempt(null, Holder(_queueLease, epoch));
        var grant = new LeaseGrant(token, epoch);
        var owner = string.Create(CultureInfo.InvariantCulture, $"{token}:{epoch}");
        bool both;
        long lives;
        try
        {
            (both, lives) = await AcquireAsync(AcquireDomain.Arguments([_domainLease, _domainAbsent], owner, _timeToLive)).ConfigureAwait(false);
        }
        catch (QueueFaultException)
        {
            // Whoever comes next need not wait for the end of its time to live. Should this fail as
            // well, they must; what the caller is told is the first fault.
            await TryReleaseAsync(_queueLease, grant).ConfigureAwait(false);
            throw;
        }

        if (both)
        {
            _token = NewToken();
            return new LeaseAttempt(grant, null);
        }

        await CallAsync(Release.Arguments([_queueLease], token)).ConfigureAwait(false);
        return new LeaseAttempt(null, Holder(_domainLease, lives));
    }

    /// <inheritdoc />
    public async Task<bool> RenewAsync(LeaseGrant grant)
    {
        ArgumentNullException.ThrowIfNull(grant);
        var queue = CallAsync(Renew.Arguments([_queueLease], grant.Token, _timeToLive));
        var domainToo = CallAsync(Renew.Arguments([_domainLease], grant.Token, _timeToLive));
        await Task.WhenAll(queue, domainToo).ConfigureAwait(false);
        return await queue.ConfigureAwait(false) == 1 && await domainToo.ConfigureAwait(false) == 1;
    }

    /// <inheritdoc />
    public async Task ReleaseAsync(LeaseGrant grant)
    {
        ArgumentNullException.ThrowIfNull(grant);
        await Task.WhenAll(
            CallAsync(Release.Arguments([_queueLease], grant.Token)),
            CallAsync(Release.Arguments([_domainLease], grant.Token))).ConfigureAwait(false);
    }

    /// <summary>Does nothing: the link is its owner's, and a lease that nobody renews ends by itself.</summary>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static string Holder(RedisKey key, long lives) => lives < 0
        ? $"{key} is held, without a time to live: it was not Bridge that set it"
        : $"{key} is held by another process";

    private static string NewToken() => RandomNumberGenerator.GetHexString(32, lowercase: true);

    private async Task TryReleaseAsync(RedisKey key, LeaseGrant grant)
    {
        try
        {
            await CallAsync(Release.Arguments([key], grant.Token)).ConfigureAwait(false);
        }
        catch (QueueFaultException e) when (e.Fault is not QueueFault.Stale)
        {
            // Its time to live ends it.
        }
    }

    private async Task<(bool Granted, long Number)> AcquireAsync(RedisKeyOrValue[] arguments)
    {
        using var reply = await link.CallAsync(database => database.ExecuteRespAsync("EVAL", arguments)).ConfigureAwait(false);
        return Read(reply);

        static (bool, long) Read(RespResult reply)
        {
            var reader = reply.Read();
            reader.DemandAggregate();
            reader.MoveNextScalar();
            var granted = reader.ReadInt64() == 1;
            reader.MoveNextScalar();
            return (granted, reader.ReadInt64());
        }
    }

    private async Task<long> CallAsync(RedisKeyOrValue[] arguments)
    {
        using var reply = await link.CallAsync(database => database.ExecuteRespAsync("EVAL", arguments)).ConfigureAwait(false);
        return reply.ReadScalar().ReadInt64();
    }
}
