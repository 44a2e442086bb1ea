using System.Globalization;
using System.Text;

namespace Bridge.Fuzz.Tests.Corpora;

/// <summary>Writes JSON envelopes that must pass, and others that aim at one rule each.</summary>
internal sealed class EnvelopeGrammar(Random random, StanzaGrammar stanzas)
{
    private static readonly string[] Elements =
    [
        "<x xmlns='urn:x'/>", "<x xmlns=\"urn:x\">a&amp;<y>b</y></x>", "<p:x xmlns:p='urn:p' p:a='1'><y xmlns='urn:y'/></p:x>", " <x xmlns='urn:x'><![CDATA[<a>]]></x>\n",
        "<delay xmlns='urn:xmpp:delay' stamp='2026-01-31T23:59:59Z'/>", "<origin-id xmlns='urn:xmpp:sid:0' id='1'/>", "<x xmlns='jabber:client'><body>é😀</body></x>",
    ];

    /// <summary>An envelope that must be accepted.</summary>
    public byte[] Valid()
    {
        var fields = new List<(string Name, string Value)>();
        if (random.Chance(20))
        {
            fields.Add(("stanza", Text(Encoding.UTF8.GetString(stanzas.Valid()))));
        }
        else
        {
            fields.Add(("to", Text(random.Pick("a@b", "ada@example.com/r", "example.com", "a@b/<x>&'\"", "a@b/é😀"))));
            if (random.Chance(20))
                fields.Add(("from", Text(random.Pick("app.example", "x@app.example", "other.example/é"))));
            if (random.Chance(30))
                fields.Add(("id", Text(Words(8))));
            if (random.Chance(20))
                fields.Add(("type", Text(random.Pick("chat", "normal", "headline", "groupchat"))));
            if (random.Chance(80))
                fields.Add(("body", Text(Words(60))));
            if (random.Chance(20))
                fields.Add(("subject", Text(Words(20))));
            if (random.Chance(20))
                fields.Add(("thread", Text(Words(20))));
            if (random.Chance(10))
                fields.Add(("lang", Text(random.Pick("de", "en-GB", "x-1a"))));
            if (random.Chance(25))
                fields.Add(("xml", random.Chance(30) ? Text(random.Pick(Elements)) : Array(Elements)));
            if (random.Chance(15))
                fields.Add(("store", random.Chance(50) ? Text("no-store") : Array(["store", "no-store", "no-copy", "no-permanent-store"])));
        }

        if (random.Chance(15))
            fields.Add(random.Chance(50) ? ("ttl", random.Pick("600", "1e9", "\"3600\"", "99999.5", "6.5E+2")) : ("expires", random.Pick("4102444800", "4102444800000", "\"2099-01-01T00:00:00Z\"", "\"2099-12-31t23:59:60.123+01:00\"")));
        if (random.Chance(15))
            fields.Add(("at", random.Pick("1779019199", "1779019140000.5", "\"2026-05-17T11:59:30Z\"", "\"2026-05-17T13:58:00+02:00\"", "\"1779019190\"")));
        if (random.Chance(15))
            fields.Add(("meta", random.Pick("{}", "{\"a\":[1,-2.5e-999,null,true,{\"a\":\"\\ud800\"}]}", "{\"to\":1,\"to\":2}", "{\"a\":" + new string('[', 60) + new string(']', 60) + "}")));
        if (random.Chance(10))
            fields.Add(("lang", "null"));
        random.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(fields));
        return Object([.. fields.DistinctBy(field => field.Name)]);
    }

    /// <summary>An envelope that is good but for one thing, or that stands exactly at a limit.</summary>
    public byte[] Aimed()
    {
        const string To = "\"to\":\"a@b\"";
        var json = random.Next(27) switch
        {
            0 => $"{{{To},\"{random.Pick("From", "bodY", "", "to ", "xmlns", "\\u0000", "é", new string('f', 70))}\":1}}",
            1 => $"{{{To},{random.Pick(To, "\"t\\u006f\":\"a@b\"", "\"body\":\"1\",\"body\":\"2\"", "\"id\":null,\"id\":null")}}}",
            2 => $"{{{To},\"{random.Pick("body", "id", "from", "type", "lang", "xml", "store", "thread", "meta", "at", "ttl", "expires")}\":{random.Pick("1", "true", "[]", "{}", "[1]", "[[]]", "\"\"", "null", "-0.5")}}}",
            3 => random.Pick("{}", "{\"body\":\"x\"}", "{\"to\":null}", "{\"stanza\":null}"),
            4 => $"{{\"stanza\":\"<message to='a@b'/>\",{random.Pick(To, "\"body\":\"\"", "\"ttl\":1,\"expires\":9", "\"meta\":{}", "\"at\":0", "\"store\":[]", "\"xml\":[]", "\"id\":null")}}}",
            5 => $"{{{To},\"ttl\":{random.Pick("0", "-1", "1e10", "1000000000", "1000000001", "0.001", "1e-320", "1e999", "\"x\"", "\"\"", "\" 1\"", "\"1e400\"", new string('9', 500))}}}",
            6 => $"{{{To},\"{random.Pick("expires", "at")}\":{random.Pick("0", "-1", "1e18", "1e11", "99999999999", "253402300799", "253402300799999", "\"2026-02-30T00:00:00Z\"", "\"2026-05-17T12:00:00\"", "\"9999-12-31T23:59:59-23:59\"", "\"1970-01-01T00:00:00+23:59\"", "\"2026-05-17T12:00:00.Z\"", "\"\"", "1e400")}}}",
            7 => $"{{{To},\"lang\":\"{random.Pick("", "-", "de-", "1a", "abcdefghi", "de_DE", "é", "de-" + new string('a', 8) + string.Concat(Enumerable.Repeat("-aaaaaaaa", 6)))}\"}}",
            8 => $"{{{To},\"{random.Pick("id", "thread")}\":\"{new string(random.Pick('i', '\'', 'é'), random.Next(1021, 1026))}\"}}",
            9 => $"{{{To},\"body\":\"{new string(random.Pick('b', '\'', '<', 'é'), random.Next(1, 8300))}\"}}",
            10 => $"{{{To},\"body\":\"{random.Pick("\\u0000", "\\u0008", "\\b", "\\f", "\\ud800", "\\udc00", "\\ud83dx", "\\ud83d\\u0041", "\\ude00\\ud83d", "\\uFFFE", "\\uffff", "\uFFFE", "\\r\\n\\t", "\\u007f", "]]>")}\"}}",
            11 => $"{{{To},\"xml\":[{string.Join(',', Enumerable.Repeat("\"<x xmlns='u'/>\"", random.Next(30, 35)))}]}}",
            12 => $"{{{To},\"xml\":{Text(Encoding.UTF8.GetString(stanzas.Aimed()).Replace("<message", "<message xmlns='urn:m'", StringComparison.Ordinal))}}}",
            13 => $"{{{To},\"xml\":{Text(random.Pick("", "x", "<x/>", "<x xmlns='urn:x'/><y xmlns='urn:y'/>", "<p:x xmlns='urn:x'/>", "<stream:x xmlns='urn:x'/>", "</message>", "<x xmlns='http://etherx.jabber.org/streams'/>", "<x xmlns=''/>", "x<x xmlns='urn:x'/>"))}}}",
            14 => $"{{\"stanza\":{Text(Encoding.UTF8.GetString(stanzas.Aimed()))}}}",
            15 => $"{{{To}}}{random.Pick(" ", "\n", "x", "{}", ",", "\0", "//", "/**/", "\uFEFF", "<message to='a@b'/>")}",
            16 => $"{{{random.Pick("//x\n", "/* */", ",", "\uFEFF")}{To}{random.Pick("", ",", "//x\n", "/* */")}}}",
            17 => $"{{{To},\"meta\":{new string('[', random.Next(55, 70))}{new string(']', 60)}}}",
            18 => $"{{{To},\"meta\":{Nested(random.Next(55, 70))}}}",
            19 => $"{{{To},\"meta\":{{\"a\":\"{new string('m', random.Next(4080, 4096))}\"}}}}",
            20 => $"{{{To},\"store\":{random.Pick("\"none\"", "[\"store\",\"none\"]", "[]", "[\"store\",\"store\"]", "[null]", "\"no\\u002dstore\"")}}}",
            21 => $"{{{To},\"type\":\"{random.Pick("error", "", "Chat", "ch\\u0061t", "normal ")}\"}}",
            22 => $"{{{To},\"from\":\"{random.Pick("evil.example", "APP.example", "", "x@", "app.example\\u0000", "\\u0061pp.example")}\"}}",
            23 => $"{{\"to\":\"{random.Pick("", "@", "a@", "a b@c", "a@b\\u0000", "a@b/\\ud800", "a@b/" + new string('r', 1030), "\\u0061@b")}\"}}",
            24 => $"{{{To},\"ttl\":1,\"at\":1000000000}}",
            25 => $"{{{To},\"expires\":\"2026-05-17T{random.Pick("11:59:59", "12:00:00", "12:00:01")}Z\"}}",
            _ => $"{{\"stanza\":{Text(random.Pick("", " ", "x", "{}", " <message to='a@b'/>\n", "<message/>"))}}}",
        };
        return Encoding.UTF8.GetBytes(json);
    }

    private byte[] Object(List<(string Name, string Value)> fields)
    {
        var json = new StringBuilder("{").Append(Space());
        foreach (var (index, (name, value)) in fields.Index())
        {
            if (index > 0)
                json.Append(',').Append(Space());
            json.Append(random.Chance(5) ? Escaped(name) : $"\"{name}\"").Append(Space()).Append(':').Append(Space()).Append(value).Append(Space());
        }

        return Encoding.UTF8.GetBytes(json.Append('}').Append(Space()).ToString());
    }

    private string Array(ReadOnlySpan<string> choices)
    {
        var texts = new List<string>();
        for (var count = random.Next(4); count > 0; count--)
            texts.Add(Text(random.Pick(choices)));
        return $"[{string.Join(',', texts)}]";
    }

    private string Words(int length)
    {
        var words = new StringBuilder();
        for (length = random.Next(length); length > 0; length--)
        {
            if (random.Chance(6))
                words.Append(random.Pick("</body>", "</message>", "]]>", "&amp;", "<![CDATA[", "\r\n", "\r", "\t", "'", "\"", "<", "&", "\\", "<!--"));
            else
                words.Append(random.Character().ToString());
        }

        return words.ToString();
    }

    private string Text(string text)
    {
        if (random.Chance(10))
            return Escaped(text);
        var json = new StringBuilder("\"");
        var escapes = random.Chance(30) ? 20 : 0;
        foreach (var unit in text)
            Append(json, unit, random.Chance(escapes) && !char.IsSurrogate(unit));
        return json.Append('"').ToString();
    }

    private string Escaped(string text)
    {
        var json = new StringBuilder("\"");
        foreach (var unit in text)
            Append(json, unit, always: true);
        return json.Append('"').ToString();
    }

    private void Append(StringBuilder json, char unit, bool always)
    {
        if (unit is '"' or '\\')
            json.Append('\\').Append(unit);
        else if (unit == '/' && always && random.Chance(50))
            json.Append("\\/");
        else if (unit == '\n' && random.Chance(50))
            json.Append("\\n");
        else if (unit < 0x20 || always)
            json.Append("\\u").Append(((int)unit).ToString(random.Chance(50) ? "x4" : "X4", CultureInfo.InvariantCulture));
        else
            json.Append(unit);
    }

    private string Space() => random.Chance(90) ? "" : random.Pick(" ", "\n", "\t", "\r\n");

    private static string Nested(int levels) =>
        string.Concat(Enumerable.Repeat("{\"a\":", levels)) + "1" + new string('}', levels);
}
