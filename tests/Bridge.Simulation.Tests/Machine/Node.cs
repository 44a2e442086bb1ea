using Akka.Actor;

namespace Bridge.Simulation.Tests.Machine;

/// <summary>One of the places where Bridge runs; its process may freeze, die and be started anew.</summary>
internal sealed class Node
{
    private readonly World _world;
    private IActorRef? _bridge;
    private int _lives;
    private long _cutOffUntil;
    private long? _freezesFor;

    public Node(World world, int index, SimulatedProcess process, double rate)
    {
        (_world, Index, Process) = (world, index, process);
        process.Clock.Reset(rate, (index - 1) * TimeSpan.TicksPerDay);
    }

    public int Index { get; }

    public SimulatedProcess Process { get; }

    /// <summary>Whether the process lives now; null while none does.</summary>
    public NodeLife? Life { get; private set; }

    public NodeClock Clock => Process.Clock;

    public bool IsFrozen => Clock.IsFrozen;

    /// <summary>Until when nothing passes between it and the XMPP server; zero while everything does.</summary>
    public long CutOffUntil => _world.Now < _cutOffUntil ? _cutOffUntil : 0;

    /// <summary>The bridge's actor.</summary>
    public IActorRef Bridge => _bridge!;

    public void Start(Func<NodeLife, Props> bridge)
    {
        Life = new NodeLife(this, (++_lives * World.NodesAtMost) + Index);
        _bridge = Process.System.ActorOf(bridge(Life));
    }

    /// <summary>The process stands still, its clock goes on; whatever comes waits in its sockets and mailboxes.</summary>
    public void Freeze(long until)
    {
        Clock.Freeze(until);
        _world.At(until, () => { });
    }

    /// <summary>The process will stand still at the worst moment: when it has found that it may write, and has not written yet.</summary>
    public void FreezeAtNextWrite(long ticks) => _freezesFor = ticks;

    /// <summary>It is about to write.</summary>
    /// <param name="noLaterThan">From here on nothing goes wrong any more.</param>
    public void ReachWrite(long noLaterThan)
    {
        if (_freezesFor is not { } ticks)
            return;
        _freezesFor = null;
        if (_world.Now < noLaterThan)
            Freeze(Math.Min(_world.Now + ticks, noLaterThan));
    }

    /// <summary>Nothing passes between it and the XMPP server for a while; then what was sent meanwhile arrives.</summary>
    public void CutOff(long until) => _cutOffUntil = Math.Max(_cutOffUntil, until);

    /// <summary>Ends the process: from here on nothing that its actors still do reaches anybody.</summary>
    public void Kill()
    {
        if (Life is not { } life)
            return;
        Life = null;
        life.IsDead = true;
        Clock.Forget();
        _freezesFor = null;
        Process.System.Stop(_bridge!);
        Process.RunAll();
        life.End();
    }

    /// <summary>Does something in this process: at once, or when it thaws.</summary>
    public void Do(NodeLife life, Action action)
    {
        if (life.IsDead)
            return;
        if (IsFrozen)
            _world.At(Clock.FrozenUntil, () => Do(life, action));
        else
            action();
    }
}

/// <summary>One life of a process.</summary>
/// <param name="node">Where.</param>
/// <param name="number">One that no other life has.</param>
internal sealed class NodeLife(Node node, long number)
{
    private readonly List<Action> _atEnd = [];

    public Node Node { get; } = node;

    public long Number { get; } = number;

    public bool IsDead { get; set; }

    public void Do(Action action) => Node.Do(this, action);

    /// <summary>What the operating system does when the process has died, such as closing its sockets.</summary>
    public void AtEnd(Action action) => _atEnd.Add(action);

    public void End() => _atEnd.ForEach(action => action());
}
