using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Bridge.Integration.Tests.Host;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Deploy;

/// <summary>The dashboard and the alerts, and what Prometheus itself makes of them and of the program.</summary>
public sealed partial class MonitoringFilesTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly string Prometheus = Path.Combine(BridgeProcess.RepositoryRoot, "deploy", "prometheus");
    private static readonly string Rules = Path.Combine(Prometheus, "alerts.yaml");
    private static readonly string Dashboard = Path.Combine(BridgeProcess.RepositoryRoot, "deploy", "grafana", "bridge.json");

    [Fact]
    public void The_alerts_name_series_that_are_served()
    {
        var expressions = Expression().Matches(File.ReadAllText(Rules)).Select(match => match.Groups[1].Value).ToList();

        Assert.True(expressions.Count >= 15);
        AssertServed(expressions);
    }

    [Fact]
    public void The_dashboard_names_series_that_are_served_and_shows_each_kind_of_thing_that_goes_wrong()
    {
        using var dashboard = JsonDocument.Parse(File.ReadAllText(Dashboard));
        var panels = dashboard.RootElement.GetProperty("panels").EnumerateArray().ToList();
        var expressions = panels
            .Where(panel => panel.TryGetProperty("targets", out _))
            .SelectMany(panel => panel.GetProperty("targets").EnumerateArray())
            .Select(target => target.GetProperty("expr").GetString()!)
            .ToList();

        AssertServed(expressions);
        Assert.Distinct(panels.Select(panel => panel.GetProperty("id").GetInt32()));
        var shown = string.Join('\n', expressions);
        string[] needed =
        [
            "bridge_owner", "bridge_queue_length", "bridge_entries_confirmed_total", "bridge_entries_dead_lettered_total", "bridge_reconnects_total",
            "bridge_redis_faults_total", "bridge_barriers_missing_total", "bridge_entry_delivery_time_seconds_bucket", "akka_actor_restarts_total",
            "akka_messages_latency_seconds_bucket", "akka_actor_mailbox_depth",
        ];
        Assert.All(needed, name => Assert.Contains(name, shown, StringComparison.Ordinal));
    }

    [Fact]
    public void Every_alert_leads_to_a_part_of_the_runbook()
    {
        var text = File.ReadAllText(Rules);
        var runbooks = Runbook().Matches(text).Select(match => match.Groups[1].Value).ToList();
        var manual = File.ReadAllText(Path.Combine(BridgeProcess.RepositoryRoot, "docs", "operations.md"));
        var anchors = Heading().Matches(manual).Select(match => Anchor(match.Groups[1].Value)).ToHashSet();

        Assert.Equal(Alert().Count(text), runbooks.Count);
        Assert.All(runbooks, anchor => Assert.Contains(anchor, anchors));
    }

    [Theory]
    [InlineData("check", "alerts.yaml")]
    [InlineData("test", "alerts.test.yaml")]
    public async Task Promtool_finds_nothing_wrong_with_the_alerts(string what, string file)
    {
        await using var promtool = new ServerProcess("promtool");
        promtool.Start("promtool", [what, "rules", Path.Combine(Prometheus, file)]);

        var code = await promtool.WaitForExitAsync(Patience);

        Assert.True(code == 0, promtool.Output);
    }

    [Fact]
    public void Each_alert_is_raised_in_the_tests_of_the_rules()
    {
        var tests = File.ReadAllText(Path.Combine(Prometheus, "alerts.test.yaml"));

        Assert.All(
            Alert().Matches(File.ReadAllText(Rules)).Select(match => match.Groups[1].Value),
            alert => Assert.Contains($"alertname=\"{alert}\"", tests, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Prometheus_scrapes_the_program_and_the_alerts_can_be_evaluated()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var server = new ScriptedXmppServer();
        await using var bridge = new BridgeProcess(new BridgeProcessOptions
        {
            Environment = BridgeProcessOptions.Between(redis, server),
        });
        bridge.Start();
        await bridge.ReadyAsync(Patience);
        await using var prometheus = new ServerProcess("prometheus");
        var address = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{FreePorts.Next()}");
        var configuration = Path.Combine(prometheus.Folder, "prometheus.yml");
        await File.WriteAllTextAsync(configuration, $$"""
            global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
            rule_files: ["{{Rules}}"]
            scrape_configs:
              - job_name: bridge
                static_configs: [ { targets: ["{{bridge.Http.Authority}}"] } ]
            """);
        prometheus.Start("prometheus",
        [
            "--config.file=" + configuration, "--storage.tsdb.path=" + Path.Combine(prometheus.Folder, "data"), "--web.listen-address=" + address, "--log.level=warn",
        ]);
        using var http = new HttpClient { BaseAddress = new Uri($"http://{address}") };

        await Eventually.TrueAsync(async () => await ValueAsync(http, "up{job=\"bridge\"}") == "1", Patience, "Prometheus to have scraped", () => prometheus.Output);
        Assert.Equal("1", await ValueAsync(http, "sum by (bridge) (bridge_owner)"));
        Assert.Equal("2", await ValueAsync(http, "akka_actor_live{actor=\"writer\",bridge=\"main\"}"));
        Assert.NotNull(await ValueAsync(http, "dotnet_process_memory_working_set_bytes"));
        Assert.NotNull(await ValueAsync(http, "histogram_quantile(0.99, sum by (le) (akka_messages_latency_seconds_bucket))"));
        var rules = new List<(string Name, string Health)>();
        await Eventually.TrueAsync(
            async () => (rules = await RulesAsync(http)).Count > 0 && rules.TrueForAll(rule => rule.Health != "unknown"),
            Patience,
            "Prometheus to have looked at every rule");
        Assert.All(rules, rule => Assert.Equal("ok", rule.Health));
        Assert.Equal(Alert().Count(await File.ReadAllTextAsync(Rules)), rules.Count);
    }

    private static void AssertServed(IEnumerable<string> expressions)
    {
        var named = expressions.SelectMany(expression => Metric().Matches(expression)).Select(match => match.Value).Distinct().ToList();
        Assert.NotEmpty(named);
        Assert.All(named, name => Assert.Contains(name, MetricsManual.Names));
    }

    private static async Task<string?> ValueAsync(HttpClient http, string query)
    {
        try
        {
            using var answer = await http.GetAsync(new Uri("/api/v1/query?query=" + Uri.EscapeDataString(query), UriKind.Relative));
            if (answer.StatusCode != HttpStatusCode.OK)
                return null;
            using var body = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
            var result = body.RootElement.GetProperty("data").GetProperty("result");
            return result.GetArrayLength() == 1 ? result[0].GetProperty("value")[1].GetString() : null;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    private static async Task<List<(string Name, string Health)>> RulesAsync(HttpClient http)
    {
        using var body = JsonDocument.Parse(await http.GetStringAsync(new Uri("/api/v1/rules", UriKind.Relative)));
        return
        [
            .. body.RootElement.GetProperty("data").GetProperty("groups").EnumerateArray()
                .SelectMany(group => group.GetProperty("rules").EnumerateArray())
                .Select(rule => (rule.GetProperty("name").GetString()!, rule.GetProperty("health").GetString()!)),
        ];
    }

    // As GitHub makes it.
    private static string Anchor(string heading) =>
        string.Concat(heading.ToLowerInvariant().Where(character => char.IsLetterOrDigit(character) || character is ' ' or '-' or '_')).Replace(' ', '-');

    [GeneratedRegex("^ +expr: (.+)$", RegexOptions.Multiline)]
    private static partial Regex Expression();

    [GeneratedRegex("\\b(?:bridge|akka|dotnet|process)_[a-z_]+[a-z]\\b")]
    private static partial Regex Metric();

    [GeneratedRegex("runbook: docs/operations\\.md#(\\S+)")]
    private static partial Regex Runbook();

    [GeneratedRegex("- alert: (\\S+)")]
    private static partial Regex Alert();

    [GeneratedRegex("^#+ (.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();
}
