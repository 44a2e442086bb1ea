using System.Globalization;
using Bridge.Queue;
using Bridge.Settings;

namespace Bridge.Simulation.Tests.Redis;

/// <summary>The lease on the model Redis.</summary>
internal sealed class ModelLease(RedisPort port, SharedConnection link, ModelRedis redis, BridgeSettings settings, long life, Random random) : TwoKeyLease
{
    private readonly long _timeToLive = settings.Lease.TimeToLive.Ticks;

    protected override Task<(bool Granted, long Number)> AcquireQueueAsync(string token) => CallAsync(() => redis.AcquireQueue(token, _timeToLive));

    protected override Task<(bool Granted, long Number)> AcquireDomainAsync(LeaseGrant grant) => CallAsync(() => redis.AcquireDomain(grant, _timeToLive));

    public override Task<QueueOrder> ReadOrderAsync() => CallAsync(() => (Outcome<QueueOrder>)redis.Order);

    public override Task<bool> IsFreeAsync() => CallAsync(redis.IsFree);

    protected override Task<bool> RenewQueueAsync(string token) => CallAsync(() => redis.Renew(token, _timeToLive, domain: false));

    protected override Task<bool> RenewDomainAsync(string token) => CallAsync(() => redis.Renew(token, _timeToLive, domain: true));

    protected override Task ReleaseQueueAsync(string token) => CallAsync(() => redis.Release(token, domain: false));

    protected override Task ReleaseDomainAsync(string token) => CallAsync(() => redis.Release(token, domain: true));

    protected override string QueueHolder(long lives) => "the queue is held";

    protected override string DomainHolder(long lives) => "the domain is held";

    /// <summary>Tells whose it is, which the checks want to know; the real one is random throughout.</summary>
    protected override string NewToken() => string.Create(CultureInfo.InvariantCulture, $"{life}-{random.NextInt64():x16}");

    private Task<T> CallAsync<T>(Func<Outcome<T>> script) =>
        port.CallAsync(link.Connect(), settings.Queue.CallTimeout.TotalMilliseconds, script);
}
