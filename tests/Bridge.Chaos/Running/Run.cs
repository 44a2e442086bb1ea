using Bridge.Chaos.Faults;
using Bridge.Chaos.Judgement;
using Bridge.Chaos.Reports;
using Bridge.TestKit;

namespace Bridge.Chaos.Running;

/// <summary>One run: load, faults, and the judge's eye on it, until the time is over or a promise is broken.</summary>
internal sealed class Run(CommandLine commandLine, LiveView view)
{
    private static readonly TimeSpan SettleBound = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan StrikeBound = TimeSpan.FromSeconds(60);

    /// <summary>Runs it to its end, which a cancellation brings forward.</summary>
    public async Task<RunResult> RunAsync(CancellationToken stopping)
    {
        await using var stage = new Stage(commandLine.Server, commandLine.Seed);
        // Drawn apart from the faults: the same seed has the same pace.
        var perSecond = new Random(commandLine.Seed ^ 0x5eed).Next(200, 700);
        var judge = new Judge(stage.Lanes, Stage.Window, perSecond);
        await stage.StartAsync(
            (stanza, observer) =>
            {
                if (stanza.Raw.Span.StartsWith("<message"u8))
                    judge.Arrived(stanza.Id, observer);
            },
            stopping);

        var timeline = new Timeline();
        using var watch = new RedisWatch(stage, judge);
        using var loading = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        using var watching = new CancellationTokenSource();
        var load = new Load(stage, judge, perSecond).RunAsync(loading.Token);
        var watched = Task.WhenAll(watch.RunAsync(watching.Token), SampleAsync(stage, judge, watch, timeline, watching.Token));
        view.Began(stage, perSecond);

        var ending = await StrikeAsync(stage, judge, stopping);
        await loading.CancelAsync();
        if (!judge.Broken.IsCompleted)
        {
            view.Line("All is healed; waiting until all is settled.");
            ending += await SettleAsync(stage, judge, watch, load);
        }

        await watching.CancelAsync();
        await watched;
        // A load whose push Redis still refuses ends with the stage.
        if (load.IsCompleted)
            await load;
        return new RunResult
        {
            CommandLine = commandLine,
            PerSecond = perSecond,
            Lanes = [.. stage.Lanes.Select(lane => lane.Name)],
            Ending = ending,
            Broken = judge.Broken.IsCompletedSuccessfully ? await judge.Broken : null,
            Length = judge.Now,
            Counts = judge.Counts,
            Episodes = judge.Episodes,
            History = judge.History,
            Samples = timeline.Samples,
            Outputs = judge.Broken.IsCompleted
                ? [.. stage.Bridges.Select((bridge, i) => $"Bridge {i + 1}:\n{bridge.Process.Output}")]
                : [],
        };
    }

    private async Task<string> StrikeAsync(Stage stage, Judge judge, CancellationToken stopping)
    {
        var schedule = new Schedule(commandLine.Seed, commandLine.Server);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        _ = judge.Broken.ContinueWith(_ => ended.Cancel(), TaskScheduler.Default);
        // Load and Bridges get going before anything strikes.
        await Stage.PassAsync(TimeSpan.FromSeconds(2), ended.Token);
        while (judge.Now < commandLine.Length && !ended.IsCancellationRequested)
        {
            var round = schedule.Next();
            var episode = judge.Strike(round);
            view.Struck(episode);
            try
            {
                await Task.WhenAll(round.Faults.Select(fault => StrikeAsync(stage, fault, ended.Token))).WaitAsync(StrikeBound, CancellationToken.None);
            }
            catch (Exception e) when (e is TimeoutException or InvalidOperationException or StackExchange.Redis.RedisException)
            {
                judge.Break("a fault can be struck and healed", $"{round}: {e.Message}");
            }

            judge.Heal(episode);
            foreach (var bridge in stage.Bridges.Where(bridge => !bridge.Process.IsRunning))
                judge.Break("Bridge runs on", $"One ended by itself with {bridge.Process.ExitCode}:\n{bridge.Process.Output}");
            if (round.Pause is not { } pause)
                continue;
            await RecoveredAsync(stage, episode, ended.Token);
            view.Recovered(episode);
            await Stage.PassAsync(pause, ended.Token);
        }

        return judge.Broken.IsCompleted
            ? "Stopped at the first broken promise."
            : stopping.IsCancellationRequested ? "Interrupted." : "The time is over.";
    }

    private static async Task StrikeAsync(Stage stage, Fault fault, CancellationToken ended)
    {
        try
        {
            await fault.StrikeAsync(stage);
            await Stage.PassAsync(fault.Length, ended);
        }
        finally
        {
            await fault.HealAsync(stage);
        }
    }

    private static async Task RecoveredAsync(Stage stage, Episode episode, CancellationToken ended)
    {
        // The judge's own bound ends this by breaking the promise.
        while (episode.RecoveredAt is null && !ended.IsCancellationRequested)
            await Stage.PassAsync(TimeSpan.FromMilliseconds(50), ended);
    }

    private static async Task<string> SettleAsync(Stage stage, Judge judge, RedisWatch watch, Task load)
    {
        try
        {
            await load.WaitAsync(SettleBound);
            await Eventually.TrueAsync(
                async () => judge.Broken.IsCompleted || (await watch.LookAsync() && watch.Depth is { Queued: 0, Journal: 0 }),
                SettleBound,
                "queues and journals are empty",
                () => watch.Depth.ToString());
            // What left the journal two seconds after its confirmation has arrived, or is on the last way.
            await Eventually.TrueAsync(
                async () => judge.Broken.IsCompleted || (await watch.LookAsync() && judge.Counts.Open == 0),
                TimeSpan.FromSeconds(15),
                "all has arrived");
        }
        catch (TimeoutException e) when (judge.Counts.Open == 0 || e.Message.Contains("journals", StringComparison.Ordinal))
        {
            judge.Break("all is settled in the end", e.Message);
        }
        catch (TimeoutException)
        {
            // The judge tells what is missing.
        }

        judge.Close();
        var codes = await Task.WhenAll(stage.Bridges.Select(bridge => bridge.StopAsync(TimeSpan.FromSeconds(20))));
        if (codes.Any(code => code != 0))
            judge.Break("Bridge ends in order", $"exit codes {string.Join(" and ", codes)}");
        return " All is settled, queues and journals are empty.";
    }

    private async Task SampleAsync(Stage stage, Judge judge, RedisWatch watch, Timeline timeline, CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            await Stage.PassAsync(TimeSpan.FromSeconds(1), stopping);
            judge.Connections(stage.XmppProxy.Connections);
            timeline.Add(judge.Now, judge.Counts, watch.Depth);
            view.Show(judge, timeline, watch.Depth);
        }
    }
}
