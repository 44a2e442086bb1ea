using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Bridge.TestKit;

/// <summary>What a second connection of the component meets.</summary>
public enum SecondConnection
{
    /// <summary>Both stand, as on ejabberd.</summary>
    Accepted,

    /// <summary><c>conflict</c> for the new one, Prosody's default.</summary>
    Refused,

    /// <summary><c>conflict</c> for the old one, Prosody's <c>kick_old</c>.</summary>
    ReplacesFirst,
}

/// <summary>How a <see cref="ScriptedXmppServer"/> is set up for its whole life.</summary>
public sealed record ScriptedXmppServerOptions
{
    /// <summary>The component's domain.</summary>
    public string Component { get; init; } = "bridge.example.test";

    /// <summary>Whether it takes a stream of any other component as well.</summary>
    public bool AnyComponent { get; init; }

    /// <summary>The server's own domain.</summary>
    public string Domain { get; init; } = "example.test";

    /// <summary>The component's secret.</summary>
    public string Secret { get; init; } = "correct-horse";

    /// <summary>
    /// The local part of the only address of <see cref="Domain"/> that nobody has: messages to it come back as errors and are
    /// not recorded. With <see cref="CountsOnly"/> it is counted like all others.
    /// </summary>
    public string Nobody { get; init; } = "nobody";

    /// <summary>Keeps counts only (<see cref="ScriptedXmppServer.Tally"/>), for loads that should not be kept.</summary>
    public bool CountsOnly { get; init; }

    /// <summary>What a second connection meets.</summary>
    public SecondConnection SecondConnection { get; init; }

    /// <summary>SO_RCVBUF of its connections in bytes; small: a reader that stops is felt soon.</summary>
    public int? ReceiveBuffer { get; init; }

    /// <summary>Its clock; the system's when null.</summary>
    public TimeProvider? Time { get; init; }
}

/// <summary>
/// The server's side of a component connection (XEP-0114), in process: it does the handshake, routes the
/// component's requests to itself back in order, records everything else, and misbehaves as told.
/// </summary>
/// <remarks>Thread-safe. Scripts may be changed at any time and hold from the next decision on.</remarks>
public sealed class ScriptedXmppServer : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly List<ScriptedConnection> _connections = [];
    private readonly List<(int Number, TaskCompletionSource<ScriptedConnection> Found)> _awaited = [];
    private readonly ConcurrentQueue<ServerScript> _scripts = new();
    private readonly Socket _listener;
    private readonly Task _accepting;
    private readonly CancellationTokenSource _closing = new();
    private volatile ServerScript _script = new();
    private ScriptedConnection? _established;
    private long _order;

    /// <summary>Listens at once.</summary>
    public ScriptedXmppServer(ScriptedXmppServerOptions? options = null)
    {
        Options = options ?? new ScriptedXmppServerOptions();
        Time = Options.Time ?? TimeProvider.System;
        Port = FreePorts.Next();
        _listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        // Connections inherit it, and the kernel derives the window scale from it.
        if (Options.ReceiveBuffer is { } size)
            _listener.ReceiveBufferSize = size;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, Port));
        _listener.Listen(128);
        _accepting = AcceptAsync();
    }

    /// <summary>The loopback port.</summary>
    public int Port { get; }

    /// <summary>How it was set up.</summary>
    public ScriptedXmppServerOptions Options { get; }

    /// <summary>How connections behave that have no script of their own.</summary>
    public ServerScript Script
    {
        get => _script;
        set => _script = value;
    }

    /// <summary>
    /// Every stanza taken, in order, over all connections, but for barriers and questions for the uptime. Empty
    /// with <see cref="ScriptedXmppServerOptions.CountsOnly"/>.
    /// </summary>
    public StanzaLog Received { get; } = new();

    /// <summary>The same, counted.</summary>
    public StanzaTally Tally { get; } = new();

    /// <summary>All connections so far.</summary>
    public IReadOnlyList<ScriptedConnection> Connections
    {
        get
        {
            lock (_gate)
                return [.. _connections];
        }
    }

    internal TimeProvider Time { get; }

    /// <summary>Ends what waits for a clock that nobody turns any more.</summary>
    internal CancellationToken Closing => _closing.Token;

    /// <summary>Gives the next connections their own scripts, one each, in order.</summary>
    public void Enqueue(params ReadOnlySpan<ServerScript> scripts)
    {
        foreach (var script in scripts)
            _scripts.Enqueue(script);
    }

    /// <summary>The connection with this number, from 0, once it is accepted.</summary>
    public async Task<ScriptedConnection> ConnectionAsync(int number, TimeSpan timeout)
    {
        TaskCompletionSource<ScriptedConnection> found;
        lock (_gate)
        {
            if (_connections.Count > number)
                return _connections[number];
            found = new TaskCompletionSource<ScriptedConnection>(TaskCreationOptions.RunContinuationsAsynchronously);
            _awaited.Add((number, found));
        }

        try
        {
            return await found.Task.WaitAsync(timeout);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"{Connections.Count} connections within {timeout}: no number {number}.");
        }
    }

    /// <summary>Resets all connections and refuses new ones.</summary>
    public async ValueTask DisposeAsync()
    {
        _listener.Dispose();
        await _accepting;
        await _closing.CancelAsync();
        foreach (var connection in Connections)
        {
            connection.React(ServerReaction.Reset);
            await connection.Ended;
        }

        _closing.Dispose();
    }

    /// <summary>Decides about a second connection: null lets it in.</summary>
    internal ServerFault? Establish(ScriptedConnection connection)
    {
        ScriptedConnection? first;
        lock (_gate)
        {
            first = _established is { Ended.IsCompleted: false } ? _established : null;
            if (first is not null && Options.SecondConnection == SecondConnection.Refused)
                return ServerFault.At(ServerMoment.AtHandshake, ServerReaction.StreamError, "conflict");
            _established = connection;
        }

        if (first is not null && Options.SecondConnection == SecondConnection.ReplacesFirst)
            first.React(ServerReaction.StreamError, "conflict");
        return null;
    }

    internal void Record(ReadOnlySpan<byte> stanza, int connection)
    {
        Tally.Add(stanza);
        if (Options.CountsOnly)
            return;
        // Two connections may record at once: the log's order must be the numbers' order.
        lock (_gate)
        {
            Received.Add(new ReceivedStanza(stanza.ToArray(), _order++, Stopwatch.GetTimestamp())
            {
                Connection = connection,
            });
        }
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            Socket socket;
            try
            {
                socket = await _listener.AcceptAsync();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }

            socket.NoDelay = true;
            _scripts.TryDequeue(out var script);
            lock (_gate)
            {
                var connection = new ScriptedConnection(this, socket, _connections.Count, script);
                _connections.Add(connection);
                connection.Start();
                _awaited.RemoveAll(waiting =>
                    waiting.Number == connection.Number && waiting.Found.TrySetResult(connection));
            }
        }
    }
}
