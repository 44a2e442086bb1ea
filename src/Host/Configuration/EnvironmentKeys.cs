namespace Bridge.Host.Configuration;

/// <summary>The environment variables that Bridge reads, and the settings they override.</summary>
internal static class EnvironmentKeys
{
    /// <summary>The component's secret itself.</summary>
    public const string Secret = "BRIDGE_SECRET";

    /// <summary>A file with the secret.</summary>
    public const string SecretFile = "BRIDGE_SECRET_FILE";

    /// <summary>Where HTTP is served.</summary>
    public const string Http = "BRIDGE_HTTP";

    /// <summary>The token of the status page itself.</summary>
    public const string HttpToken = "BRIDGE_HTTP_TOKEN";

    /// <summary>A file with that token.</summary>
    public const string HttpTokenFile = "BRIDGE_HTTP_TOKEN_FILE";

    /// <summary>Where metrics and traces are sent.</summary>
    public const string OtlpEndpoint = "BRIDGE_OTLP_ENDPOINT";

    /// <summary>Variables of the cluster: name, and the path of the setting within it.</summary>
    public static readonly (string Variable, string Path)[] OfCluster =
    [
        ("BRIDGE_CLUSTER_SEEDS", "seeds"),
        ("BRIDGE_CLUSTER_HOST", "host"),
        ("BRIDGE_CLUSTER_PORT", "port"),
        ("BRIDGE_CLUSTER_BIND", "bind"),
    ];

    /// <summary>Variables that hold for every bridge: name, and the path of the setting within a bridge.</summary>
    public static readonly (string Variable, string Path)[] ForEveryBridge =
    [
        ("BRIDGE_REDIS", "redis"),
        ("BRIDGE_QUEUE_KIND", "queue.kind"),
        ("BRIDGE_XMPP", "xmpp.endpoints"),
        ("BRIDGE_CONFIRM", "confirm.grade"),
        ("BRIDGE_HOLD", "confirm.hold"),
        (SecretFile, "xmpp.secret-file"),
    ];

    /// <summary>Variables that name what each bridge must have for itself: refused when there are several.</summary>
    public static readonly (string Variable, string Path)[] ForASingleBridge =
    [
        ("BRIDGE_QUEUE", "queue.name"),
        ("BRIDGE_DOMAIN", "xmpp.domain"),
    ];

    /// <summary>All of them.</summary>
    public static readonly string[] All =
    [
        .. ForEveryBridge.Select(row => row.Variable),
        .. ForASingleBridge.Select(row => row.Variable),
        .. OfCluster.Select(row => row.Variable),
        Secret,
        Http,
        HttpToken,
        HttpTokenFile,
        OtlpEndpoint,
    ];
}
