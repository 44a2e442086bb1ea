using System.Diagnostics;
using System.Globalization;
using Bridge.TestKit;

namespace Bridge.Faults.Tests.Measured;

/// <summary>Looks every 10 ms how much has arrived, repeats included: the rate is what the recipients get.</summary>
internal sealed class ArrivalMeter : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan Span = TimeSpan.FromMilliseconds(250);

    private readonly Ledger _ledger;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<(long At, long Arrivals)> _samples = [];
    private readonly Lock _gate = new();
    private readonly Task _looking;

    public ArrivalMeter(Ledger ledger)
    {
        _ledger = ledger;
        _looking = LookAsync();
    }

    /// <summary>Messages a second in the second before.</summary>
    public double RateBefore(long at)
    {
        lock (_gate)
        {
            var last = _samples.FindLast(sample => sample.At <= at);
            var first = _samples.Find(sample => Stopwatch.GetElapsedTime(sample.At, at) <= 4 * Span);
            return (last.Arrivals - first.Arrivals) / Stopwatch.GetElapsedTime(first.At, last.At).TotalSeconds;
        }
    }

    /// <summary>When something arrived for the first time behind a moment; null when nothing did.</summary>
    public long? FirstBehind(long at)
    {
        lock (_gate)
        {
            var before = _samples.FindLast(sample => sample.At <= at).Arrivals;
            return _samples.Find(sample => sample.At > at && sample.Arrivals > before) is { At: > 0 } found ? found.At : null;
        }
    }

    /// <summary>The end of the first quarter of a second, wholly behind a moment, with such a rate; null when there was none.</summary>
    public long? ReachedBehind(long at, double rate)
    {
        lock (_gate)
        {
            var first = 0;
            for (var last = 0; last < _samples.Count; last++)
            {
                while (first < last && Stopwatch.GetElapsedTime(_samples[first + 1].At, _samples[last].At) >= Span)
                    first++;
                var span = Stopwatch.GetElapsedTime(_samples[first].At, _samples[last].At);
                if (_samples[first].At >= at && span >= Span && (_samples[last].Arrivals - _samples[first].Arrivals) / span.TotalSeconds >= rate)
                    return _samples[last].At;
            }

            return null;
        }
    }

    /// <summary>The rates of the quarters of a second behind a moment, for people.</summary>
    public string RatesBehind(long at)
    {
        lock (_gate)
        {
            List<string> rates = [];
            var first = _samples.FindLast(sample => sample.At <= at);
            foreach (var sample in _samples)
            {
                var span = Stopwatch.GetElapsedTime(first.At, sample.At);
                if (span < Span)
                    continue;
                rates.Add(string.Create(CultureInfo.InvariantCulture, $"{(sample.Arrivals - first.Arrivals) / span.TotalSeconds:F0}"));
                first = sample;
            }

            return string.Join(' ', rates.Take(60));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _looking;
        _stop.Dispose();
    }

    private async Task LookAsync()
    {
        using var ticks = new PeriodicTimer(Interval);
        while (!_stop.IsCancellationRequested)
        {
            lock (_gate)
                _samples.Add((Stopwatch.GetTimestamp(), _ledger.Arrivals));
            Task tick = ticks.WaitForNextTickAsync(_stop.Token).AsTask();
            await tick.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
