using Bridge.Chaos;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Chaos;

/// <summary>The command as it is called.</summary>
public sealed class ChaosCommandTests
{
    public static TheoryData<string, string> Mistakes => new()
    {
        { "--minutes", "--minutes lacks its value." },
        { "--minutes 0", "--minutes cannot be 0." },
        { "--minutes soon", "--minutes cannot be soon." },
        { "--minutes -1", "--minutes cannot be -1." },
        { "--seed x", "--seed cannot be x." },
        { "--seed 99999999999", "--seed cannot be 99999999999." },
        { "--server openfire", "--server cannot be openfire." },
        { "--hours 1", "--hours is not known." },
        { "1", "1 is not known." },
    };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public void A_mistake_is_told_in_words(string arguments, string words)
    {
        Assert.Null(CommandLine.Parse(arguments.Split(' '), out var mistake));
        Assert.Equal(words, mistake);
    }

    [Fact]
    public void All_of_it_can_be_said_and_none_of_it_need_be()
    {
        var said = CommandLine.Parse(["--minutes", "1.5", "--server", "ejabberd", "--seed", "7", "--report", "out"], out _);

        Assert.Equal(new CommandLine(TimeSpan.FromSeconds(90), 7, ServerKind.Ejabberd, "out"), said);
        Assert.NotNull(CommandLine.Parse([], out _));
    }

    [Fact]
    public async Task A_mistake_ends_it_with_exit_code_2_before_anything_starts()
    {
        await using var chaos = Start("--server", "openfire");

        Assert.Equal(2, await chaos.WaitForExitAsync(TimeSpan.FromSeconds(20)));
        Assert.Contains(CommandLine.Usage, chaos.Lines);
    }

    [Theory]
    [InlineData("2")]
    [InlineData("3")]
    public async Task A_short_run_ends_well_and_leaves_nothing_behind(string seed)
    {
        await using var chaos = Start("--server", "scripted", "--minutes", "0.4", "--seed", seed);

        var code = await chaos.WaitForExitAsync(TimeSpan.FromSeconds(200));

        Assert.True(code == 0, string.Join('\n', chaos.Lines));
        Assert.Contains("Every promise held.", chaos.Lines);
        Assert.True(File.Exists(Path.Combine(chaos.Folder, "chaos-reports", $"chaos-scripted-{seed}.html")));
        AssertNothingIsLeft(chaos);
    }

    [Fact]
    public async Task An_interrupt_ends_it_in_order_with_a_report()
    {
        await using var chaos = Start("--server", "scripted", "--minutes", "60", "--seed", "4");
        await chaos.LineAsync(line => line.Contains(" #1 ", StringComparison.Ordinal), TimeSpan.FromSeconds(60));

        chaos.Signal(PosixSignalNumber.Interrupt);
        var code = await chaos.WaitForExitAsync(TimeSpan.FromSeconds(200));

        Assert.True(code == 0, string.Join('\n', chaos.Lines));
        Assert.Contains("Interrupted. All is settled, queues and journals are empty.", chaos.Lines);
        AssertNothingIsLeft(chaos);
    }

    // It keeps everything in folders below this one.
    private static string TemporaryFolder(ServerProcess chaos) => Path.Combine(chaos.Folder, "tmp");

    private static ServerProcess Start(params string[] arguments)
    {
        var program = Path.Combine(
            BridgeProcess.RepositoryRoot, "tests", "Bridge.Chaos", "bin", "Release", "net10.0", "Bridge.Chaos.dll");
        var chaos = new ServerProcess("chaos");
        Directory.CreateDirectory(TemporaryFolder(chaos));
        chaos.Start("dotnet", [program, .. arguments], new Dictionary<string, string?> { ["TMPDIR"] = TemporaryFolder(chaos) });
        return chaos;
    }

    private static void AssertNothingIsLeft(ServerProcess chaos)
    {
        Assert.Empty(Directory.EnumerateDirectories(TemporaryFolder(chaos), "bridge-*"));
        Assert.DoesNotContain(Directory.EnumerateDirectories("/proc"), process => IsStartedBy(chaos, process));
    }

    // Its children inherit TMPDIR; environ(5) of a process that ended meanwhile cannot be read.
    private static bool IsStartedBy(ServerProcess chaos, string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "environ")).Contains($"TMPDIR={TemporaryFolder(chaos)}", StringComparison.Ordinal);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
