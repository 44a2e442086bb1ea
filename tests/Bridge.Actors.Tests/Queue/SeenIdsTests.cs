using Bridge.Queue;
using Bridge.Settings;

namespace Bridge.Actors.Tests.Queue;

public sealed class SeenIdsTests
{
    private readonly SeenIds _seen = new(new RepeatSettings { Window = TimeSpan.FromSeconds(10), MaxEntries = 3 });

    [Fact]
    public void An_id_that_comes_with_another_entry_is_repeated_within_the_window_and_not_behind_it()
    {
        Assert.False(_seen.IsRepeated(7, P(1), At(0)));
        Assert.True(_seen.IsRepeated(7, P(2), At(9.9)));
        // It counts from the first that was sent.
        Assert.False(_seen.IsRepeated(7, P(3), At(10)));
        Assert.True(_seen.IsRepeated(7, P(4), At(19)));
    }

    [Fact]
    public void An_entry_that_is_read_again_is_no_repetition_of_itself()
    {
        Assert.False(_seen.IsRepeated(7, P(1), At(0)));
        Assert.False(_seen.IsRepeated(7, P(1), At(1)));

        var next = new SeenIds(new RepeatSettings { Window = TimeSpan.FromSeconds(10), MaxEntries = 3 });
        next.Restore(_seen.TakeUnsaid(10));
        Assert.False(next.IsRepeated(7, P(1), At(2)));
        Assert.True(next.IsRepeated(7, P(2), At(2)));
        Assert.Empty(next.TakeUnsaid(10));
    }

    [Fact]
    public void Ids_that_Bridge_made_are_never_repeated_and_no_more_are_known_than_may_be()
    {
        Assert.False(_seen.IsRepeated(0, P(1), At(0)));
        Assert.False(_seen.IsRepeated(0, P(2), At(0)));
        for (var i = 1UL; i <= 4; i++)
            Assert.False(_seen.IsRepeated(i, P(i), At(0)));
        Assert.Equal(3, _seen.Count);
        Assert.False(_seen.IsRepeated(1, P(9), At(0)));
        Assert.True(_seen.IsRepeated(4, P(9), At(0)));
    }

    [Fact]
    public void What_is_too_old_is_forgotten_as_time_goes_on()
    {
        _seen.IsRepeated(1, P(1), At(0));
        _seen.IsRepeated(2, P(2), At(11));
        Assert.Equal(1, _seen.Count);
    }

    [Fact]
    public void What_Redis_has_not_been_told_of_is_handed_out_once_in_order_and_in_parts()
    {
        for (var i = 1UL; i <= 3; i++)
            _seen.IsRepeated(i, P(i), At(i));
        Assert.Equal([1UL, 2UL], _seen.TakeUnsaid(2).Select(seen => seen.Hash));
        Assert.Equal([3UL], _seen.TakeUnsaid(2).Select(seen => seen.Hash));
        Assert.Empty(_seen.TakeUnsaid(2));
    }

    [Theory]
    [InlineData(0xffUL, "1795679712000-7", "ff:1795679712000-7", true)]
    [InlineData(1UL, "0-1", "1:0-1", true)]
    [InlineData(0UL, "0-0", "mine", false)]
    [InlineData(0UL, "0-0", "1:0-1:2", false)]
    [InlineData(0UL, "0-0", "g:0-1", false)]
    [InlineData(0UL, "0-0", "1:x", false)]
    public void A_member_reads_back_and_nothing_else_does(ulong hash, string position, string member, bool isRead)
    {
        Assert.Equal(isRead, SeenId.TryRead(member, 5, out var seen));
        if (isRead)
            Assert.Equal((hash, position, member, 5), (seen.Hash, seen.Position.ToString(), seen.Member, seen.At.ToUnixTimeMilliseconds()));
    }

    private static EntryPosition P(ulong sequence) => EntryPosition.OfSequence(sequence);

    private static DateTimeOffset At(double seconds) => DateTimeOffset.UnixEpoch.AddSeconds(seconds);
}
