using System.Globalization;
using System.Net;

namespace Bridge.TestKit;

/// <summary>How <see cref="BridgeProcess"/> runs the program.</summary>
public sealed record BridgeProcessOptions
{
    /// <summary>Variables such as <c>BRIDGE_REDIS</c>; <c>BRIDGE_HTTP</c> is set to a free port unless given.</summary>
    public IReadOnlyDictionary<string, string?> Environment { get; init; } = new Dictionary<string, string?>();

    /// <summary>The variables of one bridge between this Redis and this server.</summary>
    public static Dictionary<string, string?> Between(RedisServer redis, ScriptedXmppServer server) => new()
    {
        ["BRIDGE_REDIS"] = redis.ConnectionString,
        ["BRIDGE_XMPP"] = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{server.Port}"),
        ["BRIDGE_DOMAIN"] = server.Options.Component,
        ["BRIDGE_SECRET"] = server.Options.Secret,
    };

    /// <summary>HOCON text, written to a file and passed with <c>--config</c>; null: none.</summary>
    public string? Configuration { get; init; }

    /// <summary>The verb and its arguments.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = ["run"];

    /// <summary>The program; null: the Release build in this repository.</summary>
    public string? Program { get; init; }
}

/// <summary>The real program as a child process, configured as an operator would.</summary>
public sealed class BridgeProcess : IAsyncDisposable
{
    private readonly BridgeProcessOptions _options;
    private readonly string _address;
    private readonly HttpClient _http;

    /// <summary>Writes the configuration; starts nothing yet.</summary>
    public BridgeProcess(BridgeProcessOptions options)
    {
        _options = options;
        Process = new ServerProcess("bridge");
        var address = options.Environment.GetValueOrDefault("BRIDGE_HTTP")
            ?? string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{FreePorts.Next()}");
        _address = address;
        // Every address of the machine is asked for on the loopback.
        _http = new HttpClient { BaseAddress = new Uri($"http://{(address.StartsWith("*:", StringComparison.Ordinal) ? "127.0.0.1" + address[1..] : address)}"), Timeout = TimeSpan.FromSeconds(5) };
        if (options.Configuration is { } hocon)
            File.WriteAllText(ConfigurationFile, hocon);
    }

    /// <summary>The folder that holds <c>Bridge.sln</c>, looked for upwards from the tests' assembly.</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public static string RepositoryRoot
    {
        get
        {
            for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            {
                if (File.Exists(Path.Combine(folder.FullName, "Bridge.sln")))
                    return folder.FullName;
            }

            throw new InvalidOperationException($"No Bridge.sln above {AppContext.BaseDirectory}.");
        }
    }

    /// <summary>The process: output, signals, exit code.</summary>
    public ServerProcess Process { get; }

    /// <summary>Where its HTTP side is.</summary>
    public Uri Http => _http.BaseAddress!;

    /// <summary>Memory it holds now, in bytes (VmRSS).</summary>
    public long ResidentBytes => Status("VmRSS:");

    /// <summary>The most memory that this life has held, in bytes (VmHWM).</summary>
    public long PeakResidentBytes => Status("VmHWM:");

    private string ConfigurationFile => Path.Combine(Process.Folder, "bridge.conf");

    /// <summary>Starts the program; returns at once.</summary>
    public void Start()
    {
        var program = _options.Program
            ?? Path.Combine(RepositoryRoot, "src", "Host", "bin", "Release", "net10.0", "bridge.dll");
        if (!File.Exists(program))
            throw new InvalidOperationException($"{program} is not built: dotnet build -c Release Bridge.sln");
        List<string> arguments = [program, .. _options.Arguments];
        if (_options.Configuration is not null)
            arguments.AddRange(["--config", ConfigurationFile]);
        var environment = new Dictionary<string, string?>(_options.Environment)
        {
            ["BRIDGE_HTTP"] = _address,
        };
        Process.Start("dotnet", arguments, environment);
    }

    /// <summary>Waits until <c>/health/ready</c> says so.</summary>
    /// <exception cref="InvalidOperationException">The program ended instead; the message holds its output.</exception>
    /// <exception cref="TimeoutException">It did not; the message holds its answer and output.</exception>
    public async Task ReadyAsync(TimeSpan timeout)
    {
        var last = "no answer";
        await Eventually.TrueAsync(
            async () =>
            {
                if (!Process.IsRunning)
                    throw new InvalidOperationException($"bridge ended with {Process.ExitCode}:\n{Process.Output}");
                var (status, body) = await GetAsync("/health/ready");
                last = $"{status} {body}";
                return status == HttpStatusCode.OK;
            },
            timeout,
            "bridge is ready",
            () => $"{last}\n{Process.Output}");
    }

    /// <summary>Reads and parses <c>/metrics</c>.</summary>
    public async Task<MetricsSnapshot> MetricsAsync() =>
        MetricsSnapshot.Parse(await _http.GetStringAsync(new Uri("/metrics", UriKind.Relative)));

    /// <summary>Asks for a path: the answer, whatever its status.</summary>
    /// <exception cref="HttpRequestException">It does not answer.</exception>
    public async Task<string> AskAsync(string path)
    {
        using var answer = await _http.GetAsync(new Uri(path, UriKind.Relative));
        return await answer.Content.ReadAsStringAsync();
    }

    /// <summary>Exchanges the configuration; the program reads it when it starts, or at <see cref="PosixSignalNumber.Hangup"/>.</summary>
    public void Configure(string hocon) => File.WriteAllText(ConfigurationFile, hocon);

    /// <summary>SIGTERM, and waits for the end.</summary>
    /// <returns>The exit code.</returns>
    /// <exception cref="TimeoutException">It still runs.</exception>
    public Task<int> StopAsync(TimeSpan? timeout = null)
    {
        Process.Signal(PosixSignalNumber.Terminate);
        return Process.WaitForExitAsync(timeout ?? TimeSpan.FromSeconds(15));
    }

    /// <summary>SIGKILL, and waits for the end.</summary>
    public Task KillAsync() => Process.KillAsync();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await Process.DisposeAsync();
    }

    private async Task<(HttpStatusCode? Status, string Body)> GetAsync(string path)
    {
        try
        {
            using var answer = await _http.GetAsync(new Uri(path, UriKind.Relative));
            return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            return (null, e.Message);
        }
    }

    // proc(5): "VmHWM:	  123456 kB".
    private long Status(string field)
    {
        var line = File.ReadLines($"/proc/{Process.Id}/status").First(line => line.StartsWith(field, StringComparison.Ordinal));
        var kilobytes = line[field.Length..].Trim().Split(' ')[0];
        return long.Parse(kilobytes, CultureInfo.InvariantCulture) * 1024;
    }
}
