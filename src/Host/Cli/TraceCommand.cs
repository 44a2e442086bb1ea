using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Bridge.Host.Configuration;
using Bridge.Host.Hosting;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;
using StackExchange.Redis;

namespace Bridge.Host.Cli;

/// <summary>
/// <c>bridge trace ID</c>: the life of a message. What was confirmed, the nodes that did it remember; how it ended and what could not
/// be sent, Redis does. Reads only.
/// </summary>
internal static class TraceCommand
{
    private const int EntriesPerRead = 1_000;

    public static Command Create()
    {
        var id = new Argument<string>("id") { Description = "The stanza id: the app's own, or the one that Bridge made." };
        var files = ConfigurationSource.CreateOption();
        var name = new Option<string?>("--bridge") { Description = "Only this bridge; else all that are configured.", HelpName = "NAME" };
        var urls = new Option<string[]>("--url")
        {
            Description = "A node to ask, such as http://127.0.0.1:9180. Repeatable: each knows what itself has delivered. Else the one that this configuration serves.",
            HelpName = "URL",
            AllowMultipleArgumentsPerToken = false,
        };
        var json = Tables.JsonOption("A JSON object per event: bridge, at, event, node, detail.");
        var command = new Command("trace", "Tell the life of a message: pushed, taken, written, confirmed, how it ended; with times and nodes. Exit code 1 where nothing is known of it.") { id, files, name, urls, json };
        command.SetAction(async (result, cancellation) =>
        {
            var (output, error) = (result.InvocationConfiguration.Output, result.InvocationConfiguration.Error);
            var configuration = await ConfigurationSource.ReadAsync(result.GetValue(files) ?? [], error, cancellation);
            if (configuration is null)
                return ExitCodes.Misconfigured;
            var bridges = configuration.Bridges.Where(bridge => result.GetValue(name) is not { } wanted || bridge.Name == wanted).ToList();
            if (bridges.Count == 0)
                return await OneBridge.ChooseAsync(configuration, result.GetValue(name), "--bridge", error) is null ? ExitCodes.Misconfigured : ExitCodes.Failed;
            List<Uri> nodes = [];
            foreach (var url in result.GetValue(urls) ?? [])
            {
                if (!NodeClient.TryParse(url, out var node))
                {
                    await error.WriteLineAsync("bridge: --url must be such as http://127.0.0.1:9180");
                    return ExitCodes.Misconfigured;
                }

                nodes.Add(node);
            }

            if (nodes.Count == 0 && NodeClient.Of(configuration) is { } own)
                nodes.Add(own);
            return await OneBridge.ActAsync(
                error, () => TellAsync(result.GetRequiredValue(id), bridges, nodes, configuration.Page.Token, result.GetValue(json), output, error, cancellation));
        });
        return command;
    }

    private static async Task<int> TellAsync(
        string id, IReadOnlyList<BridgeSettings> bridges, IReadOnlyList<Uri> nodes, PageToken? token, bool json, TextWriter output, TextWriter error, CancellationToken cancellation)
    {
        List<TraceEvent> events = [];
        List<string> remembered = [];
        using var client = new NodeClient(token);
        foreach (var node in nodes)
        {
            if (await client.AskAsync<TraceReport>(node, "/api/trace?id=" + Uri.EscapeDataString(id), error, cancellation) is not { } report)
                continue;
            foreach (var told in report.Bridges.Where(told => bridges.Any(bridge => bridge.Name == told.Bridge)))
            {
                events.AddRange(told.Deliveries.SelectMany(delivery => TraceEvent.Of(told.Bridge, report.Node, delivery)));
                remembered.Add(told.Oldest is { } oldest
                    ? string.Create(CultureInfo.InvariantCulture, $"{report.Node} remembers {told.Remembered} messages of {told.Bridge}, since {TraceEvent.Time(oldest)}")
                    : $"{report.Node} has delivered nothing of {told.Bridge}");
            }
        }

        foreach (var bridge in bridges)
        {
            await using var link = new RedisLink(bridge.Queue, "bridge-trace");
            events.AddRange(await OutcomesAsync(link, bridge, id, isRemembered: events.Exists(told => told.Bridge == bridge.Name)));
            events.AddRange(await DeadAsync(link, bridge, id));
        }

        events = [.. events.Distinct().OrderBy(one => one.Place).ThenBy(one => one.Step)];
        if (json)
        {
            foreach (var one in events)
                await output.WriteLineAsync(JsonSerializer.Serialize(one, StatusReport.JsonLine));
        }
        else if (events.Count > 0)
        {
            await output.WriteAsync(Tables.Columns(
                [["WHEN", "BRIDGE", "WHAT", "BY", ""], .. events.Select(one => new[] { TraceEvent.Time(one.At), one.Bridge, one.Event, one.Node, one.Detail })]));
        }
        else
        {
            await error.WriteLineAsync($"bridge: nothing is known of a message {OneBridge.OneLine(id)}. It may wait in the queue, be on its way, or have been delivered before what is remembered.");
            foreach (var line in remembered)
                await error.WriteLineAsync("  " + OneBridge.OneLine(line));
        }

        return events.Count > 0 ? ExitCodes.Done : ExitCodes.Failed;
    }

    // From the newest on: what is looked for is seldom old.
    private static async Task<List<TraceEvent>> OutcomesAsync(RedisLink link, BridgeSettings bridge, string id, bool isRemembered)
    {
        List<TraceEvent> events = [];
        RedisValue below = "+";
        while (true)
        {
            var page = await link.CallAsync(database => database.StreamRangeAsync(bridge.Queue.Keys.Outcomes, "-", below, EntriesPerRead, Order.Descending));
            foreach (var entry in page.Where(entry => entry["id"] == id))
                events.AddRange(TraceEvent.OfOutcome(bridge.Name, entry, isRemembered));
            if (page.Length < EntriesPerRead)
                return events;
            below = "(" + page[^1].Id;
        }
    }

    private static async Task<List<TraceEvent>> DeadAsync(RedisLink link, BridgeSettings bridge, string id)
    {
        List<TraceEvent> events = [];
        var letters = new DeadLetters(link, bridge.Queue.Keys, bridge.Queue.Kind);
        string? behind = null;
        while (true)
        {
            var page = await letters.ListAsync(EntriesPerRead, newestFirst: true, behind);
            events.AddRange(page.Where(letter => letter.GeneratedId == id).SelectMany(letter => TraceEvent.Of(bridge.Name, letter)));
            if (page.Length < EntriesPerRead)
                return events;
            behind = page[^1].Id;
        }
    }
}
