using System.Net.Sockets;

namespace Bridge.Connection;

/// <summary>
/// A socket whose reader waits in the kernel, on a thread of its own, and whose writers do not wait: what the
/// kernel takes at once is written on the caller's thread, and only the rest is awaited.
/// </summary>
/// <remarks>
/// The runtime's own streams make one thread watch all sockets, which then wakes another to read: two threads for
/// each barrier that returns. At a thousand messages a second a thread that waits for its own socket saved a fifth
/// of Bridge's processor time (docs/performance.md). Until a write has to be awaited that other thread does not
/// know of this socket, if it was connected synchronously.
/// </remarks>
internal sealed class KernelWaitStream : Stream
{
    private readonly Socket _socket;

    /// <param name="socket">Connected, without an asynchronous call. It stays its owner's to close.</param>
    public KernelWaitStream(Socket socket)
    {
        socket.Blocking = false;
        _socket = socket;
    }

    /// <inheritdoc />
    public override bool CanRead => true;

    /// <inheritdoc />
    public override bool CanWrite => true;

    /// <inheritdoc />
    public override bool CanSeek => false;

    /// <inheritdoc />
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc />
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Waits for bytes, for the peer's end (0), or for the socket to be closed by another thread.</summary>
    /// <exception cref="IOException">The connection is gone.</exception>
    public override int Read(Span<byte> buffer)
    {
        try
        {
            while (true)
            {
                _socket.Poll(Timeout.Infinite, SelectMode.SelectRead);
                var read = _socket.Receive(buffer, SocketFlags.None, out var error);
                if (error == SocketError.Success)
                    return read;
                if (error != SocketError.WouldBlock)
                    throw new SocketException((int)error);
            }
        }
        catch (SocketException broken)
        {
            throw new IOException(broken.Message, broken);
        }
    }

    /// <inheritdoc />
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <inheritdoc />
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            buffer = buffer[SendNow(buffer.Span)..];
            while (!buffer.IsEmpty)
                buffer = buffer[await _socket.SendAsync(buffer, SocketFlags.None, cancellationToken).ConfigureAwait(false)..];
        }
        catch (SocketException broken)
        {
            throw new IOException(broken.Message, broken);
        }
    }

    /// <summary>Waits for room as well: a TLS handshake has nothing else to do.</summary>
    /// <exception cref="IOException">The connection is gone.</exception>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        try
        {
            while (!buffer.IsEmpty)
            {
                buffer = buffer[SendNow(buffer)..];
                if (!buffer.IsEmpty)
                    _socket.Poll(Timeout.Infinite, SelectMode.SelectWrite);
            }
        }
        catch (SocketException broken)
        {
            throw new IOException(broken.Message, broken);
        }
    }

    /// <inheritdoc />
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <inheritdoc />
    public override void Flush()
    {
    }

    /// <inheritdoc />
    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc />
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc />
    public override void SetLength(long value) => throw new NotSupportedException();

    // As much as the kernel takes without waiting, which may be nothing.
    private int SendNow(ReadOnlySpan<byte> buffer)
    {
        var sent = _socket.Send(buffer, SocketFlags.None, out var error);
        return error is SocketError.Success or SocketError.WouldBlock ? sent : throw new SocketException((int)error);
    }
}
