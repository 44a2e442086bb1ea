using Bridge.Host.Hosting;

namespace Bridge.Actors.Tests.Host;

public sealed class NurseryWatchTests
{
    private const long Bound = NurseryWatch.Bound;

    private readonly NurseryWatch _watch = new(collections: 3, allocated: 1000);

    [Fact]
    public void A_collection_is_due_once_as_much_as_the_bound_was_allocated()
    {
        Assert.False(_watch.IsDue(3, 1000 + Bound - 1));
        Assert.True(_watch.IsDue(3, 1000 + Bound));
    }

    [Fact]
    public void Behind_a_collection_that_was_due_the_count_begins_again()
    {
        Assert.True(_watch.IsDue(3, 1000 + Bound));
        Assert.False(_watch.IsDue(4, 1000 + (2 * Bound) - 1));
        Assert.True(_watch.IsDue(4, 1000 + (2 * Bound)));
    }

    [Fact]
    public void A_collection_of_the_runtimes_own_puts_the_next_one_off()
    {
        Assert.False(_watch.IsDue(4, 1000 + Bound));
        Assert.False(_watch.IsDue(4, 1000 + (2 * Bound) - 1));
        Assert.True(_watch.IsDue(4, 1000 + (2 * Bound)));
    }

    [Fact]
    public void Without_allocations_none_is_ever_due()
    {
        Assert.All(Enumerable.Range(0, 100), _ => Assert.False(_watch.IsDue(3, 1000)));
    }
}
