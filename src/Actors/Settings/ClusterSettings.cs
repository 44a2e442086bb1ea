using System.Collections.Immutable;

namespace Bridge.Settings;

/// <summary>How nodes find one another. Without it every node works by the lease alone.</summary>
public sealed record ClusterSettings
{
    /// <summary>Where other nodes reach this one: a name or an IP address. With the port it is the node's name.</summary>
    public required string Host { get; init; }

    /// <summary>And at which port.</summary>
    public required int Port { get; init; }

    /// <summary>The address that is listened on; as a rule the same as <see cref="Host" />.</summary>
    public required string BindHost { get; init; }

    /// <summary>The port that is listened on; as a rule the same as <see cref="Port" />.</summary>
    public required int BindPort { get; init; }

    /// <summary>Nodes to ask for the way in, <c>host:port</c>; the first one may found the cluster.</summary>
    public required ImmutableArray<string> Seeds { get; init; }

    /// <summary>How long another node must be the better owner before a bridge is handed to it.</summary>
    public required TimeSpan SettleTime { get; init; }

    /// <summary>The Redis that decides which side of a partition stays a cluster.</summary>
    public required string Redis { get; init; }

    /// <summary>PEM file with the authorities to trust when that Redis speaks TLS; null: the system's.</summary>
    public string? RedisCaFile { get; init; }

    /// <summary>Whether that is the Redis of the defaults, because none was named.</summary>
    public bool IsOfDefaults { get; init; }

    /// <summary>This node's name, <c>host:port</c>.</summary>
    public string Node => NameOf(Host, Port);

    /// <summary>The name that an address gives.</summary>
    public static string NameOf(string host, int port) =>
        string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{(host.Contains(':', StringComparison.Ordinal) ? $"[{host}]" : host)}:{port}");
}
