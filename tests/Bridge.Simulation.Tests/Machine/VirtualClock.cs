namespace Bridge.Simulation.Tests.Machine;

/// <summary>Time that stands still until the simulation lets it pass, and what is to happen at which moment of it.</summary>
internal sealed class VirtualClock
{
    /// <summary>What every clock on a wall shows at first.</summary>
    public static readonly DateTimeOffset Start = new(2026, 5, 17, 12, 0, 0, TimeSpan.Zero);

    private readonly PriorityQueue<Action, (long At, long Order)> _planned = new();
    private readonly int _thread = Environment.CurrentManagedThreadId;
    private long _order;

    /// <summary>Ticks since the start of the schedule.</summary>
    public long Now { get; private set; }

    /// <summary>When the next thing is planned; <see cref="long.MaxValue" /> when nothing is.</summary>
    public long Next => _planned.TryPeek(out _, out var next) ? next.At : long.MaxValue;

    /// <summary>What a clock on the wall shows that is right, such as that of Redis.</summary>
    public DateTimeOffset TimeOfDay => Start + TimeSpan.FromTicks(Now);

    /// <summary>Where something was planned on another thread than the simulation's, at a moment that no seed decides.</summary>
    public string? Stray { get; private set; }

    public void At(long moment, Action action)
    {
        if (Environment.CurrentManagedThreadId != _thread)
        {
            Stray ??= Environment.StackTrace;
            throw new InvalidOperationException("Something ran outside of the simulation's thread.");
        }

        _planned.Enqueue(action, (Math.Max(moment, Now), _order++));
    }

    public void After(TimeSpan delay, Action action) => At(Now + delay.Ticks, action);

    /// <summary>Moves on to the next planned moment, and puts what is planned for it with what is ready.</summary>
    public void Advance(List<Action> ready)
    {
        Now = Math.Max(Now, Next);
        CollectDue(ready);
    }

    public void CollectDue(List<Action> ready)
    {
        while (_planned.TryPeek(out var action, out var next) && next.At <= Now)
        {
            _planned.Dequeue();
            ready.Add(action);
        }
    }

    /// <summary>Back to the beginning, with nothing planned.</summary>
    public void Reset()
    {
        _planned.Clear();
        (Now, _order) = (0, 0);
    }
}
