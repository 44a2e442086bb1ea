using System.Text;

namespace Bridge.Fuzz.Tests.Corpora;

/// <summary>Writes what a server could send on a component's stream, and what it never should.</summary>
internal sealed class StreamGrammar(Random random, StanzaGrammar stanzas)
{
    /// <summary>A stream that must be read to its end.</summary>
    public byte[] Valid() => Stream(() => random.Chance(80) ? Encoding.UTF8.GetString(stanzas.Valid()) : Extra());

    /// <summary>A stream with a stanza in it that may be none.</summary>
    public byte[] Aimed() => Stream(() => random.Next(3) switch
    {
        0 => Encoding.UTF8.GetString(stanzas.Valid()),
        1 => Encoding.UTF8.GetString(stanzas.Aimed()),
        _ => Extra(),
    });

    private byte[] Stream(Func<string> next)
    {
        var xml = new StringBuilder();
        xml.Append(random.Pick("", "<?xml version='1.0'?>", "<?xml version=\"1.0\" encoding='UTF-8'?>\n"));
        var name = random.Pick("stream:stream", "stream:stream", "stream:stream", "s:stream");
        xml.Append('<').Append(name).Append(name[0..2] == "s:" ? " xmlns:s" : " xmlns:stream").Append("='http://etherx.jabber.org/streams' xmlns='jabber:component:accept' id='")
            .Append(random.Pick("3BF96D32", "", "&amp;&#x1F600;", "a\nb")).Append("' from='app.example'>");
        for (var count = random.Next(5); count > 0; count--)
            xml.Append(random.Pick("", "", " ", "\n", "\r\n")).Append(next());
        xml.Append("</").Append(name).Append(random.Pick("", "", " ", "\n")).Append('>');
        return Encoding.UTF8.GetBytes(xml.ToString());
    }

    private string Extra() => random.Pick(
        "<handshake/>",
        "<handshake></handshake>",
        "<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
        "<iq type='error' id='b-1' from='a@b' to='app.example'><error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas' xml:lang='en'>é &amp; ü</text></error></iq>",
        "<message type='error' to='app.example'><body>x</body><error type='cancel' code='503'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
        "<iq type='get' id='1' from='app.example' to='app.example'><ping xmlns='urn:xmpp:ping'/></iq>",
        $"<message><body>{new string('x', random.Next(8000, 8300))}</body></message>",
        Nested(random.Next(9, 15)),
        "<odd/>");

    private static string Nested(int levels) =>
        $"<message>{string.Concat(Enumerable.Repeat("<a>", levels))}{string.Concat(Enumerable.Repeat("</a>", levels))}</message>";
}
