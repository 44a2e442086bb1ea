using System.Globalization;
using System.Net;
using Bridge.Settings;
using StackExchange.Redis;

namespace Bridge.Queue;

/// <summary>
/// One connection to Redis with our own deadline on every call: the client does not notice a frozen
/// or silently dead Redis by itself. Made when first needed; on a missed deadline, a connection fault
/// or a server that became a replica it is thrown away whole, and the next call makes a new one, with
/// a short connect deadline, so that a Redis that returns is used again within two seconds.
/// </summary>
/// <remarks>
/// Safe for use from several threads. Calls on one connection reach Redis in the order in which they
/// are issued, without waiting for one another's replies.
/// </remarks>
public sealed class RedisLink : IAsyncDisposable
{
    /// <summary>
    /// The longest a new connection may take until it can be used. A frozen Redis still accepts TCP,
    /// so this is also how long one attempt on it costs.
    /// </summary>
    private static readonly TimeSpan LongestConnect = TimeSpan.FromSeconds(1);

    private static readonly CommandMap Needed = CommandMap.Create(["CONFIG"], available: false);
    private static readonly CommandMap NeededOfOneNode = CommandMap.Create(["CONFIG", "CLUSTER"], available: false);

    private readonly Lock _gate = new();
    private readonly ConfigurationOptions _options;
    private readonly TimeProvider _time;
    private readonly TimeSpan _connectDeadline;
    private readonly bool _onReplyThread;
    private readonly int? _longestString;
    private readonly CertificateCheck? _certificates;
    private readonly RedisKey _home;
    // Nodes of the cluster as the last connection knew them: those that the connection string names may be down.
    private EndPoint[] _nodes = [];
    private Task<RedisConnection>? _current;
    private Task _closing = Task.CompletedTask;
    private long _connections;
    private bool _disposed;

    /// <summary>Prepares a link; connects to nothing yet.</summary>
    /// <param name="connectionString">A StackExchange.Redis connection string; never logged.</param>
    /// <param name="clientName">Shown by CLIENT LIST; letters, digits and <c>-</c>.</param>
    /// <param name="callTimeout">Deadline of every call that names no other.</param>
    /// <param name="time">The clock of the deadlines.</param>
    /// <param name="onReplyThread">
    /// Whether replies are read by a thread of the connection's own, on which what waits for them runs, and commands
    /// written on the thread that issues them. For few and small ones: what runs there holds up the replies behind it.
    /// </param>
    /// <param name="longestString">
    /// On a reply thread, longer strings in replies come as empty ones and never stand in memory; null: none does. The
    /// client's own questions about the server have a few KiB.
    /// </param>
    /// <param name="caFile">PEM file with the authorities to trust under TLS in place of the system's; null: the system's.</param>
    /// <exception cref="ArgumentException">The connection string cannot be read. The message does not repeat it.</exception>
    public RedisLink(
        string connectionString, string clientName, TimeSpan callTimeout, TimeProvider? time = null, bool onReplyThread = false, int? longestString = null,
        string? caFile = null)
        : this(connectionString, caFile, default, clientName, callTimeout, time, onReplyThread, longestString)
    {
    }

    /// <summary>
    /// Prepares a link to the Redis of a queue; connects to nothing yet. Where that is a Redis Cluster, the connection is thrown
    /// away for faults of the node that has the queue, and not for those of others.
    /// </summary>
    /// <param name="queue">The queue, its Redis and the deadline of calls.</param>
    /// <param name="clientName">Shown by CLIENT LIST; letters, digits and <c>-</c>.</param>
    /// <param name="time">The clock of the deadlines.</param>
    /// <param name="onReplyThread">As above.</param>
    /// <param name="longestString">As above.</param>
    /// <param name="callTimeout">Deadline of every call that names no other; null: the queue's.</param>
    /// <exception cref="ArgumentException">The connection string or the file of certificates cannot be read. The message repeats neither.</exception>
    public RedisLink(
        QueueSettings queue, string clientName, TimeProvider? time = null, bool onReplyThread = false, int? longestString = null, TimeSpan? callTimeout = null)
        : this(
            (queue ?? throw new ArgumentNullException(nameof(queue))).Redis, queue.RedisCaFile, queue.Keys.Queue, clientName, callTimeout ?? queue.CallTimeout,
            time, onReplyThread, longestString)
    {
    }

    private RedisLink(
        string connectionString, string? caFile, RedisKey home, string clientName, TimeSpan callTimeout, TimeProvider? time, bool onReplyThread, int? longestString)
    {
        _home = home;
        _onReplyThread = onReplyThread;
        _longestString = longestString;
        CallTimeout = callTimeout;
        _time = time ?? TimeProvider.System;
        _options = ReadOptions(connectionString, clientName, callTimeout);
        _certificates = CertificateCheck.AddTo(_options, caFile);
        _connectDeadline = TimeSpan.FromMilliseconds(_options.ConnectTimeout + 500);
    }

    /// <summary>Deadline of every call that names no other.</summary>
    public TimeSpan CallTimeout { get; }

    /// <summary>
    /// Sends a command and waits for its reply, connecting first where there is no connection.
    /// </summary>
    /// <param name="issue">Issues it.</param>
    /// <param name="deadline">Its deadline; null: <see cref="CallTimeout" />.</param>
    /// <param name="key">A key that may lie on another node of a cluster than the queue, whose faults then end no connection.</param>
    /// <exception cref="QueueFaultException">The call failed, for a named reason.</exception>
    public async Task<T> CallAsync<T>(Func<IDatabase, Task<T>> issue, TimeSpan? deadline = null, RedisKey key = default)
    {
        ArgumentNullException.ThrowIfNull(issue);
        var connection = await ConnectAsync().ConfigureAwait(false);
        return await SendAsync(connection, issue, deadline ?? CallTimeout, key).ConfigureAwait(false);
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        Task closing;
        lock (_gate)
        {
            _disposed = true;
            Forget();
            closing = _closing;
        }

        await closing.ConfigureAwait(false);
    }

    /// <summary>The connection in use; where there is none, one that is made for it.</summary>
    /// <exception cref="QueueFaultException">It could not be made within the connect deadline.</exception>
    internal Task<RedisConnection> ConnectAsync()
    {
        lock (_gate)
        {
            if (_disposed)
                return Task.FromException<RedisConnection>(new QueueFaultException(QueueFault.Unreachable, "The link to Redis was closed."));
            if (_current is { IsFaulted: false, IsCanceled: false })
                return _current;
            return _current = OpenAsync(++_connections);
        }
    }

    /// <summary>The connection in use, without making one.</summary>
    internal bool TryGetConnection(out RedisConnection connection)
    {
        lock (_gate)
        {
            connection = _current is { IsCompletedSuccessfully: true } open ? open.GetAwaiter().GetResult() : null!;
            return connection is not null;
        }
    }

    /// <summary>
    /// Sends on this connection before it returns, so that calls keep their order, and completes with
    /// the reply. On a missed deadline, a connection fault, or the answer of a server that is not (or no
    /// longer) the master, the connection is thrown away.
    /// </summary>
    internal async Task<T> SendAsync<T>(
        RedisConnection connection,
        Func<IDatabase, Task<T>> issue,
        TimeSpan deadline,
        RedisKey key = default)
    {
        Task<T>? reply = null;
        try
        {
            reply = issue(connection.Database);
            return await (connection.ReplyThread is not null ? ReplyThread.ContinueThereAsync(reply, deadline, _time) : reply.WaitAsync(deadline, _time)).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            if (reply is { IsCompleted: false })
                Abandon(reply);
            throw FaultOf(connection, exception, deadline, key);
        }
    }

    /// <summary>
    /// Names what a call on this connection met. On a missed deadline, a connection fault, or the answer of a
    /// server that is not (or no longer) the master, the connection is thrown away.
    /// </summary>
    internal QueueFaultException FaultOf(RedisConnection connection, Exception exception, TimeSpan deadline, RedisKey key = default)
    {
        var fault = RedisFaults.Classify(exception);
        // A server that lost its role keeps its connections: only a new one finds the server that
        // has the role now, behind the same name, or in the cluster.
        if ((fault is QueueFault.Unreachable or QueueFault.ReadOnly && !IsElsewhere(connection, key)) || RedisFaults.IsMoved(exception))
            Drop(connection);
        var text = Describe(exception, deadline);
        if (connection.ReplyThread?.Failure is { } failure)
            text += $" The Redis client had failed: {failure.GetType().Name}: {failure.Message}";
        return new QueueFaultException(fault, text, exception);
    }

    /// <summary>Nobody waits for this reply any more: its failure is no news, and its buffer goes back.</summary>
    internal static void Abandon<T>(Task<T> reply) => _ = ObserveAsync(reply);

    /// <summary>What every connection of ours has in common.</summary>
    /// <param name="connectionString">The operator's.</param>
    /// <param name="clientName">Shown by CLIENT LIST.</param>
    /// <param name="callTimeout">Deadline of calls.</param>
    /// <param name="knowsCluster">Whether the client asks a node of a cluster for the others, and connects to them too.</param>
    /// <exception cref="ArgumentException">The connection string cannot be read. The message does not repeat it.</exception>
    internal static ConfigurationOptions ReadOptions(string connectionString, string clientName, TimeSpan callTimeout, bool knowsCluster = true)
    {
        var options = Read(connectionString);
        options.ClientName = clientName;
        // Without a connection a call fails at once: what to do then is decided by whoever called.
        options.BacklogPolicy = BacklogPolicy.FailFast;
        options.AbortOnConnectFail = false;
        options.ConnectRetry = 1;
        options.ConnectTimeout = (int)Math.Min(LongestConnect.TotalMilliseconds, Math.Max(100, callTimeout.TotalMilliseconds));
        options.ReconnectRetryPolicy = new LinearRetry(250);
        options.HeartbeatInterval = TimeSpan.FromMilliseconds(500);
        // Ours comes first; theirs only catches what would otherwise stay for ever.
        options.AsyncTimeout = (int)Math.Max(5000, callTimeout.TotalMilliseconds + 1000);
        options.IncludeDetailInExceptions = false;
        // What the client asks of itself and Bridge does not need must not need a right (docs/security.md): its library's name, which
        // Redis 7.0 does not know, and CONFIG, of whose answers passwords may be a part.
        options.SetClientLibrary = false;
        if (!options.AllowAdmin && ReferenceEquals(options.CommandMap, CommandMap.Default))
            options.CommandMap = knowsCluster ? Needed : NeededOfOneNode;
        if (string.IsNullOrEmpty(options.ServiceName))
        {
            // Neither a subscription nor a tie-breaker key of the client's own.
            options.ConfigurationChannel = "";
            options.TieBreaker = "";
        }

        return options;
    }

    private static ConfigurationOptions Read(string connectionString)
    {
        try
        {
            return ConfigurationOptions.Parse(connectionString);
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            // Without the cause: its text repeats parts of the string, which may hold the password.
            throw new ArgumentException("The Redis connection string cannot be read.", nameof(connectionString));
        }
    }

    private static string Describe(Exception exception, TimeSpan deadline) => exception switch
    {
        RedisTimeoutException or not TimeoutException => exception.Message,
        _ => string.Create(CultureInfo.InvariantCulture, $"Redis did not answer within {deadline.TotalSeconds:0.###} s."),
    };

    /// <summary>The reply to a call that was given up: nobody waits for it, and its buffer goes back.</summary>
    private static async Task ObserveAsync<T>(Task<T> reply)
    {
        try
        {
            var late = await reply.ConfigureAwait(false);
            (late as IDisposable)?.Dispose();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // The caller was told of the missed deadline; how the call ended later changes nothing.
        }
    }

    private async Task<RedisConnection> OpenAsync(long number)
    {
        ConnectionMultiplexer? multiplexer = null;
        var options = _options.Clone();
        foreach (var node in Volatile.Read(ref _nodes))
        {
            if (!options.EndPoints.Contains(node))
                options.EndPoints.Add(node);
        }

        _certificates?.Forget();
        ReplyThread? replyThread = null;
        OneLife? life = null;
        // A proxy that the connection string names comes first.
        if (options.Tunnel is null)
        {
            options.Tunnel = life = _onReplyThread
                ? replyThread = new ReplyThread(TimeSpan.FromMilliseconds(options.ConnectTimeout), _longestString)
                : new OneLife();
        }

        try
        {
            var connecting = ConnectionMultiplexer.ConnectAsync(options);
            try
            {
                multiplexer = await connecting.WaitAsync(_connectDeadline, _time).ConfigureAwait(false);
            }
            catch (TimeoutException)
            {
                _ = CloseLateAsync(connecting, replyThread);
                replyThread = null;
                throw;
            }

            var cluster = multiplexer.GetServers().FirstOrDefault(server => server is { IsConnected: true, ServerType: ServerType.Cluster })?.ClusterConfiguration;
            if (cluster is not null)
                Volatile.Write(ref _nodes, [.. cluster.Nodes.Select(node => node.EndPoint).OfType<EndPoint>()]);
            var connection = new RedisConnection(number, multiplexer, multiplexer.GetDatabase(), replyThread, cluster);
            var home = NodeOf(connection, _home);
            // The client would reconnect by itself, at once; a session must not go on over it unnoticed. The event comes when the thread
            // pool has a thread for it: until then the client has one life and asks in vain.
            multiplexer.ConnectionFailed += (_, failure) =>
            {
                if (failure.ConnectionType == ConnectionType.Interactive && (home is null || home.Equals(failure.EndPoint)))
                    Drop(connection);
            };
            if (!multiplexer.IsConnected)
            {
                // The only words about a refused handshake are in the reply to a command.
                await connection.Database.PingAsync().WaitAsync(_connectDeadline, _time).ConfigureAwait(false);
            }

            life?.Begin(home is null ? multiplexer.GetServers().Where(server => server.IsConnected).Select(server => server.EndPoint) : [home]);
            return connection;
        }
        catch (Exception exception)
        {
            if (multiplexer is not null)
                Close(multiplexer, replyThread);
            else
                replyThread?.Dispose();
            // In the client's words it is but another handshake that failed.
            if (_certificates?.Refusal is { } refusal)
                throw new QueueFaultException(QueueFault.Untrusted, "No connection to Redis: " + refusal, exception);
            throw new QueueFaultException(
                RedisFaults.Classify(exception), "No connection to Redis: " + Describe(exception, _connectDeadline), exception);
        }
    }

    // Whether it lies on another node than the queue.
    private bool IsElsewhere(RedisConnection connection, RedisKey key) =>
        key != default(RedisKey) && NodeOf(connection, _home) is { } home && NodeOf(connection, key) is { } node && !node.Equals(home);

    private static EndPoint? NodeOf(RedisConnection connection, RedisKey key) =>
        key == default(RedisKey) ? null : connection.Cluster?.GetBySlot(key)?.EndPoint;

    private async Task CloseLateAsync(Task<ConnectionMultiplexer> connecting, ReplyThread? replyThread)
    {
        try
        {
            Close(await connecting.ConfigureAwait(false), replyThread);
        }
        catch (Exception e) when (e is RedisException or TimeoutException or ObjectDisposedException)
        {
            // It was given up already; that it never came to be is the better end.
            replyThread?.Dispose();
        }
    }

    private void Drop(RedisConnection connection)
    {
        lock (_gate)
        {
            // Every call on a dead connection ends here; the first one closes it.
            if (_current is not { IsCompletedSuccessfully: true } open
                || !ReferenceEquals(open.GetAwaiter().GetResult(), connection))
                return;
            _current = null;
        }

        Close(connection);
    }

    private void Forget()
    {
        var current = _current;
        _current = null;
        if (current is { IsCompletedSuccessfully: true })
            Close(current.GetAwaiter().GetResult());
        else if (current is { IsCompleted: false })
            _closing = Task.WhenAll(_closing, CloseWhenOpenAsync(current));
    }

    private async Task CloseWhenOpenAsync(Task<RedisConnection> opening)
    {
        try
        {
            Close(await opening.ConfigureAwait(false));
        }
        catch (QueueFaultException)
        {
            // It never opened; there is nothing to close.
        }
    }

    private void Close(RedisConnection connection) => Close(connection.Multiplexer, connection.ReplyThread);

    private void Close(ConnectionMultiplexer multiplexer, ReplyThread? replyThread)
    {
        lock (_gate)
        {
            // In the background: closing waits for the socket of a Redis that may never answer.
            var closing = Task.Run(() => CloseAsync(multiplexer, replyThread));
            _closing = _closing.IsCompletedSuccessfully ? closing : Task.WhenAll(_closing, closing);
        }
    }

    private static async Task CloseAsync(ConnectionMultiplexer multiplexer, ReplyThread? replyThread)
    {
        try
        {
            // The client first: it would take the end of a socket for one to reconnect after.
            await multiplexer.CloseAsync(allowCommandsToComplete: false).ConfigureAwait(false);
        }
        finally
        {
            await multiplexer.DisposeAsync().ConfigureAwait(false);
            // It closes no socket that it did not make.
            replyThread?.Dispose();
        }
    }
}

/// <summary>One life of a connection to Redis.</summary>
/// <param name="Number">Rises with each life of its link.</param>
/// <param name="Multiplexer">The client's connection.</param>
/// <param name="Database">The database that the connection string names.</param>
/// <param name="ReplyThread">Who reads its replies; null: the client itself.</param>
/// <param name="Cluster">Which node has which slot, as it was when this life began; null: this is no cluster.</param>
internal sealed record RedisConnection(
    long Number, ConnectionMultiplexer Multiplexer, IDatabase Database, ReplyThread? ReplyThread, ClusterConfiguration? Cluster);
