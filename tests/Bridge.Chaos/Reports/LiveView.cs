using System.Globalization;
using Bridge.Chaos.Judgement;
using Bridge.Chaos.Running;

namespace Bridge.Chaos.Reports;

/// <summary>The progress as it happens: events line by line, and below them, on a terminal, a block that is redrawn.</summary>
/// <remarks>Thread-safe.</remarks>
/// <param name="output">Where to.</param>
/// <param name="terminal">Whether lines can be drawn over; else the state is told every ten seconds.</param>
internal sealed class LiveView(TextWriter output, bool terminal)
{
    private const int EveryOutsideTerminal = 10;

    private readonly Lock _gate = new();
    private int _drawn;
    private int _shown;

    /// <summary>One line above the state.</summary>
    public void Line(string text)
    {
        lock (_gate)
        {
            Erase();
            output.WriteLine(text);
        }
    }

    public void Began(Stage stage, int perSecond) => Line(string.Create(
        CultureInfo.InvariantCulture,
        $"Everything runs: Redis on {stage.Redis.Port}, two Bridges; {perSecond:N0} messages a second to {string.Join(" and to ", stage.Lanes.Select(lane => lane.Queue))}."));

    public void Struck(Episode episode) => Line(string.Create(
        CultureInfo.InvariantCulture, $"{episode.StruckAt:hh\\:mm\\:ss} #{episode.Number} {episode.Description}"));

    public void Recovered(Episode episode)
    {
        if (episode is { HealedAt: { } healed, ResumedAt: { } resumed, RecoveredAt: { } recovered })
        {
            Line(string.Create(
                CultureInfo.InvariantCulture,
                $"         #{episode.Number} healed; first arrival after {(resumed - healed).TotalSeconds:F1} s, caught up after {(recovered - healed).TotalSeconds:F1} s, {episode.Repeated:N0} repeated"));
        }
    }

    /// <summary>The state, once a second.</summary>
    public void Show(Judge judge, Timeline timeline, LaneDepth depth)
    {
        var (counts, episodes) = (judge.Counts, judge.Episodes);
        var rate = timeline.Samples is [.., var last] ? last.Arrived : 0;
        var all = Durations.Of(episodes);
        string[] lines =
        [
            string.Create(CultureInfo.InvariantCulture, $"{judge.Now:hh\\:mm\\:ss}  {rate,6:N0}/s  queue {depth.Queued:N0}, journal {depth.Journal:N0}  arrived {counts.Arrived:N0} of {counts.Pushed:N0}"),
            string.Create(CultureInfo.InvariantCulture, $"  lost {counts.Lost}, reordered {counts.Reordered}, repeated {counts.Repeated:N0}, dead-lettered {counts.DeadLettered:N0}, sent back {counts.Bounced:N0}"),
            string.Create(CultureInfo.InvariantCulture, $"  {episodes.Count} rounds; first arrival median {all.MedianResumed:F1} s, max {all.MaxResumed:F1} s; caught up median {all.MedianRecovered:F1} s, max {all.MaxRecovered:F1} s"),
            "  " + string.Join(", ", episodes.SelectMany(episode => episode.Names).CountBy(name => name).OrderByDescending(kind => kind.Value).Select(kind => $"{kind.Key} {kind.Value}")),
        ];
        lock (_gate)
        {
            if (terminal)
            {
                Erase();
                foreach (var line in lines)
                    output.WriteLine(line.Length > 160 ? line[..159] + "…" : line);
                _drawn = lines.Length;
            }
            else if (++_shown % EveryOutsideTerminal == 0)
            {
                output.WriteLine(string.Join(';', lines[..2]));
            }
        }
    }

    // ECMA-48: cursor up, and erase to the end of the page.
    private void Erase()
    {
        if (_drawn > 0)
            output.Write(string.Create(CultureInfo.InvariantCulture, $"\e[{_drawn}A\e[J"));
        _drawn = 0;
    }
}
