using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text;
using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Integration.Tests.Host;

public sealed class OtlpTests
{
    private const string TraceId = "0af7651916cd43dd8448eb211c80319c";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Metrics_and_the_spans_of_a_traced_message_come_to_the_collector_and_nothing_that_an_app_wrote()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        await using var server = new ScriptedXmppServer();
        await using var collector = new Collector();
        var environment = BridgeProcessOptions.Between(redis, server);
        environment["BRIDGE_OTLP_ENDPOINT"] = collector.Address;
        environment["BRIDGE_QUEUE_KIND"] = "stream";
        // What OpenTelemetry would read by itself.
        environment["OTEL_EXPORTER_OTLP_HEADERS"] = "x-not-asked-for=1";
        environment["OTEL_RESOURCE_ATTRIBUTES"] = "not.asked=for";
        environment["OTEL_SDK_DISABLED"] = "true";
        environment["OTEL_TRACES_SAMPLER"] = "always_off";
        await using var bridge = new BridgeProcess(new BridgeProcessOptions
        {
            Environment = environment,
            Configuration = "bridge.otlp { protocol = http, every = 1s }",
        });
        bridge.Start();
        await bridge.ReadyAsync(Patience);

        await connection.GetDatabase().StreamAddAsync(
            "xmpp:outbound",
            [new("to", "ada@example.test"), new("id", "app-made-7"), new("body", "a secret"), new("traceparent", $"00-{TraceId}-b7ad6b7169203331-01")]);

        string[] spans = ["bridge deliver", "queue wait", "encode", "write", "confirm"];
        await Eventually.TrueAsync(
            () => collector.Got("/v1/metrics", "bridge.entries.confirmed", "akka.messages.recv", "dotnet.gc.collections") && collector.Got("/v1/traces", spans),
            Patience,
            "metrics and spans to arrive",
            () => $"{collector.Paths}\n{bridge.Process.Output}");
        Assert.True(collector.Got("/v1/traces", Encoding.Latin1.GetString(Convert.FromHexString(TraceId))));
        Assert.All(
            (string[])["ada@example.test", "a secret", "app-made-7", "not.asked", "x-not-asked-for"],
            text => Assert.False(collector.Got("/v1/metrics", text) || collector.Got("/v1/traces", text), text));
        Assert.All(collector.Headers, header => Assert.NotEqual("x-not-asked-for", header));
        Assert.Equal(0, await bridge.StopAsync());
    }

    [Fact]
    public async Task A_collector_that_is_away_is_told_of_and_holds_nothing_up()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        await using var server = new ScriptedXmppServer();
        var environment = BridgeProcessOptions.Between(redis, server);
        environment["BRIDGE_OTLP_ENDPOINT"] = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{FreePorts.Next()}");
        await using var bridge = new BridgeProcess(new BridgeProcessOptions
        {
            Environment = environment,
            Configuration = "bridge.otlp { every = 1s, timeout = 1s }",
        });
        bridge.Start();
        await bridge.ReadyAsync(Patience);

        await connection.GetDatabase().ListRightPushAsync("xmpp:outbound", """{"to":"ada@example.test","body":"hi"}""");

        await Eventually.TrueAsync(() => server.Received.Count == 1, Patience, "the message to arrive", () => bridge.Process.Output);
        await bridge.Process.LineAsync(line => line.Contains("could not be sent to", StringComparison.Ordinal), Patience);
        Assert.Equal(0, await bridge.StopAsync());
    }

    /// <summary>Takes what is posted. Protobuf writes texts and ids as they are, so they can be looked for in the bytes.</summary>
    private sealed class Collector : IAsyncDisposable
    {
        private readonly HttpListener _listener = new();
        private readonly ConcurrentQueue<(string Path, string Body)> _posted = new();
        private readonly Task _listening;

        public Collector()
        {
            Address = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{FreePorts.Next()}");
            _listener.Prefixes.Add(Address + "/");
            _listener.Start();
            _listening = ListenAsync();
        }

        public string Address { get; }

        public ConcurrentQueue<string> Headers { get; } = new();

        public string Paths => string.Join(' ', _posted.Select(post => post.Path).Distinct());

        public bool Got(string path, params string[] texts) =>
            Array.TrueForAll(texts, text => _posted.Any(post => post.Path == path && post.Body.Contains(text, StringComparison.Ordinal)));

        public async ValueTask DisposeAsync()
        {
            _listener.Stop();
            await _listening;
            _listener.Close();
        }

        private async Task ListenAsync()
        {
            while (true)
            {
                try
                {
                    var context = await _listener.GetContextAsync();
                    using var body = new MemoryStream();
                    await context.Request.InputStream.CopyToAsync(body);
                    foreach (var header in context.Request.Headers.AllKeys)
                        Headers.Enqueue(header!);
                    _posted.Enqueue((context.Request.Url!.AbsolutePath, Encoding.Latin1.GetString(body.ToArray())));
                    context.Response.ContentType = "application/x-protobuf";
                    context.Response.Close();
                }
                catch (Exception exception) when (exception is HttpListenerException or ObjectDisposedException)
                {
                    return;
                }
            }
        }
    }
}
