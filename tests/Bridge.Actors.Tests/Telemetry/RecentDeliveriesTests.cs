using System.Text;
using Bridge.Queue;
using Bridge.Telemetry;

namespace Bridge.Actors.Tests.Telemetry;

public sealed class RecentDeliveriesTests
{
    private static readonly DateTimeOffset Noon = new(2026, 3, 4, 12, 0, 0, TimeSpan.Zero);

    private readonly RecentDeliveries _recent = new(10);

    [Fact]
    public void A_message_is_found_by_its_own_id_with_all_its_times()
    {
        Confirm(Noon, Message("other"), Message("a", taken: Noon.AddSeconds(-2), pushed: Noon.AddMinutes(-1), attempts: 3));

        Assert.Equal([new Delivery(Noon.AddMinutes(-1), Noon.AddSeconds(-2), Noon.AddMilliseconds(-5), Noon, 3)], _recent.Find("a"));
        Assert.Empty(_recent.Find("b"));
    }

    [Fact]
    public void Where_the_push_is_not_known_it_is_not_told() => Assert.Null(Assert.Single(Confirmed("a")).PushedAt);

    [Theory]
    [InlineData("b-00112233aabbccdd-17-0123456789abcdef", 0, 17)]
    [InlineData("b-00112233-1700000000000-3-0123456789abcdef", 1700000000000, 3)]
    public void A_message_without_an_id_of_its_own_is_found_by_the_one_that_was_made_for_it(string id, ulong high, ulong low)
    {
        var position = high == 0 ? EntryPosition.OfSequence(low) : new EntryPosition(high, low);
        Confirm(Noon, new RecentDeliveries.Confirmed(RecentDeliveries.KeyOf(0, position), Noon.ToUnixTimeMilliseconds(), 0, 1));

        Assert.Single(_recent.Find(id));
        Assert.Empty(_recent.Find(id.Replace("-17-", "-18-", StringComparison.Ordinal).Replace("-3-", "-4-", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("b-")]
    [InlineData("b-1-2")]
    [InlineData("b-x-y-z")]
    [InlineData("")]
    public void An_id_that_only_looks_as_if_Bridge_had_made_it_is_an_id(string id)
    {
        Confirm(Noon, Message(id));

        Assert.Single(_recent.Find(id));
    }

    [Fact]
    public void An_id_that_was_used_twice_is_found_twice_the_newest_first()
    {
        Confirm(Noon, Message("a"));
        Confirm(Noon.AddSeconds(9), Message("a"));

        Assert.Equal([Noon.AddSeconds(9), Noon], _recent.Find("a").Select(delivery => delivery.ConfirmedAt));
    }

    [Fact]
    public void The_oldest_are_forgotten_and_the_others_keep_their_times()
    {
        for (var i = 0; i < 5_000; i++)
            Confirm(Noon.AddSeconds(i), Message($"m{i}"));

        Assert.Equal(10, _recent.Count);
        Assert.Equal(Noon.AddSeconds(4_990), _recent.Oldest);
        Assert.Empty(_recent.Find("m4989"));
        for (var i = 4_990; i < 5_000; i++)
            Assert.Equal(Noon.AddSeconds(i), Assert.Single(_recent.Find($"m{i}")).ConfirmedAt);
    }

    [Fact]
    public void More_than_fit_at_once_leave_the_last_of_them()
    {
        Confirm(Noon, [.. Enumerable.Range(0, 25).Select(i => Message($"m{i}"))]);

        Assert.Empty(_recent.Find("m14"));
        Assert.Single(_recent.Find("m15"));
        Assert.Single(_recent.Find("m24"));
    }

    [Fact]
    public void Confirmations_in_quick_succession_are_told_as_one_and_later_ones_apart()
    {
        Confirm(Noon, Message("a"));
        Confirm(Noon.AddMilliseconds(8), Message("b"));
        Confirm(Noon.AddMilliseconds(30), Message("c"));

        Assert.Equal(
            [Noon, Noon, Noon.AddMilliseconds(30)],
            new[] { "a", "b", "c" }.Select(id => Assert.Single(_recent.Find(id)).ConfirmedAt));
    }

    [Fact]
    public void What_is_to_remember_nothing_remembers_nothing()
    {
        var nothing = new RecentDeliveries(0);
        nothing.Add([Message("a")], Noon, Noon);

        Assert.Equal((0, null), (nothing.Count, nothing.Oldest));
        Assert.Empty(nothing.Find("a"));
    }

    [Fact]
    public void A_random_history_is_remembered_as_a_plain_list_remembers_it()
    {
        var random = new Random(TestSeed.Of(20260304));
        var recent = new RecentDeliveries(2_000);
        List<(string Id, DateTimeOffset At)> all = [];
        var now = Noon;
        for (var batch = 0; batch < 200; batch++)
        {
            now += TimeSpan.FromMilliseconds(random.Next(11, 5_000));
            var ids = Enumerable.Range(0, random.Next(1, 60)).Select(_ => $"m{random.Next(1_000)}").ToList();
            recent.Add([.. ids.Select(id => Message(id, taken: now))], now, now);
            all.AddRange(ids.Select(id => (id, now)));
        }

        var newest = all.TakeLast(2_000).ToList();
        for (var i = 0; i < 1_000; i++)
        {
            var expected = newest.Where(one => one.Id == $"m{i}").Select(one => one.At).Reverse();
            Assert.Equal(expected, recent.Find($"m{i}").Select(delivery => delivery.ConfirmedAt));
        }
    }

    private IReadOnlyList<Delivery> Confirmed(string id)
    {
        Confirm(Noon, Message(id));
        return _recent.Find(id);
    }

    private void Confirm(DateTimeOffset at, params RecentDeliveries.Confirmed[] messages) => _recent.Add(messages, at.AddMilliseconds(-5), at);

    private static RecentDeliveries.Confirmed Message(string id, DateTimeOffset? taken = null, DateTimeOffset? pushed = null, int attempts = 1) => new(
        RecentDeliveries.HashOf(Encoding.UTF8.GetBytes(id)), (taken ?? Noon).ToUnixTimeMilliseconds(), pushed?.ToUnixTimeMilliseconds() ?? 0, attempts);
}
