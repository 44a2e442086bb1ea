namespace Bridge.Simulation.Tests.Machine;

/// <summary>
/// The loop: of everything that could happen next it picks one by the seed: a mailbox that runs for one
/// message, or something that the network or a clock brings. Time passes only when nothing else can happen.
/// </summary>
internal sealed class World(VirtualClock clock, Random random, bool recording)
{
    /// <summary>Nodes that a schedule may have.</summary>
    public const int NodesAtMost = 4;

    private readonly List<Action> _ready = [];
    private readonly List<string> _history = [];

    public VirtualClock Clock { get; } = clock;

    public Random Random { get; } = random;

    public long Now => Clock.Now;

    /// <summary>Whether the history is written down; most schedules only want the verdict.</summary>
    public bool Recording { get; } = recording;

    public IReadOnlyList<string> History => _history;

    /// <summary>The first promise that was found broken.</summary>
    public string? Violation { get; private set; }

    /// <summary>The processes, each with whether it is frozen at the moment.</summary>
    public Node[] Nodes { get; set; } = [];

    public void Note(string what)
    {
        if (Recording)
            _history.Add($"{TimeSpan.FromTicks(Now).TotalMilliseconds,9:F3} {what}");
    }

    public void Break(string promise)
    {
        Violation ??= promise;
        if (Recording)
            Note("BROKEN: " + promise);
    }

    public void After(double milliseconds, Action action) => Clock.At(Now + Ticks(milliseconds), action);

    public void At(long moment, Action action) => Clock.At(moment, action);

    /// <summary>Any delay up to so much, never none.</summary>
    public long Soon(double milliseconds) => Now + 1 + (long)(Random.NextDouble() * Ticks(milliseconds));

    public static long Ticks(double milliseconds) => (long)(milliseconds * TimeSpan.TicksPerMillisecond);

    public bool Chance(double probability) => Random.NextDouble() < probability;

    /// <summary>Lets one thing happen. False when nothing is left to happen before the limit.</summary>
    public bool Step(long limit)
    {
        Clock.CollectDue(_ready);
        int mailboxes = 0;
        foreach (var node in Nodes)
            mailboxes += node.IsFrozen ? 0 : node.Process.Runnable;
        var choices = mailboxes + _ready.Count;
        if (choices == 0)
        {
            if (Clock.Next > limit)
                return false;
            Clock.Advance(_ready);
            return true;
        }

        var choice = choices == 1 ? 0 : Random.Next(choices);
        foreach (var node in Nodes)
        {
            if (node.IsFrozen)
                continue;
            if (choice < node.Process.Runnable)
            {
                node.Process.Run(choice);
                return true;
            }

            choice -= node.Process.Runnable;
        }

        var action = _ready[choice];
        _ready.RemoveAt(choice);
        action();
        return true;
    }
}
