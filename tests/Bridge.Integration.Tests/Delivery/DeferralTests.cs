using System.Text;
using System.Text.Json;
using Bridge.Settings;
using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Integration.Tests.Delivery;

/// <summary>Messages that are sent later: because the app says so, or because their recipient could not take them, on real servers.</summary>
public sealed class DeferralTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData("prosody", QueueKind.List)]
    [InlineData("ejabberd", QueueKind.Stream)]
    public async Task A_message_comes_when_it_is_due_also_with_another_owner_and_expires_counted_from_then(string name, QueueKind kind)
    {
        var server = await servers.GetAsync(name);
        await using var trial = await DeliveryTrial.StartAsync(server, kind: kind);
        await using var user = await XmppUser.LoginAsync(server, "grace", new XmppUserOptions { Resource = "due" });
        var settings = Quick(trial.Settings(ConfirmGrade.Accepted));
        var due = DateTimeOffset.UtcNow.AddSeconds(3);
        string later, now, wrong;
        await using (var first = new InProcessBridge(settings))
        {
            later = await trial.PushForReplyAsync($$"""{"to":"{{user.BareJid}}","body":"later","notBefore":{{due.ToUnixTimeMilliseconds()}},"ttl":30""");
            wrong = await trial.PushForReplyAsync($$"""{"to":"@","body":"wrong","notBefore":{{due.ToUnixTimeMilliseconds()}} """);
            now = await trial.PushForReplyAsync($$"""{"to":"{{user.BareJid}}","body":"now" """);
            Assert.Equal("accepted", (await trial.ReplyAsync(now)).Text("ending"));
            // What could never be sent is said at once.
            Assert.Equal("dead", (await trial.ReplyAsync(wrong)).Text("ending"));
            await Eventually.TrueAsync(async () => await trial.App.SortedSetLengthAsync(trial.Keys.Scheduled) == 1, Patience, "it waits for its time");
            Assert.Equal((0L, 0L), await trial.DepthAsync());
            await first.DrainAsync();
        }

        await using var bridge = new InProcessBridge(settings);
        var outcome = await trial.ReplyAsync(later);
        var arrived = DateTimeOffset.UtcNow;

        Assert.Equal(("accepted", true, 1), (outcome.Text("ending"), outcome.GetProperty("overtaken").GetBoolean(), outcome.GetProperty("attempts").GetInt32()));
        Assert.InRange(arrived, due, due.AddSeconds(10));
        Assert.Equal(["now", "later"], Bodies(user));
        Assert.DoesNotContain(user.Received.Snapshot(), stanza => stanza.Element.Elements("{urn:xmpp:delay}delay").Any());

        // Its time came while nobody ran, and was over when somebody did.
        await bridge.DrainAsync();
        await trial.App.SortedSetAddAsync(trial.Keys.Scheduled, "9000000000000000:0", 1);
        await trial.App.HashSetAsync(
            trial.Keys.ScheduledContent, "9000000000000000:0", Kept(kind, $$"""{"to":"{{user.BareJid}}","body":"over","notBefore":1000000000,"ttl":1,"replyTo":"bridge:reply:over"}"""));
        await using var last = new InProcessBridge(settings);
        Assert.Equal("expired", (await trial.ReplyAsync("bridge:reply:over")).Text("ending"));
    }

    [Theory]
    [InlineData("prosody", QueueKind.List)]
    [InlineData("ejabberd", QueueKind.Stream)]
    public async Task A_recipient_who_asks_to_wait_gets_its_messages_later_in_order_while_the_others_get_theirs(string name, QueueKind kind)
    {
        var server = await servers.GetAsync(name);
        await using var trial = await DeliveryTrial.StartAsync(server, kind: kind);
        await using var user = await XmppUser.LoginAsync(server, "grace", new XmppUserOptions { Resource = "busy" });
        var refusals = 1;
        user.Received.Observe(message =>
        {
            if (message.Name == "message" && message.Element.Element("body")?.Value == "first" && Interlocked.Decrement(ref refusals) >= 0)
                _ = user.SendAsync(
                    $"<message type='error' to='{message.From}' id='{message.Id}'><error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>").AsTask();
        });
        var settings = Quick(trial.Settings(ConfirmGrade.Held)) with
        {
            Retry = new RetrySettings { Limit = 3, Delay = TimeSpan.FromMilliseconds(500), MaxDelay = TimeSpan.FromSeconds(1), Keep = TimeSpan.FromSeconds(2) },
        };
        await using var bridge = new InProcessBridge(settings);

        var first = await trial.PushForReplyAsync($$"""{"to":"{{user.FullJid}}","body":"first" """);
        await Eventually.TrueAsync(async () => await trial.App.SortedSetLengthAsync(trial.Keys.Scheduled) == 1, Patience, "it is put off");
        var second = await trial.PushForReplyAsync($$"""{"to":"{{user.FullJid}}","body":"second" """);
        var other = await trial.PushForReplyAsync($$"""{"to":"{{trial.SinkJid}}","body":"other" """);

        // The ending comes when no bounce can come any more.
        Assert.Equal((1, false), AttemptsOf(await trial.ReplyAsync(other)));
        var outcome = await trial.ReplyAsync(first);
        Assert.Equal("held", outcome.Text("ending"));
        Assert.Equal((2, true), AttemptsOf(outcome));
        Assert.Equal("held", (await trial.ReplyAsync(second)).Text("ending"));
        Assert.Equal(["first", "first", "second"], Bodies(user));
        Assert.Equal((0, 0), (await trial.App.HashLengthAsync(trial.Keys.Awaiting), await trial.App.HashLengthAsync(trial.Keys.Kept)));
    }

    [Fact]
    public async Task A_storm_of_recipients_who_ask_to_wait_slows_nobody_else_and_each_message_ends_once()
    {
        const int Failing = 3_000;
        await using var server = new ProsodyServer(new XmppServerOptions { Components = ["bridge.example.test", "sink.example.test", "busy.example.test"] });
        await server.StartAsync();
        await using var trial = await DeliveryTrial.StartAsync(server, kind: QueueKind.List);
        await using var busy = await XmppComponentPeer.ConnectAsync(server, server.Components[2]);
        busy.Received.Observe(message =>
        {
            if (message.Name == "message" && message.Type != "error")
                _ = busy.SendAsync(
                    $"<message type='error' from='{message.To}' to='{message.From}' id='{message.Id}'><error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>").AsTask();
        });
        var settings = Quick(trial.Settings(ConfirmGrade.Held)) with
        {
            Outcomes = trial.Settings(ConfirmGrade.Held).Outcomes with { Mode = OutcomeMode.All, MaxEntries = 1_000_000 },
            Retry = new RetrySettings { Limit = 1, Delay = TimeSpan.FromMilliseconds(300), MaxDelay = TimeSpan.FromSeconds(1), Keep = TimeSpan.FromSeconds(2) },
        };
        for (var i = 0; i < Failing; i++)
        {
            var to = $"u{i % 100}@{server.Components[2]}";
            await trial.PushAsync(to, message => Encoding.UTF8.GetBytes($$"""{"to":"{{to}}","id":"{{message.Id}}","body":"x"}"""), MessageFate.Bounces);
            if (i % 10 == 0)
                await trial.PushPlainAsync(10);
        }

        await using var bridge = new InProcessBridge(settings);
        var report = await trial.EndAsync(TimeSpan.FromSeconds(60), bridge);
        Assert.True(report.IsClean, report.ToString());
        var failed = (await trial.App.StreamRangeAsync(trial.Keys.Outcomes)).Where(outcome => outcome["ending"] == "bounced" && outcome["late"].IsNull).ToArray();
        Assert.Equal(Failing, failed.Length);
        Assert.All(failed, outcome => Assert.Equal(2, (int)outcome["attempts"]));
    }

    private static RedisValue Kept(QueueKind kind, string payload)
    {
        const string said = "!0 1 0 1 0\n";
        if (kind == QueueKind.List)
            return said + payload;
        // What cmsgpack makes of { 'payload', payload }.
        byte[] bytes = [.. Encoding.UTF8.GetBytes(said), 0x92, 0xa7, .. "payload"u8, 0xd9, (byte)payload.Length, .. Encoding.UTF8.GetBytes(payload)];
        return bytes;
    }

    private static (int Attempts, bool Overtaken) AttemptsOf(JsonElement outcome) =>
        (outcome.GetProperty("attempts").GetInt32(), outcome.TryGetProperty("overtaken", out var overtaken) && overtaken.GetBoolean());

    private static List<string> Bodies(XmppUser user) =>
        [.. user.Received.Snapshot().Where(stanza => stanza.Name == "message").Select(stanza => stanza.Element.Element("body")?.Value ?? "").Where(body => body.Length > 0)];

    private static BridgeSettings Quick(BridgeSettings settings) =>
        settings with { Confirm = settings.Confirm with { Hold = TimeSpan.FromMilliseconds(200) } };
}
