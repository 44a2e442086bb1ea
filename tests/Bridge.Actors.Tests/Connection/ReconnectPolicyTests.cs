using Bridge.Connection;
using Bridge.Telemetry;

namespace Bridge.Actors.Tests.Connection;

public sealed class ReconnectPolicyTests
{
    private static readonly TimeSpan Min = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan Max = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Briefly = TimeSpan.FromSeconds(3);

    // With the whole of the jitter drawn.
    private const double Whole = 1;

    public static TheoryData<string, ReconnectCause, bool, bool, double> FirstDelays { get; } = new()
    {
        { "a refused connection backs off", ReconnectCause.ConnectFailed, false, false, 200 },
        { "a silent server backs off", ReconnectCause.HeaderTimeout, false, false, 200 },
        { "a stream that broke backs off", ReconnectCause.SocketFailed, true, false, 200 },
        { "a server that shuts down backs off", ReconnectCause.StreamError, true, false, 200 },
        { "a conflict is asked for every second", ReconnectCause.Conflict, false, false, 1_000 },
        { "a conflict that ended a stream is asked for every second", ReconnectCause.Conflict, true, false, 1_000 },
        { "a refusal waits for the operator", ReconnectCause.Refused, false, false, 10_000 },
        { "a bisection goes at its own pace", ReconnectCause.StanzaFault, true, true, 200 },
        { "a bisection does not hammer a server that is away", ReconnectCause.Refused, false, true, 10_000 },
    };

    [Theory]
    [MemberData(nameof(FirstDelays))]
    public void The_first_delay_depends_on_how_the_stream_ended(
        string name, ReconnectCause cause, bool established, bool bisecting, double milliseconds)
    {
        _ = name;
        var policy = new ReconnectPolicy(Min, Max, 1);

        Assert.Equal(
            milliseconds,
            policy.Next(cause, established ? Briefly : null, bisecting, TimeSpan.Zero, Whole).TotalMilliseconds);
    }

    [Fact]
    public void Failures_in_a_row_double_the_delay_up_to_the_longest()
    {
        var policy = new ReconnectPolicy(Min, Max, 1);

        Assert.Equal(
            [200.0, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000],
            Enumerable.Range(0, 8).Select(_ => Next(policy, ReconnectCause.StreamError).TotalMilliseconds));
    }

    [Theory]
    [InlineData(ReconnectCause.ConnectFailed)]
    [InlineData(ReconnectCause.ConnectTimeout)]
    [InlineData(ReconnectCause.HeaderTimeout)]
    [InlineData(ReconnectCause.HandshakeTimeout)]
    [InlineData(ReconnectCause.SocketFailed)]
    [InlineData(ReconnectCause.StreamEnded)]
    public void While_nobody_answers_the_delay_never_exceeds_half_a_second(ReconnectCause cause)
    {
        var policy = new ReconnectPolicy(Min, Max, 1);

        Assert.Equal(
            [200.0, 400, 500, 500, 500],
            Enumerable.Range(0, 5).Select(_ => Next(policy, cause).TotalMilliseconds));
    }

    [Fact]
    public void A_long_absence_leaves_the_backoff_as_it_was_and_starts_over_when_the_server_was_there()
    {
        var policy = new ReconnectPolicy(Min, Max, 1);
        for (var attempt = 0; attempt < 20; attempt++)
            Next(policy, ReconnectCause.ConnectFailed);

        Assert.Equal(200, policy.Next(ReconnectCause.StreamEnded, Briefly, false, TimeSpan.Zero, Whole).TotalMilliseconds);
        Assert.Equal(200, Next(policy, ReconnectCause.ConnectFailed).TotalMilliseconds);
        Assert.Equal(400, policy.Next(ReconnectCause.StreamEnded, Briefly, false, TimeSpan.Zero, Whole).TotalMilliseconds);
    }

    [Fact]
    public void A_bisection_leaves_the_backoff_as_it_was()
    {
        var policy = new ReconnectPolicy(Min, Max, 1);
        Next(policy, ReconnectCause.StreamError);
        for (var stream = 0; stream < 20; stream++)
            Assert.Equal(ReconnectPolicy.BisectionDelay, policy.Next(ReconnectCause.StanzaFault, Briefly, true, TimeSpan.Zero, Whole));

        Assert.Equal(400, policy.Next(ReconnectCause.StanzaFault, Briefly, false, TimeSpan.Zero, Whole).TotalMilliseconds);
    }

    [Theory]
    [InlineData("just short of a minute is not stable", 59.9, 800)]
    [InlineData("a minute is stable", 60, 200)]
    public void Only_a_stable_stream_starts_the_series_over(string name, double lived, double milliseconds)
    {
        _ = name;
        var policy = new ReconnectPolicy(Min, Max, 1);
        Next(policy, ReconnectCause.StreamError);
        Next(policy, ReconnectCause.StreamError);

        var delay = policy.Next(ReconnectCause.SocketFailed, TimeSpan.FromSeconds(lived), false, TimeSpan.Zero, Whole);
        Assert.Equal(milliseconds, delay.TotalMilliseconds);
    }

    [Fact]
    public void A_conflict_is_asked_for_every_second_for_a_minute_and_then_backs_off()
    {
        var policy = new ReconnectPolicy(Min, Max, 1);
        for (var second = 0; second < 60; second++)
        {
            Assert.Equal(ReconnectPolicy.ConflictDelay, Next(policy, ReconnectCause.Conflict, second));
            Assert.False(policy.ConflictPersists(TimeSpan.FromSeconds(second)));
        }

        Assert.Equal(200, Next(policy, ReconnectCause.Conflict, 60).TotalMilliseconds);
        Assert.Equal(400, Next(policy, ReconnectCause.Conflict, 61).TotalMilliseconds);
        Assert.True(policy.ConflictPersists(TimeSpan.FromSeconds(61)));
    }

    [Fact]
    public void Any_other_end_begins_the_minute_of_a_conflict_anew()
    {
        var policy = new ReconnectPolicy(Min, Max, 1);
        Next(policy, ReconnectCause.Conflict, 0);
        Next(policy, ReconnectCause.ConnectFailed, 59);

        Assert.Equal(ReconnectPolicy.ConflictDelay, Next(policy, ReconnectCause.Conflict, 61));
        Assert.False(policy.ConflictPersists(TimeSpan.FromSeconds(120)));
        Assert.True(policy.ConflictPersists(TimeSpan.FromSeconds(121)));
    }

    [Fact]
    public void Endpoints_are_tried_in_turn_and_a_round_over_all_of_them_counts_as_one_try()
    {
        var policy = new ReconnectPolicy(Min, Max, 3);
        var tries = Enumerable.Range(0, 6)
            .Select(_ => (Delay: Next(policy, ReconnectCause.ConnectFailed).TotalMilliseconds, policy.Endpoint));

        Assert.Equal([(100.0, 1), (100, 2), (200, 0), (100, 1), (100, 2), (400, 0)], tries);
    }

    [Fact]
    public void An_endpoint_that_worked_is_tried_again_first()
    {
        var policy = new ReconnectPolicy(Min, Max, 3);
        Next(policy, ReconnectCause.ConnectFailed);
        policy.Next(ReconnectCause.SocketFailed, Briefly, false, TimeSpan.Zero, Whole);

        Assert.Equal(1, policy.Endpoint);
    }

    private static TimeSpan Next(ReconnectPolicy policy, ReconnectCause cause, double now = 0) =>
        policy.Next(cause, null, false, TimeSpan.FromSeconds(now), Whole);
}
