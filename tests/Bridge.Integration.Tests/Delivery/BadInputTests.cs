using System.Text;
using Bridge.Settings;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.Delivery;

/// <summary>What would make a server hang up never reaches it, and costs its neighbours nothing.</summary>
public sealed class BadInputTests(RealServersFixture servers) : IClassFixture<RealServersFixture>
{
    /// <summary>Payload and the reason it is dead-lettered for; Latin-1, so that each character is a byte.</summary>
    private static readonly (string Payload, string Reason)[] Bad =
    [
        ("", "empty-payload"),
        (" \r\n\t", "empty-payload"),
        ("hello", "unknown-payload-kind"),
        ("\u00EF\u00BB\u00BF<message to='a@example.test'/>", "byte-order-mark"),
        ("<message to='a@example.test'><body>\u00FF</body></message>", "not-utf8"),
        ("<message to='a@example.test'><body>\u00C0\u00BCpresence/></body></message>", "not-utf8"),
        ("<message to='a@example.test'><body>\u00ED\u00A0\u0080</body></message>", "not-utf8"),
        ("<message to='a@example.test'><body>a\u0008</body></message>", "forbidden-character"),
        ("<message to='a@example.test'><body>&#8;</body></message>", "forbidden-character"),
        ("<message to='a@example.test'><body>\u00EF\u00BF\u00BF</body></message>", "forbidden-character"),
        ("<message to='a@example.test'><body>a & b</body></message>", "not-well-formed"),
        ("<message to='a@example.test'><body>]]></body></message>", "not-well-formed"),
        ("<message to='a@example.test'><body></message>", "not-well-formed"),
        ("<message to='a@example.test'>", "not-well-formed"),
        ("</stream:stream>", "not-well-formed"),
        ("<message to='a@example.test'><body>&nbsp;</body></message>", "undeclared-entity"),
        ("<message to='a@example.test'><x:y/></message>", "undeclared-prefix"),
        ("<message to='a@example.test'><stream:error/></message>", "undeclared-prefix"),
        ("<message to='a@example.test'><xmlns:a/></message>", "misused-prefix"),
        ("<message to='a@example.test' id='1' id='2'/>", "duplicate-attribute"),
        ("<message to='a@example.test'><!-- hi --></message>", "comment"),
        ("<message to='a@example.test'><?php echo ?></message>", "processing-instruction"),
        ("<?xml version='1.0'?><message to='a@example.test'/>", "processing-instruction"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><message to='a@example.test'/>", "doctype"),
        ("<message to='a@example.test'/><message to='a@example.test'/>", "trailing-content"),
        ("<message to='a@example.test'/></stream:stream>", "trailing-content"),
        ("<stream:stream xmlns:stream='http://etherx.jabber.org/streams'/>", "invalid-namespace"),
        ("<handshake/>", "not-a-stanza"),
        ("<message to='a@example.test' xmlns='jabber:server'/>", "foreign-namespace"),
        ("<message/>", "missing-to"),
        ("<message to='a b@example.test'/>", "invalid-to"),
        ("<message to='a@example.test' from='c@elsewhere.test'/>", "foreign-from"),
        ("<message to='a@example.test' from='c@Bridge.example.test'/>", "foreign-from"),
        ("<iq to='a@example.test' type='get'/>", "invalid-iq-payload"),
        ("<message to='a@example.test'>" + Nested(60_000) + "</message>", "too-deep"),
        ("<message to='a@example.test'><body>" + new string('x', 255 << 10) + "yz" + new string('x', 2000) + "</body></message>", "oversize"),
        ("<message to='a@example.test'><body>" + new string('x', 600 << 10) + "</body></message>", "oversize"),
        ("{\"to\":\"a@example.test\"", "json-malformed"),
        ("{\"body\":\"hi\"}", "json-missing-to"),
        ("{\"to\":\"a@example.test\",\"bodi\":\"hi\"}", "json-unknown-field"),
        ("{\"to\":\"a@example.test\",\"xml\":[\"<a></a><!-- -->\"]}", "json-xml-invalid"),
        ("{\"stanza\":\"<message to='a@example.test'/><presence/>\"}", "json-stanza-invalid"),
    ];

    [Theory]
    [InlineData("prosody", ConfirmGrade.Held)]
    [InlineData("ejabberd", ConfirmGrade.Accepted)]
    public async Task Bad_inputs_are_dead_lettered_by_name_and_all_their_neighbours_arrive(string name, ConfirmGrade grade)
    {
        await using var trial = await DeliveryTrial.StartAsync(await servers.GetAsync(name));
        await using var proxy = new FaultProxy(trial.XmppPort);
        List<PushedMessage> pushed = [];
        foreach (var (payload, _) in Bad)
        {
            await trial.PushAsync(5, withOdd: false);
            pushed.Add(await trial.PushAsync(trial.UserJid, _ => Encoding.Latin1.GetBytes(payload), MessageFate.Dies));
        }

        await trial.PushAsync(5, withOdd: false);
        await using var bridge = new InProcessBridge(trial.Settings(grade, proxy.Port));
        var report = await trial.EndAsync(TimeSpan.FromSeconds(20), bridge);

        Assert.True(report.IsClean, report.ToString());
        var letters = await trial.DeadLettersAsync();
        var ended = letters.ToDictionary(letter => Encoding.Latin1.GetString((byte[])letter["payload"]!), letter => (string?)letter["reason"]);
        Assert.Equal(Bad.Length, letters.Count);
        Assert.All(Bad, bad => Assert.Equal((Shortened(bad.Payload), bad.Reason), (Shortened(bad.Payload), ended.GetValueOrDefault(bad.Payload))));
        Assert.Equal(1, proxy.Connections);
    }

    private static string Nested(int levels) =>
        string.Concat(Enumerable.Repeat("<a>", levels / 2)) + string.Concat(Enumerable.Repeat("</a>", levels / 2));

    private static string Shortened(string payload) => payload.Length > 80 ? payload[..80] : payload;
}
