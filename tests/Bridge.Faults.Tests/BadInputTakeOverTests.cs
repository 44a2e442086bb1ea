using System.Text;
using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Faults.Tests;

/// <summary>
/// A take-over within the hold, with bad entries between the held ones: the next owner does not look
/// at what the mark has passed, so the bad ones must stand in the dead-letter stream before.
/// </summary>
public sealed class BadInputTakeOverTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    private const int Count = 900;

    [Theory]
    [InlineData("prosody", QueueKind.List, true)]
    [InlineData("ejabberd", QueueKind.Stream, true)]
    [InlineData("prosody", QueueKind.Stream, false)]
    [InlineData("ejabberd", QueueKind.List, false)]
    public async Task No_bad_entry_vanishes_when_the_owner_ends_within_the_hold(string name, QueueKind kind, bool killed)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name), kind: kind);
        var bad = 0;
        for (var i = 0; i < Count; i++)
        {
            var isBad = i % 9 == 4;
            bad += isBad ? 1 : 0;
            await trial.PushAsync(
                trial.SinkJid,
                message => Encoding.UTF8.GetBytes(isBad
                    ? $"<message id='{message.Id}' to='{message.Recipient}'><body>fish & chips</body></message>"
                    : message.ToStanza()),
                isBad ? MessageFate.Dies : MessageFate.Arrives);
        }

        await using var bridge = trial.Program(ConfirmGrade.Held);
        bridge.Start();
        await trial.Ledger.ArrivedAsync(Count - bad, TimeSpan.FromSeconds(20));
        // All confirmed and marked, none of it settled: the hold has just begun.
        await Eventually.TrueAsync(
            async () => await trial.ConfirmedAsync() == Count, TimeSpan.FromSeconds(5), "the mark to pass over all of it");
        if (killed)
            await bridge.KillAsync();
        else
            Assert.Equal(0, await bridge.StopAsync());
        bridge.Start();
        var report = await trial.EndAsync(TimeSpan.FromSeconds(30));

        Assert.True(report.IsClean, report.ToString());
        Assert.Equal(bad, report.DeadLettered.Count);
    }
}
