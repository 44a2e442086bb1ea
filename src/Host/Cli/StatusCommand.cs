using System.CommandLine;
using System.Globalization;
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
            using var client = new NodeClient(token);
            if (!result.GetValue(watch))
                return await ShowAsync(client, where, result.GetValue(json), clear: false, output, error, cancellation);
            using var signals = new StopSignals();
            using var timer = new PeriodicTimer(WatchEvery);
            var clear = !result.GetValue(json) && !Console.IsOutputRedirected;
            do
                await ShowAsync(client, where, result.GetValue(json), clear, output, error, cancellation);
            while (await Task.WhenAny(signals.First, timer.WaitForNextTickAsync(cancellation).AsTask()) != signals.First);
            return ExitCodes.Done;
        });
        return command;
    }

    private static async Task<int> ShowAsync(
        NodeClient client, Uri where, bool json, bool clear, TextWriter output, TextWriter error, CancellationToken cancellation)
    {
        if (await client.AskAsync<StatusReport>(where, "/api/status", error, cancellation) is not { } report)
            return ExitCodes.Failed;
        await output.WriteLineAsync((clear ? ClearScreen : "") + (json ? JsonSerializer.Serialize(report, StatusReport.Json) : Table(report)));
        return report.Bridges.All(bridge => bridge.Ready || (bridge.Owner is null && !report.Clustered)) ? ExitCodes.Done : ExitCodes.Failed;
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

    private static async Task<(Uri Where, PageToken? Token)?> WhereAsync(string? url, IReadOnlyList<string> files, TextWriter error, CancellationToken cancellation)
    {
        if (url is not null)
        {
            if (NodeClient.TryParse(url, out var given))
                return await ConfigurationSource.ReadTokenAsync(files, error, cancellation) is var (known, token) && known ? (given, token) : null;
            await error.WriteLineAsync("bridge: --url must be such as http://127.0.0.1:9180");
            return null;
        }

        var configuration = await ConfigurationSource.ReadAsync(files, error, cancellation);
        if (configuration is null)
            return null;
        if (NodeClient.Of(configuration) is { } own)
            return (own, configuration.Page.Token);
        await error.WriteLineAsync("bridge: HTTP is off, or at a free port, in this configuration; give the address with --url");
        return null;
    }

    private static string Number(long? number) => number?.ToString(CultureInfo.InvariantCulture) ?? "-";

    private static string Milliseconds(long time) =>
        time < 1000 ? string.Create(CultureInfo.InvariantCulture, $"{time} ms") : string.Create(CultureInfo.InvariantCulture, $"{time / 1000.0:0.#} s");
}
