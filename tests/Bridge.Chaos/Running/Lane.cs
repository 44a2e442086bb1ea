using System.Globalization;
using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Chaos.Running;

/// <summary>One queue, its bridge, and what was pushed to it.</summary>
/// <param name="Name">The bridge's name; its first letter begins the ids of the lane's messages.</param>
/// <param name="Kind">List or stream.</param>
/// <param name="Domain">The component.</param>
/// <param name="Recipients">Who its messages are for.</param>
internal sealed record Lane(string Name, QueueKind Kind, string Domain, IReadOnlyList<string> Recipients)
{
    public string Queue => $"chaos:{Name}";

    public string Dead => $"{{{Queue}}}:dead";

    public string Outcomes => $"{{{Queue}}}:outcomes";

    public string Confirmed => $"{{{Queue}}}:confirmed";

    public string Inflight => $"{{{Queue}}}:inflight";

    public Ledger Ledger { get; } = new(Name[..1]);

    /// <summary>
    /// The place of the entry at a position, -1 for none: a list's sequences count from 1, and the load gives the
    /// entries of a stream their place as the second part of the id.
    /// </summary>
    public long PlaceAt(string? position)
    {
        var dash = position?.IndexOf('-', StringComparison.Ordinal) ?? -1;
        if (dash < 0 || !long.TryParse(position.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            return -1;
        return Kind == QueueKind.List ? number - 1 : position == "0-0" ? -1 : number;
    }
}
