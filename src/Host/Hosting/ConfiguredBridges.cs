using System.Collections.Immutable;
using Bridge.Settings;

namespace Bridge.Host.Hosting;

/// <summary>The bridges as they are configured now: a reload exchanges them. One writer, many readers.</summary>
internal sealed class ConfiguredBridges(ImmutableArray<BridgeSettings> bridges)
{
    private ImmutableArray<BridgeSettings> current = bridges;
    private ImmutableArray<BridgeSettings> former = [];

    /// <summary>All of them, by name.</summary>
    public ImmutableArray<BridgeSettings> Current => current;

    /// <summary>These from now on.</summary>
    public void Replace(ImmutableArray<BridgeSettings> bridges) => former = ImmutableInterlocked.InterlockedExchange(ref current, bridges);

    /// <summary>The longest of those that are configured and of those that the last reload replaced, which may still be draining.</summary>
    public TimeSpan LongestOf(Func<BridgeSettings, TimeSpan> time) => current.Concat(former).Max(time);
}
