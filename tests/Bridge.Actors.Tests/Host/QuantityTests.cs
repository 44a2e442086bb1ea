using Bridge.Host.Configuration;

namespace Bridge.Actors.Tests.Host;

public sealed class QuantityTests
{
    [Theory]
    [InlineData("250ms", 250)]
    [InlineData("2s", 2_000)]
    [InlineData("2 seconds", 2_000)]
    [InlineData("0.5s", 500)]
    [InlineData("1m", 60_000)]
    [InlineData("1h", 3_600_000)]
    [InlineData("30d", 2_592_000_000)]
    [InlineData("0", 0)]
    [InlineData(" 1 s ", 1_000)]
    public void A_duration_is_read_in_milliseconds(string text, double milliseconds)
    {
        Assert.True(Quantity.TryDuration(text, out var duration));
        Assert.Equal(TimeSpan.FromMilliseconds(milliseconds), duration);
    }

    [Theory]
    [InlineData("")]
    [InlineData("2")]
    [InlineData("s")]
    [InlineData("-1s")]
    [InlineData("1S")]
    [InlineData("1.2.3s")]
    [InlineData("infinite")]
    [InlineData("999999999999999d")]
    [InlineData("9999999999999999999999999999s")]
    public void Anything_else_is_no_duration(string text) => Assert.False(Quantity.TryDuration(text, out _));

    [Theory]
    [InlineData("5", 5)]
    [InlineData("5 B", 5)]
    [InlineData("1kB", 1_000)]
    [InlineData("1k", 1_024)]
    [InlineData("64KiB", 65_536)]
    [InlineData("1.5MiB", 1_572_864)]
    [InlineData("16M", 16_777_216)]
    [InlineData("1GiB", 1_073_741_824)]
    public void A_size_is_read_in_bytes(string text, long expected)
    {
        Assert.True(Quantity.TrySize(text, out var bytes));
        Assert.Equal(expected, bytes);
    }

    [Theory]
    [InlineData("")]
    [InlineData("KiB")]
    [InlineData("-1")]
    [InlineData("1.5")]
    [InlineData("1 s")]
    [InlineData("999999999999999GiB")]
    public void Anything_else_is_no_size(string text) => Assert.False(Quantity.TrySize(text, out _));

    [Fact]
    public void What_is_formatted_is_read_back()
    {
        foreach (var duration in new[] { TimeSpan.Zero, TimeSpan.FromMicroseconds(1500), TimeSpan.FromMilliseconds(250), TimeSpan.FromSeconds(90), TimeSpan.FromDays(3650) })
        {
            Assert.True(Quantity.TryDuration(Quantity.Format(duration), out var read));
            Assert.Equal(duration, read);
        }

        foreach (var bytes in new[] { 0L, 1, 1023, 1024, 65_536, 16L << 20, (16L << 20) + 1, 64L << 30 })
        {
            Assert.True(Quantity.TrySize(Quantity.Format(bytes), out var read));
            Assert.Equal(bytes, read);
        }
    }
}
