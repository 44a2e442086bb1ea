using System.Text;
using Bridge.Deferral;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;

namespace Bridge.Integration.Tests.Queue;

/// <summary>Messages that are put off, on a real Redis: they leave the journal in one step, and come again in one.</summary>
public sealed class ScheduleTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly Deferred Said = new(2, true, 0xabc, DateTimeOffset.FromUnixTimeMilliseconds(5), null);

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task One_that_is_put_off_comes_again_when_it_is_due_with_what_was_said_of_it_and_once(QueueKind kind)
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, redis.Redis);
        await queue.PushAsync(3);
        var entries = (await queue.TakeAsync()).Entries;
        var payload = Encoding.UTF8.GetString(entries[1].Payload.Span);
        var putOff = PutOff(entries[1], In(TimeSpan.FromMilliseconds(300)));

        await queue.SettleAsync(EntryPosition.Zero, putOff);
        await queue.SettleAsync(EntryPosition.Zero, putOff);
        Assert.Equal(2, (await queue.ReadAllAsync()).Count(entry => entry.Kind == EntryKind.Payload));
        Assert.Equal(1, (await queue.Queue.DepthAsync()).Scheduled);
        var other = queue.OpenAnother();
        Assert.Equal([0xabcUL], (await other.RecoverAsync(queue.Grant)).Blocked.Select(blocked => blocked.Recipient));
        await queue.RecoverAsync();

        // A wait ends with it, though nobody pushes.
        List<QueueEntry> came = [];
        while (came.Count == 0)
            came.AddRange((await queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty)).Entries);

        var again = Assert.Single(came);
        Assert.True(again.Position > entries[2].Position);
        Assert.True(Deferred.TryRead(again.Payload.Span, out var said, out var length));
        Assert.Equal((Said, payload), (said, Encoding.UTF8.GetString(again.Payload.Span[length..])));
        await queue.SettleAsync(again.Position);
        Assert.Equal(new QueueDepth(0, 0, null, 0), await queue.Queue.DepthAsync());
        Assert.Equal(0, await queue.Dead.CountAsync());
        Assert.False(await queue.App.KeyExistsAsync(queue.Keys.ScheduledContent));
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task A_process_whose_clock_is_ahead_of_that_of_Redis_waits_until_what_was_put_off_is_due(QueueKind kind)
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, redis.Redis, settings => settings with { WaitTime = TimeSpan.FromSeconds(10) });
        await queue.PushAsync(1);
        var entry = Assert.Single((await queue.TakeAsync()).Entries);
        await queue.SettleAsync(EntryPosition.Zero, PutOff(entry, In(TimeSpan.FromMilliseconds(700))));
        var other = queue.OpenAnother(new AnHourAhead());
        var recovery = await other.RecoverAsync(queue.Grant);
        Assert.InRange(recovery.Clock!.Value, In(TimeSpan.FromSeconds(-30)), In(TimeSpan.FromSeconds(1)));
        Assert.InRange((await other.TakeAsync(recovery.Session, QueueUnderTest.Plenty, Settlement.Nothing)).DueIn!.Value, TimeSpan.Zero, TimeSpan.FromMilliseconds(700));

        var (waits, came) = (0, 0);
        for (; came == 0; waits++)
            came = (await other.WaitAndTakeAsync(recovery.Session, QueueUnderTest.Plenty)).Entries.Count;

        // By its own clock it would end as soon as it began, hundreds of times.
        Assert.InRange(waits, 1, 5);
    }

    [Fact]
    public async Task On_a_list_what_is_due_goes_ahead_of_the_queue_in_the_order_of_its_time()
    {
        await using var queue = await QueueUnderTest.StartAsync(QueueKind.List, redis.Redis);
        await queue.PushAsync(4);
        var entries = (await queue.TakeAsync()).Entries;
        var now = DateTimeOffset.UtcNow;
        await queue.SettleAsync(
            entries[3].Position, PutOff(entries[0], now.AddMilliseconds(-1)), PutOff(entries[1], now.AddMilliseconds(-2)), PutOff(entries[2], now.AddMilliseconds(-1)));
        await queue.PushAsync([.. Enumerable.Range(10, 3).Select(QueueUnderTest.Numbered)]);

        var taken = (await queue.TakeAsync(new TakeLimits(5, 1 << 20))).Entries;

        Assert.Equal(
            [.. new[] { 1, 0, 2 }.Select(i => Text(entries[i])), .. new[] { 10, 11 }.Select(i => Encoding.UTF8.GetString(QueueUnderTest.Numbered(i)))],
            taken.Select(Text));
        Assert.Equal((1L, 5L), ((await queue.Queue.DepthAsync()).Queued, (await queue.Queue.DepthAsync()).Journal));
    }

    [Fact]
    public async Task The_fields_of_a_stream_entry_come_again_and_stand_in_a_dead_letter_as_they_were()
    {
        await using var queue = await QueueUnderTest.StartAsync(QueueKind.Stream, redis.Redis);
        await queue.App.StreamAddAsync(queue.Keys.Queue, [new("to", "a@b"), new("body", "<\"\u00e4")]);
        var entry = Assert.Single((await queue.TakeAsync()).Entries);
        var envelope = Encoding.UTF8.GetString(entry.Payload.Span);
        await queue.SettleAsync(EntryPosition.Zero, PutOff(entry, DateTimeOffset.UnixEpoch));

        var again = Assert.Single((await queue.TakeAsync()).Entries);
        Assert.True(Deferred.TryRead(again.Payload.Span, out _, out var length));
        Assert.Equal(envelope, Encoding.UTF8.GetString(again.Payload.Span[length..]));

        // Twice put off is said once, and the app's own is what is kept.
        await queue.SettleAsync(EntryPosition.Zero, PutOff(again, DateTimeOffset.UnixEpoch));
        var third = Assert.Single((await queue.TakeAsync()).Entries);
        Assert.Equal(again.Payload.ToArray(), third.Payload.ToArray());
        await queue.SettleAsync(EntryPosition.Zero, new EndedEntry(third.Position, "convicted", "", -1, 1));
        var letter = Assert.Single(await queue.Dead.ListAsync(10));
        Assert.Equal(["to", "body"], letter.Fields.Select(field => field.Key));
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task Where_there_is_no_room_it_is_dead_lettered_and_told(QueueKind kind)
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, redis.Redis, settings => settings with { MaxScheduled = 1 });
        await queue.PushAsync(2);
        var entries = (await queue.TakeAsync()).Entries;
        await queue.SettleAsync(EntryPosition.Zero, PutOff(entries[0], In(TimeSpan.FromHours(1))), PutOff(entries[1], In(TimeSpan.FromHours(1))));

        var letter = Assert.Single(await queue.Dead.ListAsync(10));
        Assert.Equal(("retry-full", entries[1].Position), (letter.Reason, letter.Position));
        Assert.Equal(entries[1].Payload.ToArray(), letter.Payload.ToArray());
        Assert.Equal(["dead"], (await queue.App.StreamRangeAsync(queue.Keys.Outcomes)).Select(outcome => (string)outcome["ending"]!));
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task One_that_waited_for_an_answer_is_put_off_with_what_was_kept_of_it(QueueKind kind)
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, redis.Redis);
        await queue.PushAsync(2);
        var entries = (await queue.TakeAsync()).Entries;
        var waiting = new AwaitedAnswer($"{entries[0].Position} m0", new Outcome(Ending.Held, "m0", "a@b"), AnswerKind.Bounce, DateTimeOffset.UnixEpoch) { MayBeSentAgain = true };
        await queue.SettleAsync(entries[1].Position, new EndedEntry(entries[0].Position, "", "", -1, 0) { Awaits = waiting });
        Assert.Equal(1, await queue.App.HashLengthAsync(queue.Keys.Kept));
        var later = EndedEntry.OfAwaited(waiting.Key, waiting.Outcome) with { Later = new Postponement(DateTimeOffset.UnixEpoch, Said, "retry-full") };

        await queue.SettleAsync(EntryPosition.Zero, later);
        await queue.SettleAsync(EntryPosition.Zero, later);

        var again = Assert.Single((await queue.TakeAsync()).Entries);
        Assert.Equal(Text(entries[0]), Text(again));
        Assert.Equal((0, 0, 0), (await queue.App.HashLengthAsync(queue.Keys.Kept), await queue.App.HashLengthAsync(queue.Keys.Awaiting), await queue.App.SortedSetLengthAsync(queue.Keys.Scheduled)));
    }

    [Fact]
    public async Task A_stream_that_others_read_too_gets_nothing_again()
    {
        await using var queue = await QueueUnderTest.StartAsync(QueueKind.Stream, redis.Redis);
        await queue.PushAsync(1);
        await queue.App.StreamCreateConsumerGroupAsync(queue.Keys.Queue, "others", "0");
        var entry = Assert.Single((await queue.TakeAsync()).Entries);

        await queue.SettleAsync(EntryPosition.Zero, PutOff(entry, DateTimeOffset.UnixEpoch));

        Assert.Equal("shared-stream", Assert.Single(await queue.Dead.ListAsync(10)).Reason);
        Assert.Empty((await queue.TakeAsync()).Entries);
    }

    private sealed class AnHourAhead : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow().AddHours(1);
    }

    private static string Text(QueueEntry entry)
    {
        var payload = entry.Payload.Span;
        return Encoding.UTF8.GetString(payload[0] == Deferred.FirstByte && Deferred.TryRead(payload, out _, out var length) ? payload[length..] : payload);
    }

    private static DateTimeOffset In(TimeSpan time) => DateTimeOffset.UtcNow + time;

    private static EndedEntry PutOff(QueueEntry entry, DateTimeOffset due) =>
        new(entry.Position, "", "", -1, 0, new Outcome(Ending.Dead, "m", "a@b") { Reason = "retry-full" }) { Later = new Postponement(due, Said, "retry-full") };
}
