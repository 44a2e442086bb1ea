namespace Bridge.TestKit;

/// <summary>The real XMPP servers that one class of tests shares: each is started when first asked for.</summary>
/// <param name="options">How they are configured, by name; null: the defaults.</param>
public class RealServers(Func<string, XmppServerOptions>? options = null) : IAsyncDisposable
{
    private readonly Dictionary<string, IXmppServer> _servers = [];

    /// <summary>The names that <see cref="GetAsync"/> knows.</summary>
    public static IReadOnlyList<string> Names { get; } = ["prosody", "ejabberd"];

    /// <summary>The server of this name, running: one that a test has ended is started again.</summary>
    public async Task<IXmppServer> GetAsync(string name)
    {
        if (!_servers.TryGetValue(name, out var server))
        {
            var settings = options?.Invoke(name) ?? new XmppServerOptions();
            _servers[name] = server = name switch
            {
                "prosody" => new ProsodyServer(settings),
                "ejabberd" => new EjabberdServer(settings),
                _ => throw new ArgumentException($"No server is called {name}.", nameof(name)),
            };
        }

        if (!server.Process.IsRunning)
            await server.StartAsync();
        return server;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var server in _servers.Values)
            await server.DisposeAsync();
        _servers.Clear();
        GC.SuppressFinalize(this);
    }
}
