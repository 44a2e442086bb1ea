using Bridge.Chaos.Judgement;
using Bridge.Chaos.Running;

namespace Bridge.Chaos.Reports;

/// <summary>One step of the timeline.</summary>
/// <param name="At">Since the start.</param>
/// <param name="Arrived">First arrivals a second.</param>
/// <param name="Pushed">Pushes a second.</param>
/// <param name="Queued">What waited then.</param>
internal sealed record Sample(TimeSpan At, double Arrived, double Pushed, long Queued);

/// <summary>How the run went, a sample a second; a long run keeps fewer of its past.</summary>
/// <remarks>Thread-safe.</remarks>
internal sealed class Timeline
{
    private const int Most = 4_000;

    private readonly Lock _gate = new();
    private List<Sample> _samples = [];
    private (TimeSpan At, long Arrived, long Pushed) _last;

    public IReadOnlyList<Sample> Samples
    {
        get
        {
            lock (_gate)
                return [.. _samples];
        }
    }

    public void Add(TimeSpan at, Tally counts, LaneDepth depth)
    {
        lock (_gate)
        {
            var seconds = (at - _last.At).TotalSeconds;
            if (seconds <= 0)
                return;
            _samples.Add(new Sample(
                at, (counts.Arrived - _last.Arrived) / seconds, (counts.Pushed - _last.Pushed) / seconds, depth.Queued));
            _last = (at, counts.Arrived, counts.Pushed);
            // Half as dense from here on, so that hours stay a few thousand points.
            if (_samples.Count > Most)
                _samples = [.. _samples.Where((_, i) => i % 2 == 0)];
        }
    }
}
