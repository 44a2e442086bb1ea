using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Bridge.Measuring;

namespace Bridge.Rivals;

/// <summary>
/// The limit of a message that comes alone, on this runtime: one thread waits in the kernel for Redis, has the
/// message moved to a journal in the same command, and writes it to the server. Nothing is looked at, numbered,
/// fenced, confirmed or settled: useless but as a measure.
/// </summary>
internal static class Lone
{
    private const int LargestReply = 1024 * 1024;

    /// <summary>Until the process is ended.</summary>
    /// <exception cref="InvalidOperationException">Redis answered with something else than a message.</exception>
    public static void Run(string redisAddress, string key, int port, string domain, string secret)
    {
        using var server = ComponentStream.Connect(port, domain, secret);
        new Thread(() => ComponentStream.Drop(server)) { IsBackground = true }.Start();
        using var redis = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        redis.Connect(IPEndPoint.Parse(redisAddress));
        var take = Command("BLMOVE", key, $"{{{key}}}:inflight", "LEFT", "RIGHT", "0");
        var buffer = new byte[LargestReply];
        while (true)
        {
            redis.Send(take);
            server.Send(ReadBulk(redis, buffer));
        }
    }

    private static byte[] Command(params string[] words) => Encoding.UTF8.GetBytes(
        string.Create(CultureInfo.InvariantCulture, $"*{words.Length}\r\n")
        + string.Concat(words.Select(word => string.Create(CultureInfo.InvariantCulture, $"${Encoding.UTF8.GetByteCount(word)}\r\n{word}\r\n"))));

    // RESP: $LENGTH, a line end, so many bytes, a line end.
    private static ReadOnlySpan<byte> ReadBulk(Socket redis, byte[] buffer)
    {
        var filled = 0;
        while (true)
        {
            filled += redis.Receive(buffer.AsSpan(filled));
            var line = buffer.AsSpan(0, filled).IndexOf("\r\n"u8);
            if (line < 0)
                continue;
            if (buffer[0] != '$')
                throw new InvalidOperationException(Encoding.UTF8.GetString(buffer, 0, line));
            var length = int.Parse(buffer.AsSpan(1, line - 1), NumberStyles.None, CultureInfo.InvariantCulture);
            var start = line + 2;
            if (filled >= start + length + 2)
                return buffer.AsSpan(start, length);
        }
    }
}
