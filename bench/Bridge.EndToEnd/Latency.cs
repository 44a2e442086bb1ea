using Bridge.Measuring;

namespace Bridge.EndToEnd;

/// <summary>From push to arrival, at a constant rate that nobody's slowness slows down.</summary>
internal static class Latency
{
    private const int WarmUpSeconds = 5;

    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan PatienceWithPromises = TimeSpan.FromSeconds(60);

    public static async Task RunAsync(Session session)
    {
        var options = session.Options;
        var seconds = options.Seconds;
        var rounds = session.Rounds(3);
        foreach (var rate in options.Rates is { Count: > 0 } asked ? asked : [1_000, 10_000])
        {
            session.Begin(
                $"Latency at {rate:N0} messages a second, into the sink",
                $"From push to arrival, in milliseconds, over {seconds} s behind {WarmUpSeconds} s of warm-up, list queue. Median of the rounds, and the range. " +
                "A push that comes late counts from when it came; how late that was stands in the last column.",
                $"latency --rate {Session.Text(rate)} --seconds {Session.Text(seconds)} --rounds {Session.Text(rounds)} --size {Session.Text(options.Size)}");
            await using var stage = await session.StageAsync("sink");
            var messages = rate * (seconds + WarmUpSeconds);
            Contender[] contenders =
            [
                .. Contenders.Bridges(options.Bridges, messages), Contenders.Lone(messages),
                Contenders.Lpop(messages), Contenders.Lmpop(messages), Contenders.Blpop(messages),
            ];
            var rows = contenders.ToDictionary(contender => contender, _ => new List<Measured>());
            for (var round = 0; round < rounds; round++)
            {
                for (var i = 0; i < contenders.Length; i++)
                {
                    var contender = contenders[(round + i) % contenders.Length];
                    rows[contender].Add(await MeasureAsync(session, stage, contender, rate));
                }
            }

            var table = new Table("", "p50", "p99", "p99.9", "max", "lost or late", "repeated", "reordered", "CPU s per 100,000", "pushes late, p99");
            foreach (var contender in contenders)
                table.Add(Row(contender, rows[contender]));
            Session.Print(table);
        }
    }

    private static async Task<Measured> MeasureAsync(Session session, Stage stage, Contender contender, int rate)
    {
        session.Stopping.ThrowIfCancellationRequested();
        await stage.ClearAsync();
        await stage.Receiver.ResetAsync(latencyFrom: rate * WarmUpSeconds);
        await stage.Receiver.AwaitAsync(contender.Messages);
        using var pusher = new Pusher(stage.Redis.Port, Contenders.Queue, contender.Payload, stage.Workload);
        var running = contender.Start(stage, contender);
        await using (running.Owner)
        {
            await stage.Receiver.JoinedAsync(StartTimeout).WaitAsync(session.Stopping);
            var late = await Task.Factory.StartNew(
                () => pusher.Push(contender.Messages, rate, session.Stopping), session.Stopping, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            // Who promises nothing and cannot keep up is not waited for: that shows already.
            await stage.Receiver.ReachedAsync(contender.Messages, contender.Promises ? PatienceWithPromises : Patience).WaitAsync(session.Stopping);
            var usage = await ProcessUsage.OfEndingAsync(running.Process);
            var measured = new Measured(contender, await stage.Receiver.ReportAsync(), late, usage);
            session.Note(measured.BreaksPromise);
            Session.Progress(
                $"  {contender.Name}: p50 {Milliseconds(measured.Report.Latency!.P50):F3} ms, p99 {Milliseconds(measured.Report.Latency.P99):F3} ms, " +
                $"{measured.Missing} missing");
            return measured;
        }
    }

    private static string[] Row(Contender contender, List<Measured> runs)
    {
        return
        [
            contender.Name,
            Cell(latency => latency.P50),
            Cell(latency => latency.P99),
            Cell(latency => latency.P999),
            Cell(latency => latency.Max),
            Table.Number(runs.Sum(run => run.Missing), "N0"),
            Table.Number(runs.Sum(run => run.Report.Repeated), "N0"),
            Table.Number(runs.Sum(run => run.Report.Reordered), "N0"),
            Table.Cell(runs.Select(run => run.Usage.Processor.TotalSeconds * 100_000 / contender.Messages), "F2"),
            Table.Cell(runs.Select(run => Milliseconds(run.Late.Percentile(0.99))), "F3"),
        ];

        string Cell(Func<LatencyReport, long> percentile) =>
            Table.Cell(runs.Select(run => Milliseconds(percentile(run.Report.Latency!))), "F3");
    }

    private static double Milliseconds(long nanoseconds) => nanoseconds / 1e6;

    private sealed record Measured(Contender Contender, SinkReport Report, Histogram Late, ProcessUsage Usage)
    {
        public long Missing => Contender.Messages - Report.Distinct;

        public bool BreaksPromise =>
            Contender.Promises && (Missing | Report.Repeated | Report.Reordered | Report.Unnumbered) != 0;
    }
}
