using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Bridge.TestKit;

/// <summary>How a test's Redis is started.</summary>
public sealed record RedisOptions
{
    /// <summary>Whether every write goes to an append-only file, so that a killed Redis remembers it.</summary>
    public bool AppendOnly { get; init; }

    /// <summary>When the append-only file is flushed: <c>always</c>, <c>everysec</c> or <c>no</c>.</summary>
    public string AppendFsync { get; init; } = "always";

    /// <summary>Bytes above which Redis refuses writes (policy noeviction); 0: no limit.</summary>
    public long MaxMemory { get; init; }

    /// <summary>The password of the default user; null: none.</summary>
    public string? Password { get; init; }

    /// <summary>Whether <see cref="RedisServer.LimitFilesAsync"/> may be used: a write behind the limit fails instead of ending Redis.</summary>
    public bool FilesMayBeLimited { get; init; }

    /// <summary>More arguments for the command line.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];
}

/// <summary>
/// A real redis-server on a free loopback port, with its data in a temporary folder. It keeps its
/// port and its data over kills, stops and restarts; disposing ends it and removes the folder.
/// </summary>
public sealed class RedisServer : IAsyncDisposable
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(20);

    private readonly ServerProcess _process = new("redis");
    private readonly RedisOptions _options;

    private RedisServer(RedisOptions options) => _options = options;

    /// <summary>Its port on 127.0.0.1, the same over all its lives.</summary>
    public int Port { get; } = FreePorts.Next();

    /// <summary>A StackExchange.Redis connection string, with the password when there is one.</summary>
    public string ConnectionString => _options.Password is null
        ? string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port}")
        : string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port},password={_options.Password}");

    /// <summary>The process, for what is not offered here.</summary>
    public ServerProcess Process => _process;

    /// <summary>Starts one and waits until it answers.</summary>
    public static async Task<RedisServer> StartAsync(RedisOptions? options = null)
    {
        var server = new RedisServer(options ?? new RedisOptions());
        try
        {
            await server.RestartAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>SIGSTOP: it accepts TCP connections and answers nothing.</summary>
    public void Freeze() => _process.Freeze();

    /// <summary>SIGCONT.</summary>
    public void Thaw() => _process.Thaw();

    /// <summary>SIGKILL.</summary>
    public Task KillAsync() => _process.KillAsync();

    /// <summary>SIGTERM, and waits for the end.</summary>
    public Task StopAsync() => _process.StopAsync();

    /// <summary>Starts it on its port with its data, ending it first (SIGTERM) when it runs; waits until it answers.</summary>
    public async Task RestartAsync()
    {
        if (_process.IsRunning)
            await _process.StopAsync();
        StartUnready();
        await AnsweringAsync();
    }

    /// <summary>Starts it without waiting for an answer, to see it load.</summary>
    public void StartUnready()
    {
        // setrlimit(2): by default the signal ends the program; ignored, the write fails with EFBIG.
        if (_options.FilesMayBeLimited)
            _process.Start("env", ["--ignore-signal=XFSZ", "redis-server", .. Arguments()]);
        else
            _process.Start("redis-server", Arguments());
    }

    /// <summary>
    /// What a full disk does, without filling one: no file of Redis may grow beyond so many bytes from now on
    /// (RLIMIT_FSIZE); null: as large as they like, again.
    /// </summary>
    public async Task LimitFilesAsync(long? bytes)
    {
        var limit = bytes is { } most ? most.ToString(CultureInfo.InvariantCulture) : "unlimited";
        using var prlimit = System.Diagnostics.Process.Start("prlimit", ["--pid", _process.Id.ToString(CultureInfo.InvariantCulture), $"--fsize={limit}:unlimited"]);
        await prlimit.WaitForExitAsync();
        if (prlimit.ExitCode != 0)
            throw new InvalidOperationException($"prlimit ended with {prlimit.ExitCode}.");
    }

    /// <summary>Waits until it answers PING with PONG (or refuses for lack of a password, which also is an answer).</summary>
    /// <exception cref="TimeoutException">It did not; the message carries its output.</exception>
    public async Task AnsweringAsync()
    {
        // A server says nothing to whoever is not connected: asking is the only signal there is.
        using var deadline = new CancellationTokenSource(StartTimeout);
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!await AnswersAsync(deadline.Token))
        {
            if (!_process.IsRunning)
                throw new InvalidOperationException($"redis-server ended with {_process.ExitCode}:\n{_process.Output}");
            try
            {
                await tick.WaitForNextTickAsync(deadline.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"redis-server does not answer on port {Port}:\n{_process.Output}");
            }
        }
    }

    /// <inheritdoc />
    public ValueTask DisposeAsync() => _process.DisposeAsync();

    private async Task<bool> AnswersAsync(CancellationToken cancel)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", Port, cancel);
            var stream = client.GetStream();
            await stream.WriteAsync("PING\r\n"u8.ToArray(), cancel);
            var reply = new byte[64];
            var length = await stream.ReadAsync(reply, cancel);
            var text = Encoding.ASCII.GetString(reply, 0, length);
            return text.StartsWith("+PONG", StringComparison.Ordinal) || text.StartsWith("-NOAUTH", StringComparison.Ordinal);
        }
        catch (Exception e) when (e is SocketException or IOException or OperationCanceledException)
        {
            return false;
        }
    }

    private List<string> Arguments()
    {
        var arguments = new List<string>
        {
            "--bind", "127.0.0.1",
            "--port", Port.ToString(CultureInfo.InvariantCulture),
            "--dir", _process.Folder,
            "--daemonize", "no",
            "--save", "",
            "--appendonly", _options.AppendOnly ? "yes" : "no",
            "--appendfsync", _options.AppendFsync,
            "--maxmemory-policy", "noeviction",
        };
        if (_options.MaxMemory > 0)
            arguments.AddRange(["--maxmemory", _options.MaxMemory.ToString(CultureInfo.InvariantCulture)]);
        if (_options.Password is { } password)
            arguments.AddRange(["--requirepass", password]);
        arguments.AddRange(_options.Arguments);
        return arguments;
    }
}
