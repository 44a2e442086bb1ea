using Bridge.Queue;

namespace Bridge.Actors.Tests.Queue;

public sealed class EntryPositionTests
{
    [Theory]
    [InlineData("0-0", 0UL, 0UL)]
    [InlineData("0-17", 0UL, 17UL)]
    [InlineData("1700000000000-3", 1_700_000_000_000UL, 3UL)]
    [InlineData("18446744073709551615-18446744073709551615", ulong.MaxValue, ulong.MaxValue)]
    public void The_text_form_is_read_as_it_is_written(string text, ulong high, ulong low)
    {
        Assert.True(EntryPosition.TryParse(text, out var position));
        Assert.Equal(new EntryPosition(high, low), position);
        Assert.Equal(text, position.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("-")]
    [InlineData("1")]
    [InlineData("1-")]
    [InlineData("-1")]
    [InlineData("1-2-3")]
    [InlineData("+1-2")]
    [InlineData(" 1-2")]
    [InlineData("1-2 ")]
    [InlineData("18446744073709551616-0")]
    public void Anything_else_is_refused(string text)
    {
        Assert.False(EntryPosition.TryParse(text, out var position));
        Assert.Equal(EntryPosition.Zero, position);
    }

    [Fact]
    public void Positions_are_ordered_by_the_high_half_first()
    {
        EntryPosition[] ordered = [EntryPosition.Zero, EntryPosition.OfSequence(1), new(0, ulong.MaxValue), new(1, 0), new(ulong.MaxValue, 0)];
        for (var i = 0; i < ordered.Length; i++)
        {
            for (var j = 0; j < ordered.Length; j++)
            {
                Assert.Equal(i < j, ordered[i] < ordered[j]);
                Assert.Equal(i > j, ordered[i] > ordered[j]);
                Assert.Equal(i <= j, ordered[i] <= ordered[j]);
                Assert.Equal(i >= j, ordered[i] >= ordered[j]);
            }
        }
    }
}
