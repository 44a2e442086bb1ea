using System.Buffers;
using System.Net;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;

namespace Bridge.Connection;

/// <summary>Opens component streams: TCP, and TLS where configured. The seam between the connection's behaviour and its socket.</summary>
public interface IComponentDialer
{
    /// <summary>Connects to one endpoint within <see cref="XmppSettings.ConnectTimeout" />.</summary>
    /// <param name="endpoint">Where to.</param>
    /// <param name="settings">TLS and timeouts.</param>
    /// <param name="deadline">Checked before each write.</param>
    /// <param name="cancellation">Gives the attempt up.</param>
    /// <exception cref="ConnectFaultException">For a named reason.</exception>
    Task<IComponentLink> DialAsync(
        XmppEndpoint endpoint, XmppSettings settings, LeaseDeadline deadline, CancellationToken cancellation);
}

/// <summary>One open connection to a component port; see <see cref="ComponentSocket" />, whose contract it is.</summary>
public interface IComponentLink
{
    /// <summary>Where bytes for the server go; <see cref="Flush" /> sends them on their way.</summary>
    IBufferWriter<byte> Output { get; }

    /// <summary>Whether the endpoint's name stood for exactly one address; the loopback addresses count as one.</summary>
    bool SingleAddress { get; }

    /// <summary>Bytes given to the kernel.</summary>
    long BytesWritten { get; }

    /// <summary>Bytes read from the server.</summary>
    long BytesRead { get; }

    /// <summary>Bytes that the peer's kernel has not acknowledged; -1 where the system cannot tell.</summary>
    int KernelSendQueue();

    /// <summary>Begins to read and write; once.</summary>
    void Start(StanzaReader reader, BarrierIdentity barriers, IInboundSink sink);

    /// <summary>Hands what was put into <see cref="Output" /> to the writing task.</summary>
    void Flush();

    /// <summary>Tells that a batch was worked off, so that reading may go on: a bounded number is under way.</summary>
    void Consumed(InboundBatch batch);

    /// <summary>Resets the connection and drops what is unwritten. Safe from any thread, and more than once.</summary>
    void ResetNow();

    /// <summary>Waits until all is written, then reads to the server's end of the stream, at most for the timeout, then closes.</summary>
    Task CloseAsync(TimeSpan timeout);
}

/// <summary>Dials real sockets.</summary>
/// <param name="time">The clock of all deadlines.</param>
public sealed class ComponentDialer(TimeProvider time) : IComponentDialer
{
    /// <inheritdoc />
    public async Task<IComponentLink> DialAsync(
        XmppEndpoint endpoint, XmppSettings settings, LeaseDeadline deadline, CancellationToken cancellation)
    {
        var socket = await ComponentSocket.ConnectAsync(endpoint, settings.Tls, settings.ConnectTimeout, deadline, time, cancellation)
            .ConfigureAwait(false);
        try
        {
            return new Link(socket, await IsSingleAddressAsync(endpoint.Host, cancellation).ConfigureAwait(false));
        }
        catch (Exception)
        {
            await socket.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    private static async Task<bool> IsSingleAddressAsync(string host, CancellationToken cancellation)
    {
        if (IPAddress.TryParse(host, out _))
            return true;
        try
        {
            var addresses = await Dns.GetHostAddressesAsync(host, cancellation).ConfigureAwait(false);
            return addresses.Length == 1 || Array.TrueForAll(addresses, IPAddress.IsLoopback);
        }
        catch (System.Net.Sockets.SocketException)
        {
            // The connect found an address a moment ago; a resolver that now fails proves nothing.
            return false;
        }
    }

    private sealed class Link(ComponentSocket socket, bool singleAddress) : IComponentLink
    {
        public IBufferWriter<byte> Output => socket.Output;

        public bool SingleAddress => singleAddress;

        public long BytesWritten => socket.BytesWritten;

        public long BytesRead => socket.BytesRead;

        public int KernelSendQueue() => socket.KernelSendQueue();

        public void Start(StanzaReader reader, BarrierIdentity barriers, IInboundSink sink) => socket.Start(reader, barriers, sink);

        public void Flush() => socket.Flush();

        public void Consumed(InboundBatch batch) => socket.Consumed(batch);

        public void ResetNow() => socket.ResetNow();

        public Task CloseAsync(TimeSpan timeout) => socket.CloseAsync(timeout);
    }
}
