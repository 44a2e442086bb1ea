using System.Text;
using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Stanzas;

public class StanzaReaderTests
{
    private const string Header =
        "<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:component:accept' from='b.example' id='s1'>";

    private const string HeaderLine = "header id='s1' from='b.example' ns='jabber:component:accept'";

    // Name, what the server sends behind its header, the lines expected behind the header's.
    public static TheoryData<string, string, string[]> Streams => new()
    {
        { "handshake accepted, empty tag", "<handshake/>", ["handshake"] },
        { "handshake accepted, two tags", "<handshake></handshake>", ["handshake"] },
        { "white space as keepalive", " \n\t <handshake/>\r\n ", ["handshake"] },
        { "the end of the stream", "</stream:stream>", ["end"] },
        { "nothing is read behind the end", "</stream:stream><handshake/><", ["end"] },
        {
            "our own barrier comes back",
            "<iq from='b.example' to='b.example' type='get' id='k-7'><ping xmlns='urn:xmpp:ping'/></iq>",
            ["Iq id='k-7' from='b.example' to='b.example' type='get' child='ping' ns='urn:xmpp:ping' error=- <iq from='b.example' to='b.example' type='get' id='k-7'><ping xmlns='urn:xmpp:ping'/></iq>"]
        },
        {
            "an empty stanza",
            "<presence/>",
            ["Presence id=- from=- to=- type=- child=- ns=- error=- <presence/>"]
        },
        {
            "both kinds of quotes, references, white space everywhere",
            "<message\n to = \"a'b\"\tid='&lt;&#x41;&quot;&amp;'  from=''  ><body >x</body\n></message\t>",
            ["Message id='<A\"&' from='' to='a'b' type=- child='body' ns=- error=- <message\n to = \"a'b\"\tid='&lt;&#x41;&quot;&amp;'  from=''  ><body >x</body\n></message\t>"]
        },
        {
            "white space in a value is normalised",
            "<message id='a\tb\r\nc&#10;d'/>",
            ["Message id='a b c\nd' from=- to=- type=- child=- ns=- error=- <message id='a\tb\r\nc&#10;d'/>"]
        },
        {
            "the sign that ends a tag inside a value and a CDATA section",
            "<message id='a>b'><body><![CDATA[</message>]]]]></body></message>",
            ["Message id='a>b' from=- to=- type=- child='body' ns=- error=- <message id='a>b'><body><![CDATA[</message>]]]]></body></message>"]
        },
        {
            "a stanza inside a stanza is content",
            "<message id='1'><forwarded xmlns='urn:xmpp:forward:0'><message id='2'/></forwarded></message>",
            ["Message id='1' from=- to=- type=- child='forwarded' ns='urn:xmpp:forward:0' error=- <message id='1'><forwarded xmlns='urn:xmpp:forward:0'><message id='2'/></forwarded></message>"]
        },
        {
            "a prefixed first child",
            "<iq xmlns:p='urn:xmpp:ping'><p:ping/></iq>",
            ["Iq id=- from=- to=- type=- child='ping' ns='urn:xmpp:ping' error=- <iq xmlns:p='urn:xmpp:ping'><p:ping/></iq>"]
        },
        {
            "a bounce of Prosody",
            "<message type='error' id='m1' from='x.example' to='b.example'><error type='wait'><remote-server-timeout xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>Component &lt;away&gt;</text></error></message>",
            ["Message id='m1' from='x.example' to='b.example' type='error' child='error' ns=- error=Wait/RemoteServerTimeout/'Component <away>' <message type='error' id='m1' from='x.example' to='b.example'><error type='wait'><remote-server-timeout xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>Component &lt;away&gt;</text></error></message>"]
        },
        {
            "a bounce of ejabberd: the payload first, a condition of its own last",
            "<message type='error'><body>hi</body><error code='500' type='wait'><text xml:lang='en' xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>full</text><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><own xmlns='urn:x'/></error></message>",
            ["Message id=- from=- to=- type='error' child='body' ns=- error=Wait/ResourceConstraint/'full' <message type='error'><body>hi</body><error code='500' type='wait'><text xml:lang='en' xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>full</text><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><own xmlns='urn:x'/></error></message>"]
        },
        {
            "an error with nothing in it",
            "<iq type='error'><error/></iq>",
            ["Iq id=- from=- to=- type='error' child='error' ns=- error=Unknown/Unknown/- <iq type='error'><error/></iq>"]
        },
        {
            "an element called error that is the app's own",
            "<message><error xmlns='urn:app'/></message>",
            ["Message id=- from=- to=- type=- child='error' ns='urn:app' error=- <message><error xmlns='urn:app'/></message>"]
        },
        {
            "a stream error with words",
            "<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/><text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>no <![CDATA[b.example]]> here</text></stream:error></stream:stream>",
            ["error HostUnknown 'no b.example here'", "end"]
        },
        {
            "a stream error that nobody defined",
            "<stream:error><tired xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>",
            ["error Unknown -"]
        },
        { "an empty stream error", "<stream:error/>", ["error Unknown -"] },
        {
            "another first-level element",
            "<stream:features/>",
            ["Other id=- from=- to=- type=- child=- ns=- error=- <stream:features/>"]
        },
        { "text between stanzas", "<handshake/>x", ["handshake", "malformed: text between stanzas"] },
        { "a reference between stanzas", "&#32;", ["malformed: text between stanzas"] },
        { "CDATA between stanzas", "<![CDATA[ ]]>", ["malformed: a comment, DTD or CDATA section between stanzas"] },
        { "a comment between stanzas", "<!-- x -->", ["malformed: a comment, DTD or CDATA section between stanzas"] },
        { "a comment in a stanza", "<message><!-- x --></message>", ["malformed: a comment or DTD"] },
        { "a DTD", "<message><!DOCTYPE x></message>", ["malformed: a comment or DTD"] },
        { "a processing instruction", "<message><?x y?></message>", ["malformed: a processing instruction"] },
        { "a second XML declaration", "<?xml version='1.0'?>", ["malformed: a processing instruction"] },
        { "tags that cross", "<a><b></a></b>", ["malformed: an end tag that matches no start tag"] },
        { "an end tag that is too long", "<a></ab>", ["malformed: an end tag that matches no start tag"] },
        { "another stream's end tag", "</stream>", ["malformed: an end tag that matches no start tag"] },
        { "an unknown entity", "<a>&nbsp;</a>", ["malformed: a reference that XMPP does not know"] },
        { "a bare ampersand", "<a>R&D and a lot more text</a>", ["malformed: a reference that XMPP does not know"] },
        { "a reference to a forbidden character", "<a>&#0;</a>", ["malformed: a reference that XMPP does not know"] },
        { "a reference to a surrogate", "<a b='&#xD800;'/>", ["malformed: a reference that XMPP does not know"] },
        { "a forbidden character", "<a>\b</a>", ["malformed: a forbidden character"] },
        { "a forbidden character in CDATA", "<a><![CDATA[\b]]></a>", ["malformed: a forbidden character"] },
        { "a less-than sign in a value", "<a b='<'/>", ["malformed: a forbidden character in an attribute value"] },
        { "the end of CDATA in text", "<a>]]></a>", ["malformed: ]]> in text"] },
        { "an attribute without a value", "<a b/>", ["malformed: an attribute without a value"] },
        { "an attribute without quotes", "<a b=c/>", ["malformed: an attribute value without quotes"] },
        { "attributes that touch", "<a b='c'd='e'/>", ["malformed: attributes without white space between them"] },
        { "to given twice", "<message to='a' to='b'/>", ["malformed: an attribute given twice"] },
        { "a tag without a name", "< a/>", ["malformed: a tag without a name"] },
        { "a slash in a tag", "<a / >", ["malformed: a character in a tag"] },
    };

    [Theory]
    [MemberData(nameof(Streams))]
    public void A_stream_is_told_as_its_events_whole_and_byte_by_byte(string row, string stream, string[] expected)
    {
        var bytes = Encoding.UTF8.GetBytes(Header + stream);
        string[] all = [HeaderLine, .. expected];
        Assert.True(all.SequenceEqual(StreamTranscript.Of(new StanzaReader(4096), bytes)), row + ": " + string.Join('\n', StreamTranscript.Of(new StanzaReader(4096), bytes)));
        Assert.Equal(all, StreamTranscript.Of(new StanzaReader(4096), bytes, () => 1));
    }

    [Theory]
    [InlineData("no declaration", "<stream:stream xmlns:stream='http://etherx.jabber.org/streams' id='1'>", "header id='1' from=- ns=-")]
    [InlineData("an empty id, as Prosody refuses a host", "<?xml version='1.0'?>\n<stream:stream id='' xmlns:stream='http://etherx.jabber.org/streams'>", "header id='' from=- ns=-")]
    [InlineData("a reference in the id", "<stream:stream id='a&amp;b' xmlns:stream='http://etherx.jabber.org/streams'>", "header id='a&b' from=- ns=-")]
    [InlineData("another prefix", "<s:stream id='1' xmlns:s='http://etherx.jabber.org/streams'>", "header id='1' from=- ns=-")]
    [InlineData("an HTTP server", "HTTP/1.1 400 Bad Request\r\n", "malformed: text between stanzas")]
    [InlineData("a web page", "<!DOCTYPE html><html>", "malformed: a comment, DTD or CDATA section between stanzas")]
    [InlineData("another document", "<html>", "malformed: the first element is no stream header")]
    [InlineData("another namespace", "<stream:stream xmlns:stream='urn:x'>", "malformed: the first element is no stream header")]
    [InlineData("an empty stream", "<stream:stream xmlns:stream='http://etherx.jabber.org/streams'/>", "malformed: the stream header is an empty element")]
    [InlineData("white space before the declaration", " <?xml version='1.0'?>", "malformed: a processing instruction")]
    [InlineData("another processing instruction", "<?php echo?>", "malformed: a processing instruction")]
    [InlineData("an end tag first", "</stream:stream>", "malformed: an end tag before the stream header")]
    public void A_stream_begins_with_a_header_or_is_malformed(string row, string stream, string expected)
    {
        var lines = StreamTranscript.Of(new StanzaReader(4096), Encoding.UTF8.GetBytes(stream));
        Assert.True(lines is [var only] && only == expected, row + ": " + string.Join('\n', lines));
    }

    [Fact]
    public void A_stream_error_is_known_by_the_prefix_that_the_header_chose()
    {
        var lines = StreamTranscript.Of(
            new StanzaReader(4096),
            "<s:stream xmlns:s='http://etherx.jabber.org/streams'><s:error><reset xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></s:error></s:stream>"u8);
        Assert.Equal(["header id=- from=- ns=-", "error Reset -", "end"], lines);
    }

    [Fact]
    public void Invalid_utf8_makes_the_stream_malformed()
    {
        byte[] stream = [.. Encoding.UTF8.GetBytes(Header), .. "<message id='"u8, 0xC3, 0x28, .. "'/>"u8];
        Assert.Equal([HeaderLine, "malformed: invalid UTF-8"], StreamTranscript.Of(new StanzaReader(4096), stream));
        Assert.Equal([HeaderLine, "malformed: invalid UTF-8"], StreamTranscript.Of(new StanzaReader(4096), stream, () => 1));
    }

    [Fact]
    public void A_stream_header_without_end_is_given_up_at_the_bound()
    {
        var reader = new StanzaReader(1024);
        var lines = StreamTranscript.Of(reader, Encoding.UTF8.GetBytes("<stream:stream id='" + new string('x', 5000)), () => 100, 1024);
        Assert.Equal(["malformed: the stream header is too long"], lines);
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    public void A_stanza_of_just_the_bound_is_kept_and_one_byte_more_is_skipped(int extra, bool skipped)
    {
        const int bound = 2000;
        var (start, end) = ("<message id='i' to='t@b.example' type='chat'><body>", "</body></message>");
        var stanza = start + new string('x', bound + extra - start.Length - end.Length) + end;
        var bytes = Encoding.UTF8.GetBytes(Header + stanza + "<iq id='next'/>");
        foreach (var piece in new[] { bytes.Length, 1, 777 })
        {
            var lines = StreamTranscript.Of(new StanzaReader(bound), bytes, () => piece, bound);
            Assert.Equal(3, lines.Count);
            if (skipped)
                Assert.Equal(new SkippedStanza(SkipCause.TooLarge, bound + 1, StanzaKind.Message, "i", null, "t@b.example", "chat").ToString(), lines[1]);
            else
                Assert.StartsWith("Message id='i'", lines[1], StringComparison.Ordinal);
            Assert.StartsWith("Iq id='next'", lines[2], StringComparison.Ordinal);
        }
    }

    [Fact]
    public void What_stood_behind_the_first_8_KiB_of_a_skipped_stanza_is_not_told()
    {
        var stanza = "<message id='i' junk='" + new string('x', 9000) + "' to='t'><body>" + new string('y', 20_000) + "</body></message>";
        var lines = StreamTranscript.Of(new StanzaReader(16_384), Encoding.UTF8.GetBytes(Header + stanza + "</stream:stream>"), () => 333, 16_384);
        Assert.Equal(
            [HeaderLine, new SkippedStanza(SkipCause.TooLarge, stanza.Length, StanzaKind.Message, "i", null, null, null).ToString(), "end"],
            lines);
    }

    [Fact]
    public void A_stanza_deeper_than_the_bound_is_skipped_and_one_of_just_the_bound_is_kept()
    {
        static string Nested(int levels) =>
            "<iq id='d'>" + string.Concat(Enumerable.Repeat("<x>", levels - 2)) + "<y/>" + string.Concat(Enumerable.Repeat("</x>", levels - 2)) + "</iq>";
        var bytes = Encoding.UTF8.GetBytes(Header + Nested(10) + Nested(11) + Nested(60) + "<iq id='next'/>");
        foreach (var piece in new[] { bytes.Length, 1, 7 })
        {
            var lines = StreamTranscript.Of(new StanzaReader(4096, maxDepth: 10), bytes, () => piece);
            Assert.Equal(5, lines.Count);
            Assert.StartsWith("Iq id='d'", lines[1], StringComparison.Ordinal);
            Assert.Equal(new SkippedStanza(SkipCause.TooDeep, Nested(11).Length, StanzaKind.Iq, "d", null, null, null).ToString(), lines[2]);
            Assert.Equal(new SkippedStanza(SkipCause.TooDeep, Nested(60).Length, StanzaKind.Iq, "d", null, null, null).ToString(), lines[3]);
            Assert.StartsWith("Iq id='next'", lines[4], StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_stanza_of_100_MiB_goes_by_without_being_kept()
    {
        var reader = new StanzaReader(65_536);
        Feed(reader, Encoding.UTF8.GetBytes(Header), StreamEventKind.Header);
        var text = new byte[1 << 20];
        Array.Fill(text, (byte)'x');
        var before = GC.GetAllocatedBytesForCurrentThread();
        Feed(reader, "<message id='big'><body>"u8, StreamEventKind.None);
        for (var i = 0; i < 100; i++)
            Feed(reader, text, StreamEventKind.None);
        Feed(reader, "</body></message>"u8, StreamEventKind.Skipped);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 300_000);
        Assert.Equal((100 << 20) + 41, reader.Skipped!.Bytes);

        static void Feed(StanzaReader reader, ReadOnlySpan<byte> input, StreamEventKind expected) =>
            Assert.Equal(expected, reader.Read(ref input, out _));
    }

    [Fact]
    public void Barrier_replies_are_read_and_recognised_without_an_allocation()
    {
        var reader = new StanzaReader(65_536);
        ReadOnlySpan<byte> header = Encoding.UTF8.GetBytes(Header);
        Assert.Equal(StreamEventKind.Header, reader.Read(ref header, out _));
        var replies = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 100).Select(i =>
            $"<iq from='b.example' to='b.example' type='get' id='k-{i}'><ping xmlns='urn:xmpp:ping'/></iq>")));
        Assert.Equal(100, Count(reader, replies));
        // The least of some: a collection that other tests set off counts what was left of this thread's allocation buffer.
        var least = long.MaxValue;
        for (var attempt = 0; attempt < 10; attempt++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var recognised = 0;
            for (var round = 0; round < 100; round++)
                recognised += Count(reader, replies);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
            Assert.Equal(10_000, recognised);
        }

        Assert.Equal(0, least);

        // Pieces of 61 bytes, so that most replies are put together from two or three.
        static int Count(StanzaReader reader, ReadOnlySpan<byte> bytes)
        {
            var recognised = 0;
            while (!bytes.IsEmpty)
            {
                var input = bytes[..Math.Min(61, bytes.Length)];
                bytes = bytes[input.Length..];
                while (reader.Read(ref input, out var stanza) is var kind && kind != StreamEventKind.None)
                {
                    if (stanza.Kind == StanzaKind.Iq && stanza.Type.Is("get"u8) && stanza.From.Is("b.example"u8)
                        && stanza.To.Is("b.example"u8) && stanza.Id.Raw.StartsWith("k-"u8) && stanza.FirstChildIs("ping"u8, "urn:xmpp:ping"u8))
                        recognised++;
                }
            }

            return recognised;
        }
    }
}
