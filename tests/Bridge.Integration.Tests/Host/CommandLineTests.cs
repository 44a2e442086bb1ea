using System.Text.Json;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Host;

public sealed class CommandLineTests
{
    [Theory]
    [InlineData("--help")]
    [InlineData("run", "--help")]
    public async Task Help_names_every_variable_the_exit_codes_and_an_example(params string[] arguments)
    {
        var (code, output) = await BridgeCommand.RunAsync(arguments);

        Assert.Equal(0, code);
        string[] words =
        [
            "BRIDGE_REDIS", "BRIDGE_QUEUE", "BRIDGE_QUEUE_KIND", "BRIDGE_XMPP", "BRIDGE_DOMAIN", "BRIDGE_SECRET", "BRIDGE_SECRET_FILE",
            "BRIDGE_HTTP", "BRIDGE_CONFIRM", "BRIDGE_HOLD", "xmpp:outbound", "127.0.0.1:9180", "Exit codes", "RPUSH", "bridge run",
        ];
        Assert.All(words, word => Assert.Contains(word, output, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_version_is_told()
    {
        var (code, output) = await BridgeCommand.RunAsync(["--version"]);

        Assert.Equal(0, code);
        Assert.Matches(@"^\d+\.\d+\.\d+", output);
    }

    [Fact]
    public async Task The_reference_of_settings_is_printed_as_it_stands_in_the_repository()
    {
        var (code, output) = await BridgeCommand.RunAsync(["config", "--reference"]);

        Assert.Equal(0, code);
        var reference = await File.ReadAllTextAsync(Path.Combine(BridgeProcess.RepositoryRoot, "hocon", "reference.conf"));
        Assert.Equal(reference.TrimEnd(), output.TrimEnd());
    }

    [Fact]
    public async Task The_settings_that_hold_are_printed_with_where_they_were_made_and_no_secret()
    {
        var file = Path.Combine(Path.GetTempPath(), $"bridge-{Guid.NewGuid():N}.conf");
        await File.WriteAllTextAsync(file, "bridge.defaults.confirm.hold = 3s");
        (string, string)[] environment = [("BRIDGE_DOMAIN", "a.b"), ("BRIDGE_SECRET", "hunter2"), ("BRIDGE_REDIS", "localhost,password=hunter3")];

        var (code, output) = await BridgeCommand.RunAsync(["config", "--changed", "-c", file], environment);
        var (jsonCode, json) = await BridgeCommand.RunAsync(["config", "--json", "-c", file], environment);
        File.Delete(file);

        Assert.Equal((0, 0), (code, jsonCode));
        Assert.Equal(
            [
                $"bridge.bridges.main.confirm.hold = 3s # {file}",
                "bridge.bridges.main.redis = \"localhost,password=*****\" # BRIDGE_REDIS",
                "bridge.bridges.main.xmpp.domain = a.b # BRIDGE_DOMAIN",
                "bridge.bridges.main.xmpp.secret = (set, not shown) # BRIDGE_SECRET",
            ],
            output.Split('\n').Where(line => line.StartsWith("bridge.bridges.main", StringComparison.Ordinal)).Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries))));
        using var all = JsonDocument.Parse(json);
        var http = all.RootElement.EnumerateArray().Single(setting => setting.GetProperty("key").GetString() == "bridge.log.level");
        Assert.Equal(("info", "default"), (http.GetProperty("value").GetString(), http.GetProperty("origin").GetString()));
        Assert.DoesNotContain("hunter", output + json, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("rnu")]
    [InlineData("run", "--confg", "x")]
    [InlineData("dead", "replay")]
    [InlineData("dead", "purge", "1-0", "--all")]
    [InlineData("dead", "list", "--count", "0")]
    public async Task A_mistyped_command_line_ends_with_2(params string[] arguments)
    {
        var (code, output) = await BridgeCommand.RunAsync(arguments);

        Assert.Equal(2, code);
        Assert.NotEmpty(output);
    }

    [Theory]
    [InlineData("run")]
    [InlineData("check")]
    [InlineData("dead", "list")]
    public async Task Mistakes_are_told_together_with_exit_code_2_before_anything_connects(params string[] arguments)
    {
        var (code, output) = await BridgeCommand.RunAsync(
            arguments, ("BRIDGE_HOLD", "2"), ("BRIDGE_XMPP", "somewhere"), ("BRIDGE_REDIS", "localhost,pasword=hunter2"), ("BRIDGE_SECRET", "hunter2"));

        Assert.Equal(2, code);
        Assert.All(["BRIDGE_HOLD", "BRIDGE_XMPP", "BRIDGE_REDIS", "BRIDGE_DOMAIN"], key => Assert.Contains(key, output, StringComparison.Ordinal));
        Assert.DoesNotContain("hunter2", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_file_that_is_missing_ends_with_2()
    {
        var (code, output) = await BridgeCommand.RunAsync(["run", "--config", "no-such.conf"], ("BRIDGE_DOMAIN", "a.b"), ("BRIDGE_SECRET", "x"));

        Assert.Equal(2, code);
        Assert.Contains("no-such.conf", output, StringComparison.Ordinal);
    }
}
