using System.Collections.Immutable;
using Bridge.Settings;

namespace Bridge.Host.Configuration;

/// <summary>How log lines look.</summary>
public enum LogFormat
{
    /// <summary>One line per event, for people.</summary>
    Text,

    /// <summary>One JSON object per line, for collectors.</summary>
    Json,
}

/// <summary>Where HTTP is served.</summary>
/// <param name="Host">An IP address, <c>localhost</c>, or <c>*</c> for every address.</param>
/// <param name="Port">0 takes a free port.</param>
public sealed record HttpAddress(string Host, int Port)
{
    /// <inheritdoc />
    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}

/// <summary>The status page and what it asks for.</summary>
/// <param name="Token">What who calls must show; null where there is none.</param>
/// <param name="Payloads">Whether the payload of a dead letter may be shown.</param>
/// <param name="Changes">Whether dead letters may be put back and thrown away.</param>
public sealed record PageSettings(PageToken? Token, bool Payloads, bool Changes);

/// <summary>A token, kept out of logs and messages.</summary>
/// <param name="value">The token itself.</param>
public sealed class PageToken(string value)
{
    /// <summary>The token itself; to be sent, or compared.</summary>
    public string Reveal() => value;

    /// <summary>Three stars, so that no log line or exception text can hold the token.</summary>
    public override string ToString() => "***";
}

/// <summary>How OTLP is carried.</summary>
public enum OtlpCarrier
{
    /// <summary>gRPC.</summary>
    Grpc,

    /// <summary>Protobuf by HTTP POST.</summary>
    Http,
}

/// <summary>Where metrics and traces are sent.</summary>
/// <param name="Endpoint">The collector: <c>http</c> or <c>https</c>.</param>
/// <param name="Carrier">How.</param>
/// <param name="Every">How often metrics are sent.</param>
/// <param name="Timeout">How long one call may take.</param>
public sealed record OtlpSettings(Uri Endpoint, OtlpCarrier Carrier, TimeSpan Every, TimeSpan Timeout);

/// <summary>Everything the process needs to know, validated.</summary>
public sealed record HostConfiguration
{
    /// <summary>At least one bridge; names, queues and domains are unique.</summary>
    public required ImmutableArray<BridgeSettings> Bridges { get; init; }

    /// <summary>Where health and metrics are served; null: nowhere.</summary>
    public required HttpAddress? Http { get; init; }

    /// <summary>Who may see the status page, and what it may do.</summary>
    public required PageSettings Page { get; init; }

    /// <summary>Where metrics and traces are sent; null: nowhere.</summary>
    public required OtlpSettings? Otlp { get; init; }

    /// <summary>The least level that is logged.</summary>
    public required LogLevel LogLevel { get; init; }

    /// <summary>How log lines look.</summary>
    public required LogFormat LogFormat { get; init; }

    /// <summary>How this node finds the others; null: it works by the lease alone.</summary>
    public required ClusterSettings? Cluster { get; init; }

    /// <summary>Differs where anything does that stands outside of the bridges.</summary>
    public required string ProcessFingerprint { get; init; }

    /// <summary>The <c>akka</c> section for the cluster's actor system.</summary>
    public required Akka.Configuration.Config ClusterAkka { get; init; }

    /// <summary>The <c>akka</c> section for the actor system.</summary>
    public required Akka.Configuration.Config Akka { get; init; }
}

/// <summary>A configuration file's text.</summary>
/// <param name="Name">Its path as the operator gave it.</param>
/// <param name="Text">HOCON.</param>
public sealed record ConfigurationText(string Name, string Text);

/// <summary>The configuration, or all that is wrong with it.</summary>
/// <param name="Configuration">Null when there are mistakes.</param>
/// <param name="Mistakes">Empty when there is a configuration.</param>
public sealed record ConfigurationResult(HostConfiguration? Configuration, ImmutableArray<ConfigurationMistake> Mistakes);
