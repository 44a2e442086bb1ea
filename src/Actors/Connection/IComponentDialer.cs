using System.Buffers;
using Bridge.Queue;
using Bridge.Settings;

namespace Bridge.Connection;

/// <summary>Opens component streams: TCP, and TLS where configured. The seam between the connection's behaviour and its socket.</summary>
public interface IComponentDialer
{
    /// <summary>Connects to one endpoint within <see cref="XmppSettings.ConnectTimeout" />.</summary>
    /// <param name="endpoint">Where to.</param>
    /// <param name="settings">TLS, timeouts, limits.</param>
    /// <param name="deadline">Checked before each write.</param>
    /// <param name="barrier">This life's barrier, so that returned ones are recognised where they are read.</param>
    /// <param name="post">Gets <see cref="LinkEvents" /> and, once, <see cref="LinkEnded" />; called from the reading task.</param>
    /// <param name="cancellation">Gives the attempt up; also after the connect, before the link was returned.</param>
    /// <exception cref="ConnectFaultException">For a named reason.</exception>
    Task<IComponentLink> DialAsync(
        XmppEndpoint endpoint,
        XmppSettings settings,
        LeaseDeadline deadline,
        Barrier barrier,
        Action<object> post,
        CancellationToken cancellation);
}

/// <summary>One open component stream. Used by one thread, except where said.</summary>
public interface IComponentLink
{
    /// <summary>Where bytes for the server go; <see cref="Flush" /> sends them on their way.</summary>
    IBufferWriter<byte> Output { get; }

    /// <summary>Whether the endpoint's name stood for exactly one address.</summary>
    bool SingleAddress { get; }

    /// <summary>Bytes that the server's kernel has acknowledged, where the platform tells; else those written.</summary>
    long AcknowledgedBytes { get; }

    /// <summary>Bytes given to the kernel.</summary>
    long BytesWritten { get; }

    /// <summary>Bytes read.</summary>
    long BytesRead { get; }

    /// <summary>Hands what was put into <see cref="Output" /> to the writing task.</summary>
    void Flush();

    /// <summary>Tells that events were worked off, so that the reading task may go on: it keeps a bounded number under way.</summary>
    void Consumed(int events);

    /// <summary>Resets the connection and drops what is unwritten. Safe from any thread, and more than once.</summary>
    void ResetNow();

    /// <summary>Waits until all is written, then reads to the server's end of the stream, at most for the timeout, then closes.</summary>
    Task CloseAsync(TimeSpan timeout);
}
