using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Akka.Actor;
using Akka.Configuration;
using Bridge.Scheduling;

namespace Bridge.Actors.Tests.Scheduling;

/// <summary>Actors on the dispatcher that <c>hocon/reference.conf</c> gives them.</summary>
public sealed class MailboxChainTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly ActorSystem _system = ActorSystem.Create("chain", ConfigurationFactory.ParseString("""
        akka.loglevel = OFF
        akka.actor.default-dispatcher.executor = "Bridge.Scheduling.MailboxChainExecutor, Bridge.Actors"
        """));

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync() => _system.Terminate();

    [Fact]
    public async Task What_an_event_sets_off_has_run_on_its_thread_when_the_call_returns()
    {
        var ran = new ConcurrentQueue<(string Actor, int Thread)>();
        var third = Started((_, _) => ran.Enqueue(("third", Environment.CurrentManagedThreadId)));
        var second = Started((_, message) =>
        {
            ran.Enqueue(("second", Environment.CurrentManagedThreadId));
            third.Tell(message);
        });
        var first = Started((_, message) =>
        {
            second.Tell(message);
            // Told is not yet run: nobody runs inside another's handler.
            ran.Enqueue(("first", Environment.CurrentManagedThreadId));
        });
        await Task.WhenAll(Idle(first), Idle(second), Idle(third));

        await Task.Factory.StartNew(
            () =>
            {
                MailboxChain.Tell(first, "event");
                var here = Environment.CurrentManagedThreadId;
                Assert.Equal([("first", here), ("second", here), ("third", here)], ran);
            },
            TaskCreationOptions.LongRunning);
    }

    [Fact]
    public async Task What_is_told_last_comes_behind_everything_that_the_event_set_off()
    {
        var ran = new ConcurrentQueue<string>();
        var second = Started((_, message) => ran.Enqueue($"second {message}"));
        var first = Started((self, message) =>
        {
            ran.Enqueue($"first {message}");
            if (message is not "event")
                return;
            MailboxChain.TellLast(self, "again");
            second.Tell("a");
            second.Tell("b");
        });
        await Task.WhenAll(Idle(first), Idle(second));

        MailboxChain.Tell(first, "event");

        Assert.Equal(["first event", "second a", "second b", "first again"], ran);
    }

    [Fact]
    public async Task What_is_told_last_outside_a_chain_is_told_at_once()
    {
        var told = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var actor = Started((_, _) => told.TrySetResult());

        MailboxChain.TellLast(actor, "event");

        await told.Task.WaitAsync(Patience);
    }

    [Fact]
    public async Task Actors_that_never_come_to_an_end_do_not_keep_the_event_s_thread()
    {
        var turns = 0;
        var over = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        IActorRef? pong = null;
        var ping = Started((_, message) => pong!.Tell(message));
        pong = Started((_, message) =>
        {
            if (Interlocked.Increment(ref turns) == 50_000)
                over.TrySetResult();
            else
                ping.Tell(message);
        });
        await Task.WhenAll(Idle(ping), Idle(pong));

        MailboxChain.Tell(ping, "event");

        Assert.InRange(Volatile.Read(ref turns), 1, 49_999);
        await over.Task.WaitAsync(Patience);
    }

    [Fact]
    public async Task An_actor_that_fails_holds_up_none_of_the_others()
    {
        var arrived = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var other = Started((_, _) => arrived.TrySetResult());
        var failing = Started((_, _) => throw new InvalidOperationException("on purpose"));
        var first = Started((_, message) =>
        {
            failing.Tell(message);
            other.Tell(message);
        });
        await Task.WhenAll(Idle(first), Idle(failing), Idle(other));

        MailboxChain.Tell(first, "event");

        await arrived.Task.WaitAsync(Patience);
    }

    [Fact]
    public async Task Events_of_two_threads_run_beside_one_another()
    {
        using var both = new Barrier(2);
        var met = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        IActorRef Meeting() => Started((_, _) =>
        {
            // Each waits for the other in its handler: on one thread this would never end.
            if (both.SignalAndWait(Patience))
                met.TrySetResult();
        });
        var (one, two) = (Meeting(), Meeting());

        await Task.WhenAll(
            Task.Factory.StartNew(() => MailboxChain.Tell(one, "event"), TaskCreationOptions.LongRunning),
            Task.Factory.StartNew(() => MailboxChain.Tell(two, "event"), TaskCreationOptions.LongRunning));

        await met.Task.WaitAsync(Patience);
    }

    [Fact]
    public async Task A_task_s_result_and_its_failure_come_as_messages()
    {
        var got = new ConcurrentQueue<object>();
        var actor = Started((_, message) => got.Enqueue(message));
        await Idle(actor);

        await MailboxChain.PipeTo(Task.FromResult(7), actor, result => $"got {result}", cause => cause.Message);
        await MailboxChain.PipeTo(
            Task.FromException<int>(new InvalidOperationException("failed")), actor, result => $"got {result}", cause => cause.Message);

        Assert.Equal<object>(["got 7", "failed"], got);
    }

    private IActorRef Started(Action<IActorRef, object> handle) => _system.ActorOf(Props.Create(() => new Scripted(handle)));

    // Its start is a mailbox run as well, on the thread pool: it is over when a probe runs on the very thread that told it.
    private static async Task Idle(IActorRef actor)
    {
        using var patience = new CancellationTokenSource(Patience);
        int here, ran;
        do
        {
            patience.Token.ThrowIfCancellationRequested();
            await Task.Yield();
            here = Environment.CurrentManagedThreadId;
            var probed = new StrongBox<int>();
            MailboxChain.Tell(actor, new Probe(() => probed.Value = Environment.CurrentManagedThreadId));
            ran = Volatile.Read(ref probed.Value);
        }
        while (ran != here);
    }

    private sealed record Probe(Action Ran);

    private sealed class Scripted : UntypedActor
    {
        private readonly Action<IActorRef, object> _handle;

        public Scripted(Action<IActorRef, object> handle) => _handle = handle;

        protected override void OnReceive(object message)
        {
            if (message is Probe probe)
                probe.Ran();
            else
                _handle(Self, message);
        }
    }
}
