using System.Globalization;
using System.Text.Json;
using Bridge.Measuring;
using Bridge.TestKit;

namespace Bridge.EndToEnd;

/// <summary>The sink's process: where every message of a run should arrive.</summary>
internal sealed class Receiver : IAsyncDisposable
{
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(30);

    private readonly ServerProcess _process = new("sink");
    private int _resets;
    private int _reports;

    private Receiver()
    {
    }

    public int ProcessId => _process.Id;

    private string Label => string.Create(CultureInfo.InvariantCulture, $"r{_resets}");

    /// <summary>Starts one that is the XMPP server.</summary>
    public static Task<Receiver> ServeAsync(int port) => StartAsync("serve", port, []);

    /// <summary>Starts one that is a component of a real server.</summary>
    public static Task<Receiver> JoinAsync(IXmppServer server) => StartAsync("join", server.ComponentPort, [Workload.Receiver]);

    /// <summary>Forgets all that was counted.</summary>
    /// <param name="latencyFrom">The message from which latencies are measured; null: they are not.</param>
    public async Task ResetAsync(int? latencyFrom = null)
    {
        _resets++;
        await _process.TellAsync(string.Create(CultureInfo.InvariantCulture, $"reset {Label} {latencyFrom}").TrimEnd());
        await LineAsync($"reset {Label}", AnswerTimeout);
    }

    /// <summary>Has a moment marked: when so many different messages have arrived.</summary>
    public Task AwaitAsync(int count) => _process.TellAsync(string.Create(CultureInfo.InvariantCulture, $"await {count}"));

    /// <summary>Has the processor time of a process noted at every mark.</summary>
    public Task WatchAsync(int process) => _process.TellAsync(string.Create(CultureInfo.InvariantCulture, $"watch {process}"));

    public Task JoinedAsync(TimeSpan timeout) => LineAsync($"joined {Label} ", timeout);

    /// <summary>Returns once so many have arrived; false when the time is over.</summary>
    public async Task<bool> ReachedAsync(int count, TimeSpan timeout)
    {
        try
        {
            await LineAsync(string.Create(CultureInfo.InvariantCulture, $"mark {Label} {count} "), timeout);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    public async Task<SinkReport> ReportAsync()
    {
        var start = string.Create(CultureInfo.InvariantCulture, $"report {++_reports} ");
        await _process.TellAsync(start.TrimEnd());
        var line = await LineAsync(start, AnswerTimeout);
        return JsonSerializer.Deserialize<SinkReport>(line[start.Length..])!;
    }

    public ValueTask DisposeAsync() => _process.DisposeAsync();

    private static async Task<Receiver> StartAsync(string mode, int port, string[] domain)
    {
        var receiver = new Receiver();
        try
        {
            receiver._process.Start(
                "dotnet",
                [Contenders.Built("Bridge.Sink"), mode, port.ToString(CultureInfo.InvariantCulture), Workload.Secret, .. domain],
                keepsInput: true);
            await receiver.LineAsync("ready", AnswerTimeout);
            return receiver;
        }
        catch
        {
            await receiver.DisposeAsync();
            throw;
        }
    }

    private Task<string> LineAsync(string start, TimeSpan timeout) =>
        _process.LineAsync(line => line.StartsWith(start, StringComparison.Ordinal), timeout);
}
