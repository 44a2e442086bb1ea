using System.Runtime.InteropServices;
using System.Threading.Channels;

namespace Bridge.Host.Hosting;

/// <summary>SIGHUP: the configuration is to be read again. One that comes while another is worked on is worked on next; more are the same.</summary>
internal sealed class ReloadSignal : IDisposable
{
    private readonly Channel<bool> asked = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private readonly PosixSignalRegistration registration;

    /// <summary>Begins to listen.</summary>
    public ReloadSignal() => registration = PosixSignalRegistration.Create(PosixSignal.SIGHUP, context =>
    {
        // Without this the runtime ends the process when the handler returns.
        context.Cancel = true;
        asked.Writer.TryWrite(true);
    });

    /// <summary>Completes with the next signal.</summary>
    public Task NextAsync() => asked.Reader.ReadAsync().AsTask();

    /// <inheritdoc />
    public void Dispose() => registration.Dispose();
}
