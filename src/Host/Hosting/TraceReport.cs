using System.Collections.Immutable;
using Bridge.Settings;
using Bridge.Telemetry;

namespace Bridge.Host.Hosting;

/// <summary>What <c>/api/trace</c> answers: the messages with one stanza id that this process saw confirmed. No JID, no body.</summary>
/// <param name="Node">Who answers.</param>
/// <param name="Id">The stanza id that was asked for.</param>
/// <param name="Bridges">Its bridges.</param>
internal sealed record TraceReport(string Node, string Id, ImmutableArray<TraceReport.OfBridge> Bridges)
{
    /// <summary>No longer id is looked for.</summary>
    public const int LongestId = 1024;

    /// <summary>What one bridge remembers.</summary>
    /// <param name="Bridge">Its name.</param>
    /// <param name="Remembered">Messages that it remembers, here.</param>
    /// <param name="Oldest">When the oldest of them was confirmed.</param>
    /// <param name="Deliveries">Those with the id, the newest first.</param>
    public sealed record OfBridge(string Bridge, int Remembered, DateTimeOffset? Oldest, IReadOnlyList<Delivery> Deliveries);

    /// <summary>What is known of an id.</summary>
    public static TraceReport Of(string node, string id, IEnumerable<BridgeSettings> bridges, StatusBoard board) => new(
        node,
        id,
        [
            .. bridges.Select(bridge => board.FindRecent(bridge.Name) is { } recent
                ? new OfBridge(bridge.Name, recent.Count, recent.Oldest, recent.Find(id))
                : new OfBridge(bridge.Name, 0, null, [])),
        ]);
}
