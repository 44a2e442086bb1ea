using System.Globalization;
using System.Text.RegularExpressions;
using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Integration.Tests.Sandbox;

public sealed partial class SandboxTests
{
    private const string Ended = "Bridge has drained and ended with exit code 0.";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task The_demonstration_ends_well_and_leaves_nothing_behind()
    {
        await using var sandbox = Start("--once");

        var code = await sandbox.WaitForExitAsync(Patience);

        Assert.True(code == 0, sandbox.Output);
        Assert.Contains("All 10 messages ended as they should.", sandbox.Lines);
        Assert.Contains(Ended, sandbox.Lines);
        AssertNothingIsLeft(sandbox);
    }

    [Fact]
    public async Task What_the_reader_pushes_is_shown_until_an_interrupt_drains_it()
    {
        await using var sandbox = Start();
        await sandbox.LineAsync(line => line.StartsWith("Push more", StringComparison.Ordinal), Patience);
        await using var connection = await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{RedisPort(sandbox)}");
        var redis = connection.GetDatabase();

        await redis.ListRightPushAsync("xmpp:outbound", """{"to":"ada@example.test","body":"from the reader"}""");
        await sandbox.LineAsync(line => line.Contains("<body>from the reader</body>", StringComparison.Ordinal), Patience);
        await redis.ListRightPushAsync("xmpp:outbound", "no payload that Bridge knows");
        await sandbox.LineAsync(line => line.Contains("dead-lettered as unknown-payload-kind", StringComparison.Ordinal), Patience);
        sandbox.Signal(PosixSignalNumber.Interrupt);
        var code = await sandbox.WaitForExitAsync(Patience);

        Assert.True(code == 0, sandbox.Output);
        Assert.Contains(Ended, sandbox.Lines);
        AssertNothingIsLeft(sandbox);
    }

    [Fact]
    public async Task An_argument_that_it_does_not_know_is_refused()
    {
        await using var sandbox = Start("--twice");

        Assert.Equal(2, await sandbox.WaitForExitAsync(Patience));
    }

    // The sandbox keeps everything in folders below this one.
    private static string TemporaryFolder(ServerProcess sandbox) => Path.Combine(sandbox.Folder, "tmp");

    private static ServerProcess Start(params string[] arguments)
    {
        var program = Path.Combine(
            BridgeProcess.RepositoryRoot, "tests", "Bridge.Sandbox", "bin", "Release", "net10.0", "Bridge.Sandbox.dll");
        var sandbox = new ServerProcess("sandbox");
        Directory.CreateDirectory(TemporaryFolder(sandbox));
        sandbox.Start("dotnet", [program, .. arguments], new Dictionary<string, string?> { ["TMPDIR"] = TemporaryFolder(sandbox) });
        return sandbox;
    }

    private static void AssertNothingIsLeft(ServerProcess sandbox)
    {
        Assert.Empty(Directory.EnumerateDirectories(TemporaryFolder(sandbox), "bridge-*"));
        Assert.DoesNotContain(Directory.EnumerateDirectories("/proc"), process => IsStartedBy(sandbox, process));
    }

    // Its children inherit TMPDIR; environ(5) of a process that ended meanwhile cannot be read.
    private static bool IsStartedBy(ServerProcess sandbox, string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "environ")).Contains($"TMPDIR={TemporaryFolder(sandbox)}", StringComparison.Ordinal);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static int RedisPort(ServerProcess sandbox) =>
        sandbox.Lines
            .Select(line => RedisLine().Match(line))
            .Where(match => match.Success)
            .Select(match => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture))
            .First();

    [GeneratedRegex(@"^  Redis +127\.0\.0\.1:(\d+)$")]
    private static partial Regex RedisLine();
}
