using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Bridge.Measuring;

namespace Bridge.EndToEnd;

internal enum QueueKind
{
    List,
    Stream,
}

/// <summary>
/// Fills a queue as fast as Redis takes it: the protocol written by hand, over a socket of its own.
/// </summary>
internal sealed class QueueLoader : IDisposable
{
    private const int EntriesOfPush = 1_000;

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly Workload _workload;
    private readonly byte[] _payload;
    private byte[] _output;
    private int _length;

    public QueueLoader(int redisPort, Workload workload)
    {
        _workload = workload;
        _payload = new byte[workload.MaxLength];
        _output = new byte[EntriesOfPush * (workload.MaxLength + 64)];
        _socket.Connect(IPAddress.Loopback, redisPort);
    }

    /// <summary>Puts the messages from 0 to below the count behind the queue's end.</summary>
    public async Task LoadAsync(string key, QueueKind queue, PayloadKind payload, int count)
    {
        // A push to a list is answered with a line, an addition to a stream with two.
        var lines = queue == QueueKind.List ? (count + EntriesOfPush - 1) / EntriesOfPush : 2 * count;
        var answers = Task.Run(() => ReadLines(lines));
        for (var number = 0; number < count; number += EntriesOfPush)
        {
            var entries = Math.Min(EntriesOfPush, count - number);
            if (queue == QueueKind.List)
            {
                Append($"*{entries + 2}\r\n$5\r\nRPUSH\r\n");
                AppendText(key);
            }

            for (var i = number; i < number + entries; i++)
            {
                if (queue == QueueKind.Stream)
                {
                    Append("*5\r\n$4\r\nXADD\r\n");
                    AppendText(key);
                    Append("$1\r\n*\r\n$7\r\npayload\r\n");
                }

                AppendPayload(payload, i);
            }

            await _socket.SendAsync(_output.AsMemory(0, _length));
            _length = 0;
        }

        await answers;
    }

    public void Dispose() => _socket.Dispose();

    private void ReadLines(int lines)
    {
        // The buffer begins with the end of the line before, so that an error, which begins with a minus sign, is told
        // from the middle of an entry's id.
        var buffer = new byte[64 * 1024];
        buffer[0] = (byte)'\n';
        while (lines > 0)
        {
            var length = 1 + _socket.Receive(buffer.AsSpan(1));
            if (length == 1 || buffer.AsSpan(0, length).IndexOf("\n-"u8) >= 0)
                throw new InvalidOperationException($"Redis refuses the messages: {Encoding.UTF8.GetString(buffer, 0, length)}");
            lines -= buffer.AsSpan(1, length - 1).Count((byte)'\n');
            buffer[0] = buffer[length - 1];
        }
    }

    private void AppendText(string text) => Append($"${text.Length}\r\n{text}\r\n");

    private void AppendPayload(PayloadKind kind, long number)
    {
        var length = _workload.Write(_payload, kind, number);
        Append($"${length}\r\n");
        Reserve(length + 2);
        _payload.AsSpan(0, length).CopyTo(_output.AsSpan(_length));
        "\r\n"u8.CopyTo(_output.AsSpan(_length + length));
        _length += length + 2;
    }

    private void Append(FormattableString text) => Append(text.ToString(CultureInfo.InvariantCulture));

    private void Append(string text)
    {
        Reserve(text.Length);
        _length += Encoding.ASCII.GetBytes(text, _output.AsSpan(_length));
    }

    private void Reserve(int more)
    {
        if (_length + more > _output.Length)
            Array.Resize(ref _output, 2 * (_length + more));
    }
}
