using System.Globalization;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Integration.Tests.Queue;

/// <summary>What both kinds of queue promise on a Redis that is well.</summary>
public abstract class QueueSuite(QueueKind kind, RedisFixture fixture) : IClassFixture<RedisFixture>
{
    protected QueueKind Kind => kind;

    protected RedisServer Redis => fixture.Redis;

    protected static EndedEntry Reject(EntryPosition position) => new(position, "not-well-formed", "a detail", 7, 2);

    [Fact]
    public async Task Entries_arrive_in_order_and_byte_for_byte()
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis);
        const int seed = 20_250_301;
        var random = new Random(seed);
        var pushed = Enumerable.Range(0, 3_000).Select(_ =>
        {
            var payload = new byte[random.Next(1, 2_000)];
            random.NextBytes(payload);
            return payload;
        }).ToList();
        await queue.PushAsync(pushed);

        var taken = await queue.TakeAllAsync(new TakeLimits(701, 300_000));

        Assert.Equal(pushed.Count, taken.Count);
        for (var i = 0; i < pushed.Count; i++)
            Assert.True(pushed[i].AsSpan().SequenceEqual(taken[i].Payload.Span), $"seed {seed}, entry {i}");
        Assert.All(taken, entry => Assert.Equal(EntryKind.Payload, entry.Kind));
        Assert.Equal(taken.Select(entry => entry.Position).Order(), taken.Select(entry => entry.Position));
        Assert.Equal(taken.Count, taken.Select(GeneratedId).Distinct().Count());
        Assert.All(taken, entry => Assert.Matches("^b-[0-9a-f]+-[0-9-]+$", GeneratedId(entry)));
    }

    [Fact]
    public async Task The_journal_repeats_exactly_what_was_taken()
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis);
        await queue.PushAsync(1_500);
        var taken = await queue.TakeAllAsync();
        await queue.RecoverAsync();

        var read = await queue.ReadAllAsync(new TakeLimits(200, 3_000));
        var again = await queue.ReadAllAsync();

        Assert.Equal(taken.Select(Facts), read.Select(Facts));
        Assert.Equal(taken.Select(Facts), again.Select(Facts));
        // Redis keeps a pending entry's time by the clock of the command's start, not of the moment.
        for (var i = 0; i < taken.Count; i++)
            Assert.InRange((taken[i].TakenAt - read[i].TakenAt).Duration(), TimeSpan.Zero, TimeSpan.FromMilliseconds(50));
    }

    [Fact]
    public async Task A_take_is_bounded_in_entries()
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis);
        await queue.PushAsync(100);

        Assert.Equal(37, (await queue.TakeAsync(new TakeLimits(37, 1 << 20))).Entries.Count);
        Assert.Single((await queue.TakeAsync(new TakeLimits(1, 1 << 20))).Entries);
        Assert.Equal(new QueueDepth(62, 38, null), await queue.Queue.DepthAsync() with { OldestQueued = null });
    }

    [Fact]
    public async Task A_take_is_bounded_in_bytes()
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis);
        await queue.PushAsync([.. Enumerable.Range(0, 100).Select(_ => new byte[10_000])]);

        var taken = await queue.TakeAsync(new TakeLimits(512, 100_000));

        // A slice of four is what the script may read too much of a stream.
        Assert.InRange(taken.Entries.Sum(entry => entry.Payload.Length), 100_000, 140_000);
    }

    [Fact]
    public async Task A_settlement_removes_the_prefix_and_dead_letters_what_was_rejected_in_it()
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis);
        await queue.PushAsync(10);
        var entries = (await queue.TakeAsync()).Entries;

        var settled = await queue.SettleAsync(entries[5].Position, Reject(entries[2].Position), Reject(entries[5].Position));

        Assert.Equal(new SettleResult(6, 2, 0), settled);
        Assert.Equal(entries.Skip(6).Select(Facts), (await queue.ReadAllAsync()).Select(Facts));
        var dead = await queue.Dead.ListAsync(10, newestFirst: false);
        Assert.Equal([entries[2].Position, entries[5].Position], dead.Select(letter => letter.Position));
        Assert.All(dead, letter => Assert.Equal(
            ("not-well-formed", "a detail", 7, 2), (letter.Reason, letter.Detail, letter.Offset, letter.Attempts)));
        Assert.Equal(QueueUnderTest.Numbered(2), dead[0].Payload.ToArray());
        Assert.Equal(GeneratedId(entries[2]), dead[0].GeneratedId);
        Assert.InRange((entries[2].TakenAt - dead[0].TakenAt).Duration(), TimeSpan.Zero, TimeSpan.FromMilliseconds(50));
    }

    [Fact]
    public async Task A_settlement_that_runs_twice_changes_nothing_the_second_time()
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis);
        await queue.PushAsync(10);
        var entries = (await queue.TakeAsync()).Entries;
        await queue.SettleAsync(entries[5].Position, Reject(entries[2].Position));

        var again = await queue.SettleAsync(entries[5].Position, Reject(entries[2].Position));

        Assert.Equal(default, again);
        Assert.Equal(4, (await queue.ReadAllAsync()).Count);
        Assert.Equal(1, await queue.Dead.CountAsync());
    }

    [Fact]
    public async Task What_is_rejected_behind_the_prefix_is_dead_lettered_at_once_and_never_again()
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis);
        await queue.PushAsync(10);
        var entries = (await queue.TakeAsync()).Entries;
        var mark = new ConfirmedMark(entries[8].Position, "127.0.0.1:5347", 0, default);
        var settlement = new Settlement(entries[1].Position, [Reject(entries[0].Position), Reject(entries[4].Position), Reject(entries[7].Position)], mark);
        // A place holder keeps the place on a list; on a stream the entry leaves the journal.
        var inPlace = kind == QueueKind.List ? 0 : 2;

        Assert.Equal(new SettleResult(2 + inPlace, 3, 0), await queue.Queue.SettleAsync(queue.Session, settlement));
        Assert.Equal(default, await queue.Queue.SettleAsync(queue.Session, settlement));

        // A new owner neither sends nor forgets them.
        var other = queue.OpenAnother();
        var recovery = await other.RecoverAsync(queue.Grant);
        Assert.Equal((8L - inPlace, entries[8].Position), (recovery.Count, recovery.Mark?.Position));
        var journal = (await other.ReadJournalAsync(recovery.Session, EntryPosition.Zero, QueueUnderTest.Plenty)).Entries;
        Assert.Equal(
            new[] { 2, 3, 5, 6, 8, 9 }.Select(number => Facts(entries[number])),
            journal.Where(entry => entry.Kind == EntryKind.Payload).Select(Facts));
        Assert.Equal(
            kind == QueueKind.List ? [(entries[4].Position, GeneratedId(entries[4]), 0), (entries[7].Position, GeneratedId(entries[7]), 0)] : [],
            journal.Where(entry => entry.Kind == EntryKind.DeadLettered).Select(entry => (entry.Position, GeneratedId(entry), entry.Payload.Length)));

        var end = await other.SettleAsync(recovery.Session, settlement with { UpTo = entries[9].Position });

        Assert.Equal(new SettleResult(8 - inPlace, 0, 0), end);
        var dead = await queue.Dead.ListAsync(10, newestFirst: false);
        Assert.Equal(
            new[] { 0, 4, 7 }.Select(number => (entries[number].Position, GeneratedId(entries[number]), Convert.ToHexString(QueueUnderTest.Numbered(number)))),
            dead.Select(letter => (letter.Position, letter.GeneratedId, Convert.ToHexString(letter.Payload.Span))));
        Assert.Equal(new QueueDepth(0, 0, null), await queue.Queue.DepthAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_settlement_of_no_prefix_dead_letters_what_was_rejected(bool withTake)
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis);
        await queue.PushAsync(10);
        var entries = (await queue.TakeAsync(new TakeLimits(8, 1 << 20))).Entries;
        var settlement = new Settlement(EntryPosition.Zero, [Reject(entries[0].Position), Reject(entries[7].Position)], null);

        var settled = withTake
            ? (await queue.Queue.TakeAsync(queue.Session, QueueUnderTest.Plenty, settlement)).Settled
            : await queue.Queue.SettleAsync(queue.Session, settlement);

        Assert.Equal(new SettleResult(kind == QueueKind.List ? 0 : 2, 2, 0), settled);
        await queue.TakeAllAsync();
        Assert.Equal(
            entries.Skip(1).Take(6).Select(Facts),
            (await queue.ReadAllAsync()).Where(entry => entry.Kind == EntryKind.Payload).Take(6).Select(Facts));
        Assert.Equal(
            [entries[0].Position, entries[7].Position],
            (await queue.Dead.ListAsync(10, newestFirst: false)).Select(letter => letter.Position));
    }

    [Fact]
    public async Task Many_rejected_entries_behind_the_prefix_do_not_make_it_longer()
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis);
        await queue.PushAsync(600);
        var entries = await queue.TakeAllAsync();
        var mark = new ConfirmedMark(entries[550].Position, "127.0.0.1:5347", 0, default);
        var rejected = entries.Where((_, number) => number % 2 == 0).Select(entry => Reject(entry.Position)).ToArray();

        var settled = await queue.Queue.SettleAsync(queue.Session, new Settlement(entries[99].Position, rejected, mark));

        Assert.Equal(new SettleResult(kind == QueueKind.List ? 100 : 350, 300, 0), settled);
        var recovery = await queue.RecoverAsync();
        Assert.Equal(mark.Position, recovery.Mark?.Position);
        Assert.Equal(
            entries.Skip(100).Where((_, number) => number % 2 == 1).Select(Facts),
            (await queue.ReadAllAsync()).Where(entry => entry.Kind == EntryKind.Payload).Select(Facts));
        Assert.Equal(
            rejected.Select(entry => entry.Position),
            (await queue.Dead.ListAsync(1_000, newestFirst: false)).Select(letter => letter.Position));
        await queue.Queue.SettleAsync(queue.Session, new Settlement(EntryPosition.Zero, rejected, null));
        Assert.Equal(300, await queue.Dead.CountAsync());
    }

    [Fact]
    public async Task The_mark_does_not_move_over_rejected_entries_that_were_not_dead_lettered()
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis);
        await queue.PushAsync(10);
        var entries = (await queue.TakeAsync()).Entries;
        await queue.App.StringSetAsync(queue.Keys.Dead, "not a stream");
        var mark = new ConfirmedMark(entries[9].Position, "127.0.0.1:5347", 0, default);
        var rejecting = new Settlement(EntryPosition.Zero, [Reject(entries[5].Position)], mark);

        var first = queue.Queue.SettleAsync(queue.Session, rejecting);
        var second = queue.Queue.SettleAsync(queue.Session, new Settlement(EntryPosition.Zero, [], mark));
        var third = queue.Queue.SettleAsync(queue.Session, new Settlement(entries[6].Position, [], mark));

        await QueueUnderTest.FaultsAsync(QueueFault.WrongType, () => first);
        await QueueUnderTest.FaultsAsync(QueueFault.Stale, () => second);
        await QueueUnderTest.FaultsAsync(QueueFault.Stale, () => third);
        await queue.App.KeyDeleteAsync(queue.Keys.Dead);
        var recovery = await queue.RecoverAsync();
        Assert.Null(recovery.Mark);
        Assert.Equal(entries.Select(Facts), (await queue.ReadAllAsync()).Select(Facts));
        Assert.Equal(1, (await queue.Queue.SettleAsync(queue.Session, rejecting)).DeadLettered);
        Assert.Equal(mark.Position, (await queue.RecoverAsync()).Mark?.Position);
    }

    [Fact]
    public async Task A_take_carries_a_settlement_and_its_mark()
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis);
        await queue.PushAsync(20);
        var entries = (await queue.TakeAsync(new TakeLimits(10, 1 << 20))).Entries;

        var mark = new ConfirmedMark(entries[7].Position, "127.0.0.1:5347", 1_700_000_000_123, default);
        var next = await queue.Queue.TakeAsync(
            queue.Session, new TakeLimits(4, 1 << 20), new Settlement(entries[3].Position, [Reject(entries[1].Position)], mark));

        Assert.Equal(new SettleResult(4, 1, 0), next.Settled);
        Assert.Equal(4, next.Entries.Count);
        var recovery = await queue.RecoverAsync();
        Assert.Equal((10, entries[4].Position, next.Entries[^1].Position), (recovery.Count, recovery.First, recovery.Last));
        Assert.NotNull(recovery.Mark);
        Assert.Equal(mark, recovery.Mark with { At = default });
        Assert.InRange(recovery.Mark.At, DateTimeOffset.UtcNow.AddMinutes(-1), DateTimeOffset.UtcNow.AddMinutes(1));
        Assert.True(recovery.ContinuesHistory);
    }

    [Fact]
    public async Task Many_rejected_entries_are_dead_lettered_in_order_within_the_bounds()
    {
        await using var queue = await QueueUnderTest.StartAsync(
            kind, Redis, dead: new DeadLetterSettings { MaxEntries = 250, MaxAge = TimeSpan.FromHours(1) });
        await queue.PushAsync(400);
        var entries = await queue.TakeAllAsync();

        var settled = await queue.SettleAsync(entries[399].Position, [.. entries.Take(300).Select(entry => Reject(entry.Position))]);

        Assert.Equal(new SettleResult(400, 300, 50), settled);
        var dead = await queue.Dead.ListAsync(1_000, newestFirst: false);
        Assert.Equal(entries.Skip(50).Take(250).Select(entry => entry.Position), dead.Select(letter => letter.Position));
    }

    [Fact]
    public async Task Pipelined_takes_keep_the_order_of_the_calls()
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis);
        await queue.PushAsync(4_000);

        var taken = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => queue.TakeAsync(new TakeLimits(250, 1 << 20))));

        Assert.Equal(
            Enumerable.Range(0, 4_000).Select(number => Convert.ToHexString(QueueUnderTest.Numbered(number))),
            taken.SelectMany(batch => batch.Entries).Select(entry => Convert.ToHexString(entry.Payload.Span)));
    }

    [Fact]
    public async Task A_settlement_behind_one_that_failed_changes_nothing()
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis);
        await queue.PushAsync(10);
        var entries = (await queue.TakeAsync()).Entries;
        await queue.App.StringSetAsync(queue.Keys.Dead, "not a stream");

        var first = queue.SettleAsync(entries[3].Position, Reject(entries[1].Position));
        var second = queue.SettleAsync(entries[6].Position);

        var wrong = await QueueUnderTest.FaultsAsync(QueueFault.WrongType, () => first);
        Assert.Equal($"The key {queue.Keys.Dead} holds a string, expected is a stream.", wrong.Message);
        await QueueUnderTest.FaultsAsync(QueueFault.Stale, () => second);
        Assert.Equal(10, (await queue.ReadAllAsync()).Count);

        await queue.App.KeyDeleteAsync(queue.Keys.Dead);
        Assert.Equal(10, (await queue.RecoverAsync()).Count);
        Assert.Equal(new SettleResult(7, 1, 0), await queue.SettleAsync(entries[6].Position, Reject(entries[1].Position)));
    }

    [Fact]
    public async Task A_stale_session_changes_nothing()
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis);
        await queue.PushAsync(10);
        var entries = (await queue.TakeAsync(new TakeLimits(5, 1 << 20))).Entries;
        var old = queue.Session;
        var recovery = await queue.RecoverAsync();
        Assert.Equal(old.Number + 1, recovery.Session.Number);

        var settlement = new Settlement(entries[2].Position, [Reject(entries[1].Position)], null);
        await QueueUnderTest.FaultsAsync(QueueFault.Stale, () => queue.Queue.TakeAsync(old, QueueUnderTest.Plenty, settlement));
        await QueueUnderTest.FaultsAsync(QueueFault.Stale, () => queue.Queue.WaitAndTakeAsync(old, QueueUnderTest.Plenty));
        await QueueUnderTest.FaultsAsync(QueueFault.Stale, () => queue.Queue.SettleAsync(old, settlement));
        await QueueUnderTest.FaultsAsync(QueueFault.Stale, () => queue.Queue.SettleAsync(old, settlement with { UpTo = EntryPosition.Zero }));
        await QueueUnderTest.FaultsAsync(QueueFault.Stale, () => queue.Queue.ReadJournalAsync(old, EntryPosition.Zero, QueueUnderTest.Plenty));

        Assert.Equal(new QueueDepth(5, 5, null), await queue.Queue.DepthAsync() with { OldestQueued = null });
        Assert.Equal(0, await queue.Dead.CountAsync());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("somebody-else:7:1")]
    public async Task Without_the_lease_nothing_changes(string? holder)
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis);
        await queue.PushAsync(10);
        var entries = (await queue.TakeAsync(new TakeLimits(5, 1 << 20))).Entries;
        if (holder is null)
            await queue.App.KeyDeleteAsync(queue.Keys.Lease);
        else
            await queue.App.StringSetAsync(queue.Keys.Lease, holder);

        var settlement = new Settlement(entries[2].Position, [Reject(entries[1].Position)], null);
        await QueueUnderTest.FaultsAsync(QueueFault.LeaseLost, () => queue.Queue.TakeAsync(queue.Session, QueueUnderTest.Plenty, settlement));
        await QueueUnderTest.FaultsAsync(QueueFault.LeaseLost, () => queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty));
        await QueueUnderTest.FaultsAsync(QueueFault.LeaseLost, () => queue.Queue.SettleAsync(queue.Session, settlement));
        await QueueUnderTest.FaultsAsync(
            QueueFault.LeaseLost, () => queue.Queue.ReadJournalAsync(queue.Session, EntryPosition.Zero, QueueUnderTest.Plenty));
        await QueueUnderTest.FaultsAsync(QueueFault.LeaseLost, queue.RecoverAsync);

        Assert.Equal(new QueueDepth(5, 5, null), await queue.Queue.DepthAsync() with { OldestQueued = null });
        Assert.Equal(0, await queue.Dead.CountAsync());
        Assert.Equal(holder, (string?)await queue.App.StringGetAsync(queue.Keys.Lease));
    }

    [Fact]
    public async Task A_wait_ends_with_the_push_and_takes_it()
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis, settings => settings with { WaitTime = TimeSpan.FromSeconds(20) });
        var waiting = queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty);
        await queue.WaitingAsync(1);

        await queue.PushAsync(1);

        var taken = await waiting.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.Equal(QueueUnderTest.Numbered(0), Assert.Single(taken.Entries).Payload.ToArray());
        Assert.Equal(0, taken.Remaining);
    }

    [Fact]
    public async Task A_wait_without_a_push_ends_with_nothing()
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis, settings => settings with { WaitTime = TimeSpan.FromMilliseconds(100) });

        var taken = await queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty);

        Assert.Empty(taken.Entries);
        Assert.Equal(0, taken.Remaining);
    }

    [Fact]
    public async Task A_flush_of_the_scripts_goes_unnoticed()
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis);
        await queue.PushAsync(30);
        for (var i = 0; i < 3; i++)
        {
            await queue.ServerAsync("SCRIPT", "FLUSH");
            var taken = await queue.TakeAsync(new TakeLimits(10, 1 << 20));
            Assert.Equal(10, taken.Entries.Count);
            await queue.ServerAsync("SCRIPT", "FLUSH");
            Assert.Equal(10, (await queue.SettleAsync(taken.Entries[^1].Position)).Removed);
        }
    }

    [Fact]
    public async Task A_wait_survives_that_Redis_forgets_the_scripts()
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis);
        for (var round = 0; round < 3; round++)
        {
            await queue.PushAsync(2);
            Assert.Equal(2, (await queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty)).Entries.Count);
            await queue.ServerAsync("SCRIPT", "FLUSH");
            var waiting = queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty);
            await queue.PushAsync(1);
            Assert.Single((await waiting).Entries);
        }

        Assert.Equal(9, (await queue.ReadAllAsync()).Count);
    }

    [Fact]
    public async Task An_entry_above_the_limit_is_dead_lettered_whole_and_its_neighbours_arrive()
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis);
        var large = new byte[300_000];
        new Random(1).NextBytes(large);
        await queue.PushAsync(QueueUnderTest.Numbered(0), large, large, QueueUnderTest.Numbered(1));

        List<OversizeEntry> oversize = [];
        List<QueueEntry> taken = [];
        TakenEntries batch;
        do
        {
            batch = await queue.TakeAsync();
            oversize.AddRange(batch.Oversize);
            taken.AddRange(batch.Entries);
        }
        while (batch.Remaining != 0);

        Assert.Equal(
            [Convert.ToHexString(QueueUnderTest.Numbered(0)), Convert.ToHexString(QueueUnderTest.Numbered(1))],
            taken.Where(entry => entry.Kind == EntryKind.Payload).Select(entry => Convert.ToHexString(entry.Payload.Span)));
        Assert.Equal(2, oversize.Count);
        Assert.All(oversize, entry => Assert.Equal("oversize", entry.Reason));
        Assert.Equal(
            kind == QueueKind.List ? oversize.Select(entry => entry.Position) : [],
            taken.Where(entry => entry.Kind == EntryKind.DeadLettered).Select(entry => entry.Position));
        var dead = await queue.Dead.ListAsync(10, newestFirst: false);
        Assert.Equal(oversize.Select(entry => entry.Position), dead.Select(letter => letter.Position));
        Assert.Equal(large, (await queue.Dead.ShowAsync(dead[1].Id))!.Payload.ToArray());
        var all = await queue.SettleAsync(taken[^1].Position);
        Assert.Equal((taken.Count, 0L), (all.Removed, all.DeadLettered));
        Assert.Equal(new QueueDepth(0, 0, null), await queue.Queue.DepthAsync());
    }

    [Fact]
    public async Task A_recovery_by_the_same_object_continues_its_history_and_one_by_another_does_not()
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis);
        await queue.PushAsync(10);
        await queue.TakeAsync();

        Assert.True((await queue.RecoverAsync()).ContinuesHistory);
        Assert.False((await queue.OpenAnother().RecoverAsync(queue.Grant)).ContinuesHistory);
        Assert.False((await queue.RecoverAsync()).ContinuesHistory);
        Assert.True((await queue.RecoverAsync()).ContinuesHistory);
    }

    [Fact]
    public async Task Of_two_recoveries_under_way_at_once_the_later_session_counts()
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis);
        await queue.PushAsync(10);
        await queue.TakeAsync(new TakeLimits(4, 1 << 20));

        for (var round = 0; round < 20; round++)
        {
            var overtaken = queue.Queue.RecoverAsync(queue.Grant);
            var later = await queue.RecoverAsync();
            Assert.True(later.ContinuesHistory);
            try
            {
                var first = await overtaken;
                Assert.True(first.ContinuesHistory);
                Assert.Equal(later.Session.Number - 1, first.Session.Number);
            }
            catch (QueueFaultException fault)
            {
                // The answers passed each other.
                Assert.Equal(QueueFault.Stale, fault.Fault);
            }

            Assert.Equal(4, (await queue.ReadAllAsync()).Count);
        }

        Assert.Equal(6, (await queue.TakeAllAsync()).Count);
    }

    [Fact]
    public async Task After_a_flush_of_everything_a_new_lease_starts_a_new_history()
    {
        // A Redis of its own: the others' keys would go as well.
        await using var redis = await RedisServer.StartAsync();
        await using var queue = await QueueUnderTest.StartAsync(kind, redis);
        await queue.PushAsync(10);
        var before = (await queue.TakeAsync()).Entries;
        await queue.ServerAsync("FLUSHALL");

        await QueueUnderTest.FaultsAsync(QueueFault.LeaseLost, () => queue.TakeAsync());
        await queue.AcquireAsync();
        var recovery = await queue.RecoverAsync();
        Assert.False(recovery.ContinuesHistory);
        Assert.Equal(0, recovery.Count);

        await queue.PushAsync(10);
        var after = await queue.TakeAllAsync();
        Assert.Equal(10, after.Count);
        Assert.Empty(before.Select(GeneratedId).Intersect(after.Select(GeneratedId)));
    }

    [Fact]
    public async Task A_queue_of_the_wrong_type_is_named()
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis);
        await queue.App.KeyDeleteAsync(queue.Keys.Queue);
        await queue.App.SetAddAsync(queue.Keys.Queue, "member");

        var expected = kind == QueueKind.List ? "list" : "stream";
        var words = $"The key {queue.Keys.Queue} holds a set, expected is a {expected}.";
        Assert.Equal(words, (await QueueUnderTest.FaultsAsync(QueueFault.WrongType, () => queue.TakeAsync())).Message);
        Assert.Equal(words, (await QueueUnderTest.FaultsAsync(QueueFault.WrongType, queue.RecoverAsync)).Message);
        Assert.Equal(
            words,
            (await QueueUnderTest.FaultsAsync(QueueFault.WrongType, () => queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty))).Message);

        await queue.App.KeyDeleteAsync(queue.Keys.Queue);
        await queue.RecoverAsync();
        await queue.PushAsync(3);
        Assert.Equal(3, (await queue.TakeAllAsync()).Count);
    }

    [Fact]
    public async Task Dead_letters_are_listed_shown_replayed_and_purged()
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, Redis);
        await queue.PushAsync(40);
        var entries = await queue.TakeAllAsync();
        await queue.SettleAsync(entries[^1].Position, [.. entries.Select(entry => Reject(entry.Position))]);

        var first = await queue.Dead.ListAsync(30);
        var second = await queue.Dead.ListAsync(30, behind: first[^1].Id);
        Assert.Equal(
            entries.Select(entry => entry.Position).Reverse(), first.Concat(second).Select(letter => letter.Position));
        Assert.Null(await queue.Dead.ShowAsync("1-1"));
        Assert.Equal(QueueUnderTest.Numbered(39), (await queue.Dead.ShowAsync(first[0].Id))!.Payload.ToArray());

        Assert.Equal(1, (await queue.Dead.ReplayAsync(first[0].Id)).Replayed);
        Assert.Equal(0, (await queue.Dead.ReplayAsync(first[0].Id)).Replayed);
        Assert.True(await queue.Dead.PurgeAsync(first[1].Id));
        Assert.False(await queue.Dead.PurgeAsync(first[1].Id));
        Assert.Equal(38, (await queue.Dead.ReplayAllAsync()).Replayed);
        Assert.Equal(0, await queue.Dead.CountAsync());

        var again = await queue.TakeAllAsync();
        Assert.Equal(
            [39, .. Enumerable.Range(0, 38)],
            again.Select(entry => int.Parse(System.Text.Encoding.UTF8.GetString(entry.Payload.Span)[14..^3], CultureInfo.InvariantCulture)));
        await queue.SettleAsync(again[^1].Position, [.. again.Select(entry => Reject(entry.Position))]);
        Assert.Equal(39, await queue.Dead.PurgeAllAsync());
        Assert.Equal(new QueueDepth(0, 0, null), await queue.Queue.DepthAsync());
    }

    protected static string GeneratedId(QueueEntry entry) => entry.GeneratedId;

    protected static string Facts(QueueEntry entry) =>
        $"{entry.Position} {entry.Kind} {GeneratedId(entry)} {entry.PushedAt:O} {Convert.ToHexString(entry.Payload.Span)}";
}

public sealed class ListQueueTests(RedisFixture fixture) : QueueSuite(QueueKind.List, fixture)
{
    [Fact]
    public async Task A_deleted_counter_makes_the_session_stale_and_recovery_rebuilds_it()
    {
        await using var queue = await QueueUnderTest.StartAsync(QueueKind.List, Redis);
        await queue.PushAsync(10);
        var before = (await queue.TakeAsync(new TakeLimits(6, 1 << 20))).Entries;
        await queue.App.KeyDeleteAsync(queue.Keys.Confirmed);

        await QueueUnderTest.FaultsAsync(QueueFault.Stale, () => queue.TakeAsync());
        var recovery = await queue.RecoverAsync();
        Assert.False(recovery.ContinuesHistory);
        Assert.Equal((6L, before[^1].Position), (recovery.Count, recovery.Last));
        await queue.SettleAsync(before[^1].Position);

        // With an empty journal, only the object's memory tells where the sequences stood.
        await queue.App.KeyDeleteAsync(queue.Keys.Confirmed);
        await queue.RecoverAsync();
        var after = await queue.TakeAllAsync();
        Assert.Equal(4, after.Count);
        Assert.Equal(EntryPosition.OfSequence(7), after[0].Position);
    }

    [Fact]
    public async Task An_empty_entry_is_dead_lettered_at_once_and_its_neighbours_arrive()
    {
        await using var queue = await QueueUnderTest.StartAsync(QueueKind.List, Redis);
        await queue.PushAsync(QueueUnderTest.Numbered(0), [], [], QueueUnderTest.Numbered(1), []);

        var taken = await queue.TakeAsync();

        Assert.Equal(
            [EntryKind.Payload, EntryKind.DeadLettered, EntryKind.DeadLettered, EntryKind.Payload, EntryKind.DeadLettered],
            taken.Entries.Select(entry => entry.Kind));
        Assert.Equal(
            new ulong[] { 2, 3, 5 }.Select(sequence => new OversizeEntry(EntryPosition.OfSequence(sequence), 0, "empty-payload")),
            taken.Oversize);
        var dead = await queue.Dead.ListAsync(10);
        Assert.Equal(taken.Oversize.Select(entry => entry.Position).Reverse(), dead.Select(letter => letter.Position));
        Assert.All(dead, letter => Assert.Equal(("empty-payload", 0L), (letter.Reason, letter.Size)));
        Assert.Equal(taken.Entries.Select(Facts), (await queue.ReadAllAsync()).Select(Facts));
        Assert.Equal(new SettleResult(5, 0, 0), await queue.SettleAsync(taken.Entries[^1].Position));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(64)]
    public async Task The_journal_tells_of_each_entry_when_and_by_whom_it_was_taken_whatever_is_read_and_settled(int batch)
    {
        await using var queue = await QueueUnderTest.StartAsync(QueueKind.List, Redis);
        const int seed = 20_261_124;
        var random = new Random(seed);
        await queue.PushAsync(200);
        List<QueueEntry> taken = [];
        while (taken.Count < 200)
        {
            if (random.Next(5) == 0)
                await queue.RecoverAsync();
            taken.AddRange((await queue.TakeAsync(new TakeLimits(random.Next(1, batch + 1), 1 << 20))).Entries);
        }

        for (var settled = 0; settled < 200;)
        {
            var after = random.Next(0, 201);
            var read = (await queue.Queue.ReadJournalAsync(queue.Session, EntryPosition.OfSequence((ulong)after), new TakeLimits(random.Next(1, 80), 1 << 20))).Entries;
            Assert.Equal(
                taken.Skip(Math.Max(after, settled)).Take(read.Count).Select(entry => (Facts(entry), entry.TakenAt)),
                read.Select(entry => (Facts(entry), entry.TakenAt)));
            Assert.True(read.Count > 0 || after >= 200, $"seed {seed}: nothing was read behind {after}");
            var upTo = Math.Min(200, settled + random.Next(1, 40));
            Assert.Equal(upTo - settled, (await queue.SettleAsync(EntryPosition.OfSequence((ulong)upTo))).Removed);
            settled = upTo;
            Assert.Equal(settled == 200 ? 0 : 1, Math.Sign(await queue.App.ListLengthAsync(queue.Keys.Runs)));
        }
    }

    [Theory]
    [InlineData("an entry too many")]
    [InlineData("an entry too few")]
    [InlineData("no runs")]
    public async Task A_journal_that_somebody_edited_is_refused_by_every_call(string edit)
    {
        await using var queue = await QueueUnderTest.StartAsync(QueueKind.List, Redis);
        await queue.PushAsync(10);
        var entries = (await queue.TakeAsync(new TakeLimits(5, 1 << 20))).Entries;
        await queue.SettleAsync(entries[1].Position);
        switch (edit)
        {
            case "an entry too many":
                await queue.App.ListLeftPushAsync(queue.Keys.Inflight, "by hand");
                break;
            case "an entry too few":
                await queue.App.ListRightPopAsync(queue.Keys.Inflight, 1);
                break;
            default:
                await queue.App.KeyDeleteAsync(queue.Keys.Runs);
                break;
        }

        Assert.Contains("journal", (await QueueUnderTest.FaultsAsync(QueueFault.Other, queue.RecoverAsync)).Message, StringComparison.Ordinal);
        if (edit == "no runs")
            return;
        await QueueUnderTest.FaultsAsync(QueueFault.Other, () => queue.TakeAsync());
        await QueueUnderTest.FaultsAsync(QueueFault.Other, () => queue.SettleAsync(entries[4].Position));
        await QueueUnderTest.FaultsAsync(QueueFault.Other, () => queue.Queue.ReadJournalAsync(queue.Session, EntryPosition.Zero, QueueUnderTest.Plenty));
        Assert.Equal(5, await queue.App.ListLengthAsync(queue.Keys.Queue));
    }

    [Fact]
    public async Task A_mark_ahead_of_everything_that_was_taken_is_void()
    {
        await using var queue = await QueueUnderTest.StartAsync(QueueKind.List, Redis);
        await queue.PushAsync(10);
        var entries = await queue.TakeAllAsync();
        await queue.Queue.SettleAsync(
            queue.Session, new Settlement(entries[7].Position, [], new ConfirmedMark(entries[9].Position, "127.0.0.1:5347", 0, default)));
        await queue.App.KeyDeleteAsync(queue.Keys.Inflight);
        await queue.App.HashDeleteAsync(queue.Keys.Confirmed, "taken");

        var other = queue.OpenAnother();
        var recovery = await other.RecoverAsync(queue.Grant);

        Assert.Null(recovery.Mark);
        await queue.PushAsync(12);
        Assert.Equal(EntryPosition.OfSequence(1), (await other.TakeAsync(recovery.Session, QueueUnderTest.Plenty, Settlement.Nothing)).Entries[0].Position);
        Assert.Null((await other.RecoverAsync(queue.Grant)).Mark);
    }

    [Fact]
    public async Task A_journal_that_somebody_edited_is_refused_in_words()
    {
        await using var queue = await QueueUnderTest.StartAsync(QueueKind.List, Redis);
        await queue.PushAsync(3);
        await queue.TakeAsync();
        await queue.App.ListRightPushAsync(queue.Keys.Inflight, "by hand");

        var refused = await QueueUnderTest.FaultsAsync(QueueFault.Other, queue.RecoverAsync);

        Assert.Contains("journal", refused.Message, StringComparison.Ordinal);
    }
}

public sealed class StreamQueueTests(RedisFixture fixture) : QueueSuite(QueueKind.Stream, fixture)
{
    [Fact]
    public async Task An_entry_of_several_fields_becomes_an_envelope_and_replays_as_it_was()
    {
        await using var queue = await QueueUnderTest.StartAsync(QueueKind.Stream, Redis);
        NameValueEntry[] several = [new("to", "ada@example.com"), new("body", "a \"quote\"\n"), new("ttl", "30"), new("meta", """{"a":[1]}""")];
        await queue.App.StreamAddAsync(queue.Keys.Queue, several);
        await queue.App.StreamAddAsync(queue.Keys.Queue, [new("anything", "<message/>")]);
        await queue.App.StreamAddAsync(queue.Keys.Queue, [new("note", "n"), new("payload", "<presence/>")]);

        var entries = await queue.TakeAllAsync();

        Assert.Equal(
            ["""{"to":"ada@example.com","body":"a \"quote\"\u000a","ttl":"30","meta":{"a":[1]}}""", "<message/>", "<presence/>"],
            entries.Select(entry => System.Text.Encoding.UTF8.GetString(entry.Payload.Span)));
        Assert.All(entries, entry => Assert.InRange(entry.PushedAt!.Value, DateTimeOffset.UtcNow.AddMinutes(-1), DateTimeOffset.UtcNow.AddMinutes(1)));

        await queue.SettleAsync(entries[^1].Position, new EndedEntry(entries[0].Position, "reason", "", -1, 0));
        var dead = Assert.Single(await queue.Dead.ListAsync(5));
        Assert.Equal(several.Select(field => (string)field.Name!), dead.Fields.Select(field => field.Key));
        Assert.Equal(1, (await queue.Dead.ReplayAllAsync()).Replayed);
        Assert.Equal(several, (await queue.App.StreamRangeAsync(queue.Keys.Queue))[^1].Values);
    }

    [Fact]
    public async Task An_entry_of_thousands_of_fields_can_be_taken_and_dead_lettered()
    {
        await using var queue = await QueueUnderTest.StartAsync(QueueKind.Stream, Redis);
        NameValueEntry[] fields = [.. Enumerable.Range(0, 6_000).Select(number => new NameValueEntry(number, "x"))];
        await queue.App.StreamAddAsync(queue.Keys.Queue, fields);
        await queue.PushAsync(1);

        var entries = await queue.TakeAllAsync();

        Assert.Equal(2, entries.Count);
        Assert.Equal(new SettleResult(2, 1, 0), await queue.SettleAsync(entries[1].Position, new EndedEntry(entries[0].Position, "unknown-field", "", 1, 0)));
        Assert.StartsWith("[\"0\",\"x\",\"1\"", System.Text.Encoding.UTF8.GetString((await queue.Dead.ListAsync(1))[0].Payload.Span), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_id_that_the_app_chose_is_no_time()
    {
        await using var queue = await QueueUnderTest.StartAsync(QueueKind.Stream, Redis);
        await queue.App.StreamAddAsync(queue.Keys.Queue, "payload", "<message/>", "18446744073709551615-7");

        var entry = Assert.Single(await queue.TakeAllAsync());

        Assert.Equal(new EntryPosition(ulong.MaxValue, 7), entry.Position);
        Assert.Null(entry.PushedAt);
        Assert.Equal(1, (await queue.SettleAsync(entry.Position)).Removed);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_deleted_stream_or_group_is_made_again_by_recovery(bool stream)
    {
        await using var queue = await QueueUnderTest.StartAsync(QueueKind.Stream, Redis);
        await queue.PushAsync(10);
        var entries = (await queue.TakeAsync(new TakeLimits(6, 1 << 20))).Entries;
        await queue.SettleAsync(entries[3].Position);
        if (stream)
            await queue.App.KeyDeleteAsync(queue.Keys.Queue);
        else
            await queue.ServerAsync("XGROUP", "DESTROY", queue.Keys.Queue, "bridge");

        await QueueUnderTest.FaultsAsync(QueueFault.GroupMissing, () => queue.TakeAsync());
        await QueueUnderTest.FaultsAsync(QueueFault.GroupMissing, () => queue.SettleAsync(entries[5].Position));
        await QueueUnderTest.FaultsAsync(QueueFault.GroupMissing, () => queue.Queue.ReadJournalAsync(queue.Session, EntryPosition.Zero, QueueUnderTest.Plenty));
        var recovery = await queue.RecoverAsync();
        Assert.Equal((0L, false), (recovery.Count, recovery.ContinuesHistory));

        // What was settled does not come again; what was only taken does, if it still is.
        var again = await queue.TakeAllAsync();
        Assert.Equal(stream ? [] : Enumerable.Range(4, 6).Select(number => Convert.ToHexString(QueueUnderTest.Numbered(number))),
            again.Select(entry => Convert.ToHexString(entry.Payload.Span)));
        await queue.PushAsync(5);
        Assert.Equal(5, (await queue.TakeAllAsync()).Count);
    }

    [Fact]
    public async Task A_pending_entry_whose_body_is_gone_is_dead_lettered_as_trimmed()
    {
        await using var queue = await QueueUnderTest.StartAsync(QueueKind.Stream, Redis);
        await queue.PushAsync(10);
        var entries = (await queue.TakeAsync()).Entries;
        await queue.App.StreamTrimAsync(queue.Keys.Queue, 7);
        await queue.RecoverAsync();

        var read = await queue.Queue.ReadJournalAsync(queue.Session, EntryPosition.Zero, QueueUnderTest.Plenty);

        Assert.Equal(entries.Skip(3).Select(Facts), read.Entries.Select(Facts));
        Assert.Equal(entries.Take(3).Select(entry => new OversizeEntry(entry.Position, 0, "trimmed")), read.Oversize);
        Assert.Equal(["trimmed", "trimmed", "trimmed"], (await queue.Dead.ListAsync(10)).Select(letter => letter.Reason));
        Assert.Equal(3, (await queue.Dead.ReplayAllAsync()).WithoutBody);
        Assert.Equal(7, (await queue.SettleAsync(entries[^1].Position)).Removed);
    }

    [Fact]
    public async Task Settled_entries_stay_while_another_group_reads_the_stream()
    {
        await using var queue = await QueueUnderTest.StartAsync(QueueKind.Stream, Redis);
        await queue.PushAsync(10);
        await queue.App.StreamCreateConsumerGroupAsync(queue.Keys.Queue, "audit", "0");
        var entries = await queue.TakeAllAsync();

        Assert.Equal(5, (await queue.SettleAsync(entries[4].Position)).Removed);
        Assert.Equal(10, await queue.App.StreamLengthAsync(queue.Keys.Queue));
        await queue.App.StreamDeleteConsumerGroupAsync(queue.Keys.Queue, "audit");
        Assert.Equal(5, (await queue.SettleAsync(entries[9].Position)).Removed);
        Assert.Equal(5, await queue.App.StreamLengthAsync(queue.Keys.Queue));
    }

    [Fact]
    public async Task Older_entries_that_are_not_the_journal_s_stay_when_it_is_settled()
    {
        await using var queue = await QueueUnderTest.StartAsync(QueueKind.Stream, Redis);
        await queue.ServerAsync("XGROUP", "DESTROY", queue.Keys.Queue, "bridge");
        await queue.PushAsync(5);
        // Somebody wants the group to begin behind what is there.
        await queue.App.StreamCreateConsumerGroupAsync(queue.Keys.Queue, "bridge", "$");
        await queue.PushAsync(10);
        await queue.RecoverAsync();
        var entries = await queue.TakeAllAsync();

        Assert.Equal(10, entries.Count);
        Assert.Equal(6, (await queue.SettleAsync(entries[5].Position)).Removed);
        Assert.Equal(9, await queue.App.StreamLengthAsync(queue.Keys.Queue));
        await queue.ServerAsync("XTRIM", queue.Keys.Queue, "MAXLEN", "4");
        Assert.Equal(3, (await queue.SettleAsync(entries[8].Position, Reject(entries[7].Position))).Removed);
        Assert.Equal(
            entries.Skip(9).Select(entry => entry.Position.ToString()),
            (await queue.App.StreamRangeAsync(queue.Keys.Queue)).Select(entry => (string)entry.Id!));
        Assert.Equal(1, (await queue.SettleAsync(entries[9].Position)).Removed);
        Assert.Equal(0, await queue.App.StreamLengthAsync(queue.Keys.Queue));
    }

    [Fact]
    public async Task Settled_entries_stay_where_deletion_is_never()
    {
        await using var queue = await QueueUnderTest.StartAsync(
            QueueKind.Stream, Redis, settings => settings with { Deletion = StreamDeletion.Never });
        await queue.PushAsync(2_500);
        var entries = await queue.TakeAllAsync();

        Assert.Equal(2_500, (await queue.SettleAsync(entries[^1].Position)).Removed);
        Assert.Equal(2_500, await queue.App.StreamLengthAsync(queue.Keys.Queue));
        Assert.Equal(new QueueDepth(0, 0, null), await queue.Queue.DepthAsync());
        var waited = await queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty);
        Assert.Empty(waited.Entries);
    }

    [Fact]
    public async Task What_another_consumer_of_the_group_left_pending_is_in_the_journal()
    {
        await using var queue = await QueueUnderTest.StartAsync(QueueKind.Stream, Redis);
        await queue.PushAsync(4);
        await queue.App.StreamReadGroupAsync(queue.Keys.Queue, "bridge", "former", ">", 2);
        await queue.TakeAllAsync();

        Assert.Equal(4, (await queue.RecoverAsync()).Count);
        var read = await queue.ReadAllAsync();
        Assert.Equal(4, read.Count);
        Assert.Equal(4, (await queue.SettleAsync(read[^1].Position)).Removed);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_mark_of_a_stream_that_was_made_anew_with_smaller_ids_is_void(bool groupToo)
    {
        await using var queue = await QueueUnderTest.StartAsync(QueueKind.Stream, Redis);
        await queue.PushAsync(10);
        var entries = await queue.TakeAllAsync();
        var mark = new ConfirmedMark(entries[6].Position, "127.0.0.1:5347", 0, default);
        await queue.Queue.SettleAsync(queue.Session, new Settlement(entries[3].Position, [], mark));
        Assert.Equal(mark.Position, (await queue.RecoverAsync()).Mark?.Position);

        await queue.App.KeyDeleteAsync(queue.Keys.Queue);
        for (var i = 1; i <= 5; i++)
            await queue.App.StreamAddAsync(queue.Keys.Queue, "payload", QueueUnderTest.Numbered(i), $"{i}-1");
        if (groupToo)
            await queue.App.StreamCreateConsumerGroupAsync(queue.Keys.Queue, "bridge", "0");
        var other = queue.OpenAnother();
        var recovery = await other.RecoverAsync(queue.Grant);

        Assert.Null(recovery.Mark);
        var taken = (await other.TakeAsync(recovery.Session, QueueUnderTest.Plenty, Settlement.Nothing)).Entries;
        Assert.Equal(Enumerable.Range(1, 5).Select(number => new EntryPosition((ulong)number, 1)), taken.Select(entry => entry.Position));
        // Nor does it come back with the next recovery, when more was taken.
        await other.DisposeAsync();
        Assert.Null((await queue.RecoverAsync()).Mark);
        Assert.Equal(
            groupToo ? ["base-prefix", "base-taken", "epoch", "seal", "session-prefix", "settled"] : ["base-prefix", "base-taken", "epoch", "seal", "session-prefix"],
            (await queue.App.HashKeysAsync(queue.Keys.Confirmed)).Select(field => (string)field!).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Thousands_of_trimmed_entries_are_worked_off_in_moments_each()
    {
        await using var queue = await QueueUnderTest.StartAsync(QueueKind.Stream, Redis);
        await queue.PushAsync(2_010);
        var entries = await queue.TakeAllAsync();
        await queue.App.StreamTrimAsync(queue.Keys.Queue, 5);
        await queue.RecoverAsync();

        List<EntryPosition> gone = [];
        List<QueueEntry> read = [];
        var after = EntryPosition.Zero;
        TakenEntries part;
        do
        {
            part = await queue.Queue.ReadJournalAsync(queue.Session, after, QueueUnderTest.Plenty);
            Assert.InRange(part.Oversize.Count, 0, 500);
            gone.AddRange(part.Oversize.Select(entry => entry.Position));
            read.AddRange(part.Entries);
            if (part.LookedUpTo is { } lookedUpTo)
                Assert.Equal((0, gone[^1]), (part.Entries.Count, lookedUpTo));
            after = part.LookedUpTo ?? after;
        }
        while (part.LookedUpTo is not null);

        Assert.Equal(entries.Take(2_005).Select(entry => entry.Position), gone);
        Assert.Equal(entries.Skip(2_005).Select(Facts), read.Select(Facts));
        Assert.Equal(2_005, await queue.Dead.CountAsync());
        Assert.Equal(5, (await queue.SettleAsync(entries[^1].Position)).Removed);
    }
}
