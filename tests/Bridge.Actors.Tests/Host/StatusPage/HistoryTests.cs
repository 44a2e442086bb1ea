using System.Globalization;
using Bridge.Host.Configuration;
using Bridge.Host.Hosting;
using Bridge.Host.StatusPage;
using Bridge.Telemetry;

namespace Bridge.Actors.Tests.Host.StatusPage;

public sealed class HistoryTests : IDisposable
{
    // The meter is the process's: other tests count too, under other names.
    private static readonly string Name = "history-" + Guid.NewGuid().ToString("n")[..8];

    private readonly ManualTime time = new();
    private readonly StatusBoard board;
    private readonly ConfiguredBridges bridges = new(Bridges(Name));
    private readonly History history;
    private readonly BridgeMetrics metrics = new(Name);

    public HistoryTests()
    {
        board = new StatusBoard(time);
        history = new History(board, bridges, time);
    }

    [Fact]
    public void A_sample_tells_what_was_counted_in_its_second_and_how_the_bridge_stood_at_its_end()
    {
        metrics.Confirmed(30, TimeSpan.FromMilliseconds(4));
        metrics.Confirmed(10, TimeSpan.FromMilliseconds(8));
        metrics.BarrierReturned(TimeSpan.FromMilliseconds(2));
        new BridgeMetrics("another").Confirmed(1000, TimeSpan.FromSeconds(9));
        Publish(queued: 7, oldest: time.GetUtcNow() - TimeSpan.FromSeconds(3));
        EndSecond(2);

        var sample = Assert.Single(history.Of(Name));
        Assert.Equal((20f, 6f, 8f, 2f), (sample.Confirmed, sample.ConfirmMean, sample.ConfirmMost, sample.RoundTrip));
        Assert.Equal((7, 5f, 3, 100), (sample.Queued, sample.Oldest, sample.Unconfirmed, sample.Window));
        Assert.Equal(time.GetUtcNow().ToUnixTimeSeconds(), sample.At);
        Assert.Equal(sample, history.Newest(Name));
    }

    [Fact]
    public void A_second_without_a_barrier_has_no_latency_and_a_list_knows_no_age()
    {
        Publish(queued: 7, oldest: null);
        EndSecond();

        var sample = Assert.Single(history.Of(Name));
        Assert.Equal(0, sample.Confirmed);
        Assert.All([sample.ConfirmMean, sample.ConfirmMost, sample.RoundTrip, sample.Oldest], value => Assert.True(float.IsNaN(value)));
    }

    [Fact]
    public void An_hour_is_kept_and_what_is_older_goes()
    {
        for (var second = 0; second < History.Length + 10; second++)
        {
            Publish(queued: second, oldest: null);
            EndSecond();
        }

        var samples = history.Of(Name);
        Assert.Equal(History.Length, samples.Length);
        Assert.Equal(Enumerable.Range(10, History.Length), samples.Select(sample => sample.Queued));
    }

    [Fact]
    public void Reconnects_are_kept_with_their_causes_the_newest_first_and_bounded()
    {
        metrics.ShowZeros();
        var began = time.GetUtcNow();
        metrics.Reconnecting(ReconnectCause.ConnectFailed);
        time.Advance(TimeSpan.FromSeconds(1));
        metrics.Reconnecting(ReconnectCause.ConnectFailed);
        Assert.Equal(new Reconnect(began, time.GetUtcNow(), 2, "connect-failed"), Assert.Single(history.HappeningsOf(Name).Recent));

        for (var i = 0; i < History.MostReconnects; i++)
            metrics.Reconnecting(i % 2 == 0 ? ReconnectCause.NoProgress : ReconnectCause.Conflict);
        metrics.DeadLettered("oversize");

        var happenings = history.HappeningsOf(Name);
        Assert.Equal(History.MostReconnects, happenings.Recent.Count);
        Assert.Equal(new Reconnect(time.GetUtcNow(), time.GetUtcNow(), 1, "conflict"), happenings.Recent[0]);
        Assert.DoesNotContain(happenings.Recent, reconnect => reconnect.Cause == "connect-failed");
        Assert.Equal((2, 16, 16), (happenings.Causes["connect-failed"], happenings.Causes["no-progress"], happenings.Causes["conflict"]));
        Assert.Equal(3, happenings.Causes.Count);
        Assert.Equal(1, happenings.DeadLettered);
    }

    [Fact]
    public void A_bridge_that_a_reload_takes_away_is_forgotten_and_one_that_it_brings_is_recorded()
    {
        var other = Name + "-2";
        Publish(queued: 1, oldest: null);
        EndSecond();

        bridges.Replace(Bridges(other));
        board.Publish(new BridgeSnapshot { Name = other });
        EndSecond();

        Assert.Empty(history.Of(Name));
        Assert.Single(history.Of(other));
    }

    [Fact]
    public void Bridges_beyond_the_bound_have_no_history()
    {
        var names = Enumerable.Range(100, History.MostBridges + 1).Select(number => string.Create(CultureInfo.InvariantCulture, $"{Name}-{number}")).ToArray();
        bridges.Replace(Bridges(names));
        foreach (var name in names)
            board.Publish(new BridgeSnapshot { Name = name });
        EndSecond();

        Assert.Equal(History.MostBridges, names.Count(name => history.Of(name).Length == 1));
    }

    public void Dispose() => history.Dispose();

    private static System.Collections.Immutable.ImmutableArray<Bridge.Settings.BridgeSettings> Bridges(params string[] names)
    {
        var sections = names.Select(name => $"{name} {{ queue.name = {name}, xmpp.domain = {name}.example.com }}");
        var result = ConfigurationReader.Read(
            [new ConfigurationText("file", "bridge.bridges {\n" + string.Join('\n', sections) + "\n}")],
            new Dictionary<string, string> { ["BRIDGE_SECRET"] = "any" },
            path => throw new FileNotFoundException(path));
        Assert.Empty(result.Mistakes);
        return result.Configuration!.Bridges;
    }

    private void Publish(long queued, DateTimeOffset? oldest) =>
        board.Publish(new BridgeSnapshot { Name = Name, QueueLength = queued, OldestQueued = oldest, UnconfirmedEntries = 3, WindowLimit = 100 });

    private void EndSecond(double seconds = 1)
    {
        time.Advance(TimeSpan.FromSeconds(seconds));
        history.Record();
    }
}
