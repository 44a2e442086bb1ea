namespace Bridge.TestKit;

/// <summary>A real XMPP server as a child process on loopback. One suite runs over every kind of it.</summary>
/// <remarks>Ports, accounts and stored messages survive every way of ending it, until it is disposed.</remarks>
public interface IXmppServer : IAsyncDisposable
{
    /// <summary>The server's name, for messages and theory rows.</summary>
    string Name { get; }

    /// <summary>The domain of its users.</summary>
    string Domain { get; }

    /// <summary>Loopback port for clients, without TLS.</summary>
    int ClientPort { get; }

    /// <summary>Loopback port for components.</summary>
    int ComponentPort { get; }

    /// <summary>Whether the component port speaks direct TLS.</summary>
    bool ComponentTls { get; }

    /// <summary>The domains of the components it knows.</summary>
    IReadOnlyList<string> Components { get; }

    /// <summary>The secret of all its components.</summary>
    string ComponentSecret { get; }

    /// <summary>Passwords by local part.</summary>
    IReadOnlyDictionary<string, string> Users { get; }

    /// <summary>The process: its id, signals and output.</summary>
    ServerProcess Process { get; }

    /// <summary>Starts it; returns when both ports accept connections.</summary>
    Task StartAsync();

    /// <summary>SIGTERM, and waits for its end.</summary>
    Task StopAsync();

    /// <summary>SIGKILL, and waits for its end.</summary>
    Task KillAsync();

    /// <summary>Stops and starts it.</summary>
    Task RestartAsync();

    /// <summary>SIGSTOP; returns when every thread stands still. The kernel still accepts its connections.</summary>
    Task FreezeAsync();

    /// <summary>SIGCONT.</summary>
    Task ThawAsync();
}

/// <summary>What a server under test is configured with.</summary>
public sealed record XmppServerOptions
{
    /// <summary>The domain of its users; it need not resolve.</summary>
    public string Domain { get; init; } = "example.test";

    /// <summary>The domains of its components.</summary>
    public IReadOnlyList<string> Components { get; init; } = ["bridge.example.test", "sink.example.test"];

    /// <summary>The secret of all its components.</summary>
    public string ComponentSecret { get; init; } = "correct-horse";

    /// <summary>Passwords by local part.</summary>
    public IReadOnlyDictionary<string, string> Users { get; init; } =
        new Dictionary<string, string> { ["ada"] = "ada-password", ["grace"] = "grace-password" };

    /// <summary>Whether a component may send only as its own domain (the default of both servers).</summary>
    public bool ChecksFrom { get; init; } = true;

    /// <summary>Whether the domain answers <c>jabber:iq:last</c> (XEP-0012) with its uptime.</summary>
    public bool AnswersUptime { get; init; } = true;

    /// <summary>
    /// Whether a second connection of a component replaces the first. Prosody only (its default is to refuse the
    /// second); ejabberd always keeps both.
    /// </summary>
    public bool KicksOldComponent { get; init; }

    /// <summary>The largest stanza that a component may send, in bytes; null leaves the server's default.</summary>
    public int? StanzaSizeLimit { get; init; }

    /// <summary>Direct TLS on the component port, with a certificate made for the occasion. ejabberd only.</summary>
    public bool ComponentTls { get; init; }

    /// <summary>Whether a component receives what is sent to any domain of the listener. ejabberd only.</summary>
    public bool GlobalRoutes { get; init; }

    /// <summary>Whether messages to users who are away are stored.</summary>
    public bool StoresOffline { get; init; } = true;

    /// <summary>The server's own word for how much it logs: <c>info</c>, <c>debug</c>, <c>warn</c>.</summary>
    public string LogLevel { get; init; } = "info";

    /// <summary>Lines for the global part of the configuration, in the server's own language.</summary>
    public string ExtraConfiguration { get; init; } = "";
}
