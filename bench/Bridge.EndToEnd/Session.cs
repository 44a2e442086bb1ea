using System.Globalization;
using Bridge.TestKit;

namespace Bridge.EndToEnd;

/// <summary>One call of the benchmark: what it was asked for, and whether a bridge kept its promises so far.</summary>
internal sealed class Session(Options options, CancellationToken stopping)
{
    public Options Options { get; } = options;

    public CancellationToken Stopping { get; } = stopping;

    /// <summary>Whether a receiver found something lost, repeated or out of order that a bridge had sent.</summary>
    public bool PromiseBroken { get; private set; }

    public int Rounds(int usual) => Options.Rounds ?? usual;

    /// <summary>Messages of a run into such a target: into the sink they take less than a second, much of it the compiler's.</summary>
    public int Messages(string target) => Options.Messages ?? (target == "sink" ? 1_000_000 : 200_000);

    public Task<Stage> StageAsync(string target, int? size = null) => Stage.StartAsync(target, size ?? Options.Size, Stopping);

    /// <summary>One run of each contender in each round, each round beginning with another one.</summary>
    public async Task<ILookup<Contender, RunResult>> InterleavedAsync(Stage stage, IReadOnlyList<Contender> contenders, int rounds)
    {
        List<RunResult> results = [];
        for (var round = 0; round < rounds; round++)
        {
            for (var i = 0; i < contenders.Count; i++)
                results.Add(await RunAsync(stage, contenders[(round + i) % contenders.Count]));
        }

        return results.ToLookup(result => result.Contender);
    }

    public async Task<RunResult> RunAsync(Stage stage, Contender contender, params int[] marks)
    {
        var result = await Run.OnceAsync(stage, contender, marks);
        var words = string.Create(
            CultureInfo.InvariantCulture,
            $"  {stage.Target}, {contender.Name}: {result.Rate:N0}/s");
        if (result.Report is { } report && (result.Lost | report.Repeated | report.Reordered | report.Unnumbered) != 0)
            words += $", LOST {result.Lost}, REPEATED {report.Repeated}, REORDERED {report.Reordered}, UNNUMBERED {report.Unnumbered}";
        Progress(words);
        Note(result.BreaksPromise);
        return result;
    }

    /// <summary>Takes down whether a run broke a promise.</summary>
    public void Note(bool brokePromise) => PromiseBroken |= brokePromise;

    public void Begin(string section, string explanation, string command)
    {
        Console.WriteLine();
        Console.WriteLine($"## {section}");
        Console.WriteLine();
        Console.WriteLine(explanation);
        Console.WriteLine();
        Console.WriteLine($"    bench/run {command}{string.Concat(Options.Bridges.Select(path => $" --bridge {Relative(path)}"))}");
        Console.WriteLine();
        if (Options.Bridges.Count > 1)
            Console.WriteLine($"Bridge A is the first of them, B the second.{Environment.NewLine}");
    }

    public static void Print(Table table) => Console.WriteLine(table);

    /// <summary>What happens now, for who watches; no part of the results.</summary>
    public static void Progress(string words) => Console.Error.WriteLine(words);

    public static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Relative(string path) => Path.GetRelativePath(BridgeProcess.RepositoryRoot, path);
}
