using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Bridge.Host.Configuration;
using Bridge.Host.Hosting;
using Bridge.Queue;
using Bridge.Telemetry;

namespace Bridge.Host.Cli;

/// <summary><c>bridge status</c>: asks a running node how all nodes and bridges stand.</summary>
internal static class StatusCommand
{
    private const string ClearScreen = "\u001b[H\u001b[2J";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan WatchEvery = TimeSpan.FromSeconds(1);

    public static Command Create()
    {
        var files = ConfigurationSource.CreateOption();
        var url = new Option<string?>("--url") { Description = "The node to ask, such as http://127.0.0.1:9180; else where this configuration serves HTTP.", HelpName = "URL" };
        var json = Tables.JsonOption("As it came, a JSON object; with --watch one after the other.");
        var watch = new Option<bool>("--watch", "-w") { Description = "Ask again every second, until Ctrl-C." };
        var command = new Command("status", "Show nodes, bridges, owners and queues, as a running node knows them. Exit code 1 where the node does not answer, or a bridge is not ready.") { files, url, json, watch };
        command.SetAction(async (result, cancellation) =>
        {
            var (output, error) = (result.InvocationConfiguration.Output, result.InvocationConfiguration.Error);
            if (await WhereAsync(result.GetValue(url), result.GetValue(files) ?? [], error, cancellation) is not var (where, token))
                return ExitCodes.Misconfigured;
            // Where it is sent on to, nobody has named: the token would go there too.
            using var handler = new SocketsHttpHandler { AllowAutoRedirect = false };
            using var http = new HttpClient(handler) { Timeout = Patience };
            if (token is not null)
                http.DefaultRequestHeaders.Authorization = new("Bearer", token.Reveal());
            if (!result.GetValue(watch))
                return await ShowAsync(http, where, token, result.GetValue(json), clear: false, output, error, cancellation);
            using var signals = new StopSignals();
            using var timer = new PeriodicTimer(WatchEvery);
            var clear = !result.GetValue(json) && !Console.IsOutputRedirected;
            do
                await ShowAsync(http, where, token, result.GetValue(json), clear, output, error, cancellation);
            while (await Task.WhenAny(signals.First, timer.WaitForNextTickAsync(cancellation).AsTask()) != signals.First);
            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task<int> ShowAsync(
        HttpClient http, Uri where, PageToken? token, bool json, bool clear, TextWriter output, TextWriter error, CancellationToken cancellation)
    {
        try
        {
            using var answer = await http.GetAsync(new Uri(where, "/api/status"), cancellation);
            if (answer.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
            {
                await error.WriteLineAsync($"bridge: {where} does not tell: {Refusal(answer.StatusCode, token, await answer.Content.ReadAsStringAsync(cancellation))}");
                return ExitCodes.Failed;
            }

            answer.EnsureSuccessStatusCode();
            var report = (await answer.Content.ReadFromJsonAsync<StatusReport>(StatusReport.Json, cancellation))!;
            var text = json ? JsonSerializer.Serialize(report, StatusReport.Json) : Table(report);
            await output.WriteLineAsync((clear ? ClearScreen : "") + text);
            return report.Bridges.All(bridge => bridge.Ready || bridge.Owner is null && !report.Clustered) ? ExitCodes.Done : ExitCodes.Failed;
        }
        catch (Exception exception) when (!cancellation.IsCancellationRequested && exception is HttpRequestException or JsonException or TaskCanceledException)
        {
            await error.WriteLineAsync($"bridge: {where} does not tell: {OneBridge.OneLine(exception.Message)}");
            return ExitCodes.Failed;
        }
    }

    /// <summary>The report for a terminal.</summary>
    public static string Table(StatusReport report)
    {
        List<string[]> nodes = [["NODE", "MEMBER", "VERSION", "HEARD", "OWNS"]];
        nodes.AddRange(report.Nodes.Select(node => new[]
        {
            node.Node + (node.Node == report.Node ? " *" : ""),
            node.Membership + (node.Leaving ? ", leaving" : ""),
            node.Version?.Split('+')[0] ?? "-",
            node.AgeMs is { } age ? Milliseconds(age) + " ago" : "never",
            node.Owns.IsEmpty ? "-" : string.Join(", ", node.Owns),
        }));
        List<string[]> bridges = [["BRIDGE", "OWNER", "EPOCH", "ORDER", "STREAM", "QUEUED", "OLDEST", "JOURNAL", "READY"]];
        bridges.AddRange(report.Bridges.Select(bridge => new[]
        {
            bridge.Name,
            (bridge.Owner ?? (report.Clustered ? "none" : "another, or none")) + (bridge.Preferred is { } preferred && preferred != bridge.Owner ? $" -> {preferred}" : ""),
            Number(bridge.Epoch),
            bridge.Order == QueueOrder.Run ? "run" : QueueOrders.Word(bridge.Order)!,
            BridgeMetrics.Name(bridge.Connection),
            bridge.Owner is null ? "-" : Number(bridge.Queued),
            bridge.OldestMs is { } oldest ? Milliseconds(oldest) : "-",
            bridge.Owner is null ? "-" : Number(bridge.Journal),
            (bridge.Ready ? "yes: " : "no: ") + bridge.Reason,
        }));
        return Tables.Columns(nodes) + "\n" + Tables.Columns(bridges).TrimEnd('\n');
    }

    private static string Refusal(HttpStatusCode status, PageToken? token, string words) => status == HttpStatusCode.Forbidden
        ? OneBridge.OneLine(words).Trim()
        : token is null
            ? "it wants a token; give it as BRIDGE_HTTP_TOKEN, or in a file by BRIDGE_HTTP_TOKEN_FILE or bridge.page.token-file"
            : "it has another token than this configuration";

    private static async Task<(Uri Where, PageToken? Token)?> WhereAsync(string? url, IReadOnlyList<string> files, TextWriter error, CancellationToken cancellation)
    {
        if (url is not null)
        {
            if (Uri.TryCreate(url, UriKind.Absolute, out var given) && given.Scheme is "http" or "https")
                return await ConfigurationSource.ReadTokenAsync(files, error, cancellation) is var (known, token) && known ? (given, token) : null;
            await error.WriteLineAsync("bridge: --url must be such as http://127.0.0.1:9180");
            return null;
        }

        var configuration = await ConfigurationSource.ReadAsync(files, error, cancellation);
        if (configuration is null)
            return null;
        if (configuration.Http is { Port: not 0 } http)
            return (new Uri($"http://{(http.Host == "*" ? new HttpAddress("127.0.0.1", http.Port) : http)}"), configuration.Page.Token);
        await error.WriteLineAsync("bridge: HTTP is off, or at a free port, in this configuration; give the address with --url");
        return null;
    }

    private static string Number(long? number) => number?.ToString(CultureInfo.InvariantCulture) ?? "-";

    private static string Milliseconds(long time) =>
        time < 1000 ? string.Create(CultureInfo.InvariantCulture, $"{time} ms") : string.Create(CultureInfo.InvariantCulture, $"{time / 1000.0:0.#} s");
}
