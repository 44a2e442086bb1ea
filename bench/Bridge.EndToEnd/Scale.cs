namespace Bridge.EndToEnd;

/// <summary>What more bridges give, and more processes.</summary>
internal static class Scale
{
    private static readonly int[] Bridges = [1, 2, 4, 8];
    private static readonly int[] Nodes = [1, 2, 3];

    public static async Task RunAsync(Session session)
    {
        var messages = session.Messages("sink") / 8 * 8;
        var rounds = session.Rounds(5);
        session.Begin(
            "1 to 8 bridges over 1 to 3 nodes, into the sink",
            "Each bridge has an equal part of the messages in a queue of its own, each node an equal part of the bridges, as a cluster places them; the rate is that of all together. Redis, the sink and all nodes share this machine.",
            $"scale --messages {Session.Text(messages)} --rounds {Session.Text(rounds)} --size {Session.Text(session.Options.Size)}");
        await using var stage = await session.StageAsync("sink");
        var program = session.Options.Bridges.Count > 0 ? session.Options.Bridges[0] : null;
        List<(int Bridges, int Nodes, Contender Contender)> rows =
        [
            .. from nodes in Nodes
               from bridges in Bridges
               where bridges >= nodes
               select (bridges, nodes, Contenders.SeveralNodes(program, $"{Session.Text(bridges)} on {Session.Text(nodes)}", bridges, nodes, messages)),
        ];

        var results = await session.InterleavedAsync(stage, [.. rows.Select(row => row.Contender)], rounds);
        var alone = Statistics.Median(results[rows[0].Contender].Select(run => run.Rate));
        var table = new Table("bridges", "nodes", "messages/s", "of one bridge's", "processors busy", "peak MiB of a node");
        foreach (var (bridges, nodes, contender) in rows)
        {
            var runs = results[contender].ToList();
            table.Add(
                Session.Text(bridges),
                Session.Text(nodes),
                Table.Cell(runs.Select(run => run.Rate), "N0"),
                Table.Number(Statistics.Median(runs.Select(run => run.Rate)) / alone, "F2"),
                Table.Number(Statistics.Median(runs.Where(run => run.Busy.ContainsKey(Run.WholeMachine)).Select(run => run.Busy[Run.WholeMachine] / run.Length)), "F2"),
                Table.Number(Statistics.Median(runs.Select(run => run.Usage.PeakBytes / 1048576.0)), "F0"));
        }

        Session.Print(table);
    }
}
