using System.Diagnostics;
using System.Globalization;
using Bridge.Measuring;
using Bridge.TestKit;

namespace Bridge.EndToEnd;

/// <summary>What one run of one contender gave.</summary>
internal sealed record RunResult
{
    public required Contender Contender { get; init; }

    /// <summary>Messages a second from the first arrival to the last.</summary>
    public double Rate { get; init; }

    /// <summary>From the start of the process to the first arrival.</summary>
    public TimeSpan ToFirst { get; init; }

    /// <summary>From the first arrival to the last.</summary>
    public TimeSpan Length { get; init; }

    public required ProcessUsage Usage { get; init; }

    /// <summary>What the receiver counted; null when there was none.</summary>
    public SinkReport? Report { get; init; }

    /// <summary>The most memory at each count that was to be marked besides the last.</summary>
    public IReadOnlyList<long> PeakAtMarks { get; init; } = [];

    /// <summary>Processor time between the first arrival and the last, by what computed.</summary>
    public IReadOnlyDictionary<string, TimeSpan> Busy { get; init; } = new Dictionary<string, TimeSpan>();

    public long Lost => Report is null ? 0 : Contender.Messages - Report.Distinct;

    /// <summary>Whether it did other than it promises.</summary>
    public bool BreaksPromise =>
        Contender.Promises && Report is { } report
        && (Lost != 0 || report.Repeated != 0 || report.Reordered != 0 || report.Unnumbered != 0);
}

internal static class Run
{
    /// <summary>The processor time of everything on the machine, others' included, among <see cref="RunResult.Busy"/>.</summary>
    public const string WholeMachine = "machine";

    public const string Itself = "contender";

    private static readonly TimeSpan StallTimeout = TimeSpan.FromSeconds(20);

    /// <summary>Fills the queue, starts the contender, waits until all has arrived or nothing moves, and ends it.</summary>
    /// <param name="stage">Used by nobody else.</param>
    /// <param name="contender">Whose run it is.</param>
    /// <param name="marks">Counts below the number of messages at which the time and memory are to be noted.</param>
    public static async Task<RunResult> OnceAsync(Stage stage, Contender contender, params int[] marks)
    {
        stage.Stopping.ThrowIfCancellationRequested();
        await FillAsync(stage, contender);
        await stage.Receiver.ResetAsync();
        int[] counts = [.. marks, contender.Messages];
        foreach (var count in counts)
            await stage.Receiver.AwaitAsync(count);
        await stage.Receiver.WatchAsync(stage.Redis.Process.Id);
        if (stage.Server is { } server)
            await stage.Receiver.WatchAsync(server.Process.Id);

        var started = Stopwatch.GetTimestamp();
        var running = contender.Start(stage, contender);
        await using (running.Owner)
        {
            await stage.Receiver.WatchAsync(running.Process.Id);
            if (contender.OnlyDrains)
                return await DrainedAsync(stage, contender, running.Process);

            List<long> peaks = [];
            var complete = true;
            foreach (var count in counts)
            {
                complete = complete && await ReachedAsync(stage, count, running.Process);
                if (complete && count != contender.Messages)
                    peaks.Add(ProcessUsage.PeakOf(running.Process.Id));
            }

            if (!complete)
                await Console.Error.WriteLineAsync($"{contender.Name} is stuck. Its output:\n{running.Process.Output}");
            else if (contender.Promises)
                await SettledAsync(stage, contender);
            var usage = await ProcessUsage.OfEndingAsync(running.Process);
            // After its end, so that what should not have come any more is counted, too.
            var report = await stage.Receiver.ReportAsync();
            return Result(stage, contender, running.Process.Id, started, usage, report) with { PeakAtMarks = peaks };
        }
    }

    private static async Task FillAsync(Stage stage, Contender contender)
    {
        await stage.ClearAsync();
        using var loader = new QueueLoader(stage.Redis.Port, stage.Workload);
        foreach (var queue in contender.Queues)
            await loader.LoadAsync(queue, contender.QueueKind, contender.Payload, contender.MessagesOfQueue);
    }

    private static async Task<bool> ReachedAsync(Stage stage, int count, ServerProcess process)
    {
        long before = -1;
        while (!await stage.Receiver.ReachedAsync(count, StallTimeout).WaitAsync(stage.Stopping))
        {
            var arrived = (await stage.Receiver.ReportAsync()).Arrived;
            if (arrived == before || !process.IsRunning)
                return false;
            before = arrived;
        }

        return true;
    }

    /// <summary>Returns once the contender has let go of all entries: what that costs is part of its work.</summary>
    private static async Task SettledAsync(Stage stage, Contender contender)
    {
        await Eventually.TrueAsync(
            async () =>
            {
                stage.Stopping.ThrowIfCancellationRequested();
                long left = 0;
                foreach (var queue in contender.Queues)
                {
                    left += contender.QueueKind == QueueKind.Stream
                        ? await stage.Database.StreamLengthAsync(queue)
                        : await stage.Database.ListLengthAsync($"{{{queue}}}:inflight");
                }

                return left == 0;
            },
            TimeSpan.FromSeconds(60),
            $"{contender.Name} has settled everything");
    }

    private static async Task<RunResult> DrainedAsync(Stage stage, Contender contender, ServerProcess process)
    {
        const string says = "drained ";
        var line = await process.LineAsync(line => line.StartsWith(says, StringComparison.Ordinal), TimeSpan.FromMinutes(5))
            .WaitAsync(stage.Stopping);
        var words = line.Split(' ');
        var time = TimeSpan.FromSeconds(double.Parse(words[2], CultureInfo.InvariantCulture));
        return new RunResult
        {
            Contender = contender,
            Rate = long.Parse(words[1], CultureInfo.InvariantCulture) / time.TotalSeconds,
            Length = time,
            Usage = await ProcessUsage.OfEndingAsync(process),
        };
    }

    private static RunResult Result(
        Stage stage, Contender contender, int process, long started, ProcessUsage usage, SinkReport report)
    {
        if (report.Marks.Count == 0)
            return new RunResult { Contender = contender, Usage = usage, Report = report };
        var first = report.Marks[0];
        var last = report.Marks[^1];
        var length = Stopwatch.GetElapsedTime(first.At, last.At);
        var names = new Dictionary<string, int>
        {
            [Itself] = process,
            ["redis"] = stage.Redis.Process.Id,
            ["receiver"] = stage.Receiver.ProcessId,
            [WholeMachine] = ProcessorClock.Machine,
        };
        if (stage.Server is { } server)
            names[server.Name] = server.Process.Id;
        return new RunResult
        {
            Contender = contender,
            // What came with the first read is there at the beginning of the time.
            Rate = Span(first, last),
            ToFirst = Stopwatch.GetElapsedTime(started, first.At),
            Length = length,
            Usage = usage,
            Report = report,
            Busy = names
                .Where(name => first.Busy.ContainsKey(name.Value) && last.Busy.ContainsKey(name.Value))
                .ToDictionary(
                    name => name.Key,
                    name => TimeSpan.FromMicroseconds((last.Busy[name.Value] - first.Busy[name.Value]) / 1_000.0)),
        };
    }

    /// <summary>Messages a second between two marks, 0 where no time passed.</summary>
    public static double Span(ArrivalMark from, ArrivalMark to) =>
        to.At > from.At ? (to.Count - from.Count) / Stopwatch.GetElapsedTime(from.At, to.At).TotalSeconds : 0;
}
