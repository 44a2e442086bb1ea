using System.Text;
using Bridge.Connection;

namespace Bridge.Actors.Tests.Connection;

public sealed class KnownIdsTests
{
    public static TheoryData<string, string, bool> Forms { get; } = new()
    {
        { "a list's id", "b-0123456789abcdef-1", true },
        { "a list's id with the largest sequence", "b-0123456789abcdef-18446744073709551615", true },
        { "a stream's id", "b-0123abcd-1526919030474-55", true },
        { "a stream's id with the largest entry id", "b-0123abcd-18446744073709551615-18446744073709551615", true },
        { "nothing", "", false },
        { "the mark alone", "b-", false },
        { "another mark", "c-0123456789abcdef-1", false },
        { "no number", "b-0123456789abcdef-", false },
        { "no dash behind the digits", "b-0123456789abcdef1", false },
        { "upper-case digits", "b-0123456789ABCDEF-1", false },
        { "seven digits", "b-0123abc-1", false },
        { "nine digits", "b-0123abcde-1", false },
        { "seventeen digits", "b-0123456789abcdef0-1", false },
        { "letters in the number", "b-0123456789abcdef-1a", false },
        { "three numbers", "b-0123abcd-1-2-3", false },
        { "a dash at the end", "b-0123abcd-1-", false },
        { "a dash at the front", "b-0123abcd--1", false },
        { "more than two numbers can have", "b-0123abcd-184467440737095516150-18446744073709551615", false },
        { "something behind it", "b-0123456789abcdef-1 ", false },
    };

    [Theory]
    [MemberData(nameof(Forms))]
    public void A_generated_id_is_known_by_its_form(string name, string id, bool generated)
    {
        _ = name;
        Assert.Equal(generated, new KnownIds(10).Knows(Encoding.UTF8.GetBytes(id)));
    }

    [Fact]
    public void An_own_id_is_known_once_it_was_remembered()
    {
        var ids = new KnownIds(10);
        Assert.False(ids.Knows("order-7"u8));
        ids.Remember(Hash("order-7"));

        Assert.True(ids.Knows("order-7"u8));
        Assert.False(ids.Knows("order-8"u8));
    }

    [Fact]
    public void The_oldest_own_id_is_forgotten_first()
    {
        // One set, of eight.
        var ids = new KnownIds(3);
        foreach (var id in new[] { "a", "b", "c", "d", "e", "f", "g", "b", "h", "i" })
            ids.Remember(Hash(id));

        Assert.Equal([false, true, true, true], new[] { "a", "b", "h", "i" }.Select(id => ids.Knows(Encoding.UTF8.GetBytes(id))));
    }

    [Fact]
    public void Nearly_all_of_the_newest_are_known_and_memory_is_bounded()
    {
        const int capacity = 200_000;
        var ids = new KnownIds(capacity);
        for (var i = 0; i < 10 * capacity; i++)
            ids.Remember(Hash($"order-{i}"));

        var known = Enumerable.Range(0, 10 * capacity).Count(i => ids.Knows(Encoding.UTF8.GetBytes($"order-{i}")));
        var newest = Enumerable.Range(9 * capacity, capacity).Count(i => ids.Knows(Encoding.UTF8.GetBytes($"order-{i}")));

        Assert.InRange(newest, capacity * 995 / 1000, capacity);
        Assert.InRange(known, newest, 3 * capacity);
    }

    [Fact]
    public void An_entry_without_an_own_id_takes_no_room()
    {
        var ids = new KnownIds(1);
        ids.Remember(Hash("a"));
        ids.Remember(0);

        Assert.True(ids.Knows("a"u8));
    }

    private static ulong Hash(string id) => System.IO.Hashing.XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(id));
}
