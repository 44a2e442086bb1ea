using System.Security.Cryptography;
using System.Text;
using Akka.Actor;
using Akka.Configuration;
using Akka.Coordination;
using Akka.Event;
using Bridge.Queue;
using Bridge.Telemetry;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Bridge.Cluster;

/// <summary>
/// A lease of Akka.Coordination in Redis, for the split-brain resolver's <c>lease-majority</c> and whatever else names it in HOCON
/// by a section with <c>lease-class = "Bridge.Cluster.RedisLease, Bridge.Actors"</c>, <c>redis</c>, a StackExchange.Redis
/// connection string, and where needed <c>redis-ca-file</c>. The key is <c>bridge:lease:NAME</c>. The holder counts its time from when it sent its last renewal that
/// succeeded, so that it never believes longer than Redis does; a queue's lease, which fences what is written, is another one
/// (<see cref="RedisQueueLease" />).
/// </summary>
public sealed class RedisLease : Lease, IAsyncDisposable
{
    // Those of the domain's lease, which is as simple.
    private static readonly RedisScript AcquireScript = RedisScript.Load("lease-acquire-domain");
    private static readonly RedisScript RenewScript = RedisScript.Load("lease-renew");
    private static readonly RedisScript ReleaseScript = RedisScript.Load("lease-release");

    private readonly RedisLink _link;
    private readonly RedisKey _key;
    private readonly RedisKey _none;

    // The scripts compare what stands before the first ':', and an owner's name has some.
    private readonly string _token;
    private readonly TimeProvider _time;
    private readonly ILogger? _log;
    private readonly Lock _gate = new();
    private CancellationTokenSource? _renewing;

    // Until when it is ours: a timestamp; 0: it is not.
    private long _until;

    /// <summary>What Akka calls.</summary>
    public RedisLease(LeaseSettings settings, ExtendedActorSystem system)
        : this(settings, TimeProvider.System, new ActorLogger(Logging.GetLogger(system, typeof(RedisLease)))) =>
        system.WhenTerminated.ContinueWith(_ => DisposeAsync().AsTask(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);

    /// <summary>A lease on a clock of one's own.</summary>
    public RedisLease(LeaseSettings settings, TimeProvider time, ILogger? log = null)
        : base(settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        _time = time;
        _log = log;
        _key = "bridge:lease:" + settings.LeaseName;
        // In the slot of the key itself.
        _none = "{bridge:lease:" + settings.LeaseName + "}:none";
        _token = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(settings.OwnerName)))[..32];
        var redis = settings.LeaseConfig.GetString("redis");
        if (string.IsNullOrWhiteSpace(redis))
            throw new ConfigurationException("The section of a lease of class RedisLease needs redis = \"…\", a connection string.");
        var caFile = settings.LeaseConfig.GetString("redis-ca-file");
        _link = new RedisLink(
            redis, "bridge-lease", settings.TimeoutSettings.OperationTimeout, time, caFile: string.IsNullOrWhiteSpace(caFile) ? null : caFile);
    }

    private TimeSpan TimeToLive => Settings.TimeoutSettings.HeartbeatTimeout;

    private long Milliseconds => (long)TimeToLive.TotalMilliseconds;

    /// <inheritdoc />
    public override Task<bool> Acquire() => Acquire(_ => { });

    /// <inheritdoc />
    public override async Task<bool> Acquire(Action<Exception> leaseLostCallback)
    {
        var sentAt = _time.GetTimestamp();
        bool isOurs;
        try
        {
            // Granted as well where it is ours already, of an earlier life under the same name or by an answer that was lost.
            isOurs = await CallAsync(AcquireScript.Arguments([_key, _none], $"{_token}:{Settings.OwnerName}", Milliseconds)).ConfigureAwait(false);
        }
        catch (QueueFaultException fault)
        {
            throw new LeaseException($"{_key} could not be acquired: {fault.Message}");
        }

        if (!isOurs)
            return false;
        CancellationToken cancelled;
        lock (_gate)
        {
            _renewing?.Cancel();
            _renewing = new CancellationTokenSource();
            cancelled = _renewing.Token;
            Extend(sentAt);
        }

        _ = RenewAsync(leaseLostCallback, cancelled);
        return true;
    }

    /// <inheritdoc />
    public override async Task<bool> Release()
    {
        GiveUp();
        try
        {
            return await CallAsync(ReleaseScript.Arguments([_key], _token)).ConfigureAwait(false);
        }
        catch (QueueFaultException fault)
        {
            throw new LeaseException($"{_key} could not be released, and runs out by itself: {fault.Message}");
        }
    }

    /// <inheritdoc />
    public override bool CheckLease() => _time.GetTimestamp() < Volatile.Read(ref _until);

    /// <inheritdoc />
    public ValueTask DisposeAsync()
    {
        GiveUp();
        return _link.DisposeAsync();
    }

    private async Task<bool> CallAsync(RedisKeyOrValue[] arguments)
    {
        using var reply = await _link.CallAsync(database => database.ExecuteRespAsync("EVAL", arguments)).ConfigureAwait(false);
        return IsGranted(reply);

        // The acquiring one tells how long another's lives, besides.
        static bool IsGranted(RespResult reply)
        {
            var reader = reply.Read();
            if (reader.IsAggregate)
                reader.MoveNextScalar();
            return reader.ReadInt64() == 1;
        }
    }

    private void Extend(long sentAt) => Volatile.Write(ref _until, sentAt + (long)(TimeToLive.TotalSeconds * _time.TimestampFrequency));

    private void GiveUp()
    {
        lock (_gate)
        {
            _renewing?.Cancel();
            _renewing = null;
            Volatile.Write(ref _until, 0);
        }
    }

    private async Task RenewAsync(Action<Exception> lost, CancellationToken cancelled)
    {
        using var timer = new PeriodicTimer(Settings.TimeoutSettings.HeartbeatInterval, _time);
        try
        {
            while (await timer.WaitForNextTickAsync(cancelled).ConfigureAwait(false))
            {
                if (await LostAsync(cancelled).ConfigureAwait(false) is not { } reason)
                    continue;
                _log?.ClusterLeaseLost((string?)_key, reason.Message);
                lost(reason);
                return;
            }
        }
        catch (OperationCanceledException)
        {
            // Released, or acquired anew.
        }
    }

    private async Task<Exception?> LostAsync(CancellationToken cancelled)
    {
        var sentAt = _time.GetTimestamp();
        Exception reason;
        try
        {
            if (await CallAsync(RenewScript.Arguments([_key], _token, Milliseconds)).ConfigureAwait(false))
            {
                lock (_gate)
                {
                    if (!cancelled.IsCancellationRequested)
                        Extend(sentAt);
                }

                return null;
            }

            reason = new LeaseException("Redis gave it to somebody else, or it ran out");
        }
        catch (QueueFaultException fault)
        {
            if (CheckLease())
                return null;
            reason = new LeaseException(fault.Message);
        }

        lock (_gate)
        {
            if (cancelled.IsCancellationRequested)
                return null;
            Volatile.Write(ref _until, 0);
        }

        return reason;
    }
}
