using Akka.Actor;
using Akka.Configuration;
using Akka.Event;
using Akka.TestKit;

namespace Bridge.Actors.Tests;

/// <summary>
/// Akka's <see cref="TestScheduler" />, but for one thing: that one forgets what is scheduled without a
/// delay at the very tick that it is working on, so here nothing is due sooner than the next tick.
/// </summary>
internal sealed class StepScheduler(Config config, ILoggingAdapter log) : TestScheduler(config, log), ITellScheduler
{
    /// <summary>After this time whatever was due at once has come.</summary>
    public static readonly TimeSpan Soonest = TimeSpan.FromTicks(1);

    void ITellScheduler.ScheduleTellOnce(TimeSpan delay, ICanTell receiver, object message, IActorRef sender) =>
        ScheduleTellOnce(Later(delay), receiver, message, sender);

    void ITellScheduler.ScheduleTellOnce(TimeSpan delay, ICanTell receiver, object message, IActorRef sender, ICancelable cancelable) =>
        ScheduleTellOnce(Later(delay), receiver, message, sender, cancelable);

    void ITellScheduler.ScheduleTellRepeatedly(
        TimeSpan initialDelay, TimeSpan interval, ICanTell receiver, object message, IActorRef sender) =>
        ScheduleTellRepeatedly(Later(initialDelay), interval, receiver, message, sender);

    void ITellScheduler.ScheduleTellRepeatedly(
        TimeSpan initialDelay, TimeSpan interval, ICanTell receiver, object message, IActorRef sender, ICancelable cancelable) =>
        ScheduleTellRepeatedly(Later(initialDelay), interval, receiver, message, sender, cancelable);

    private static TimeSpan Later(TimeSpan delay) => delay < Soonest ? Soonest : delay;
}
