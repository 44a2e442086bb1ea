using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Bridge.Telemetry;

namespace Bridge.Actors.Tests;

/// <summary>The counters of one bridge, as they were counted.</summary>
internal sealed class RecordedMetrics : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly ConcurrentDictionary<string, long> _counts = new();

    public RecordedMetrics(string bridge)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == BridgeMetrics.MeterName)
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
        {
            string? tag = null;
            var ours = false;
            foreach (var (key, of) in tags)
            {
                if (key == "bridge")
                    ours = Equals(of, bridge);
                else
                    tag ??= of?.ToString();
            }

            if (!ours)
                return;
            _counts.AddOrUpdate(instrument.Name, value, (_, sum) => sum + value);
            if (tag is not null)
                _counts.AddOrUpdate(instrument.Name + ":" + tag, value, (_, sum) => sum + value);
        });
        _listener.Start();
    }

    /// <summary>A counter's sum, over all tags or, as <c>name:value</c>, for one value of its first tag.</summary>
    public long this[string counter] => _counts.GetValueOrDefault("bridge." + counter);

    public void Dispose() => _listener.Dispose();
}
