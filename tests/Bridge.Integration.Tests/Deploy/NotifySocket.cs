using System.Net.Sockets;
using System.Text;
using System.Threading.Channels;

namespace Bridge.Integration.Tests.Deploy;

/// <summary>A socket in systemd's place: what a program of <c>Type=notify</c> sends to <c>NOTIFY_SOCKET</c>.</summary>
internal sealed class NotifySocket : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bridge-notify-");
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
    private readonly Channel<string[]> _messages = Channel.CreateUnbounded<string[]>();
    private readonly Task _reading;

    /// <summary>Begins to listen.</summary>
    public NotifySocket()
    {
        _socket.Bind(new UnixDomainSocketEndPoint(Address));
        _reading = ReadAsync();
    }

    /// <summary>The value for <c>NOTIFY_SOCKET</c>.</summary>
    public string Address => Path.Combine(_folder.FullName, "notify");

    /// <summary>The next message that has this line, with all its lines. Those before it are skipped.</summary>
    public async Task<string[]> MessageAsync(string line, TimeSpan timeout)
    {
        using var limit = new CancellationTokenSource(timeout);
        var skipped = new List<string>();
        try
        {
            await foreach (var message in _messages.Reader.ReadAllAsync(limit.Token))
            {
                if (message.Contains(line))
                    return message;
                skipped.AddRange(message);
            }
        }
        catch (OperationCanceledException)
        {
            // Told below.
        }

        throw new TimeoutException($"No {line} within {timeout}, but {string.Join(' ', skipped)}");
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _socket.Dispose();
        await _reading;
        _folder.Delete(recursive: true);
    }

    private async Task ReadAsync()
    {
        var buffer = new byte[4096];
        try
        {
            while (true)
            {
                var length = await _socket.ReceiveAsync(buffer);
                _messages.Writer.TryWrite(Encoding.UTF8.GetString(buffer, 0, length).Split('\n'));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            _messages.Writer.TryComplete();
        }
    }
}
