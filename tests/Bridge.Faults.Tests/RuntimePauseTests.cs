using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Faults.Tests;

/// <summary>Tests that strike the whole process, and so every test that runs beside them: they run alone.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class WholeProcess
{
    public const string Name = "the whole process";
}

/// <summary>The runtime itself is in the way, in the middle of a flood: no worker of the pool is free, or the garbage is collected.</summary>
[Collection(WholeProcess.Name)]
public sealed class RuntimePauseTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    private const int Count = 15_000;

    [Theory]
    [InlineData("prosody", ConfirmGrade.Held, QueueKind.List)]
    [InlineData("ejabberd", ConfirmGrade.Accepted, QueueKind.Stream)]
    public async Task A_thread_pool_that_is_starved_for_longer_than_a_lease_costs_no_message(string name, ConfirmGrade grade, QueueKind kind)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name), kind: kind, bytesPerSecond: DeliveryTrial.SlowFlood);
        await trial.PushAsync(Count);
        await using var bridge = new InProcessBridge(trial.Settings(grade, window: 2_000));

        await trial.Ledger.ArrivedAsync(Count / 4, TimeSpan.FromSeconds(20));
        // The lease lasts 3 s in a trial.
        await StarveThePoolAsync(TimeSpan.FromSeconds(4));
        var report = await trial.EndAsync(TimeSpan.FromSeconds(60), bridge, LedgerExcuses.RepliesRepeated);

        Assert.True(report.IsKept, report.ToString());
        Assert.Equal(Count, report.Arrived);
    }

    [Theory]
    [InlineData("prosody", ConfirmGrade.Held, QueueKind.Stream)]
    [InlineData("ejabberd", ConfirmGrade.Accepted, QueueKind.List)]
    public async Task Full_collections_of_a_large_heap_repeat_nothing(string name, ConfirmGrade grade, QueueKind kind)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name), kind: kind, bytesPerSecond: DeliveryTrial.SlowFlood);
        await trial.PushAsync(Count);
        var heap = new object[2_000_000];
        for (var i = 0; i < heap.Length; i++)
            heap[i] = new object[] { heap[i / 2], i };
        await using var bridge = new InProcessBridge(trial.Settings(grade, window: 2_000));

        var paused = GC.GetTotalPauseDuration();
        for (var collections = 1; collections <= 8; collections++)
        {
            await trial.Ledger.ArrivedAsync(collections * Count / 10, TimeSpan.FromSeconds(20));
            GC.Collect(2, GCCollectionMode.Forced, blocking: true, compacting: true);
        }

        paused = GC.GetTotalPauseDuration() - paused;
        GC.KeepAlive(heap);
        var report = await trial.EndAsync(TimeSpan.FromSeconds(60), bridge);

        Assert.True(report.IsClean, report.ToString());
        Assert.Equal(Count, report.Arrived);
        Assert.True(paused > TimeSpan.FromMilliseconds(200), $"the collections paused for {paused} only");
    }

    // The calling test is among the starved: it goes on when the pool does.
    private static async Task StarveThePoolAsync(TimeSpan length)
    {
        using var over = new ManualResetEventSlim();
        var hungry = Enumerable.Range(0, 500).Select(_ => Task.Run(over.Wait)).ToArray();
        var watch = new Thread(() =>
        {
            // Nobody sets it: this is the clock, and needs no worker of the pool.
            using var never = new ManualResetEventSlim();
            never.Wait(length);
            over.Set();
        });
        watch.Start();
        await Task.WhenAll(hungry);
        watch.Join();
    }
}
