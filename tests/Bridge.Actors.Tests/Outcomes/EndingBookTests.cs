using Bridge.Connection;
using Bridge.Deferral;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Outcomes;

public sealed class EndingBookTests
{
    private const string Ada = "ada@example.test";

    private static readonly StanzaError Unavailable = new(StanzaErrorType.Cancel, StanzaErrorCondition.ServiceUnavailable, null);

    private EndingBook _book = Book(OutcomeMode.Failures);

    [Theory]
    [InlineData(ConfirmGrade.Accepted, Ending.Accepted)]
    [InlineData(ConfirmGrade.Held, Ending.Held)]
    public void What_settles_ends_as_the_grade_says(ConfirmGrade grade, Ending ending)
    {
        _book = Book(OutcomeMode.All, grade);
        Open(1, "a");
        Open(3, "b");
        Assert.Equal([$"1 {ending} a"], Told(_book.Settled(P(2))));
        Assert.Equal([$"3 {ending} b"], Told(_book.Settled(P(3))));
        Assert.Empty(_book.Settled(P(9)));
    }

    [Fact]
    public void An_outcome_says_what_became_of_the_message_and_when()
    {
        var origin = DateTimeOffset.UnixEpoch;
        _book = new EndingBook(Settings(OutcomeMode.All), new AnswerSettings(), new RetrySettings(), ConfirmGrade.Held, origin);
        var ticket = new OutcomeTicket("a", Ada, "bridge:reply:1", "{}", origin.AddSeconds(1));
        var open = _book.Open(Entry(1, "a") with { Ticket = ticket, TakenAt = origin.AddSeconds(2) })!;
        Assert.Equal(1, _book.RepliesOwed);
        (open.WrittenAt, open.ConfirmedAt, open.Attempts) = (TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(4), 2);

        var outcome = Assert.Single(_book.Settled(P(1))).Outcome!;
        Assert.Equal(
            new Outcome(Ending.Held, "a", Ada)
            {
                PushedAt = origin.AddSeconds(1),
                TakenAt = origin.AddSeconds(2),
                WrittenAt = origin.AddSeconds(3),
                ConfirmedAt = origin.AddSeconds(4),
                Attempts = 2,
                Meta = "{}",
                ReplyTo = "bridge:reply:1",
            },
            outcome);
        Assert.Equal(0, _book.RepliesOwed);
    }

    [Fact]
    public void Nothing_is_confirmed_before_it_was_taken_when_the_clock_of_Redis_was_set_forward()
    {
        var origin = DateTimeOffset.UnixEpoch;
        _book = new EndingBook(Settings(OutcomeMode.All), new AnswerSettings(), new RetrySettings(), ConfirmGrade.Held, origin);
        var setForward = origin.AddHours(1);
        _book.Took(setForward.AddSeconds(2), TimeSpan.FromSeconds(3));
        // One that is read again after a reconnect was taken when it was; and so was one before the clock was set back.
        _book.Took(origin.AddSeconds(1), TimeSpan.FromSeconds(4));
        var open = _book.Open(Entry(1, "a") with { TakenAt = setForward.AddSeconds(2) })!;
        (open.WrittenAt, open.ConfirmedAt) = (TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(5));

        var outcome = Assert.Single(_book.Settled(P(1))).Outcome!;

        Assert.Equal((setForward.AddSeconds(2), setForward.AddSeconds(4)), (outcome.WrittenAt!.Value, outcome.ConfirmedAt!.Value));
        Assert.Equal(setForward.AddSeconds(6), _book.WallClock(TimeSpan.FromSeconds(7)));
    }

    [Theory]
    [InlineData(RejectionReason.NotWellFormed, Ending.Dead)]
    [InlineData(RejectionReason.Expired, Ending.Expired)]
    public void What_is_rejected_ends_with_its_reason_and_only_once(RejectionReason reason, Ending ending)
    {
        var open = Open(1, "a");
        var dead = _book.Dead(P(1), new Rejection(reason, 3, "words"), 1, open);

        Assert.Equal((true, ending, reason.WireName()), (dead.IsDead, dead.Outcome!.Ending, dead.Outcome.Reason));
        Assert.Empty(_book.Settled(P(1)));
    }

    [Fact]
    public void An_error_ends_the_message_that_it_answers_and_no_other_ending_follows()
    {
        Open(1, "a");
        Open(2, "b");
        var meaning = _book.Bounced(Error("b"), EntryPosition.Zero, default);

        Assert.Equal(["2 Bounced b"], Told([meaning.Ended!]));
        Assert.True(_book.HasEnded(P(2)));
        Assert.Equal(BounceMeaning.Nothing, _book.Bounced(Error("b"), EntryPosition.Zero, default));
        Assert.Equal(["1 Held a"], Told(_book.Settled(P(2))));
        Assert.False(_book.HasEnded(P(2)));
    }

    [Fact]
    public void Read_again_after_it_ended_it_has_no_ticket()
    {
        Open(1, "a");
        _book.Bounced(Error("a"), EntryPosition.Zero, default);
        _book.ForgetOpen();

        Assert.True(_book.HasEnded(P(1)));
        Assert.Empty(_book.Settled(P(1)));
    }

    [Theory]
    [InlineData(OutcomeMode.None, false, false)]
    [InlineData(OutcomeMode.Failures, true, false)]
    [InlineData(OutcomeMode.All, true, true)]
    public void A_message_that_has_left_the_journal_bounces_late(OutcomeMode mode, bool told, bool ownIdIsLate)
    {
        _book = Book(mode);
        _book.Remember([Entry(1, "a")]);

        var sealedId = _book.Bounced(Error(SealedIds.Of(1, Ada)), P(1), default);
        Assert.Equal((true, told ? true : null), (sealedId.IsOurs, sealedId.Told?.Late));
        Assert.Equal(BounceMeaning.Nothing, _book.Bounced(Error(SealedIds.Of(1, Ada)), P(1), default));
        // Of the app's own id nobody knows any more when its message left.
        var ownId = _book.Bounced(Error("a"), P(1), default);
        Assert.Equal((true, told ? ownIdIsLate : null), (ownId.IsOurs, ownId.Told?.Late));
    }

    [Fact]
    public void Where_nobody_asked_a_bounce_is_told_and_ends_nothing()
    {
        var meaning = _book.Bounced(Error(SealedIds.Of(2, Ada)), P(1), default);

        Assert.Equal((true, null, false), (meaning.IsOurs, meaning.Ended, meaning.Told!.Late));
        Assert.False(_book.HasEnded(P(2)));
    }

    [Fact]
    public void An_entry_that_ends_by_its_generated_id_must_have_that_id_in_the_journal_too()
    {
        Open(2, SealedIds.Of(2, Ada), own: false);
        var meaning = _book.Bounced(Error(SealedIds.Of(2, Ada)), P(1), default);

        Assert.Equal((P(2), "b-0123456789abcdef-2", Ending.Bounced), (meaning.Ended!.Position, meaning.Ended.Expected, meaning.Ended.Outcome!.Ending));
        Assert.Equal(BounceMeaning.Nothing, _book.Bounced(Error(SealedIds.Of(2, Ada)), P(1), default));
    }

    [Fact]
    public void An_id_of_an_earlier_history_does_not_end_the_entry_that_has_its_place_now()
    {
        Open(2, SealedIds.Of(2, Ada), own: false);
        var earlier = new GeneratedIds("ffffffffffffffff", ofStream: false, SealedIds.Seal);
        Span<byte> id = stackalloc byte[GeneratedIds.MaxBytes];
        var length = earlier.Write(P(2), "ada@example.test"u8, id);
        _book.Bounced(Error(System.Text.Encoding.ASCII.GetString(id[..length])), P(1), default);

        Assert.Equal("2 Held", Told(_book.Settled(P(2)))[0][..6]);
    }

    [Theory]
    [InlineData("eve@example.test")]
    [InlineData("example.test")]
    public void An_error_from_somebody_else_ends_nothing(string from)
    {
        Open(1, "a");
        Assert.Equal(BounceMeaning.Nothing, _book.Bounced(Error("a", from), EntryPosition.Zero, default));
        Assert.Equal(BounceMeaning.Nothing, _book.Bounced(Error(SealedIds.Of(2, Ada), from), EntryPosition.Zero, default));
    }

    [Fact]
    public void Messages_of_one_id_are_answered_in_their_order()
    {
        for (var i = 1; i <= 4; i++)
            Open(i, "a");
        Assert.Equal(P(1), _book.Bounced(Error("a"), EntryPosition.Zero, default).Ended!.Position);
        Assert.Equal(["2 Held a"], Told(_book.Settled(P(2))));
        Assert.Equal(P(3), _book.Bounced(Error("a"), P(2), default).Ended!.Position);
        Assert.Equal(P(4), _book.Bounced(Error("a"), P(2), default).Ended!.Position);
        Assert.Null(_book.Bounced(Error("a"), P(2), default).Ended);
    }

    [Fact]
    public void A_convicted_message_in_the_middle_leaves_the_others_of_its_id_in_order()
    {
        var tickets = Enumerable.Range(1, 4).Select(i => Open(i, "a")).ToArray();
        _book.Dead(P(4), new Rejection(RejectionReason.Convicted, -1, null), 1, tickets[3]);
        _book.Dead(P(2), new Rejection(RejectionReason.Convicted, -1, null), 1, tickets[1]);
        Open(5, "a");

        Assert.Equal([1UL, 3UL, 5UL], Enumerable.Range(0, 3).Select(_ => _book.Bounced(Error("a"), EntryPosition.Zero, default).Ended!.Position.Low));
    }

    [Fact]
    public void It_is_full_when_so_many_endings_are_owed_and_tells_up_to_where_one_is()
    {
        _book = new EndingBook(Settings(OutcomeMode.All) with { MaxPending = 2 }, new AnswerSettings(), new RetrySettings(), ConfirmGrade.Held, default) { Seal = SealedIds.Seal };
        Open(3, "a");
        Assert.Equal((false, false, true), (_book.IsFull, _book.Owes(P(2)), _book.Owes(P(3))));
        Open(4, "b");
        Assert.True(_book.IsFull);
        _book.Bounced(Error("a"), EntryPosition.Zero, default);
        Assert.Equal((false, true), (_book.Owes(P(3)), _book.Owes(P(4))));
        _book.Settled(P(4));
        Assert.Equal((false, false), (_book.IsFull, _book.Owes(P(9))));
    }

    [Fact]
    public void What_waits_for_a_receipt_leaves_the_journal_and_ends_when_it_comes_from_whom_it_was_written_to()
    {
        OpenWaiting(1, "a", AnswerKind.Receipt);
        Open(2, "b");

        var settled = _book.Settled(P(2));
        Assert.Equal("0-1 a", settled[0].Awaits!.Key);
        Assert.Equal((Ending.Held, 1), (settled[1].Outcome!.Ending, _book.Awaiting));
        Assert.Null(_book.Answered("a", "eve@example.test", AnswerKind.Receipt, default, out var isOurs));
        Assert.False(isOurs);
        Assert.Null(_book.Answered("a", Ada, AnswerKind.Result, default, out _));

        var ended = _book.Answered("a", Ada + "/phone", AnswerKind.Receipt, default, out isOurs)!;
        Assert.Equal(("0-1 a", Ending.Received, true, 0), (ended.AwaitedKey, ended.Outcome!.Ending, isOurs, _book.Awaiting));
        Assert.Null(_book.Answered("a", Ada, AnswerKind.Receipt, default, out isOurs));
        Assert.True(isOurs);
    }

    [Fact]
    public void A_receipt_that_comes_before_the_settlement_ends_the_entry_where_it_stands()
    {
        OpenWaiting(1, "a", AnswerKind.Receipt);

        var ended = _book.Answered("a", Ada, AnswerKind.Receipt, default, out _)!;

        Assert.Equal((P(1), Ending.Received, null), (ended.Position, ended.Outcome!.Ending, ended.AwaitedKey));
        Assert.True(_book.HasEnded(P(1)));
        Assert.Empty(_book.Settled(P(1)));
    }

    [Fact]
    public void Who_asked_for_no_receipt_gets_none_and_what_was_sent_as_one_is_left_to_others()
    {
        Open(1, "a");
        Assert.Null(_book.Answered("a", Ada, AnswerKind.Receipt, default, out var isOurs));
        Assert.False(isOurs);
        Assert.Equal(["1 Held a"], Told(_book.Settled(P(1))));
    }

    [Fact]
    public void A_receipt_that_does_not_come_in_time_is_told_then_and_not_before()
    {
        var open = OpenWaiting(1, "a", AnswerKind.Receipt, within: TimeSpan.FromSeconds(10));
        open.WrittenAt = TimeSpan.FromSeconds(5);
        // Not while it stands in the journal: should its server die, it is sent again.
        Assert.Empty(_book.Overdue(TimeSpan.FromSeconds(100)));
        _book.Settled(P(1));

        Assert.Empty(_book.Overdue(TimeSpan.FromSeconds(14.9)));
        var ended = Assert.Single(_book.Overdue(TimeSpan.FromSeconds(15)));
        Assert.Equal(("0-1 a", Ending.Unconfirmed), (ended.AwaitedKey, ended.Outcome!.Ending));
        Assert.Empty(_book.Overdue(TimeSpan.FromSeconds(16)));
    }

    [Fact]
    public void A_request_that_nobody_answers_in_time_ends_wherever_it_stands_and_is_not_sent_again()
    {
        var open = OpenWaiting(1, "a", AnswerKind.Result, within: TimeSpan.FromSeconds(10));
        OpenWaiting(2, "never-written", AnswerKind.Result, within: TimeSpan.FromSeconds(10));
        Assert.Empty(_book.Overdue(TimeSpan.FromSeconds(100)));
        open.WrittenAt = TimeSpan.FromSeconds(5);

        Assert.Equal(["1 Unconfirmed a"], Told(_book.Overdue(TimeSpan.FromSeconds(15))));
        Assert.Equal((true, false), (_book.HasEnded(P(1)), _book.HasEnded(P(2))));
    }

    [Fact]
    public void A_result_comes_with_what_it_says_and_an_error_ends_the_request_as_a_bounce()
    {
        OpenWaiting(1, "a", AnswerKind.Result);
        OpenWaiting(2, "b", AnswerKind.Result);
        OpenWaiting(3, "c", AnswerKind.Result);
        _book.Settled(P(2));

        Assert.Equal("<iq/>", _book.Answered("a", Ada, AnswerKind.Result, "<iq/>"u8, out _)!.Outcome!.Answer);
        var bounced = _book.Bounced(Error("b", Ada), P(2), default).Ended!;
        Assert.Equal(("0-2 b", Ending.Bounced, false), (bounced.AwaitedKey, bounced.Outcome!.Ending, bounced.Outcome.Late));
        Assert.Equal((P(3), Ending.Bounced), (_book.Bounced(Error("c", Ada), P(2), default).Ended!.Position, Ending.Bounced));
    }

    [Fact]
    public void More_than_may_wait_end_at_once_and_say_why()
    {
        for (var i = 1; i <= 3; i++)
            OpenWaiting(i, $"m{i}", AnswerKind.Receipt);

        var settled = _book.Settled(P(3));

        Assert.Equal([true, true, false], settled.Select(entry => entry.Awaits is not null));
        Assert.Equal((Ending.Unconfirmed, "awaiting-full"), (settled[2].Outcome!.Ending, settled[2].Outcome!.Reason));
    }

    [Fact]
    public void What_a_predecessor_left_waiting_ends_like_ones_own()
    {
        OpenWaiting(1, "a", AnswerKind.Receipt, within: TimeSpan.FromSeconds(10));
        OpenWaiting(2, "b", AnswerKind.Receipt, within: TimeSpan.FromSeconds(20));
        var left = _book.Settled(P(2)).Select(entry => entry.Awaits!).ToArray();

        _book = Book(OutcomeMode.All);
        _book.Restore(new Recovery(new QueueSession(new LeaseGrant("t", 1), 1), 0, EntryPosition.Zero, EntryPosition.Zero, null, false)
        {
            Awaiting = [.. left.Select(waiting => AwaitedAnswer.TryRead(waiting.Key, waiting.Json(), out var read) ? read! : null!)],
        }, TimeSpan.Zero);

        Assert.Equal("0-2 b", _book.Answered("b", Ada, AnswerKind.Receipt, default, out _)!.AwaitedKey);
        Assert.Equal(["0-1 a"], _book.Overdue(TimeSpan.FromSeconds(10)).Select(ended => ended.AwaitedKey));
    }

    [Fact]
    public void What_a_predecessor_left_waiting_ends_by_the_clock_of_Redis_whatever_those_of_the_nodes_show()
    {
        var redis = DateTimeOffset.UnixEpoch.AddDays(20_000);
        _book = BookOf(redis.AddHours(3));
        // Redis answers five seconds after this book was opened.
        _book.Restore(Recovered(redis), TimeSpan.FromSeconds(5));
        OpenWaiting(1, "a", AnswerKind.Receipt, within: TimeSpan.FromSeconds(10)).WrittenAt = TimeSpan.FromSeconds(6);
        var left = Assert.Single(_book.Settled(P(1))).Awaits!;
        Assert.Equal(redis.AddSeconds(11), left.Due);

        _book = BookOf(redis.AddHours(-3));
        _book.Restore(Recovered(redis.AddSeconds(4)) with { Awaiting = [left] }, TimeSpan.FromSeconds(1));

        Assert.Empty(_book.Overdue(TimeSpan.FromSeconds(7.9)));
        Assert.Equal(["0-1 a"], _book.Overdue(TimeSpan.FromSeconds(8)).Select(ended => ended.AwaitedKey));

        static EndingBook BookOf(DateTimeOffset wall) =>
            new(Settings(OutcomeMode.All), new AnswerSettings(), new RetrySettings(), ConfirmGrade.Held, wall) { Seal = SealedIds.Seal };

        static Recovery Recovered(DateTimeOffset clock) =>
            new(new QueueSession(new LeaseGrant("t", 1), 1), 0, EntryPosition.Zero, EntryPosition.Zero, null, false) { Clock = clock };
    }

    [Fact]
    public void Two_that_an_app_gave_one_id_are_answered_in_their_order()
    {
        OpenWaiting(1, "a", AnswerKind.Receipt);
        OpenWaiting(2, "a", AnswerKind.Receipt);
        _book.Settled(P(2));

        Assert.Equal(
            ["0-1 a", "0-2 a", null],
            Enumerable.Range(0, 3).Select(_ => _book.Answered("a", Ada, AnswerKind.Receipt, default, out var _)?.AwaitedKey));
    }

    [Fact]
    public void A_message_that_may_work_later_is_put_off_and_ends_when_it_bounced_for_the_last_time()
    {
        _book = Retrying();
        var open = Open(1, "a");
        open.Attempts = 1;

        var putOff = _book.Bounced(Wait("a"), P(0), TimeSpan.FromSeconds(3)).Ended!;

        Assert.Equal((P(1), 1, (DateTimeOffset?)DateTimeOffset.UnixEpoch.AddSeconds(8)), (putOff.Position, putOff.Later!.Said.Attempts, (DateTimeOffset?)putOff.Later.Due));
        Assert.True(putOff.Later.Said.Overtaken);
        // What is told should there be no room for it.
        Assert.Equal((Ending.Dead, "retry-full"), (putOff.Outcome!.Ending, putOff.Outcome.Reason));
        Assert.True(_book.HasEnded(P(1)));
        Assert.Empty(_book.Settled(P(1)));
        Assert.Equal(BounceMeaning.Nothing, _book.Bounced(Wait("a"), P(1), default));

        var again = OpenAgain(2, "a", putOff.Later.Said);
        again.Attempts++;
        var later = _book.Bounced(Wait("a"), P(1), TimeSpan.FromSeconds(20)).Ended!.Later!;
        Assert.Equal((2, DateTimeOffset.UnixEpoch.AddSeconds(30)), (later.Said.Attempts, later.Due));
        again = OpenAgain(3, "a", later.Said);
        again.Attempts++;
        var last = _book.Bounced(Wait("a"), P(2), default).Ended!;
        Assert.Null(last.Later);
        Assert.Equal((Ending.Bounced, 3, true), (last.Outcome!.Ending, last.Outcome.Attempts, last.Outcome.Overtaken));
    }

    [Fact]
    public void Only_a_bounce_that_says_wait_of_a_message_is_followed_by_another_attempt()
    {
        _book = Retrying();
        Open(1, "a").Attempts = 1;
        Open(2, "b").Attempts = 1;
        Assert.Null(_book.Bounced(Error("a"), P(0), default).Ended!.Later);
        Assert.Null(_book.Bounced(Wait("b") with { Kind = StanzaKind.Iq }, P(0), default).Ended!.Later);
    }

    [Fact]
    public void What_was_confirmed_is_kept_for_a_bounce_that_comes_late_and_then_told()
    {
        _book = Retrying();
        var kept = Open(1, "a");
        (kept.Attempts, kept.WrittenAt) = (1, TimeSpan.FromSeconds(1));
        var other = Open(2, "b");
        (other.Attempts, other.WrittenAt) = (1, TimeSpan.FromSeconds(1));

        var settled = _book.Settled(P(2));
        Assert.All(settled, entry => Assert.True(entry.Awaits!.MayBeSentAgain));
        var putOff = _book.Bounced(Wait("a"), P(2), TimeSpan.FromSeconds(2)).Ended!;

        Assert.Equal(("0-1 a", 1), (putOff.AwaitedKey, putOff.Later!.Said.Attempts));
        var told = Assert.Single(_book.Overdue(TimeSpan.FromSeconds(31)));
        Assert.Equal(("0-2 b", Ending.Held), (told.AwaitedKey, told.Outcome!.Ending));
    }

    [Fact]
    public void What_comes_for_a_recipient_who_waits_queues_up_behind_and_others_pass()
    {
        _book = Retrying();
        Open(1, "a").Attempts = 1;
        var first = _book.Bounced(Wait("a"), P(0), default).Ended!;
        var hash = first.Later!.Said.Recipient;

        Assert.True(_book.PutsOff(Entry(2, "b") with { Recipient = hash }, default, out var behind));
        Assert.Equal((first.Later.Due, 0, hash), (behind.Later!.Due, behind.Later.Said.Attempts, behind.Later.Said.Recipient));
        Assert.False(_book.PutsOff(Entry(3, "c") with { Recipient = hash + 1 }, default, out _));

        // Both have come again: nobody waits any more.
        _book.Came(first.Later.Said);
        Assert.True(_book.PutsOff(Entry(4, "d") with { Recipient = hash }, default, out var third));
        Assert.False(_book.PutsOff(Entry(5, "a") with { Recipient = hash, Deferred = first.Later.Said }, default, out _));
        _book.Came(behind.Later.Said);
        _book.Came(third.Later!.Said);
        Assert.False(_book.PutsOff(Entry(6, "e") with { Recipient = hash }, default, out _));
    }

    [Fact]
    public void What_is_too_early_is_put_off_and_blocks_nobody()
    {
        var due = DateTimeOffset.UnixEpoch.AddHours(1);
        Assert.True(_book.PutsOff(Entry(1, "a") with { NotYet = new NotYet(due, null), Recipient = 7 }, default, out var putOff));
        Assert.Equal((due, 0UL, "schedule-full"), (putOff.Later!.Due, putOff.Later.Said.Recipient, putOff.Later.WhenFull));
        Assert.False(_book.PutsOff(Entry(2, "b") with { Recipient = 7 }, default, out _));
    }

    private static EndingBook Retrying() =>
        new(Settings(OutcomeMode.All), new AnswerSettings(), new RetrySettings { Limit = 2 }, ConfirmGrade.Held, DateTimeOffset.UnixEpoch) { Seal = SealedIds.Seal };

    private static StanzaBounced Wait(string id) =>
        Error(id) with { Error = new StanzaError(StanzaErrorType.Wait, StanzaErrorCondition.ResourceConstraint, null) };

    private OpenTicket OpenAgain(int sequence, string id, Deferred said)
    {
        var entry = Entry(sequence, id);
        entry = entry with { Deferred = said, Ticket = entry.Ticket! with { PriorAttempts = said.Attempts, Overtaken = said.Overtaken } };
        _book.Remember([entry]);
        return _book.Open(entry)!;
    }

    private static EndingBook Book(OutcomeMode mode, ConfirmGrade grade = ConfirmGrade.Held) =>
        new(Settings(mode), new AnswerSettings { MaxAwaiting = 2 }, new RetrySettings(), grade, DateTimeOffset.UnixEpoch) { Seal = SealedIds.Seal };

    private static OutcomeSettings Settings(OutcomeMode mode) => new() { Mode = mode, MaxEntries = 10, Buffer = 10, OwnIdsRemembered = 8 };

    private static StanzaBounced Error(string id, string from = Ada + "/phone") => new(StanzaKind.Message, id, from, "bridge.example.test", Unavailable);

    private static EntryPosition P(int sequence) => EntryPosition.OfSequence((ulong)sequence);

    private static EncodedEntry Entry(int sequence, string id, bool own = true) => new(
        P(sequence), 0, 10, 10, default, own ? OwnIds.HashOf(System.Text.Encoding.UTF8.GetBytes(id), "ada@example.test"u8) : 0, default,
        new OutcomeTicket(id, Ada, null, null, null));

    private static List<string> Told(IEnumerable<EndedEntry> ended) =>
        [.. ended.Select(entry => $"{entry.Position.Low} {entry.Outcome!.Ending} {entry.Outcome.Id}")];

    private OpenTicket OpenWaiting(int sequence, string id, AnswerKind kind, TimeSpan? within = null)
    {
        var entry = Entry(sequence, id);
        entry = entry with { Ticket = entry.Ticket! with { Answer = kind, AnswerWithin = within ?? TimeSpan.FromMinutes(1) } };
        _book.Remember([entry]);
        return _book.Open(entry)!;
    }

    private OpenTicket Open(int sequence, string id, bool own = true)
    {
        var entry = Entry(sequence, id, own);
        _book.Remember([entry]);
        return _book.Open(entry)!;
    }
}
