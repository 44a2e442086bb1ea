using System.Net.Sockets;
using Bridge.Measuring;
using StackExchange.Redis;

namespace Bridge.Rivals;

/// <summary>
/// The fastest simple bridge: pops batches and writes them to the socket as they are. Unsafe by design: what is
/// popped exists only here and in the buffers of the kernel, so a crash of it, the link or the server loses it;
/// nothing is looked at, so one bad entry ends the stream and loses what was written behind it.
/// </summary>
internal static class Lpop
{
    private const int Batch = 500;

    // More makes nothing faster: Redis already has the next call while this process writes a batch.
    private const int InFlight = 3;

    public static async Task RunAsync(IDatabase redis, string key, int port, string domain, string secret)
    {
        using var socket = ComponentStream.Connect(port, domain, secret);
        new Thread(() => ComponentStream.Drop(socket)) { IsBackground = true }.Start();
        var calls = new Queue<Task<RedisValue[]>>();
        var buffer = new byte[Batch * 512];
        while (true)
        {
            while (calls.Count < InFlight)
                calls.Enqueue(redis.ListLeftPopAsync(key, Batch));
            var empty = false;
            // A short batch means that the queue is empty: what is in flight is had first, to keep the order.
            do
            {
                var popped = await calls.Dequeue();
                Write(socket, popped, ref buffer);
                empty |= popped.Length < Batch;
            }
            while (empty && calls.Count > 0);

            // While little comes in, waiting in Redis is the fastest.
            while (empty)
            {
                var popped = await WaitAsync(redis, key);
                Write(socket, popped, ref buffer);
                empty = popped.Length < Batch;
            }
        }
    }

    private static async Task<RedisValue[]> WaitAsync(IDatabase redis, string key)
    {
        var reply = await redis.ExecuteAsync("BLMPOP", "1", "1", key, "LEFT", "COUNT", Batch);
        return reply.IsNull ? [] : (RedisValue[])reply[1]!;
    }

    private static void Write(Socket socket, RedisValue[] popped, ref byte[] buffer)
    {
        long needed = 0;
        foreach (var value in popped)
            needed += value.Length();
        if (needed > buffer.Length)
            buffer = new byte[2 * needed];
        var length = 0;
        foreach (var value in popped)
            length += value.CopyTo(buffer.AsSpan(length));
        if (length > 0)
            socket.Send(buffer.AsSpan(0, length));
    }
}
