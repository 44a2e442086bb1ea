using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Bridge.TestKit;

/// <summary>How a test peer's stream ended.</summary>
/// <param name="Cause">In words: <c>end tag</c>, <c>end of file</c>, <c>reset</c>, <c>closed here</c>.</param>
/// <param name="StreamError">The condition of the stream error before it, if one came (RFC 6120 §4.9.3).</param>
public sealed record StreamEnding(string Cause, string? StreamError);

/// <summary>
/// The socket of a test peer: writes whole texts, reads continuously and hands each first-level element on.
/// </summary>
internal sealed class XmppWire : IAsyncDisposable
{
    private readonly Socket _socket;
    private readonly Stream _stream;
    private readonly StanzaSplitter _splitter = new();
    private readonly SemaphoreSlim _writing = new(1);
    private TaskCompletionSource? _paused;

    private XmppWire(Socket socket, Stream stream)
    {
        _socket = socket;
        _stream = stream;
    }

    public static async Task<XmppWire> ConnectAsync(int port, bool tls, int? receiveBuffer, CancellationToken limit)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            // Set before the connection is made: the kernel derives the window scale from it.
            if (receiveBuffer is { } size)
                socket.ReceiveBufferSize = size;
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), limit);
            Stream stream = new NetworkStream(socket, ownsSocket: false);
            if (tls)
                stream = await SecureAsync(stream, limit);
            return new XmppWire(socket, stream);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public async ValueTask SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel = default)
    {
        await _writing.WaitAsync(cancel);
        try
        {
            await _stream.WriteAsync(bytes, cancel);
        }
        finally
        {
            _writing.Release();
        }
    }

    public ValueTask SendAsync(string text, CancellationToken cancel = default) =>
        SendAsync(Encoding.UTF8.GetBytes(text), cancel);

    /// <summary>The next piece of the stream, copied; null at its end.</summary>
    public async ValueTask<(StreamPiece Kind, byte[] Bytes)?> NextAsync(CancellationToken cancel)
    {
        while (true)
        {
            if (_splitter.TryRead(out var kind, out var bytes))
                return (kind, bytes.ToArray());
            if (!await ReadAsync(cancel))
                return null;
        }
    }

    /// <summary>Reads to the end of the stream. The bytes given to the handler are valid during the call only.</summary>
    public async Task<StreamEnding> RunAsync(Action<ReadOnlyMemory<byte>, long> onElement)
    {
        string? error = null;
        try
        {
            do
            {
                var now = Stopwatch.GetTimestamp();
                while (_splitter.TryRead(out var kind, out var bytes))
                {
                    if (kind == StreamPiece.End)
                        return new StreamEnding("end tag", error);
                    if (kind != StreamPiece.Element)
                        continue;
                    if (bytes.Span.StartsWith("<stream:error"u8))
                        error = Condition(bytes);
                    onElement(bytes, now);
                }
            }
            while (await ReadAsync(CancellationToken.None));
            return new StreamEnding("end of file", error);
        }
        catch (IOException)
        {
            return new StreamEnding("reset", error);
        }
        catch (ObjectDisposedException)
        {
            return new StreamEnding("closed here", error);
        }
    }

    public void Restart() => _splitter.Restart();

    public void Pause() => _paused ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Resume()
    {
        var paused = _paused;
        _paused = null;
        paused?.TrySetResult();
    }

    public void Reset()
    {
        _socket.LingerState = new LingerOption(true, 0);
        _socket.Dispose();
    }

    public async ValueTask DisposeAsync()
    {
        Resume();
        _socket.Dispose();
        await _stream.DisposeAsync();
    }

    internal static string Condition(ReadOnlyMemory<byte> streamError) =>
        new ReceivedStanza(streamError.ToArray(), 0, 0).Element.Elements().FirstOrDefault()?.Name.LocalName
        ?? "undefined-condition";

    private static async Task<Stream> SecureAsync(Stream stream, CancellationToken limit)
    {
        var tls = new SslStream(stream, leaveInnerStreamOpen: false);
        var options = new SslClientAuthenticationOptions
        {
            TargetHost = "localhost",
            // The servers under test make their own certificates; this peer is no test of trust.
#pragma warning disable CA5359
            RemoteCertificateValidationCallback = (_, _, _, _) => true,
#pragma warning restore CA5359
        };
        await tls.AuthenticateAsClientAsync(options, limit);
        return tls;
    }

    private async ValueTask<bool> ReadAsync(CancellationToken cancel)
    {
        if (_paused is { } paused)
            await paused.Task.WaitAsync(cancel);
        var count = await _stream.ReadAsync(_splitter.GetMemory(), cancel);
        _splitter.Advance(count);
        return count > 0;
    }
}
