using Bridge.Queue;

namespace Bridge.Actors.Tests.Queue;

public sealed class SettlementMemoryTests
{
    private readonly SettlementMemory _memory = new();

    [Theory]
    [InlineData("the journal is empty", 0, 0, true)]
    [InlineData("the journal begins behind what was settled", 3, 6, true)]
    [InlineData("the journal begins with the last that was settled", 3, 5, false)]
    [InlineData("the journal begins before what was settled", 3, 1, false)]
    public void A_journal_that_has_again_what_was_settled_was_forgotten_from(string name, long count, ulong first, bool remembered)
    {
        _ = name;
        _memory.Answered(new Settlement(At(5), [], null));

        Assert.Equal(remembered, _memory.Recovered(count, At(first)));
    }

    [Fact]
    public void What_was_dead_lettered_behind_the_prefix_is_said_again_with_the_first_settlement_of_a_session()
    {
        _memory.Answered(new Settlement(At(2), [Rejected(1), Rejected(4), Rejected(6)], null));
        Assert.Equal([], Said());

        Assert.True(_memory.Recovered(4, At(3)));
        Assert.Equal([4UL, 6UL, 7UL], Said(7));
        Assert.Equal([8UL], Said(8));
    }

    [Fact]
    public void What_is_settled_meanwhile_is_not_said_again()
    {
        _memory.Answered(new Settlement(EntryPosition.Zero, [Rejected(4), Rejected(6)], null));
        _memory.Answered(new Settlement(At(5), [], null));
        _memory.Recovered(1, At(6));

        Assert.Equal([6UL], Said(6));
    }

    [Fact]
    public void Where_redis_has_forgotten_nothing_is_left_to_say()
    {
        _memory.Answered(new Settlement(At(5), [Rejected(7)], null));

        Assert.False(_memory.Recovered(9, At(1)));
        Assert.Equal([], Said());
        Assert.True(_memory.Recovered(9, At(1)));
    }

    private static EntryPosition At(ulong sequence) => EntryPosition.OfSequence(sequence);

    private static EndedEntry Rejected(ulong sequence) => new(At(sequence), "unknown-payload-kind", "", 0, 0);

    private IEnumerable<ulong> Said(params ulong[] rejected) =>
        _memory.Completed(Settlement.Nothing with { Ended = [.. rejected.Select(Rejected)] }).Ended.Select(entry => entry.Position.Low);
}
