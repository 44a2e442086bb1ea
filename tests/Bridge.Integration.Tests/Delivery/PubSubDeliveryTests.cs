using System.Collections.Concurrent;
using System.Globalization;
using Bridge.Integration.Tests.Queue;
using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Integration.Tests.Delivery;

/// <summary>What is published arrives, from end to end; what cannot is counted. The real program, Redis and Prosody.</summary>
public sealed class PubSubDeliveryTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task What_is_published_arrives_in_order_and_what_is_too_large_is_dead_lettered()
    {
        await using var trial = await PubSubTrial.StartAsync(await servers.GetAsync("prosody"));
        await using var bridge = trial.Program();
        bridge.Start();
        await bridge.ReadyAsync(Soon);

        await trial.PublishAsync(0, 500);
        Assert.Equal(1, await trial.App.PublishAsync(RedisChannel.Literal("xmpp:send:big"), new string('x', 300_000)));
        Assert.Equal(1, await trial.App.PublishAsync(RedisChannel.Literal("xmpp:send:empty"), ""));
        await trial.PublishAsync(500, 500);
        Assert.Equal(0, await trial.App.PublishAsync(RedisChannel.Literal("xmpp:other"), trial.Message(-1)));

        await trial.ArrivedAsync(1_000);
        Assert.Equal(Enumerable.Range(0, 1_000), trial.Arrived);
        await Eventually.TrueAsync(async () => await trial.App.StreamLengthAsync("{xmpp:outbound}:dead") == 2, Soon, "two dead letters");
        var dead = await trial.App.StreamRangeAsync("{xmpp:outbound}:dead");
        Assert.Equal(["oversize", "empty-payload"], dead.Select(letter => (string)letter["reason"]!));
        Assert.Equal(300_000, ((string)dead[0]["payload"]!).Length);
        var metrics = await bridge.MetricsAsync();
        Assert.Equal(
            (1_002d, 1d, 1d, 0d),
            (metrics.Sum("bridge_pubsub_messages_total"), metrics.Sum("bridge_pubsub_windows_total"), metrics.Sum("bridge_pubsub_listening"), metrics.Sum("bridge_pubsub_dropped_total")));
        Assert.Contains("best effort", bridge.Process.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("number-1", bridge.Process.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_subscription_that_is_killed_is_counted_as_a_window_and_listens_again()
    {
        await using var trial = await PubSubTrial.StartAsync(await servers.GetAsync("prosody"));
        await using var bridge = trial.Program();
        bridge.Start();
        await bridge.ReadyAsync(Soon);
        await trial.PublishAsync(0, 10);
        // What stands in the connection that is killed is lost.
        await trial.ArrivedAsync(10);

        await PubSubTests.KillSubscriptionAsync(trial.App);

        await Eventually.TrueAsync(
            async () => (await bridge.MetricsAsync()).Sum("bridge_pubsub_windows_total") == 2, Soon, "a second window", () => bridge.Process.Output);
        await bridge.ReadyAsync(Soon);
        await trial.ListenedToAsync();
        await trial.PublishAsync(10, 10);
        await trial.ArrivedAsync(20);
        Assert.Equal(Enumerable.Range(0, 20), trial.Arrived);
        Assert.Equal(0, (await bridge.MetricsAsync()).Sum("bridge_restarts_total"));
        Assert.Single(bridge.Process.Lines, line => line.Contains("does not listen any more", StringComparison.Ordinal));
        Assert.Equal(2, bridge.Process.Lines.Count(line => line.Contains("has ended after", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Another_process_takes_over_the_listening_and_nothing_is_sent_twice(bool killed)
    {
        await using var trial = await PubSubTrial.StartAsync(await servers.GetAsync("prosody"));
        await using var first = trial.Program();
        await using var second = trial.Program();
        first.Start();
        await first.ReadyAsync(Soon);
        second.Start();
        await second.ReadyAsync(Soon);
        Assert.Equal((1d, 0d), ((await first.MetricsAsync()).Sum("bridge_pubsub_listening"), (await second.MetricsAsync()).Sum("bridge_pubsub_listening")));

        using var enough = new CancellationTokenSource();
        var publishing = trial.PublishSteadilyAsync(enough.Token);
        await trial.ArrivedAsync(50);
        var before = trial.Published;
        if (killed)
            await first.KillAsync();
        else
            Assert.Equal(0, await first.StopAsync());
        var behind = trial.Published;
        await Eventually.TrueAsync(async () => (await second.MetricsAsync()).Sum("bridge_pubsub_listening") == 1, Soon, "the second one listens");
        await trial.ArrivedAsync(trial.Arrived.Count + 50);
        await enough.CancelAsync();
        var heard = await publishing;

        await trial.DrainedAsync();
        var arrived = trial.Arrived.ToList();
        // What a killed owner had confirmed to nobody is sent again, by its id; nothing is appended twice.
        var once = arrived.Distinct().ToList();
        Assert.Equal(once.Order(), once);
        if (!killed)
            Assert.Equal(once, arrived);
        Assert.Equal(1, (await second.MetricsAsync()).Sum("bridge_pubsub_windows_total"));
        // Redis tells the publisher whether somebody listened. Of that only what was on its way to whoever ended is lost, and of
        // a stop only what was published while it lasted; the last one that was published before may have been under way.
        var lost = heard.Except(once).ToList();
        Assert.All(lost, number => Assert.InRange(number, killed ? 0 : before - 1, behind));
    }

    [Fact]
    public async Task What_the_list_has_no_room_for_is_dropped_and_counted()
    {
        await using var trial = await PubSubTrial.StartAsync(await servers.GetAsync("prosody"));
        // Nobody is there who would take it from the list further than the window.
        await using var bridge = trial.Program("queue.pubsub.max-queued = 30, window.unconfirmed-entries = 100, window.barrier-entries = 100", FreePorts.Next());
        bridge.Start();
        await trial.ListenedToAsync();

        await trial.PublishAsync(0, 500);
        await Eventually.TrueAsync(
            async () => (await bridge.MetricsAsync()).Sum("bridge_pubsub_messages_total") == 500, Soon, "all of it is heard", () => bridge.Process.Output);

        var dropped = 0d;
        await Eventually.TrueAsync(
            async () =>
            {
                dropped = (await bridge.MetricsAsync()).Sum("bridge_pubsub_dropped_total", ("reason", "queue-full")) ?? 0;
                return dropped + await trial.App.ListLengthAsync("xmpp:outbound") + await trial.App.ListLengthAsync("{xmpp:outbound}:inflight") == 500;
            },
            Soon,
            "everything is in the list, in the journal, or counted");
        Assert.Equal(30, await trial.App.ListLengthAsync("xmpp:outbound"));
        Assert.InRange(dropped, 300, 470);
        Assert.Single(bridge.Process.Lines, line => line.Contains("as many entries as it may", StringComparison.Ordinal));
    }

    /// <summary>An app that publishes numbered messages, and the component that they are for.</summary>
    private sealed class PubSubTrial : IAsyncDisposable
    {
        private readonly IXmppServer _server;
        private readonly RedisServer _redis;
        private readonly ConnectionMultiplexer _app;
        private readonly XmppComponentPeer _sink;
        private readonly ConcurrentQueue<int> _arrived = new();

        private PubSubTrial(IXmppServer server, RedisServer redis, ConnectionMultiplexer app, XmppComponentPeer sink)
        {
            (_server, _redis, _app, _sink) = (server, redis, app, sink);
            sink.Received.Observe(stanza =>
            {
                if (stanza.Body is { } body && body.StartsWith("number-", StringComparison.Ordinal))
                    _arrived.Enqueue(int.Parse(body.AsSpan("number-".Length), CultureInfo.InvariantCulture));
            });
        }

        public IDatabase App => _app.GetDatabase();

        public ConcurrentQueue<int> Arrived => _arrived;

        public int Published { get; private set; }

        public static async Task<PubSubTrial> StartAsync(IXmppServer server)
        {
            var redis = await RedisServer.StartAsync();
            return new PubSubTrial(
                server,
                redis,
                await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString + ",allowAdmin=true"),
                await XmppComponentPeer.ConnectAsync(server, server.Components[1]));
        }

        public BridgeProcess Program(string more = "", int? xmppPort = null) => new(new BridgeProcessOptions
        {
            Environment = new Dictionary<string, string?>
            {
                ["BRIDGE_REDIS"] = _redis.ConnectionString,
                ["BRIDGE_QUEUE_KIND"] = "pubsub",
                ["BRIDGE_XMPP"] = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{xmppPort ?? _server.ComponentPort}"),
                ["BRIDGE_DOMAIN"] = _server.Components[0],
                ["BRIDGE_SECRET"] = _server.ComponentSecret,
                ["BRIDGE_CONFIRM"] = "accepted",
            },
            Configuration = $$"""
                bridge.defaults {
                  queue.pubsub.patterns = ["xmpp:send:*"]
                  {{more}}
                }
                """,
        });

        public string Message(int number) => string.Create(CultureInfo.InvariantCulture, $$"""{"to":"box@{{_sink.Domain}}","body":"number-{{number}}"}""");

        /// <summary>Publishes on channels in turn; somebody must listen.</summary>
        public async Task PublishAsync(int first, int count)
        {
            for (var number = first; number < first + count; number++)
                Assert.Equal(1, await PublishAsync(number));
        }

        /// <summary>Publishes until it is enough; tells the messages that somebody listened to.</summary>
        public async Task<IReadOnlyList<int>> PublishSteadilyAsync(CancellationToken enough)
        {
            var heard = new List<int>();
            using var ticks = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
            while (!enough.IsCancellationRequested)
            {
                await ticks.WaitForNextTickAsync(CancellationToken.None);
                var number = Published;
                if (await PublishAsync(number) > 0)
                    heard.Add(number);
            }

            return heard;
        }

        public Task ListenedToAsync() => Eventually.TrueAsync(async () => (long)await App.ExecuteAsync("PUBSUB", "NUMPAT") == 1, Soon, "somebody listens");

        public Task ArrivedAsync(int count) => Eventually.TrueAsync(() => _arrived.Count >= count, Soon, $"{count} arrive", () => $"{_arrived.Count}");

        public Task DrainedAsync() => Eventually.TrueAsync(
            async () => await App.ListLengthAsync("xmpp:outbound") + await App.ListLengthAsync("{xmpp:outbound}:inflight") == 0, Soon, "queue and journal are empty");

        public async ValueTask DisposeAsync()
        {
            await _sink.DisposeAsync();
            await _app.DisposeAsync();
            await _redis.DisposeAsync();
        }

        private Task<long> PublishAsync(int number)
        {
            Published++;
            return App.PublishAsync(RedisChannel.Literal(string.Create(CultureInfo.InvariantCulture, $"xmpp:send:{number % 7}")), Message(number));
        }
    }
}
