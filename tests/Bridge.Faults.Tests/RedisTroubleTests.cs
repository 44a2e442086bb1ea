using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Faults.Tests;

/// <summary>A Redis that answers, but not as it should: it cannot write its file, or somebody laid hands on the keys.</summary>
public sealed class RedisTroubleTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    private const int Count = 15_000;

    [Theory]
    [InlineData("prosody", ConfirmGrade.Held, QueueKind.List)]
    [InlineData("ejabberd", ConfirmGrade.Accepted, QueueKind.Stream)]
    public async Task A_full_disk_below_the_append_only_file_is_named_and_the_flood_goes_on_when_there_is_room(
        string name, ConfirmGrade grade, QueueKind kind)
    {
        await using var trial = await DeliveryTrial.StartAsync(
            await servers.GetAsync(name),
            new RedisOptions { AppendOnly = true, AppendFsync = "everysec", FilesMayBeLimited = true },
            kind,
            DeliveryTrial.SlowFlood);
        await trial.PushAsync(Count);
        await using var bridge = new InProcessBridge(trial.Settings(grade, window: 2_000));

        await trial.Ledger.ArrivedAsync(Count / 4, TimeSpan.FromSeconds(20));
        await trial.Redis.LimitFilesAsync(1);
        await Eventually.TrueAsync(
            () => bridge.Snapshot.QueueFault?.StartsWith("RefusesWrites", StringComparison.Ordinal) == true,
            TimeSpan.FromSeconds(20),
            "the bridge says that Redis refuses writes",
            () => $"{bridge.Snapshot}");
        var stuck = await trial.DepthAsync();
        await trial.Redis.LimitFilesAsync(null);
        var report = await trial.EndAsync(TimeSpan.FromSeconds(60), bridge, LedgerExcuses.RepliesRepeated);

        Assert.True(stuck.Queued > 0, $"{stuck}");
        Assert.True(report.IsKept, report.ToString());
        Assert.Equal(Count, report.Arrived);
        await bridge.QueueWorksAsync();
    }

    [Theory]
    [InlineData("prosody", QueueKind.List)]
    [InlineData("ejabberd", QueueKind.Stream)]
    public async Task A_key_of_the_wrong_type_is_named_and_what_is_pushed_once_it_is_gone_arrives(string name, QueueKind kind)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name), kind: kind);
        await trial.PushAsync(1_000);
        await using var bridge = new InProcessBridge(trial.Settings(ConfirmGrade.Accepted));
        await trial.Ledger.AllArrivedAsync(TimeSpan.FromSeconds(20));
        await Eventually.TrueAsync(async () => await trial.DepthAsync() == (0, 0), TimeSpan.FromSeconds(10), "everything is settled");

        await trial.App.StringSetAsync(DeliveryTrial.Queue, "not a queue");
        await Eventually.TrueAsync(
            () => bridge.Snapshot.QueueFault?.StartsWith("WrongType", StringComparison.Ordinal) == true,
            TimeSpan.FromSeconds(10),
            "the bridge names the wrong type",
            () => $"{bridge.Snapshot}");
        await trial.App.KeyDeleteAsync(DeliveryTrial.Queue);
        await trial.PushAsync(1_000);
        var report = await trial.EndAsync(TimeSpan.FromSeconds(30), bridge);

        Assert.True(report.IsKept, report.ToString());
        Assert.Equal(2_000, report.Arrived);
        await bridge.QueueWorksAsync();
    }

    [Theory]
    [InlineData("prosody", ConfirmGrade.Held)]
    [InlineData("ejabberd", ConfirmGrade.Accepted)]
    public async Task A_journal_that_somebody_deletes_costs_at_most_what_stood_in_it(string name, ConfirmGrade grade)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name), bytesPerSecond: DeliveryTrial.SlowFlood);
        await trial.PushAsync(Count);
        await using var bridge = new InProcessBridge(trial.Settings(grade, window: 1_000));
        await trial.Ledger.ArrivedAsync(Count / 4, TimeSpan.FromSeconds(20));

        var settled = await trial.SettledAsync();
        await trial.App.KeyDeleteAsync(trial.Keys.Inflight);
        var taken = await trial.TakenAsync();
        await Eventually.TrueAsync(async () => await trial.DepthAsync() == (0, 0), TimeSpan.FromSeconds(40), "queue and journal are empty");
        // The last of the queue stood in no journal that was deleted.
        await Eventually.TrueAsync(() => trial.Unarrived().All(place => place < taken), TimeSpan.FromSeconds(20), "what was in the queue arrives");
        // Redis has lost what stood in the journal, and with it what was to be told of it.
        trial.Ledger.RedisForgot(settled, taken);
        var report = await trial.EndAsync(TimeSpan.FromSeconds(20), bridge, LedgerExcuses.RepliesRepeated);

        Assert.True(report.IsKept, report.ToString());
    }
}
