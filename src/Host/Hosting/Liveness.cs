using Akka.Actor;

namespace Bridge.Host.Hosting;

/// <summary>Whether the process works at all: its actor system answers a question. Redis and the server have no part in it.</summary>
internal sealed class Liveness(IHostApplicationLifetime lifetime, IServiceProvider host)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    /// <summary>Asks, and says what came of it.</summary>
    public async Task<(bool Live, string Text)> AskAsync()
    {
        if (!lifetime.ApplicationStarted.IsCancellationRequested)
            return (true, "starting");
        var system = host.GetRequiredService<ActorSystem>();
        if (system.WhenTerminated.IsCompleted)
            return (false, "the actor system has ended");
        try
        {
            await system.ActorSelection("/user").Ask<ActorIdentity>(new Identify(null), Deadline);
            return (true, "live");
        }
        catch (AskTimeoutException)
        {
            return (false, "the actor system does not answer");
        }
    }
}
