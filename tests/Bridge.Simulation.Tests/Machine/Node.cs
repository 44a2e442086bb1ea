using Akka.Actor;

namespace Bridge.Simulation.Tests.Machine;

/// <summary>One of the two places where Bridge runs; its process may freeze, die and be started anew.</summary>
internal sealed class Node(World world, int index, SimulatedProcess process)
{
    private IActorRef? _bridge;
    private long _frozenUntil;
    private int _lives;

    public int Index { get; } = index;

    public SimulatedProcess Process { get; } = process;

    /// <summary>Whether the process lives now; null while none does.</summary>
    public NodeLife? Life { get; private set; }

    public bool IsFrozen => world.Now < _frozenUntil;

    /// <summary>The bridge's actor.</summary>
    public IActorRef Bridge => _bridge!;

    public void Start(Func<NodeLife, Props> bridge)
    {
        Life = new NodeLife(this, ++_lives * 2 + Index);
        _bridge = Process.System.ActorOf(bridge(Life));
    }

    /// <summary>The process stands still, its clock goes on; whatever comes waits in its sockets and mailboxes.</summary>
    public void Freeze(long until)
    {
        _frozenUntil = Math.Max(_frozenUntil, until);
        world.At(until, () => { });
    }

    /// <summary>Ends the process: from here on nothing that its actors still do reaches anybody.</summary>
    public void Kill()
    {
        if (Life is not { } life)
            return;
        Life = null;
        life.IsDead = true;
        _frozenUntil = 0;
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
            world.At(_frozenUntil, () => Do(life, action));
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
