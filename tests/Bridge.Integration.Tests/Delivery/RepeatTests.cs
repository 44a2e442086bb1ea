using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Delivery;

/// <summary>An id that an app pushes twice is sent once, whoever owns the queue.</summary>
public sealed class RepeatTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData("prosody", QueueKind.List)]
    [InlineData("ejabberd", QueueKind.Stream)]
    public async Task What_is_pushed_again_is_dead_lettered_also_by_the_next_owner_and_what_is_recovered_is_sent(string name, QueueKind kind)
    {
        var server = await servers.GetAsync(name);
        await using var trial = await DeliveryTrial.StartAsync(server, kind: kind);
        await using var user = await XmppUser.LoginAsync(server, "grace", new XmppUserOptions { Resource = "once" });
        var settings = trial.Settings(ConfirmGrade.Held);
        settings = settings with
        {
            // Long enough that everything stands in the journal when the owner changes.
            Confirm = settings.Confirm with { Hold = TimeSpan.FromMinutes(1) },
            Queue = settings.Queue with { Repeats = new RepeatSettings { Window = TimeSpan.FromMinutes(10), MaxEntries = 1_000_000 } },
        };
        await using (var first = new InProcessBridge(settings))
        {
            foreach (var id in new[] { "a", "b", "a" })
                await PushAsync(trial, user.BareJid, id);
            await PushAsync(trial, trial.SinkJid, "a");
            await ArrivedAsync(user, "b");
            await DeadAsync(trial, 1);
            await Eventually.TrueAsync(async () => await trial.App.SortedSetLengthAsync(trial.Keys.Seen) == 3, Patience, "what was seen is noted");
            await first.DrainAsync();
        }

        // A new owner that has to send what was held again: it must not take that for a repetition.
        await trial.App.HashDeleteAsync(trial.Keys.Confirmed, "mark");
        await using var bridge = new InProcessBridge(settings with { Confirm = settings.Confirm with { Hold = TimeSpan.FromMilliseconds(200) } });
        await Eventually.TrueAsync(() => Ids(user).Count(id => id == "a") == 2, Patience, "what was held is sent again");
        await PushAsync(trial, user.BareJid, "b");
        await PushAsync(trial, user.BareJid, "c");
        await ArrivedAsync(user, "c");
        await DeadAsync(trial, 2);

        Assert.Equal(["a", "b", "a", "b", "c"], Ids(user));
        Assert.All(await trial.DeadLettersAsync(), letter => Assert.Equal("duplicate", (string)letter["reason"]!));
    }

    private static Task PushAsync(DeliveryTrial trial, string to, string id) =>
        trial.PushPayloadAsync($$"""{"to":"{{to}}","id":"{{id}}","body":"x"}""");

    private static Task ArrivedAsync(XmppUser user, string id) =>
        Eventually.TrueAsync(() => Ids(user).Contains(id), Patience, $"{id} arrives");

    private static Task DeadAsync(DeliveryTrial trial, int count) =>
        Eventually.TrueAsync(async () => (await trial.DeadLettersAsync()).Count == count, Patience, $"{count} dead letters");

    private static List<string> Ids(XmppUser user) =>
        [.. user.Received.Snapshot().Where(stanza => stanza.Name == "message").Select(stanza => stanza.Id ?? "")];
}
