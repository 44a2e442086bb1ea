using System.Globalization;
using System.Text.RegularExpressions;
using Bridge.TestKit;
using StackExchange.Redis;
using Xunit.Abstractions;

namespace Bridge.Integration.Tests.Sandbox;

#pragma warning disable CA1001 // xunit disposes it, through IAsyncLifetime.
public sealed partial class SandboxTests(ITestOutputHelper output) : IAsyncLifetime
#pragma warning restore CA1001
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly ServerProcess _sandbox = new("sandbox");

    [Fact]
    public async Task The_demonstration_ends_well_and_leaves_nothing_behind()
    {
        Start("--once");

        var code = await _sandbox.WaitForExitAsync(Patience);

        Assert.Equal(0, code);
        Assert.Contains("Bridge has drained and ended with exit code 0.", _sandbox.Lines);
        Assert.Contains(_sandbox.Lines, line => line.StartsWith("    dead-lettered as ", StringComparison.Ordinal));
        Assert.Empty(Directory.EnumerateFileSystemEntries(TemporaryFolder, "bridge-*"));
    }

    [Fact]
    public async Task What_the_reader_pushes_is_shown_until_an_interrupt_drains_it()
    {
        Start();
        await _sandbox.LineAsync(line => line.StartsWith("Push more", StringComparison.Ordinal), Patience);
        await using var redis = await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{RedisPort()}");

        await redis.GetDatabase().ListRightPushAsync("xmpp:outbound", """{"to":"ada@example.test","body":"from the reader"}""");
        await _sandbox.LineAsync(line => line.Contains("<body>from the reader</body>", StringComparison.Ordinal), Patience);
        await redis.GetDatabase().ListRightPushAsync("xmpp:outbound", "no payload that Bridge knows");
        await _sandbox.LineAsync(line => line.Contains("dead-lettered as unknown-payload-kind", StringComparison.Ordinal), Patience);
        _sandbox.Signal(PosixSignalNumber.Interrupt);
        var code = await _sandbox.WaitForExitAsync(Patience);

        Assert.Equal(0, code);
        Assert.Contains("Bridge has drained and ended with exit code 0.", _sandbox.Lines);
        Assert.Empty(Directory.EnumerateFileSystemEntries(TemporaryFolder, "bridge-*"));
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        output.WriteLine(string.Join('\n', _sandbox.Lines));
        await _sandbox.DisposeAsync();
    }

    private string TemporaryFolder => Path.Combine(_sandbox.Folder, "tmp");

    private void Start(params string[] arguments)
    {
        var program = Path.Combine(
            BridgeProcess.RepositoryRoot, "tests", "Bridge.Sandbox", "bin", "Release", "net10.0", "Bridge.Sandbox.dll");
        Directory.CreateDirectory(TemporaryFolder);
        _sandbox.Start("dotnet", [program, .. arguments], new Dictionary<string, string?> { ["TMPDIR"] = TemporaryFolder });
    }

    private int RedisPort() =>
        _sandbox.Lines
            .Select(line => RedisLine().Match(line))
            .Where(match => match.Success)
            .Select(match => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture))
            .First();

    [GeneratedRegex(@"^  Redis +127\.0\.0\.1:(\d+)$")]
    private static partial Regex RedisLine();
}
