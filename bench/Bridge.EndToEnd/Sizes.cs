namespace Bridge.EndToEnd;

/// <summary>The rate by the size of the message.</summary>
internal static class Sizes
{
    private static readonly int[] All = [100, 300, 1_024, 4_096, 16_384];

    // All sizes take about as long, and fit the memory of a small machine.
    private const long MostBytes = 512L * 1024 * 1024;

    public static async Task RunAsync(Session session)
    {
        var most = session.Options.Messages ?? 500_000;
        var rounds = session.Rounds(5);
        session.Begin(
            "Sizes, into the sink",
            "Bytes are those of a stanza on the wire. Its markup alone has 105 to 113, so the smallest are a little larger than that.",
            $"sizes --messages {Session.Text(most)} --rounds {Session.Text(rounds)}");
        var table = new Table("", "bytes", "N", "messages/s", "MB/s", "CPU s/100,000 all");
        foreach (var size in All)
        {
            var messages = (int)Math.Min(most, MostBytes / size);
            await using var stage = await session.StageAsync("sink", size);
            Contender[] contenders =
                [.. Contenders.Bridges(session.Options.Bridges, messages), Contenders.Lpop(messages), Contenders.Blast(messages)];
            var results = await session.InterleavedAsync(stage, contenders, rounds);
            foreach (var contender in contenders)
            {
                table.Add(
                    contender.Name,
                    Table.Number(size, "N0"),
                    Table.Number(messages, "N0"),
                    Table.Cell(results[contender].Select(run => run.Rate), "N0"),
                    Table.Number(Statistics.Median(results[contender].Select(
                        run => run.Rate * run.Report!.Bytes / Math.Max(1, run.Report.Arrived))) / 1e6, "N0"),
                    Table.Cell(results[contender].Select(run => run.Usage.Processor.TotalSeconds * 100_000 / messages), "F3"));
            }
        }

        Session.Print(table);
    }
}
