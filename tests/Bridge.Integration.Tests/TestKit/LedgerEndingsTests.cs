using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Integration.Tests.TestKit;

/// <summary>The ledger finds what is wrong with what the app was told, each kind of it, and nothing else.</summary>
public sealed class LedgerEndingsTests
{
    private readonly Ledger _ledger = new() { AllIsTold = true };

    public static TheoryData<string, MessageFate, int, int, string> Right => new()
    {
        { "it arrived and is accepted", MessageFate.Arrives, 1, 0, "accepted" },
        { "it arrived and is held", MessageFate.Arrives, 1, 0, "held" },
        { "it arrived and was received", MessageFate.Arrives, 1, 0, "received" },
        { "it arrived and no receipt came", MessageFate.Arrives, 1, 0, "unconfirmed" },
        { "it arrived twice and has one ending", MessageFate.Arrives, 2, 0, "held" },
        { "nobody has its address", MessageFate.Bounces, 0, 0, "bounced" },
        { "nobody has its address, and the news came late", MessageFate.Bounces, 0, 0, "accepted bounced/late" },
        { "the same under hold", MessageFate.Bounces, 0, 0, "held bounced/late" },
        { "the same with a receipt asked for", MessageFate.Bounces, 0, 0, "unconfirmed bounced/late" },
        { "the news of its bounce was lost with a stream", MessageFate.Bounces, 0, 0, "held" },
        { "its time was over", MessageFate.Expires, 0, 1, "expired" },
        { "its time was over in the queue", MessageFate.MayExpire, 0, 1, "expired" },
        { "it was sent in time", MessageFate.MayExpire, 1, 0, "held" },
        { "it cannot be sent", MessageFate.Dies, 0, 1, "dead" },
    };

    public static TheoryData<string, MessageFate, int, int, string, string> Wrong => new()
    {
        { "no ending", MessageFate.Arrives, 1, 0, "", "1 untold" },
        { "only a sequel", MessageFate.Bounces, 0, 0, "bounced/late", "1 untold" },
        { "no ending of what bounces", MessageFate.Bounces, 0, 0, "", "1 untold" },
        { "no ending of what is dead", MessageFate.Dies, 0, 1, "", "1 untold" },
        { "one ending twice", MessageFate.Arrives, 1, 0, "held held", "1 told twice: m0-0 held, held" },
        { "two endings", MessageFate.Bounces, 0, 0, "held bounced", "1 told twice: m0-0 held, bounced" },
        { "two bounces", MessageFate.Bounces, 0, 0, "bounced bounced", "1 told twice" },
        { "two sequels", MessageFate.Bounces, 0, 0, "held bounced/late bounced/late", "1 told twice" },
        { "a bounce behind a bounce", MessageFate.Bounces, 0, 0, "bounced bounced/late", "1 told twice" },
        { "a bounce behind a dead letter", MessageFate.Dies, 0, 1, "dead bounced/late", "1 told twice" },
        { "a bounce behind its time", MessageFate.Expires, 0, 1, "expired bounced/late", "1 told twice" },
        { "a bounce behind a receipt", MessageFate.Arrives, 1, 0, "received bounced/late", "1 told twice" },
        { "a sequel that is none", MessageFate.Arrives, 1, 0, "accepted held/late", "1 told twice" },
        { "dead and expired", MessageFate.Dies, 0, 1, "dead expired", "1 told twice" },
        { "accepted and lost", MessageFate.Arrives, 0, 0, "accepted", "1 wrongly told: m0-0 accepted, and it never arrived" },
        { "held and lost", MessageFate.Arrives, 0, 0, "held", "1 wrongly told: m0-0 held, and it never arrived" },
        { "received and lost", MessageFate.Arrives, 0, 0, "received", "1 wrongly told: m0-0 received, and it never arrived" },
        { "unconfirmed and lost", MessageFate.Arrives, 0, 0, "unconfirmed", "1 wrongly told: m0-0 unconfirmed, and it never arrived" },
        { "received by nobody", MessageFate.Bounces, 0, 0, "received", "received, and nobody has its address" },
        { "held with a mistake", MessageFate.Dies, 0, 1, "held", "held, and it cannot be sent" },
        { "accepted out of time", MessageFate.Expires, 0, 1, "accepted", "accepted, and it cannot be sent" },
        { "bounced from somebody", MessageFate.Arrives, 0, 0, "bounced", "bounced, and its address exists" },
        { "bounced late from somebody", MessageFate.Arrives, 1, 0, "held bounced/late", "bounced (late), and its address exists" },
        { "bounced and never sent", MessageFate.Dies, 0, 1, "bounced", "bounced, and it cannot be sent" },
        { "dead without a mistake", MessageFate.Arrives, 0, 0, "dead", "dead, and it had to arrive" },
        { "dead without a mistake, but with a letter", MessageFate.Arrives, 0, 1, "dead", "1 wrongly dead-lettered" },
        { "expired before its time", MessageFate.Arrives, 0, 1, "expired", "expired, and it had to arrive" },
        { "dead in place of expired", MessageFate.Expires, 0, 1, "dead", "dead, and it had to expire" },
        { "expired in place of dead", MessageFate.Dies, 0, 1, "expired", "expired, and it had to die" },
        { "dead in place of bounced", MessageFate.Bounces, 0, 0, "dead", "dead, and it had to bounce" },
        { "dead and arrived", MessageFate.Dies, 1, 1, "dead", "dead, and it arrived" },
        { "expired and arrived", MessageFate.Expires, 1, 1, "expired", "expired, and it arrived" },
        { "sent in time, and told to be over", MessageFate.MayExpire, 1, 1, "expired", "expired, and it arrived" },
        { "over, and told to be held", MessageFate.MayExpire, 0, 1, "held", "held, and it never arrived" },
        { "lost in place of sent or over", MessageFate.MayExpire, 0, 0, "held", "1 lost" },
        { "dead in place of over", MessageFate.MayExpire, 0, 1, "dead", "dead, and it had to arrive or expire" },
        { "dead without a letter", MessageFate.Dies, 0, 0, "dead", "dead, and it has no dead letter" },
        { "expired without a letter", MessageFate.Expires, 0, 0, "expired", "expired, and it has no dead letter" },
        { "a letter without a dead ending", MessageFate.Arrives, 1, 1, "held", "held, and it is dead-lettered" },
        { "a letter of what bounced", MessageFate.Bounces, 0, 1, "bounced", "bounced, and it is dead-lettered" },
        { "two letters", MessageFate.Dies, 0, 2, "dead", "1 wrongly dead-lettered" },
        { "arrived at nobody", MessageFate.Bounces, 1, 0, "bounced", "1 wrongly arrived" },
        { "no ending that there is", MessageFate.Arrives, 1, 0, "delivered", "'delivered' is no ending" },
        { "an empty one", MessageFate.Arrives, 1, 0, "?", "'' is no ending" },
    };

    [Theory]
    [MemberData(nameof(Right))]
    public void One_ending_that_says_what_happened_is_right(string name, MessageFate fate, int arrivals, int letters, string told)
    {
        Happens(fate, arrivals, letters, told);

        var report = _ledger.Check();
        Assert.True(report.IsKept, $"{name}: {report}");
        Assert.Equal(0, _ledger.Open);
    }

    [Theory]
    [MemberData(nameof(Wrong))]
    public void What_is_told_too_often_or_not_at_all_or_wrongly_is_found(string name, MessageFate fate, int arrivals, int letters, string told, string words)
    {
        Happens(fate, arrivals, letters, told);

        var report = _ledger.Check();
        Assert.False(report.IsKept, name);
        Assert.False(report.IsClean, name);
        Assert.Contains(words, report.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_told_of_nothing_that_was_pushed_is_unexpected()
    {
        Happens(MessageFate.Arrives, 1, 0, "held");
        _ledger.Told("stranger", new ToldEnding("held"));
        _ledger.Told(null, new ToldEnding("bounced", Late: true));
        _ledger.Replied("stranger", new ToldEnding("dead"));

        Assert.Equal(
            ["stranger among the outcomes, held", "a message without an id among the outcomes, bounced (late)", "stranger among the replies, dead"],
            _ledger.Check().Unexpected);
        Assert.False(_ledger.Check().IsKept);
    }

    [Fact]
    public void Where_only_failures_are_told_a_message_without_an_ending_is_right()
    {
        _ledger.AllIsTold = false;
        Happens(MessageFate.Arrives, 1, 0, "");

        Assert.True(_ledger.Check().IsClean);
    }

    [Fact]
    public void A_server_that_died_may_send_back_what_was_for_sessions_of_its_own_and_explains_nothing_else()
    {
        _ledger.Excuses = LedgerExcuses.SessionsDied;
        Happens(MessageFate.Arrives, 0, 0, "bounced");
        Happens(MessageFate.Arrives, 0, 0, "held bounced/late");
        Assert.True(_ledger.Check().IsKept, _ledger.Check().ToString());
        Assert.Equal(2, _ledger.Check().Bounced.Count);

        Happens(MessageFate.Arrives, 0, 0, "held");
        Happens(MessageFate.Arrives, 1, 0, "held bounced");
        Happens(MessageFate.Dies, 0, 1, "bounced");

        var report = _ledger.Check();
        Assert.Equal(["m2-2", "m4-4"], report.WronglyTold.Keys.Order());
        Assert.Equal(["m3-3"], report.ToldTwice.Keys);
    }

    [Fact]
    public void What_the_test_has_sent_back_may_have_bounced_late_and_nothing_else_may()
    {
        Happens(MessageFate.Arrives, 1, 0, "held bounced/late");
        Happens(MessageFate.Arrives, 1, 0, "held bounced/late");
        _ledger.SentBack("m0-0");

        Assert.Equal(["m1-1"], _ledger.Check().WronglyTold.Keys);
    }

    [Fact]
    public void What_Redis_forgot_may_be_missing_and_must_be_true_all_the_same()
    {
        Happens(MessageFate.Arrives, 0, 0, "");
        Happens(MessageFate.Arrives, 0, 0, "", asksForReply: true);
        Happens(MessageFate.Dies, 0, 0, "");
        Happens(MessageFate.Bounces, 0, 0, "");
        Assert.Equal(4, _ledger.Check().Lost.Count);
        _ledger.RedisForgot(0, 4);
        Assert.True(_ledger.Check().IsKept, _ledger.Check().ToString());
        Assert.Equal(0, _ledger.Open);

        Happens(MessageFate.Arrives, 0, 0, "");
        Assert.Equal((1, 1), (_ledger.Check().Lost.Count, _ledger.Check().Untold.Count));
        _ledger.Told("m0-0", new ToldEnding("held"));
        _ledger.Told("m3-3", new ToldEnding("bounced"));
        _ledger.Told("m3-3", new ToldEnding("bounced"));

        Assert.Equal(["m0-0"], _ledger.Check().WronglyTold.Keys);
        Assert.Equal(["m3-3"], _ledger.Check().ToldTwice.Keys);
    }

    [Fact]
    public void One_reply_that_says_the_same_as_the_stream_is_right()
    {
        Happens(MessageFate.Arrives, 1, 0, "held", asksForReply: true);
        _ledger.Replied("m0-0", new ToldEnding("held"));
        Happens(MessageFate.Bounces, 0, 0, "accepted bounced/late", asksForReply: true);
        _ledger.Replied("m1-1", new ToldEnding("accepted"));

        Assert.True(_ledger.Check().IsClean, _ledger.Check().ToString());
    }

    [Theory]
    [InlineData("no reply", "held", true, "", "1 unanswered: m0-0")]
    [InlineData("a reply that nobody asked for", "held", false, "held", "1 wrongly answered: m0-0 held, and it asked for no reply")]
    [InlineData("another ending", "held", true, "accepted", "1 wrongly answered: m0-0 reply 'accepted'")]
    [InlineData("another condition", "bounced", true, "bounced:gone", "1 wrongly answered: m0-0 reply 'bounced' gone")]
    [InlineData("a sequel in place of the ending", "held bounced/late", true, "bounced/late", "1 wrongly answered")]
    [InlineData("the same twice", "held", true, "held held", "1 answered twice: m0-0 held, held")]
    [InlineData("two different ones", "bounced", true, "held bounced", "1 answered twice: m0-0 held, bounced")]
    [InlineData("the sequel behind the ending", "held bounced/late", true, "held bounced/late", "1 answered twice")]
    public void A_reply_too_many_or_too_few_or_another_than_in_the_stream_is_found(string name, string told, bool asks, string replies, string words)
    {
        var bounces = told.Contains("bounced", StringComparison.Ordinal);
        Happens(bounces ? MessageFate.Bounces : MessageFate.Arrives, bounces ? 0 : 1, 0, told, asks);
        foreach (var reply in Endings(replies))
            _ledger.Replied("m0-0", reply);

        var report = _ledger.Check();
        Assert.False(report.IsKept, name);
        Assert.Contains(words, report.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_fault_of_whoever_carries_replies_explains_the_same_reply_twice_and_no_other_one()
    {
        _ledger.Excuses = LedgerExcuses.RepliesRepeated;
        Happens(MessageFate.Arrives, 1, 0, "held", asksForReply: true);
        Happens(MessageFate.Arrives, 1, 0, "held", asksForReply: true);
        Happens(MessageFate.Arrives, 1, 0, "held", asksForReply: true);
        foreach (var (id, reply) in new[] { ("m0-0", "held"), ("m0-0", "held"), ("m1-1", "held"), ("m1-1", "accepted") })
            _ledger.Replied(id, new ToldEnding(reply));

        var report = _ledger.Check();
        Assert.Equal(["m1-1"], report.AnsweredTwice.Keys);
        Assert.Equal(["m1-1"], report.WronglyAnswered.Keys);
        Assert.Equal(["m2-2"], report.Unanswered);
    }

    [Fact]
    public async Task All_have_arrived_when_those_that_can_have()
    {
        var arriving = _ledger.Push("ada");
        _ledger.Push("nobody", fate: MessageFate.Bounces);
        _ledger.Push("ada", fate: MessageFate.Dies);
        var all = _ledger.AllArrivedAsync(TimeSpan.FromSeconds(5));
        Assert.False(all.IsCompleted);
        Assert.Equal([0], _ledger.Unarrived());

        _ledger.Arrived(arriving.Id, "sink");

        await all;
        Assert.Empty(_ledger.Unarrived());
        Assert.Equal(2, _ledger.Open);
    }

    [Fact]
    public void An_outcome_and_the_reply_about_the_same_ending_are_read_as_the_same()
    {
        var told = ToldEnding.Of(new StreamEntry("1-0",
        [
            new("ending", "bounced"), new("id", "m1-1"), new("to", "nobody@example.test"), new("kind", "message"), new("type", "cancel"),
            new("condition", "service-unavailable"), new("text", ""), new("attempts", "2"), new("written", "1769903999000"), new("meta", "{ \"order\" : 7 }"),
        ]));
        var (id, reply) = ToldEnding.OfReply(
            """{"ending":"bounced","id":"m1-1","to":"nobody@example.test","kind":"message","type":"cancel","condition":"service-unavailable","attempts":2,"written":1769903999000,"meta":{"order":7}}""");
        var (_, other) = ToldEnding.OfReply("""{"ending":"bounced","id":"m1-1","to":"nobody@example.test","late":true}""");

        Assert.Equal(told, reply);
        Assert.Equal("m1-1", id);
        Assert.NotEqual(told, other);
        Assert.True(other.Late);
    }

    private void Happens(MessageFate fate, int arrivals, int letters, string told, bool asksForReply = false)
    {
        var message = _ledger.Push("ada", fate: fate, asksForReply: asksForReply);
        for (var i = 0; i < arrivals; i++)
            _ledger.Arrived(message.Id, "sink");
        for (var i = 0; i < letters; i++)
            _ledger.DeadLettered(message.Id);
        foreach (var ending in Endings(told))
            _ledger.Told(message.Id, ending);
    }

    // "held bounced/late", "bounced:details"; "?" is one without a name.
    private static IEnumerable<ToldEnding> Endings(string told) =>
        from word in told.Split(' ', StringSplitOptions.RemoveEmptyEntries)
        let parts = word.TrimEnd('?').Split(':')
        select new ToldEnding(parts[0].Replace("/late", "", StringComparison.Ordinal), word.Contains("/late", StringComparison.Ordinal), parts.ElementAtOrDefault(1) ?? "");
}
