using System.Runtime.InteropServices;

namespace Bridge.TestKit;

/// <summary>
/// SIGINT, SIGTERM and SIGHUP to a program of the tests. The first one cancels <see cref="Token"/>; the second does
/// not wait for the end: the process exits with 130, and what it started is killed on the way out.
/// </summary>
public sealed class Interruption : IDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly PosixSignalRegistration[] _signals;

    /// <summary>Listens from now on.</summary>
    public Interruption() =>
        _signals = [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP }.Select(signal => PosixSignalRegistration.Create(signal, OnSignal))];

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _stopping.Token;

    /// <inheritdoc />
    public void Dispose()
    {
        foreach (var signal in _signals)
            signal.Dispose();
        _stopping.Dispose();
    }

    private void OnSignal(PosixSignalContext context)
    {
        if (_stopping.IsCancellationRequested)
            Environment.Exit(130);
        context.Cancel = true;
        _stopping.Cancel();
    }
}
