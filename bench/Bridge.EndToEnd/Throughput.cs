namespace Bridge.EndToEnd;

/// <summary>Each contender empties a full queue into each target.</summary>
internal static class Throughput
{
    // So that a round stays short.
    private const int MostForSlow = 20_000;

    public static async Task RunAsync(Session session)
    {
        IReadOnlyList<string> targets = session.Options.Servers is { Count: > 0 } asked ? asked : ["sink", "prosody", "ejabberd"];
        foreach (var target in targets)
        {
            var messages = session.Messages(target);
            var rounds = session.Rounds(5);
            session.Begin(
                $"Throughput into {target}",
                "From the first arrival to the last, from a queue that holds them all. Median of the rounds, and the range. " +
                "Processor time is of the contender itself: steady is between first and last arrival; all, from its start to " +
                "its end. Bridge validates, confirms and settles each message; the others do not, and lose what a fault strikes.",
                $"throughput --server {target} --messages {Session.Text(messages)} --rounds {Session.Text(rounds)} --size {Session.Text(session.Options.Size)}{string.Concat(session.Options.Only.Select(name => $" --only \"{name}\""))}");
            await using var stage = await session.StageAsync(target);
            var contenders = ContendersFor(session, target, messages);
            if (session.Options.Only is { Count: > 0 } only)
                contenders.RemoveAll(contender => !only.Contains(contender.Name));
            var results = await session.InterleavedAsync(stage, contenders, rounds);

            var table = new Table(
                "", "N", "messages/s", "start to first, s", "CPU s/100,000 steady", "all", "Redis' steady", "peak MiB", "lost", "repeated", "reordered");
            foreach (var contender in contenders)
                table.Add(Row(contender, [.. results[contender]]));
            Session.Print(table);
        }
    }

    private static List<Contender> ContendersFor(Session session, string target, int messages)
    {
        List<Contender> contenders = [];
        foreach (var bridge in Contenders.Bridges(session.Options.Bridges, messages))
        {
            contenders.Add(bridge);
            if (target != "sink")
                continue;
            contenders.Add(bridge with { Name = $"{bridge.Name}, JSON envelopes", Payload = Measuring.PayloadKind.Json });
            contenders.Add(bridge with { Name = $"{bridge.Name}, stream queue", QueueKind = QueueKind.Stream });
        }

        contenders.Add(Contenders.Lpop(messages));
        contenders.Add(Contenders.Lmpop(messages));
        contenders.Add(Contenders.Blpop(Math.Min(MostForSlow, Math.Max(1, messages / 10))));
        contenders.Add(Contenders.Blast(messages));
        if (target == "sink")
        {
            contenders.Add(Contenders.DrainList(messages, silent: false));
            contenders.Add(Contenders.DrainList(messages, silent: true));
            contenders.Add(Contenders.DrainStream(messages));
        }

        return contenders;
    }

    private static string[] Row(Contender contender, IReadOnlyList<RunResult> runs)
    {
        var perHundredThousand = 100_000.0 / contender.Messages;
        var received = runs.Where(run => run.Report is not null).ToArray();
        return
        [
            contender.Name,
            Table.Number(contender.Messages, "N0"),
            Table.Cell(runs.Select(run => run.Rate), "N0"),
            Table.Cell(received.Select(run => run.ToFirst.TotalSeconds), "F2"),
            Table.Cell(Steady(Run.Itself), "F3"),
            Table.Cell(runs.Select(run => run.Usage.Processor.TotalSeconds * perHundredThousand), "F3"),
            Table.Cell(Steady("redis"), "F3"),
            Table.Cell(runs.Select(run => run.Usage.PeakBytes / 1048576.0), "F0"),
            Total(run => run.Lost),
            Total(run => run.Report!.Repeated),
            Total(run => run.Report!.Reordered),
        ];

        IEnumerable<double> Steady(string process) => received
            .Where(run => run.Busy.ContainsKey(process))
            .Select(run => run.Busy[process].TotalSeconds * perHundredThousand);

        string Total(Func<RunResult, long> count) =>
            received.Length == 0 ? "–" : Table.Number(received.Sum(count), "N0");
    }
}
