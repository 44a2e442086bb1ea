using System.Diagnostics;
using System.Globalization;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Deploy;

public sealed class ServiceManagerTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Systemd_is_told_of_the_start_of_reloads_and_of_the_stop_and_that_the_process_is_alive()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = new ScriptedXmppServer();
        await using var systemd = new NotifySocket();
        var cluster = FreePorts.Next().ToString(CultureInfo.InvariantCulture);
        await using var bridge = new BridgeProcess(new BridgeProcessOptions
        {
            Configuration = "bridge.defaults.lease.poll = 400ms",
            Environment = new Dictionary<string, string?>
            {
                ["BRIDGE_REDIS"] = redis.ConnectionString,
                ["BRIDGE_XMPP"] = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{server.Port}"),
                ["BRIDGE_DOMAIN"] = server.Options.Component,
                ["BRIDGE_SECRET"] = "correct-horse",
                ["BRIDGE_CLUSTER_SEEDS"] = "127.0.0.1:" + cluster,
                ["BRIDGE_CLUSTER_PORT"] = cluster,
                ["NOTIFY_SOCKET"] = systemd.Address,
                ["WATCHDOG_USEC"] = "400000",
            },
        });
        bridge.Start();
        await systemd.MessageAsync("READY=1", Patience);
        // What is ready hears signals, and works.
        await bridge.ReadyAsync(Patience);
        await systemd.MessageAsync("WATCHDOG=1", Patience);
        await AskAsync(bridge, PodPaths());

        bridge.Configure("bridge.defaults.lease.poll = 300ms");
        var before = Microseconds();
        bridge.Process.Signal(PosixSignalNumber.Hangup);
        var reloading = await systemd.MessageAsync("RELOADING=1", Patience);
        Assert.InRange(Number(reloading, "MONOTONIC_USEC="), before, Microseconds());
        Assert.Contains("STATUS=Running", await systemd.MessageAsync("READY=1", Patience));

        bridge.Configure("bridge.defaults.lease.poll = 3ms");
        bridge.Process.Signal(PosixSignalNumber.Hangup);
        await systemd.MessageAsync("RELOADING=1", Patience);
        Assert.Contains(await systemd.MessageAsync("READY=1", Patience), line => line.StartsWith("STATUS=The configuration is not reloaded", StringComparison.Ordinal));

        bridge.Process.Signal(PosixSignalNumber.Terminate);
        var stopping = await systemd.MessageAsync("STOPPING=1", Patience);
        Assert.Equal(0, await bridge.Process.WaitForExitAsync(TimeSpan.FromSeconds(20)));

        // What a node of a cluster may take with the defaults, the units and the pods give it.
        var longest = TimeSpan.FromMicroseconds(Number(stopping, "EXTEND_TIMEOUT_USEC="));
        Assert.InRange(longest, TimeSpan.FromSeconds(10), DeployFiles.UnitSeconds("TimeoutStopSec") - TimeSpan.FromSeconds(5));
        Assert.InRange(longest, TimeSpan.FromSeconds(10), TimeSpan.FromSeconds((double)DeployFiles.StatefulSet.Spec.Template.Spec.TerminationGracePeriodSeconds! - 5));
    }

    [Fact]
    public async Task A_socket_that_nobody_reads_is_told_of_in_the_log_and_changes_nothing()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = new ScriptedXmppServer();
        await using var bridge = new BridgeProcess(new BridgeProcessOptions
        {
            Environment = new Dictionary<string, string?>
            {
                ["BRIDGE_REDIS"] = redis.ConnectionString,
                ["BRIDGE_XMPP"] = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{server.Port}"),
                ["BRIDGE_DOMAIN"] = server.Options.Component,
                ["BRIDGE_SECRET"] = "correct-horse",
                ["NOTIFY_SOCKET"] = Path.Combine(redis.Process.Folder, "nobody"),
            },
        });
        bridge.Start();
        await bridge.ReadyAsync(Patience);

        await bridge.Process.LineAsync(line => line.Contains("systemd could not be told READY=1", StringComparison.Ordinal), Patience);
        Assert.Equal(0, await bridge.StopAsync());
    }

    // Probes and scraping of the pods, asked of the program that runs here.
    private static IEnumerable<string> PodPaths()
    {
        var template = DeployFiles.StatefulSet.Spec.Template;
        var container = template.Spec.Containers.Single();
        return [container.StartupProbe.HttpGet.Path, container.LivenessProbe.HttpGet.Path, container.ReadinessProbe.HttpGet.Path, template.Metadata.Annotations["prometheus.io/path"]];
    }

    private static async Task AskAsync(BridgeProcess bridge, IEnumerable<string> paths)
    {
        using var http = new HttpClient { BaseAddress = bridge.Http };
        foreach (var path in paths)
        {
            using var answer = await http.GetAsync(new Uri(path, UriKind.Relative));
            Assert.True(answer.IsSuccessStatusCode, $"{path}: {answer.StatusCode}");
        }
    }

    // CLOCK_MONOTONIC, which .NET's timestamps are on Linux.
    private static long Microseconds() => (long)Stopwatch.GetElapsedTime(0).TotalMicroseconds;

    private static long Number(string[] message, string name) =>
        long.Parse(message.Single(line => line.StartsWith(name, StringComparison.Ordinal))[name.Length..], CultureInfo.InvariantCulture);
}
