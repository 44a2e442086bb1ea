namespace Bridge.Simulation.Tests.Machine;

/// <summary>
/// The clocks of one host: a monotonic one, which may run slow or fast, and one on the wall, which follows it and may
/// jump besides. While the process is frozen both go on, and none of its timers fires.
/// </summary>
internal sealed class NodeClock(VirtualClock world) : TimeProvider
{
    private readonly Queue<Action> _missed = new();
    private double _rate = 1;
    private long _origin;
    private long _jumped;
    private long _frozenUntil;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>How many of its ticks pass in one of the world's.</summary>
    public double Rate => _rate;

    public bool IsFrozen => world.Now < _frozenUntil;

    /// <summary>When the process thaws; a moment of the world.</summary>
    public long FrozenUntil => _frozenUntil;

    public override long GetTimestamp() => _origin + (long)(world.Now * _rate);

    public override DateTimeOffset GetUtcNow() => VirtualClock.Start + TimeSpan.FromTicks((long)(world.Now * _rate) + _jumped);

    /// <summary>Somebody sets the clock on the wall.</summary>
    public void Jump(TimeSpan by) => _jumped += by.Ticks;

    public void Freeze(long until) => _frozenUntil = Math.Max(_frozenUntil, until);

    /// <summary>The process ends, and with it what its timers would have done.</summary>
    public void Forget()
    {
        _frozenUntil = 0;
        _missed.Clear();
    }

    /// <summary>The world's moment at which so much has passed here.</summary>
    public long MomentAfter(TimeSpan delay) => world.Now + (long)Math.Ceiling(delay.Ticks / _rate);

    /// <summary>
    /// A timer of the scheduler, which is one thread: those that were due while the process was frozen fire when it
    /// wakes, in the order in which they were due, among whatever else there is to do.
    /// </summary>
    public void After(TimeSpan delay, Action action) => world.At(MomentAfter(delay), () =>
    {
        if (!IsFrozen && _missed.Count == 0)
        {
            action();
            return;
        }

        _missed.Enqueue(action);
        world.At(_frozenUntil, FireMissed);
    });

    /// <summary>A host that has just been switched on: no two of them count from the same moment.</summary>
    public void Reset(double rate, long origin)
    {
        Forget();
        (_rate, _origin, _jumped) = (rate, origin, 0);
    }

    private void FireMissed()
    {
        if (IsFrozen)
            world.At(_frozenUntil, FireMissed);
        else if (_missed.TryDequeue(out var action))
            action();
    }
}
