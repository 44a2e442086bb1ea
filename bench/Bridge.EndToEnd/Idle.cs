using System.Globalization;
using Bridge.Measuring;
using Bridge.TestKit;

namespace Bridge.EndToEnd;

/// <summary>What bridges cost that have nothing to do: those that own their queues, and those that stand by.</summary>
internal static class Idle
{
    private static readonly int[] Bridges = [1, 10, 100];
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    public static async Task RunAsync(Session session)
    {
        var seconds = session.Options.Seconds;
        session.Begin(
            "Idle",
            "A node that owns all bridges, and one that stands by for all, with nothing queued: processor time and calls to Redis over the time, memory and threads at its end.",
            $"idle --seconds {Session.Text(seconds)}");
        await using var stage = await session.StageAsync("sink");
        var program = session.Options.Bridges.Count > 0 ? session.Options.Bridges[0] : null;
        var table = new Table("bridges", "node", "processor", "calls to Redis/s", "MiB", "threads");
        foreach (var bridges in Bridges)
        {
            await stage.ClearAsync();
            var contender = Contenders.SeveralBridges(program, "idle", bridges, bridges);
            await using var owner = await StartAsync(stage, contender);
            var alone = await MeasureAsync(stage, owner, seconds);
            await using var standby = await StartAsync(stage, contender);
            var both = await MeasureAsync(stage, standby, seconds);
            Add("owns", alone, alone.Calls);
            // The owner's calls go on beside it.
            Add("stands by", both, both.Calls - alone.Calls);

            void Add(string what, Reading reading, double calls) => table.Add(
                Session.Text(bridges),
                what,
                Table.Number(reading.Processor * 100, "F1") + " %",
                Table.Number(calls, "F1"),
                Table.Number(reading.Bytes / 1048576.0, "F0"),
                Session.Text(reading.Threads));
        }

        Session.Print(table);
    }

    private static async Task<BridgeProcess> StartAsync(Stage stage, Contender contender)
    {
        var bridge = (BridgeProcess)contender.Start(stage, contender).Owner;
        await bridge.ReadyAsync(Patience);
        // The compiler is at work for the first seconds of a process.
        await Task.Delay(TimeSpan.FromSeconds(5), stage.Stopping);
        return bridge;
    }

    private static async Task<Reading> MeasureAsync(Stage stage, BridgeProcess bridge, int seconds)
    {
        var process = bridge.Process.Id;
        var (processor, calls, started) = (ProcessorClock.Read(process) ?? 0, await CallsAsync(stage), TimeProvider.System.GetTimestamp());
        await Task.Delay(TimeSpan.FromSeconds(seconds), stage.Stopping);
        var lasted = TimeProvider.System.GetElapsedTime(started).TotalSeconds;
        return new Reading(
            ((ProcessorClock.Read(process) ?? 0) - processor) / 1e9 / lasted,
            (await CallsAsync(stage) - calls) / lasted,
            Of(process, "VmRSS") * 1024,
            (int)Of(process, "Threads"));
    }

    private static async Task<double> CallsAsync(Stage stage)
    {
        var stats = (string)(await stage.Database.ExecuteAsync("INFO", "stats"))!;
        var line = stats.Split('\n').Single(line => line.StartsWith("total_commands_processed:", StringComparison.Ordinal));
        return double.Parse(line.Split(':')[1], CultureInfo.InvariantCulture);
    }

    // proc(5), status.
    private static long Of(int process, string name) => long.Parse(
        File.ReadLines($"/proc/{process}/status").Single(line => line.StartsWith(name + ":", StringComparison.Ordinal)).Split(':')[1].Trim().Split(' ')[0],
        CultureInfo.InvariantCulture);

    private sealed record Reading(double Processor, double Calls, long Bytes, int Threads);
}
