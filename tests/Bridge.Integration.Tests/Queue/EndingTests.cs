using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;

namespace Bridge.Integration.Tests.Queue;

/// <summary>Endings on a real Redis: told in the step that settles, once each, and replies carried to their lists.</summary>
public sealed class EndingTests(RedisFixture redis) : IClassFixture<RedisFixture>
{
    private static readonly StanzaError Unavailable = new(StanzaErrorType.Cancel, StanzaErrorCondition.ServiceUnavailable, null);

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task What_settles_is_told_of_once_however_often_it_is_said(QueueKind kind)
    {
        await using var queue = await StartAsync(kind);
        var entries = (await queue.TakeAsync()).Entries;
        EndedEntry[] ended = [.. entries.Take(6).Select((entry, i) => EndedEntry.Told(entry.Position, Bounced($"m{i}")))];

        await queue.SettleAsync(entries[5].Position, ended);
        await queue.SettleAsync(entries[5].Position, ended);

        Assert.Equal(["bounced m0", "bounced m1", "bounced m2", "bounced m3", "bounced m4", "bounced m5"], await ToldAsync(queue));
        Assert.Equal(4, (await queue.ReadAllAsync()).Count);
        Assert.Equal(0, await queue.Dead.CountAsync());
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task One_that_ends_behind_the_prefix_is_told_of_at_once_and_sent_by_nobody_any_more(QueueKind kind)
    {
        await using var queue = await StartAsync(kind);
        var entries = (await queue.TakeAsync()).Entries;

        await queue.SettleAsync(EntryPosition.Zero, EndedEntry.Told(entries[4].Position, Bounced("m4")));
        var other = queue.OpenAnother();
        var recovery = await other.RecoverAsync(queue.Grant);
        var journal = (await other.ReadJournalAsync(recovery.Session, EntryPosition.Zero, QueueUnderTest.Plenty)).Entries;
        // Whoever says it again, with the rest or alone, says nothing new.
        await other.SettleAsync(recovery.Session, new Settlement(entries[9].Position, [EndedEntry.Told(entries[4].Position, Bounced("m4"))], null));

        Assert.Equal(9, journal.Count(entry => entry.Kind == EntryKind.Payload));
        Assert.DoesNotContain(journal, entry => entry.Kind == EntryKind.Payload && entry.Position == entries[4].Position);
        Assert.Equal(["bounced m4"], await ToldAsync(queue));
        Assert.Equal(new QueueDepth(0, 0, null), await queue.Queue.DepthAsync());
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task What_waits_for_an_answer_leaves_the_journal_is_told_to_a_successor_and_ends_once(QueueKind kind)
    {
        await using var queue = await StartAsync(kind);
        var entries = (await queue.TakeAsync()).Entries;
        AwaitedAnswer[] waiting =
        [
            .. entries.Take(3).Select((entry, i) => new AwaitedAnswer(
                $"{entry.Position} m{i}", new Outcome(Ending.Unconfirmed, $"m{i}", "ada@example.test"), AnswerKind.Receipt, DateTimeOffset.UnixEpoch)),
        ];
        EndedEntry[] ended =
        [
            .. waiting.Select((one, i) => new EndedEntry(entries[i].Position, "", "", -1, 0) { Awaits = one }),
            // One whose answer comes before the step in which it leaves is told in that step.
            EndedEntry.OfAwaited(waiting[1].Key, waiting[1].Outcome with { Ending = Ending.Bounced }),
        ];

        await queue.SettleAsync(entries[2].Position, ended);
        await queue.SettleAsync(entries[2].Position, ended);
        Assert.Equal(["bounced m1"], await ToldAsync(queue));

        var other = queue.OpenAnother();
        var recovery = await other.RecoverAsync(queue.Grant);
        Assert.Equal([waiting[0], waiting[2]], recovery.Awaiting.OrderBy(one => one.Key, StringComparer.Ordinal));
        Assert.Empty((await other.RecoverAsync(queue.Grant)).Awaiting);
        recovery = await other.RecoverAsync(queue.Grant);
        // With an empty journal as well.
        await other.SettleAsync(recovery.Session, new Settlement(entries[^1].Position, [], null));
        var last = new Settlement(EntryPosition.Zero, [EndedEntry.OfAwaited(waiting[2].Key, waiting[2].Outcome), EndedEntry.OfAwaited("nobody", waiting[0].Outcome)], null);
        await other.SettleAsync(recovery.Session, last);
        await other.SettleAsync(recovery.Session, last);

        Assert.Equal(["bounced m1", "unconfirmed m2"], await ToldAsync(queue));
        Assert.Equal([waiting[0].Key], (await queue.App.HashKeysAsync(queue.Keys.Awaiting)).Select(key => (string)key!));
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task An_entry_that_has_not_the_id_that_is_expected_does_not_end(QueueKind kind)
    {
        await using var queue = await StartAsync(kind);
        var entries = (await queue.TakeAsync()).Entries;
        var theirs = EndedEntry.Told(entries[0].Position, Bounced("m0")) with { Expected = "b-ffffffffffffffff-1" };
        var ours = EndedEntry.Told(entries[1].Position, Bounced("m1")) with { Expected = entries[1].GeneratedId };

        await queue.SettleAsync(EntryPosition.Zero, theirs, ours);

        Assert.Equal(["bounced m1"], await ToldAsync(queue));
        Assert.Equal(9, (await queue.ReadAllAsync()).Count(entry => entry.Kind == EntryKind.Payload));
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task Many_endings_go_in_parts_and_in_order(QueueKind kind)
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, redis.Redis);
        await queue.PushAsync(3_500);
        var entries = await queue.TakeAllAsync();
        EndedEntry[] ended =
        [
            .. entries.Select((entry, i) => i % 50 == 0
                ? new EndedEntry(entry.Position, "not-well-formed", "", 0, 0, new Outcome(Ending.Dead, $"m{i}", "") { Reason = "not-well-formed" })
                : EndedEntry.Told(entry.Position, Bounced($"m{i}"))),
        ];

        var settled = await queue.SettleAsync(entries[^1].Position, ended);

        Assert.Equal((3_500L, 70L), (settled.Removed, settled.DeadLettered));
        Assert.Equal(Enumerable.Range(0, 3_500).Select(i => $"{(i % 50 == 0 ? "dead" : "bounced")} m{i}"), await ToldAsync(queue));
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task What_a_script_dead_letters_by_itself_is_told_of_too(QueueKind kind)
    {
        await using var queue = await QueueUnderTest.StartAsync(kind, redis.Redis, settings => settings with { MaxEntryBytes = 1_000 });
        await queue.PushAsync(new byte[2_000]);
        while ((await queue.TakeAsync()).Remaining != 0)
        {
        }

        var outcome = Assert.Single(await queue.App.StreamRangeAsync(queue.Keys.Outcomes));
        var letter = Assert.Single(await queue.Dead.ListAsync(10, newestFirst: false));
        Assert.Equal(("dead", "oversize", letter.GeneratedId), ((string)outcome["ending"]!, (string)outcome["reason"]!, (string)outcome["id"]!));
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task A_wrong_type_among_the_keys_of_outcomes_stops_the_settlement_whole(QueueKind kind)
    {
        await using var queue = await StartAsync(kind);
        var entries = (await queue.TakeAsync()).Entries;
        await queue.App.StringSetAsync(queue.Keys.Outcomes, "mine");
        var fault = await QueueUnderTest.FaultsAsync(
            QueueFault.WrongType, () => queue.SettleAsync(entries[5].Position, EndedEntry.Told(entries[0].Position, Bounced("m0"))));
        Assert.Contains(queue.Keys.Outcomes, fault.Message, StringComparison.Ordinal);
        Assert.Equal(10, (await queue.ReadAllAsync()).Count);

        await queue.App.KeyDeleteAsync(queue.Keys.Outcomes);
        await queue.RecoverAsync();
        await queue.SettleAsync(entries[5].Position, EndedEntry.Told(entries[0].Position, Bounced("m0")));
        Assert.Equal(["bounced m0"], await ToldAsync(queue));
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task Replies_come_to_their_lists_once_and_do_not_stay_for_ever(QueueKind kind)
    {
        await using var queue = await StartAsync(kind);
        var entries = (await queue.TakeAsync()).Entries;
        var list = "bridge:reply:" + queue.Keys.Queue;
        await queue.App.StringSetAsync(list + ":wrong", "mine");
        await queue.SettleAsync(
            entries[2].Position,
            EndedEntry.Told(entries[0].Position, Held("m0", list)),
            EndedEntry.Told(entries[1].Position, Held("m1", list + ":wrong")),
            EndedEntry.Told(entries[2].Position, Held("m2", list)));
        await using var outcomes = new RedisOutcomeStream(queue.Link, queue.Keys, queue.Outcomes);

        Assert.Equal(new ReplyDelivery(2, 1, false), await outcomes.DeliverRepliesAsync());
        Assert.Equal(default, await outcomes.DeliverRepliesAsync());
        Assert.Equal(
            ["""{"ending":"held","id":"m0","to":"ada@example.test"}""", """{"ending":"held","id":"m2","to":"ada@example.test"}"""],
            (await queue.App.ListRangeAsync(list)).Select(reply => (string)reply!));
        Assert.InRange((await queue.App.KeyTimeToLiveAsync(list))!.Value, TimeSpan.FromMinutes(4), TimeSpan.FromMinutes(5));
        // A bridge that tells failures only tells the others where they asked for it.
        Assert.Empty(await ToldAsync(queue));
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task The_key_of_the_ids_and_what_a_mark_leaves_owed_outlive_the_owner(QueueKind kind)
    {
        await using var queue = await StartAsync(kind);
        var first = await queue.RecoverAsync();
        var entries = (await queue.TakeAsync()).Entries;
        foreach (var owed in new[] { true, false })
        {
            await queue.Queue.SettleAsync(
                queue.Session, Settlement.Nothing with { Mark = new ConfirmedMark(entries[3].Position, "127.0.0.1:5347", 7, default, owed) });
            var next = await queue.RecoverAsync();

            Assert.Equal(owed, next.Mark!.Owed);
            Assert.Equal(first.Seal!.Of("a"u8, "b"u8), next.Seal!.Of("a"u8, "b"u8));
        }
    }

    private async Task<QueueUnderTest> StartAsync(QueueKind kind)
    {
        var queue = await QueueUnderTest.StartAsync(kind, redis.Redis);
        await queue.PushAsync(10);
        return queue;
    }

    private static async Task<IEnumerable<string>> ToldAsync(QueueUnderTest queue) =>
        (await queue.App.StreamRangeAsync(queue.Keys.Outcomes)).Select(outcome => $"{outcome["ending"]} {outcome["id"]}");

    private static Outcome Bounced(string id) => new(Ending.Bounced, id, "ada@example.test") { Kind = StanzaKind.Message, Error = Unavailable };

    private static Outcome Held(string id, string replyTo) => new(Ending.Held, id, "ada@example.test") { ReplyTo = replyTo };
}
