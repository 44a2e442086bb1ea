using System.Text.Json;
using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Delivery;

/// <summary>What the recipient's client, or whoever was asked, answers reaches the app, on real servers.</summary>
public sealed class AnswerTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    [Theory]
    [InlineData("prosody", QueueKind.List)]
    [InlineData("ejabberd", QueueKind.Stream)]
    public async Task A_message_is_received_when_its_recipients_client_says_so_and_unconfirmed_when_it_does_not(string name, QueueKind kind)
    {
        var server = await servers.GetAsync(name);
        await using var trial = await DeliveryTrial.StartAsync(server, kind: kind);
        await using var user = await XmppUser.LoginAsync(server, "grace", new XmppUserOptions { Resource = "receipts" });
        user.Received.Observe(message =>
        {
            if (message.Name == "message" && message.Element.Elements("{urn:xmpp:receipts}request").Any() && message.Element.Value.Contains("answer", StringComparison.Ordinal))
                _ = user.SendAsync($"<message to='{message.From}' type='chat' id='r-{message.Id}'><received xmlns='urn:xmpp:receipts' id='{message.Id}'/></message>").AsTask();
        });
        var settings = Quick(trial.Settings(ConfirmGrade.Held));
        await using var bridge = new InProcessBridge(settings);

        var quick = await trial.PushForReplyAsync($$"""{"to":"{{user.BareJid}}","body":"answer","receipt":true""");
        var silent = await trial.PushForReplyAsync($$"""{"to":"{{user.BareJid}}","body":"hush","receipt":true,"timeout":2,"id":"own-1" """);
        var other = await trial.PushForReplyAsync($$"""{"to":"{{trial.SinkJid}}","body":"behind them" """);
        var bounced = await trial.PushForReplyAsync("""{"to":"nobody@example.test","body":"answer","receipt":true""");

        Assert.Equal("received", (await trial.ReplyAsync(quick)).Text("ending"));
        // It waits for nobody.
        Assert.Equal("held", (await trial.ReplyAsync(other)).Text("ending"));
        Assert.Equal("bounced", (await trial.ReplyAsync(bounced)).Text("ending"));
        var unconfirmed = await trial.ReplyAsync(silent);
        Assert.Equal(("unconfirmed", "own-1", 1), (unconfirmed.Text("ending"), unconfirmed.Text("id"), unconfirmed.GetProperty("attempts").GetInt32()));
        Assert.Equal(1, user.Received.Snapshot().Count(message => message.Element.Value.Contains("hush", StringComparison.Ordinal)));
        Assert.Equal(0, await trial.App.HashLengthAsync(trial.Keys.Awaiting));
    }

    [Theory]
    [InlineData("ejabberd", QueueKind.List)]
    [InlineData("prosody", QueueKind.Stream)]
    public async Task A_receipt_that_comes_to_the_next_owner_ends_what_the_one_before_had_sent(string name, QueueKind kind)
    {
        var server = await servers.GetAsync(name);
        await using var trial = await DeliveryTrial.StartAsync(server, kind: kind);
        await using var user = await XmppUser.LoginAsync(server, "grace", new XmppUserOptions { Resource = "later" });
        var settings = Quick(trial.Settings(ConfirmGrade.Received));
        string list;
        ReceivedStanza message;
        await using (var first = new InProcessBridge(settings))
        {
            list = await trial.PushForReplyAsync($$"""{"to":"{{user.BareJid}}","body":"hi" """);
            message = await user.Received.FirstAsync(stanza => stanza.Element.Elements("body").Any(), Patience);
            await Eventually.TrueAsync(async () => await trial.App.HashLengthAsync(trial.Keys.Awaiting) == 1, Patience, "it waits outside the journal");
            Assert.Equal((0L, 0L), await trial.DepthAsync());
        }

        await using var bridge = new InProcessBridge(settings);
        await Eventually.TrueAsync(() => bridge.Board.Snapshots.SingleOrDefault()?.AwaitingEntries == 1, Patience, "the next owner knows of it");
        await user.SendAsync($"<message to='{message.From}' type='chat'><received xmlns='urn:xmpp:receipts' id='{message.Id}'/></message>");

        Assert.Equal("received", (await trial.ReplyAsync(list)).Text("ending"));
    }

    [Theory]
    [InlineData("prosody", QueueKind.List)]
    [InlineData("ejabberd", QueueKind.Stream)]
    public async Task A_request_has_its_result_its_error_or_its_timeout_once(string name, QueueKind kind)
    {
        var server = await servers.GetAsync(name);
        await using var trial = await DeliveryTrial.StartAsync(server, kind: kind);
        await using var mute = await XmppUser.LoginAsync(server, "grace", new XmppUserOptions { Resource = "mute", AnswersRequests = false });
        await using var bridge = new InProcessBridge(Quick(trial.Settings(ConfirmGrade.Held)));

        var info = await trial.PushForReplyAsync(Request(server.Domain, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>"));
        var ping = await trial.PushForReplyAsync(Request(server.Domain, "get", "<ping xmlns='urn:xmpp:ping'/>"));
        var roster = await trial.PushForReplyAsync(Request(mute.BareJid, "get", "<query xmlns='jabber:iq:roster'/>"));
        var unanswered = await trial.PushForReplyAsync(Request(mute.FullJid, "get", "<query xmlns='urn:example:slow'/>", ",\"timeout\":1"));

        var result = await trial.ReplyAsync(info);
        Assert.Equal("received", result.Text("ending"));
        Assert.Contains("http://jabber.org/protocol/disco#info", result.Text("answer"), StringComparison.Ordinal);
        Assert.Contains("<identity", result.Text("answer"), StringComparison.Ordinal);
        Assert.Equal("received", (await trial.ReplyAsync(ping)).Text("ending"));
        var refused = await trial.ReplyAsync(roster);
        Assert.Equal(("bounced", "iq"), (refused.Text("ending"), refused.Text("kind")));
        Assert.Equal("unconfirmed", (await trial.ReplyAsync(unanswered)).Text("ending"));

        // Late, and twice.
        var request = await mute.Received.FirstAsync(stanza => stanza.Name == "iq" && stanza.Type == "get", Patience);
        for (var i = 0; i < 2; i++)
            await mute.SendAsync($"<iq type='result' to='{request.From}' id='{request.Id}'/>");
        await mute.PingServerAsync();
        var end = await trial.PushForReplyAsync(Request(server.Domain, "get", "<ping xmlns='urn:xmpp:ping'/>"));
        Assert.Equal("received", (await trial.ReplyAsync(end)).Text("ending"));
        Assert.Equal(0, await trial.App.ListLengthAsync(unanswered));
        Assert.Equal(0, await trial.App.HashLengthAsync(trial.Keys.Awaiting));
    }

    private static BridgeSettings Quick(BridgeSettings settings) =>
        settings with { Confirm = settings.Confirm with { Hold = TimeSpan.FromMilliseconds(200) } };

    private static string Request(string to, string type, string payload, string more = "") =>
        $$"""{"stanza":{{JsonSerializer.Serialize($"<iq type='{type}' to='{to}'>{payload}</iq>")}}{{more}}""";
}
