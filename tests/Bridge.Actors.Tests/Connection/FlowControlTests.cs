using System.Buffers;
using Bridge.Connection;
using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Connection;

public sealed class FlowControlTests
{
    [Fact]
    public void Delays_double_up_to_the_longest_and_stay_between_half_and_whole()
    {
        var backoff = new Backoff(TimeSpan.FromMilliseconds(400), TimeSpan.FromSeconds(3), TimeSpan.FromMinutes(1));

        Assert.Equal([200.0, 800, 800, 3_000, 1_500], new[] { 0.0, 1, 0, 1, 0 }.Select(r => backoff.Next(r).TotalMilliseconds));
    }

    [Fact]
    public void No_delay_is_below_a_tenth_of_a_second()
    {
        var backoff = new Backoff(TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(3), TimeSpan.FromMinutes(1));

        Assert.Equal(100, backoff.Next(0).TotalMilliseconds);
    }

    [Fact]
    public void Only_a_stable_success_starts_the_series_over()
    {
        var backoff = new Backoff(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(9), TimeSpan.FromMinutes(1));
        backoff.Next(0);
        backoff.Succeeded(TimeSpan.FromSeconds(59));
        Assert.Equal(1, backoff.Failures);
        backoff.Succeeded(TimeSpan.FromSeconds(60));
        Assert.Equal(0, backoff.Failures);
    }

    [Fact]
    public void The_window_shrinks_with_slow_round_trips_and_grows_back_with_fast_ones()
    {
        var control = new RoundTripControl(TimeSpan.FromMilliseconds(250), 10_000, 500);
        control.Measured(TimeSpan.FromMilliseconds(500), true);
        Assert.Equal(5_000, control.Entries);
        for (var i = 0; i < 20; i++)
            control.Measured(TimeSpan.FromSeconds(5), true);
        Assert.Equal(500, control.Entries);
        control.Measured(TimeSpan.FromMilliseconds(10), false);
        Assert.Equal(500, control.Entries);
        for (var i = 0; i < 20; i++)
            control.Measured(TimeSpan.FromMilliseconds(10), true);
        Assert.Equal(10_000, control.Entries);
    }

    [Fact]
    public void Batches_are_released_in_order_whatever_order_they_come_in()
    {
        var release = new OrderedRelease();
        release.Offer(Batch(3, 2));
        Assert.False(release.TryTake(out _));
        release.Offer(Batch(0, 3));

        Assert.True(release.TryTake(out var first));
        Assert.True(release.TryTake(out var second));
        Assert.Equal([0L, 3L], [first.FirstOrdinal, second.FirstOrdinal]);
        Assert.False(release.TryTake(out _));
        Assert.Equal(5, release.ReleasedEntries);
    }

    [Fact]
    public void A_batch_that_was_released_already_is_let_go()
    {
        var release = new OrderedRelease();
        release.Offer(Batch(0, 3));
        release.TryTake(out _);

        Assert.False(release.Offer(Batch(0, 3)));
        Assert.Equal(0, release.Waiting);
    }

    private static EncodedBatch Batch(long ordinal, int count) =>
        new(1, ordinal, new EncodedEntry[count], ArrayPool<byte>.Shared.Rent(1));
}
