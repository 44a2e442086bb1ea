using System.Text.Json;
using Bridge.Settings;
using Bridge.TestKit;
using StackExchange.Redis;

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

        var quick = await PushAsync(trial, $$"""{"to":"{{user.BareJid}}","body":"answer","receipt":true""");
        var silent = await PushAsync(trial, $$"""{"to":"{{user.BareJid}}","body":"hush","receipt":true,"timeout":2,"id":"own-1" """);
        var other = await PushAsync(trial, $$"""{"to":"{{trial.SinkJid}}","body":"behind them" """);
        var bounced = await PushAsync(trial, """{"to":"nobody@example.test","body":"answer","receipt":true""");

        Assert.Equal("received", Text(await ReplyAsync(trial, quick), "ending"));
        // It waits for nobody.
        Assert.Equal("held", Text(await ReplyAsync(trial, other), "ending"));
        Assert.Equal("bounced", Text(await ReplyAsync(trial, bounced), "ending"));
        var unconfirmed = await ReplyAsync(trial, silent);
        Assert.Equal(("unconfirmed", "own-1", 1), (Text(unconfirmed, "ending"), Text(unconfirmed, "id"), unconfirmed.GetProperty("attempts").GetInt32()));
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
            list = await PushAsync(trial, $$"""{"to":"{{user.BareJid}}","body":"hi" """);
            message = await user.Received.FirstAsync(stanza => stanza.Element.Elements("body").Any(), Patience);
            await Eventually.TrueAsync(async () => await trial.App.HashLengthAsync(trial.Keys.Awaiting) == 1, Patience, "it waits outside the journal");
            Assert.Equal((0L, 0L), await trial.DepthAsync());
        }

        await using var bridge = new InProcessBridge(settings);
        await Eventually.TrueAsync(() => bridge.Board.Snapshots.SingleOrDefault()?.AwaitingEntries == 1, Patience, "the next owner knows of it");
        await user.SendAsync($"<message to='{message.From}' type='chat'><received xmlns='urn:xmpp:receipts' id='{message.Id}'/></message>");

        Assert.Equal("received", Text(await ReplyAsync(trial, list), "ending"));
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

        var info = await PushAsync(trial, Request(server.Domain, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>"));
        var ping = await PushAsync(trial, Request(server.Domain, "get", "<ping xmlns='urn:xmpp:ping'/>"));
        var roster = await PushAsync(trial, Request(mute.BareJid, "get", "<query xmlns='jabber:iq:roster'/>"));
        var unanswered = await PushAsync(trial, Request(mute.FullJid, "get", "<query xmlns='urn:example:slow'/>", ",\"timeout\":1"));

        var result = await ReplyAsync(trial, info);
        Assert.Equal("received", Text(result, "ending"));
        Assert.Contains("http://jabber.org/protocol/disco#info", Text(result, "answer"), StringComparison.Ordinal);
        Assert.Contains("<identity", Text(result, "answer"), StringComparison.Ordinal);
        Assert.Equal("received", Text(await ReplyAsync(trial, ping), "ending"));
        var refused = await ReplyAsync(trial, roster);
        Assert.Equal(("bounced", "iq"), (Text(refused, "ending"), Text(refused, "kind")));
        Assert.Equal("unconfirmed", Text(await ReplyAsync(trial, unanswered), "ending"));

        // Late, and twice.
        var request = await mute.Received.FirstAsync(stanza => stanza.Name == "iq" && stanza.Type == "get", Patience);
        for (var i = 0; i < 2; i++)
            await mute.SendAsync($"<iq type='result' to='{request.From}' id='{request.Id}'/>");
        await mute.PingServerAsync();
        var end = await PushAsync(trial, Request(server.Domain, "get", "<ping xmlns='urn:xmpp:ping'/>"));
        Assert.Equal("received", Text(await ReplyAsync(trial, end), "ending"));
        Assert.Equal(0, await trial.App.ListLengthAsync(unanswered));
        Assert.Equal(0, await trial.App.HashLengthAsync(trial.Keys.Awaiting));
    }

    private static BridgeSettings Quick(BridgeSettings settings) =>
        settings with { Confirm = settings.Confirm with { Hold = TimeSpan.FromMilliseconds(200) } };

    private static string Request(string to, string type, string payload, string more = "") =>
        $$"""{"stanza":{{JsonSerializer.Serialize($"<iq type='{type}' to='{to}'>{payload}</iq>")}}{{more}}""";

    /// <summary>Pushes an envelope whose last brace is missing.</summary>
    private static async Task<string> PushAsync(DeliveryTrial trial, string envelope)
    {
        var list = "bridge:reply:" + Guid.NewGuid().ToString("N");
        await trial.PushPayloadAsync($$"""{{envelope}},"replyTo":"{{list}}"}""");
        return list;
    }

    private static async Task<JsonElement> ReplyAsync(DeliveryTrial trial, string list)
    {
        RedisValue reply = default;
        await Eventually.TrueAsync(async () => !(reply = await trial.App.ListLeftPopAsync(list)).IsNull, Patience, "a reply");
        return JsonDocument.Parse((string)reply!).RootElement;
    }

    private static string? Text(JsonElement reply, string name) => reply.GetProperty(name).GetString();
}
