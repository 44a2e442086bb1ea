namespace Bridge.EndToEnd;

/// <summary>Whether more connections give more.</summary>
internal static class Ten
{
    private const int Bridges = 10;

    public static async Task RunAsync(Session session)
    {
        var messages = session.Messages("sink") / Bridges * Bridges;
        var rounds = session.Rounds(5);
        session.Begin(
            "Ten bridges in one process, into the sink",
            "Each has a tenth of the messages in a queue of its own; the rate is that of all together.",
            $"ten --messages {Session.Text(messages)} --rounds {Session.Text(rounds)} --size {Session.Text(session.Options.Size)}");
        await using var stage = await session.StageAsync("sink");
        List<Contender> contenders = [];
        foreach (var one in Contenders.Bridges(session.Options.Bridges, messages))
            contenders.Add(one);
        for (var i = contenders.Count - 1; i >= 0; i--)
        {
            contenders.Add(Contenders.SeveralBridges(
                session.Options.Bridges.ElementAtOrDefault(i), $"ten of {contenders[i].Name}", Bridges, messages));
        }

        var results = await session.InterleavedAsync(stage, contenders, rounds);
        var table = new Table("", "N", "messages/s", "CPU s/100,000 all", "peak MiB");
        foreach (var contender in contenders)
        {
            table.Add(
                contender.Name,
                Table.Number(messages, "N0"),
                Table.Cell(results[contender].Select(run => run.Rate), "N0"),
                Table.Cell(results[contender].Select(run => run.Usage.Processor.TotalSeconds * 100_000 / messages), "F3"),
                Table.Cell(results[contender].Select(run => run.Usage.PeakBytes / 1048576.0), "F0"));
        }

        Session.Print(table);
    }
}
