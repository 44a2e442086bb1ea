using Akka.Configuration;
using Akka.Dispatch;

namespace Bridge.Scheduling;

/// <summary>
/// Makes the actors of a dispatcher run as a <see cref="MailboxChain" />:
/// <c>executor = "Bridge.Scheduling.MailboxChainExecutor, Bridge.Actors"</c>.
/// </summary>
/// <param name="config">The dispatcher's section.</param>
/// <param name="prerequisites">What Akka gives every executor.</param>
public sealed class MailboxChainExecutor(Config config, IDispatcherPrerequisites prerequisites)
    : ExecutorServiceConfigurator(config, prerequisites)
{
    /// <inheritdoc />
    public override ExecutorService Produce(string id) => new Service(id);

    private sealed class Service(string id) : ExecutorService(id)
    {
        private volatile bool _shutDown;

        public override void Execute(IRunnable run)
        {
            // As Akka's own executors: what is scheduled on a dispatcher that is gone must not run.
            if (_shutDown)
                throw new RejectedExecutionException("The dispatcher was shut down.");
            MailboxChain.Execute(run);
        }

        public override void Shutdown() => _shutDown = true;
    }
}
