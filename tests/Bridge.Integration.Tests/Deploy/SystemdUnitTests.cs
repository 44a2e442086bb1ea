using System.Globalization;
using System.Text.RegularExpressions;
using Bridge.Host.Cli;
using Bridge.Host.Configuration;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Deploy;

public sealed partial class SystemdUnitTests
{
    // Offline, systemd looks at the unit alone: 0 is a service that can do nothing, 10 one that can do all.
    private const double MostExposed = 1.5;

    [Fact]
    public async Task Systemd_finds_nothing_wrong_with_the_unit_and_little_that_it_exposes()
    {
        await using var process = new ServerProcess("systemd-analyze");
        var unit = Path.Combine(process.Folder, "bridge.service");
        // The runtime stands where it does on this machine.
        await File.WriteAllTextAsync(unit, (await File.ReadAllTextAsync(DeployFiles.Unit)).Replace("/usr/bin/dotnet", Environment.ProcessPath, StringComparison.Ordinal));

        process.Start("systemd-analyze", ["verify", "--man=no", unit]);
        var code = await process.WaitForExitAsync(TimeSpan.FromSeconds(20));
        // A setting that is not known is a warning, no more.
        Assert.True(code == 0 && process.Lines.Count == 0, $"{code}: {process.Output}");

        process.Start("systemd-analyze", ["security", "--offline=true", "--no-pager", unit]);
        await process.WaitForExitAsync(TimeSpan.FromSeconds(20));
        var overall = Exposure().Match(process.Output);
        Assert.True(overall.Success, process.Output);
        Assert.InRange(double.Parse(overall.Groups[1].Value, CultureInfo.InvariantCulture), 0, MostExposed);
    }

    [Fact]
    public void What_the_unit_starts_and_sets_is_what_the_program_reads()
    {
        var start = DeployFiles.UnitValues("ExecStart").Single().Split(' ');
        Assert.Equal(["/usr/bin/dotnet", "/opt/bridge/bridge.dll"], start[..2]);
        Assert.Empty(BridgeCommandLine.Build().Parse(start[2..]).Errors);
        var variables = DeployFiles.UnitValues("Environment").Select(line => line.Split('=')).ToDictionary(pair => pair[0], pair => pair[1]);
        Assert.All(variables.Keys.Where(name => name.StartsWith("BRIDGE_", StringComparison.Ordinal)), name => Assert.Contains(name, EnvironmentKeys.All));
        // %d: the folder with what LoadCredential hands over.
        Assert.Equal("%d/" + DeployFiles.UnitValues("LoadCredential").Single().Split(':')[0], variables[EnvironmentKeys.SecretFile]);
    }

    [GeneratedRegex(@"Overall exposure level for bridge\.service: ([0-9.]+)")]
    private static partial Regex Exposure();
}
