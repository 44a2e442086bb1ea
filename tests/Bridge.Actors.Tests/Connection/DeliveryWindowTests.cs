using System.Buffers;
using Bridge.Connection;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Connection;

public sealed class DeliveryWindowTests
{
    private static readonly TimeSpan Hold = TimeSpan.FromSeconds(2);

    private static readonly WindowSettings Limits = new()
    {
        UnconfirmedEntries = 10_000,
        UnconfirmedBytes = 16 << 20,
        HeldEntries = 4_000_000,
        HeldBytes = 1 << 30,
        BarrierEntries = 5,
        BarrierBytes = 1_000,
        TargetRoundTrip = TimeSpan.FromMilliseconds(250),
    };

    [Fact]
    public void A_lone_entry_is_followed_by_a_barrier_at_once()
    {
        var window = Accepting();
        window.Append(Batch(0, 10), At(0));

        Assert.Equal(["1..1", "b1"], Writes(window));
    }

    [Fact]
    public void While_a_barrier_is_outstanding_a_trickle_waits_for_its_return_to_get_its_own()
    {
        var window = Accepting();
        window.Append(Batch(0, 10), At(0));
        Writes(window);
        window.Append(Batch(1, 10), At(1));

        Assert.Equal(["2..2"], Writes(window));
        window.BarrierReturned(1, At(2));
        Assert.Equal(["b2"], Writes(window));
    }

    [Fact]
    public void A_flood_gets_a_barrier_for_every_limit_of_entries()
    {
        var window = Accepting();
        window.Append(Batch(0, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10), At(0));

        Assert.Equal(["1..5", "b1", "6..10", "b2", "11..12"], Writes(window));
    }

    [Fact]
    public void Large_stanzas_get_a_barrier_for_every_limit_of_bytes()
    {
        var window = Accepting();
        window.Append(Batch(0, 600, 600, 600), At(0));

        Assert.Equal(["1..2", "b1", "3..3"], Writes(window));
    }

    [Fact]
    public void A_returned_barrier_confirms_what_was_written_before_it_and_nothing_behind()
    {
        var window = Accepting();
        window.Append(Batch(0, 10, 10, 10, 10, 10, 10), At(0));
        Writes(window);

        var outcome = window.BarrierReturned(1, At(7));

        Assert.True(outcome.Expected);
        Assert.Equal(5, outcome.ConfirmedEntries);
        Assert.Equal(At(7), outcome.RoundTrip);
        Assert.Equal(P(5), window.ConfirmedUpTo);
        Assert.Equal(1, window.UnconfirmedEntries);
    }

    [Fact]
    public void A_later_barrier_confirms_for_missing_ones_and_counts_them()
    {
        var window = Accepting();
        window.Append(Batch(0, 10, 10, 10, 10, 10, 10, 10, 10, 10, 10), At(0));
        Writes(window);

        var outcome = window.BarrierReturned(2, At(1));

        Assert.Equal(1, outcome.Missing);
        Assert.Equal(10, outcome.ConfirmedEntries);
    }

    [Theory]
    [InlineData(1, "answered twice")]
    [InlineData(9, "never written")]
    [InlineData(0, "not a number of ours")]
    public void An_unexpected_barrier_changes_nothing(long number, string why)
    {
        var window = Accepting();
        window.Append(Batch(0, 10), At(0));
        Writes(window);
        window.BarrierReturned(1, At(1));
        window.Append(Batch(1, 10), At(2));

        Assert.False(window.BarrierReturned(number, At(3)).Expected, why);
        Assert.Equal(1, window.UnconfirmedEntries);
    }

    [Fact]
    public void Grade_accepted_settles_as_soon_as_the_barrier_returned()
    {
        var window = Accepting();
        window.Append(Batch(0, 10, 10), At(0));
        Writes(window);
        Assert.Null(window.TakeSettleable());
        window.BarrierReturned(1, At(1));

        Assert.Equal(P(2), window.TakeSettleable()!.UpTo);
        Assert.Equal(0, window.HeldEntries);
    }

    [Fact]
    public void Fewer_than_asked_for_settle_only_when_there_is_no_room_for_more()
    {
        var window = new DeliveryWindow(Limits with { HeldEntries = 3 }, ConfirmGrade.Accepted, Hold, Untold());
        window.Append(Batch(0, 10, -1), At(0));
        Writes(window);
        window.BarrierReturned(1, At(1));
        Assert.Null(window.TakeSettleable(atLeast: 4));
        Assert.Equal(P(2), window.TakeSettleable(atLeast: 2)!.UpTo);

        window.Append(Batch(2, 10, 10, 10), At(2));
        Writes(window);
        window.BarrierReturned(2, At(3));
        Assert.True(window.HeldIsFull);
        Assert.Equal(P(5), window.TakeSettleable(atLeast: 9)!.UpTo);
    }

    [Fact]
    public void Grade_held_settles_only_when_a_barrier_written_after_the_hold_returned()
    {
        var window = Holding();
        window.Append(Batch(0, 10, 10), At(0));
        Writes(window);
        window.BarrierReturned(1, At(100));
        var early = window.NextBarrier(At(2_099)).Barrier;
        var late = window.NextBarrier(At(2_100)).Barrier;

        window.BarrierReturned(early, At(9_000));
        Assert.Null(window.TakeSettleable());
        Assert.Equal(2, window.HeldEntries);
        window.BarrierReturned(late, At(9_001));
        Assert.Equal(P(2), window.TakeSettleable()!.UpTo);
    }

    [Fact]
    public void A_hold_that_is_over_asks_for_a_barrier_to_prove_it_once()
    {
        var window = Holding();
        window.Append(Batch(0, 10), At(0));
        Writes(window);
        window.BarrierReturned(1, At(100));

        Assert.False(window.NeedsProofOfLife(At(2_099)));
        Assert.True(window.NeedsProofOfLife(At(2_100)));
        window.NextBarrier(At(2_100));
        Assert.False(window.NeedsProofOfLife(At(2_101)));
    }

    [Fact]
    public void Entries_confirmed_within_an_instant_are_held_together_by_the_later_time()
    {
        var window = Holding();
        window.Append(Batch(0, 10), At(0));
        Writes(window);
        window.BarrierReturned(1, At(0));
        window.Append(Batch(1, 10), At(10));
        Writes(window);
        window.BarrierReturned(2, At(40));

        Prove(window, At(2_039));
        Assert.Null(window.TakeSettleable());
        Prove(window, At(2_040));
        Assert.Equal(P(2), window.TakeSettleable()!.UpTo);
    }

    [Fact]
    public void A_rejected_entry_leaves_with_its_neighbours_and_its_reason()
    {
        var window = Accepting();
        window.Append(Batch(0, 10, -1, 10), At(0));
        Assert.Equal(["1..3", "b1"], Writes(window));
        window.BarrierReturned(1, At(1));

        var settleable = window.TakeSettleable()!;

        Assert.Equal(3, settleable.Entries);
        var rejected = Assert.Single(settleable.Ended);
        Assert.Equal(P(2), rejected.Position);
        Assert.Equal("not-well-formed", rejected.Reason);
        Assert.Equal(0, window.PendingEndings);
    }

    [Fact]
    public void Rejected_entries_with_nothing_before_them_need_no_barrier_and_no_hold()
    {
        var window = Holding();
        window.Append(Batch(0, -1, -1), At(0));

        Assert.Empty(Writes(window));
        Assert.Equal(P(2), window.TakeSettleable()!.UpTo);
    }

    [Fact]
    public void Rejected_entries_behind_held_ones_are_told_at_once_and_leave_with_them()
    {
        var window = Holding();
        window.Append(Batch(0, 10, -1), At(0));
        Writes(window);
        window.BarrierReturned(1, At(0));

        // The mark passes over them: a successor would not know that they were to be dead-lettered.
        var told = window.TakeSettleable()!;
        Assert.Equal((EntryPosition.Zero, 0L), (told.UpTo, told.Entries));
        Assert.Equal(P(2), Assert.Single(told.Ended).Position);
        Prove(window, At(2_000));
        var settleable = window.TakeSettleable()!;
        Assert.Equal(P(2), settleable.UpTo);
        Assert.Empty(settleable.Ended);
    }

    [Fact]
    public void An_entry_that_ended_is_told_at_once_and_written_no_more()
    {
        var window = Holding();
        window.Append(Batch(0, 10, 10, 10), At(0));
        Writes(window);
        window.End(Ended(2), At(1));

        Assert.Equal(["2"], window.TakeSettleable()!.Ended.Select(entry => $"{entry.Position.Low}"));
        Assert.Equal([P(1), P(3)], window.StreamLost(At(2)));
        Assert.Equal(["1..1", "3..3", "b2"], Writes(window));
        window.BarrierReturned(2, At(3));
        Prove(window, At(2_500));
        Assert.Equal((P(3), 3L), (window.TakeSettleable() is { } all ? (all.UpTo, all.Entries) : default));
    }

    [Fact]
    public void What_ended_is_told_though_all_else_is_forgotten()
    {
        var window = Holding();
        window.Append(Batch(0, 10, -1), At(0));
        Writes(window);
        window.BarrierReturned(1, At(0));
        window.End(Ended(1), At(1));
        window.ForgetAll();

        // What is rejected comes again with its entry.
        Assert.Equal(["1"], window.TakeSettleable()!.Ended.Select(entry => $"{entry.Position.Low}"));
    }

    [Fact]
    public void A_lone_entry_that_ended_keeps_nothing_unconfirmed_when_its_stream_ends()
    {
        var window = Accepting();
        window.Append(Batch(0, 10), At(0));
        Writes(window);
        window.End(Ended(1), At(1));
        Assert.False(window.AllConfirmed);
        window.StreamLost(At(2));

        Assert.True(window.AllConfirmed);
        Assert.Equal((0L, P(1)), (window.UnconfirmedBytes, window.TakeSettleable()!.UpTo));
    }

    [Fact]
    public void What_a_predecessor_saw_confirmed_is_held_anew_and_not_written()
    {
        var window = Holding();
        window.ForgetAll(EntryPosition.Zero);
        window.ContinueHoldAndTell(P(3));
        Assert.True(window.AwaitsConfirmed);
        // The second one would be rejected now, having expired; but it was sent.
        window.Append(Batch(0, 10, -1), At(0));
        window.Append(Batch(2, 10, 10), At(5));
        Assert.Equal((false, P(3), 3L), (window.AwaitsConfirmed, window.ConfirmedUpTo, window.HeldEntries));
        Assert.Equal(["4..4", "b1"], Writes(window));
        Assert.Null(window.TakeSettleable());
        Prove(window, At(2_010));

        var settled = window.TakeSettleable()!;
        Assert.Equal((P(3), 3L), (settled.UpTo, settled.Entries));
        Assert.Empty(settled.Ended);
    }

    [Fact]
    public void It_is_clear_up_to_the_first_unconfirmed_entry_though_what_stood_between_is_gone()
    {
        var window = Holding();
        window.Append(Batch(0, 10, -1), At(0));
        Writes(window);
        window.BarrierReturned(1, At(0));
        window.Append(Batch(2, 10), At(0));
        Assert.Equal((P(2), P(2)), (window.ConfirmedUpTo, window.ClearUpTo));

        // A stream's journal, read anew, has no entry any more where a dead letter stood.
        window.StreamLost(At(0));
        window.ForgetAll();
        window.Append(Batch(0, 10), At(1));
        window.Append(Batch(2, 10), At(1));
        Assert.Equal(P(1).Previous, window.ClearUpTo);
        Assert.Equal(["1..1", "b2"], Writes(window, P(2)));
        window.BarrierReturned(2, At(2));

        Assert.Equal((P(1), P(2)), (window.ConfirmedUpTo, window.ClearUpTo));
    }

    [Fact]
    public void A_share_of_the_window_bounds_what_is_written_and_unconfirmed()
    {
        var window = new DeliveryWindow(Limits with { UnconfirmedEntries = 20 }, ConfirmGrade.Accepted, TimeSpan.Zero, Untold());
        window.Append(Batch(0, [.. Enumerable.Repeat(10, 20)]), At(0));

        Assert.Equal(["1..5", "b1", "6..10", "b2"], Writes(window, share: 0.5));
        window.BarrierReturned(1, At(1));
        Assert.Equal(["11..15", "b3"], Writes(window, share: 0.5));
        window.StreamLost(At(0));
        Assert.Equal(["6..10", "b4"], Writes(window, share: 0.01));
    }

    [Fact]
    public void After_a_lost_stream_the_unconfirmed_are_written_again_in_order()
    {
        var window = Accepting();
        window.Append(Batch(0, 10, 10, 10, 10, 10, 10, 10), At(0));
        Writes(window);
        window.BarrierReturned(1, At(1));

        var underWay = window.StreamLost(At(0));

        Assert.Equal([P(6), P(7)], underWay);
        Assert.Equal(["6..7", "b2"], Writes(window));
        Assert.Equal(1, window.AttemptsAt(P(6)));
    }

    [Fact]
    public void A_barrier_of_a_lost_stream_confirms_nothing()
    {
        var window = Accepting();
        window.Append(Batch(0, 10), At(0));
        Writes(window);
        window.StreamLost(At(0));

        Assert.False(window.BarrierReturned(1, At(1)).Expected);
        Assert.Equal(1, window.UnconfirmedEntries);
    }

    [Fact]
    public void A_limit_stops_the_writing_behind_it_and_closes_it_with_a_barrier()
    {
        var window = Accepting();
        window.Append(Batch(0, 10, 10, 10, 10), At(0));

        Assert.Equal(["1..2", "b1"], Writes(window, P(2)));
        Assert.Empty(Writes(window, P(2)));
        Assert.Equal(["3..3", "b2"], Writes(window, P(3)));
    }

    [Fact]
    public void A_convicted_entry_is_not_written_again()
    {
        var window = Accepting();
        window.Append(Batch(0, 10, 10, 10), At(0));
        Writes(window);
        window.StreamLost(At(0));

        Assert.True(window.Reject(P(2), new Rejection(RejectionReason.Convicted, -1, "policy-violation"), At(1)));
        Assert.Equal(["1..1", "3..3", "b2"], Writes(window));
        window.BarrierReturned(2, At(2));
        var rejected = Assert.Single(window.TakeSettleable()!.Ended);
        Assert.Equal((P(2), 1), (rejected.Position, rejected.Attempts));
    }

    [Fact]
    public void A_convicted_entry_keeps_the_attempts_of_before_it_was_read_again()
    {
        var window = Accepting();
        window.Append(Batch(0, 10, 10), At(0));
        Writes(window);
        window.StreamLost(At(0));
        Assert.Equal((1, 0), (window.AttemptsAt(P(1)), window.AttemptsAt(P(7))));

        Assert.True(window.Reject(P(1), new Rejection(RejectionReason.Convicted, -1, "hung up"), At(1), attempts: 5));

        Assert.Equal(5, Assert.Single(window.TakeSettleable()!.Ended).Attempts);
    }

    [Fact]
    public void A_new_owner_continues_the_hold_of_its_predecessor()
    {
        var window = Holding();
        window.ForgetAll(P(3));
        window.ContinueHold(P(9), 6, At(0));
        window.Append(Batch(9, 10), At(0));

        Assert.Equal(P(9), window.ConfirmedUpTo);
        Prove(window, At(1_999));
        Assert.Null(window.TakeSettleable());
        Prove(window, At(2_000));
        Assert.Equal(P(9), window.TakeSettleable()!.UpTo);
    }

    [Fact]
    public void Entries_that_would_break_the_order_are_refused()
    {
        var window = Accepting();
        window.Append(Batch(5, 10), At(0));

        Assert.Throws<InvalidOperationException>(() => window.Append(Batch(3, 10), At(0)));
    }

    [Fact]
    public void Full_held_limits_are_told()
    {
        var window = new DeliveryWindow(Limits with { HeldEntries = 2 }, ConfirmGrade.Held, Hold, Untold());
        window.Append(Batch(0, 10, 10), At(0));
        Writes(window);
        Assert.False(window.HeldIsFull);
        window.BarrierReturned(1, At(0));

        Assert.True(window.HeldIsFull);
        Prove(window, At(2_000));
        window.TakeSettleable();
        Assert.False(window.HeldIsFull);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Random_histories_settle_every_entry_once_in_order_and_only_after_a_barrier_behind_it(int seed)
    {
        seed = TestSeed.Of(seed);
        var random = new Random(seed);
        var window = new DeliveryWindow(Limits, random.Next(2) == 0 ? ConfirmGrade.Accepted : ConfirmGrade.Held, Hold, Untold());
        ulong appended = 0, settled = 0, confirmedByServer = 0;
        var rejectedPositions = new HashSet<EntryPosition>();
        var seenRejected = new HashSet<EntryPosition>();
        // The server sees what is written, in order; a barrier's return proves all that came before it.
        var stream = new List<(ulong UpTo, long Barrier)>();
        ulong written = 0;
        var now = TimeSpan.Zero;
        for (var step = 0; step < 20_000; step++)
        {
            now += TimeSpan.FromMilliseconds(random.Next(20));
            switch (random.Next(10))
            {
                case < 3 when window.UnconfirmedEntries < 500:
                    var lengths = Enumerable.Range(0, random.Next(1, 20)).Select(_ => random.Next(8) == 0 ? -1 : random.Next(1, 400)).ToArray();
                    for (var i = 0; i < lengths.Length; i++)
                        if (lengths[i] < 0)
                            rejectedPositions.Add(P(appended + (ulong)i + 1));
                    window.Append(Batch(appended, lengths), now);
                    appended += (ulong)lengths.Length;
                    break;
                case < 6:
                    while (window.TryNextWrite(null, 1, now, out var write))
                    {
                        if (write.Batch is null)
                            stream.Add((written, write.Barrier));
                        else
                            written = LastPositionIn(write);
                    }

                    break;
                case < 8 when stream.Count > 0:
                    var index = random.Next(Math.Min(stream.Count, 3));
                    var (upTo, barrier) = stream[index];
                    stream.RemoveRange(0, index + 1);
                    confirmedByServer = Math.Max(confirmedByServer, upTo);
                    Assert.True(window.BarrierReturned(barrier, now).Expected);
                    break;
                case 8 when random.Next(20) == 0:
                    window.StreamLost(now);
                    stream.Clear();
                    written = 0;
                    break;
                default:
                    if (window.NeedsProofOfLife(now))
                        stream.Add((written, window.NextBarrier(now).Barrier));
                    if (window.TakeSettleable() is { } settleable)
                    {
                        if (settleable.Entries > 0)
                            Assert.Equal(settleable.UpTo.Low - settled, (ulong)settleable.Entries);
                        for (var p = settled + 1; p <= settleable.UpTo.Low; p++)
                            Assert.True(p <= confirmedByServer || rejectedPositions.Contains(P(p)), $"{p} was settled unconfirmed; seed {seed}");
                        settled = Math.Max(settled, settleable.UpTo.Low);
                        foreach (var rejected in settleable.Ended)
                            Assert.True(seenRejected.Add(rejected.Position));
                    }

                    break;
            }
        }

        Assert.True(settled > 1_000, $"too little happened; seed {seed}");
        Assert.DoesNotContain(rejectedPositions, p => p.Low <= settled && !seenRejected.Contains(p));
    }

    [Fact]
    public void What_is_not_written_yet_queues_up_behind_a_bounced_message_to_its_recipient_and_the_rest_is_written()
    {
        var book = new EndingBook(
            new OutcomeSettings { Mode = OutcomeMode.All, MaxEntries = 1, Buffer = 1 }, new AnswerSettings(), new RetrySettings { Limit = 1 }, ConfirmGrade.Held, DateTimeOffset.UnixEpoch);
        var window = new DeliveryWindow(Limits with { UnconfirmedEntries = 2, BarrierEntries = 2 }, ConfirmGrade.Held, Hold, book);
        var batch = new EncodedEntry[5];
        for (var i = 0; i < batch.Length; i++)
        {
            // The second and the fourth are for somebody else.
            var to = i % 2 == 0 ? "ada@example.test" : "eve@example.test";
            var id = System.Text.Encoding.ASCII.GetBytes($"m{i}");
            batch[i] = new EncodedEntry(P((ulong)i + 1), 10 * i, 10, 10, default, OwnIds.HashOf(id, System.Text.Encoding.ASCII.GetBytes(to)), default, new OutcomeTicket($"m{i}", to, null, null, null))
            {
                Recipient = OwnIds.HashOf([], System.Text.Encoding.ASCII.GetBytes(to)),
            };
        }

        book.Remember(batch);
        window.Append(new EncodedBatch(1, 0, batch, System.Buffers.ArrayPool<byte>.Shared.Rent(64)), At(0));
        Assert.True(window.TryNextWrite(null, 1, At(0), out var first));
        Assert.Equal((0, 20), (first.Offset, first.Length));

        var bounce = new StanzaBounced(StanzaKind.Message, "m0", "ada@example.test", null, new StanzaError(StanzaErrorType.Wait, StanzaErrorCondition.ResourceConstraint, null));
        window.End(book.Bounced(bounce, EntryPosition.Zero, At(0)).Ended!, At(0));

        var ended = window.TakeSettleable()!.Ended;
        Assert.Equal([(1UL, 1), (3UL, 0), (5UL, 0)], ended.Select(entry => (entry.Position.Low, entry.Later!.Said.Attempts)));
        Assert.Single(ended.Select(entry => entry.Later!.Due).Distinct());
        Assert.True(window.TryNextWrite(null, 1, At(0), out var barrier));
        window.BarrierReturned(barrier.Barrier, At(1));
        Assert.True(window.TryNextWrite(null, 1, At(1), out var second));
        Assert.Equal((30, 10), (second.Offset, second.Length));
        // Nor when it is read from the journal again, before Redis has put it off.
        window.ForgetAll();
        window.Append(new EncodedBatch(2, 0, batch[2..3], System.Buffers.ArrayPool<byte>.Shared.Rent(64)), At(2));
        Assert.False(window.TryNextWrite(null, 1, At(2), out _));
    }

    /// <summary>A barrier that is written and returns at this time.</summary>
    private static void Prove(DeliveryWindow window, TimeSpan at) =>
        Assert.True(window.BarrierReturned(window.NextBarrier(at).Barrier, at).Expected);

    private static EndedEntry Ended(ulong sequence) => EndedEntry.Told(P(sequence), new Outcome(Ending.Bounced, "1", "ada@example.test"));

    private static EndingBook Untold() => new(new OutcomeSettings { MaxEntries = 1, Buffer = 1 }, new AnswerSettings(), new RetrySettings(), ConfirmGrade.Held, default);

    private static DeliveryWindow Accepting() => new(Limits, ConfirmGrade.Accepted, TimeSpan.Zero, Untold());

    private static DeliveryWindow Holding() => new(Limits, ConfirmGrade.Held, Hold, Untold());

    private static TimeSpan At(int milliseconds) => TimeSpan.FromMilliseconds(milliseconds);

    private static EntryPosition P(ulong sequence) => EntryPosition.OfSequence(sequence);

    /// <summary>A batch behind a sequence; a negative length is a rejected entry. Each stanza's bytes hold its sequence.</summary>
    private static EncodedBatch Batch(ulong after, params int[] lengths)
    {
        var entries = new EncodedEntry[lengths.Length];
        var offset = 0;
        for (var i = 0; i < lengths.Length; i++)
        {
            var length = Math.Max(lengths[i], 0);
            var rejection = lengths[i] < 0 ? new Rejection(RejectionReason.NotWellFormed, 0, "bad") : default;
            entries[i] = new EncodedEntry(P(after + (ulong)i + 1), offset, length, 10, rejection, 0, default);
            offset += length;
        }

        return new EncodedBatch(1, (long)after, entries, ArrayPool<byte>.Shared.Rent(Math.Max(offset, 1)));
    }

    private static ulong LastPositionIn(WriteStep write)
    {
        ulong last = 0;
        foreach (var entry in write.Batch!.Entries)
            if (entry.Length > 0 && entry.Offset >= write.Offset && entry.Offset < write.Offset + write.Length)
                last = entry.Position.Low;
        return last;
    }

    private static List<string> Writes(DeliveryWindow window, EntryPosition? upTo = null, double share = 1, TimeSpan now = default)
    {
        var writes = new List<string>();
        while (window.TryNextWrite(upTo, share, now, out var step))
        {
            if (step.Batch is null)
            {
                writes.Add($"b{step.Barrier}");
                continue;
            }

            ulong first = 0;
            foreach (var entry in step.Batch.Entries)
                if (first == 0 && entry.Length > 0 && entry.Offset >= step.Offset)
                    first = entry.Position.Low;
            writes.Add($"{first}..{LastPositionIn(step)}");
        }

        return writes;
    }
}
