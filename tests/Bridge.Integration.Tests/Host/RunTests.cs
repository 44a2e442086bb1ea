using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Host;

public sealed class RunTests
{
    private const string Secret = "correct-horse";

    [Fact]
    public async Task A_running_bridge_is_live_and_ready_shows_its_metrics_and_ends_with_0_on_SIGTERM()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = new ScriptedXmppServer();
        await using var bridge = new BridgeProcess(new BridgeProcessOptions { Environment = Environment(redis, server.Port) });
        using var http = new HttpClient { BaseAddress = bridge.Http };

        bridge.Start();
        await bridge.ReadyAsync(TimeSpan.FromSeconds(20));

        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync(new Uri("/health/live", UriKind.Relative))).StatusCode);
        using var ready = JsonDocument.Parse(await http.GetStringAsync(new Uri("/health/ready", UriKind.Relative)));
        var main = ready.RootElement.GetProperty("bridges")[0];
        Assert.Equal(("main", "owner", "established"), (main.GetProperty("name").GetString(), main.GetProperty("role").GetString(), main.GetProperty("connection").GetString()));
        var metrics = "";
        // Ready is it before its first barrier has returned.
        await Eventually.TrueAsync(
            async () => (metrics = await http.GetStringAsync(new Uri("/metrics", UriKind.Relative))).Contains("\nbridge_barrier_round_trip_seconds_bucket{", StringComparison.Ordinal),
            TimeSpan.FromSeconds(20),
            "a barrier has returned");
        string[] names =
        [
            "bridge_entries_taken_total", "bridge_entries_confirmed_total", "bridge_entries_dead_lettered_total", "bridge_queue_length",
            "bridge_unconfirmed_entries", "bridge_barrier_round_trip_seconds_bucket", "bridge_connection_state", "bridge_reconnects_total",
            "bridge_restarts_total", "bridge_owner",
        ];
        Assert.All(names, name => Assert.Contains("\n" + name + "{", metrics, StringComparison.Ordinal));

        Assert.Equal(0, await bridge.StopAsync());
        Assert.DoesNotContain(Secret, bridge.Process.Output, StringComparison.Ordinal);
        Assert.All(bridge.Process.Lines, line => Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO |WARN |ERROR) \S+: ", line));
    }

    [Fact]
    public async Task A_bridge_without_Redis_is_live_but_not_ready_and_says_why()
    {
        var nowhere = FreePorts.Next();
        await using var server = new ScriptedXmppServer();
        await using var bridge = new BridgeProcess(new BridgeProcessOptions
        {
            Environment = new Dictionary<string, string?>
            {
                ["BRIDGE_REDIS"] = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{nowhere}"),
                ["BRIDGE_DOMAIN"] = server.Options.Component,
                ["BRIDGE_SECRET"] = Secret,
            },
        });
        using var http = new HttpClient { BaseAddress = bridge.Http };
        bridge.Start();

        var body = "";
        await Eventually.TrueAsync(
            async () =>
            {
                using var answer = await TryGetAsync(http, "/health/ready");
                body = answer is null ? "" : await answer.Content.ReadAsStringAsync();
                return answer?.StatusCode == HttpStatusCode.ServiceUnavailable && body.Contains("Redis", StringComparison.Ordinal);
            },
            TimeSpan.FromSeconds(20),
            "the bridge to say that Redis is missing",
            () => body + "\n" + bridge.Process.Output);

        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync(new Uri("/health/live", UriKind.Relative))).StatusCode);
        Assert.Equal(0, await bridge.StopAsync());
    }

    [Fact]
    public async Task JSON_logs_are_one_object_per_line()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = new ScriptedXmppServer();
        await using var bridge = new BridgeProcess(new BridgeProcessOptions
        {
            Environment = Environment(redis, server.Port),
            Configuration = "bridge.log.format = json",
        });
        bridge.Start();
        await bridge.ReadyAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(0, await bridge.StopAsync());

        Assert.NotEmpty(bridge.Process.Lines);
        foreach (var line in bridge.Process.Lines)
        {
            Assert.True(line.StartsWith('{'), line);
            using var entry = JsonDocument.Parse(line);
            Assert.False(string.IsNullOrEmpty(entry.RootElement.GetProperty("Message").GetString()));
        }
    }

    [Fact]
    public async Task A_taken_HTTP_port_ends_with_2_and_names_the_address()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var address = taken.LocalEndpoint.ToString()!;

        var (code, output) = await BridgeCommand.RunAsync(["run"], ("BRIDGE_DOMAIN", "a.b"), ("BRIDGE_SECRET", "x"), ("BRIDGE_HTTP", address));

        Assert.Equal(2, code);
        Assert.Contains($"HTTP cannot be served at {address}: another process listens there", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_taken_port_of_the_cluster_ends_with_2_before_anything_is_taken_from_Redis()
    {
        await using var redis = await RedisServer.StartAsync();
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);

        var (code, output) = await BridgeCommand.RunAsync(
            ["run"],
            ("BRIDGE_DOMAIN", "a.b"), ("BRIDGE_SECRET", "x"), ("BRIDGE_REDIS", redis.ConnectionString), ("BRIDGE_HTTP", "off"),
            ("BRIDGE_CLUSTER_SEEDS", "127.0.0.1:" + port), ("BRIDGE_CLUSTER_PORT", port));

        Assert.Equal(2, code);
        Assert.Contains($"The cluster's port cannot be listened on at 127.0.0.1:{port}", output, StringComparison.Ordinal);
        Assert.DoesNotContain("owns", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(PosixSignalNumber.Terminate, 143)]
    [InlineData(PosixSignalNumber.Interrupt, 130)]
    public async Task A_second_signal_ends_it_at_once(PosixSignalNumber signal, int expected)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = new ScriptedXmppServer();
        await using var bridge = new BridgeProcess(new BridgeProcessOptions { Environment = Environment(redis, server.Port) });
        bridge.Start();
        await bridge.ReadyAsync(TimeSpan.FromSeconds(20));
        // Without Redis the drain can neither settle nor give the lease back, so it waits for its deadline.
        await redis.Process.FreezeAsync();

        bridge.Process.Signal(signal);
        await bridge.Process.LineAsync(line => line.Contains("draining", StringComparison.Ordinal), TimeSpan.FromSeconds(10));
        bridge.Process.Signal(signal);

        Assert.Equal(expected, await bridge.Process.WaitForExitAsync(TimeSpan.FromSeconds(2)));
        redis.Process.Thaw();
    }

    private static Dictionary<string, string?> Environment(RedisServer redis, int port) => new()
    {
        ["BRIDGE_REDIS"] = redis.ConnectionString,
        ["BRIDGE_XMPP"] = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{port}"),
        ["BRIDGE_DOMAIN"] = new ScriptedXmppServerOptions().Component,
        ["BRIDGE_SECRET"] = Secret,
    };

    private static async Task<HttpResponseMessage?> TryGetAsync(HttpClient http, string path)
    {
        try
        {
            return await http.GetAsync(new Uri(path, UriKind.Relative));
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }
}
