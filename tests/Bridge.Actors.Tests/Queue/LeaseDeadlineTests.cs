using Bridge.Queue;

namespace Bridge.Actors.Tests.Queue;

public class LeaseDeadlineTests
{
    private readonly ManualTime _clock = new();

    [Fact]
    public void A_new_one_may_not_write() => Assert.False(new LeaseDeadline(_clock).MayWriteNow());

    [Fact]
    public void The_permission_runs_from_when_the_renewal_was_sent_not_from_its_answer()
    {
        var deadline = new LeaseDeadline(_clock);
        var sentAt = _clock.GetTimestamp();
        _clock.Advance(TimeSpan.FromSeconds(3));
        deadline.Extend(sentAt, TimeSpan.FromSeconds(4));
        Assert.Equal(TimeSpan.FromSeconds(1), deadline.Remaining);
        _clock.Advance(TimeSpan.FromSeconds(1) - TimeSpan.FromTicks(1));
        Assert.True(deadline.MayWriteNow());
        _clock.Advance(TimeSpan.FromTicks(1));
        Assert.False(deadline.MayWriteNow());
        Assert.Equal(TimeSpan.Zero, deadline.Remaining);
    }

    [Fact]
    public void An_older_renewal_does_not_move_it_backwards()
    {
        var deadline = new LeaseDeadline(_clock);
        var first = _clock.GetTimestamp();
        _clock.Advance(TimeSpan.FromSeconds(1));
        deadline.Extend(_clock.GetTimestamp(), TimeSpan.FromSeconds(4));
        deadline.Extend(first, TimeSpan.FromSeconds(4));
        Assert.Equal(TimeSpan.FromSeconds(4), deadline.Remaining);
    }

    [Fact]
    public void Revoked_it_may_not_write_until_it_is_extended_again()
    {
        var deadline = new LeaseDeadline(_clock);
        deadline.Extend(_clock.GetTimestamp(), TimeSpan.FromSeconds(4));
        deadline.Revoke();
        Assert.False(deadline.MayWriteNow());
        deadline.Extend(_clock.GetTimestamp(), TimeSpan.FromSeconds(4));
        Assert.True(deadline.MayWriteNow());
    }
}
