using System.Diagnostics;
using StackExchange.Redis;

namespace Bridge.Rivals;

/// <summary>
/// The limit of the Redis side: entries leave the queue by way of a journal, as Bridge has it, and nothing else
/// happens. No lease, no sequence, no confirmation: useless but as a measure.
/// </summary>
internal static class Drain
{
    private const int Batch = 500;

    // As many as Bridge has, queue.takes-in-flight.
    private const int InFlight = 3;

    // What the call before moved leaves the journal, so it is as short as the queue allows.
    private const string Move = """
        local moved = redis.call('LRANGE', KEYS[1], 0, ARGV[1] - 1)
        if #moved == 0 then
          return {}
        end
        local before = redis.call('LLEN', KEYS[2])
        redis.call('RPUSH', KEYS[2], unpack(moved))
        redis.call('LTRIM', KEYS[1], #moved, -1)
        redis.call('LTRIM', KEYS[2], before, -1)
        return
        """;

    public static async Task<(long Count, TimeSpan Time)> ListAsync(IDatabase redis, string key, int count, bool silent)
    {
        RedisKey[] keys = [key, $"{{{key}}}:inflight"];
        RedisValue[] values = [Batch];
        // The text goes once, then its hash.
        var server = redis.Multiplexer.GetServers()[0];
        var script = await server.ScriptLoadAsync(silent ? $"{Move} #moved" : $"{Move} moved");
        return await RunAsync(
            count,
            async () =>
            {
                var moved = await redis.ScriptEvaluateAsync(script, keys, values);
                return silent ? (int?)moved ?? 0 : moved.Length;
            });
    }

    public static async Task<(long Count, TimeSpan Time)> StreamAsync(IDatabase redis, string key, int count)
    {
        await redis.StreamCreateConsumerGroupAsync(key, "rivals", StreamPosition.Beginning);
        return await RunAsync(
            count,
            async () =>
            {
                var read = await redis.StreamReadGroupAsync(key, "rivals", "rival", StreamPosition.NewMessages, Batch);
                if (read.Length > 0)
                {
                    var ids = Array.ConvertAll(read, entry => entry.Id);
                    // Not waited for: they leave together with the next read, on the same connection.
                    _ = redis.StreamAcknowledgeAsync(key, "rivals", ids, CommandFlags.FireAndForget);
                    _ = redis.StreamDeleteAsync(key, ids, CommandFlags.FireAndForget);
                }

                return read.Length;
            });
    }

    private static async Task<(long Count, TimeSpan Time)> RunAsync(int count, Func<Task<int>> take)
    {
        var started = Stopwatch.GetTimestamp();
        var calls = new Queue<Task<int>>();
        long drained = 0;
        while (drained < count)
        {
            while (calls.Count < InFlight)
                calls.Enqueue(take());
            drained += await calls.Dequeue();
        }

        return (drained, Stopwatch.GetElapsedTime(started));
    }
}
