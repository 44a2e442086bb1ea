using Bridge.Host.Hosting;

namespace Bridge.Actors.Tests.Host;

public sealed class RepeatLimiterTests
{
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(60);

    private readonly RepeatLimiter<string> _limiter = new(burst: 2, Window, kinds: 3);

    [Fact]
    public void Of_each_kind_the_first_of_a_window_are_admitted()
    {
        Assert.Equal([true, true, false, false], Admit("a", 4, 0));
        Assert.Equal([true, true, false], Admit("b", 3, 1));
    }

    [Fact]
    public void What_was_withheld_is_told_once_when_the_window_is_over()
    {
        Admit("a", 5, 0);
        Admit("b", 2, 10);
        Assert.Empty(_limiter.Ended(Seconds(59)));

        Assert.Equal([("a", 3L)], _limiter.Ended(Seconds(60)));
        Assert.Empty(_limiter.Ended(Seconds(61)));
        Assert.Empty(_limiter.Ended(Seconds(70)));
    }

    [Fact]
    public void Behind_a_window_the_kind_is_admitted_again()
    {
        Admit("a", 5, 0);
        _limiter.Ended(Seconds(60));

        Assert.Equal([true, true, false], Admit("a", 3, 61));
        Assert.Equal([("a", 1L)], _limiter.Ended(Seconds(121)));
    }

    [Fact]
    public void Kinds_beyond_those_that_are_told_apart_share_one_window_after_another()
    {
        Admit("a", 1, 0);
        Admit("b", 1, 0);
        Admit("c", 1, 0);
        Assert.Equal([true, true, false], [.. Admit("d", 1, 5), .. Admit("e", 1, 5), .. Admit("f", 1, 5)]);
        Assert.Equal([true], Admit("a", 1, 6));

        Assert.Equal([(null, 1L)], _limiter.Ended(Seconds(65)));
        Assert.Equal([true], Admit("f", 1, 65));
    }

    private bool[] Admit(string kind, int times, double second) => [.. Enumerable.Range(0, times).Select(_ => _limiter.Admits(kind, Seconds(second)))];

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);
}
