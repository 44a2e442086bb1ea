using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text;
using Bridge.TestKit;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Bridge.Integration.Tests.Host;

public sealed class OtlpTests
{
    private const string TraceId = "0af7651916cd43dd8448eb211c80319c";

    private const string Grpc = "grpc";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData("http", "/v1/metrics", "/v1/traces")]
    [InlineData(Grpc, "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", "/opentelemetry.proto.collector.trace.v1.TraceService/Export")]
    public async Task Metrics_and_the_spans_of_a_traced_message_come_to_the_collector_and_nothing_that_an_app_wrote(string protocol, string metrics, string traces)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        await using var server = new ScriptedXmppServer();
        await using var collector = await Collector.StartAsync(protocol);
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
            Configuration = $"bridge.otlp {{ protocol = {protocol}, every = 1s }}",
        });
        bridge.Start();
        await bridge.ReadyAsync(Patience);

        await connection.GetDatabase().StreamAddAsync(
            "xmpp:outbound",
            [new("to", "ada@example.test"), new("id", "app-made-7"), new("body", "a secret"), new("traceparent", $"00-{TraceId}-b7ad6b7169203331-01")]);

        string[] spans = ["bridge deliver", "queue wait", "encode", "write", "confirm"];
        await Eventually.TrueAsync(
            () => collector.Got(metrics, "bridge.entries.confirmed", "akka.messages.recv", "dotnet.gc.collections") && collector.Got(traces, spans),
            Patience,
            "metrics and spans to arrive",
            () => $"{collector.Paths}\n{bridge.Process.Output}");
        Assert.True(collector.Got(traces, Encoding.Latin1.GetString(Convert.FromHexString(TraceId))));
        Assert.All(
            (string[])["ada@example.test", "a secret", "app-made-7", "not.asked", "x-not-asked-for"],
            text => Assert.False(collector.Got(metrics, text) || collector.Got(traces, text), text));
        Assert.All(collector.Headers, header => Assert.NotEqual("x-not-asked-for", header));
        Assert.DoesNotContain("could not be sent to", bridge.Process.Output, StringComparison.Ordinal);
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

    /// <summary>
    /// Takes what is posted, over HTTP/1.1 or as a gRPC service does: HTTP/2 without TLS, a message behind its five bytes of length, the
    /// status in the trailers. Protobuf writes texts and ids as they are, so they can be looked for in the bytes.
    /// </summary>
    private sealed class Collector : IAsyncDisposable
    {
        private readonly WebApplication _app;
        private readonly ConcurrentQueue<(string Path, string Body)> _posted = new();
        private readonly bool _overGrpc;

        private Collector(string protocol)
        {
            _overGrpc = protocol == Grpc;
            var port = FreePorts.Next();
            Address = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}");
            var builder = WebApplication.CreateSlimBuilder();
            builder.Logging.ClearProviders();
            builder.WebHost.ConfigureKestrel(options => options.Listen(
                IPAddress.Loopback, port, listen => listen.Protocols = _overGrpc ? HttpProtocols.Http2 : HttpProtocols.Http1));
            _app = builder.Build();
            _app.Run(TakeAsync);
        }

        public string Address { get; }

        public ConcurrentQueue<string> Headers { get; } = new();

        public string Paths => string.Join(' ', _posted.Select(post => post.Path).Distinct());

        public static async Task<Collector> StartAsync(string protocol)
        {
            var collector = new Collector(protocol);
            await collector._app.StartAsync();
            return collector;
        }

        public bool Got(string path, params string[] texts) =>
            Array.TrueForAll(texts, text => _posted.Any(post => post.Path == path && post.Body.Contains(text, StringComparison.Ordinal)));

        public ValueTask DisposeAsync() => _app.DisposeAsync();

        private async Task TakeAsync(HttpContext context)
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            foreach (var header in context.Request.Headers.Keys)
                Headers.Enqueue(header);
            _posted.Enqueue((context.Request.Path, Encoding.Latin1.GetString(body.ToArray())));
            context.Response.ContentType = _overGrpc ? "application/grpc" : "application/x-protobuf";
            if (!_overGrpc)
                return;
            await context.Response.Body.WriteAsync(new byte[5]);
            context.Response.AppendTrailer("grpc-status", "0");
        }
    }
}
