using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Faults.Tests;

/// <summary>The TCP links to Redis break, go dead or are merely bad, in the middle of a flood.</summary>
public sealed class BrokenRedisLinkTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    private const int Count = 12_000;

    [Theory]
    [InlineData("prosody", ConfirmGrade.Held)]
    [InlineData("ejabberd", ConfirmGrade.Accepted)]
    public async Task Resets_cost_nothing_but_time(string name, ConfirmGrade grade)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name), bytesPerSecond: DeliveryTrial.SlowFlood);
        await using var proxy = new FaultProxy(trial.Redis.Port);
        await trial.PushAsync(Count);
        await using var bridge = new InProcessBridge(trial.Settings(grade, redis: Through(proxy), window: 2_000));

        for (var strike = 1; strike <= 3; strike++)
        {
            await trial.Ledger.ArrivedAsync(Count * strike / 5, TimeSpan.FromSeconds(20));
            proxy.ResetPeer();
        }

        var report = await trial.EndAsync(TimeSpan.FromSeconds(30), bridge, LedgerExcuses.RepliesRepeated);

        // The stream to the server never broke: nothing had to be sent twice.
        Assert.True(report.IsClean, report.ToString());
        Assert.Null(bridge.Snapshot.LastReconnectCause);
    }

    [Theory]
    [InlineData("prosody", ConfirmGrade.Held)]
    [InlineData("ejabberd", ConfirmGrade.Accepted)]
    public async Task A_black_hole_longer_than_the_lease_ends_in_a_recovery_from_the_journal(string name, ConfirmGrade grade)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name), bytesPerSecond: DeliveryTrial.SlowFlood);
        await using var proxy = new FaultProxy(trial.Redis.Port);
        await trial.PushAsync(Count);
        await using var bridge = new InProcessBridge(trial.Settings(grade, redis: Through(proxy), window: 2_000));

        await trial.Ledger.ArrivedAsync(Count / 4, TimeSpan.FromSeconds(20));
        var confirmed = await trial.ConfirmedAsync();
        proxy.BlackHole();
        await Eventually.TrueAsync(
            async () => !await trial.App.KeyExistsAsync(trial.Keys.Lease), TimeSpan.FromSeconds(10), "the lease runs out");
        proxy.Upstream.Swallows = false;
        proxy.Downstream.Swallows = false;
        var report = await trial.EndAsync(TimeSpan.FromSeconds(30), bridge, LedgerExcuses.RepliesRepeated);

        Assert.True(report.IsKept, report.ToString());
        Assert.Empty(trial.RepeatedUpTo(confirmed));
    }

    [Theory]
    [InlineData("prosody")]
    [InlineData("ejabberd")]
    public async Task Latency_and_slices_of_one_byte_only_make_it_slower(string name)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name), bytesPerSecond: DeliveryTrial.SlowFlood);
        await using var proxy = new FaultProxy(trial.Redis.Port);
        foreach (var direction in new[] { proxy.Upstream, proxy.Downstream })
        {
            direction.Slicer = 1;
            direction.Latency(TimeSpan.FromMilliseconds(10));
        }

        await trial.PushAsync(300);
        await using var bridge = new InProcessBridge(trial.Settings(ConfirmGrade.Accepted, redis: Through(proxy)));
        var report = await trial.EndAsync(TimeSpan.FromSeconds(30), bridge);

        Assert.True(report.IsClean, report.ToString());
    }

    private static string Through(FaultProxy proxy) => $"127.0.0.1:{proxy.Port}";
}
