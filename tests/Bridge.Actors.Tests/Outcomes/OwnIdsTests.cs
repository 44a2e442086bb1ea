using System.Text;
using Bridge.Outcomes;

namespace Bridge.Actors.Tests.Outcomes;

public sealed class OwnIdsTests
{
    [Fact]
    public void An_own_id_is_known_once_it_was_remembered()
    {
        var ids = new OwnIds(10);
        Assert.False(ids.Knows(Hash("order-7")));
        ids.Remember(Hash("order-7"));

        Assert.True(ids.Knows(Hash("order-7")));
        Assert.False(ids.Knows(Hash("order-8")));
    }

    [Fact]
    public void The_oldest_own_id_is_forgotten_first()
    {
        // One set, of eight.
        var ids = new OwnIds(3);
        foreach (var id in new[] { "a", "b", "c", "d", "e", "f", "g", "b", "h", "i" })
            ids.Remember(Hash(id));

        Assert.Equal([false, true, true, true], new[] { "a", "b", "h", "i" }.Select(id => ids.Knows(Hash(id))));
    }

    [Fact]
    public void Nearly_all_of_the_newest_are_known_and_memory_is_bounded()
    {
        const int capacity = 200_000;
        var ids = new OwnIds(capacity);
        for (var i = 0; i < 10 * capacity; i++)
            ids.Remember(Hash($"order-{i}"));

        var known = Enumerable.Range(0, 10 * capacity).Count(i => ids.Knows(Hash($"order-{i}")));
        var newest = Enumerable.Range(9 * capacity, capacity).Count(i => ids.Knows(Hash($"order-{i}")));

        Assert.InRange(newest, capacity * 995 / 1000, capacity);
        Assert.InRange(known, newest, 3 * capacity);
    }

    [Fact]
    public void An_entry_without_an_own_id_takes_no_room()
    {
        var ids = new OwnIds(1);
        ids.Remember(Hash("a"));
        ids.Remember(0);

        Assert.True(ids.Knows(Hash("a")));
    }

    [Theory]
    [InlineData("ada@example.com", true)]
    [InlineData("Ada@EXAMPLE.com/phone", true)]
    [InlineData("bob@example.com", false)]
    [InlineData("example.com", false)]
    public void An_id_is_known_from_the_address_that_it_was_written_to_and_no_other(string from, bool known)
    {
        var ids = new OwnIds(10);
        ids.Remember(Hash("order-7", "ada@example.com/desk"));

        Assert.Equal(known, ids.Knows(Hash("order-7", from)));
    }

    private static ulong Hash(string id, string address = "ada@example.com") =>
        OwnIds.HashOf(Encoding.UTF8.GetBytes(id), Encoding.UTF8.GetBytes(address));
}
