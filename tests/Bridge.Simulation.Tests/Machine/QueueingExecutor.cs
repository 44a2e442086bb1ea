using Akka.Configuration;
using Akka.Dispatch;

namespace Bridge.Simulation.Tests.Machine;

/// <summary>An executor that runs nothing: it puts mailboxes before the simulation, which decides when each of them runs.</summary>
/// <param name="config">The dispatcher's section, which names the process.</param>
/// <param name="prerequisites">What Akka gives every executor.</param>
public sealed class QueueingExecutor(Config config, IDispatcherPrerequisites prerequisites)
    : ExecutorServiceConfigurator(config, prerequisites)
{
    private readonly string _process = config.GetString("process", "");

    /// <inheritdoc />
    public override ExecutorService Produce(string id) => new Service(id, SimulatedProcess.Named(_process));

    private sealed class Service(string id, SimulatedProcess process) : ExecutorService(id)
    {
        public override void Execute(IRunnable run) => process.Offer(run);

        public override void Shutdown()
        {
        }
    }
}
