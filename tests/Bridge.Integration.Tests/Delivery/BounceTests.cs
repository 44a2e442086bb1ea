using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Delivery;

/// <summary>What a server sends back is told to the app, each bounce once.</summary>
public sealed class BounceTests
{
    private const int Each = 50;

    [Theory]
    [InlineData("prosody")]
    [InlineData("ejabberd")]
    public async Task Messages_to_nobody_bounce_into_the_outcomes_with_their_ids(string name)
    {
        await using var servers = new RealServers(_ => new XmppServerOptions
        {
            Components = ["bridge.example.test", "sink.example.test", "absent.example.test"],
        });
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name), outcomes: OutcomeMode.Failures);
        await using var bridge = new InProcessBridge(trial.Settings(ConfirmGrade.Accepted));
        var bouncing = new Dictionary<string, string>();
        for (var i = 0; i < Each; i++)
        {
            bouncing.Add($"user-{i}", "nobody@example.test");
            bouncing.Add($"component-{i}", "box@absent.example.test");
            await trial.PushAsync(2);
            await trial.App.ListRightPushAsync(
                DeliveryTrial.Queue,
                [
                    $"<message to='nobody@example.test' id='user-{i}' type='chat'><body>hi</body></message>",
                    $"{{\"to\":\"box@absent.example.test\",\"id\":\"component-{i}\",\"body\":\"hi\"}}",
                ]);
        }

        var report = await trial.EndAsync(TimeSpan.FromSeconds(20), bridge);
        await Eventually.TrueAsync(
            async () => await trial.App.StreamLengthAsync(trial.Keys.Outcomes) >= bouncing.Count,
            TimeSpan.FromSeconds(20),
            "all bounces are in the outcomes");

        var outcomes = await trial.App.StreamRangeAsync(trial.Keys.Outcomes);
        Assert.True(report.IsClean, report.ToString());
        Assert.Equal(bouncing.OrderBy(b => b.Key, StringComparer.Ordinal), outcomes.Select(o => KeyValuePair.Create((string)o["id"]!, (string)o["to"]!)).OrderBy(b => b.Key, StringComparer.Ordinal));
        Assert.All(outcomes, outcome =>
        {
            Assert.Equal("bounced", outcome["ending"]);
            Assert.Contains((string?)outcome["type"], new[] { "cancel", "wait" });
            Assert.Contains(
                (string?)outcome["condition"],
                new[] { "service-unavailable", "remote-server-timeout", "remote-server-not-found", "item-not-found" });
        });
    }
}
