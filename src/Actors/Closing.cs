using Microsoft.Extensions.Logging;

namespace Bridge;

/// <summary>Closes what an actor held when the actor is gone and nobody can wait for the end of it.</summary>
internal static class Closing
{
    /// <summary>Begins to dispose; a failure is logged and changes nothing, as each call underneath has its own deadline.</summary>
    /// <param name="resource">What to close.</param>
    /// <param name="what">Its name in the log.</param>
    /// <param name="log">Of the actor that held it; safe to use after the actor's end.</param>
    public static void InBackground(IAsyncDisposable resource, string what, ILogger log) =>
        resource.DisposeAsync().AsTask().ContinueWith(
            task => log.NotClosed(what, task.Exception?.GetBaseException().Message),
            CancellationToken.None,
            TaskContinuationOptions.OnlyOnFaulted,
            TaskScheduler.Default);
}
