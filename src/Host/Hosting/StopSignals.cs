using System.Runtime.InteropServices;
using Bridge.Host.Cli;

namespace Bridge.Host.Hosting;

/// <summary>
/// SIGTERM, SIGINT (Ctrl-C) and SIGQUIT: the first one asks for an orderly stop, the second one
/// ends the process at once. That loses nothing, because what is not settled is still in Redis.
/// </summary>
internal sealed class StopSignals : IDisposable
{
    private readonly TaskCompletionSource<PosixSignal> first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<PosixSignalRegistration> registrations;

    /// <summary>Begins to listen.</summary>
    public StopSignals() =>
        registrations =
        [
            PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => Signalled(context, 15)),
            PosixSignalRegistration.Create(PosixSignal.SIGINT, context => Signalled(context, 2)),
            PosixSignalRegistration.Create(PosixSignal.SIGQUIT, context => Signalled(context, 3)),
        ];

    /// <summary>Completes with the first signal.</summary>
    public Task<PosixSignal> First => first.Task;

    /// <inheritdoc />
    public void Dispose() => registrations.ForEach(registration => registration.Dispose());

    private void Signalled(PosixSignalContext context, int number)
    {
        // Without this the runtime ends the process when the handler returns.
        context.Cancel = true;
        if (!first.TrySetResult(context.Signal))
            Environment.Exit(ExitCodes.OfSignal(number));
    }
}
