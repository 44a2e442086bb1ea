using System.Diagnostics;
using System.Globalization;
using System.Text;
using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Faults.Tests;

/// <summary>SIGTERM of the real program in the middle of a flood.</summary>
public sealed class DrainTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    private const int Count = 12_000;
    private const int Parts = 40;

    [Theory]
    [InlineData("prosody", ConfirmGrade.Held, QueueKind.List)]
    [InlineData("ejabberd", ConfirmGrade.Held, QueueKind.Stream)]
    [InlineData("prosody", ConfirmGrade.Accepted, QueueKind.Stream)]
    [InlineData("ejabberd", ConfirmGrade.Accepted, QueueKind.List)]
    public async Task It_ends_in_time_and_its_next_life_delivers_the_rest_once(string name, ConfirmGrade grade, QueueKind kind)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name), kind: kind, bytesPerSecond: DeliveryTrial.SlowFlood);
        for (var pushed = 0; pushed < Count; pushed += Count / Parts)
        {
            await trial.PushAsync(Count / Parts);
            // Some are sent in time, some are over before their turn comes: each is told as it was.
            await trial.PushAsync(trial.SinkJid, WithASecondToLive, MessageFate.MayExpire);
        }

        await using var bridge = trial.Program(grade, window: 2_000);

        bridge.Start();
        await bridge.ReadyAsync(TimeSpan.FromSeconds(20));
        await trial.Ledger.ArrivedAsync(Count / 4, TimeSpan.FromSeconds(20));
        var asked = Stopwatch.GetTimestamp();
        var exit = await bridge.StopAsync();
        var took = Stopwatch.GetElapsedTime(asked);
        var (left, _) = await trial.DepthAsync();
        var owned = await trial.App.KeyExistsAsync(trial.Keys.Lease);
        bridge.Start();
        var report = await trial.EndAsync(TimeSpan.FromSeconds(30));

        Assert.True(report.IsClean, report.ToString());
        Assert.Equal((0, false), (exit, owned));
        Assert.InRange(left, 1, Count);
        Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(6));
    }

    private static byte[] WithASecondToLive(LedgerMessage message) => Encoding.UTF8.GetBytes(string.Create(
        CultureInfo.InvariantCulture,
        $$"""{"to":"{{message.Recipient}}","id":"{{message.Id}}","at":{{DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()}},"ttl":1,"body":"hurry"}"""));
}
