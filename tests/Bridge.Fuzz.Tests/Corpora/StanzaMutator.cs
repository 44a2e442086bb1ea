using System.Text;

namespace Bridge.Fuzz.Tests.Corpora;

/// <summary>
/// Makes payloads around the border of what may pass: grown from a grammar that is mostly right,
/// taken from a corpus of old tricks, then damaged. Deterministic for the seed of its random numbers.
/// </summary>
internal sealed class StanzaMutator(Random random)
{
    private static readonly string[] Names =
        ["message", "presence", "iq", "body", "x", "p:x", "q:y", "stream:error", "xml:a", "xmlns", "p:message", "a.b-c", "é", "_", "delay", "origin-id"];

    private static readonly string[] PlainNames = ["body", "x", "message", "delay", "origin-id", "p:x", "q:y"];

    private static readonly string[] AttributeNames =
        ["to", "from", "id", "type", "xmlns", "xmlns:p", "xmlns:q", "xmlns:stream", "xmlns:xml", "xml:lang", "xml:space", "p:a", "q:a", "a", "b", "TO", "xmlns:", ":a", "x:to"];

    private static readonly string[] Values =
    [
        "a@b", "app.example", "x@app.example/r", "c@other.example", "c@elsewhere.example", "app.example.evil", "evil/app.example", "a&#64;b", "app&#46;example",
        "a@b/&lt;x&gt;", "jabber:client", "jabber:server", "jabber:component:accept", "urn:p", "urn:p", "urn:q", "", " ", "http://etherx.jabber.org/streams",
        "http://etherx.jabber.org/stream&#115;", "http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2000/xmlns/", "urn:xmpp:delay", "urn:xmpp:sid:0",
        "get", "set", "result", "error", "chat", "de", "preserve", "a\nb\tc\rd", "&amp;", "&#10;", "&#x10FFFF;", "'", "\"", "<", "&", "&nbsp;", "&#0;", "&#xD800;", "😀", "\uFFFE",
    ];

    private static readonly string[] Texts =
    [
        "hello", " ", "\n", "&lt;", "&amp;", "&#65;", "&#x41;", "&quot;&apos;", "]]", "]]>", ">", "'\"", "é", "😀", "\U0010FFFF", "\uFFFD", "\uFEFF", "\u0085", "\u2028", "\u007F",
        "&", "&nbsp;", "&#8;", "&#xFFFF;", "&#65", "\u0001", "\0", "\uFFFE", "<!-- c -->", "<?pi x?>", "<?xml version='1.0'?>", "<!DOCTYPE a>", "<!DOCTYPE a [<!ENTITY b 'c'>]>",
        "<![CDATA[x]]>", "<![CDATA[<a>&]]]]>", "<![CDATA[]]>", "<![CDATA[\u0001]]>", "<![CDATA[a", "</message>", "</stream:stream>", "<a/>", "<a>", "</a>",
    ];

    private static readonly byte[][] BadBytes =
    [
        [0xFF], [0xC3], [0x80], [0xC0, 0xBC], [0xC0, 0xAF], [0xE0, 0x80, 0xBC], [0xED, 0xA0, 0x80], [0xED, 0xA0, 0xBD, 0xED, 0xB8, 0x80], [0xF4, 0x90, 0x80, 0x80],
        [0xEF, 0xBF, 0xBE], [0xEF, 0xBF, 0xBF], [0xEF, 0xBB, 0xBF], [0xE2, 0x82], [0x00], [0x0B], [0x1F], [0xFE, 0xFF], [0x3C, 0x00],
    ];

    private static readonly byte[] Significant = "<>&'\"/=!?[]-:;# \n\txa0"u8.ToArray();

    /// <summary>The next payload.</summary>
    public byte[] Next()
    {
        var text = new StringBuilder();
        if (Chance(2))
            text.Append(Pick(Texts));
        Stanza(text);
        if (Chance(3))
            text.Append(Pick(Texts));
        if (Chance(3))
            Stanza(text);
        var bytes = new List<byte>(Encoding.UTF8.GetBytes(text.ToString()));
        for (var damages = Chance(35) ? random.Next(1, 4) : 0; damages > 0; damages--)
            Damage(bytes);
        return [.. bytes];
    }

    private void Stanza(StringBuilder text)
    {
        // Mostly a stanza that would pass, so that a single oddity decides.
        var name = Chance(95) ? Pick(["message", "message", "presence", "iq"]) : Chance(40) ? "p:message" : Pick(Names);
        text.Append('<').Append(name);
        if (name.StartsWith("p:", StringComparison.Ordinal))
            Attribute(text, "xmlns:p", Pick(["urn:p", "jabber:client"]));
        if (Chance(97))
            Attribute(text, "to", Chance(92) ? "a@b" : Pick(Values));
        if (Chance(20))
            Attribute(text, "from", Chance(70) ? "x@app.example" : Pick(Values));
        if (Chance(40))
            Attribute(text, "id", Chance(70) ? "1" : Pick(Values));
        if (name == "iq" || Chance(10))
            Attribute(text, "type", Chance(80) ? "set" : Pick(Values));
        if (Chance(20))
            Attribute(text, "xmlns", Chance(70) ? "jabber:client" : Pick(Values));
        Rest(text, name, depth: 1, name == "iq");
    }

    private void Element(StringBuilder text, int depth)
    {
        var name = Pick(Chance(85) ? PlainNames : Names);
        text.Append('<').Append(name);
        if (name.Contains(':', StringComparison.Ordinal) && Chance(90))
            Attribute(text, "xmlns:" + name[..name.IndexOf(':', StringComparison.Ordinal)], "urn:" + Pick(["p", "q"]));
        Rest(text, name, depth, false);
    }

    private void Rest(StringBuilder text, string name, int depth, bool oneChild)
    {
        for (var attributes = Chance(10) ? random.Next(1, depth == 1 ? 4 : 9) : 0; attributes > 0; attributes--)
            Attribute(text, Pick(AttributeNames), Pick(Values));
        if (Chance(2))
            Attribute(text, "a" + random.Next(10), new string(Pick(["x", "é", "<", "&", " "])[0], random.Next(1000, 6000)));
        if (Chance(10))
            text.Append(Pick([" ", "\n", "\t", "\r\n"]));
        if (!oneChild && Chance(25))
        {
            text.Append("/>");
            return;
        }

        text.Append('>');
        for (var children = oneChild && Chance(80) ? 1 : random.Next(0, 3); children > 0; children--)
        {
            if (!oneChild && Chance(60))
                text.Append(Chance(85) ? Pick(["hello", "é", "&lt;", "😀", "a > b", "<![CDATA[x]]>"]) : Pick(Texts));
            else if (depth < 9)
                Element(text, depth + 1);
        }

        text.Append("</").Append(Chance(98) ? name : Pick(Names));
        if (Chance(4))
            text.Append(Pick([" ", "\n", "x", " x", "/"]));
        text.Append('>');
    }

    private void Attribute(StringBuilder text, string name, string value)
    {
        var quote = Chance(30) ? '"' : '\'';
        text.Append(Chance(98) ? Pick([" ", " ", "\n", "\t", "  "]) : Pick(["", "/", "\u0001", "\u0085"]));
        text.Append(name).Append(Chance(95) ? "=" : Pick([" = ", "", "==", "\n="])).Append(quote).Append(value).Append(Chance(99) ? quote : '\'');
    }

    private void Damage(List<byte> bytes)
    {
        if (bytes.Count == 0)
            return;
        var at = random.Next(bytes.Count);
        var length = random.Next(1, Math.Min(bytes.Count - at, 12) + 1);
        switch (random.Next(8))
        {
            case 0:
                bytes.RemoveRange(at, length);
                break;
            case 1:
                bytes[at] = Pick(Significant);
                break;
            case 2:
                bytes.Insert(at, Pick(Significant));
                break;
            case 3:
                bytes.InsertRange(at, Pick(BadBytes));
                break;
            case 4:
                bytes.InsertRange(random.Next(bytes.Count + 1), bytes.GetRange(at, length));
                break;
            case 5:
                bytes.RemoveRange(at, bytes.Count - at);
                break;
            case 6:
                bytes.InsertRange(at, Encoding.UTF8.GetBytes(Pick(Texts)));
                break;
            default:
                bytes[at] ^= (byte)(1 << random.Next(8));
                break;
        }
    }

    private bool Chance(int percent) => random.Next(100) < percent;

    private T Pick<T>(T[] choices) => choices[random.Next(choices.Length)];
}
