namespace Bridge.EndToEnd;

/// <summary>Whether the length of the queue matters, to the rate and to the memory.</summary>
internal static class Depth
{
    public static async Task RunAsync(Session session)
    {
        // The same span of messages with a short queue and with a long one, behind the same warm-up.
        var span = Math.Min(100_000, session.Options.Deep / 10);
        var warmUp = 5 * span;
        var shallow = warmUp + span;
        var deep = session.Options.Deep;
        var rounds = session.Rounds(5);
        session.Begin(
            "Depth, into the sink",
            $"The rate over {span:N0} messages behind {warmUp:N0}, while {span:N0} and while {deep - warmUp:N0} are still queued; " +
            $"and the most memory after {warmUp:N0} messages and after all {deep:N0}. Grade held.",
            $"depth --deep {Session.Text(deep)} --rounds {Session.Text(rounds)} --size {Session.Text(session.Options.Size)}");
        await using var stage = await session.StageAsync("sink");

        List<(Contender Shallow, Contender Deep)> bridges = [];
        foreach (var bridge in Contenders.Bridges(session.Options.Bridges, shallow))
            bridges.Add((bridge, bridge with { Messages = deep }));
        var results = new List<RunResult>();
        for (var round = 0; round < rounds; round++)
        {
            foreach (var (few, many) in bridges)
            {
                foreach (var contender in round % 2 == 0 ? [few, many] : (Contender[])[many, few])
                    results.Add(await session.RunAsync(stage, contender, contender == few ? [warmUp] : [warmUp, shallow, deep - span]));
            }
        }

        var table = new Table("", "queued at the start", "rate over the span", "rate over the last span", $"peak MiB after {warmUp:N0}", "after all");
        foreach (var contender in bridges.SelectMany(pair => (Contender[])[pair.Shallow, pair.Deep]))
        {
            var runs = results.Where(run => run.Contender == contender && run.Lost == 0).ToArray();
            table.Add(
                contender.Name,
                Table.Number(contender.Messages, "N0"),
                Table.Cell(runs.Select(run => Run.Span(run.Report!.Marks[1], run.Report.Marks[2])), "N0"),
                Table.Cell(runs.Select(run => Run.Span(run.Report!.Marks[^2], run.Report.Marks[^1])), "N0"),
                Table.Cell(runs.Select(run => run.PeakAtMarks[0] / 1048576.0), "F0"),
                Table.Cell(runs.Select(run => run.Usage.PeakBytes / 1048576.0), "F0"));
        }

        Session.Print(table);
    }
}
