using System.Diagnostics.Metrics;
using System.Text.RegularExpressions;
using Bridge.Host.Cli;
using Bridge.Host.Configuration;
using Bridge.Stanzas;
using Bridge.Telemetry;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Deploy;

/// <summary>What <c>docs/operations.md</c> names is there.</summary>
public sealed partial class OperationsManualTests
{
    private static readonly string Folder = Path.Combine(BridgeProcess.RepositoryRoot, "docs");
    private static readonly string Manual = File.ReadAllText(Path.Combine(Folder, "operations.md"));

    // Names with dots that are no settings of Bridge.
    private static readonly string[] Files = ["bridge.conf", "bridge.env", "bridge.service", "bridge.tar.gz", "statefulset.yaml"];

    [Fact]
    public void Every_metric_is_one_that_the_program_has()
    {
        var instruments = new HashSet<string>();
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, _) =>
        {
            if (instrument.Meter.Name == BridgeMetrics.MeterName)
                instruments.Add(Prometheus(instrument));
        };
        listener.Start();
        new BridgeMetrics("any").ShowZeros();
        using var gauges = new StatusGauges(new StatusBoard(TimeProvider.System), TimeProvider.System);

        var named = Metric().Matches(Manual).Select(match => match.Value).Distinct().ToList();

        Assert.NotEmpty(named);
        Assert.All(named, name => Assert.Contains(name, instruments));
    }

    [Fact]
    public void Every_setting_is_one_of_the_reference()
    {
        var root = HoconText.Parse(ConfigurationReader.Reference, [])!.Root;
        var named = Setting().Matches(Manual).Select(match => match.Groups[1].Value).Except(Files).Distinct().ToList();

        Assert.True(named.Count > 20);
        Assert.All(named, name => Assert.True(
            root.Find(name.Split('.')) is not null || root.Find(["bridge", "defaults", .. name.Split('.')]) is not null, name));
    }

    [Fact]
    public void Every_command_and_every_variable_is_one_that_the_program_knows()
    {
        var commands = BridgeCommandLine.Build().Subcommands.Select(command => command.Name).ToHashSet();

        Assert.All(Command().Matches(Manual).Select(match => match.Groups[1].Value), name => Assert.Contains(name, commands));
        Assert.All(Variable().Matches(Manual).Select(match => match.Value), name => Assert.Contains(name, EnvironmentKeys.All));
    }

    [Fact]
    public void Every_reason_of_a_503_stands_in_the_runbook()
    {
        var now = DateTimeOffset.UnixEpoch.AddHours(1);
        var well = new BridgeSnapshot { Name = "any", Role = BridgeRole.Owner, Connection = ConnectionState.Established, PublishedAt = now };
        BridgeSnapshot[] unwell =
        [
            well with { Role = BridgeRole.Stopped },
            well with { Role = BridgeRole.Draining },
            well with { Role = BridgeRole.Standby },
            well with { PublishedAt = now - TimeSpan.FromMinutes(1) },
            well with { QueueFault = "any" },
            well with { Connection = ConnectionState.Connecting },
            well with { Connection = ConnectionState.WaitingToReconnect },
            well with { Connection = ConnectionState.AwaitingStreamHeader },
            well with { Listening = false },
            well with { BusySince = now - TimeSpan.FromMinutes(1) },
        ];
        Assert.True(Readiness.Ready(well, now).Ready);

        Assert.All(unwell, snapshot =>
        {
            var (ready, reason) = Readiness.Ready(snapshot, now);
            Assert.False(ready);
            // Up to the first number or the words of somebody else.
            var words = Particular().Split(reason)[0].Trim();
            Assert.True(Manual.Contains(words, StringComparison.Ordinal) || Manual.Contains(words.Replace("XMPP: ", "", StringComparison.Ordinal), StringComparison.Ordinal), reason);
        });
    }

    [Theory]
    [InlineData(RejectionReason.NotUtf8)]
    [InlineData(RejectionReason.NotWellFormed)]
    [InlineData(RejectionReason.ForeignFrom)]
    [InlineData(RejectionReason.InvalidTo)]
    [InlineData(RejectionReason.Oversize)]
    [InlineData(RejectionReason.Expired)]
    [InlineData(RejectionReason.Duplicate)]
    public void Reasons_of_dead_letters_are_called_as_the_program_calls_them(RejectionReason reason) =>
        Assert.Contains($"`{reason.WireName()}`", Manual, StringComparison.Ordinal);

    [Fact]
    public void Every_link_leads_somewhere()
    {
        foreach (var target in Link().Matches(Manual).Select(match => match.Groups[1].Value).Where(target => !target.StartsWith("http", StringComparison.Ordinal)))
        {
            var (path, anchor) = target.Split('#') is [var file, var part] ? (file, part) : (target, null);
            var full = path.Length == 0 ? Path.Combine(Folder, "operations.md") : Path.GetFullPath(Path.Combine(Folder, path));
            Assert.True(Path.Exists(full), target);
            if (anchor is not null)
                Assert.True(Heading().Matches(File.ReadAllText(full)).Any(match => Anchor(match.Groups[1].Value) == anchor), target);
        }
    }

    // As GitHub makes it.
    private static string Anchor(string heading) =>
        string.Concat(heading.ToLowerInvariant().Where(character => char.IsLetterOrDigit(character) || character is ' ' or '-' or '_')).Replace(' ', '-');

    private static string Prometheus(Instrument instrument)
    {
        var name = instrument.Name.Replace('.', '_');
        name += instrument.Unit switch
        {
            "s" => "_seconds",
            "By" => "_bytes",
            _ => "",
        };
        return instrument is Counter<long> ? name + "_total" : name;
    }

    [GeneratedRegex("bridge_[a-z_]+[a-z]")]
    private static partial Regex Metric();

    [GeneratedRegex("`([a-z]+(?:-[a-z]+)*(?:\\.[a-z]+(?:-[a-z]+)*)+)(?: = [a-z_]+)?`")]
    private static partial Regex Setting();

    [GeneratedRegex("(?:`|^)bridge ([a-z]+)", RegexOptions.Multiline)]
    private static partial Regex Command();

    [GeneratedRegex("BRIDGE_[A-Z_]+")]
    private static partial Regex Variable();

    [GeneratedRegex("[0-9]|any|\\(")]
    private static partial Regex Particular();

    [GeneratedRegex("\\]\\(([^)]+)\\)")]
    private static partial Regex Link();

    [GeneratedRegex("^#+ (.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();
}
