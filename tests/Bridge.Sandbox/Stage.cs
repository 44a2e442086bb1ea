using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Sandbox;

/// <summary>
/// The real parts: a Redis, a Prosody with two users and two components, and Bridge as an operator would run
/// it. All of them listen on free loopback ports, keep their data in temporary folders, and end with this.
/// </summary>
internal sealed class Stage(Screen screen) : IAsyncDisposable
{
    public const string ListQueue = "xmpp:outbound";
    public const string StreamQueue = "xmpp:events";

    /// <summary>The id behind which all of a stream comes.</summary>
    public const string Beginning = "0-0";

    private const string ListDomain = "bridge.example.test";
    private const string StreamDomain = "events.example.test";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Stack<IAsyncDisposable> _started = new();
    private readonly List<XmppUser> _users = [];

    /// <summary>Who is logged in.</summary>
    public IReadOnlyList<XmppUser> Users => _users;

    public RedisServer Redis { get; private set; } = null!;

    public IDatabase Database { get; private set; } = null!;

    public ProsodyServer Prosody { get; private set; } = null!;

    public BridgeProcess Bridge { get; private set; } = null!;

    /// <summary>Starts everything, in the order in which it depends on each other.</summary>
    public async Task StartAsync(CancellationToken stopping)
    {
        Redis = Keep(await RedisServer.StartAsync(new RedisOptions { AppendOnly = true, AppendFsync = "everysec" }));
        var connection = Keep(await ConnectionMultiplexer.ConnectAsync(Redis.ConnectionString));
        Database = connection.GetDatabase();
        stopping.ThrowIfCancellationRequested();

        Prosody = Keep(new ProsodyServer(new XmppServerOptions
        {
            Components = [ListDomain, StreamDomain],
            KicksOldComponent = true,
        }));
        await Prosody.StartAsync();
        stopping.ThrowIfCancellationRequested();

        Bridge = Keep(new BridgeProcess(new BridgeProcessOptions
        {
            Environment = new Dictionary<string, string?>
            {
                ["BRIDGE_REDIS"] = Redis.ConnectionString,
                ["BRIDGE_XMPP"] = FormattableString.Invariant($"127.0.0.1:{Prosody.ComponentPort}"),
                ["BRIDGE_SECRET"] = Prosody.ComponentSecret,
            },
            // Two bridges in one process: a list and a stream, each with a component domain of its own.
            Configuration = $$"""
                bridge.bridges {
                  list { queue.name = "{{ListQueue}}", xmpp.domain = "{{ListDomain}}" }
                  events { queue.name = "{{StreamQueue}}", queue.kind = stream, xmpp.domain = "{{StreamDomain}}" }
                }
                """,
        }));
        Bridge.Start();
        await Bridge.ReadyAsync(Patience);
        stopping.ThrowIfCancellationRequested();

        screen.Heading("Bridge sandbox");
        screen.Line(FormattableString.Invariant($"  Redis     127.0.0.1:{Redis.Port}"));
        screen.Line(FormattableString.Invariant($"  Prosody   127.0.0.1:{Prosody.ComponentPort} for components, {Prosody.ClientPort} for clients"));
        screen.Line($"  Bridge    {Bridge.Http}metrics");
        screen.Line($"            list {ListQueue} to {ListDomain}, stream {StreamQueue} to {StreamDomain}");
    }

    /// <summary>Logs a user in over XMPP.</summary>
    public async Task<XmppUser> LoginAsync(string name)
    {
        var user = Keep(await XmppUser.LoginAsync(Prosody, name, new XmppUserOptions { Resource = "sandbox" }));
        _users.Add(user);
        return user;
    }

    public static string LocalPart(XmppUser user) => user.BareJid[..user.BareJid.IndexOf('@', StringComparison.Ordinal)];

    /// <summary>The dead letters of a queue that came behind an id.</summary>
    public Task<StreamEntry[]> DeadLettersAsync(string queue, RedisValue behind) =>
        Database.StreamReadAsync($"{{{queue}}}:dead", behind);

    /// <summary>SIGTERM, as a service manager would: Bridge finishes what is in flight and ends.</summary>
    /// <returns>Whether its exit code was 0.</returns>
    public async Task<bool> StopBridgeAsync()
    {
        var code = await Bridge.StopAsync();
        screen.Line();
        screen.Line($"Bridge has drained and ended with exit code {code}.");
        return code == 0;
    }

    public async ValueTask DisposeAsync()
    {
        while (_started.TryPop(out var part))
            await part.DisposeAsync();
    }

    private T Keep<T>(T part)
        where T : IAsyncDisposable
    {
        _started.Push(part);
        return part;
    }
}
