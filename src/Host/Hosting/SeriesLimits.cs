using System.Diagnostics.Metrics;
using Bridge.Stanzas;
using Bridge.Telemetry;
using OpenTelemetry.Metrics;

namespace Bridge.Host.Hosting;

/// <summary>
/// How many series an instrument may have. Room for them is made beforehand, some 75 bytes each, and OpenTelemetry's own limit of 2,000
/// for each instrument would be ten mebibytes for nothing with one bridge, and too few with a hundred. What came beyond would be
/// added up in a series of its own, marked <c>otel_metric_overflow</c>.
/// </summary>
internal static class SeriesLimits
{
    private const int OfTheRuntime = 100;

    // Of one bridge, as their tags are closed sets, each with "other": types and conditions of errors; reasons; and causes, faults, states,
    // actors and kinds, the longest of which are a dozen and a half.
    private const int OfOthers = 20;

    private static readonly int OfReasons = Enum.GetValues<RejectionReason>().Length + 1;

    private static readonly int OfBounces = (Enum.GetValues<StanzaErrorType>().Length + 1) * (Enum.GetValues<StanzaErrorCondition>().Length + 1);

    /// <summary>A view that limits each instrument to what so many bridges need, and twice as many and some more that a reload may add.</summary>
    public static Func<Instrument, MetricStreamConfiguration?> For(int bridges) => instrument => new MetricStreamConfiguration
    {
        CardinalityLimit = instrument.Meter.Name == BridgeMetrics.MeterName ? Of(instrument.Name) * ((2 * bridges) + 4) : OfTheRuntime,
    };

    private static int Of(string instrument) => instrument switch
    {
        "bridge.bounces" => OfBounces,
        "bridge.entries.rejected" or "bridge.entries.dead_lettered" => OfReasons,
        _ => OfOthers,
    };
}
