using System.Collections.Concurrent;
using System.Globalization;
using Akka.Actor;
using Akka.Configuration;
using Akka.Dispatch;

namespace Bridge.Simulation.Tests.Machine;

/// <summary>
/// An actor system whose mailboxes run only when the simulation says so: one of the processes that share
/// a world and a thread. It is used for one schedule after the other, because making an actor system
/// takes as long as many schedules. It has no thread of its own, so there is nothing to shut down.
/// </summary>
internal sealed class SimulatedProcess
{
    private static readonly ConcurrentDictionary<string, SimulatedProcess> All = new();
    private static int s_made;

    private readonly List<IRunnable> _runnable = [];
    private readonly int _thread = Environment.CurrentManagedThreadId;

    public SimulatedProcess(VirtualClock clock)
    {
        Clock = new NodeClock(clock);
        var name = "process-" + Interlocked.Increment(ref s_made).ToString(CultureInfo.InvariantCulture);
        All[name] = this;
        System = ActorSystem.Create(name, ConfigurationFactory.ParseString(
            $$"""
            simulation.process = "{{name}}"
            akka {
              loglevel = OFF
              stdout-loglevel = OFF
              loggers = []
              log-dead-letters = off
              log-dead-letters-during-shutdown = off
              coordinated-shutdown.run-by-clr-shutdown-hook = off
              scheduler.implementation = "Bridge.Simulation.Tests.Machine.VirtualScheduler, Bridge.Simulation.Tests"
              actor.default-dispatcher {
                executor = "Bridge.Simulation.Tests.Machine.QueueingExecutor, Bridge.Simulation.Tests"
                throughput = 1
                process = "{{name}}"
              }
              actor.internal-dispatcher {
                executor = "Bridge.Simulation.Tests.Machine.QueueingExecutor, Bridge.Simulation.Tests"
                throughput = 1
                process = "{{name}}"
              }
            }
            """));
        // A dispatcher without actors plans its own end, and remembers in the next schedule that it has: with an actor
        // that never ends, a schedule's history does not depend on the one before.
        System.ActorOf(Props.Create<Inhabitant>());
        RunAll();
    }

    public NodeClock Clock { get; }

    public ActorSystem System { get; }

    /// <summary>Mailboxes that have something to do.</summary>
    public int Runnable => _runnable.Count;

    public static SimulatedProcess Named(string name) => All[name];

    public void Offer(IRunnable mailbox)
    {
        // Whatever ran elsewhere would run at a moment that no seed decides.
        if (Environment.CurrentManagedThreadId != _thread)
            throw new InvalidOperationException("Something ran outside of the simulation's thread.");
        _runnable.Add(mailbox);
    }

    /// <summary>Runs one of the mailboxes, for one message.</summary>
    public void Run(int index)
    {
        var mailbox = _runnable[index];
        _runnable.RemoveAt(index);
        mailbox.Run();
    }

    /// <summary>Runs until no mailbox has anything to do.</summary>
    public void RunAll()
    {
        while (_runnable.Count > 0)
            Run(0);
    }

    private sealed class Inhabitant : ActorBase
    {
        protected override bool Receive(object message) => false;
    }
}
