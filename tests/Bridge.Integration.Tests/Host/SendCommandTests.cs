using System.Text.Json;
using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Host;

/// <summary><c>bridge send</c>, beside a bridge that runs.</summary>
public sealed class SendCommandTests
{
    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task It_sends_a_message_and_tells_how_it_ended(QueueKind kind)
    {
        await using var server = new ScriptedXmppServer();
        await using var trial = await DeliveryTrial.StartAsync(server, kind: kind);
        await using var bridge = new InProcessBridge(trial.Settings(ConfirmGrade.Accepted));

        var sent = await RunAsync(trial, "ada@example.test", "hi <there>", "--subject", "S", "--id", "order-7", "--xml", "<x xmlns='urn:x'/>");
        var dead = await RunAsync(trial, "@", "hi");
        var json = await RunAsync(trial, "ada@example.test", "hi", "--ttl", "60", "--json");

        Assert.Equal(0, sent.Code);
        Assert.Matches("^accepted \\(id order-7, confirmed [0-9]+ ms after it was taken\\)$", sent.Output);
        var message = server.Received.Snapshot().Single(stanza => stanza.Id == "order-7");
        Assert.Contains("<body>hi &lt;there&gt;</body>", message.Text, StringComparison.Ordinal);
        Assert.Contains("<x xmlns='urn:x'/>", message.Text, StringComparison.Ordinal);
        Assert.Equal(1, dead.Code);
        Assert.StartsWith("dead invalid-to (id b-", dead.Output, StringComparison.Ordinal);
        Assert.Equal("accepted", JsonDocument.Parse(json.Output).RootElement.GetProperty("ending").GetString());
    }

    [Fact]
    public async Task Without_a_bridge_it_says_that_the_message_waits()
    {
        await using var server = new ScriptedXmppServer();
        await using var trial = await DeliveryTrial.StartAsync(server);

        var waited = await RunAsync(trial, "ada@example.test", "hi", "--wait", "100ms");
        var pushed = await RunAsync(trial, "ada@example.test", "hi", "--wait", "0s");
        var mistyped = await RunAsync(trial, "ada@example.test", "hi", "--wait", "soon");

        Assert.Equal(1, waited.Code);
        Assert.Contains("no outcome within 100ms", waited.Output, StringComparison.Ordinal);
        Assert.Equal((0, "pushed"), pushed);
        Assert.Equal(2, mistyped.Code);
        Assert.Equal(2, await trial.App.ListLengthAsync(DeliveryTrial.Queue));
    }

    [Fact]
    public async Task It_asks_for_a_receipt_puts_off_and_sends_whole_stanzas()
    {
        await using var server = new ScriptedXmppServer();
        await using var trial = await DeliveryTrial.StartAsync(server);
        await using var bridge = new InProcessBridge(trial.Settings(ConfirmGrade.Accepted));

        var silent = await RunAsync(trial, "ada@example.test", "hi", "--receipt", "--timeout", "0.3");
        var later = await RunAsync(trial, "ada@example.test", "hi", "--not-before", DateTimeOffset.UtcNow.AddSeconds(6).ToString("o"), "--json");
        var unanswered = await RunAsync(trial, "--stanza", "<iq type='get' to='ada@example.test'><ping xmlns='urn:xmpp:ping'/></iq>", "--timeout", "0.3");
        var nobody = await RunAsync(trial, "--receipt");
        var both = await RunAsync(trial, "ada@example.test", "--stanza", "<presence to='a@b'/>");

        Assert.Equal(1, silent.Code);
        Assert.StartsWith("unconfirmed (id b-", silent.Output, StringComparison.Ordinal);
        Assert.Equal((0, true), (later.Code, JsonDocument.Parse(later.Output).RootElement.GetProperty("overtaken").GetBoolean()));
        Assert.Equal(1, unanswered.Code);
        Assert.StartsWith("unconfirmed (id b-", unanswered.Output, StringComparison.Ordinal);
        Assert.Equal((2, 2), (nobody.Code, both.Code));
    }

    private static Task<(int Code, string Output)> RunAsync(DeliveryTrial trial, params string[] arguments) => BridgeCommand.RunAsync(
        ["send", .. arguments],
        ("BRIDGE_REDIS", trial.Redis.ConnectionString),
        ("BRIDGE_QUEUE_KIND", trial.Kind == QueueKind.Stream ? "stream" : "list"),
        ("BRIDGE_DOMAIN", trial.Domain),
        ("BRIDGE_SECRET", "unused"));
}
