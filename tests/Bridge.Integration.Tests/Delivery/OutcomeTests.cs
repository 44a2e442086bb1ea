using System.Globalization;
using System.Text;
using System.Text.Json;
using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Delivery;

/// <summary>An app learns how its messages ended, on real servers.</summary>
public sealed class OutcomeTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    private const int Messages = 2_000;

    [Theory]
    [InlineData("prosody", QueueKind.List, ConfirmGrade.Accepted)]
    [InlineData("ejabberd", QueueKind.Stream, ConfirmGrade.Held)]
    public async Task An_app_that_pushes_waits_at_its_list_and_reads_the_ending_there(string name, QueueKind kind, ConfirmGrade grade)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name), kind: kind);
        var settings = trial.Settings(grade);
        await using var bridge = new InProcessBridge(settings with { Confirm = settings.Confirm with { Hold = TimeSpan.FromMilliseconds(200) } });

        var delivered = await AskAsync(trial, trial.SinkJid);
        var bounced = await AskAsync(trial, "nobody@example.test");
        var expired = await AskAsync(trial, trial.SinkJid, ",\"at\":1000000000,\"ttl\":1");
        var dead = await AskAsync(trial, "@");

        Assert.Equal(grade == ConfirmGrade.Accepted ? "accepted" : "held", delivered.Text("ending"));
        Assert.Equal((7, 1), (delivered.GetProperty("meta").GetProperty("order").GetInt32(), delivered.GetProperty("attempts").GetInt32()));
        Assert.True(delivered.GetProperty("taken").GetInt64() <= delivered.GetProperty("confirmed").GetInt64());
        Assert.Equal(("bounced", "cancel", "nobody@example.test"), (bounced.Text("ending"), bounced.Text("type"), bounced.Text("to")));
        Assert.Equal(("expired", "expired"), (expired.Text("ending"), expired.Text("reason")));
        Assert.Equal(("dead", "invalid-to"), (dead.Text("ending"), dead.Text("reason")));
        Assert.Equal(0, await trial.App.StreamLengthAsync(trial.Keys.Replies));
    }

    [Theory]
    [InlineData("prosody", QueueKind.List, ConfirmGrade.Held)]
    [InlineData("ejabberd", QueueKind.List, ConfirmGrade.Accepted)]
    [InlineData("prosody", QueueKind.Stream, ConfirmGrade.Accepted)]
    [InlineData("ejabberd", QueueKind.Stream, ConfirmGrade.Held)]
    public async Task In_mode_all_every_message_has_one_ending_also_over_a_change_of_owner(string name, QueueKind kind, ConfirmGrade grade)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name), kind: kind);
        var settings = trial.Settings(grade);
        for (var i = 0; i < Messages / 10; i++)
        {
            await trial.PushAsync(9, withOdd: false);
            var id = "bounce-" + i.ToString(CultureInfo.InvariantCulture);
            await trial.PushAsync(
                trial.NobodysJid, message => Encoding.UTF8.GetBytes($"<message to='{message.Recipient}' id='{id}' type='chat'><body>hi</body></message>"), MessageFate.Bounces);
        }

        await using (var first = new InProcessBridge(settings))
        {
            // What it confirmed and still holds is told by its successor.
            await trial.Ledger.ArrivedAsync(Messages / 3, TimeSpan.FromSeconds(20));
            await first.DrainAsync();
        }

        await using var bridge = new InProcessBridge(settings);
        var report = await trial.EndAsync(TimeSpan.FromSeconds(40), bridge);
        await Eventually.TrueAsync(
            async () => await trial.App.StreamLengthAsync(trial.Keys.Outcomes) >= Messages, TimeSpan.FromSeconds(20), "every ending is told");

        Assert.True(report.IsClean, report.ToString());
        var endings = (await trial.App.StreamRangeAsync(trial.Keys.Outcomes)).Where(outcome => outcome["late"].IsNull).ToArray();
        Assert.Equal(Messages, endings.Select(outcome => (string)outcome["id"]!).Distinct().Count());
        Assert.Equal(Messages, endings.Length);
        var settled = grade == ConfirmGrade.Accepted ? "accepted" : "held";
        Assert.All(endings, outcome =>
            Assert.True((string)outcome["ending"]! == settled || ((string)outcome["ending"]! == "bounced" && ((string)outcome["id"]!).StartsWith("bounce-", StringComparison.Ordinal))));
        // Each bounce is told: as the ending, or as what came after it.
        var bounces = (await trial.App.StreamRangeAsync(trial.Keys.Outcomes)).Where(outcome => outcome["ending"] == "bounced").ToArray();
        Assert.Equal(Messages / 10, bounces.Select(outcome => (string)outcome["id"]!).Distinct().Count());
    }

    private static async Task<JsonElement> AskAsync(DeliveryTrial trial, string to, string more = "") =>
        await trial.ReplyAsync(await trial.PushForReplyAsync($$"""{"to":"{{to}}","body":"hi","meta":{"order":7}{{more}}"""));
}
