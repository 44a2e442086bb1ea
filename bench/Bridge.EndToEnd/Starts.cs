namespace Bridge.EndToEnd;

/// <summary>From the start of the process to the first message.</summary>
internal static class Starts
{
    public static async Task RunAsync(Session session)
    {
        var starts = session.Rounds(5);
        session.Begin("Start", "From the start of the process to the first arrival, with messages waiting.", $"start --rounds {Session.Text(starts)}");
        await using var stage = await session.StageAsync("sink");
        var contenders = Contenders.Bridges(session.Options.Bridges, 1_000);
        var results = await session.InterleavedAsync(stage, contenders, starts);
        var table = new Table("", "starts", "s to the first message", "processor s of the whole life");
        foreach (var contender in contenders)
        {
            table.Add(
                contender.Name,
                Session.Text(starts),
                Table.Cell(results[contender].Select(run => run.ToFirst.TotalSeconds), "F3"),
                Table.Cell(results[contender].Select(run => run.Usage.Processor.TotalSeconds), "F2"));
        }

        Session.Print(table);
    }
}
