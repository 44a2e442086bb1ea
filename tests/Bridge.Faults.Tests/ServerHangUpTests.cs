using System.Text;
using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Faults.Tests;

/// <summary>What the firewall passes and the server still hangs up on is found and dead-lettered.</summary>
public sealed class ServerHangUpTests
{
    private const int Around = 600;
    private const string Mark = "urn:example:unbearable";

    public static TheoryData<string, ServerReaction, UptimeAnswer, string> Reactions => new()
    {
        { "policy-violation", ServerReaction.StreamError, UptimeAnswer.Unavailable, "policy-violation" },
        { "not-well-formed", ServerReaction.StreamError, UptimeAnswer.Unavailable, "not-well-formed" },
        { "a silent end", ServerReaction.EndOfFile, UptimeAnswer.Unavailable, "hung up" },
        { "a silent end of a server that tells its uptime", ServerReaction.EndOfFile, UptimeAnswer.Seconds, "hung up" },
    };

    [Theory]
    [MemberData(nameof(Reactions))]
    public async Task A_stanza_that_the_server_cannot_bear_is_convicted_and_its_neighbours_arrive(
        string name, ServerReaction reaction, UptimeAnswer uptime, string words)
    {
        await using var server = new ScriptedXmppServer
        {
            Script = new ServerScript
            {
                Uptime = uptime,
                StartedAt = DateTimeOffset.UtcNow.AddMinutes(-1),
                Faults =
                [
                    ServerFault.OnStanza(
                        stanza => stanza.Raw.Span.IndexOf(Encoding.UTF8.GetBytes(Mark)) >= 0, reaction, name),
                ],
            },
        };
        await using var trial = await DeliveryTrial.StartAsync(server);
        var bad = await PushAroundAsync(
            trial,
            message => $"<message to='{message.Recipient}' id='{message.Id}'><x xmlns='{Mark}'/></message>",
            howMany: 2);
        await using var bridge = new InProcessBridge(Quick(trial));

        await EndsWithConvictedAsync(trial, bridge, bad, words);
    }

    [Theory]
    [InlineData("prosody", "not-well-formed")]
    [InlineData("ejabberd", "policy-violation")]
    public async Task A_stanza_above_the_servers_own_limit_is_convicted_with_its_words(string name, string words)
    {
        // Prosody takes no limit below 1,000 bytes seriously, and neither is one that small needed.
        await using var servers = new RealServers(_ => new XmppServerOptions { StanzaSizeLimit = 20_000 });
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name));
        var bad = await PushAroundAsync(
            trial,
            message => $"<message to='{message.Recipient}' id='{message.Id}'><body>{new string('x', 30_000)}</body></message>",
            howMany: 2);
        await using var bridge = new InProcessBridge(Quick(trial));

        await EndsWithConvictedAsync(trial, bridge, bad, words);
    }

    private static BridgeSettings Quick(DeliveryTrial trial)
    {
        var settings = trial.Settings(ConfirmGrade.Held);
        return settings with { Xmpp = settings.Xmpp with { BackoffMax = TimeSpan.FromSeconds(1) } };
    }

    private static async Task<List<PushedMessage>> PushAroundAsync(
        DeliveryTrial trial, Func<LedgerMessage, string> payload, int howMany)
    {
        List<PushedMessage> bad = [];
        for (var i = 0; i < howMany; i++)
        {
            await trial.PushAsync(Around);
            bad.Add(await trial.PushAsync(trial.SinkJid, message => Encoding.UTF8.GetBytes(payload(message)), MessageFate.Dies));
        }

        await trial.PushAsync(Around);
        return bad;
    }

    private static async Task EndsWithConvictedAsync(
        DeliveryTrial trial, InProcessBridge bridge, List<PushedMessage> bad, string words)
    {
        var report = await trial.EndAsync(TimeSpan.FromSeconds(60), bridge);

        Assert.True(report.IsKept, report.ToString());
        var letters = (await trial.DeadLettersAsync()).Where(letter => letter["reason"] == "convicted").ToArray();
        Assert.Equal(bad.Select(b => Encoding.UTF8.GetString(b.Payload)), letters.Select(letter => (string?)letter["payload"]));
        Assert.All(letters, letter =>
        {
            Assert.Contains(words, (string?)letter["detail"], StringComparison.Ordinal);
            Assert.True((int)letter["attempts"] >= 2);
        });
    }
}
