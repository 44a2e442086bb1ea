using Akka.Actor;
using Akka.Configuration;
using Akka.Coordination;
using Akka.Event;
using Bridge.Queue;

namespace Bridge.Cluster;

/// <summary>
/// A lease of Akka.Coordination in Redis, for the split-brain resolver's <c>lease-majority</c> and whatever else names it in HOCON
/// by a section with <c>lease-class = "Bridge.Cluster.RedisLease, Bridge.Actors"</c> and <c>redis</c>, a StackExchange.Redis
/// connection string. The key is <c>bridge:lease:NAME</c>. The holder counts its time from when it sent its last renewal that
/// succeeded, so that it never believes longer than Redis does; a queue's lease, which fences what is written, is another one
/// (<see cref="RedisQueueLease" />).
/// </summary>
public sealed class RedisLease : Lease, IAsyncDisposable
{
    private readonly RedisLink _link;
    private readonly string _key;
    private readonly TimeProvider _time;
    private readonly ILoggingAdapter? _log;
    private readonly Lock _gate = new();
    private CancellationTokenSource? _renewing;

    // Until when it is ours: a timestamp; 0: it is not.
    private long _until;

    /// <summary>What Akka calls.</summary>
    public RedisLease(LeaseSettings settings, ExtendedActorSystem system)
        : this(settings, TimeProvider.System, Logging.GetLogger(system, typeof(RedisLease))) =>
        system.WhenTerminated.ContinueWith(_ => DisposeAsync().AsTask(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);

    /// <summary>A lease on a clock of one's own.</summary>
    public RedisLease(LeaseSettings settings, TimeProvider time, ILoggingAdapter? log = null)
        : base(settings)
    {
        ArgumentNullException.ThrowIfNull(settings);
        _time = time;
        _log = log;
        _key = "bridge:lease:" + settings.LeaseName;
        var redis = settings.LeaseConfig.GetString("redis");
        if (string.IsNullOrWhiteSpace(redis))
            throw new ConfigurationException("The section of a lease of class RedisLease needs redis = \"…\", a connection string.");
        _link = new RedisLink(redis, "bridge-lease", settings.TimeoutSettings.OperationTimeout, time);
    }

    private TimeSpan TimeToLive => Settings.TimeoutSettings.HeartbeatTimeout;

    /// <inheritdoc />
    public override Task<bool> Acquire() => Acquire(_ => { });

    /// <inheritdoc />
    public override async Task<bool> Acquire(Action<Exception> leaseLostCallback)
    {
        var sentAt = _time.GetTimestamp();
        bool isOurs;
        try
        {
            isOurs = await _link.CallAsync(database => database.LockTakeAsync(_key, Settings.OwnerName, TimeToLive)).ConfigureAwait(false)
                // Ours already, in an earlier life under the same name or by an answer that was lost.
                || await _link.CallAsync(database => database.LockExtendAsync(_key, Settings.OwnerName, TimeToLive)).ConfigureAwait(false);
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
            return await _link.CallAsync(database => database.LockReleaseAsync(_key, Settings.OwnerName)).ConfigureAwait(false);
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
                _log?.Warning("The lease {Key} is lost: {Reason}", _key, reason.Message);
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
            if (await _link.CallAsync(database => database.LockExtendAsync(_key, Settings.OwnerName, TimeToLive)).ConfigureAwait(false))
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
