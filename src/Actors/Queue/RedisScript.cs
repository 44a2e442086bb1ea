using System.Security.Cryptography;
using System.Text;
using StackExchange.Redis;

namespace Bridge.Queue;

/// <summary>
/// A Lua script, put together from the resources under <c>Queue/Scripts</c>.
/// </summary>
/// <remarks>
/// Sent with EVAL, whole, where calls are pipelined. EVALSHA would save some six kilobytes and twenty
/// microseconds per batch, but after a SCRIPT FLUSH or a failover it answers NOSCRIPT, and calls that were
/// pipelined would be run again in another order than they were issued. The take behind a wait is alone,
/// and the latency of a message: it goes by its digest.
/// </remarks>
internal sealed class RedisScript
{
    private readonly RedisValue _text;
    private readonly RedisValue _digest;

    private RedisScript(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        _text = bytes;
        // SHA-1 is how Redis names scripts (EVALSHA command page).
#pragma warning disable CA5350
        _digest = Convert.ToHexStringLower(SHA1.HashData(bytes));
#pragma warning restore CA5350
    }

    /// <summary>Reads and joins the named resources, without their comments and indentation.</summary>
    public static RedisScript Load(params ReadOnlySpan<string> names)
    {
        var text = new StringBuilder();
        foreach (var name in names)
        {
            using var stream = typeof(RedisScript).Assembly.GetManifestResourceStream("Bridge.Queue.Scripts." + name + ".lua")
                ?? throw new InvalidOperationException($"The script {name} is not embedded.");
            using var reader = new StreamReader(stream);
            while (reader.ReadLine() is { } line)
            {
                line = line.Trim();
                if (line.Length > 0 && !line.StartsWith("--", StringComparison.Ordinal))
                    text.Append(line).Append('\n');
            }
        }

        return new RedisScript(text.ToString());
    }

    /// <summary>The arguments of the EVAL command.</summary>
    public RedisKeyOrValue[] Arguments(ReadOnlySpan<RedisKey> keys, params ReadOnlySpan<RedisValue> values) =>
        Arguments(_text, keys, values);

    /// <summary>The arguments of the EVALSHA command, for a call that nothing is pipelined with: Redis may have forgotten the script.</summary>
    public RedisKeyOrValue[] ArgumentsByDigest(ReadOnlySpan<RedisKey> keys, params ReadOnlySpan<RedisValue> values) =>
        Arguments(_digest, keys, values);

    private static RedisKeyOrValue[] Arguments(RedisValue script, ReadOnlySpan<RedisKey> keys, ReadOnlySpan<RedisValue> values)
    {
        var arguments = new RedisKeyOrValue[2 + keys.Length + values.Length];
        arguments[0] = script;
        arguments[1] = (RedisValue)keys.Length;
        for (var i = 0; i < keys.Length; i++)
            arguments[2 + i] = keys[i];
        for (var i = 0; i < values.Length; i++)
            arguments[2 + keys.Length + i] = values[i];
        return arguments;
    }
}
