using Bridge.Measuring;

namespace Bridge.Rivals;

/// <summary>
/// The limit of the XMPP side: the stanzas that Bridge would write, from memory, as fast as the socket takes them.
/// </summary>
internal static class Blast
{
    private const int ChunkBytes = 256 * 1024;

    public static void Run(int port, string domain, string secret, int count, int size)
    {
        var chunks = Encode(new Workload(size), count);
        using var socket = ComponentStream.Connect(port, domain, secret);
        var reading = new Thread(() => ComponentStream.Drop(socket));
        reading.Start();
        foreach (var chunk in chunks)
            socket.Send(chunk.Span);
        socket.Send(ComponentStream.End);
        // To the end of file: closing with something unread makes the kernel reset the connection, and that
        // throws away what the server has not read yet.
        reading.Join();
    }

    private static List<ReadOnlyMemory<byte>> Encode(Workload workload, int count)
    {
        List<ReadOnlyMemory<byte>> chunks = [];
        var length = 0;
        var buffer = new byte[ChunkBytes + workload.MaxLength];
        for (var i = 0; i < count; i++)
        {
            length += workload.Write(buffer.AsSpan(length), PayloadKind.Stanza, i);
            if (length < ChunkBytes && i < count - 1)
                continue;
            chunks.Add(buffer.AsMemory(0, length));
            buffer = new byte[ChunkBytes + workload.MaxLength];
            length = 0;
        }

        return chunks;
    }
}
