using System.CommandLine;
using System.Globalization;
using Bridge.Host.Hosting;
using Bridge.Queue;
using Bridge.Settings;
using StackExchange.Redis;

namespace Bridge.Host.Cli;

/// <summary><c>bridge tail</c>: outcomes, and what users send, as they come. Reads only; works beside a running Bridge.</summary>
internal static class TailCommand
{
    private const int EntriesPerRead = 100;
    private static readonly TimeSpan Wait = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    public static Command Create()
    {
        var outcomes = new Option<bool>("--outcomes") { Description = "How messages ended; alone, unless --inbound is given as well." };
        var inbound = new Option<bool>("--inbound") { Description = "What users send; alone, unless --outcomes is given as well." };
        var since = new Option<string?>("--since") { Description = "Begin behind this entry id; 0: with the oldest. Else with what comes from now on.", HelpName = "ID" };
        since.Validators.Add(option =>
        {
            if (!TailLine.IsId(option.GetValueOrDefault<string>() ?? ""))
                option.AddError("--since must be the id of an entry, such as 1769903999000-0, or 0.");
        });
        var count = new Option<int?>("--count", "-n") { Description = "End after so many.", HelpName = "N" };
        count.Validators.Add(option =>
        {
            if (option.GetValueOrDefault<int?>() is < 1)
                option.AddError("--count must be 1 or more.");
        });
        var json = Tables.JsonOption("One JSON object per line, with every field.");
        var command = new Command("tail", "Show outcomes and what users send, as they come, until Ctrl-C.") { outcomes, inbound, since, count, json };
        return OneBridge.Act(command, "Whose streams, where several bridges are configured.", async (bridge, result, cancellation) =>
        {
            using var signals = new StopSignals();
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            var stopped = signals.First.ContinueWith(_ => stop.CancelAsync(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            var both = result.GetValue(outcomes) == result.GetValue(inbound);
            var follow = new Follow(bridge, both || result.GetValue(outcomes), both || result.GetValue(inbound), result.GetValue(since));
            await using (follow)
            {
                try
                {
                    await follow.RunAsync(result.InvocationConfiguration, result.GetValue(json), result.GetValue(count), stop.Token);
                }
                catch (OperationCanceledException) when (stop.IsCancellationRequested)
                {
                    // Ctrl-C is how it is meant to end.
                }
            }

            if (stopped.IsCompleted)
                await stopped.Unwrap();
            return ExitCodes.Done;
        });
    }

    /// <summary>Reads on from where it stands in each stream.</summary>
    private sealed class Follow(BridgeSettings bridge, bool outcomes, bool inbound, string? since) : IAsyncDisposable
    {
        private readonly RedisLink link = new(bridge.Queue, "bridge-tail", callTimeout: Wait + bridge.Queue.CallTimeout);
        private readonly List<(string Name, string Key)> streams =
        [
            .. outcomes ? new[] { ("outcomes", bridge.Queue.Keys.Outcomes) } : [],
            .. inbound ? new[] { ("inbound", bridge.Queue.Keys.Inbound) } : [],
        ];

        private readonly List<string> readUpTo = [];

        public async Task RunAsync(InvocationConfiguration console, bool json, int? count, CancellationToken stop)
        {
            foreach (var (_, key) in streams)
                readUpTo.Add(since ?? await LastAsync(key).WaitAsync(stop));
            var left = count ?? int.MaxValue;
            using var retry = new PeriodicTimer(RetryAfter, TimeProvider.System);
            var lost = false;
            while (left > 0)
            {
                IReadOnlyList<TailLine> lines;
                try
                {
                    lines = await ReadAsync(Math.Min(left, EntriesPerRead)).WaitAsync(stop);
                    lost = false;
                }
                catch (QueueFaultException fault) when (fault.Fault is QueueFault.Unreachable or QueueFault.NotReady)
                {
                    if (!lost)
                        await console.Error.WriteLineAsync($"bridge: {OneBridge.OneLine(fault.Message)} Trying again.");
                    lost = true;
                    await retry.WaitForNextTickAsync(stop);
                    continue;
                }

                foreach (var line in lines.Take(left))
                    await console.Output.WriteLineAsync(json ? line.Json() : line.Words());
                left -= Math.Min(left, lines.Count);
            }
        }

        public ValueTask DisposeAsync() => link.DisposeAsync();

        private async Task<string> LastAsync(string key)
        {
            var last = await link.CallAsync(database => database.StreamRangeAsync(key, count: 1, messageOrder: Order.Descending));
            return last is [{ Id: var id }] ? (string)id! : "0-0";
        }

        private async Task<IReadOnlyList<TailLine>> ReadAsync(int count)
        {
            List<object> arguments =
            [
                "COUNT", count.ToString(CultureInfo.InvariantCulture), "BLOCK", ((long)Wait.TotalMilliseconds).ToString(CultureInfo.InvariantCulture), "STREAMS",
                .. streams.Select(stream => (RedisKey)stream.Key), .. readUpTo,
            ];
            var reply = await link.CallAsync(database => database.ExecuteAsync("XREAD", arguments));
            if (reply.IsNull)
                return [];
            var lines = new List<TailLine>();
            // Pairs of key and entries: each by itself in RESP2, one behind the other in RESP3.
            var pairs = reply[0].Length >= 0
                ? Enumerable.Range(0, reply.Length).Select(i => (Key: reply[i][0], Entries: reply[i][1]))
                : Enumerable.Range(0, reply.Length / 2).Select(i => (Key: reply[2 * i], Entries: reply[(2 * i) + 1]));
            foreach (var (key, entries) in pairs)
            {
                var place = streams.FindIndex(stream => stream.Key == (string?)key);
                for (var j = 0; j < entries.Length; j++)
                {
                    var id = (string)entries[j][0]!;
                    var values = (string?[])entries[j][1]!;
                    readUpTo[place] = id;
                    lines.Add(new TailLine(
                        streams[place].Name, id,
                        [.. Enumerable.Range(0, values.Length / 2).Select(k => KeyValuePair.Create(values[2 * k] ?? "", values[(2 * k) + 1] ?? ""))]));
                }
            }

            // Each stream is in order by itself; together they are by time.
            return [.. lines.OrderBy(line => line.Milliseconds)];
        }
    }
}
