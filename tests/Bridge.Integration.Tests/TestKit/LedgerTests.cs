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
        var bad = _ledger.Push("ada", mustBeDeadLettered: true);
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
        var bad = _ledger.Push("ada", mustBeDeadLettered: true);
        _ledger.DeadLettered(bad.Id);
        _ledger.DeadLettered(bad.Id);

        Assert.Equal([bad.Id], _ledger.Check().WronglyDeadLettered);
    }

    [Fact]
    public void An_arrival_of_what_had_to_be_dead_lettered_is_wrong()
    {
        var bad = _ledger.Push("ada", mustBeDeadLettered: true);
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

    private List<LedgerMessage> Push(params ReadOnlySpan<string> recipients)
    {
        var pushed = new List<LedgerMessage>();
        foreach (var recipient in recipients)
            pushed.Add(_ledger.Push(recipient));
        return pushed;
    }
}
