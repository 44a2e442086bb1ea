namespace Bridge.EndToEnd;

/// <summary>
/// Bridge and a blast right after one another, again and again, in alternating order: their ratio is steadier than
/// either rate on a machine whose speed changes.
/// </summary>
internal static class Pairs
{
    public static async Task RunAsync(Session session)
    {
        IReadOnlyList<string> targets = session.Options.Servers is { Count: > 0 } asked ? asked : ["prosody", "ejabberd"];
        foreach (var target in targets)
            await RunAsync(session, target);
    }

    private static async Task RunAsync(Session session, string target)
    {
        var messages = session.Messages(target);
        var options = session.Options;
        session.Begin(
            $"Pairs on {target}",
            "Bridge's rate over the rate of a blast of the same stanzas, run next to each other; which comes first alternates.",
            $"pairs --server {target} --pairs {Session.Text(options.Pairs)} --messages {Session.Text(messages)} --size {Session.Text(options.Size)}");
        await using var stage = await session.StageAsync(target);
        var blast = Contenders.Blast(messages);
        var bridges = Contenders.Bridges(options.Bridges, messages);
        Contender[] contenders = [.. bridges, blast];
        List<Dictionary<Contender, RunResult>> pairs = [];
        for (var pair = 0; pair < options.Pairs; pair++)
        {
            var results = new Dictionary<Contender, RunResult>();
            foreach (var contender in pair % 2 == 0 ? contenders : contenders.Reverse())
                results[contender] = await session.RunAsync(stage, contender);
            pairs.Add(results);
        }

        List<(string Name, double[] Values)> ratios =
            [.. bridges.Select(bridge => ($"{bridge.Name} / blast", Ratios(pairs, bridge, blast)))];
        if (bridges.Count > 1)
            ratios.Add(($"{bridges[1].Name} / {bridges[0].Name}", Ratios(pairs, bridges[1], bridges[0])));
        PrintPairs(pairs, contenders, ratios);
        PrintRatios(ratios);
        PrintProcessors(pairs, contenders);
    }

    private static double[] Ratios(List<Dictionary<Contender, RunResult>> pairs, Contender one, Contender other) =>
        [.. pairs.Where(pair => pair[other].Rate > 0).Select(pair => pair[one].Rate / pair[other].Rate)];

    private static void PrintPairs(
        List<Dictionary<Contender, RunResult>> pairs, Contender[] contenders, List<(string Name, double[] Values)> ratios)
    {
        var table = new Table(["pair, first", .. contenders.Select(contender => $"{contender.Name}/s"), .. ratios.Select(ratio => ratio.Name)]);
        for (var i = 0; i < pairs.Count; i++)
        {
            table.Add([
                $"{Session.Text(i)}, {(i % 2 == 0 ? contenders[0] : contenders[^1]).Name}",
                .. contenders.Select(contender => Table.Number(pairs[i][contender].Rate, "N0")),
                .. ratios.Select(ratio => i < ratio.Values.Length ? Table.Number(ratio.Values[i], "F3") : "–"),
            ]);
        }

        Session.Print(table);
    }

    private static void PrintRatios(List<(string Name, double[] Values)> ratios)
    {
        var table = new Table("ratio", "median", "95 % interval of the median", "range");
        foreach (var (name, values) in ratios)
        {
            if (values.Length == 0)
                continue;
            var interval = Statistics.MedianInterval(values) is var (low, high)
                ? $"{Table.Number(low, "F3")}–{Table.Number(high, "F3")}"
                : "too few pairs";
            table.Add(
                name, Table.Number(Statistics.Median(values), "F3"), interval,
                $"{Table.Number(values.Min(), "F3")}–{Table.Number(values.Max(), "F3")}");
        }

        Session.Print(table);
    }

    private static void PrintProcessors(List<Dictionary<Contender, RunResult>> pairs, Contender[] contenders)
    {
        var names = contenders.SelectMany(contender => pairs.SelectMany(pair => pair[contender].Busy.Keys)).Distinct().ToArray();
        var table = new Table(["processor s between first and last arrival", "lasted, s", .. names]);
        foreach (var contender in contenders)
        {
            table.Add([
                contender.Name,
                Table.Cell(pairs.Select(pair => pair[contender].Length.TotalSeconds), "F2"),
                .. names.Select(name => Table.Cell(
                    pairs.Where(pair => pair[contender].Busy.ContainsKey(name)).Select(pair => pair[contender].Busy[name].TotalSeconds), "F2")),
            ]);
        }

        Session.Print(table);
    }
}
