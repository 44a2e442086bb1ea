using Bridge.Host.Configuration;
using Bridge.Settings;
using Microsoft.Extensions.Logging;

namespace Bridge.Actors.Tests.Host;

public sealed class ConfigurationReaderTests
{
    private const string Secret = "s3cr3t-of-the-component";
    private const string PageToken = "0123456789abcdef0123";

    private static readonly Dictionary<string, string> Essentials = new()
    {
        ["BRIDGE_DOMAIN"] = "bridge.example.com",
        ["BRIDGE_SECRET"] = Secret,
    };

    [Fact]
    public void Domain_and_secret_are_enough_for_one_bridge_called_main_with_the_defaults_of_the_reference()
    {
        var configuration = Valid([]);

        var bridge = Assert.Single(configuration.Bridges);
        Assert.Equal("main", bridge.Name);
        Assert.Equal("127.0.0.1:6379", bridge.Queue.Redis);
        Assert.Equal("xmpp:outbound", bridge.Queue.Keys.Queue);
        Assert.Equal(QueueKind.List, bridge.Queue.Kind);
        Assert.Equal("bridge", bridge.Queue.Group);
        Assert.Equal(StreamDeletion.Own, bridge.Queue.Deletion);
        Assert.Equal((512, 1 << 20, 3, 256 << 10), (bridge.Queue.BatchEntries, bridge.Queue.BatchBytes, bridge.Queue.TakesInFlight, bridge.Queue.MaxEntryBytes));
        Assert.Equal((Seconds(2), Seconds(2)), (bridge.Queue.CallTimeout, bridge.Queue.WaitTime));
        Assert.Equal(new XmppEndpoint("127.0.0.1", 5347), Assert.Single(bridge.Xmpp.Endpoints));
        Assert.Equal("bridge.example.com", bridge.Xmpp.Domain);
        Assert.Equal(Secret, bridge.Xmpp.Secret.Reveal());
        Assert.Equal("example.com", bridge.Xmpp.ServerDomain);
        Assert.Null(bridge.Xmpp.Tls);
        Assert.Equal((Seconds(5), Seconds(5), Seconds(5)), (bridge.Xmpp.ConnectTimeout, bridge.Xmpp.HeaderTimeout, bridge.Xmpp.HandshakeTimeout));
        Assert.Equal((Seconds(2), Seconds(6), Seconds(60), Seconds(2)), (bridge.Xmpp.IdleBarrier, bridge.Xmpp.ProgressTimeout, bridge.Xmpp.BarrierTimeout, bridge.Xmpp.CloseTimeout));
        Assert.Equal((Seconds(0.2), Seconds(10), TimeSpan.Zero), (bridge.Xmpp.BackoffMin, bridge.Xmpp.BackoffMax, bridge.Xmpp.ResumeDelay));
        Assert.Equal((ConfirmGrade.Held, Seconds(2), UptimeTrust.Auto), (bridge.Confirm.Grade, bridge.Confirm.Hold, bridge.Confirm.TrustUptime));
        Assert.Equal((10_000, 16L << 20, 4_000_000L, 1L << 30), (bridge.Window.UnconfirmedEntries, bridge.Window.UnconfirmedBytes, bridge.Window.HeldEntries, bridge.Window.HeldBytes));
        Assert.Equal((500, 64 << 10, Seconds(0.25)), (bridge.Window.BarrierEntries, bridge.Window.BarrierBytes, bridge.Window.TargetRoundTrip));
        Assert.Equal((256 << 10, 64, 64, Seconds(10)), (bridge.Stanza.MaxBytes, bridge.Stanza.MaxDepth, bridge.Stanza.MaxAttributes, bridge.Stanza.DelayStampAfter));
        Assert.Empty(bridge.Stanza.FromDomains);
        Assert.Equal("bridge.example.com", bridge.Stanza.DefaultFrom);
        Assert.Equal((100_000L, TimeSpan.FromDays(30)), (bridge.Dead.MaxEntries, bridge.Dead.MaxAge));
        Assert.Equal((10_000L, 10_000), (bridge.Outcomes.MaxEntries, bridge.Outcomes.Buffer));
        // Whoever makes settings in code has the same.
        Assert.Equal(new InboundSettings(), bridge.Inbound);
        Assert.Equal((InboundStanzas.Message, 10_000L, null, false), (bridge.Inbound.Stanzas, bridge.Inbound.MaxEntries, bridge.Inbound.List, bridge.Inbound.Publish));
        Assert.Equal((1_000, 16L << 20, SubscriptionPolicy.Refuse), (bridge.Inbound.Buffer, bridge.Inbound.BufferBytes, bridge.Inbound.Subscriptions));
        Assert.Equal((Seconds(5), Seconds(1), Seconds(0.5), Seconds(1)), (bridge.Lease.TimeToLive, bridge.Lease.RenewEvery, bridge.Lease.PollEvery, bridge.Lease.SafetyMargin));
        Assert.Equal((2, Seconds(5)), (bridge.Writers, bridge.DrainTimeout));
        Assert.Equal(new HttpAddress("127.0.0.1", 9180), configuration.Http);
        Assert.Equal((LogLevel.Information, LogFormat.Text), (configuration.LogLevel, configuration.LogFormat));
        Assert.Equal("OFF", configuration.Akka.GetString("akka.stdout-loglevel"));
    }

    [Fact]
    public void Without_an_endpoint_nothing_is_sent_by_OTLP() =>
        Assert.Null(Valid(["bridge.otlp.protocol = http"], ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")).Otlp);

    [Fact]
    public void An_endpoint_has_metrics_and_traces_sent_there()
    {
        Assert.Equal(
            new OtlpSettings(new Uri("http://collector:4317"), OtlpCarrier.Grpc, Seconds(15), Seconds(5)),
            Valid(["bridge.otlp.endpoint = \"http://elsewhere:1\""], ("BRIDGE_OTLP_ENDPOINT", "http://collector:4317")).Otlp);
        Assert.Equal(
            new OtlpSettings(new Uri("https://collector/otlp"), OtlpCarrier.Http, Seconds(1), Seconds(0.1)),
            Valid(["bridge.otlp { endpoint = \"https://collector/otlp\", protocol = HTTP, every = 1s, timeout = 100ms }"]).Otlp);
    }

    [Theory]
    [InlineData("endpoint = \"collector:4317\"", "bridge.otlp.endpoint")]
    [InlineData("endpoint = \"grpc://collector:4317\"", "bridge.otlp.endpoint")]
    [InlineData("endpoint = \"http://user:word@collector:4317\"", "bridge.otlp.endpoint")]
    [InlineData("protocol = thrift", "bridge.otlp.protocol")]
    [InlineData("every = 10ms", "bridge.otlp.every")]
    [InlineData("timeout = 2m", "bridge.otlp.timeout")]
    [InlineData("headers = x", "bridge.otlp.headers")]
    public void A_mistake_in_OTLP_is_told_without_what_may_be_a_password(string setting, string key)
    {
        var mistake = Assert.Single(Read([$"bridge.otlp {{ {setting} }}"], With(), []).Mistakes);

        Assert.Equal(key, mistake.Key);
        Assert.DoesNotContain("word", mistake.Found, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_seeds_there_is_no_cluster() => Assert.Null(Valid([], ("BRIDGE_CLUSTER_HOST", "node-1")).Cluster);

    [Fact]
    public void Seeds_make_a_cluster_with_the_Redis_of_the_defaults()
    {
        var cluster = Valid(
            ["bridge.cluster { settle = 7s, port = 7000 }\nbridge.defaults.redis = \"redis:1\""],
            ("BRIDGE_CLUSTER_SEEDS", "node-0:9181, node-1:9181"),
            ("BRIDGE_CLUSTER_HOST", "node-1"),
            ("BRIDGE_CLUSTER_PORT", "9181"),
            ("BRIDGE_CLUSTER_BIND", "0.0.0.0:9000")).Cluster!;

        Assert.Equal(["node-0:9181", "node-1:9181"], cluster.Seeds.AsEnumerable());
        Assert.Equal(("node-1:9181", "0.0.0.0", 9000, Seconds(7), "redis:1"), (cluster.Node, cluster.BindHost, cluster.BindPort, cluster.SettleTime, cluster.Redis));
    }

    [Fact]
    public void A_node_listens_where_the_others_reach_it_unless_told_otherwise()
    {
        var cluster = Valid(["bridge.cluster { seeds = [\"127.0.0.1:7001\"], port = 7002 }"]).Cluster!;

        Assert.Equal(("127.0.0.1:7002", "127.0.0.1", 7002), (cluster.Node, cluster.BindHost, cluster.BindPort));
    }

    [Theory]
    [InlineData("seeds = [\"node-0\"]", "bridge.cluster.seeds")]
    [InlineData("seeds = [\"node-0:9181\"]", "bridge.cluster.host")]
    [InlineData("host = \"not a host\"", "bridge.cluster.host")]
    [InlineData("bind = \"node-0:1\"", "bridge.cluster.bind")]
    [InlineData("bind = \"9181\"", "bridge.cluster.bind")]
    [InlineData("port = 0", "bridge.cluster.port")]
    [InlineData("settle = 1ms", "bridge.cluster.settle")]
    [InlineData("seed = []", "bridge.cluster.seed")]
    public void A_mistake_in_the_cluster_is_told(string setting, string key) =>
        Assert.Equal(key, Assert.Single(Read([$"bridge.cluster {{ {setting} }}"], With(), []).Mistakes).Key);

    [Fact]
    public void A_bridges_fingerprint_differs_where_a_setting_or_the_secret_does_and_tells_neither()
    {
        string Of(string[] files, params (string, string)[] environment) => Valid(files, environment).Bridges[0].Fingerprint;
        var plain = Of([]);

        Assert.Equal(plain, Of([]));
        Assert.Equal(plain, Of(["bridge.http = off"]));
        Assert.NotEqual(plain, Of(["bridge.defaults.confirm.hold = 3s"]));
        Assert.NotEqual(plain, Of([], ("BRIDGE_SECRET", "another")));
        Assert.Equal(64, plain.Length);
    }

    [Fact]
    public void A_later_file_wins_over_an_earlier_one_and_the_environment_over_both()
    {
        var files = new[]
        {
            "bridge.defaults { redis = \"one:1\", queue.name = one, queue.kind = stream, confirm.hold = 1s, writers = 3 }",
            "bridge.defaults { redis = \"two:2\", queue.name = two, confirm.hold = 3s }\n bridge.http = off",
        };

        var fromFiles = Valid(files).Bridges[0];
        Assert.Equal(("two:2", "two", Seconds(3), 3), (fromFiles.Queue.Redis, fromFiles.Queue.Keys.Queue, fromFiles.Confirm.Hold, fromFiles.Writers));
        Assert.Null(Valid(files).Http);

        var configuration = Valid(
            files,
            ("BRIDGE_REDIS", "three:3,password=pw"),
            ("BRIDGE_QUEUE", "three"),
            ("BRIDGE_QUEUE_KIND", "list"),
            ("BRIDGE_XMPP", "127.0.0.1:1, [::1]:2,localhost:3"),
            ("BRIDGE_HTTP", "*:0"),
            ("BRIDGE_CONFIRM", "accepted"),
            ("BRIDGE_HOLD", "750ms"));
        var bridge = configuration.Bridges[0];
        Assert.Equal(("three:3,password=pw", "three", QueueKind.List), (bridge.Queue.Redis, bridge.Queue.Keys.Queue, bridge.Queue.Kind));
        Assert.Equal([new("127.0.0.1", 1), new("::1", 2), new("localhost", 3)], bridge.Xmpp.Endpoints.AsEnumerable());
        Assert.Equal((ConfirmGrade.Accepted, Seconds(0.75)), (bridge.Confirm.Grade, bridge.Confirm.Hold));
        Assert.Equal(new HttpAddress("*", 0), configuration.Http);
    }

    [Fact]
    public void A_queue_that_is_fed_by_pub_sub_is_a_list_with_patterns()
    {
        var queue = Valid(["bridge.defaults.queue.pubsub { patterns = [\"xmpp:send:*\", \"a,b\"], max-queued = 5, buffer = 7 }"], ("BRIDGE_QUEUE_KIND", "pubsub")).Bridges[0].Queue;

        Assert.Equal((QueueKind.List, 5L, 7), (queue.Kind, queue.PubSub!.MaxQueued, queue.PubSub.Buffer));
        Assert.Equal(["xmpp:send:*", "a,b"], queue.PubSub.Patterns.AsEnumerable());
        Assert.Contains("best effort", queue.ToString(), StringComparison.Ordinal);
        var defaults = Valid(["bridge.defaults.queue { kind = pubsub, pubsub.patterns = one }"]).Bridges[0].Queue.PubSub!;
        Assert.Equal((100_000L, 10_000), (defaults.MaxQueued, defaults.Buffer));
    }

    [Fact]
    public void Patterns_of_a_queue_of_another_kind_are_not_listened_to() =>
        Assert.Null(Valid(["bridge.defaults.queue.pubsub.patterns = [\"a:*\"]"]).Bridges[0].Queue.PubSub);

    [Fact]
    public void The_environment_wins_over_a_single_named_bridge_of_a_file_too()
    {
        var bridge = Valid(["bridge.bridges.chat { queue.name = chat, xmpp.domain = chat.example.com }"], ("BRIDGE_QUEUE", "other")).Bridges[0];

        Assert.Equal(("chat", "other", "bridge.example.com"), (bridge.Name, bridge.Queue.Keys.Queue, bridge.Xmpp.Domain));
    }

    [Fact]
    public void Several_bridges_inherit_the_defaults_and_override_them()
    {
        var result = Read(
            ["""
             bridge {
               defaults { queue.kind = stream, xmpp.secret-file = "common" }
               bridges {
                 b { queue.name = "q:b", queue.kind = list, xmpp.domain = b.example.com, xmpp.secret-file = "own" }
                 a { queue.name = "q:a", xmpp.domain = a.example.com }
               }
             }
             """],
            [],
            new() { ["common"] = "shared\n", ["own"] = "own\r\n" });

        Assert.Empty(result.Mistakes);
        Assert.Equal(
            [("a", "q:a", QueueKind.Stream, "shared"), ("b", "q:b", QueueKind.List, "own")],
            result.Configuration!.Bridges.Select(bridge => (bridge.Name, bridge.Queue.Keys.Queue, bridge.Queue.Kind, bridge.Xmpp.Secret.Reveal())));
    }

    [Fact]
    public void Domains_and_addresses_are_read_in_lower_case()
    {
        var bridge = Valid(
            ["bridge.defaults.stanza { from-domains = [Example.ORG], default-from = \"Shop@EXAMPLE.org/Till\" }"],
            ("BRIDGE_DOMAIN", "Bridge.Example.COM.")).Bridges[0];

        Assert.Equal("bridge.example.com", bridge.Xmpp.Domain);
        Assert.Equal(["example.org"], bridge.Stanza.FromDomains.AsEnumerable());
        Assert.Equal("shop@example.org/Till", bridge.Stanza.DefaultFrom);
    }

    [Theory]
    [InlineData("auto", "bridge.example.com", "example.com")]
    [InlineData("auto", "bridge.localhost", "localhost")]
    [InlineData("auto", "localhost", null)]
    [InlineData("off", "bridge.example.com", null)]
    [InlineData("Xmpp.Example.com", "bridge.example.com", "xmpp.example.com")]
    public void The_server_domain_is_the_domain_without_its_first_label_unless_it_is_set(string setting, string domain, string? expected) =>
        Assert.Equal(expected, Valid([$"bridge.defaults.xmpp.server-domain = \"{setting}\""], ("BRIDGE_DOMAIN", domain)).Bridges[0].Xmpp.ServerDomain);

    [Fact]
    public void An_empty_variable_counts_as_not_set() =>
        Assert.Equal("xmpp:outbound", Valid([], ("BRIDGE_QUEUE", ""), ("BRIDGE_HTTP", "")).Bridges[0].Queue.Keys.Queue);

    [Fact]
    public void A_variable_of_another_service_is_let_be() =>
        Assert.Single(Valid([], ("BRIDGE_SERVICE_HOST", "10.0.0.1"), ("BRIDGE_PORT", "tcp://10.0.0.1:80")).Bridges);

    [Fact]
    public void Tls_needs_no_leave_to_leave_the_loopback_and_takes_a_certificate_file()
    {
        var result = Read(
            ["bridge.defaults.xmpp { endpoints = [\"xmpp.example.com:5347\"], tls { enabled = on, ca-file = ca, server-name = x.example.com } }"],
            Essentials,
            new() { ["ca"] = "-----BEGIN CERTIFICATE-----\n…" });

        Assert.Empty(result.Mistakes);
        Assert.Equal(new TlsSettings { CaFile = "ca", ServerName = "x.example.com" }, result.Configuration!.Bridges[0].Xmpp.Tls);
    }

    [Fact]
    public void A_Redis_with_TLS_takes_a_certificate_file()
    {
        var result = Read(
            ["bridge.defaults { redis = \"redis.example.com:6380,ssl=true\", redis-ca-file = ca }"], Essentials, new() { ["ca"] = "-----BEGIN CERTIFICATE-----\n…" });

        Assert.Empty(result.Mistakes);
        Assert.Equal("ca", result.Configuration!.Bridges[0].Queue.RedisCaFile);
    }

    public static TheoryData<string, string, string, string> Mistakes => new()
    {
        // name of the row, HOCON, the key at fault, a word of what is said
        { "a number that is no number", "bridge.defaults.writers = many", "bridge.defaults.writers", "from 1 to 64" },
        { "a number above its range", "bridge.defaults.queue.batch-entries = 5001", "bridge.defaults.queue.batch-entries", "from 1 to 5000" },
        { "a number below its range", "bridge.defaults.writers = 0", "bridge.defaults.writers", "\"0\"" },
        { "a list for a value", "bridge.defaults.writers = [1]", "bridge.defaults.writers", "a single value" },
        { "a section for a value", "bridge.defaults.writers { a = 1 }", "bridge.defaults.writers", "a value" },
        { "a value for a section", "bridge.defaults.queue = x", "bridge.defaults.queue", "a section" },
        { "a duration without a unit", "bridge.defaults.confirm.hold = 2", "bridge.defaults.confirm.hold", "with its unit" },
        { "a duration in a wrong unit", "bridge.defaults.confirm.hold = 2KiB", "bridge.defaults.confirm.hold", "250ms or 2s" },
        { "a duration out of range", "bridge.defaults.confirm.hold = 11m", "bridge.defaults.confirm.hold", "to 10m" },
        { "a size out of range", "bridge.defaults.stanza.max-bytes = 17MiB", "bridge.defaults.stanza.max-bytes", "to 16MiB" },
        { "a size in a wrong unit", "bridge.defaults.stanza.max-bytes = 1s", "bridge.defaults.stanza.max-bytes", "64KiB" },
        { "an unknown word", "bridge.defaults.queue.kind = lst", "bridge.defaults.queue.kind", "did you mean list?" },
        { "an unknown key", "bridge.defaults.qeue.name = x", "bridge.defaults.qeue", "queue (did you mean that?)" },
        { "an unknown nested key", "bridge.defaults.confirm.holds = 2s", "bridge.defaults.confirm.holds", "hold (did you mean that?)" },
        { "an unknown key of a bridge", "bridge.bridges.main.writer = 2", "bridge.bridges.main.writer", "writers (did you mean that?)" },
        { "a key at the wrong level", "bridge.xmpp.domain = x", "bridge.xmpp", "an unknown setting" },
        { "an unknown top-level section", "brigde.http = off", "brigde", "did you mean" },
        { "an unquoted value with a colon", "bridge.defaults { redis = localhost:6379\n writers = 2 }", "file1.conf", "must stand in quotes" },
        { "a bridge that is no section", "bridge.bridges.main = 1", "bridge.bridges.main", "a section" },
        { "a bridge's bad name", "bridge.bridges { \"a b\" {} }", "bridge.bridges.a b", "letters, digits" },
        { "a secret in the file", "bridge.defaults.xmpp.secret = hunter2", "bridge.defaults.xmpp.secret", "BRIDGE_SECRET" },
        { "an unbalanced queue name", "bridge.defaults.queue.name = \"a{b\"", "bridge.defaults.queue.name", "balanced" },
        { "an empty group", "bridge.defaults.queue.stream.group = \"\"", "bridge.defaults.queue.stream.group", "consumer group" },
        { "Pub/Sub without a pattern", "bridge.defaults.queue { kind = pubsub, pubsub.patterns = [] }", "bridge.defaults.queue.pubsub.patterns", "1 to 64 patterns" },
        { "a pattern twice", "bridge.defaults.queue { kind = pubsub, pubsub.patterns = [\"a:*\", b, \"a:*\"] }", "bridge.defaults.queue.pubsub.patterns", "\"a:*\" twice" },
        { "too many patterns", $"bridge.defaults.queue.pubsub.patterns = \"{string.Join(',', Enumerable.Range(0, 65))}\"", "bridge.defaults.queue.pubsub.patterns", "found 65 patterns" },
        { "a pattern that is too long", $"bridge.defaults.queue.pubsub.patterns = [\"{new string('a', 513)}\"]", "bridge.defaults.queue.pubsub.patterns", "512 bytes" },
        { "a buffer of nothing", "bridge.defaults.queue.pubsub.buffer = 0", "bridge.defaults.queue.pubsub.buffer", "from 1 to 1000000" },
        { "room for nothing", "bridge.defaults.queue.pubsub.max-queued = 0", "bridge.defaults.queue.pubsub.max-queued", "from 1 to 100000000" },
        { "an endpoint without a port", "bridge.defaults.xmpp.endpoints = [localhost]", "bridge.defaults.xmpp.endpoints", "host:port" },
        { "an endpoint with port 0", "bridge.defaults.xmpp.endpoints = [\"localhost:0\"]", "bridge.defaults.xmpp.endpoints", "host:port" },
        { "no endpoint", "bridge.defaults.xmpp.endpoints = []", "bridge.defaults.xmpp.endpoints", "found nothing" },
        { "a kind of stanza that is none", "bridge.defaults.inbound.stanzas = [message, mesage]", "bridge.defaults.inbound.stanzas", "message, presence or iq" },
        { "a list that is the queue", "bridge.defaults.inbound.list = \"xmpp:outbound\"", "bridge.defaults.inbound.list", "a key of its own" },
        { "a list that is one of Bridge's", "bridge.defaults.inbound.list = \"{xmpp:outbound}:inflight\"", "bridge.defaults.inbound.list", "a key of its own" },
        { "a buffer of nothing", "bridge.defaults.inbound.buffer = 0", "bridge.defaults.inbound.buffer", "from 1 to 1000000" },
        { "a buffer below one stanza", "bridge.defaults.inbound.buffer-bytes = 512KiB", "bridge.defaults.inbound.buffer-bytes", "xmpp.max-inbound-stanza-bytes" },
        { "a policy that is none", "bridge.defaults.inbound.subscriptions = acept", "bridge.defaults.inbound.subscriptions", "did you mean accept" },
        { "an endpoint twice", "bridge.defaults.xmpp.endpoints = \"localhost:1,localhost:1\"", "bridge.defaults.xmpp.endpoints", "twice" },
        { "a plain connection over the network", "bridge.defaults.xmpp.endpoints = \"xmpp.example.com:5347\"", "bridge.defaults.xmpp.endpoints", "xmpp.allow-plain = true" },
        { "an HTTP address without a port", "bridge.http = localhost", "bridge.http", "127.0.0.1:9180" },
        { "an HTTP address by name", "bridge.http = \"example.com:80\"", "bridge.http", "127.0.0.1:9180" },
        { "a log level that is none", "bridge.log.level = verbose", "bridge.log.level", "debug" },
        { "a bad server domain", "bridge.defaults.xmpp.server-domain = \"a b\"", "bridge.defaults.xmpp.server-domain", "auto" },
        { "a bad from domain", "bridge.defaults.stanza.from-domains = [\"a@b\"]", "bridge.defaults.stanza.from-domains", "a@b" },
        { "a default from of another domain", "bridge.defaults.stanza.default-from = \"a@other.example\"", "bridge.defaults.stanza.default-from", "stanza.from-domains" },
        { "a default from that is no JID", "bridge.defaults.stanza.default-from = \"@b\"", "bridge.defaults.stanza.default-from", "a JID" },
        { "a backoff turned round", "bridge.defaults.xmpp.backoff { min = 5s, max = 1s }", "bridge.defaults.xmpp.backoff.max", "not less than" },
        { "a progress timeout within the idle barrier", "bridge.defaults.xmpp { idle-barrier = 5s, progress-timeout = 5s }", "bridge.defaults.xmpp.progress-timeout", "more than" },
        { "a barrier timeout within the progress timeout", "bridge.defaults.xmpp.barrier-timeout = 5s", "bridge.defaults.xmpp.barrier-timeout", "not less than" },
        { "barriers rarer than the window", "bridge.defaults.window { unconfirmed-entries = 100, barrier-entries = 101 }", "bridge.defaults.window.barrier-entries", "not more than" },
        { "a stanza larger than the window", "bridge.defaults { window.unconfirmed-bytes = 1MiB, stanza.max-bytes = 2MiB }", "bridge.defaults.stanza.max-bytes", "not more than" },
        { "a batch larger than the window", "bridge.defaults { window.unconfirmed-bytes = 1MiB, queue.batch-bytes = 2MiB }", "bridge.defaults.queue.batch-bytes", "not more than" },
        { "a lease that a slow renewal outlasts", "bridge.defaults.lease.ttl = 4s", "bridge.defaults.lease.ttl", "together" },
        { "a certificate file that is missing", "bridge.defaults.xmpp.tls { enabled = true, ca-file = none }", "bridge.defaults.xmpp.tls.ca-file", "no such file" },
        { "a certificate file without one", "bridge.defaults.xmpp.tls { enabled = true, ca-file = empty }", "bridge.defaults.xmpp.tls.ca-file", "no certificate" },
        { "a Redis certificate file that is missing", "bridge.defaults { redis = \"localhost,ssl=true\", redis-ca-file = none }", "bridge.defaults.redis-ca-file", "no such file" },
        { "a Redis certificate file without one", "bridge.defaults { redis = \"localhost,ssl=true\", redis-ca-file = empty }", "bridge.defaults.redis-ca-file", "no certificate" },
        { "a Redis certificate file without TLS", "bridge.defaults.redis-ca-file = ca", "bridge.defaults.redis-ca-file", "ssl=true in redis" },
        { "an empty Redis address", "bridge.defaults.redis = \"\"", "bridge.defaults.redis", "connection string" },
        { "a Redis keyword that does not exist", "bridge.defaults.redis = \"localhost,passwort=hunter2\"", "bridge.defaults.redis", "part 2 of 2" },
        { "Redis keywords without an address", "bridge.defaults.redis = \"ssl=true\"", "bridge.defaults.redis", "no address" },
        { "a surplus brace", "bridge {\n}\n}", "file1.conf", "'}' without its partner, in line 3" },
        { "a lacking brace", "bridge {\n log {\n", "file1.conf", "'{' without its partner, in line 2" },
        { "a text that does not end", "bridge.http = \"off\n", "file1.conf", "in line 1" },
        { "an optional substitution", "bridge.defaults.redis = ${?REDIS}", "file1.conf", "in line 1" },
        { "a substitution of nothing", "bridge.defaults.redis = ${no.such}", "file1.conf", "no.such" },
        { "an include", "include \"other.conf\"", "file1.conf", "include" },
        { "a comma behind a section", "bridge { log {}, http = off }", "file1.conf", "line of its own" },
        { "something that is not HOCON", "bridge {\n  & hunter2\n}", "file1.conf", "line 2" },
    };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void A_mistake_in_a_file_is_told_with_its_key_and_what_is_allowed(string row, string hocon, string key, string words)
    {
        var result = Read([hocon], Essentials, new() { ["empty"] = "", ["ca"] = "-----BEGIN CERTIFICATE-----\n…" });

        Assert.Null(result.Configuration);
        var mistake = Assert.Single(result.Mistakes);
        Assert.Equal((row, key, "file1.conf"), (row, mistake.Key, mistake.File));
        Assert.Contains(words, mistake.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", mistake.ToString(), StringComparison.Ordinal);
    }

    public static TheoryData<string, string, string, string, string> VariableMistakes => new()
    {
        { "a hold without a unit", "BRIDGE_HOLD", "2", "BRIDGE_HOLD", "with its unit" },
        { "a grade that is none", "BRIDGE_CONFIRM", "receieved", "BRIDGE_CONFIRM", "accepted or held" },
        { "a kind that is none", "BRIDGE_QUEUE_KIND", "set", "BRIDGE_QUEUE_KIND", "list or stream or pubsub" },
        { "an endpoint without a port", "BRIDGE_XMPP", "localhost:5347,other", "BRIDGE_XMPP", "\"other\"" },
        { "a domain with a space", "BRIDGE_DOMAIN", "bridge example", "BRIDGE_DOMAIN", "bridge.example.com" },
        { "a JID for a domain", "BRIDGE_DOMAIN", "a@b", "BRIDGE_DOMAIN", "bridge.example.com" },
        { "an HTTP address that is none", "BRIDGE_HTTP", "9180", "BRIDGE_HTTP", "127.0.0.1:9180" },
        { "Redis with a bad keyword", "BRIDGE_REDIS", "localhost,pasword=hunter2", "BRIDGE_REDIS", "part 2 of 2" },
        { "a password with a comma", "BRIDGE_REDIS", "localhost,password=hun,ter2=x", "BRIDGE_REDIS", "part 3 of 3" },
        { "a slip in a variable's name", "BRIDGE_DOMIAN", "x", "BRIDGE_DOMIAN", "BRIDGE_DOMAIN" },
        { "a secret twice", "BRIDGE_SECRET_FILE", "file", "BRIDGE_SECRET_FILE", "one of the two" },
    };

    [Theory]
    [MemberData(nameof(VariableMistakes))]
    public void A_mistake_in_a_variable_is_told_with_its_name(string row, string variable, string value, string key, string words)
    {
        var result = Read([], With((variable, value)), new() { ["file"] = "x" });

        var mistake = Assert.Single(result.Mistakes);
        Assert.Equal((row, key, null), (row, mistake.Key, mistake.File));
        Assert.Contains(words, mistake.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", mistake.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("ter2", mistake.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("stanzas = []", InboundStanzas.None)]
    [InlineData("stanzas = \"Presence, iq\"", InboundStanzas.Presence | InboundStanzas.Iq)]
    [InlineData("stanzas = [message, presence, iq, iq]", InboundStanzas.Message | InboundStanzas.Presence | InboundStanzas.Iq)]
    public void The_kinds_of_stanzas_for_the_app_are_any_of_three(string hocon, InboundStanzas kinds) =>
        Assert.Equal(kinds, Assert.Single(Valid(["bridge.defaults.inbound." + hocon]).Bridges).Inbound.Stanzas);

    [Fact]
    public void What_the_app_gets_besides_the_stream_is_read()
    {
        var inbound = Assert.Single(Valid(
            ["bridge.defaults.inbound { list = \"app:in\", publish = on, max-entries = 5, buffer = 7, buffer-bytes = 2MiB, subscriptions = app }"]).Bridges).Inbound;

        Assert.Equal(
            new InboundSettings { List = "app:in", Publish = true, MaxEntries = 5, Buffer = 7, BufferBytes = 2 << 20, Subscriptions = SubscriptionPolicy.App },
            inbound);
    }

    [Fact]
    public void Every_mistake_is_told_at_once()
    {
        var result = Read(
            ["bridge { htp = off, defaults { writers = 0, queue.kind = set } }", "bridge.log.level = loud"],
            [new("BRIDGE_HOLD", "soon"), new("BRIDGE_XMPP", "192.0.2.1:5347")],
            []);

        Assert.Equal(
            [
                "BRIDGE_HOLD", "BRIDGE_XMPP", "bridge.defaults.queue.kind", "bridge.defaults.writers", "bridge.defaults.xmpp.domain",
                "bridge.defaults.xmpp.secret-file", "bridge.htp", "bridge.log.level",
            ],
            result.Mistakes.Select(mistake => mistake.Key).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_file_that_cannot_be_read_hides_no_other_mistake_and_adds_none_for_what_it_would_have_set()
    {
        var result = Read(["}", "bridge.log.level = loud"], [], []);

        Assert.Equal(["file1.conf", "bridge.log.level"], result.Mistakes.Select(mistake => mistake.Key));
    }

    [Fact]
    public void A_setting_that_nobody_made_is_told_without_a_file()
    {
        var result = Read([], [], []);

        Assert.Equal(
            [("bridge.defaults.xmpp.domain", null), ("bridge.defaults.xmpp.secret-file", null)],
            result.Mistakes.Select(mistake => (mistake.Key, mistake.File)));
    }

    [Fact]
    public void A_mistake_in_the_defaults_is_told_once_however_many_bridges_inherit_it()
    {
        var result = Read(
            ["bridge { defaults.writers = 0\n bridges { a { queue.name = a, xmpp.domain = a.x }\n b { queue.name = b, xmpp.domain = b.x } } }"],
            [new("BRIDGE_SECRET", Secret)],
            []);

        Assert.Equal("bridge.defaults.writers", Assert.Single(result.Mistakes).Key);
    }

    [Theory]
    [InlineData("one domain", "a { queue.name = a, xmpp.domain = X.y }\n b { queue.name = b, xmpp.domain = x.y }", "bridge.bridges.b.xmpp.domain")]
    [InlineData("one queue", "a { queue.name = q, xmpp.domain = a.y }\n b { queue.name = q, xmpp.domain = b.y }", "bridge.bridges.b.queue.name")]
    [InlineData("one journal", "a { queue.name = q, xmpp.domain = a.y }\n b { queue.name = \"{q}\", xmpp.domain = b.y }", "bridge.bridges.b.queue.name")]
    [InlineData("one queue, Redis written in two ways", "a { redis = \"h:6379\", queue.name = q, xmpp.domain = a.y }\n b { redis = \"H,ssl=false\", queue.name = q, xmpp.domain = b.y }", "bridge.bridges.b.queue.name")]
    public void Two_bridges_may_not_share(string what, string bridges, string key)
    {
        var result = Read([$"bridge.bridges {{ {bridges} }}"], [new("BRIDGE_SECRET", Secret)], []);

        Assert.Equal((what, key), (what, Assert.Single(result.Mistakes).Key));
    }

    [Fact]
    public void Two_bridges_may_have_queues_of_one_name_on_two_databases() =>
        Assert.Empty(Read(
            ["bridge.bridges { a { redis = \"h,defaultDatabase=1\", xmpp.domain = a.y }\n b { redis = \"h\", xmpp.domain = b.y } }"],
            [new("BRIDGE_SECRET", Secret)],
            []).Mistakes);

    [Theory]
    [InlineData("BRIDGE_QUEUE")]
    [InlineData("BRIDGE_DOMAIN")]
    public void A_variable_that_names_one_thing_is_refused_for_several_bridges(string variable)
    {
        var result = Read(
            ["bridge.bridges { a { queue.name = a, xmpp.domain = a.y }\n b { queue.name = b, xmpp.domain = b.y } }"],
            [new(variable, "one.thing"), new("BRIDGE_SECRET", Secret)],
            []);

        Assert.Equal(variable, Assert.Single(result.Mistakes).Key);
    }

    [Theory]
    [InlineData("secret\n", "secret")]
    [InlineData("secret\r\n", "secret")]
    [InlineData("secret", "secret")]
    [InlineData(" two words ", " two words ")]
    public void One_newline_at_the_end_of_a_secret_file_is_no_part_of_the_secret(string content, string expected) =>
        Assert.Equal(
            expected,
            Read([], [new("BRIDGE_DOMAIN", "b.x"), new("BRIDGE_SECRET_FILE", "file")], new() { ["file"] = content })
                .Configuration!.Bridges[0].Xmpp.Secret.Reveal());

    [Theory]
    [InlineData("missing", "no such file")]
    [InlineData("empty", "is empty")]
    [InlineData("lines", "more than one line")]
    public void A_secret_file_that_cannot_be_used_is_a_mistake(string file, string words)
    {
        var result = Read(
            [],
            [new("BRIDGE_DOMAIN", "b.x"), new("BRIDGE_SECRET_FILE", file)],
            new() { ["empty"] = "\n", ["lines"] = "hunter2\nhunter3\n" });

        var mistake = Assert.Single(result.Mistakes);
        Assert.Equal("BRIDGE_SECRET_FILE", mistake.Key);
        Assert.Contains(words, mistake.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("hunter", mistake.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_token_the_status_page_has_none_shows_no_payload_and_allows_changes()
    {
        var page = Valid([]).Page;

        Assert.Equal(new PageSettings(null, Payloads: false, Changes: true), page);
    }

    [Theory]
    [InlineData("", "BRIDGE_HTTP_TOKEN", PageToken)]
    [InlineData("", "BRIDGE_HTTP_TOKEN_FILE", "token")]
    [InlineData("bridge.page.token-file = token", "BRIDGE_HOLD", "2s")]
    [InlineData("bridge.page.token-file = another", "BRIDGE_HTTP_TOKEN_FILE", "token")]
    [InlineData("bridge.page.token-file = another", "BRIDGE_HTTP_TOKEN", PageToken)]
    public void The_token_comes_from_a_file_or_from_the_environment(string file, string variable, string value)
    {
        var disk = new Dictionary<string, string> { ["token"] = PageToken + "\n", ["another"] = "another-token-of-the-page" };
        var result = Read([file, "bridge.page { payloads = on, changes = off }"], With((variable, value)), disk);

        Assert.Empty(result.Mistakes);
        Assert.Equal((PageToken, true, false), (result.Configuration!.Page.Token!.Reveal(), result.Configuration.Page.Payloads, result.Configuration.Page.Changes));
        Assert.DoesNotContain(PageToken, result.Configuration.ToString(), StringComparison.Ordinal);
        var (token, mistakes) = ConfigurationReader.ReadToken([new("file", file)], new Dictionary<string, string> { [variable] = value }, path => disk[path]);
        Assert.Empty(mistakes);
        Assert.Equal(PageToken, token!.Reveal());
    }

    [Theory]
    [InlineData("bridge.page.token = a-token-that-is-long-enough", "bridge.page.token", "a token in a configuration file")]
    [InlineData("bridge.page.token-file = missing", "bridge.page.token-file", "no such file")]
    [InlineData("bridge.page.token-file = empty", "bridge.page.token-file", "is empty")]
    [InlineData("bridge.page.token-file = short", "bridge.page.token-file", "cannot be a token")]
    [InlineData("bridge.page.token-file = spaces", "bridge.page.token-file", "cannot be a token")]
    [InlineData("bridge.page.token-file = lines", "bridge.page.token-file", "more than one line")]
    [InlineData("bridge.page.payloads = some", "bridge.page.payloads", "some")]
    [InlineData("bridge.page.change = on", "bridge.page.change", "did you mean")]
    public void A_mistake_about_the_status_page_is_told_and_shows_no_token(string setting, string key, string words)
    {
        var disk = new Dictionary<string, string> { ["empty"] = "\n", ["short"] = "hunter2", ["spaces"] = "hunter2 hunter2 hunter2", ["lines"] = "hunter2hunter2hunter2\nhunter2" };

        var mistake = Assert.Single(Read([setting], With(), disk).Mistakes);

        Assert.Equal(key, mistake.Key);
        Assert.Contains(words, mistake.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", mistake.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("long-enough", mistake.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_token_that_cannot_be_one_and_a_second_one_are_told_together_with_everything_else()
    {
        var mistakes = Read(["bridge.http = nowhere"], With(("BRIDGE_HTTP_TOKEN", "hunter2"), ("BRIDGE_HTTP_TOKEN_FILE", "token")), []).Mistakes;

        Assert.Equal(["bridge.http", "BRIDGE_HTTP_TOKEN", "BRIDGE_HTTP_TOKEN_FILE"], mistakes.Select(mistake => mistake.Key).Order(StringComparer.OrdinalIgnoreCase));
        Assert.All(mistakes, mistake => Assert.DoesNotContain("hunter2", mistake.ToString(), StringComparison.Ordinal));
    }

    [Fact]
    public void Settings_print_neither_secret_nor_connection_string()
    {
        var configuration = Valid([], ("BRIDGE_REDIS", "localhost,password=hunter2"));

        foreach (var text in new[] { configuration.ToString(), configuration.Bridges[0].ToString(), configuration.Bridges[0].Queue.ToString(), configuration.Bridges[0].Xmpp.ToString() })
        {
            Assert.DoesNotContain("hunter2", text, StringComparison.Ordinal);
            Assert.DoesNotContain(Secret, text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Akka_settings_of_a_file_reach_the_actor_system()
    {
        var akka = Valid(["akka { loglevel = DEBUG, actor.debug.unhandled = on }"]).Akka;

        Assert.Equal("DEBUG", akka.GetString("akka.loglevel"));
        Assert.True(akka.GetBoolean("akka.actor.debug.unhandled"));
        Assert.Equal("OFF", akka.GetString("akka.stdout-loglevel"));
        Assert.False(akka.HasPath("bridge"));
    }

    [Fact]
    public void The_example_for_a_local_server_is_valid()
    {
        using var stream = typeof(ConfigurationReaderTests).Assembly.GetManifestResourceStream("local.conf")!;
        using var reader = new StreamReader(stream);

        Assert.Empty(Read([reader.ReadToEnd()], [new("BRIDGE_SECRET", Secret)], []).Mistakes);
    }

    [Fact]
    public void What_holds_is_told_with_where_it_was_made()
    {
        var settings = Effective(
            [
                "bridge { log.level = debug, defaults.redis = \"one:1,password=hunter2\", bridges { a { queue.name = \"q a\" } } }",
                "bridge { bridges { a { redis = \"two:2,user=x,password=hunter2,ssl=true\" } } }",
            ],
            ("BRIDGE_HOLD", "4s"));

        Assert.Equal(("debug", "file1.conf"), settings["bridge.log.level"]);
        Assert.Equal(("text", "default"), settings["bridge.log.format"]);
        Assert.Equal(("\"q a\"", "file1.conf"), settings["bridge.bridges.a.queue.name"]);
        Assert.Equal(("4s", "BRIDGE_HOLD"), settings["bridge.bridges.a.confirm.hold"]);
        Assert.Equal(("[\"127.0.0.1:5347\"]", "default"), settings["bridge.bridges.a.xmpp.endpoints"]);
        Assert.StartsWith("\"two:2", settings["bridge.bridges.a.redis"].Value, StringComparison.Ordinal);
        Assert.Equal("file2.conf", settings["bridge.bridges.a.redis"].Origin);
        Assert.Equal(("(set, not shown)", "BRIDGE_SECRET"), settings["bridge.bridges.a.xmpp.secret"]);
        Assert.DoesNotContain(settings, setting => setting.Key.StartsWith("bridge.defaults", StringComparison.Ordinal));
        Assert.DoesNotContain("hunter2", string.Join('\n', settings), StringComparison.Ordinal);
        Assert.DoesNotContain(Secret, string.Join('\n', settings), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_variable_that_is_set_is_told_as_the_origin_of_its_setting_and_no_secret_with_it()
    {
        const string token = "0123456789abcdef-of-the-page";
        (string Name, string Value)[] variables =
        [
            ("BRIDGE_HTTP", "127.0.0.1:1"), ("BRIDGE_HTTP_TOKEN", token), ("BRIDGE_OTLP_ENDPOINT", "http://127.0.0.1:4317"),
            ("BRIDGE_CLUSTER_SEEDS", "127.0.0.1:9181"), ("BRIDGE_CLUSTER_PORT", "9181"), ("BRIDGE_QUEUE", "q"), ("BRIDGE_XMPP", "127.0.0.1:2"),
        ];

        var settings = Effective([], variables);

        Assert.Superset(variables.Select(variable => variable.Name).ToHashSet(), settings.Values.Select(setting => setting.Origin).ToHashSet());
        Assert.Equal(("\"http://127.0.0.1:4317\"", "BRIDGE_OTLP_ENDPOINT"), settings["bridge.otlp.endpoint"]);
        Assert.Equal(("(set, not shown)", "BRIDGE_HTTP_TOKEN"), settings["bridge.page.token"]);
        Assert.Equal("BRIDGE_HTTP_TOKEN_FILE", Effective([], ("BRIDGE_HTTP_TOKEN_FILE", "/run/token"))["bridge.page.token-file"].Origin);
        Assert.DoesNotContain(token, string.Join('\n', settings), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_setting_of_the_reference_is_told_for_each_bridge()
    {
        var settings = Effective(["bridge.bridges { a { queue.name = q1 }\nb { queue.name = q2 } }"]);

        var ofA = settings.Keys.Where(key => key.StartsWith("bridge.bridges.a.", StringComparison.Ordinal)).Select(key => key["bridge.bridges.a.".Length..]);
        var ofB = settings.Keys.Where(key => key.StartsWith("bridge.bridges.b.", StringComparison.Ordinal)).Select(key => key["bridge.bridges.b.".Length..]);
        Assert.Equal(ofA, ofB);
        Assert.Superset(new HashSet<string> { "redis", "queue.kind", "xmpp.backoff.max", "lease.ttl", "drain-timeout" }, ofA.ToHashSet());
    }

    private static Dictionary<string, (string Value, string Origin)> Effective(string[] files, params (string Name, string Value)[] variables) =>
        ConfigurationReader.Effective([.. files.Select((text, index) => new ConfigurationText($"file{index + 1}.conf", text))], With(variables))
            .ToDictionary(setting => setting.Key, setting => (setting.Value, setting.Origin));

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);

    private static HostConfiguration Valid(string[] files, params (string Name, string Value)[] variables)
    {
        var result = Read(files, With(variables), []);
        Assert.Empty(result.Mistakes);
        return result.Configuration!;
    }

    private static Dictionary<string, string> With(params (string Name, string Value)[] variables)
    {
        var all = new Dictionary<string, string>(Essentials);
        foreach (var (name, value) in variables)
            all[name] = value;
        return all;
    }

    private static ConfigurationResult Read(
        string[] files, IEnumerable<KeyValuePair<string, string>> environment, Dictionary<string, string> disk) =>
        ConfigurationReader.Read(
            [.. files.Select((text, index) => new ConfigurationText($"file{index + 1}.conf", text))],
            new Dictionary<string, string>(environment),
            path => disk.TryGetValue(path, out var content) ? content : throw new FileNotFoundException("", path));
}
