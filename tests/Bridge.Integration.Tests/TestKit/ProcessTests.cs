using Bridge.TestKit;

namespace Bridge.Integration.Tests.TestKit;

public sealed class ProcessTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task A_process_ends_with_its_children_and_its_folder()
    {
        var process = new ServerProcess("shell");
        process.Start("sh", ["-c", "sleep 600 & echo child $!; wait"]);
        var line = await process.LineAsync(line => line.StartsWith("child ", StringComparison.Ordinal), Patience);
        var child = line["child ".Length..];

        await process.DisposeAsync();

        await Eventually.TrueAsync(() => !Directory.Exists($"/proc/{child}"), Patience, "the child is gone");
        Assert.False(Directory.Exists(process.Folder));
    }

    [Fact]
    public async Task A_signal_and_an_exit_code_are_told_apart()
    {
        await using var process = new ServerProcess("shell");
        process.Start("sh", ["-c", "trap 'exit 7' TERM; echo up; while :; do sleep 0.01; done"]);
        await process.LineAsync(line => line == "up", Patience);

        Assert.True(await process.StopAsync(Patience));
        Assert.Equal(7, process.ExitCode);

        process.Start("sleep", ["600"]);
        await process.KillAsync();
        Assert.Equal(137, process.ExitCode);
    }

    [Fact]
    public async Task A_process_that_keeps_its_input_can_be_told_something()
    {
        await using var process = new ServerProcess("cat");
        process.Start("cat", [], keepsInput: true);

        await process.TellAsync("hello");

        await process.LineAsync(line => line == "hello", Patience);
    }

    [Fact]
    public void Free_ports_are_never_handed_out_twice()
    {
        var ports = Enumerable.Range(0, 200).Select(_ => FreePorts.Next()).ToList();

        Assert.Equal(ports.Count, ports.Distinct().Count());
    }

    [Fact]
    public async Task A_condition_that_never_holds_is_named_with_its_last_state()
    {
        var error = await Assert.ThrowsAsync<TimeoutException>(() => Eventually.TrueAsync(
            () => false, TimeSpan.FromMilliseconds(50), "the queue is empty", () => "3 entries"));

        Assert.Contains("the queue is empty", error.Message, StringComparison.Ordinal);
        Assert.Contains("3 entries", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_repository_is_found_from_the_tests()
    {
        Assert.True(File.Exists(Path.Combine(BridgeProcess.RepositoryRoot, "Directory.Packages.props")));
    }

    [Fact]
    public void Metrics_are_read_with_their_labels()
    {
        var metrics = MetricsSnapshot.Parse("""
            # HELP taken_total Entries.
            # TYPE taken_total counter
            taken_total{bridge="main",note="a \"b\", {c}"} 5 1700000000000
            taken_total{bridge="other"} 2.5
            up 1
            le_bucket{le="+Inf"} +Inf
            """);

        Assert.Equal(7.5, metrics.Sum("taken_total"));
        Assert.Equal(5, metrics.Sum("taken_total", ("bridge", "main")));
        Assert.Equal("a \"b\", {c}", metrics.Samples[0].Labels["note"]);
        Assert.Equal(1, metrics.Sum("up"));
        Assert.Null(metrics.Sum("down"));
        Assert.Equal(double.PositiveInfinity, metrics.Sum("le_bucket"));
    }
}
