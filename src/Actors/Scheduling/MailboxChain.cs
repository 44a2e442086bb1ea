using System.Runtime.ExceptionServices;
using Akka.Actor;
using Akka.Dispatch;

namespace Bridge.Scheduling;

/// <summary>
/// Runs the mailboxes that one event sets off one behind the other on the event's own thread: a reply of
/// Redis goes through puller, writer and connection to the socket without a thread being woken.
/// <para>
/// On the thread pool each of these steps wakes a sleeping worker. At a thousand messages a second that was
/// nine tenths of Bridge's processor time, and half of the way of a message (docs/performance.md).
/// </para>
/// </summary>
/// <remarks>
/// It changes where an actor runs, not how: one message at a time, in order, never inside another actor's
/// handler. Actors that events of different threads set off still run in parallel.
/// </remarks>
internal sealed class MailboxChain : IThreadPoolWorkItem
{
    /// <summary>The stack of a thread on which chains run: enough for them, and as little as can be afforded for each connection.</summary>
    public const int StackBytes = 512 * 1024;

    /// <summary>Mailboxes that one event may run before the rest goes to the thread pool: the event's thread belongs to a socket or a timer.</summary>
    private const int LongestChain = 256;

    [ThreadStatic]
    private static MailboxChain? s_current;

    private readonly Queue<IRunnable> _waiting = new();
    private readonly Queue<(IActorRef Receiver, object Message)> _later = new();

    private MailboxChain()
    {
    }

    /// <summary>Tells a message, and runs the receiver and what it sets off before it returns.</summary>
    public static void Tell(IActorRef receiver, object message)
    {
        if (s_current is not null)
        {
            receiver.Tell(message);
            return;
        }

        var chain = s_current = new MailboxChain();
        try
        {
            receiver.Tell(message);
        }
        finally
        {
            chain.RunAll();
        }
    }

    /// <summary>
    /// As <see cref="PipeToSupport" />: the task's result comes as a message. The receiver runs on the
    /// thread that completed the task.
    /// </summary>
    public static async Task PipeTo<T>(Task<T> task, IActorRef receiver, Func<T, object> success, Func<Exception, object> failure)
    {
        object message;
        try
        {
            message = success(await task.ConfigureAwait(false));
        }
        catch (Exception cause)
        {
            message = failure(cause);
        }

        Tell(receiver, message);
    }

    /// <summary>
    /// Tells a message when everything that this event set off has run, where it runs as a chain; else at once. For
    /// work that nobody waits for, so that what somebody waits for comes first.
    /// </summary>
    public static void TellLast(IActorRef receiver, object message)
    {
        if (s_current is { } chain)
            chain._later.Enqueue((receiver, message));
        else
            receiver.Tell(message);
    }

    /// <summary>Runs a mailbox behind what this thread is running already, or on the thread pool where that is nothing.</summary>
    internal static void Execute(IRunnable mailbox)
    {
        if (s_current is { } chain)
        {
            chain._waiting.Enqueue(mailbox);
            return;
        }

        var other = new MailboxChain();
        other._waiting.Enqueue(mailbox);
        ThreadPool.UnsafeQueueUserWorkItem(other, preferLocal: false);
    }

    /// <inheritdoc />
    void IThreadPoolWorkItem.Execute()
    {
        s_current = this;
        RunAll();
    }

    private void RunAll()
    {
        try
        {
            for (var ran = 0; ran < LongestChain; ran++)
            {
                if (_waiting.TryDequeue(out var mailbox))
                    mailbox.Run();
                else if (_later.TryDequeue(out var last))
                    last.Receiver.Tell(last.Message);
                else
                    return;
            }
        }
        catch (Exception failure)
        {
            // An actor's own failures end in its supervisor. What comes through a mailbox is fatal on the thread
            // pool, and must be here, where the thread is a socket's that would take it for its own.
            var fatal = ExceptionDispatchInfo.Capture(failure);
            ThreadPool.UnsafeQueueUserWorkItem(static fatal => fatal.Throw(), fatal, preferLocal: false);
        }
        finally
        {
            s_current = null;
            if (_waiting.Count > 0 || _later.Count > 0)
                ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        }
    }
}
