using System.Globalization;
using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Integration.Tests.Host;

/// <summary><c>docs/metrics.md</c> says what <c>/metrics</c> serves, all of it, and nothing else.</summary>
public sealed class MetricsTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    // What the exporter puts on every series, and what a histogram is made of.
    private static readonly string[] Technical = ["otel_scope_name", "le"];

    // The process itself, under a name that it draws when it starts.
    private const string Process = "target_info";

    [Fact]
    public async Task The_manual_names_every_series_with_its_tags_and_no_other_and_no_tag_has_the_values_of_apps_or_users()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        await using var main = new ScriptedXmppServer();
        await using var events = new ScriptedXmppServer(new ScriptedXmppServerOptions { Component = "events.example.test" });
        await using var heard = new ScriptedXmppServer(new ScriptedXmppServerOptions { Component = "heard.example.test" });
        await using var bridge = Program(redis, main, events, heard);
        bridge.Start();
        await bridge.ReadyAsync(Patience);
        var app = connection.GetDatabase();

        // One of each: sent, bounced, refused, told, put off, and what somebody writes to the component.
        await app.ListRightPushAsync("xmpp:outbound",
        [
            """{"to":"ada@example.test","id":"app-made-7","body":"hi","replyTo":"bridge:reply:app-made-7"}""",
            """{"to":"nobody@example.test","id":"app-made-8","body":"hi"}""",
            """{"to":"ada@example.test","id":"app-made-9","body":"hi","ttl":0.001,"at":1}""",
            """{"to":"ada@example.test","id":"app-made-10","body":"hi","notBefore":4000000000}""",
            "<message to='ada@example.test' from='eve@elsewhere.test'/>",
        ]);
        await app.StreamAddAsync("xmpp:events", [new("to", "ada@example.test"), new("id", "app-made-11"), new("body", "hi")]);
        await connection.GetSubscriber().PublishAsync(RedisChannel.Literal("app:ada@example.test"), """{"to":"ada@example.test","id":"app-made-12","body":"hi"}""");
        (await main.ConnectionAsync(0, Patience)).Send("<message from='ada@example.test' to='bot@bridge.example.test' id='user-made-13'><body>hi</body></message>");

        var told = Manual();
        IReadOnlyDictionary<string, Series> served = new Dictionary<string, Series>();
        await Eventually.TrueAsync(
            async () => Same(told, served = Served(await bridge.AskAsync("/metrics"))),
            Patience,
            "the manual and /metrics to name the same",
            () => Difference(told, served));

        var metrics = await bridge.MetricsAsync();
        Assert.Equal(1, metrics.Sum("bridge_entries_expired_total", ("bridge", "main")));
        Assert.True(metrics.Sum("bridge_entry_delivery_time_seconds_count", ("bridge", "events")) >= 1);
        Assert.Equal((1, 1), (metrics.Sum("akka_cluster_members"), metrics.Sum("akka_cluster_reachable_members")));
        var values = served.Values.SelectMany(series => series.Tags.Values).SelectMany(tags => tags).ToHashSet();
        Assert.All(values, value => Assert.DoesNotMatch("@|example|app-made|user-made|elsewhere|[0-9]{4}|^b-", value));
        Assert.True(values.Count > 50);
        Assert.Equal(0, await bridge.StopAsync());
    }

    [Fact]
    public async Task Actors_are_seen_by_type_and_bridge()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = new ScriptedXmppServer();
        await using var bridge = new BridgeProcess(new BridgeProcessOptions
        {
            Environment = BridgeProcessOptions.Between(redis, server),
        });
        bridge.Start();
        await bridge.ReadyAsync(Patience);

        var metrics = await bridge.MetricsAsync();

        (string, double)[] live = [("bridge", 1), ("connection", 1), ("lease", 1), ("publisher", 1), ("puller", 1), ("writer", 2), ("writers", 1)];
        Assert.All(live, actor => Assert.Equal(actor.Item2, metrics.Sum("akka_actor_live", ("actor", actor.Item1), ("bridge", "main"))));
        Assert.Equal(1, metrics.Sum("akka_actor_live", ("actor", "bridges"), ("bridge", "-")));
        Assert.True(metrics.Sum("akka_messages_recv_total", ("actor", "puller"), ("bridge", "main")) > 0);
        Assert.True(metrics.Sum("akka_messages_latency_seconds_count", ("actor", "connection"), ("bridge", "main")) > 0);
        Assert.Equal(0, metrics.Sum("akka_actor_restarts_total"));
        Assert.Equal(0, await bridge.StopAsync());
    }

    private static BridgeProcess Program(RedisServer redis, ScriptedXmppServer main, ScriptedXmppServer events, ScriptedXmppServer heard)
    {
        var port = FreePorts.Next();
        return new BridgeProcess(new BridgeProcessOptions
        {
            Environment = new Dictionary<string, string?> { ["BRIDGE_REDIS"] = redis.ConnectionString, ["BRIDGE_SECRET"] = main.Options.Secret },
            Configuration = string.Create(CultureInfo.InvariantCulture, $$"""
                bridge {
                  cluster { seeds = ["127.0.0.1:{{port}}"], port = {{port}} }
                  bridges {
                    main {
                      queue.name = "xmpp:outbound"
                      xmpp { domain = "{{main.Options.Component}}", endpoints = ["127.0.0.1:{{main.Port}}"] }
                    }
                    events {
                      queue { name = "xmpp:events", kind = stream }
                      xmpp { domain = "{{events.Options.Component}}", endpoints = ["127.0.0.1:{{events.Port}}"] }
                    }
                    heard {
                      queue { name = "xmpp:heard", kind = pubsub, pubsub.patterns = ["app:*"] }
                      xmpp { domain = "{{heard.Options.Component}}", endpoints = ["127.0.0.1:{{heard.Port}}"] }
                    }
                  }
                }
                """),
        });
    }

    private static Dictionary<string, Series> Manual() =>
        MetricsManual.Series.ToDictionary(series => series.Name, series => new Series(series.Kind, series.Tags.ToDictionary(tag => tag, _ => new HashSet<string>())));

    private static Dictionary<string, Series> Served(string text)
    {
        var series = new Dictionary<string, Series>();
        foreach (var words in text.Split('\n').Select(line => line.Split(' ')).Where(words => words is ["#", "TYPE", not Process, ..]))
        {
            series.TryAdd(words[2], new Series(words[3], []));
        }

        foreach (var sample in MetricsSnapshot.Parse(text).Samples.Where(sample => sample.Name != Process))
        {
            var name = series.ContainsKey(sample.Name) ? sample.Name : sample.Name[..sample.Name.LastIndexOf('_')];
            if (!series.TryGetValue(name, out var one))
                series.Add(name, one = new Series("untyped", []));
            foreach (var (tag, value) in sample.Labels.Where(label => !Technical.Contains(label.Key)))
            {
                if (!one.Tags.TryGetValue(tag, out var values))
                    one.Tags.Add(tag, values = []);
                values.Add(value);
            }
        }

        return series;
    }

    private static bool Same(IReadOnlyDictionary<string, Series> told, IReadOnlyDictionary<string, Series> served) =>
        Difference(told, served).Length == 0;

    private static string Difference(IReadOnlyDictionary<string, Series> told, IReadOnlyDictionary<string, Series> served)
    {
        var first = told.Select(Text).ToHashSet();
        var second = served.Select(Text).ToHashSet();
        return string.Join('\n', first.Except(second).Select(text => "only in the manual: " + text).Concat(second.Except(first).Select(text => "only served: " + text)));

        static string Text(KeyValuePair<string, Series> series) =>
            $"{series.Key} {series.Value.Kind} {string.Join(' ', series.Value.Tags.Keys.Order(StringComparer.Ordinal))}";
    }

    private sealed record Series(string Kind, Dictionary<string, HashSet<string>> Tags);
}
