using Bridge.Queue;

namespace Bridge.Actors.Tests.Queue;

public sealed class QueueMemoryTests
{
    private static readonly LeaseGrant Grant = new("token", 1);

    private readonly QueueMemory _memory = new();

    [Fact]
    public void The_first_recovery_of_a_process_continues_nothing()
    {
        Assert.False(Recover("a", 1, lastPrefix: "somebody's").ContinuesHistory);
        Assert.True(Recover("b", 2, lastPrefix: "a").ContinuesHistory);
    }

    [Theory]
    [InlineData("as it was left", "a", 7, true)]
    [InlineData("further on: another take of ours ran late", "a", 8, true)]
    [InlineData("without the last takes", "a", 6, false)]
    [InlineData("with another session's prefix", "z", 7, false)]
    public void Redis_remembers_when_it_has_our_last_prefix_and_all_that_was_taken(string name, string prefix, ulong taken, bool expected)
    {
        _ = name;
        var session = Recover("a", 1).Session;
        _memory.Took(session, At(7));

        Assert.Equal(expected, Recover("b", 2, lastPrefix: prefix, taken: taken).ContinuesHistory);
    }

    [Fact]
    public void Redis_is_told_of_the_recoveries_whose_answers_never_came_and_of_the_newest_only()
    {
        for (var i = 0; i < QueueMemory.UnansweredAtMost + 2; i++)
            _memory.Attempt($"lost-{i}");

        var attempt = _memory.Attempt("next");
        Assert.Equal(QueueMemory.UnansweredAtMost, attempt.Unanswered.Count);
        Assert.Equal("lost-2", attempt.Unanswered[0]);
        Begin(attempt, 1);
        // Redis may still run the others.
        Assert.Equal("lost-3", _memory.Attempt("later").Unanswered[0]);
        Assert.DoesNotContain("next", _memory.Attempt("later still").Unanswered);
    }

    [Fact]
    public void An_answer_that_a_later_session_has_overtaken_is_stale()
    {
        var slow = _memory.Attempt("slow");
        Begin(_memory.Attempt("quick"), 2);

        var fault = Assert.Throws<QueueFaultException>(() => Begin(slow, 1));
        Assert.Equal(QueueFault.Stale, fault.Fault);
        // Another owner's sessions are counted anew.
        Assert.Equal(1, Begin(_memory.Attempt("next owner"), 1, new LeaseGrant("token", 2)).Session.Number);
    }

    [Fact]
    public void A_session_ends_with_either_of_its_connections()
    {
        var session = Recover("a", 1).Session;
        _memory.RequireConnection(session, 10);
        _memory.RequireWaiting(session, 20);

        Assert.Equal(QueueFault.Unreachable, Assert.Throws<QueueFaultException>(() => _memory.RequireConnection(session, 11)).Fault);
        Assert.Equal(QueueFault.Unreachable, Assert.Throws<QueueFaultException>(() => _memory.RequireWaiting(session, 21)).Fault);
    }

    [Fact]
    public void Each_settlement_must_find_done_what_the_session_asked_for_before_it()
    {
        var session = Recover("a", 1).Session;

        Assert.Equal((0UL, 0UL), Asked(session, 3));
        Assert.Equal((3UL, 0UL), Asked(session, 5, rejected: 5));
        // Asking twice for the same is no gap.
        Assert.Equal((0UL, 5UL), Asked(session, 5));
        Assert.Equal((5UL, 5UL), Asked(session, 6));
        Assert.Equal((0UL, 0UL), Asked(Recover("b", 2).Session, 9));
    }

    [Fact]
    public void What_an_ended_session_still_brings_is_not_taken_in()
    {
        var ended = Recover("a", 1).Session;
        var session = Recover("b", 2, lastPrefix: "a").Session;

        _memory.Took(ended, At(9));
        _memory.Settled(ended, new Settlement(At(9), [], null));
        Assert.Equal(EntryPosition.Zero, _memory.Seen);
        Assert.Equal((0UL, 0UL), Asked(ended, 9));
        _memory.Took(session, At(4));
        Assert.Equal(At(4), _memory.Seen);
    }

    private (ulong After, ulong EndedBefore) Asked(QueueSession session, ulong upTo, ulong? rejected = null)
    {
        var part = _memory.Ask(
            session, new Settlement(At(upTo), rejected is { } position ? [new EndedEntry(At(position), "reason", "", -1, 0)] : [], null));
        return (part.After.Low, part.EndedBefore.Low);
    }

    private Recovery Recover(string prefix, long session, string lastPrefix = "", ulong taken = 0) =>
        Begin(_memory.Attempt(prefix), session, lastPrefix: lastPrefix, taken: taken);

    private Recovery Begin(RecoveryAttempt attempt, long session, LeaseGrant? grant = null, string lastPrefix = "", ulong taken = 0) =>
        _memory.Begin(
            attempt, grant ?? Grant, new RecoverReply(session, 0, default, default, lastPrefix, At(taken), null, At(taken), null, null), connection: 10, waiting: 20);

    private static EntryPosition At(ulong sequence) => EntryPosition.OfSequence(sequence);
}
