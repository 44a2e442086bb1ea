using System.Collections.Immutable;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;
using StackExchange.Redis;

namespace Bridge.Host.Configuration;

/// <summary>Reads one bridge's settings and checks each against its range and against the others.</summary>
/// <param name="name">The bridge's name.</param>
/// <param name="section">Its section, with the defaults under it and the environment over it.</param>
/// <param name="secret">The secret of <c>BRIDGE_SECRET</c>; null where it is not set.</param>
/// <param name="readFile">Reads a file whole; throws <see cref="IOException" /> or <see cref="UnauthorizedAccessException" />.</param>
/// <param name="mistakes">Where mistakes go.</param>
internal sealed partial class BridgeReader(
    string name,
    ConfigurationSection section,
    string? secret,
    Func<string, string> readFile,
    List<ConfigurationMistake> mistakes)
{
    private const int MiB = 1 << 20;
    private const int MostPatterns = 64;
    private const int LongestPattern = 512;

    private readonly SettingReader read = new(section, mistakes);
    private readonly List<string> contents = [];

    /// <summary>Whether the text may name a bridge.</summary>
    public static bool IsName(string text) => BridgeName().IsMatch(text);

    /// <summary>The settings; to be discarded when there are mistakes.</summary>
    public BridgeSettings Read()
    {
        var window = ReadWindow();
        var queue = ReadQueue(window);
        var xmpp = ReadXmpp();
        return new BridgeSettings
        {
            Name = name,
            Queue = queue,
            Xmpp = xmpp,
            Confirm = new ConfirmSettings
            {
                Grade = read.Choice("confirm.grade", ("accepted", ConfirmGrade.Accepted), ("held", ConfirmGrade.Held), ("received", ConfirmGrade.Received)),
                Hold = read.Duration("confirm.hold", TimeSpan.FromMilliseconds(50), TimeSpan.FromMinutes(10)),
                TrustUptime = read.Choice("confirm.trust-uptime", ("auto", UptimeTrust.Auto), ("never", UptimeTrust.Never)),
            },
            Window = window,
            Stanza = ReadStanza(xmpp.Domain, window),
            Dead = new DeadLetterSettings
            {
                MaxEntries = read.Number("dead.max-entries", 1L, 100_000_000),
                MaxAge = read.Duration("dead.max-age", TimeSpan.FromMinutes(1), TimeSpan.FromDays(3650)),
            },
            Outcomes = new OutcomeSettings
            {
                Mode = read.Choice("outcomes.mode", ("none", OutcomeMode.None), ("failures", OutcomeMode.Failures), ("all", OutcomeMode.All)),
                MaxPending = read.Number("outcomes.max-pending", 1_000, 10_000_000),
                ReplyTimeToLive = read.Duration("outcomes.reply-ttl", TimeSpan.FromSeconds(1), TimeSpan.FromDays(7)),
                MaxEntries = read.Number("outcomes.max-entries", 1L, 100_000_000),
                Buffer = read.Number("outcomes.buffer", 0, 1_000_000),
            },
            Answers = new AnswerSettings
            {
                ReceiptTimeout = read.Duration("answers.receipt-timeout", TimeSpan.FromSeconds(1), TimeSpan.FromDays(30)),
                ResultTimeout = read.Duration("answers.result-timeout", TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(1)),
                MaxAwaiting = read.Number("answers.max-awaiting", 1, 10_000_000),
            },
            Retry = ReadRetry(),
            Inbound = ReadInbound(queue.Keys, xmpp),
            Lease = ReadLease(queue),
            Writers = read.Number("writers", 1, 64),
            TraceEntries = read.Number("trace.entries", 0, 10_000_000),
            DrainTimeout = read.Duration("drain-timeout", TimeSpan.Zero, TimeSpan.FromMinutes(10)),
            Fingerprint = Fingerprint(),
        };
    }

    /// <summary>Of every setting and of what the files that settings name hold, so that a secret that was exchanged counts as well.</summary>
    private string Fingerprint()
    {
        var text = new StringBuilder();
        Append(section);
        foreach (var content in contents)
            text.Append('\0').Append(content);
        text.Append('\0').Append(secret);
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));

        void Append(ConfigurationSection from)
        {
            foreach (var (key, node) in from.Children.OrderBy(child => child.Key, StringComparer.Ordinal))
            {
                text.Append(key).Append('\0');
                if (node is ConfigurationSection inner)
                    Append(inner);
                else if (node is ConfigurationValue value)
                    text.Append(value.Text ?? string.Join('\u0001', value.Items ?? []));
                text.Append('\0');
            }
        }
    }

    private QueueSettings ReadQueue(WindowSettings window)
    {
        var queue = read.Text("queue.name");
        if (!QueueKeys.TryCreate(queue, out var keys, out var mistake))
        {
            read.Mistake("queue.name", SettingReader.Quote(queue), "a Redis key of at most 512 bytes; " + mistake);
            QueueKeys.TryCreate("unusable", out keys, out _);
        }

        var group = read.Text("queue.stream.group");
        if (group.Length is 0 or > 128)
            read.Mistake("queue.stream.group", SettingReader.Quote(group), "the name of a consumer group, 1 to 128 characters");

        var (kind, subscribes) = read.Choice("queue.kind", ("list", (QueueKind.List, false)), ("stream", (QueueKind.Stream, false)), ("pubsub", (QueueKind.List, true)));
        var pubSub = ReadPubSub(subscribes);
        var batchBytes = read.Size("queue.batch-bytes", 4096, 16 * MiB);
        if (batchBytes > window.UnconfirmedBytes)
            read.Mistake("queue.batch-bytes", Quantity.Format(batchBytes), "not more than window.unconfirmed-bytes, " + Quantity.Format(window.UnconfirmedBytes));
        var redis = ReadRedis();
        return new QueueSettings
        {
            Redis = redis,
            RedisCaFile = ReadRedisCaFile(redis),
            Keys = keys!,
            Kind = kind,
            PubSub = pubSub,
            Group = group,
            Deletion = read.Choice("queue.stream.delete", ("own", StreamDeletion.Own), ("never", StreamDeletion.Never)),
            BatchEntries = read.Number("queue.batch-entries", 1, 5000),
            BatchBytes = batchBytes,
            TakesInFlight = read.Number("queue.takes-in-flight", 1, 16),
            MaxEntryBytes = read.Size("queue.max-entry-bytes", 1024, 16 * MiB),
            CallTimeout = read.Duration("queue.call-timeout", TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(30)),
            WaitTime = read.Duration("queue.wait-time", TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1)),
            Repeats = ReadRepeats(),
            MaxScheduled = read.Number("queue.max-scheduled", 1, 10_000_000),
        };
    }

    private RepeatSettings? ReadRepeats()
    {
        var window = read.Duration("queue.dedup.window", TimeSpan.Zero, TimeSpan.FromDays(7));
        var entries = read.Number("queue.dedup.max-entries", 1_000, 1_000_000);
        return window > TimeSpan.Zero ? new RepeatSettings { Window = window, MaxEntries = entries } : null;
    }

    private RetrySettings ReadRetry()
    {
        var delay = read.Duration("retry.delay", TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1));
        var longest = read.Duration("retry.max-delay", TimeSpan.FromMilliseconds(100), TimeSpan.FromDays(1));
        if (longest < delay)
            read.Mistake("retry.max-delay", Quantity.Format(longest), "not less than retry.delay, " + Quantity.Format(delay));
        return new RetrySettings
        {
            Limit = read.Number("retry.limit", 0, 100),
            Delay = delay,
            MaxDelay = longest,
            Keep = read.Duration("retry.keep", TimeSpan.Zero, TimeSpan.FromHours(1)),
        };
    }

    private PubSubSettings? ReadPubSub(bool subscribes)
    {
        const string path = "queue.pubsub.patterns", allowed = "1 to 64 patterns of PSUBSCRIBE, such as \"xmpp:send:*\", each once and of at most 512 bytes";
        var patterns = read.Texts(path);
        if (subscribes && patterns.Count == 0)
            read.Mistake(path, "nothing", allowed);
        if (patterns.Count > MostPatterns)
            read.Mistake(path, $"{patterns.Count} patterns", allowed);
        foreach (var pattern in patterns.Where(pattern => Encoding.UTF8.GetByteCount(pattern) > LongestPattern))
            read.Mistake(path, SettingReader.Quote(pattern), allowed);
        foreach (var pattern in patterns.GroupBy(pattern => pattern, StringComparer.Ordinal).Where(same => same.Count() > 1))
            read.Mistake(path, SettingReader.Quote(pattern.Key) + " twice", allowed);
        var settings = new PubSubSettings
        {
            Patterns = [.. patterns],
            MaxQueued = read.Number("queue.pubsub.max-queued", 1L, 100_000_000),
            Buffer = read.Number("queue.pubsub.buffer", 1, 1_000_000),
        };
        return subscribes ? settings : null;
    }

    /// <summary>The connection string. What is wrong with it is told by place, never by content: it may hold a password.</summary>
    private string ReadRedis()
    {
        const string allowed = "a StackExchange.Redis connection string, host:port[,keyword=value]…, such as 127.0.0.1:6379 or redis.example.com:6380,ssl=true,user=bridge,password=…";
        var redis = read.Text("redis");
        if (redis.Length == 0)
        {
            read.Mistake("redis", "nothing", allowed);
            return redis;
        }

        if (TryParseRedis(redis, out var options))
        {
            if (options.EndPoints.Count == 0)
                read.Mistake("redis", "no address in it", allowed);
            else if (options.EndPoints.Any(endpoint => endpoint is DnsEndPoint { Port: < 0 or > 65535 }))
                read.Mistake("redis", "a port outside of 1 to 65535", allowed);
            return redis;
        }

        var parts = redis.Split(',');
        var place = Array.FindIndex(parts, part => !TryParseRedis(part, out _)) + 1;
        read.Mistake("redis", place == 0 ? "a text that cannot be read" : $"something that cannot be read in part {place} of {parts.Length}, counted by commas", allowed);
        return redis;
    }

    private string? ReadRedisCaFile(string redis)
    {
        var file = ReadCaFile("redis-ca-file");
        if (file is not null && TryParseRedis(redis, out var options) && !options.Ssl)
            read.Mistake("redis-ca-file", $"{SettingReader.Quote(file)} without TLS", "nothing, or ssl=true in redis");
        return file;
    }

    private static bool TryParseRedis(string text, out ConfigurationOptions options)
    {
        try
        {
            options = ConfigurationOptions.Parse(text);
            return true;
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or OverflowException)
        {
            options = new ConfigurationOptions();
            return false;
        }
    }

    private XmppSettings ReadXmpp()
    {
        var tls = read.Switch("xmpp.tls.enabled");
        var domain = ReadDomain();
        var backoffMin = read.Duration("xmpp.backoff.min", TimeSpan.FromMilliseconds(100), TimeSpan.FromSeconds(10));
        var backoffMax = read.Duration("xmpp.backoff.max", TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(10));
        if (backoffMax < backoffMin)
            read.Mistake("xmpp.backoff.max", Quantity.Format(backoffMax), "not less than xmpp.backoff.min, " + Quantity.Format(backoffMin));
        var idle = read.Duration("xmpp.idle-barrier", TimeSpan.FromMilliseconds(200), TimeSpan.FromMinutes(1));
        var progress = read.Duration("xmpp.progress-timeout", TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5));
        if (progress <= idle)
            read.Mistake("xmpp.progress-timeout", Quantity.Format(progress), "more than xmpp.idle-barrier, " + Quantity.Format(idle));
        var barrier = read.Duration("xmpp.barrier-timeout", TimeSpan.FromSeconds(1), TimeSpan.FromHours(1));
        if (barrier < progress)
            read.Mistake("xmpp.barrier-timeout", Quantity.Format(barrier), "not less than xmpp.progress-timeout, " + Quantity.Format(progress));
        return new XmppSettings
        {
            Endpoints = ReadEndpoints(tls),
            Domain = domain,
            Secret = new ComponentSecret(ReadSecret()),
            ServerDomain = ReadServerDomain(domain),
            Tls = tls ? ReadTls() : null,
            ConnectTimeout = Step("xmpp.connect-timeout"),
            HeaderTimeout = Step("xmpp.header-timeout"),
            HandshakeTimeout = Step("xmpp.handshake-timeout"),
            IdleBarrier = idle,
            ProgressTimeout = progress,
            BarrierTimeout = barrier,
            CloseTimeout = read.Duration("xmpp.close-timeout", TimeSpan.Zero, TimeSpan.FromMinutes(1)),
            BackoffMin = backoffMin,
            BackoffMax = backoffMax,
            ResumeDelay = read.Duration("xmpp.resume-delay", TimeSpan.Zero, TimeSpan.FromMinutes(10)),
            MaxInboundStanzaBytes = read.Size("xmpp.max-inbound-stanza-bytes", 10 * 1024, 64 * MiB),
        };

        TimeSpan Step(string path) => read.Duration(path, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1));
    }

    private ImmutableArray<XmppEndpoint> ReadEndpoints(bool tls)
    {
        const string allowed = "host:port, such as 127.0.0.1:5347 or [::1]:5347; several separated by commas";
        var texts = read.Texts("xmpp.endpoints");
        if (texts.Count == 0)
            read.Mistake("xmpp.endpoints", "nothing", allowed);
        var plainAllowed = read.Switch("xmpp.allow-plain");
        var endpoints = ImmutableArray.CreateBuilder<XmppEndpoint>();
        foreach (var text in texts)
        {
            if (!HostAndPort.TryParse(text, out var host, out var port) || port == 0)
            {
                read.Mistake("xmpp.endpoints", SettingReader.Quote(text), allowed);
                continue;
            }

            var endpoint = new XmppEndpoint(host, port);
            if (endpoints.Contains(endpoint))
                read.Mistake("xmpp.endpoints", SettingReader.Quote(text) + " twice", "each address once");
            if (!tls && !plainAllowed && !HostAndPort.IsLoopback(host))
                read.Mistake(
                    "xmpp.endpoints",
                    $"{SettingReader.Quote(text)} without TLS",
                    "an address on the loopback, or xmpp.tls.enabled = true, or, where the network between is trusted, xmpp.allow-plain = true");
            endpoints.Add(endpoint);
        }

        return endpoints.ToImmutable();
    }

    private string ReadDomain()
    {
        var domain = Canonical(read.Text("xmpp.domain"));
        if (!Jid.IsCanonicalDomain(domain))
            read.Mistake("xmpp.domain", SettingReader.Quote(domain), "the component's domain, exactly as the XMPP server has it, such as bridge.example.com (environment: BRIDGE_DOMAIN)");
        return domain;
    }

    private string? ReadServerDomain(string domain)
    {
        var text = Canonical(read.Text("xmpp.server-domain"));
        if (text == "off")
            return null;
        if (text == "auto")
        {
            var dot = domain.IndexOf('.', StringComparison.Ordinal);
            var parent = dot < 0 ? "" : domain[(dot + 1)..];
            return Jid.IsCanonicalDomain(parent) ? parent : null;
        }

        if (!Jid.IsCanonicalDomain(text))
            read.Mistake("xmpp.server-domain", SettingReader.Quote(text), "the server's domain, such as example.com, or auto, or off");
        return text;
    }

    private string ReadSecret()
    {
        const string allowed = "the secret that the XMPP server shares with the component, in BRIDGE_SECRET, or in a file named by BRIDGE_SECRET_FILE or xmpp.secret-file";
        if (secret is not null)
            return secret;
        var file = read.Text("xmpp.secret-file");
        if (file.Length == 0)
        {
            read.Mistake("xmpp.secret-file", "nothing", allowed);
            return "";
        }

        return ReadFile("xmpp.secret-file", file, allowed) is { } content ? read.Secret("xmpp.secret-file", file, content, allowed) : "";
    }

    private string? ReadFile(string path, string file, string allowed)
    {
        if (read.FileText(path, file, allowed, readFile) is not { } content)
            return null;
        contents.Add(content);
        return content;
    }

    private TlsSettings ReadTls()
    {
        var serverName = read.Text("xmpp.tls.server-name");
        return new TlsSettings
        {
            ServerName = serverName.Length == 0 ? null : serverName,
            CaFile = ReadCaFile("xmpp.tls.ca-file"),
        };
    }

    private string? ReadCaFile(string path)
    {
        const string allowed = "a PEM file with the certificates of the authorities to trust, or nothing for those of the system";
        var file = read.Text(path);
        if (file.Length > 0
            && ReadFile(path, file, allowed) is { } pem
            && !pem.Contains("-----BEGIN CERTIFICATE-----", StringComparison.Ordinal))
            read.Mistake(path, $"{SettingReader.Quote(file)}, which holds no certificate", allowed);
        return file.Length == 0 ? null : file;
    }

    private WindowSettings ReadWindow()
    {
        var entries = read.Number("window.unconfirmed-entries", 100, 1_000_000);
        var barrierEntries = read.Number("window.barrier-entries", 1, 10_000);
        if (barrierEntries > entries)
            read.Mistake("window.barrier-entries", $"{barrierEntries}", $"not more than window.unconfirmed-entries, {entries}");
        return new WindowSettings
        {
            UnconfirmedEntries = entries,
            UnconfirmedBytes = read.Size("window.unconfirmed-bytes", MiB, 1L << 30),
            HeldEntries = read.Number("window.held-entries", 1000L, 100_000_000),
            HeldBytes = read.Size("window.held-bytes", MiB, 64L << 30),
            BarrierEntries = barrierEntries,
            BarrierBytes = read.Size("window.barrier-bytes", 1024, 16 * MiB),
            TargetRoundTrip = read.Duration("window.target-round-trip", TimeSpan.FromMilliseconds(10), TimeSpan.FromSeconds(10)),
        };
    }

    private StanzaSettings ReadStanza(string domain, WindowSettings window)
    {
        var maxBytes = read.Size("stanza.max-bytes", 1024, 16 * MiB);
        if (maxBytes > window.UnconfirmedBytes)
            read.Mistake("stanza.max-bytes", Quantity.Format(maxBytes), "not more than window.unconfirmed-bytes, " + Quantity.Format(window.UnconfirmedBytes));
        var fromDomains = read.Texts("stanza.from-domains").Select(Canonical).Distinct(StringComparer.Ordinal).ToImmutableArray();
        foreach (var from in fromDomains.Where(from => !Jid.IsCanonicalDomain(from)))
            read.Mistake("stanza.from-domains", SettingReader.Quote(from), "domains, such as example.com");
        return new StanzaSettings
        {
            MaxBytes = maxBytes,
            MaxDepth = read.Number("stanza.max-depth", 2, 1000),
            MaxAttributes = read.Number("stanza.max-attributes", 4, 1000),
            FromDomains = fromDomains,
            DefaultFrom = ReadDefaultFrom(domain, fromDomains),
            DelayStampAfter = read.Duration("stanza.delay-stamp-after", TimeSpan.Zero, TimeSpan.FromDays(1)),
        };
    }

    private string ReadDefaultFrom(string domain, ImmutableArray<string> fromDomains)
    {
        var text = read.Text("stanza.default-from");
        if (text.Length == 0)
            return domain;
        var utf8 = Encoding.UTF8.GetBytes(text);
        if (!Jid.TryParse(utf8, out var jid, out var mistake))
        {
            read.Mistake("stanza.default-from", SettingReader.Quote(text), "a JID, but " + mistake.Text);
            return domain;
        }

        // Localpart and domain are case-folded by every server (RFC 7622 §3.2, §3.3); the resource
        // is not (§3.4).
        var from = Canonical(Encoding.UTF8.GetString(jid.Domain));
        var bare = jid.Local.IsEmpty ? from : Encoding.UTF8.GetString(jid.Local).ToLowerInvariant() + "@" + from;
        if (from != domain && !fromDomains.Contains(from))
            read.Mistake("stanza.default-from", SettingReader.Quote(text), "a JID of the component's domain or of one in stanza.from-domains");
        return jid.Resource.IsEmpty ? bare : bare + "/" + Encoding.UTF8.GetString(jid.Resource);
    }

    private InboundSettings ReadInbound(QueueKeys keys, XmppSettings xmpp)
    {
        var stanzas = InboundStanzas.None;
        foreach (var text in read.Texts("inbound.stanzas"))
        {
            var kind = text.ToLowerInvariant() switch
            {
                "message" => InboundStanzas.Message,
                "presence" => InboundStanzas.Presence,
                "iq" => InboundStanzas.Iq,
                _ => InboundStanzas.None,
            };
            if (kind == InboundStanzas.None)
                read.Mistake("inbound.stanzas", SettingReader.Quote(text), "message, presence or iq, several of them, or nothing");
            stanzas |= kind;
        }

        var list = read.Text("inbound.list");
        // What is read there is sent: stanzas that come in would go out again.
        if (list == keys.Queue || keys.All.Contains(list))
            read.Mistake("inbound.list", SettingReader.Quote(list), "a key of its own, neither the queue nor one of Bridge's");
        else if (Encoding.UTF8.GetByteCount(list) > 512)
            read.Mistake("inbound.list", SettingReader.Quote(list), "a Redis key of at most 512 bytes, or nothing");
        var bytes = read.Size("inbound.buffer-bytes", 64 * 1024, 1L << 30);
        if (bytes < xmpp.MaxInboundStanzaBytes)
            read.Mistake("inbound.buffer-bytes", Quantity.Format(bytes), "not less than xmpp.max-inbound-stanza-bytes, " + Quantity.Format(xmpp.MaxInboundStanzaBytes));
        return new InboundSettings
        {
            Stanzas = stanzas,
            MaxEntries = read.Number("inbound.max-entries", 1L, 100_000_000),
            List = list.Length == 0 ? null : list,
            Publish = read.Switch("inbound.publish"),
            Buffer = read.Number("inbound.buffer", 1, 1_000_000),
            BufferBytes = bytes,
            Subscriptions = read.Choice(
                "inbound.subscriptions", ("refuse", SubscriptionPolicy.Refuse), ("accept", SubscriptionPolicy.Accept), ("app", SubscriptionPolicy.App)),
        };
    }

    private LeaseSettings ReadLease(QueueSettings queue)
    {
        var ttl = read.Duration("lease.ttl", TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5));
        var renew = read.Duration("lease.renew", TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1));
        var margin = read.Duration("lease.margin", TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(1));
        // One renewal may take the whole deadline of a call, and the owner must not stop for that.
        if (renew + queue.CallTimeout >= ttl - margin)
            read.Mistake(
                "lease.ttl",
                Quantity.Format(ttl),
                $"more than lease.renew ({Quantity.Format(renew)}), queue.call-timeout ({Quantity.Format(queue.CallTimeout)}) and lease.margin ({Quantity.Format(margin)}) together");
        return new LeaseSettings
        {
            TimeToLive = ttl,
            RenewEvery = renew,
            PollEvery = read.Duration("lease.poll", TimeSpan.FromMilliseconds(50), TimeSpan.FromMinutes(1)),
            SafetyMargin = margin,
        };
    }

    /// <summary>Lower case, without the trailing dot of DNS.</summary>
    private static string Canonical(string domain) => domain.TrimEnd('.').ToLowerInvariant();

    [GeneratedRegex("^[A-Za-z0-9_-]{1,64}$")]
    private static partial Regex BridgeName();
}
