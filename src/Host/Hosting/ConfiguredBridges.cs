using System.Collections.Immutable;
using Bridge.Settings;

namespace Bridge.Host.Hosting;

/// <summary>The bridges as they are configured now: a reload exchanges them. One writer, many readers.</summary>
internal sealed class ConfiguredBridges(ImmutableArray<BridgeSettings> bridges)
{
    private ImmutableArray<BridgeSettings> current = bridges;

    /// <summary>All of them, by name.</summary>
    public ImmutableArray<BridgeSettings> Current => current;

    /// <summary>These from now on.</summary>
    public void Replace(ImmutableArray<BridgeSettings> bridges) => ImmutableInterlocked.InterlockedExchange(ref current, bridges);
}
