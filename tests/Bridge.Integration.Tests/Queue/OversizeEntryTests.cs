using System.Globalization;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.TestKit;
using Xunit.Abstractions;

namespace Bridge.Integration.Tests.Queue;

/// <summary>Tests that measure how long Redis is blocked: nothing else runs beside them.</summary>
/// <remarks>
/// What is measured is the processor time of Redis' main thread: unlike the clock on the wall, it is
/// that of an idle machine whatever else the machine does.
/// </remarks>
[CollectionDefinition(nameof(Undisturbed), DisableParallelization = true)]
public sealed class Undisturbed;

/// <summary>Entries far above the limit.</summary>
[Collection(nameof(Undisturbed))]
public sealed class OversizeEntryTests(ITestOutputHelper output)
{
    [Fact]
    public Task A_hundred_entries_of_ten_mebibytes_of_a_list_are_dead_lettered_whole_without_blocking_Redis() => DeadLetteredWholeAsync(QueueKind.List);

    [Fact]
    [Trait("Duration", "long")]
    public Task A_hundred_entries_of_ten_mebibytes_of_a_stream_are_dead_lettered_whole_without_blocking_Redis() => DeadLetteredWholeAsync(QueueKind.Stream);

    private async Task DeadLetteredWholeAsync(QueueKind kind)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var queue = await QueueUnderTest.StartAsync(kind, redis);
        var large = new byte[10 * 1024 * 1024];
        new Random(7).NextBytes(large);
        var one = await OfOneEntryAsync(queue, large);
        var good = 0;
        var worst = TimeSpan.Zero;
        List<string> arrived = [];

        // In ten rounds, so that the test itself does not need gigabytes.
        for (var round = 0; round < 10; round++)
        {
            Assert.True(await queue.Lease.RenewAsync(queue.Grant));
            for (var i = 0; i < 200; i++)
                await queue.PushAsync(QueueUnderTest.Numbered(good++));
            for (var i = 0; i < 10; i++)
            {
                await queue.PushAsync(large);
                if (i % 4 == 3)
                    await queue.PushAsync(QueueUnderTest.Numbered(good++));
            }

            TakenEntries taken;
            do
            {
                var before = await BusyAsync(queue);
                taken = await queue.TakeAsync();
                var blocked = await BusyAsync(queue) - before;
                worst = blocked > worst ? blocked : worst;
                arrived.AddRange(taken.Entries.Where(entry => entry.Kind == EntryKind.Payload).Select(entry => Convert.ToHexString(entry.Payload.Span)));
                if (taken.Entries.Count > 0)
                    await queue.SettleAsync(taken.Entries[^1].Position);
            }
            while (taken.Remaining != 0);

            var letters = await queue.Dead.ListAsync(20);
            Assert.Equal(10, letters.Length);
            Assert.All(letters, letter => Assert.Equal(large.Length, letter.Size));
            var shown = await queue.Dead.ShowAsync(letters[round].Id);
            Assert.True(shown!.Payload.Span.SequenceEqual(large));
            await queue.Dead.PurgeAllAsync();
        }

        output.WriteLine(
            $"{kind}: the longest take kept Redis busy for {worst.TotalMilliseconds:0} ms, to add one entry for {one.TotalMilliseconds:0} ms");
        Assert.Equal(Enumerable.Range(0, good).Select(number => Convert.ToHexString(QueueUnderTest.Numbered(number))), arrived);

        // A take copies the entries of one slice, eight at most, and 200 ms are enough for that. Where each new page of
        // memory costs ten microseconds (a virtual machine within another), it is the number of copies that counts.
        var limit = Math.Max(200, 20 * one.TotalMilliseconds);
        Assert.InRange(worst.TotalMilliseconds, 0, limit);
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task A_wait_that_a_huge_entry_ends_does_not_bring_it_into_the_process(QueueKind kind)
    {
        const int huge = 16 << 20;
        await using var redis = await RedisServer.StartAsync();
        await using var queue = await QueueUnderTest.StartAsync(
            kind, redis, settings => settings with { WaitTime = TimeSpan.FromSeconds(20), CallTimeout = TimeSpan.FromSeconds(20) });
        var waiting = queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty);
        await queue.WaitingAsync(1);

        // Made by Redis: it does not stand in the app's memory either.
        var push = kind == QueueKind.List ? "redis.call('RPUSH', KEYS[1], " : "redis.call('XADD', KEYS[1], '*', 'payload', ";
        var before = GC.GetTotalAllocatedBytes(precise: true);
        await queue.App.ScriptEvaluateAsync($"{push}string.rep('x', ARGV[1]))", [queue.Keys.Queue], [huge]);
        await queue.PushAsync(1);
        List<QueueEntry> entries = [.. (await waiting.WaitAsync(TimeSpan.FromSeconds(60))).Entries];
        while (!entries.Exists(entry => entry.Kind == EntryKind.Payload))
            entries.AddRange((await queue.TakeAsync()).Entries);
        var allocated = GC.GetTotalAllocatedBytes(precise: true) - before;

        output.WriteLine($"{kind}: {allocated / 1024} KiB allocated");
        Assert.InRange(allocated, 0, huge / 4);
        Assert.Equal(QueueUnderTest.Numbered(0), entries.Single(entry => entry.Kind == EntryKind.Payload).Payload.ToArray());
        Assert.Equal(huge, Assert.Single(await queue.Dead.ListAsync(2)).Size);
    }

    [Fact]
    public async Task A_settlement_of_a_whole_stream_blocks_Redis_for_moments_only()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var queue = await QueueUnderTest.StartAsync(QueueKind.Stream, redis);
        const int count = 60_000;
        await queue.App.ScriptEvaluateAsync(
            "for i = 1, ARGV[1] do redis.call('XADD', KEYS[1], '*', 'payload', i) end", [queue.Keys.Queue], [count]);
        var entries = await queue.TakeAllAsync(new TakeLimits(5_000, 1 << 20));
        Assert.Equal(count, entries.Count);

        var before = await BusyAsync(queue);
        var settled = await queue.SettleAsync(
            entries[^1].Position,
            new EndedEntry(entries[5].Position, "reason", "", -1, 1),
            new EndedEntry(entries[^2].Position, "reason", "", -1, 1));

        var busy = await BusyAsync(queue) - before;

        Assert.Equal(new SettleResult(count, 2, 0), settled);
        Assert.Equal(new QueueDepth(0, 0, null), await queue.Queue.DepthAsync());

        // Three calls at least, of which none does more than the 20,000 entries that the script allows itself.
        var calls = (string)(await queue.ServerAsync("INFO", "commandstats"))!;
        output.WriteLine($"{busy.TotalMilliseconds:0} ms in all; {calls.Split('\n').Single(line => line.StartsWith("cmdstat_eval:", StringComparison.Ordinal))}");
        Assert.InRange(busy / 3, TimeSpan.Zero, TimeSpan.FromMilliseconds(200));
    }

    /// <summary>For how long one such entry keeps Redis busy when an app adds it to a stream.</summary>
    private static async Task<TimeSpan> OfOneEntryAsync(QueueUnderTest queue, byte[] entry)
    {
        List<TimeSpan> added = [];
        for (var i = 0; i < 5; i++)
        {
            var before = await BusyAsync(queue);
            await queue.App.StreamAddAsync("one-entry", "payload", entry);
            added.Add(await BusyAsync(queue) - before);
            await queue.App.KeyDeleteAsync("one-entry");
        }

        return added.Order().ElementAt(2);
    }

    private static async Task<TimeSpan> BusyAsync(QueueUnderTest queue)
    {
        var lines = ((string)(await queue.ServerAsync("INFO", "cpu"))!).Split("\r\n");
        return TimeSpan.FromSeconds(Value("used_cpu_user_main_thread:") + Value("used_cpu_sys_main_thread:"));

        double Value(string name) => double.Parse(
            lines.Single(line => line.StartsWith(name, StringComparison.Ordinal))[name.Length..], CultureInfo.InvariantCulture);
    }
}
