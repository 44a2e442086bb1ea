using System.Globalization;
using System.Net;
using System.Text;
using Bridge.Chaos.Judgement;
using Bridge.Chaos.Running;

namespace Bridge.Chaos.Reports;

/// <summary>The report as one page that needs nothing but itself, and is well-formed XML too.</summary>
internal static class HtmlReport
{
    private const int Width = 1_100;
    private const int Height = 260;
    private const int SpanTop = 280;
    private const int SpanHeight = 60;

    private const string Style = """
        :root { color-scheme: light dark; --ink: #1d2430; --paper: #fbfbf9; --faint: #8a909a; --line: #d8dade; --rate: #1f6f54;
          --pushed: #9aa3ad; --queued: #b5651d; --fault: #c2410c; --recovery: #d9a441; --good: #1f6f54; --bad: #b42318; }
        @media (prefers-color-scheme: dark) { :root { --ink: #e6e8ea; --paper: #14181d; --faint: #8d96a0; --line: #333a42; --rate: #5cc9a0;
          --pushed: #5b6570; --queued: #e0a05a; --fault: #f0764a; --recovery: #e5c07b; --good: #5cc9a0; --bad: #ff7a6b; } }
        body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 1140px; margin: 2rem auto; padding: 0 1rem; }
        h1 { font-size: 1.5rem; margin-bottom: 0; } .verdict { font-size: 1.1rem; font-weight: 600; } .good { color: var(--good); } .bad { color: var(--bad); }
        .chart { overflow-x: auto; } svg { display: block; width: 100%; min-width: 700px; } svg text { fill: var(--faint); font-size: 11px; }
        .rate { fill: none; stroke: var(--rate); stroke-width: 1.5; } .pushed { fill: none; stroke: var(--pushed); stroke-width: 1; }
        .queued { fill: none; stroke: var(--queued); stroke-width: 1; stroke-dasharray: 3 3; } .grid { stroke: var(--line); }
        .fault { fill: var(--fault); } .recovery { fill: var(--recovery); } .break { stroke: var(--bad); stroke-width: 2; }
        table { border-collapse: collapse; width: 100%; } th, td { text-align: right; padding: .2rem .6rem; border-bottom: 1px solid var(--line); }
        th:first-child, td:first-child, td.words { text-align: left; } .numbers { font-variant-numeric: tabular-nums; } .key { color: var(--faint); }
        pre { white-space: pre-wrap; font-size: 12px; }
        """;

    public static string Of(RunResult result)
    {
        var page = new StringBuilder();
        var line = result.CommandLine;
        Add($"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>");
        Add($"<title>Chaos, {TextReport.Name(line)}, seed {line.Seed}</title><style>{Style}</style></head><body>");
        Add($"<h1>Chaos: {TextReport.Name(line)}, seed {line.Seed}</h1>");
        Add($"<p>{result.Length:hh\\:mm\\:ss}, {result.PerSecond:N0} messages a second to each queue ({Escape(string.Join(", ", result.Lanes))}). {Escape(result.Ending)}</p>");
        if (result.Broken is { } broken)
            Add($"<p class=\"verdict bad\">Broken after {broken.At.TotalSeconds:F1} s: {Escape(broken.Promise)}</p><pre>{Escape(broken.Words)}</pre>");
        else
            Add($"<p class=\"verdict good\">Every promise held.</p>");
        Counts(result.Counts);
        Chart(result);
        Table(result.Episodes);
        Rounds(result.Episodes);
        if (result.Broken is not null)
        {
            Add($"<h2>History</h2><pre>{Escape(string.Join('\n', result.History))}</pre>");
            foreach (var output in result.Outputs)
                Add($"<pre>{Escape(output)}</pre>");
        }

        Add($"</body></html>\n");
        return page.ToString();

        void Add(FormattableString part) => page.Append(part.ToString(CultureInfo.InvariantCulture)).Append('\n');

        void Counts(Tally c)
        {
            Add($"<table class=\"numbers\"><tr><th>pushed</th><th>arrived</th><th>lost</th><th>reordered</th><th>repeated</th><th>dead-lettered</th><th>sent back</th></tr>");
            Add($"<tr><td>{c.Pushed:N0}</td><td>{c.Arrived:N0}</td><td>{c.Lost:N0}</td><td>{c.Reordered:N0}</td><td>{c.Repeated:N0}</td><td>{c.DeadLettered:N0}</td><td>{c.Bounced:N0}</td></tr></table>");
        }

        void Chart(RunResult run)
        {
            var seconds = Math.Max(1, run.Length.TotalSeconds);
            var top = Math.Max(1, run.Samples.Select(sample => Math.Max(sample.Arrived, sample.Pushed)).DefaultIfEmpty(1).Max());
            var most = Math.Max(1, run.Samples.Select(sample => sample.Queued).DefaultIfEmpty(1).Max());
            Add($"<h2>Timeline</h2><p class=\"key\">solid: arrivals a second (top {top:N0}); grey: pushes; dashed: queue (top {most:N0}); below: faults, and the time until all had caught up</p>");
            Add($"<div class=\"chart\"><svg viewBox=\"0 0 {Width} {SpanTop + SpanHeight + 20}\" role=\"img\" aria-label=\"rate, faults and recoveries over time\">");
            for (var i = 0; i <= 10; i++)
            {
                var x = Width * i / 10.0;
                Add($"<line class=\"grid\" x1=\"{x:F1}\" x2=\"{x:F1}\" y1=\"0\" y2=\"{SpanTop + SpanHeight}\"/><text x=\"{Math.Min(x + 2, Width - 40):F1}\" y=\"{SpanTop + SpanHeight + 14}\">{seconds * i / 10:F0} s</text>");
            }

            Curve("queued", sample => sample.Queued / (double)most);
            Curve("pushed", sample => sample.Pushed / top);
            Curve("rate", sample => sample.Arrived / top);
            foreach (var episode in run.Episodes)
            {
                var healed = episode.HealedAt ?? run.Length;
                var recovered = episode.RecoveredAt ?? healed;
                var row = SpanTop + (episode.Number % 3 * (SpanHeight / 3));
                Bar("fault", episode.StruckAt, healed, row, episode.Description);
                Bar("recovery", healed, recovered, row, "catching up");
            }

            if (run.Broken is { } end)
                Add($"<line class=\"break\" x1=\"{X(end.At):F1}\" x2=\"{X(end.At):F1}\" y1=\"0\" y2=\"{SpanTop + SpanHeight}\"/>");
            Add($"</svg></div>");

            double X(TimeSpan at) => Math.Clamp(at.TotalSeconds / seconds, 0, 1) * Width;

            void Curve(string kind, Func<Sample, double> share)
            {
                var points = string.Join(' ', run.Samples.Select(sample => FormattableString.Invariant(
                    $"{X(sample.At):F1},{Height * (1 - Math.Clamp(share(sample), 0, 1)):F1}")));
                Add($"<polyline class=\"{kind}\" points=\"{points}\"/>");
            }

            void Bar(string kind, TimeSpan from, TimeSpan to, int y, string words)
            {
                if (to > from)
                    Add($"<rect class=\"{kind}\" x=\"{X(from):F1}\" y=\"{y}\" width=\"{Math.Max(1, X(to) - X(from)):F1}\" height=\"{(SpanHeight / 3) - 4}\"><title>{Escape(words)}</title></rect>");
            }
        }

        void Table(IReadOnlyList<Episode> episodes)
        {
            Add($"<h2>Faults</h2><table class=\"numbers\"><tr><th>fault</th><th>times</th><th>repeated</th><th>first arrival, median s</th><th>max s</th><th>caught up, median s</th><th>max s</th></tr>");
            foreach (var row in FaultRow.Of(episodes))
            {
                var d = row.Durations;
                Add($"<tr><td>{Escape(row.Name)}</td><td>{row.Times}</td><td>{row.Repeated:N0}</td><td>{d.MedianResumed:F1}</td><td>{d.MaxResumed:F1}</td><td>{d.MedianRecovered:F1}</td><td>{d.MaxRecovered:F1}</td></tr>");
            }

            Add($"</table>");
        }

        void Rounds(IReadOnlyList<Episode> episodes)
        {
            Add($"<h2>One by one</h2><table class=\"numbers\"><tr><th>at s</th><th>what</th><th>lasted s</th><th>caught up s</th><th>repeated</th></tr>");
            foreach (var episode in episodes)
            {
                var lasted = ((episode.HealedAt ?? result.Length) - episode.StruckAt).TotalSeconds;
                var caughtUp = episode is { RecoveredAt: { } recovered, HealedAt: { } healed }
                    ? (recovered - healed).TotalSeconds.ToString("F1", CultureInfo.InvariantCulture)
                    : "—";
                Add($"<tr><td>{episode.StruckAt.TotalSeconds:F1}</td><td class=\"words\">{Escape(episode.Description)}</td><td>{lasted:F1}</td><td>{caughtUp}</td><td>{episode.Repeated:N0}</td></tr>");
            }

            Add($"</table>");
        }
    }

    // What a process wrote may hold characters that no XML may.
    private static string Escape(string text) =>
        WebUtility.HtmlEncode(new string([.. text.Select(c => char.IsControl(c) && c is not ('\n' or '\t') ? '\uFFFD' : c)]));
}
