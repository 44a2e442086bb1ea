using System.Collections.Concurrent;
using System.Net.Sockets;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.RedisDeployments;

/// <summary>Sees by MONITOR which commands Bridge's connections run, and which its scripts do.</summary>
internal sealed class CommandWatch : IAsyncDisposable
{
    private readonly TcpClient _client;
    private readonly Task _reading;
    private readonly ConcurrentDictionary<string, bool> _used = [];
    private readonly HashSet<string> _bridges = [];

    private CommandWatch(TcpClient client)
    {
        _client = client;
        _reading = ReadAsync();
    }

    /// <summary>What was used, as rights: <c>+xadd</c>, <c>+xgroup|create</c>.</summary>
    public IReadOnlyCollection<string> Used => [.. _used.Keys];

    public static async Task<CommandWatch> StartAsync(RedisServer redis)
    {
        var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", redis.Port);
        await client.GetStream().WriteAsync("MONITOR\r\n"u8.ToArray());
        return new CommandWatch(client);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _reading;
    }

    // +1769903999.123456 [0 127.0.0.1:40000] "XADD" "q" …, or [0 lua].
    private async Task ReadAsync()
    {
        try
        {
            using var reader = new StreamReader(_client.GetStream());
            while (await reader.ReadLineAsync() is { } line)
            {
                var words = line.Split(' ', 6);
                if (words.Length < 4)
                    continue;
                var (client, command) = (words[2].TrimEnd(']'), words[3].Trim('"').ToLowerInvariant());
                var second = words.Length > 4 ? words[4].Trim('"').ToLowerInvariant() : "";
                if (command == "client" && second == "setname" && words is [.., var name] && name.StartsWith("\"bridge-", StringComparison.Ordinal))
                    _bridges.Add(client);
                if (client == "lua" || _bridges.Contains(client))
                    _used["+" + (command is "client" or "cluster" or "xgroup" or "xinfo" ? command + "|" + second : command)] = true;
            }
        }
        catch (Exception end) when (end is IOException or ObjectDisposedException)
        {
            // It is watched until it is disposed of.
        }
    }
}
