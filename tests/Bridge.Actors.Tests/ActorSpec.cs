using Akka.Actor;
using Akka.Configuration;
using Akka.Event;
using Akka.TestKit;
using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Actors.Tests;

/// <summary>
/// The ground of the actor specs. Actors run on the caller's thread and timers on the test's clock, so
/// that when a <c>Tell</c>, a completed call or a step of the clock returns, everything that follows
/// from it has happened: no spec waits, and "nothing was said" is a fact rather than a guess.
/// </summary>
public abstract class ActorSpec : Akka.TestKit.Xunit2.TestKit
{
    private static readonly Config Deterministic = ConfigurationFactory.ParseString(
        """
        akka {
          loglevel = DEBUG
          stdout-loglevel = OFF
          loggers = []
          log-dead-letters = off
          log-dead-letters-during-shutdown = off
          scheduler.implementation = "Bridge.Actors.Tests.StepScheduler, Bridge.Actors.Tests"
          actor.default-dispatcher {
            type = "Akka.TestKit.CallingThreadDispatcherConfigurator, Akka.TestKit"
            throughput = 2147483647
          }
          # The guardians', who start what is at the top.
          actor.internal-dispatcher {
            type = "Akka.TestKit.CallingThreadDispatcherConfigurator, Akka.TestKit"
            throughput = 2147483647
          }
        }
        """);

    // Shorter than every interval of Bridge's, so that a step fires each timer once at most.
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(10);

    private readonly TestProbe _logged;

    protected ActorSpec()
        : base(Deterministic)
    {
        Bridge = "spec-" + Guid.NewGuid().ToString("N");
        Metrics = new RecordedMetrics(Bridge);
        _logged = CreateTestProbe();
        Sys.EventStream.Subscribe(_logged.Ref, typeof(LogEvent));
    }

    /// <summary>The name of this spec's bridge, which tells its metrics from those of specs that run beside it.</summary>
    protected string Bridge { get; }

    /// <summary>The clock of everything under test.</summary>
    internal ManualTime Time { get; } = new();

    /// <summary>What was counted for <see cref="Bridge" />.</summary>
    internal RecordedMetrics Metrics { get; }

    /// <summary>The shipped settings under this spec's name.</summary>
    protected BridgeSettings Settings(ConfirmGrade grade = ConfirmGrade.Held, params int[] ports) =>
        InProcessBridge.Settings("unused", ports.Length == 0 ? [5347] : ports, grade: grade) with { Name = Bridge };

    /// <summary>Lets time pass, in steps, timers included.</summary>
    protected void Pass(TimeSpan time)
    {
        var scheduler = (StepScheduler)Sys.Scheduler;
        while (time > TimeSpan.Zero)
        {
            var step = time < Step ? time : Step;
            Time.Advance(step);
            scheduler.Advance(step);
            time -= step;
        }
    }

    /// <summary>Fires the timers that are due at once.</summary>
    protected void Pass() => Pass(StepScheduler.Soonest);

    protected void Pass(double milliseconds) => Pass(TimeSpan.FromMilliseconds(milliseconds));

    /// <summary>Lets the clock run while every actor is frozen: timers fire only with the next <see cref="Pass(TimeSpan)" />.</summary>
    protected void Freeze(TimeSpan time) => Time.Advance(time);

    /// <summary>Lets time pass in steps until something is so; false when it never came to be so.</summary>
    protected bool PassUntil(Func<bool> condition, TimeSpan atMost)
    {
        for (var passed = TimeSpan.Zero; passed < atMost; passed += Step)
        {
            if (condition())
                return true;
            Pass(Step);
        }

        return condition();
    }

    /// <summary>Does something outside of every synchronisation context: a task that it completes runs what awaits it before it returns.</summary>
    internal static void Inline(Action action)
    {
        var context = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            action();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(context);
        }
    }

    /// <summary>Makes an actor under a parent that tells a probe everything it hears, stops what fails, and says so.</summary>
    protected IActorRef ChildOf(TestProbe parent, Props child)
    {
        Sys.ActorOf(Props.Create(() => new Supervisor(child, parent.Ref)));
        return parent.ExpectMsg<Supervisor.Created>(TimeSpan.Zero).Child;
    }

    /// <summary>Ends an actor, and returns once it has ended.</summary>
    protected void End(IActorRef actor)
    {
        var watcher = CreateTestProbe();
        watcher.Watch(actor);
        ((IInternalActorRef)actor).Stop();
        watcher.ExpectTerminated(actor, TimeSpan.FromSeconds(3));
    }

    /// <summary>What was logged at a level since the last look.</summary>
    internal IReadOnlyList<string> Logged(Akka.Event.LogLevel level) =>
        [.. Drain<LogEvent>(_logged).Where(e => e.LogLevel() == level).Select(e => e.Message.ToString() ?? "")];

    /// <summary>All messages of a type that a probe has got; the others are thrown away.</summary>
    protected static IReadOnlyList<T> Drain<T>(TestProbe probe)
    {
        ArgumentNullException.ThrowIfNull(probe);
        var found = new List<T>();
        while (probe.ReceiveOne(TimeSpan.Zero) is { } message)
            if (message is T one)
                found.Add(one);
        return found;
    }

    protected override void AfterAll()
    {
        Metrics.Dispose();
        base.AfterAll();
    }

    /// <summary>The parent of an actor under test.</summary>
    internal sealed class Supervisor : ReceiveActor
    {
        internal sealed record Created(IActorRef Child);

        internal sealed record Failed(Exception Cause);

        private readonly Props _child;
        private readonly IActorRef _probe;

        public Supervisor(Props child, IActorRef probe)
        {
            _child = child;
            _probe = probe;
            ReceiveAny(message => _probe.Forward(message));
        }

        protected override void PreStart() => _probe.Tell(new Created(Context.ActorOf(_child)));

        protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(
            cause =>
            {
                _probe.Tell(new Failed(cause));
                return Directive.Stop;
            },
            loggingEnabled: false);
    }
}
