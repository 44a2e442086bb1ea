using System.Globalization;
using System.Text;
using System.Xml;
using System.Xml.Linq;
using Bridge.Stanzas;
using Xunit.Abstractions;

namespace Bridge.Fuzz.Tests;

/// <summary>Random streams; BRIDGE_TEST_SEED repeats a run whose seed was printed.</summary>
public class StanzaReaderDifferentialTests
{
    private const int MaxBytes = 4096;
    private const int MaxDepth = 12;

    private readonly Random _random;
    private readonly string _seed;

    public StanzaReaderDifferentialTests(ITestOutputHelper output)
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("BRIDGE_TEST_SEED"), NumberStyles.Integer, CultureInfo.InvariantCulture, out var given)
            ? given
            : Random.Shared.Next();
        _random = new Random(seed);
        _seed = $"BRIDGE_TEST_SEED={seed.ToString(CultureInfo.InvariantCulture)}";
        output.WriteLine(_seed);
    }

    [Fact]
    public void Valid_streams_are_told_as_XmlReader_sees_them_however_they_are_split()
    {
        for (var run = 0; run < 4_000; run++)
        {
            var stream = RandomStream();
            var bytes = Encoding.UTF8.GetBytes(stream);
            var whole = StreamTranscript.Of(new StanzaReader(1 << 20), bytes, maxHeld: 1 << 20);
            Same(SeenByXmlReader(stream, whole), whole, stream);
            Same(whole, StreamTranscript.Of(new StanzaReader(1 << 20), bytes, Pieces()), stream);
        }
    }

    [Fact]
    public void Broken_streams_never_throw_and_are_told_alike_however_they_are_split()
    {
        for (var run = 0; run < 30_000; run++)
        {
            var bytes = Mutate(Encoding.UTF8.GetBytes(RandomStream()));
            var whole = StreamTranscript.Of(new StanzaReader(MaxBytes, MaxDepth), bytes, maxHeld: MaxBytes);
            var split = StreamTranscript.Of(new StanzaReader(MaxBytes, MaxDepth), bytes, Pieces(), MaxBytes);
            Same(whole, split, Convert.ToHexString(bytes));
        }
    }

    [Fact]
    public void What_XmlReader_accepts_is_refused_only_where_XMPP_forbids_it()
    {
        string[] forbidden =
        [
            "malformed: text between stanzas",
            "malformed: a comment, DTD or CDATA section between stanzas",
            "malformed: a comment or DTD",
            "malformed: a processing instruction",
            "malformed: the XML declaration",
            "malformed: the first element is no stream header",
        ];
        var accepted = 0;
        for (var run = 0; run < 30_000; run++)
        {
            var bytes = Mutate(Encoding.UTF8.GetBytes(RandomStream()));
            if (!TryDecode(bytes, out var stream) || !XmlReaderAccepts(stream))
                continue;
            accepted++;
            var told = StreamTranscript.Of(new StanzaReader(1 << 20), bytes);
            if (told.Count > 0 && forbidden.Contains(told[^1]))
                continue;
            Assert.True(told is [.., "end"], $"{_seed}\nstream: {stream}\ntold:\n{string.Join('\n', told)}");
            // Kinds and errors are told by the names that servers use, not by namespaces that a mutation made up.
            var root = XDocument.Parse(stream).Root!;
            if (root.Elements().Prepend(root).All(element => element.GetDefaultNamespace() == "jabber:component:accept")
                && root.Elements().All(stanza => stanza.Name.Namespace == "jabber:component:accept"))
                Same(SeenByXmlReader(stream, told), told, stream);
        }

        Assert.True(accepted > 1_000, $"only {accepted} of the mutated streams were still XML; {_seed}");
    }

    private void Same(List<string> expected, List<string> actual, string stream)
    {
        if (!expected.SequenceEqual(actual))
            Assert.Fail($"{_seed}\nstream: {stream}\nexpected:\n{string.Join('\n', expected)}\nactual:\n{string.Join('\n', actual)}");
    }

    private Func<int> Pieces()
    {
        var scale = _random.Next(4) switch { 0 => 1, 1 => 8, 2 => 100, _ => 1500 };
        return () => 1 + _random.Next(scale);
    }

    // The same lines, from the platform's own parser. The raw XML of a stanza, which it cannot
    // give back, is taken over from the reader's line and compared as a parsed tree instead.
    private static List<string> SeenByXmlReader(string stream, List<string> told)
    {
        XNamespace errors = StanzaError.Namespace;
        XNamespace component = "jabber:component:accept";
        var root = XDocument.Parse(stream, LoadOptions.PreserveWhitespace).Root!;
        var lines = new List<string>
        {
            StreamTranscript.Describe(new StreamHeader(root.Attribute("id")?.Value, root.Attribute("from")?.Value, root.Attribute("xmlns")?.Value)),
        };
        foreach (var stanza in root.Elements())
        {
            var line = lines.Count < told.Count ? told[lines.Count] : "";
            var rawAt = line.IndexOf(" <", line.IndexOf(" error=", StringComparison.Ordinal) is var at and >= 0 ? at : 0, StringComparison.Ordinal) + 1;
            while (rawAt > 0 && !SameTree(line[rawAt..], stanza))
                rawAt = line.IndexOf(" <", rawAt, StringComparison.Ordinal) + 1;
            var raw = rawAt > 0 ? line[rawAt..] : "another tree than " + stanza;
            var kind = stanza.Name.LocalName switch
            {
                "message" => StanzaKind.Message,
                "presence" => StanzaKind.Presence,
                "iq" => StanzaKind.Iq,
                _ => StanzaKind.Other,
            };
            var child = stanza.Elements().FirstOrDefault();
            StanzaError? error = null;
            if (stanza.Elements(component + "error").FirstOrDefault() is { } e)
            {
                var condition = e.Elements().FirstOrDefault(x => x.Name.Namespace == errors && x.Name.LocalName != "text");
                error = new StanzaError(
                    StanzaError.TypeFromWireName(e.Attribute("type")?.Value ?? ""),
                    StanzaError.ConditionFromWireName(condition?.Name.LocalName ?? ""),
                    e.Element(errors + "text")?.Value);
            }

            lines.Add(StreamTranscript.Describe(
                kind,
                stanza.Attribute("id")?.Value,
                stanza.Attribute("from")?.Value,
                stanza.Attribute("to")?.Value,
                stanza.Attribute("type")?.Value,
                child?.Name.LocalName,
                child?.Name.NamespaceName,
                error,
                raw));
        }

        lines.Add("end");
        return lines;
    }

    private static bool SameTree(string raw, XElement stanza)
    {
        try
        {
            var parsed = XDocument.Parse(
                $"<stream:stream xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:component:accept'>{raw}</stream:stream>",
                LoadOptions.PreserveWhitespace);
            return parsed.Root!.Nodes().Count() == 1 && XNode.DeepEquals(parsed.Root.FirstNode, stanza);
        }
        catch (XmlException)
        {
            return false;
        }
    }

    private static bool TryDecode(byte[] bytes, out string stream)
    {
        try
        {
            stream = new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes);
            return true;
        }
        catch (DecoderFallbackException)
        {
            stream = "";
            return false;
        }
    }

    private static bool XmlReaderAccepts(string stream)
    {
        try
        {
            using var reader = XmlReader.Create(new StringReader(stream));
            while (reader.Read())
            {
            }

            return true;
        }
        catch (XmlException)
        {
            return false;
        }
    }

    private byte[] Mutate(byte[] bytes)
    {
        var mutated = new List<byte>(bytes);
        var edits = 1 + _random.Next(3);
        for (var edit = 0; edit < edits; edit++)
        {
            var at = _random.Next(mutated.Count);
            switch (_random.Next(7))
            {
                case 0:
                    mutated[at] = (byte)_random.Next(256);
                    break;
                case 1:
                    mutated.RemoveAt(at);
                    break;
                case 2:
                    mutated.Insert(at, Pick("<>&'\"/=;!?[]- x\t\0\u001f"u8.ToArray()));
                    break;
                case 3:
                    mutated.InsertRange(at, Pick<byte[]>([.. new[] { "<!--x-->", "<![CDATA[y]]>", "<?p i?>", "&amp;", "]]>", "<z/>", "</z>", " id='q'", "\r\n", "<!DOCTYPE z>" }.Select(Encoding.UTF8.GetBytes)]));
                    break;
                case 4:
                    var length = Math.Min(_random.Next(60), mutated.Count - at);
                    mutated.InsertRange(_random.Next(mutated.Count), mutated.GetRange(at, length));
                    break;
                case 5:
                    mutated.InsertRange(at, Encoding.UTF8.GetBytes(new string('x', _random.Next(2 * MaxBytes))));
                    break;
                default:
                    mutated.RemoveRange(at, Math.Min(_random.Next(40), mutated.Count - at - 1));
                    break;
            }
        }

        return [.. mutated];
    }

    private string RandomStream()
    {
        var stream = new StringBuilder(Chance(2) ? "<?xml version='1.0' encoding='UTF-8'?>" : "")
            .Append("<stream:stream xmlns:stream=\"http://etherx.jabber.org/streams\" xmlns='jabber:component:accept'")
            .Append(" id='").Append(RandomValue('\'')).Append("'>");
        var stanzas = _random.Next(6);
        for (var i = 0; i < stanzas; i++)
        {
            if (Chance(5))
                stream.Append(Pick(" ", "\n", "\r\n", "\t  "));
            AppendElement(stream, Pick("message", "presence", "iq", "iq", "odd"), 0);
        }

        return stream.Append("</stream:stream").Append(Chance(5) ? " " : "").Append('>').ToString();
    }

    private void AppendElement(StringBuilder xml, string name, int level)
    {
        xml.Append('<').Append(name);
        if (level > 0 && Chance(3))
            xml.Append(" xmlns='").Append(Pick("urn:xmpp:ping", "urn:x", StanzaError.Namespace, "jabber:component:accept")).Append('\'');
        if (name.StartsWith("p:", StringComparison.Ordinal))
            xml.Append(" xmlns:p=\"urn:p\"");
        foreach (var attribute in new[] { "id", "from", "to", "type", "xml:lang", "a.b-c" }.OrderBy(_ => _random.Next()).Take(_random.Next(5)))
        {
            var quote = Chance(2) ? '"' : '\'';
            xml.Append(Pick(" ", "\n", "  ")).Append(attribute).Append(Pick("=", "=", " = ")).Append(quote)
                .Append(attribute == "type" && Chance(2) ? Pick("error", "wait", "cancel", "get") : RandomValue(quote))
                .Append(quote);
        }

        if (Chance(8))
            xml.Append(' ');
        if (Chance(4))
        {
            xml.Append("/>");
            return;
        }

        xml.Append('>');
        var children = _random.Next(level > 6 ? 1 : 4);
        for (var i = 0; i < children; i++)
        {
            switch (_random.Next(4))
            {
                case 0:
                    xml.Append(RandomText());
                    break;
                case 1:
                    xml.Append("<![CDATA[").Append(Pick("", "]", "]]", "</message>", "&<>'\"", "x]]y", "ü€😀")).Append("]]>");
                    break;
                default:
                    AppendElement(xml, Pick("body", "error", "text", "p:q", "ping", "item-not-found", "größe", "message", "x1"), level + 1);
                    break;
            }
        }

        xml.Append("</").Append(name).Append(Chance(8) ? "\n" : "").Append('>');
    }

    private string RandomText() => string.Concat(Enumerable.Range(0, _random.Next(6)).Select(_ =>
        Pick("a", "Hello, world. ", "ü", "€", "😀", "&amp;", "&lt;", "&#x1F600;", "&#10;", "\n", "\t", "'", "\"", ">", "]] ", " ", "&apos;", new string('y', _random.Next(300)))));

    private string RandomValue(char quote) => string.Concat(Enumerable.Range(0, _random.Next(5)).Select(_ =>
        Pick("a", "b@example.com/ü", "€", "😀", "&amp;", "&quot;", "&#65;", "&#x9;", "\t", "\n", ">", "/>", "]]>", " ", quote == '"' ? "'" : "\"")));

    private bool Chance(int oneIn) => _random.Next(oneIn) == 0;

    private T Pick<T>(params T[] choices) => choices[_random.Next(choices.Length)];
}
