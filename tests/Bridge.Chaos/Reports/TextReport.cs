using System.Globalization;
using System.Text;
using Bridge.Chaos.Running;

namespace Bridge.Chaos.Reports;

/// <summary>The report for a terminal.</summary>
internal static class TextReport
{
    public static string Of(RunResult result)
    {
        var text = new StringBuilder();
        var (line, counts) = (result.CommandLine, result.Counts);
        Line($"Chaos, server {Name(line)}, seed {line.Seed}, {result.Length.TotalSeconds:F0} s, queues: {string.Join(" and ", result.Lanes)}");
        Line($"{result.Ending}");
        if (result.Broken is { } broken)
        {
            Line($"BROKEN PROMISE after {broken.At.TotalSeconds:F1} s: {broken.Promise}");
            Line($"  {broken.Words}");
            Line($"  Again: ./chaos --server {Name(line)} --seed {line.Seed} --minutes {line.Length.TotalMinutes:0.###}");
        }
        else
        {
            Line($"Every promise held.");
        }

        Line($"");
        Line($"pushed {counts.Pushed:N0} ({result.PerSecond:N0}/s and queue), arrived {counts.Arrived:N0}, lost {counts.Lost}, reordered {counts.Reordered}");
        Line($"repeated {counts.Repeated:N0}, dead-lettered {counts.DeadLettered:N0} with the right reasons, sent back by a dying server {counts.Bounced:N0}");
        Line($"");
        Line($"{"fault",-46} {"times",5} {"repeated",9} {"first arrival s",16} {"caught up s",16}");
        Line($"{"",-46} {"",5} {"",9} {"median    max",16} {"median    max",16}");
        foreach (var row in FaultRow.Of(result.Episodes))
        {
            var d = row.Durations;
            Line($"{row.Name,-46} {row.Times,5} {row.Repeated,9:N0} {d.MedianResumed,9:F1} {d.MaxResumed,6:F1} {d.MedianRecovered,9:F1} {d.MaxRecovered,6:F1}");
        }

        if (result.Broken is not null)
        {
            Line($"");
            Line($"History:");
            foreach (var entry in result.History)
                Line($"  {entry}");
            foreach (var output in result.Outputs)
                Line($"\n{output}");
        }

        return text.ToString();

        void Line(FormattableString words) => text.Append(words.ToString(CultureInfo.InvariantCulture)).Append('\n');
    }

    /// <summary>The server, as the command line calls it.</summary>
    public static string Name(CommandLine line) => line.Server.ToString().ToLowerInvariant();
}
