using Bridge.TestKit;

namespace Bridge.Integration.Tests.TestKit;

public sealed class LedgerTests
{
    private readonly Ledger _ledger = new();

    [Fact]
    public void A_history_in_which_everything_arrives_once_and_in_order_is_clean()
    {
        var pushed = Push("ada", "grace", "ada");
        foreach (var message in pushed)
            _ledger.Arrived(message.Id, "sink");

        var report = _ledger.Check();

        Assert.True(report.IsClean, report.ToString());
        Assert.Equal("3 pushed, 3 arrived, 0 dead-lettered", report.ToString());
    }

    [Fact]
    public void A_message_that_went_nowhere_is_lost()
    {
        var pushed = Push("ada", "ada", "ada");
        _ledger.Arrived(pushed[0].Id, "sink");
        _ledger.Arrived(pushed[2].Id, "sink");

        var report = _ledger.Check();

        Assert.Equal([pushed[1].Id], report.Lost);
        Assert.False(report.IsKept);
        Assert.Contains($"1 lost: {pushed[1].Id}", report.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_resent_tail_is_duplicated_but_not_reordered()
    {
        var pushed = Push("ada", "ada", "ada");
        foreach (var place in new[] { 0, 1, 0, 1, 2, 1 })
            _ledger.Arrived(pushed[place].Id, "sink");

        var report = _ledger.Check();

        Assert.Equal(new Dictionary<string, int> { [pushed[0].Id] = 2, [pushed[1].Id] = 3 }, report.Duplicated);
        Assert.Empty(report.ReorderedOfRecipient);
        Assert.True(report.IsKept);
        Assert.False(report.IsClean);
    }

    [Fact]
    public void A_first_arrival_behind_a_later_one_for_the_same_recipient_is_reordered()
    {
        var pushed = Push("ada", "ada");
        _ledger.Arrived(pushed[1].Id, "sink");
        _ledger.Arrived(pushed[0].Id, "sink");

        var report = _ledger.Check();

        Assert.Equal([$"{pushed[0].Id} at sink"], report.ReorderedOfRecipient);
        Assert.False(report.IsKept);
    }

    [Fact]
    public void Two_recipients_seen_at_one_place_in_the_wrong_order_are_reordered_in_their_queue_only()
    {
        var pushed = Push("ada", "grace");
        _ledger.Arrived(pushed[1].Id, "sink");
        _ledger.Arrived(pushed[0].Id, "sink");

        var report = _ledger.Check();

        Assert.Empty(report.ReorderedOfRecipient);
        Assert.Equal([$"{pushed[0].Id} at sink"], report.ReorderedOfQueue);
    }

    [Fact]
    public void Two_observers_have_no_order_between_them()
    {
        var pushed = Push("ada", "grace");
        _ledger.Arrived(pushed[1].Id, "grace");
        _ledger.Arrived(pushed[0].Id, "ada");

        Assert.True(_ledger.Check().IsClean);
    }

    [Fact]
    public void Two_queues_have_no_order_between_them()
    {
        var first = _ledger.Push("ada", "one");
        var second = _ledger.Push("ada", "two");
        _ledger.Arrived(second.Id, "sink");
        _ledger.Arrived(first.Id, "sink");

        Assert.True(_ledger.Check().IsClean);
    }

    [Fact]
    public void What_nobody_pushed_is_unexpected()
    {
        _ledger.Arrived("stranger", "sink");
        _ledger.Arrived(null, "sink");

        Assert.Equal(["stranger at sink", "a stanza without an id at sink"], _ledger.Check().Unexpected);
    }

    [Fact]
    public void A_dead_letter_is_right_only_where_it_must_be()
    {
        var good = _ledger.Push("ada");
        var bad = _ledger.Push("ada", fate: MessageFate.Dies);
        _ledger.DeadLettered(good.Id);
        _ledger.DeadLettered(bad.Id);

        var report = _ledger.Check();

        Assert.Equal([good.Id, bad.Id], report.DeadLettered);
        Assert.Equal([good.Id], report.WronglyDeadLettered);
        Assert.Empty(report.Lost);
    }

    [Fact]
    public void Two_dead_letters_of_one_message_are_wrong()
    {
        var bad = _ledger.Push("ada", fate: MessageFate.Dies);
        _ledger.DeadLettered(bad.Id);
        _ledger.DeadLettered(bad.Id);

        Assert.Equal([bad.Id], _ledger.Check().WronglyDeadLettered);
    }

    [Fact]
    public void An_arrival_of_what_had_to_be_dead_lettered_is_wrong()
    {
        var bad = _ledger.Push("ada", fate: MessageFate.Dies);
        _ledger.Arrived(bad.Id, "sink");

        var report = _ledger.Check();

        Assert.Equal([bad.Id], report.WronglyArrived);
        Assert.False(report.IsKept);
    }

    [Fact]
    public void What_is_still_in_redis_is_left_and_not_lost()
    {
        var message = _ledger.Push("ada");
        _ledger.Left(message.Id, "{q}:inflight");

        var report = _ledger.Check();

        Assert.Empty(report.Lost);
        Assert.Equal("{q}:inflight", report.Left[message.Id]);
        Assert.False(report.IsKept);
    }

    [Fact]
    public async Task It_is_settled_with_the_last_ending_and_not_before()
    {
        var pushed = Push("ada", "ada");
        _ledger.Arrived(pushed[0].Id, "sink");
        var settled = _ledger.SettledAsync(TimeSpan.FromSeconds(5));
        Assert.False(settled.IsCompleted);

        _ledger.DeadLettered(pushed[1].Id);

        await settled;
        Assert.Equal(0, _ledger.Open);
    }

    [Fact]
    public void What_is_forgotten_stays_counted_and_a_repetition_of_it_is_still_one()
    {
        var pushed = Push("ada", "ada", "ada", "ada");
        foreach (var place in new[] { 0, 0, 1, 3 })
            _ledger.Arrived(pushed[place].Id, "sink");

        _ledger.Forget(below: 4);

        // The third has not ended, so neither it nor what lies behind it may go.
        Assert.Equal(2, _ledger.Remembered);
        Assert.Equal([2], _ledger.OldestOpen());
        Assert.Equal(LedgerArrival.Repeated, _ledger.Arrived(pushed[1].Id, "sink"));
        var report = _ledger.Check();
        Assert.Equal((4, 3, 2), (report.Pushed, report.Arrived, report.ForgottenDuplicates));
        Assert.Equal([pushed[2].Id], report.Lost);
        Assert.Empty(report.Unexpected);
        Assert.False(report.IsClean);
    }

    [Fact]
    public void Nothing_behind_the_place_that_it_is_told_is_forgotten()
    {
        var pushed = Push("ada", "ada", "ada");
        foreach (var message in pushed)
            _ledger.Arrived(message.Id, "sink");

        _ledger.Forget(below: 2);

        Assert.Equal(1, _ledger.Remembered);
        Assert.True(_ledger.Check().IsClean);
    }

    [Fact]
    public void What_was_wrong_with_a_forgotten_message_is_still_told()
    {
        var bad = _ledger.Push("ada", fate: MessageFate.Dies);
        var good = _ledger.Push("ada");
        _ledger.Arrived(bad.Id, "sink");
        _ledger.DeadLettered(good.Id);

        _ledger.Forget(below: 2);
        _ledger.DeadLettered(bad.Id);

        var report = _ledger.Check();
        Assert.Equal(0, _ledger.Remembered);
        Assert.Equal([bad.Id], report.WronglyArrived);
        Assert.Equal([good.Id, bad.Id], report.WronglyDeadLettered);
    }

    [Fact]
    public void A_bounce_is_an_ending_and_what_is_sent_again_behind_it_is_not_out_of_order()
    {
        var pushed = Push("ada", "ada");
        _ledger.Bounced(pushed[0].Id);
        Assert.Equal(1, _ledger.Open);
        _ledger.Arrived(pushed[1].Id, "sink");

        Assert.Equal(LedgerArrival.First, _ledger.Arrived(pushed[0].Id, "sink"));
        Assert.True(_ledger.Check().IsClean);
    }

    [Fact]
    public void An_id_tells_its_place_in_the_ledger_of_its_prefix_only()
    {
        var ledger = new Ledger("x");
        var message = ledger.Push("ada");

        Assert.Equal(0, ledger.PlaceOf(message.Id));
        Assert.Null(_ledger.PlaceOf(message.Id));
        Assert.Null(ledger.PlaceOf("x1-0"));
        Assert.Null(ledger.PlaceOf("x"));
        Assert.Null(ledger.PlaceOf(null));
    }

    private List<LedgerMessage> Push(params ReadOnlySpan<string> recipients)
    {
        var pushed = new List<LedgerMessage>();
        foreach (var recipient in recipients)
            pushed.Add(_ledger.Push(recipient));
        return pushed;
    }
}
