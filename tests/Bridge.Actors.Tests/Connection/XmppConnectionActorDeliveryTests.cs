using Akka.Actor;
using Akka.Event;
using Bridge.Actors.Tests.Outcomes;
using Bridge.Actors.Tests.Stanzas;
using Bridge.Connection;
using Bridge.Inbound;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Connection;

/// <summary>From the puller to the stream and back: order, barriers, confirmation, settlement, and what a break does to them.</summary>
public sealed class XmppConnectionActorDeliveryTests : XmppConnectionActorSpec
{
    private static readonly StanzaError Unavailable = new(StanzaErrorType.Cancel, StanzaErrorCondition.ServiceUnavailable, null);

    [Fact]
    public void Nothing_is_asked_of_the_puller_before_the_stream_stands()
    {
        Start(Settings());
        TellJournal();
        Assert.Null(ExpectFlow());
        Establish();

        Assert.Equal(0, ExpectFlow());
    }

    [Fact]
    public void The_window_is_told_with_the_flow()
    {
        Start(Settings());
        Establish();
        TellJournal();

        var told = Assert.Single(Drain<RedisPullerActor.WindowMoved>(Puller));
        Assert.Equal((1, 0L, 10_000, 16L << 20), (told.Flow, told.DoneEntries, told.LimitEntries, told.LimitBytes));
    }

    [Fact]
    public void Entries_are_written_in_order_with_a_barrier_behind_every_so_many()
    {
        var settings = Settings();
        Begin(settings with { Window = settings.Window with { BarrierEntries = 3 } });
        Hand(Range(1, 8));

        Assert.Equal(["1", "2", "3", "|2", "4", "5", "6", "|3", "7", "8"], Link.Written());
        Link.ReturnBarrier(2);
        Assert.Empty(Link.Written());
        Link.ReturnBarrier(3);
        Assert.Equal(["|4"], Link.Written());
    }

    [Fact]
    public void Batches_that_are_encoded_out_of_order_are_written_in_order()
    {
        Begin(Settings());
        Connection.Tell(new StanzaWriterActor.BatchEncoded(Encoded(Flow, 2, 3, 4)));
        Assert.Empty(Link.Written());
        Connection.Tell(new StanzaWriterActor.BatchEncoded(Encoded(Flow, 0, 1, 2)));

        Assert.Equal(["1", "2", "3", "4", "|2"], Link.Written());
    }

    [Fact]
    public void A_batch_of_an_earlier_flow_is_thrown_away()
    {
        Begin(Settings());
        var late = Encoded(Flow - 1, 0, 1);
        Connection.Tell(new StanzaWriterActor.BatchEncoded(late));

        Assert.Empty(Link.Written());
        Assert.Throws<ObjectDisposedException>(() => late.Bytes(0, 1).Length);
    }

    [Fact]
    public void With_grade_accepted_a_returned_barrier_settles_what_stands_before_it()
    {
        Begin(Settings(ConfirmGrade.Accepted));
        Hand(1, 2);
        Hand(3);
        Assert.Equal(["1", "2", "|2", "3"], Link.Written());
        Link.ReturnBarrier(2);

        Pass(100);
        Assert.Equal(2, Settled().UpTo);
        Link.ReturnBarrier(3);
        Pass(100);
        Assert.Equal(3, Settled().UpTo);
        Assert.Equal(3, Metrics["entries.confirmed"]);
    }

    [Fact]
    public void Less_than_a_batch_settles_at_the_next_tick_and_a_batch_at_once()
    {
        var settings = Settings(ConfirmGrade.Accepted);
        Begin(settings with { Queue = settings.Queue with { BatchEntries = 3 } });
        Hand(1, 2, 3);
        Link.ReturnBarrier(2);
        Assert.Equal(3, Settled().UpTo);

        Hand(4, 5);
        Link.ReturnBarrier(3);
        Assert.Equal(0, Settled().UpTo);
        Pass(100);
        Assert.Equal(5, Settled().UpTo);
    }

    [Fact]
    public void With_grade_held_it_settles_once_the_stream_has_lived_on()
    {
        Begin(Settings());
        Hand(1, 2);
        Link.ReturnBarrier(2);
        Pass(TimeSpan.FromSeconds(1.9));
        Assert.Equal(0, Settled().UpTo);
        Pass(200);
        // Our own clock proves nothing: the server has to answer once more.
        Assert.Equal(0, Settled().UpTo);
        ServeAll();
        Pass(100);

        Assert.Equal(2, Settled().UpTo);
    }

    [Fact]
    public void The_confirmed_mark_is_told_within_a_tenth_of_a_second_while_the_hold_lasts()
    {
        Begin(Settings());
        Hand(1, 2);
        Link.ReturnBarrier(2);
        Pass(100);

        var mark = Assert.Single(Drain<RedisPullerActor.Settle>(Puller)).Settlement.Mark;
        Assert.Equal(new ConfirmedMark(EntryPosition.OfSequence(2), "127.0.0.1:5347", 0, default), mark);
        Pass(100);
        Assert.Empty(Drain<RedisPullerActor.Settle>(Puller));
    }

    [Fact]
    public void A_rejected_entry_settles_in_its_place_with_its_reason()
    {
        Begin(Settings(ConfirmGrade.Accepted));
        Payload(2, "reject");
        Hand(1, 2, 3);
        Assert.Equal(["1", "3", "|2"], Link.Written());
        Assert.Equal(0, Settled().UpTo);
        Link.ReturnBarrier(2);
        Pass(100);

        var (upTo, rejected) = Settled();
        Assert.Equal(3, upTo);
        Assert.Equal(["2 not-well-formed"], rejected);
        Assert.Equal(1, Metrics["entries.rejected:not-well-formed"]);
    }

    [Fact]
    public void Rejected_entries_alone_settle_without_a_barrier()
    {
        Begin(Settings());
        Hand(1, "reject");

        Assert.Equal(["1 not-well-formed"], Settled().Rejected);
        Assert.Empty(Link.Written());
    }

    [Fact]
    public void What_was_unconfirmed_when_the_stream_broke_is_written_again_from_memory_in_order()
    {
        Begin(Settings(ConfirmGrade.Accepted));
        Hand(1, 2);
        Link.ReturnBarrier(2);
        Hand(3, 4);
        Link.Written();
        Link.End(SocketEnd.RemoteReset);
        Hand(5);
        Reconnect();

        Assert.Null(ExpectFlow());
        Assert.Equal(["header", "handshake", "|4", "3", "4", "5"], Link.Written());
        Link.ReturnBarrier(4);
        Assert.Equal(["|5"], Link.Written());
        Link.ReturnBarrier(5);
        Assert.Equal(5, Metrics["entries.confirmed"]);
        Assert.Equal(2, Metrics["entries.resent"]);
    }

    [Fact]
    public void What_was_held_when_the_stream_broke_is_read_again_from_the_journal()
    {
        Begin(Settings());
        Hand(1, 2);
        ServeAll();
        Pass(TimeSpan.FromSeconds(2.1));
        ServeAll();
        Pass(100);
        Assert.Equal(2, Settled().UpTo);
        Hand(3);
        ServeAll();
        Pass(150);
        Hand(4);
        Link.End(SocketEnd.RemoteClosed);
        Reconnect();

        Assert.Equal(["header", "handshake"], ServeAll());
        var told = Drain<object>(Puller);
        var flow = Assert.Single(told.OfType<RedisPullerActor.StartFlow>());
        Assert.Equal((2, EntryPosition.OfSequence(2)), (flow.Flow, flow.After));
        // A successor must not trust what this server may have forgotten.
        Assert.Equal(EntryPosition.OfSequence(2), told.OfType<RedisPullerActor.Settle>().Last().Settlement.Mark?.Position);
        Assert.Equal(2, Metrics["entries.resent"]);
    }

    [Fact]
    public void A_hold_that_ends_while_the_stream_is_down_settles_nothing()
    {
        var settings = Settings();
        Begin(settings with { Xmpp = settings.Xmpp with { BackoffMin = TimeSpan.FromSeconds(8) } });
        Hand(1);
        Link.ReturnBarrier(2);
        Pass(100);
        Settled();
        Link.End(SocketEnd.RemoteReset);
        Pass(TimeSpan.FromSeconds(3.5));

        Assert.Equal(0, Settled().UpTo);
    }

    [Fact]
    public void A_stream_error_that_names_a_stanza_proves_that_the_server_lives_and_nothing_held_is_sent_again()
    {
        Begin(Settings());
        Hand(1);
        Link.ReturnBarrier(2);
        Hand(2);
        Link.Say(Error(StreamErrorCondition.InvalidFrom));
        Reconnect();

        Assert.Null(ExpectFlow());
    }

    [Theory]
    [InlineData("the same start proves it", 100, 102, true, true, true)]
    [InlineData("a new start disproves it", 100, 1, true, true, false)]
    [InlineData("several addresses prove nothing", 100, 102, false, false, false)]
    [InlineData("no answer proves nothing", 100, -1, true, true, false)]
    [InlineData("no answer before proves nothing", -1, 102, true, true, false)]
    public void What_was_held_is_kept_only_when_the_server_is_known_to_have_lived_on(
        string name, int before, int after, bool singleBefore, bool singleAfter, bool kept)
    {
        Start(Settings(), askUptime: true);
        Establish(singleBefore);
        Assert.Contains("uptime?", Link.Written());
        if (before >= 0)
            Link.TellUptime(before);
        Link.ReturnBarrier(1);
        TellJournal();
        Pass(TimeSpan.FromSeconds(2.1));
        Assert.Equal(0, ExpectFlow());
        ServeAll();
        Hand(1);
        ServeAll();
        Assert.Equal(1, Metrics["entries.confirmed"]);
        Link.End(SocketEnd.RemoteReset);
        Reconnect(singleAfter);
        Assert.Contains("uptime?", Link.Written());
        Assert.Null(ExpectFlow());
        if (after >= 0)
            Link.TellUptime(after);
        else
            Pass(TimeSpan.FromSeconds(2.1));

        Assert.True(kept == (ExpectFlow() is null), name);
    }

    [Fact]
    public void Nothing_is_written_while_the_answer_decides_where_to_begin()
    {
        Start(Settings(), askUptime: true);
        Establish();
        Link.Written();
        Link.TellUptime(100);
        Link.ReturnBarrier(1);
        TellJournal();
        ExpectFlow();
        Hand(1);
        Link.ReturnBarrier(2);
        Hand(2);
        Link.End(SocketEnd.RemoteReset);
        Reconnect();
        Assert.DoesNotContain("2", Link.Written());
        Link.TellUptime(101);

        Assert.Contains("2", Link.Written());
    }

    [Theory]
    [InlineData("somebody else's answer", "example.org")]
    [InlineData("a user's answer", "ada@example.test")]
    public void Only_the_servers_own_answer_counts(string name, string from)
    {
        Start(Settings(), askUptime: true);
        Establish();
        Link.Written();
        TellJournal(3, 1, new ConfirmedMark(EntryPosition.OfSequence(2), "127.0.0.1:5347", 1, default));
        Link.TellUptime(100, from);
        Assert.True(ExpectFlow() is null, name);
        Link.TellUptime(100);

        Assert.NotNull(ExpectFlow());
    }

    [Fact]
    public void An_uptime_that_the_server_refuses_to_tell_is_unknown_at_once()
    {
        Start(Settings(), askUptime: true);
        Establish();
        Link.Written();
        TellJournal(3, 1, new ConfirmedMark(EntryPosition.OfSequence(2), "127.0.0.1:5347", 1, default));
        Link.Say(new StanzaBounced(StanzaKind.Iq, Link.UptimeId, "example.test", "bridge.example.test", Unavailable));

        Assert.NotNull(ExpectFlow());
        Assert.Empty(Drain<object>(Publisher).OfType<InboundPublisherActor.Publish>());
    }

    [Fact]
    public void A_successor_without_a_mark_sends_the_whole_journal()
    {
        Start(Settings());
        Establish();
        TellJournal(5, 11);

        Assert.Equal(10, ExpectFlow());
    }

    [Fact]
    public void A_successor_continues_the_hold_from_the_mark()
    {
        Start(Settings());
        Establish();
        Link.ReturnBarrier(1);
        TellJournal(5, 11, new ConfirmedMark(EntryPosition.OfSequence(13), "127.0.0.1:5347", 0, default));
        Assert.Equal(13, ExpectFlow());
        Pass(TimeSpan.FromSeconds(1.9));
        Assert.Equal(0, Settled().UpTo);
        Pass(200);
        ServeAll();
        Pass(100);

        Assert.Equal(13, Settled().UpTo);
    }

    [Fact]
    public void A_mark_behind_the_journal_holds_all_of_it()
    {
        Start(Settings());
        Establish();
        TellJournal(5, 11, new ConfirmedMark(EntryPosition.OfSequence(99), "127.0.0.1:5347", 0, default));

        Assert.Equal(15, ExpectFlow());
    }

    [Fact]
    public void A_mark_before_the_journal_says_nothing_about_it()
    {
        Start(Settings());
        Establish();
        TellJournal(5, 11, new ConfirmedMark(EntryPosition.OfSequence(10), "127.0.0.1:5347", 0, default));

        Assert.Equal(10, ExpectFlow());
    }

    [Theory]
    [InlineData("the same start continues the hold", 0, 13)]
    [InlineData("another start sends all again", 60, 10)]
    public void A_mark_that_names_the_servers_start_is_held_against_its_answer(string name, int secondsLater, long after)
    {
        var started = (ManualTime.Start - TimeSpan.FromHours(1)).ToUnixTimeMilliseconds();
        Start(Settings(), askUptime: true);
        Establish();
        Link.Written();
        TellJournal(5, 11, new ConfirmedMark(EntryPosition.OfSequence(13), "127.0.0.1:5347", started, default));
        Assert.Null(ExpectFlow());
        Link.TellUptime(3_600 - secondsLater);

        Assert.True(after == ExpectFlow(), name);
    }

    [Fact]
    public void A_barrier_that_is_not_outstanding_confirms_nothing()
    {
        Begin(Settings(ConfirmGrade.Accepted));
        Hand(1);
        Link.ReturnBarrier(1);
        Link.ReturnBarrier(3);
        Link.ReturnBarrier(99);
        Assert.Equal(0, Metrics["entries.confirmed"]);
        Assert.Equal(3, Metrics["barriers.unexpected"]);

        Link.ReturnBarrier(2);
        Link.ReturnBarrier(2);
        Assert.Equal(1, Metrics["entries.confirmed"]);
        Assert.Equal(4, Metrics["barriers.unexpected"]);
    }

    [Fact]
    public void A_barrier_that_a_later_one_overtook_is_missed_and_told()
    {
        var settings = Settings(ConfirmGrade.Accepted);
        Begin(settings with { Window = settings.Window with { BarrierEntries = 1 } });
        Hand(1, 2, 3);
        Link.ReturnBarrier(4);
        Pass(100);

        Assert.Equal(3, Settled().UpTo);
        Assert.Equal(2, Metrics["barriers.missing"]);
        Assert.Contains("second connection", Assert.Single(Logged(LogLevel.WarningLevel)), StringComparison.Ordinal);
    }

    [Fact]
    public void Our_own_stale_barrier_is_neither_answered_nor_counted_as_a_confirmation()
    {
        Begin(Settings(ConfirmGrade.Accepted));
        Hand(1);
        Link.Written();
        Link.Say(Iq("get", "0123-2", "bridge.example.test", "bridge.example.test"));

        Assert.Empty(Link.Written());
        Assert.Equal(0, Metrics["entries.confirmed"]);
        Assert.Equal(1, Metrics["barriers.unexpected"]);
    }

    [Theory]
    [InlineData("get", "ada@example.test/home", new[] { "error:q&apos;1" })]
    [InlineData("set", "ada@example.test/home", new[] { "error:q&apos;1" })]
    [InlineData("get", null, new[] { "error:q&apos;1" })]
    [InlineData("result", "ada@example.test/home", new string[0])]
    [InlineData("error", "ada@example.test/home", new string[0])]
    public void A_foreign_request_is_refused_and_an_answer_is_not_answered(string type, string? from, string[] answer)
    {
        Begin(Settings());
        Link.Say(Iq(type, "q'1", from, "bridge.example.test"));

        Assert.Equal(answer, Link.Written());
        Assert.Equal(1, Metrics["inbound.stanzas:iq"]);
    }

    [Fact]
    public void Messages_presences_and_what_is_too_large_are_counted()
    {
        Begin(Settings());
        Link.Say(
            new StanzaReceived(StanzaKind.Message, null, null, null, null, null, null, default),
            new StanzaReceived(StanzaKind.Presence, null, null, null, null, null, null, default),
            new StanzaSkipped(new SkippedStanza(SkipCause.TooLarge, 9_000_000, StanzaKind.Message, null, null, null, null)));

        Assert.Equal(
            (1L, 1L, 1L),
            (Metrics["inbound.stanzas:message"], Metrics["inbound.stanzas:presence"], Metrics["inbound.stanzas:skipped"]));
    }

    [Theory]
    [InlineData("an id of the app's is ours once it was written", "order-7", "Ada@example.test/phone", true)]
    [InlineData("a generated id that has left the journal is ours", "0", "ada@example.test", true)]
    [InlineData("from an address that it was not written to it is not", "order-7", "eve@example.test", false)]
    [InlineData("nor is a generated one", "0", "eve@example.test", false)]
    [InlineData("any other id is not", "order-8", "ada@example.test", false)]
    [InlineData("no id is not", null, "ada@example.test", false)]
    [InlineData("a bounce from nobody is not", "order-7", null, false)]
    public void A_bounce_of_what_has_ended_or_told_nobody_is_published(string name, string? id, string? from, bool published)
    {
        if (id == "0")
            id = SealedIds.Of(0, "ada@example.test");
        Begin(Settings());
        Hand(1, "id=order-7");
        Link.Say(new StanzaBounced(StanzaKind.Message, id, from, "bridge.example.test", Unavailable));

        var outcomes = Drain<InboundPublisherActor.Publish>(Publisher).SelectMany(publish => publish.Outcomes).ToArray();
        Assert.True(published == (outcomes.Length == 1), name);
        Assert.Equal(published ? 1 : 0, Metrics["bounces"]);
        Assert.Equal(published ? 0 : 1, Metrics["inbound.stanzas:message"]);
        if (published)
            Assert.Equal((Ending.Bounced, id, from, Unavailable), (outcomes[0].Ending, outcomes[0].Id, outcomes[0].To, outcomes[0].Error));
    }

    [Fact]
    public void A_bounce_of_an_entry_in_the_journal_ends_it_once_and_it_is_not_sent_again()
    {
        Begin(Settings());
        Payload(2, "told=order-2");
        Hand(Range(1, 3));
        Link.Written();
        var bounce = new StanzaBounced(StanzaKind.Message, "order-2", "ada@example.test", "bridge.example.test", Unavailable);
        Link.Say(bounce, bounce);
        Pass(TimeSpan.FromMilliseconds(100));

        Assert.Equal(["2 bounced"], Told());
        Assert.Equal((1L, 1L), (Metrics["bounces"], Metrics["inbound.stanzas:message"]));
        Link.End(SocketEnd.RemoteReset);
        Reconnect();
        Assert.Equal(["header", "handshake", "1", "3"], ServeAll());
        Assert.Empty(Told());
    }

    [Fact]
    public void What_was_asked_for_is_told_when_it_settles_and_not_before()
    {
        Begin(Settings(ConfirmGrade.Held));
        Hand(1, "told=order-1");
        Hand(2);
        ServeAll();
        Assert.Empty(Told());
        PassUntil(() => Told() is ["1 held"], TimeSpan.FromSeconds(5));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_successor_reads_what_its_predecessor_saw_confirmed_only_where_an_ending_is_owed_and_sends_none_of_it(bool owed)
    {
        Start(Settings(ConfirmGrade.Held));
        Establish();
        Link.Written();
        Link.ReturnBarrier(1);
        TellJournal(3, 1, new ConfirmedMark(EntryPosition.OfSequence(2), "127.0.0.1:5347", 0, default, owed));
        Assert.Equal(owed ? 0 : 2, ExpectFlow());
        if (owed)
            Hand(1, "told=order-1");
        if (owed)
            Hand(2);
        Hand(3);

        Assert.Equal(["3"], ServeAll());
        // Nor does the mark go back to where the reading begins.
        Assert.All(Drain<RedisPullerActor.Settle>(Puller), told => Assert.True(told.Settlement.Mark is null || told.Settlement.Mark.Position.Low >= 2));
        if (owed)
            PassUntil(() => Told() is ["1 held"], TimeSpan.FromSeconds(5));
    }

    [Fact]
    public void An_error_answers_the_first_of_two_messages_with_one_id()
    {
        Begin(Settings(ConfirmGrade.Accepted));
        Hand(1, "told=order-1");
        Hand(2, "told=order-1");
        Link.Say(new StanzaBounced(StanzaKind.Message, "order-1", "ada@example.test", "bridge.example.test", Unavailable));
        ServeAll();
        Pass(TimeSpan.FromMilliseconds(100));

        Assert.Equal(["1 bounced", "2 accepted"], Told());
    }

    [Fact]
    public void Slow_barriers_shrink_the_window_that_the_puller_is_told_and_fast_ones_widen_it()
    {
        var settings = Settings(ConfirmGrade.Accepted);
        Begin(settings with { Window = settings.Window with { UnconfirmedEntries = 100, BarrierEntries = 10 } });
        Drain<object>(Puller);
        Hand(Range(1, 10));
        Pass(500);
        Link.ReturnBarrier(2);
        Assert.Equal(50, Drain<RedisPullerActor.WindowMoved>(Puller)[^1].LimitEntries);

        Hand(Range(11, 60));
        Link.ReturnBarrier(3);
        Assert.Equal(62, Drain<RedisPullerActor.WindowMoved>(Puller)[^1].LimitEntries);
    }

    [Fact]
    public void The_window_tells_what_left_it_in_totals()
    {
        Begin(Settings(ConfirmGrade.Accepted));
        Hand(1, 2);
        Link.ReturnBarrier(2);
        Hand(3, "three");
        Link.ReturnBarrier(3);

        var told = Drain<RedisPullerActor.WindowMoved>(Puller)[^1];
        Assert.Equal((3L, 7L), (told.DoneEntries, told.DoneBytes));
    }

    [Fact]
    public void Full_holds_stop_the_taking_until_they_settle()
    {
        var settings = Settings();
        Begin(settings with { Window = settings.Window with { HeldEntries = 2 } });
        Hand(1, 2);
        Link.ReturnBarrier(2);
        Assert.Equal(0, Drain<RedisPullerActor.WindowMoved>(Puller)[^1].LimitEntries);
        Pass(TimeSpan.FromSeconds(2.1));
        ServeAll();

        Assert.Equal(10_000, Drain<RedisPullerActor.WindowMoved>(Puller)[^1].LimitEntries);
    }

    [Fact]
    public void While_the_stream_is_down_what_is_encoded_waits_in_memory()
    {
        Begin(Settings(ConfirmGrade.Accepted));
        Link.End(SocketEnd.RemoteReset);
        Hand(1, 2);
        Hand(3);
        Reconnect();

        Assert.Equal(["header", "handshake", "|2", "1", "2", "3"], Link.Written());
    }

    [Fact]
    public void An_entry_that_kills_writers_is_found_by_halves_and_rejected_and_the_others_arrive_in_order()
    {
        Begin(Settings(ConfirmGrade.Accepted));
        Payload(6, "throw");
        Hand(Range(1, 16));
        Hand(17);

        Assert.Equal(Range(1, 5).Concat(Range(7, 17)).Select(s => $"{s}"), ServeAll());
        Pass(100);
        var (upTo, rejected) = Settled();
        Assert.Equal(17, upTo);
        Assert.Equal(["6 writer-failed"], rejected);
        Assert.Equal(5, Metrics["restarts:writer"]);
        Assert.Single(Logged(LogLevel.ErrorLevel));
    }

    [Theory]
    [InlineData(OutcomeMode.All, true)]
    [InlineData(OutcomeMode.Failures, true)]
    [InlineData(OutcomeMode.None, false)]
    public void The_end_of_an_entry_that_kills_writers_is_told_where_failures_are(OutcomeMode mode, bool told)
    {
        var settings = Settings(ConfirmGrade.Accepted);
        Begin(settings with { Outcomes = settings.Outcomes with { Mode = mode } });
        Payload(2, "throw");
        Hand(Range(1, 3));
        ServeAll();
        Pass(100);

        Assert.Equal(told ? ["2 dead"] : [], Told());
    }

    [Fact]
    public void Many_entries_that_kill_writers_are_all_found_at_a_bounded_pace()
    {
        Begin(Settings(ConfirmGrade.Accepted));
        foreach (var sequence in Range(1, 128))
            if (sequence % 2 == 0)
                Payload(sequence, "throw");
        Hand(Range(1, 128));
        Assert.InRange(Metrics["restarts:writer"], 30, 70);
        Assert.True(PassUntil(() => ServeAll().Contains("127"), TimeSpan.FromSeconds(3)));

        Pass(100);
        var (upTo, rejected) = Settled();
        Assert.Equal(128, upTo);
        Assert.Equal([.. Range(1, 128).Where(s => s % 2 == 0).Select(s => $"{s} writer-failed")], rejected);
    }

    private static StanzaReceived Iq(string type, string id, string? from, string to) =>
        new(StanzaKind.Iq, id, from, to, type, "query", "urn:x", default);

    private static EncodedBatch Encoded(int flow, long first, params long[] sequences)
    {
        var bytes = new List<byte>();
        var entries = new List<EncodedEntry>();
        foreach (var sequence in sequences)
        {
            var stanza = System.Text.Encoding.UTF8.GetBytes($"<e>{sequence}</e>");
            entries.Add(new EncodedEntry(
                EntryPosition.OfSequence((ulong)sequence), bytes.Count, stanza.Length, 1, default, 0, ScriptedEncoder.TakenAt));
            bytes.AddRange(stanza);
        }

        var rented = System.Buffers.ArrayPool<byte>.Shared.Rent(bytes.Count);
        bytes.CopyTo(rented);
        return new EncodedBatch(flow, first, entries.ToArray(), rented);
    }

    [Fact]
    public void A_rejected_entry_is_told_to_settlement_before_the_hold_of_its_neighbours_is_over()
    {
        Begin(Settings());
        Payload(2, "reject");
        Hand(1, 2, 3);
        Link.ReturnBarrier(2);
        Pass(100);

        var (upTo, rejected) = Settled();
        Assert.Equal(0, upTo);
        Assert.StartsWith("2 ", Assert.Single(rejected), StringComparison.Ordinal);
    }

    [Fact]
    public void No_mark_is_written_before_the_stream_was_resumed()
    {
        var settings = Settings();
        Start(settings with { Xmpp = settings.Xmpp with { ResumeDelay = TimeSpan.FromSeconds(10) } });
        Establish();
        Link.Written();
        Link.ReturnBarrier(1);
        TellJournal();
        ExpectFlow();
        Hand(1, 2);
        ServeAll();
        // Confirmed, and not yet in the mark when the server goes away: the next one must not vouch for them.
        Link.End(SocketEnd.RemoteClosed);
        Drain<object>(Puller);
        Reconnect();
        ServeAll();
        Pass(TimeSpan.FromSeconds(5));

        Assert.DoesNotContain(
            Drain<RedisPullerActor.Settle>(Puller), told => told.Settlement.Mark is { } mark && mark.Position > EntryPosition.Zero);
    }

    [Fact]
    public void A_mark_of_another_endpoint_or_of_a_server_that_does_not_tell_any_more_is_not_trusted()
    {
        Start(Settings());
        Establish();
        Link.ReturnBarrier(1);
        TellJournal(5, 11, new ConfirmedMark(EntryPosition.OfSequence(13), "10.0.0.9:5347", 0, default));

        Assert.Equal(10, ExpectFlow());
    }
}
