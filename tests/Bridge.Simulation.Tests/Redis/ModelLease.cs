using System.Globalization;
using Bridge.Queue;
using Bridge.Settings;

namespace Bridge.Simulation.Tests.Redis;

/// <summary>The client's side of the lease, as <see cref="RedisLease" /> has it: two keys, both or none.</summary>
internal sealed class ModelLease(RedisPort port, SharedConnection link, ModelRedis redis, BridgeSettings settings, long life, Random random) : IQueueLease
{
    private readonly long _timeToLive = settings.Lease.TimeToLive.Ticks;
    private string _token = NewToken(life, random);

    public async Task<LeaseAttempt> TryAcquireAsync()
    {
        var token = _token;
        var (granted, epoch) = await CallAsync(() => redis.AcquireQueue(token, _timeToLive)).ConfigureAwait(false);
        if (!granted)
            return new LeaseAttempt(null, "the queue is held");
        var grant = new LeaseGrant(token, epoch);
        bool both;
        try
        {
            both = await CallAsync(() => redis.AcquireDomain(grant, _timeToLive)).ConfigureAwait(false);
        }
        catch (QueueFaultException)
        {
            try
            {
                await CallAsync(() => redis.Release(token, domain: false)).ConfigureAwait(false);
            }
            catch (QueueFaultException fault) when (fault.Fault is not QueueFault.Stale)
            {
                // Its time to live ends it.
            }

            throw;
        }

        if (both)
        {
            _token = NewToken(life, random);
            return new LeaseAttempt(grant, null);
        }

        await CallAsync(() => redis.Release(token, domain: false)).ConfigureAwait(false);
        return new LeaseAttempt(null, "the domain is held");
    }

    public async Task<bool> RenewAsync(LeaseGrant grant)
    {
        var queue = CallAsync(() => redis.Renew(grant.Token, _timeToLive, domain: false));
        var domain = CallAsync(() => redis.Renew(grant.Token, _timeToLive, domain: true));
        await Task.WhenAll(queue, domain).ConfigureAwait(false);
        return await queue.ConfigureAwait(false) && await domain.ConfigureAwait(false);
    }

    public async Task ReleaseAsync(LeaseGrant grant) => await Task.WhenAll(
        CallAsync(() => redis.Release(grant.Token, domain: false)),
        CallAsync(() => redis.Release(grant.Token, domain: true))).ConfigureAwait(false);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>Tells whose it is, which the checks want to know; the real one is random throughout.</summary>
    private static string NewToken(long life, Random random) =>
        string.Create(CultureInfo.InvariantCulture, $"{life}-{random.NextInt64():x16}");

    private Task<T> CallAsync<T>(Func<Outcome<T>> script) =>
        port.CallAsync(link.Connect(), settings.Queue.CallTimeout.TotalMilliseconds, script);
}
