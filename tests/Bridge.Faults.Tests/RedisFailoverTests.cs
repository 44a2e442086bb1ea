using System.Globalization;
using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Faults.Tests;

/// <summary>kill -9 of the master in the middle of a flood; Sentinel makes the replica the master.</summary>
public sealed class RedisFailoverTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    private const int Count = 15_000;

    [Theory]
    [InlineData("prosody", ConfirmGrade.Held, QueueKind.List)]
    [InlineData("ejabberd", ConfirmGrade.Accepted, QueueKind.Stream)]
    public async Task What_the_replica_has_arrives_in_order_whatever_it_missed_of_the_settlements(string name, ConfirmGrade grade, QueueKind kind)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name), kind: kind, bytesPerSecond: DeliveryTrial.SlowFlood);
        await using var replica = await RedisServer.StartAsync(new RedisOptions
        {
            Arguments = ["--replicaof", "127.0.0.1", trial.Redis.Port.ToString(CultureInfo.InvariantCulture)],
        });
        await using var sentinel = await RedisSentinel.StartAsync(trial.Redis.Port, downAfter: TimeSpan.FromSeconds(1));
        await sentinel.KnowsReplicaAsync(TimeSpan.FromSeconds(20));
        await trial.PushAsync(Count);
        // What the app pushed and the replica never saw would be Redis' loss, not Bridge's.
        Assert.Equal(1, (long)await trial.App.ExecuteAsync("WAIT", 1, 10_000));
        await using var bridge = new InProcessBridge(trial.Settings(grade, redis: sentinel.ConnectionString, window: 2_000));

        await trial.Ledger.ArrivedAsync(Count / 4, TimeSpan.FromSeconds(20));
        await trial.Redis.KillAsync();
        var arrived = trial.Ledger.Check().Arrived;
        await sentinel.PromotedAsync(TimeSpan.FromSeconds(30));
        await trial.FollowAsync(replica);
        var report = await trial.EndAsync(TimeSpan.FromSeconds(60), bridge, LedgerExcuses.RepliesRepeated);

        Assert.True(report.IsKept, report.ToString());
        Assert.InRange(arrived, Count / 4, Count - 1);
        Assert.Equal(Count, report.Arrived);
        await bridge.QueueWorksAsync();
    }
}
