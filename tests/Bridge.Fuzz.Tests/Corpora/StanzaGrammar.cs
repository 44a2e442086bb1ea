using System.Globalization;
using System.Text;

namespace Bridge.Fuzz.Tests.Corpora;

/// <summary>
/// Writes raw stanzas that must pass, in as many ways as XML and its namespaces allow, and others
/// that aim at one rule each.
/// </summary>
internal sealed class StanzaGrammar(Random random)
{
    /// <summary>Levels below the limit, so that what Bridge adds fits.</summary>
    private const int MaxLevels = FuzzedEncoder.MaxDepth - 2;

    // In UTF-8, and with what Bridge adds, surely below the limit.
    private const int MaxCharacters = FuzzedEncoder.MaxBytes / 4;

    private static readonly string[] Addresses =
        ["a@b", "ada@example.com", "ada@example.com/r", "example.com", "a@b/&lt;x&gt;", "a&#64;b", "a&#x40;b/r", "127.0.0.1", "a@b/r/s@t"];

    private static readonly string[] Senders =
        ["app.example", "x@app.example", "x@app.example/r", "c@other.example", "other.example/a@b", "x&#x40;app.example"];

    private static readonly string[] Names = ["body", "x", "delay", "origin-id", "message", "a.b-c", "_", "subject", "error", "Z9", "stream", "xm", "html"];

    private static readonly string[] Namespaces =
        ["urn:x", "urn:xmpp:delay", "urn:xmpp:sid:0", "jabber:client", "jabber:component:accept", "jabber:server", "http://jabber.org/protocol/pubsub", "é:ü", "a]]>b", "urn:😀"];

    private static readonly string[] Prefixes = ["p", "q", "stream", "a.b", "_", "x-ml"];

    private readonly List<string> _inScope = [];

    /// <summary>A stanza that must be accepted.</summary>
    public byte[] Valid()
    {
        var xml = new StringBuilder();
        do
        {
            xml.Clear();
            if (random.Chance(10))
                xml.Append(random.Pick(" ", "\n", "\t\r\n "));
            Stanza(xml);
        }
        while (xml.Length > MaxCharacters);

        if (random.Chance(10))
            xml.Append(random.Pick(" ", "\n", "\t\r\n "));
        return Encoding.UTF8.GetBytes(xml.ToString());
    }

    /// <summary>A stanza that is good but for one thing, or that stands exactly at a limit.</summary>
    public byte[] Aimed()
    {
        var xml = random.Next(26) switch
        {
            0 => Nested(FuzzedEncoder.MaxDepth + random.Next(-2, 3)),
            1 => Nested(random.Pick(100, 1000, 1500)),
            2 => $"<message to='a@b'{Attributes(FuzzedEncoder.MaxAttributes + random.Next(-4, 4))}/>",
            3 => $"<message to='a@b'>{PrefixTower(random.Next(1, 6))}</message>",
            4 => $"<message to='a@b'><{new string('n', random.Pick(1, 1000, 7000, 9000))} xmlns='urn:x'/></message>",
            5 => $"<message to='a@b' id='{new string('i', random.Next(1021, 1026))}'/>",
            6 => $"<message to='a@b'><x xmlns='{new string('u', random.Next(1021, 1026))}'/></message>",
            7 => $"<message to='a@b'><body>{new string(random.Pick('b', 'é', '>'), random.Next(7900, 8200))}</body></message>",
            8 => $"<message to='{new string('a', random.Next(1021, 1026))}@b/{new string('r', random.Next(1021, 1026))}'/>",
            9 => $"<message to='a@b'><x xmlns:p='urn:x' xmlns:q='urn:{random.Pick("x", "y")}' p:a='1' q:a='2'/></message>",
            10 => $"<message to='a@b'><p:x xmlns:p='urn:x'><x p:a='1' xmlns:p='{random.Pick("urn:y", "", "urn:x")}'/></p:x><{random.Pick("p:y", "y")}/></message>",
            11 => $"<message to='a@b' xmlns='{random.Pick("jabber:client", "jabber:server", "jabber:component:accept", "jabber:component:connect", "", " ")}'><body>x</body></message>",
            12 => $"<{random.Pick("p:message", "stream:stream", "stream:error", "handshake", "error", "MESSAGE", "xml:message")} to='a@b' xmlns:p='jabber:client'/>",
            13 => $"<?xml version='1.0'?><message to='a@b'/>",
            14 => $"<!DOCTYPE message [<!ENTITY e \"{random.Pick("x", "<body>x</body>", "&#38;e;")}\">]><message to='a@b'><body>&e;</body></message>",
            15 => $"<message to='a@b'>{random.Pick("<!-- x -->", "<!---->", "<?p i?>", "<!ELEMENT a ANY>", "<!DOCTYPE a>", "<![IGNORE[x]]>", "<![CDATA[", "<!")}</message>",
            16 => $"<message to='a@b'><x {random.Pick("xmlns:xml='http://www.w3.org/XML/1998/namespace'", "xmlns:xmlns='urn:x'", "xmlns:p='http://www.w3.org/2000/xmlns/'", "xml:a='b'", "xmlfoo:a='b'", "xmlns:xmlfoo='urn:x'", "xmlns='http://etherx.jabber.org/streams'", "xmlns:p=''", "xmlns=''", "xml='a'", "Xml:a='b'")}/></message>",
            17 => $"<message to='a@b'><body>{Reference(random.Pick(0, 8, 0x1F, 0xD800, 0xDFFF, 0xFFFE, 0xFFFF, 0x110000, 0x7FFFFFFF, 65, 0x10FFFF, 9))}</body></message>",
            18 => "<message to='a@b'/>" + random.Pick("<message to='a@b'/>", "x", "</stream:stream>", "<!-- -->", "\0", "&amp;", "]]>", "\uFEFF"),
            19 => random.Pick("x", "\uFEFF", "&#32;", "]", "\0", "\u00A0", "\u0085", "<!-- -->") + "<message to='a@b'/>",
            20 => $"<message {random.Pick("to='a@b' to='c@d'", "to='a@b' id='1' id='2'", "to=''", "to='@b'", "To='a@b'", "", "to='a@b\u200E'", "to='a b@c'", "xml:to='a@b'")}/>",
            21 => $"<message to='a@b' from='{random.Pick("app.example", "APP.example", "x@evil.example", "app.example.", "", "@app.example", "app.example@evil", "evil/app.example", "&#97;pp.example")}'/>",
            22 => $"<iq to='a@b' {random.Pick("", "type='get'", "type='set'", "type='result'", "type='error'", "type='GET'", "type=''", "type='&#103;et'")}>{random.Pick("", "<x xmlns='urn:x'/>", "<x/><y/>", "text")}</iq>",
            23 => $"<message to='a@b'><body>{random.Pick("&nbsp;", "&", "&;", "&#;", "&#x;", "&#x41", "&amp", "&lt;&gt;&amp;&quot;&apos;", "&AMP;", "&#X41;", "&#0000000000000065;")}</body></message>",
            24 => $"<message to='a@b'><{random.Pick("é", "x:é", "1", "-a", "a:b:c", ":a", "a:", "xmlns", "xmlns:a", "a b", "")}/></message>",
            _ => "",
        };
        return Encoding.UTF8.GetBytes(xml);
    }

    private void Stanza(StringBuilder xml)
    {
        _inScope.Clear();
        var name = random.Pick("message", "message", "message", "presence", "iq");
        xml.Append('<').Append(name);
        var attributes = new List<(string Name, string Value)> { ("to", random.Pick(Addresses)) };
        if (random.Chance(40))
            attributes.Add(("from", random.Pick(Senders)));
        if (random.Chance(50))
            attributes.Add(("id", random.Chance(15) ? "" : Value(random.Next(1, 12))));
        var type = random.Pick("get", "set", "result", "error");
        if (name == "iq")
            attributes.Add(("type", type));
        else if (random.Chance(20))
            attributes.Add(("type", Value(random.Next(4))));
        if (random.Chance(40))
            attributes.Add(("xmlns", random.Pick("jabber:client", "jabber:component:accept", "")));
        Rest(xml, name, attributes, level: 1, onlyChild: name == "iq" && type is "get" or "set");
    }

    private void Element(StringBuilder xml, int level)
    {
        var attributes = new List<(string Name, string Value)>();
        var outer = _inScope.Count;
        var name = random.Pick(Names);
        if (random.Chance(40))
            attributes.Add(("xmlns", random.Chance(10) ? "" : random.Pick(Namespaces)));
        Rest(xml, name, attributes, level, onlyChild: false, mayBePrefixed: true);
        _inScope.RemoveRange(outer, _inScope.Count - outer);
    }

    private void Rest(StringBuilder xml, string name, List<(string Name, string Value)> attributes, int level, bool onlyChild, bool mayBePrefixed = false)
    {
        if (random.Chance(15))
        {
            var prefix = random.Pick(Prefixes);
            attributes.Add(("xmlns:" + prefix, random.Pick(Namespaces)));
            _inScope.Add(prefix);
        }

        if (_inScope.Count > 0)
        {
            if (mayBePrefixed && random.Chance(50))
                name = $"{random.Pick(_inScope.ToArray())}:{name}";
            if (random.Chance(30))
                attributes.Add(($"{random.Pick(_inScope.ToArray())}:a", Value(random.Next(4))));
        }

        if (mayBePrefixed)
            xml.Append('<').Append(name);
        if (random.Chance(10))
            attributes.Add(("xml:lang", random.Pick("de", "en-GB", "")));
        if (random.Chance(3))
            attributes.Add(("xml:space", "preserve"));
        for (var more = random.Chance(15) ? random.Next(1, 8) : 0; more > 0; more--)
            attributes.Add(("n" + more.ToString(CultureInfo.InvariantCulture), Value(random.Next(8))));
        random.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(attributes));
        foreach (var (attribute, value) in attributes)
        {
            var quote = random.Chance(50) ? '\'' : '"';
            xml.Append(random.Pick(" ", " ", " ", "\n", "\t", "  ")).Append(attribute).Append(random.Pick("=", "=", "=", " =", "= ", "\n=\t"))
                .Append(quote).Append(value.Replace(quote.ToString(), quote == '"' ? "&quot;" : "&apos;", StringComparison.Ordinal)).Append(quote);
        }

        if (random.Chance(10))
            xml.Append(random.Pick(" ", "\n", "\r\n"));
        if (!onlyChild && random.Chance(25))
        {
            xml.Append("/>");
            return;
        }

        xml.Append('>');
        if (onlyChild)
        {
            Text(xml);
            Element(xml, level + 1);
            Text(xml);
        }
        else
        {
            for (var parts = random.Next(4); parts > 0; parts--)
            {
                if (random.Chance(60) || level >= MaxLevels)
                    Text(xml);
                else
                    Element(xml, level + 1);
            }
        }

        xml.Append("</").Append(name).Append(random.Chance(8) ? random.Pick(" ", "\n") : "").Append('>');
    }

    private void Text(StringBuilder xml)
    {
        for (var parts = random.Next(3); parts > 0; parts--)
        {
            switch (random.Next(8))
            {
                case 0:
                    xml.Append(random.Pick("&lt;", "&gt;", "&amp;", "&quot;", "&apos;"));
                    break;
                case 1:
                    xml.Append(Reference(random.Character().Value));
                    break;
                case 2:
                    xml.Append("<![CDATA[").Append(random.Pick("", "x", "<a>&b;", "]", "]]", "]] >", "</message>", "</stream:stream>", "<!-- -->", "é😀", "\r\n", "&#0;")).Append("]]>");
                    break;
                case 3:
                    // Not side by side: together they could make the "]]>" that text cannot hold.
                    xml.Append('x').Append(random.Pick(" ", "\n", "\r\n", "\r", "\t", "]]", "'\"", ">", "]>")).Append('x');
                    break;
                default:
                    for (var length = random.Next(12); length > 0; length--)
                        Character(xml, random.Character(), "<&>");
                    break;
            }
        }
    }

    private string Value(int length)
    {
        var value = new StringBuilder();
        for (; length > 0; length--)
        {
            if (random.Chance(10))
                value.Append(random.Pick("&lt;", "&amp;", "&#10;", "&#x10FFFF;", "\n", "\t", "\r\n", ">", "]]>"));
            else
                Character(value, random.Character(), "<&");
        }

        return value.ToString();
    }

    private static void Character(StringBuilder xml, Rune character, string forbidden)
    {
        if (character.IsAscii && forbidden.Contains((char)character.Value, StringComparison.Ordinal))
            xml.Append('.');
        else
            xml.Append(character.ToString());
    }

    private string Reference(int character) => random.Chance(50)
        ? $"&#{character.ToString(CultureInfo.InvariantCulture)};"
        : $"&#x{character.ToString(random.Pick("x", "X", "x6"), CultureInfo.InvariantCulture)};";

    private static string Nested(int levels) =>
        "<message to='a@b'>" + string.Concat(Enumerable.Repeat("<a>", levels - 1)) + string.Concat(Enumerable.Repeat("</a>", levels - 1)) + "</message>";

    private static string Attributes(int count) => string.Concat(Enumerable.Range(1, Math.Max(count - 1, 0)).Select(i => $" a{i}='{i}'"));

    private static string PrefixTower(int levels)
    {
        var declarations = string.Concat(Enumerable.Range(1, FuzzedEncoder.MaxAttributes - 1).Select(i => $" xmlns:p{i}='urn:{i}'"));
        return string.Concat(Enumerable.Repeat($"<a{declarations}>", levels)) + string.Concat(Enumerable.Repeat("</a>", levels));
    }
}
