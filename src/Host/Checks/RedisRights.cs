using Bridge.Settings;

namespace Bridge.Host.Checks;

/// <summary>
/// Which rights Bridge needs of the Redis user (docs/security.md), each with a call that shows whether it is there: harmless on a key of
/// its own, whatever the call then says of that key.
/// </summary>
internal static class RedisRights
{
    /// <summary>Tries calls on KEYS[1]. ARGV: for each its words, counted; KEY stands for the key. Answers which ones are forbidden.</summary>
    public const string Script =
        """
        redis.pcall('DEL', KEYS[1])
        local forbidden, at, number = {}, 1, 0
        while ARGV[at] do
          local call = {}
          for i = 1, tonumber(ARGV[at]) do
            call[i] = ARGV[at + i] == 'KEY' and KEYS[1] or ARGV[at + i]
          end
          local reply = redis.pcall(unpack(call))
          local mistake = type(reply) == 'table' and reply.err or ''
          -- Redis 6.2 and 7.0 have words of their own for it in scripts.
          if string.find(mistake, 'NOPERM', 1, true) or string.find(mistake, 'The user executing the script', 1, true) then
            forbidden[#forbidden + 1] = number
          end
          at, number = at + #call + 1, number + 1
        end
        redis.pcall('PEXPIRE', KEYS[1], 1)
        redis.pcall('DEL', KEYS[1])
        return forbidden
        """;

    /// <summary>
    /// The same for a channel, where nothing may be published only to see whether it could be: a script that may not write is told so behind
    /// the check of rights (Redis 7; older ones know no such script, and answer with another mistake).
    /// </summary>
    public const string PublishScript =
        """
        #!lua flags=no-writes
        local mistake = redis.pcall('PUBLISH', ARGV[1], '').err or ''
        return (string.find(mistake, 'NOPERM', 1, true) or string.find(mistake, 'The user executing the script', 1, true)) and 1 or 0
        """;

    private static readonly string[] Every =
    [
        "DEL KEY", "GET KEY", "SET KEY a PX 1000", "PEXPIRE KEY 1000", "PTTL KEY", "TIME", "TYPE KEY",
        "HGET KEY a", "HMGET KEY a", "HSET KEY a b", "HDEL KEY a", "HINCRBY KEY a 1", "HLEN KEY", "HSCAN KEY 0",
        "RPUSH KEY a", "LTRIM KEY 0 0", "LLEN KEY",
        "XADD KEY * a b", "XDEL KEY 0-1", "XLEN KEY", "XRANGE KEY - +", "XREVRANGE KEY + - COUNT 1", "XTRIM KEY MAXLEN 1",
        "ZADD KEY 1 a", "ZCARD KEY", "ZRANGE KEY 0 0", "ZRANGEBYSCORE KEY 0 0", "ZREM KEY a", "ZREMRANGEBYRANK KEY 0 0", "ZREMRANGEBYSCORE KEY 0 0",
    ];

    private static readonly string[] OfLists = ["LINDEX KEY 0", "LMOVE KEY KEY LEFT LEFT", "LRANGE KEY 0 0", "LSET KEY 0 a"];

    private static readonly string[] OfStreams =
    [
        "EXISTS KEY", "XACK KEY g 0-1", "XGROUP CREATE KEY g 0", "XGROUP SETID KEY g 0", "XINFO GROUPS KEY", "XINFO STREAM KEY", "XPENDING KEY g",
        "XREAD STREAMS KEY 0", "XREADGROUP GROUP g c STREAMS KEY >",
    ];

    /// <summary>The calls that a bridge makes in scripts, or might: the words of each.</summary>
    public static string[][] CallsOf(QueueSettings queue) =>
        [.. Every.Concat(queue.Kind == QueueKind.List ? OfLists : OfStreams).Select(call => call.Split(' '))];

    /// <summary>The right that a call needs, as ACL SETUSER grants it.</summary>
    public static string RightOf(string[] call) =>
        "+" + (call[0] is "XGROUP" or "XINFO" ? call[0] + "|" + call[1] : call[0]).ToLowerInvariant();
}
