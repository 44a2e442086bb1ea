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

    /// <summary>Variables that stand outside of the bridges: name, and the path of the setting within <c>bridge</c>.</summary>
    public static readonly (string Variable, string Path)[] OfProcess =
    [
        (Http, "http"),
        (HttpTokenFile, "page.token-file"),
        (OtlpEndpoint, "otlp.endpoint"),
        ("BRIDGE_CLUSTER_SEEDS", "cluster.seeds"),
        ("BRIDGE_CLUSTER_HOST", "cluster.host"),
        ("BRIDGE_CLUSTER_PORT", "cluster.port"),
        ("BRIDGE_CLUSTER_BIND", "cluster.bind"),
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

    /// <summary>Variables that are laid over each bridge, where there are so many.</summary>
    public static IEnumerable<(string Variable, string Path)> OfBridges(int count) => count == 1 ? [.. ForEveryBridge, .. ForASingleBridge] : ForEveryBridge;

    /// <summary>All of them.</summary>
    public static readonly string[] All =
    [
        .. ForEveryBridge.Select(row => row.Variable),
        .. ForASingleBridge.Select(row => row.Variable),
        .. OfProcess.Select(row => row.Variable),
        Secret,
        HttpToken,
    ];
}
