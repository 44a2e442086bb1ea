using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Sandbox;

/// <summary>What comes after the demonstration: shows what the reader pushes, until a signal ends it.</summary>
internal sealed class Watch(Stage stage, Screen screen)
{
    private static readonly string[] Queues = [Stage.ListQueue, Stage.StreamQueue];
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(200);

    /// <summary>Returns after the signal.</summary>
    /// <returns>False when Bridge ended by itself before.</returns>
    public async Task<bool> RunAsync(CancellationToken stopping)
    {
        // Before anybody is told to push: what comes from then on is shown.
        var shown = new Dictionary<string, RedisValue>();
        foreach (var queue in Queues)
            shown[queue] = (await stage.DeadLettersAsync(queue, Stage.Beginning)).Select(letter => letter.Id).LastOrDefault(Stage.Beginning);

        screen.Line();
        screen.Heading("Push more from another terminal, and see them arrive here; Ctrl-C ends.");
        screen.Command(Push.List("", """{"to":"ada@example.test","body":"hello"}""").ShellLine(stage.Redis.Port));
        screen.Command(Push.Stream("", "to", "grace@example.test", "body", "hello").ShellLine(stage.Redis.Port));
        screen.Line();

        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var arrivals = stage.Users.Select(user => ShowArrivalsAsync(user, ending.Token)).ToList();
        await ShowDeadLettersAsync(shown, stopping);
        await ending.CancelAsync();
        await Task.WhenAll(arrivals);
        if (stage.Bridge.Process.IsRunning)
            return true;
        screen.Failure($"Bridge has ended by itself:\n{stage.Bridge.Process.Output}");
        return false;
    }

    private async Task ShowArrivalsAsync(XmppUser user, CancellationToken ending)
    {
        var shown = user.Received.Count;
        while (!ending.IsCancellationRequested)
        {
            await user.Received.CountAsync(shown + 1, Timeout.InfiniteTimeSpan)
                .WaitAsync(ending)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            foreach (var stanza in user.Received.Snapshot().Skip(shown))
            {
                shown++;
                screen.Received(Stage.LocalPart(user), stanza);
            }
        }
    }

    // Redis could only tell of new ones to a call that blocks, and StackExchange.Redis has none.
    private async Task ShowDeadLettersAsync(Dictionary<string, RedisValue> shown, CancellationToken stopping)
    {
        using var ticks = new PeriodicTimer(LookEvery);
        while (!stopping.IsCancellationRequested && stage.Bridge.Process.IsRunning)
        {
            foreach (var queue in Queues)
            {
                foreach (var letter in await stage.DeadLettersAsync(queue, shown[queue]))
                {
                    shown[queue] = letter.Id;
                    DeadLetterLines.Show(screen, stage, queue, letter);
                }
            }

            Task tick = ticks.WaitForNextTickAsync(stopping).AsTask();
            await tick.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
