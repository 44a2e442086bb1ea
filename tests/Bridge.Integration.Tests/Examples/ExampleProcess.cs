using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Examples;

/// <summary>A program of <c>docs/examples</c>, as a reader would run it with Debian's packages.</summary>
internal sealed class ExampleProcess : IAsyncDisposable
{
    // The interpreters share two processors with the rest of the tests.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly HttpClient _http;

    private ExampleProcess(string language, string program, RedisServer redis)
    {
        var (interpreter, extension) = language switch
        {
            // Another Python in the path does not have Debian's packages.
            "python" => ("/usr/bin/python3", "py"),
            "ruby" => ("ruby", "rb"),
            "nodejs" => ("node", "js"),
            _ => throw new ArgumentException($"No examples in {language}.", nameof(language)),
        };
        var port = FreePorts.Next();
        _http = new HttpClient { BaseAddress = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}")), Timeout = Patience };
        Process = new ServerProcess($"{program}-{language}");
        Process.Start(
            interpreter,
            [Path.Combine(BridgeProcess.RepositoryRoot, "docs", "examples", language, $"{program}.{extension}")],
            new Dictionary<string, string?>
            {
                ["REDIS_URL"] = "redis://" + redis.ConnectionString,
                ["PORT"] = port.ToString(CultureInfo.InvariantCulture),
                ["NODE_PATH"] = "/usr/share/nodejs",
            });
    }

    /// <summary>The process.</summary>
    public ServerProcess Process { get; }

    /// <summary>Starts the web app; returns when it listens.</summary>
    public static Task<ExampleProcess> StartAppAsync(string language, RedisServer redis) => StartAsync(language, "app", redis, "listening on ");

    /// <summary>Starts the worker; returns when it reads.</summary>
    public static Task<ExampleProcess> StartWorkerAsync(string language, RedisServer redis) => StartAsync(language, "worker", redis, "reading ");

    /// <summary>POST /messages; tells the status and the JSON object.</summary>
    public async Task<(HttpStatusCode Status, JsonElement Answer)> PostAsync(object message)
    {
        // With its length: Python's server reads no chunks.
        using var body = new StringContent(JsonSerializer.Serialize(message), Encoding.UTF8, "application/json");
        using var answer = await _http.PostAsync(new Uri("/messages", UriKind.Relative), body);
        return (answer.StatusCode, JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await Process.DisposeAsync();
    }

    private static async Task<ExampleProcess> StartAsync(string language, string program, RedisServer redis, string first)
    {
        var example = new ExampleProcess(language, program, redis);
        try
        {
            await example.Process.LineAsync(line => line.StartsWith(first, StringComparison.Ordinal), Patience);
            return example;
        }
        catch
        {
            await example.DisposeAsync();
            throw;
        }
    }
}
