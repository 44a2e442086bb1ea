using System.Collections.Immutable;
using System.Net;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Akka.Configuration;
using Bridge.Settings;
using StackExchange.Redis;

namespace Bridge.Host.Configuration;

/// <summary>
/// Turns texts and environment variables into a validated configuration, or into every mistake
/// together. Pure but for the files of secrets and certificates, which it reads through the given function.
/// </summary>
public static class ConfigurationReader
{
    private const string DefaultBridgeName = "main";

    private static readonly Lazy<ConfigurationText> Embedded = new(() => ReadEmbedded("reference.conf"));
    private static readonly Lazy<ConfigurationText> ClusterReference = new(() => ReadEmbedded("cluster.conf"));

    /// <summary>The program's <c>hocon/reference.conf</c>, which owns every default.</summary>
    public static ConfigurationText Reference => Embedded.Value;

    /// <summary>Reads the configuration.</summary>
    /// <param name="files">The operator's files, later ones win.</param>
    /// <param name="environment">Environment variables; they win over files. Empty ones count as not set.</param>
    /// <param name="readFile">Gives the whole text of a secret or certificate file, or throws as <see cref="File.ReadAllText(string)" /> does.</param>
    public static ConfigurationResult Read(
        IReadOnlyList<ConfigurationText> files,
        IReadOnlyDictionary<string, string> environment,
        Func<string, string> readFile)
    {
        var mistakes = new List<ConfigurationMistake>();
        var reference = HoconText.Parse(Reference, mistakes)
            ?? throw new InvalidOperationException($"{Reference.Name}: {mistakes[0].Found}");
        var schema = (ConfigurationSection)reference.Root.Find("bridge")!;
        var defaults = (ConfigurationSection)schema.Find("defaults")!;
        var root = reference.Root;
        var akka = reference.Config;
        var clusterAkka = HoconText.Parse(ClusterReference.Value, mistakes)?.Config
            ?? throw new InvalidOperationException($"{ClusterReference.Value.Name}: {mistakes[0].Found}");
        var unreadable = false;
        foreach (var file in files)
        {
            if (HoconText.Parse(file, mistakes) is not { } parsed)
            {
                unreadable = true;
                continue;
            }

            FindUnknownKeys(parsed.Root, schema, defaults, mistakes);
            root = root.With(parsed.Root);
            akka = parsed.Config.WithFallback(akka);
            clusterAkka = parsed.Config.WithFallback(clusterAkka);
        }

        CheckVariables(environment, mistakes);
        var own = ReadProcess(root, environment);
        var process = new SettingReader(own, mistakes);
        var http = ReadHttp(process);
        var page = ReadPage(own, environment, readFile, mistakes);
        var logLevel = process.Choice(
            "log.level",
            ("info", LogLevel.Information), ("debug", LogLevel.Debug), ("warning", LogLevel.Warning), ("error", LogLevel.Error));
        var logFormat = process.Choice("log.format", ("text", LogFormat.Text), ("json", LogFormat.Json));
        var otlp = ReadOtlp(process);
        var cluster = ReadCluster(own, environment, mistakes);
        var bridges = ReadBridges(root, environment, readFile, mistakes);
        if (cluster is not null && mistakes.Count == 0 && cluster.IsOfDefaults && bridges.All(bridge => bridge.Queue.Redis != cluster.Redis))
            mistakes.Add(new("bridge.cluster.redis", "nothing, and no bridge uses the Redis of bridge.defaults", "the Redis whose lease decides which side of a partition stays the cluster"));
        if (mistakes.Count > 0)
            return new ConfigurationResult(null, [.. Tidy(mistakes, unreadable)]);
        return new ConfigurationResult(
            new HostConfiguration
            {
                Bridges = bridges,
                Http = http,
                Page = page,
                Otlp = otlp,
                LogLevel = logLevel,
                LogFormat = logFormat,
                Cluster = cluster,
                ProcessFingerprint = string.Join('\n', http, page, Digest(page.Token), otlp, logLevel, logFormat, cluster is null ? "" : cluster with { Seeds = [] }, string.Join(',', cluster?.Seeds ?? []), akka.GetConfig("akka")?.Root),
                Akka = AkkaOf(akka),
                ClusterAkka = AkkaOf(clusterAkka),
            },
            []);
    }

    private static Config AkkaOf(Config config) => ConfigurationFactory.Empty.WithFallback(config.GetConfig("akka") is { } section
        ? section.Root.AtKey("akka")
        : ConfigurationFactory.Empty);

    /// <summary>
    /// Each mistake once, though every bridge meets one in the defaults. A mistake in the reference
    /// is a setting that nobody made: it has no file, and says nothing when a file could not be read.
    /// </summary>
    private static IEnumerable<ConfigurationMistake> Tidy(IEnumerable<ConfigurationMistake> mistakes, bool unreadable) =>
        mistakes
            .Where(mistake => !unreadable || mistake.File != Reference.Name)
            .Select(mistake => mistake.File == Reference.Name ? mistake with { File = null } : mistake)
            .Distinct();

    private static ConfigurationSection ReadProcess(ConfigurationSection root, IReadOnlyDictionary<string, string> environment) =>
        WithVariables((ConfigurationSection)root.Find("bridge")!, environment, EnvironmentKeys.OfProcess);

    private static OtlpSettings? ReadOtlp(SettingReader process)
    {
        var text = process.Text("otlp.endpoint");
        var carrier = process.Choice("otlp.protocol", ("grpc", OtlpCarrier.Grpc), ("http", OtlpCarrier.Http));
        var every = process.Duration("otlp.every", TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10));
        var timeout = process.Duration("otlp.timeout", TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1));
        if (text.Length == 0)
            return null;
        if (Uri.TryCreate(text, UriKind.Absolute, out var endpoint) && endpoint is { Scheme: "http" or "https", UserInfo: "", Query: "", Fragment: "", Host.Length: > 0 })
            return new OtlpSettings(endpoint, carrier, every, timeout);
        // It may hold a password, where none belongs.
        process.Mistake(
            "otlp.endpoint",
            text.Contains('@', StringComparison.Ordinal) ? "a text that is no such address" : SettingReader.Quote(text),
            "http://host:port or https://host:port of a collector, without user, password or query, or nothing");
        return null;
    }

    private static HttpAddress? ReadHttp(SettingReader process)
    {
        var text = process.Text("http");
        if (text.Equals("off", StringComparison.OrdinalIgnoreCase))
            return null;
        var any = text.StartsWith("*:", StringComparison.Ordinal);
        if (HostAndPort.TryParse(any ? "localhost" + text[1..] : text, out var host, out var port)
            && (host == "localhost" || HostAndPort.IsIPAddress(host)))
            return new HttpAddress(any ? "*" : host, port);
        process.Mistake("http", SettingReader.Quote(text), "address:port with an IP address, localhost or * for the address, such as 127.0.0.1:9180, or off");
        return null;
    }

    /// <summary>
    /// The token alone, for who asks another process and need not have bridges. Of what else is wrong with the files nothing is said.
    /// </summary>
    /// <param name="files">As in <see cref="Read" />.</param>
    /// <param name="environment">As in <see cref="Read" />.</param>
    /// <param name="readFile">As in <see cref="Read" />.</param>
    public static (PageToken? Token, ImmutableArray<ConfigurationMistake> Mistakes) ReadToken(
        IReadOnlyList<ConfigurationText> files,
        IReadOnlyDictionary<string, string> environment,
        Func<string, string> readFile)
    {
        var mistakes = new List<ConfigurationMistake>();
        var root = HoconText.Parse(Reference, mistakes)!.Root;
        foreach (var file in files)
            if (HoconText.Parse(file, mistakes) is { } parsed)
                root = root.With(parsed.Root);
        return (ReadPage(ReadProcess(root, environment), environment, readFile, mistakes).Token, [.. mistakes]);
    }

    private static PageSettings ReadPage(
        ConfigurationSection process,
        IReadOnlyDictionary<string, string> environment,
        Func<string, string> readFile,
        List<ConfigurationMistake> mistakes)
    {
        const string
            path = "token-file",
            form = "16 to 256 letters, digits and -._~+/=, such as the output of `openssl rand -hex 32`",
            allowed = "a file with the token, " + form;
        if (process.Find("page") is not ConfigurationSection section)
            return new PageSettings(null, false, false); // Reported with the unknown keys.
        var read = new SettingReader(section, mistakes);
        var file = read.Text(path);
        string? token = null;
        if (IsSet(environment, EnvironmentKeys.HttpToken, out var given))
        {
            token = given;
            if (IsSet(environment, EnvironmentKeys.HttpTokenFile, out _))
                mistakes.Add(new(EnvironmentKeys.HttpTokenFile, $"a value besides {EnvironmentKeys.HttpToken}", "one of the two"));
            if (!IsToken(token))
                mistakes.Add(new(EnvironmentKeys.HttpToken, "something that cannot be a token", form));
        }
        else if (file.Length > 0 && read.FileText(path, file, allowed, readFile) is { } text)
        {
            var before = mistakes.Count;
            token = read.Secret(path, file, text, allowed);
            if (mistakes.Count == before && !IsToken(token))
                read.Mistake(path, $"{SettingReader.Quote(file)}, which holds something that cannot be a token", allowed);
        }

        return new PageSettings(token is null ? null : new PageToken(token), read.Switch("payloads"), read.Switch("changes"));

        // What a header may carry as it is (RFC 6750 §2.1), and long enough not to be guessed.
        static bool IsToken(string text) =>
            text.Length is >= 16 and <= 256 && text.All(character => char.IsAsciiLetterOrDigit(character) || "-._~+/=".Contains(character, StringComparison.Ordinal));
    }

    private static string Digest(PageToken? token) =>
        token is null ? "" : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token.Reveal())));

    private static ClusterSettings? ReadCluster(
        ConfigurationSection process, IReadOnlyDictionary<string, string> environment, List<ConfigurationMistake> mistakes)
    {
        if (process.Find("cluster") is not ConfigurationSection section)
            return null; // Reported with the unknown keys.
        var read = new SettingReader(section, mistakes);
        var host = read.Text("host");
        if (!IsHost(host))
            read.Mistake("host", SettingReader.Quote(host), "the name or IP address by which the other nodes reach this one");
        var port = read.Number("port", 1, 65535);
        var bind = read.Text("bind");
        var (bindHost, bindPort) = (bind.Length == 0 ? host : bind, port);
        if (bind.Length > 0 && !HostAndPort.IsIPAddress(bind)
            && !(HostAndPort.TryParse(bind, out bindHost, out bindPort) && bindPort > 0 && HostAndPort.IsIPAddress(bindHost)))
            read.Mistake("bind", SettingReader.Quote(bind), "an IP address to listen on, with or without a port, such as 0.0.0.0 or 0.0.0.0:9181, or nothing");
        var seeds = ImmutableArray.CreateBuilder<string>();
        foreach (var text in read.Texts("seeds"))
        {
            if (!HostAndPort.TryParse(text, out var seed, out var seedPort) || seedPort == 0)
                read.Mistake("seeds", SettingReader.Quote(text), "host:port of nodes, such as bridge-0.bridge:9181; several separated by commas");
            else if (HostAndPort.IsLoopback(host) && !HostAndPort.IsLoopback(seed))
                read.Mistake("host", SettingReader.Quote(host), "an address that the other nodes reach, because there are seeds on other machines");
            else
                seeds.Add(ClusterSettings.NameOf(seed, seedPort));
        }

        var settle = read.Duration("settle", TimeSpan.FromSeconds(1), TimeSpan.FromHours(1));
        var redis = read.Text("redis");
        var caFile = read.Text("redis-ca-file");
        if (seeds.Count == 0)
            return null;
        var isOfDefaults = redis.Length == 0;
        if (!isOfDefaults && !CanBeRead(redis))
            read.Mistake("redis", "a text that cannot be read", "a StackExchange.Redis connection string, host:port[,keyword=value]…");
        if (isOfDefaults)
        {
            redis = IsSet(environment, "BRIDGE_REDIS", out var fromEnvironment) ? fromEnvironment : OfDefaults("redis");
            if (caFile.Length == 0)
                caFile = OfDefaults("redis-ca-file");
        }

        return new ClusterSettings
        {
            Host = host,
            Port = port,
            BindHost = bindHost,
            BindPort = bindPort,
            Seeds = seeds.ToImmutable(),
            SettleTime = settle,
            Redis = redis,
            RedisCaFile = caFile.Length == 0 ? null : caFile,
            IsOfDefaults = isOfDefaults,
        };

        string OfDefaults(string name) => (process.Find("defaults", name) as ConfigurationValue)?.Text?.Trim() ?? "";

        // What it says is not shown: it may hold a password.
        static bool CanBeRead(string text)
        {
            try
            {
                return ConfigurationOptions.Parse(text).EndPoints.Count > 0;
            }
            catch (Exception exception) when (exception is ArgumentException or FormatException or OverflowException)
            {
                return false;
            }
        }

        static bool IsHost(string text) => IPAddress.TryParse(text, out _) || Uri.CheckHostName(text) is UriHostNameType.Dns;
    }

    private static ImmutableArray<BridgeSettings> ReadBridges(
        ConfigurationSection root,
        IReadOnlyDictionary<string, string> environment,
        Func<string, string> readFile,
        List<ConfigurationMistake> mistakes)
    {
        if (root.Find("bridge", "defaults") is not ConfigurationSection defaults)
            return []; // Reported with the unknown keys.
        var sections = BridgeSections(root, defaults);
        var secret = IsSet(environment, EnvironmentKeys.Secret, out var found) ? found : null;
        if (secret is not null && IsSet(environment, EnvironmentKeys.SecretFile, out _))
            mistakes.Add(new(EnvironmentKeys.SecretFile, $"a value besides {EnvironmentKeys.Secret}", "one of the two"));

        foreach (var (variable, path) in EnvironmentKeys.ForASingleBridge)
            if (sections.Count > 1 && IsSet(environment, variable, out var value))
                mistakes.Add(new(variable, SettingReader.Quote(value), $"not set, because there are {sections.Count} bridges; set {path} of each in the file"));

        var bridges = ImmutableArray.CreateBuilder<BridgeSettings>();
        foreach (var (name, node) in sections)
        {
            if (!BridgeReader.IsName(name))
            {
                mistakes.Add(new(node.Key, SettingReader.Quote(name) + " as a bridge's name", "letters, digits, '-' and '_', at most 64", node.File));
                continue;
            }

            var section = WithVariables(defaults.With((ConfigurationSection)node), environment, EnvironmentKeys.OfBridges(sections.Count));
            bridges.Add(new BridgeReader(name, section, secret, readFile, mistakes).Read());
        }

        if (mistakes.Count == 0)
            FindCollisions(bridges, mistakes);
        return bridges.ToImmutable();
    }

    /// <summary>Every setting as it holds, in the order of its key, and where it was made. Of a configuration without mistakes.</summary>
    /// <param name="files">As of <see cref="Read" />.</param>
    /// <param name="environment">As of <see cref="Read" />.</param>
    internal static IReadOnlyList<EffectiveSetting> Effective(
        IReadOnlyList<ConfigurationText> files, IReadOnlyDictionary<string, string> environment)
    {
        var root = HoconText.Parse(Reference, [])!.Root;
        foreach (var file in files)
            root = root.With(HoconText.Parse(file, [])!.Root);
        var defaults = (ConfigurationSection)root.Find("bridge", "defaults")!;
        var sections = BridgeSections(root, defaults);
        List<EffectiveSetting> settings = [];
        foreach (var (name, node) in ReadProcess(root, environment).Children)
        {
            if (name is not ("defaults" or "bridges"))
                EffectiveSetting.Add(settings, "bridge." + name, node);
        }

        if (IsSet(environment, EnvironmentKeys.HttpToken, out _))
            settings.Add(new EffectiveSetting("bridge.page.token", EffectiveSetting.NotShown, EnvironmentKeys.HttpToken));

        foreach (var (name, node) in sections)
        {
            var key = "bridge.bridges." + name;
            EffectiveSetting.Add(settings, key, WithVariables(defaults.With((ConfigurationSection)node), environment, EnvironmentKeys.OfBridges(sections.Count)));
            if (IsSet(environment, EnvironmentKeys.Secret, out _))
                settings.Add(new EffectiveSetting(key + ".xmpp.secret", EffectiveSetting.NotShown, EnvironmentKeys.Secret));
        }

        settings.Sort((one, other) => string.CompareOrdinal(one.Key, other.Key));
        return settings;
    }

    private static List<KeyValuePair<string, ConfigurationNode>> BridgeSections(ConfigurationSection root, ConfigurationSection defaults)
    {
        var sections = root.Find("bridge", "bridges") is ConfigurationSection given
            ? given.Children.Where(child => child.Value is ConfigurationSection).OrderBy(child => child.Key, StringComparer.Ordinal).ToList()
            : [];
        if (sections.Count == 0)
            sections.Add(new(DefaultBridgeName, ConfigurationSection.Empty(defaults.Key)));
        return sections;
    }

    private static ConfigurationSection WithVariables(
        ConfigurationSection section, IReadOnlyDictionary<string, string> environment, IEnumerable<(string Variable, string Path)> variables)
    {
        foreach (var (variable, path) in variables)
            if (IsSet(environment, variable, out var value))
                section = section.With(path, new ConfigurationValue(variable, null, value, null));
        return section;
    }

    /// <summary>Two bridges of one domain would throw each other out; two on one queue would wait for each other's lease.</summary>
    private static void FindCollisions(IEnumerable<BridgeSettings> bridges, List<ConfigurationMistake> mistakes)
    {
        var domains = new Dictionary<string, string>(StringComparer.Ordinal);
        var queues = new Dictionary<(string Redis, string Key), string>();
        foreach (var bridge in bridges)
        {
            if (!domains.TryAdd(bridge.Xmpp.Domain, bridge.Name))
                mistakes.Add(new(
                    $"bridge.bridges.{bridge.Name}.xmpp.domain",
                    $"\"{bridge.Xmpp.Domain}\", which is bridge {domains[bridge.Xmpp.Domain]}'s too",
                    "a domain of its own for each bridge"));
            // Names that differ may still share every other key: q and {q} have the same journal.
            var queue = (RedisIdentity(bridge.Queue.Redis), bridge.Queue.Keys.Inflight);
            if (!queues.TryAdd(queue, bridge.Name))
                mistakes.Add(new(
                    $"bridge.bridges.{bridge.Name}.queue.name",
                    $"\"{bridge.Queue.Keys.Queue}\", which is bridge {queues[queue]}'s on the same Redis too",
                    "a queue of its own for each bridge"));
        }
    }

    private static string RedisIdentity(string connection)
    {
        var options = ConfigurationOptions.Parse(connection);
        options.SetDefaultPorts();
        var addresses = options.EndPoints.Select(endpoint => endpoint.ToString()!.ToLowerInvariant()).Order(StringComparer.Ordinal);
        return $"{string.Join(',', addresses)}/{options.ServiceName}/{options.DefaultDatabase ?? 0}";
    }

    private static void FindUnknownKeys(
        ConfigurationSection root, ConfigurationSection schema, ConfigurationSection defaults, List<ConfigurationMistake> mistakes)
    {
        // Other top-level names may belong to nobody, but one that is nearly ours is a slip.
        foreach (var (name, node) in root.Children)
            if (name is not ("bridge" or "akka") && NearestName.Distance(name, "bridge") <= 2)
                mistakes.Add(new(name, "an unknown section", "bridge (did you mean that?)", node.File));
        if (root.Find("bridge") is not { } bridge)
            return;
        Compare(bridge, schema, mistakes);
        if (root.Find("bridge", "bridges") is ConfigurationSection bridges)
            foreach (var node in bridges.Children.Values)
                Compare(node, defaults, mistakes);
    }

    private static void Compare(ConfigurationNode node, ConfigurationSection known, List<ConfigurationMistake> mistakes)
    {
        if (node is not ConfigurationSection section)
        {
            mistakes.Add(new(node.Key, "a value", "a section { … }", node.File));
            return;
        }

        foreach (var (name, child) in section.Children)
        {
            switch (known.Children.GetValueOrDefault(name))
            {
                case null:
                    mistakes.Add(Unknown(name, child, known));
                    break;
                case ConfigurationValue when child is ConfigurationSection:
                    mistakes.Add(new(child.Key, "a section", "a value", child.File));
                    break;
                // What stands under bridge.bridges are names, which the caller looks at.
                case ConfigurationSection { Key: "bridge.bridges" }:
                    if (child is not ConfigurationSection)
                        mistakes.Add(new(child.Key, "a value", "a section { … }", child.File));
                    break;
                case ConfigurationSection expected:
                    Compare(child, expected, mistakes);
                    break;
            }
        }
    }

    private static ConfigurationMistake Unknown(string name, ConfigurationNode node, ConfigurationSection known)
    {
        // The value of an unknown setting is not shown: it may be a misplaced password.
        if (name is "secret" or "password")
            return new(node.Key, "a secret in a configuration file", "BRIDGE_SECRET, or a file named by BRIDGE_SECRET_FILE or xmpp.secret-file", node.File);
        if (name is "token")
            return new(node.Key, "a token in a configuration file", "BRIDGE_HTTP_TOKEN, or a file named by BRIDGE_HTTP_TOKEN_FILE or page.token-file", node.File);
        var allowed = "one of " + string.Join(", ", known.Children.Keys.Order(StringComparer.Ordinal));
        if (NearestName.Of(name, known.Children.Keys) is { } nearest)
            allowed = $"{nearest} (did you mean that?)";
        // HOCON ends an unquoted value at ':' and ',': what follows looks like a setting then.
        else if (name.All(char.IsAsciiDigit))
            allowed += "; a value with ':' or ',' in it must stand in quotes";
        return new(node.Key, "an unknown setting", allowed, node.File);
    }

    private static void CheckVariables(IReadOnlyDictionary<string, string> environment, List<ConfigurationMistake> mistakes)
    {
        // Only near misses: an orchestrator may set BRIDGE_PORT and the like for a service called bridge.
        foreach (var variable in environment.Keys.Where(variable =>
                     variable.StartsWith("BRIDGE_", StringComparison.Ordinal) && !EnvironmentKeys.All.Contains(variable, StringComparer.Ordinal)))
        {
            var nearest = EnvironmentKeys.All.MinBy(known => NearestName.Distance(variable, known))!;
            if (NearestName.Distance(variable, nearest) <= 2)
                mistakes.Add(new(variable, "an unknown environment variable", $"{nearest} (did you mean that?)"));
        }
    }

    private static bool IsSet(IReadOnlyDictionary<string, string> environment, string variable, out string value)
    {
        value = environment.GetValueOrDefault(variable) ?? "";
        return value.Length > 0;
    }

    private static ConfigurationText ReadEmbedded(string name)
    {
        using var stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"{name} is missing from the program.");
        using var reader = new StreamReader(stream);
        return new ConfigurationText(name, reader.ReadToEnd());
    }
}
