using System.Globalization;
using Bridge.Settings;
using StackExchange.Redis;

namespace Bridge.Queue;

/// <summary>
/// The lease on a queue and on a component domain in Redis. Acquires on a full Redis too. The two keys lie in
/// different slots, so each is a call of its own.
/// </summary>
/// <param name="link">Its owner is the caller.</param>
/// <param name="keys">The queue.</param>
/// <param name="domain">The component domain.</param>
/// <param name="settings">Time to live.</param>
public sealed class RedisQueueLease(RedisLink link, QueueKeys keys, string domain, LeaseSettings settings) : TwoKeyLease
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

    /// <inheritdoc />
    public override async Task<QueueOrder> ReadOrderAsync() =>
        QueueOrders.Read(await link.CallAsync(database => database.StringGetAsync(keys.Order)).ConfigureAwait(false));

    /// <inheritdoc />
    public override async Task<bool> IsFreeAsync()
    {
        var queue = link.CallAsync(database => database.KeyExistsAsync(_queueLease));
        var domain = link.CallAsync(database => database.KeyExistsAsync(_domainLease), key: _domainLease);
        await Task.WhenAll(queue, domain).ConfigureAwait(false);
        return !await queue.ConfigureAwait(false) && !await domain.ConfigureAwait(false);
    }

    /// <inheritdoc />
    protected override Task<(bool Granted, long Number)> AcquireQueueAsync(string token) =>
        AcquireAsync(AcquireQueue.Arguments([_queueLease, keys.Confirmed, keys.None, keys.Order], token, _timeToLive), _queueLease);

    /// <inheritdoc />
    protected override Task<(bool Granted, long Number)> AcquireDomainAsync(LeaseGrant grant)
    {
        ArgumentNullException.ThrowIfNull(grant);
        var owner = string.Create(CultureInfo.InvariantCulture, $"{grant.Token}:{grant.Epoch}");
        return AcquireAsync(AcquireDomain.Arguments([_domainLease, _domainAbsent], owner, _timeToLive), _domainLease);
    }

    /// <inheritdoc />
    protected override Task<bool> RenewQueueAsync(string token) => CallAsync(Renew.Arguments([_queueLease], token, _timeToLive), _queueLease);

    /// <inheritdoc />
    protected override Task<bool> RenewDomainAsync(string token) => CallAsync(Renew.Arguments([_domainLease], token, _timeToLive), _domainLease);

    /// <inheritdoc />
    protected override Task ReleaseQueueAsync(string token) => CallAsync(Release.Arguments([_queueLease], token), _queueLease);

    /// <inheritdoc />
    protected override Task ReleaseDomainAsync(string token) => CallAsync(Release.Arguments([_domainLease], token), _domainLease);

    /// <inheritdoc />
    protected override string QueueHolder(long lives) => Holder(_queueLease, lives);

    /// <inheritdoc />
    protected override string DomainHolder(long lives) => Holder(_domainLease, lives);

    private static string Holder(RedisKey key, long lives) => lives < 0
        ? $"{key} is held, without a time to live: it was not Bridge that set it"
        : $"{key} is held by another process";

    private async Task<(bool Granted, long Number)> AcquireAsync(RedisKeyOrValue[] arguments, RedisKey key)
    {
        using var reply = await link.CallAsync(database => database.ExecuteRespAsync("EVAL", arguments), key: key).ConfigureAwait(false);
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

    private async Task<bool> CallAsync(RedisKeyOrValue[] arguments, RedisKey key)
    {
        using var reply = await link.CallAsync(database => database.ExecuteRespAsync("EVAL", arguments), key: key).ConfigureAwait(false);
        return reply.ReadScalar().ReadInt64() == 1;
    }
}
