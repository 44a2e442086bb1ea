using System.Collections.Concurrent;
using Bridge.Measuring;

namespace Bridge.Sink;

/// <summary>
/// What arrived since a reset, over all connections, with the moments that the orchestrator waits for. Thread-safe.
/// </summary>
internal sealed class Arrivals
{
    private readonly Lock _gate = new();
    private readonly ConcurrentDictionary<string, Tally> _tallies = [];
    private readonly List<ArrivalMark> _marks = [];
    private readonly SortedSet<long> _awaited = [];
    private readonly List<int> _watched = [ProcessorClock.Machine, Environment.ProcessId];
    private readonly long _latencyFrom;
    private readonly Action<string> _say;
    private long _distinct;
    private long _bytes;
    private long _lastAt;
    private long _nextAwaited = 1;

    /// <param name="label">Stands in every line that tells of this run, so that none of another is taken for it.</param>
    /// <param name="latencyFrom">The number from which latencies are measured; negative: they are not.</param>
    /// <param name="say">Writes a line to the orchestrator.</param>
    public Arrivals(string label, long latencyFrom, Action<string> say)
    {
        Label = label;
        _latencyFrom = latencyFrom;
        _say = say;
    }

    public string Label { get; }

    /// <summary>The tally of a queue: one for each component domain.</summary>
    public Tally TallyOf(string domain) =>
        _tallies.GetOrAdd(domain, _ => _latencyFrom < 0 ? new Tally() : new Tally(new Histogram(), _latencyFrom));

    /// <summary>Says <c>mark LABEL COUNT TICKS</c> as soon as so many different messages have arrived, or had already.</summary>
    public void Await(long count)
    {
        lock (_gate)
        {
            _awaited.Add(count);
            // Before the count is read: whoever adds to it from now on sees what is awaited.
            Interlocked.Exchange(ref _nextAwaited, _marks.Count == 0 ? 1 : _awaited.Min);
            Mark(Interlocked.Read(ref _distinct), Interlocked.Read(ref _lastAt));
        }
    }

    /// <summary>Has the processor time of this process in every mark from now on.</summary>
    public void Watch(int process)
    {
        lock (_gate)
            _watched.Add(process);
    }

    /// <summary>Notes what one read from a socket brought.</summary>
    public void Advance(long distinct, long bytes, long now)
    {
        Interlocked.Add(ref _bytes, bytes);
        if (distinct == 0)
            return;
        Interlocked.Exchange(ref _lastAt, now);
        var total = Interlocked.Add(ref _distinct, distinct);
        if (total < Interlocked.Read(ref _nextAwaited))
            return;
        lock (_gate)
            Mark(total, now);
    }

    public SinkReport Report()
    {
        lock (_gate)
        {
            var report = new SinkReport
            {
                Bytes = Interlocked.Read(ref _bytes),
                LastAt = Interlocked.Read(ref _lastAt),
                Marks = [.. _marks],
            };
            var latency = new Histogram();
            foreach (var tally in _tallies.Values)
            {
                lock (tally)
                {
                    report = report with
                    {
                        Arrived = report.Arrived + tally.Arrived,
                        Distinct = report.Distinct + tally.Distinct,
                        Repeated = report.Repeated + tally.Repeated,
                        Reordered = report.Reordered + tally.Reordered,
                        Unnumbered = report.Unnumbered + tally.Unnumbered,
                    };
                    if (tally.Latency is not null)
                        latency.Add(tally.Latency);
                }
            }

            return _latencyFrom < 0
                ? report
                : report with
                {
                    Latency = new LatencyReport(
                        latency.Count, latency.Percentile(0.5), latency.Percentile(0.99), latency.Percentile(0.999), latency.Max),
                };
        }
    }

    // Under the gate.
    private void Mark(long total, long at)
    {
        if (total == 0 || total < _nextAwaited)
            return;
        var busy = new Dictionary<int, long>();
        foreach (var process in _watched)
        {
            if (ProcessorClock.Read(process) is { } nanoseconds)
                busy[process] = nanoseconds;
        }

        var mark = new ArrivalMark(total, at, busy);
        if (_marks.Count == 0)
        {
            _marks.Add(mark);
            _say($"first {Label} {at}");
        }

        while (_awaited.Count > 0 && _awaited.Min <= total)
        {
            _marks.Add(mark);
            _say($"mark {Label} {_awaited.Min} {at}");
            _awaited.Remove(_awaited.Min);
        }

        Interlocked.Exchange(ref _nextAwaited, _awaited.Count > 0 ? _awaited.Min : long.MaxValue);
    }
}
