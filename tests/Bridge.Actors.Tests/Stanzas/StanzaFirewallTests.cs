using System.Text;
using Bridge.Stanzas;
using static Bridge.Actors.Tests.Stanzas.EncoderFixture;

namespace Bridge.Actors.Tests.Stanzas;

public sealed class StanzaFirewallTests
{
    /// <summary>Name, payload (<c>\xNN</c> is a byte), reason, offset.</summary>
    public static TheoryData<string, string, RejectionReason, int> Rejected { get; } = new()
    {
        { "nothing", "", RejectionReason.EmptyPayload, 0 },
        { "white space only", " \r\n\t", RejectionReason.EmptyPayload, 0 },
        { "text before the stanza", "hello <message to='a@b'/>", RejectionReason.LeadingContent, 0 },

        { "a byte that UTF-8 never has", "<message to='a@b'><body>\\xFF</body></message>", RejectionReason.NotUtf8, 24 },
        { "a cut sequence", "<message to='a@b'><body>\\xC3</body></message>", RejectionReason.NotUtf8, 24 },
        { "an overlong sequence", "<message to='a@b'><body>\\xC0\\xAF</body></message>", RejectionReason.NotUtf8, 24 },
        { "an overlong '<'", "<message to='a@b'><body>\\xC0\\xBCpresence/></body></message>", RejectionReason.NotUtf8, 24 },
        { "a surrogate in UTF-8", "<message to='a@b'><body>\\xED\\xA0\\x80</body></message>", RejectionReason.NotUtf8, 24 },
        { "beyond Unicode", "<message to='a@b'><body>\\xF4\\x90\\x80\\x80</body></message>", RejectionReason.NotUtf8, 24 },
        { "Latin-1", "<message to='a@b'><body>caf\\xE9</body></message>", RejectionReason.NotUtf8, 27 },
        { "UTF-16", "\\xFE\\xFF\\x00<", RejectionReason.NotUtf8, 0 },
        { "a lone continuation byte", "<message to='a@b'>\\x80</message>", RejectionReason.NotUtf8, 18 },

        { "an open root", "<message to='a@b'>", RejectionReason.NotWellFormed, 18 },
        { "an open child", "<message to='a@b'><body></message>", RejectionReason.NotWellFormed, 24 },
        { "crossed tags", "<message to='a@b'><a><b></a></b></message>", RejectionReason.NotWellFormed, 24 },
        { "an end tag that only begins alike", "<message to='a@b'></messages>", RejectionReason.NotWellFormed, 18 },
        { "a cut end tag", "<message to='a@b'></message", RejectionReason.NotWellFormed, 27 },
        { "a cut start tag", "<message to='a@b'", RejectionReason.NotWellFormed, 17 },
        { "a cut name", "<", RejectionReason.NotWellFormed, 1 },
        { "a cut value", "<message to='a@b", RejectionReason.NotWellFormed, 16 },
        { "an end tag alone", "</message>", RejectionReason.NotWellFormed, 0 },
        { "the stream's end tag", "</stream:stream>", RejectionReason.NotWellFormed, 0 },
        { "a bare ampersand", "<message to='a@b'><body>a & b</body></message>", RejectionReason.NotWellFormed, 26 },
        { "a bare ampersand in a value", "<message to='a@b' id='a&b'/>", RejectionReason.NotWellFormed, 23 },
        { "a '<' in a value", "<message to='a@b' id='<'/>", RejectionReason.NotWellFormed, 22 },
        { "a value without quotes", "<message to=a/>", RejectionReason.NotWellFormed, 12 },
        { "an attribute without value", "<message to/>", RejectionReason.NotWellFormed, 11 },
        { "attributes that touch", "<message to='a@b'id='1'/>", RejectionReason.NotWellFormed, 17 },
        { "a slash alone", "<message to='a@b' / >", RejectionReason.NotWellFormed, 18 },
        { "']]>' in text", "<message to='a@b'><body>a]]>b</body></message>", RejectionReason.NotWellFormed, 25 },
        { "a space before the name", "< message to='a@b'/>", RejectionReason.NotWellFormed, 1 },
        { "two colons", "<a:b:c to='a@b'/>", RejectionReason.NotWellFormed, 4 },
        { "a colon first", "<:message to='a@b'/>", RejectionReason.NotWellFormed, 1 },
        { "a name that begins with a digit", "<message to='a@b'><1/></message>", RejectionReason.NotWellFormed, 19 },
        { "an open CDATA section", "<message to='a@b'><![CDATA[x]]</message>", RejectionReason.NotWellFormed, 40 },
        { "CDATA around the stanza", "<![CDATA[<message to='a@b'/>]]>", RejectionReason.NotWellFormed, 0 },
        { "an unknown declaration", "<message to='a@b'><!ELEMENT a></message>", RejectionReason.NotWellFormed, 18 },
        { "an open character reference", "<message to='a@b'>&#65</message>", RejectionReason.NotWellFormed, 18 },
        { "an empty character reference", "<message to='a@b'>&#;</message>", RejectionReason.NotWellFormed, 18 },
        { "a reference with a capital X", "<message to='a@b'>&#X41;</message>", RejectionReason.NotWellFormed, 18 },

        { "another element", "<note to='a@b'/>", RejectionReason.NotAStanza, 1 },
        { "another case", "<Message to='a@b'/>", RejectionReason.NotAStanza, 1 },
        { "a stream header", "<stream:stream xmlns:stream='urn:x' to='a@b'/>", RejectionReason.NotAStanza, 1 },
        { "a handshake", "<handshake/>", RejectionReason.NotAStanza, 1 },

        { "two stanzas", "<message to='a@b'/><message to='a@b'/>", RejectionReason.TrailingContent, 19 },
        { "text behind", "<message to='a@b'/>x", RejectionReason.TrailingContent, 19 },
        { "the stream's end behind", "<message to='a@b'></message></stream:stream>", RejectionReason.TrailingContent, 28 },
        { "a comment behind", "<message to='a@b'/><!-- -->", RejectionReason.TrailingContent, 19 },
        { "a NUL behind", "<message to='a@b'/>\\x00", RejectionReason.TrailingContent, 19 },

        { "a document type", "<!DOCTYPE message><message to='a@b'/>", RejectionReason.Doctype, 0 },
        { "a document type inside", "<message to='a@b'><!DOCTYPE a [<!ENTITY b 'c'>]></message>", RejectionReason.Doctype, 18 },
        { "an XML declaration", "<?xml version='1.0'?><message to='a@b'/>", RejectionReason.ProcessingInstruction, 0 },
        { "a processing instruction", "<message to='a@b'><?php echo 1 ?></message>", RejectionReason.ProcessingInstruction, 18 },
        { "a comment before", "<!-- hi --><message to='a@b'/>", RejectionReason.Comment, 0 },
        { "a comment inside", "<message to='a@b'><body><!-- hi --></body></message>", RejectionReason.Comment, 24 },

        { "a backspace", "<message to='a@b'><body>a\u0008</body></message>", RejectionReason.ForbiddenCharacter, 25 },
        { "a NUL", "<message to='a@b'><body>\\x00</body></message>", RejectionReason.ForbiddenCharacter, 24 },
        { "a control in a value", "<message to='a@b' id='\u0001'/>", RejectionReason.ForbiddenCharacter, 22 },
        { "a control in a tag", "<message\u0001to='a@b'/>", RejectionReason.ForbiddenCharacter, 8 },
        { "a control in CDATA", "<message to='a@b'><![CDATA[a\u0001]]></message>", RejectionReason.ForbiddenCharacter, 28 },
        { "U+FFFE", "<message to='a@b'><body>\uFFFE</body></message>", RejectionReason.ForbiddenCharacter, 24 },
        { "U+FFFF in a value", "<message to='a@b' id='\uFFFF'/>", RejectionReason.ForbiddenCharacter, 22 },
        { "a reference to a backspace", "<message to='a@b'><body>&#8;</body></message>", RejectionReason.ForbiddenCharacter, 24 },
        { "a reference to NUL", "<message to='a@b'><body>&#x0;</body></message>", RejectionReason.ForbiddenCharacter, 24 },
        { "a reference to a surrogate", "<message to='a@b'><body>&#xD800;</body></message>", RejectionReason.ForbiddenCharacter, 24 },
        { "a reference to U+FFFF", "<message to='a@b'><body>&#65535;</body></message>", RejectionReason.ForbiddenCharacter, 24 },
        { "a reference beyond Unicode", "<message to='a@b'><body>&#x110000;</body></message>", RejectionReason.ForbiddenCharacter, 24 },
        { "a reference that overflows", "<message to='a@b'><body>&#99999999999999999999;</body></message>", RejectionReason.ForbiddenCharacter, 24 },

        { "an HTML entity", "<message to='a@b'><body>&nbsp;</body></message>", RejectionReason.UndeclaredEntity, 24 },
        { "an entity in another case", "<message to='a@b'><body>&LT;</body></message>", RejectionReason.UndeclaredEntity, 24 },
        { "an entity in a value", "<message to='a@b' id='&x;'/>", RejectionReason.UndeclaredEntity, 22 },

        { "an undeclared prefix", "<message to='a@b'><x:y/></message>", RejectionReason.UndeclaredPrefix, 19 },
        { "the stream's own prefix", "<message to='a@b'><stream:error/></message>", RejectionReason.UndeclaredPrefix, 19 },
        { "an undeclared prefix of an attribute", "<message to='a@b' x:y='1'/>", RejectionReason.UndeclaredPrefix, 18 },
        { "a prefix out of scope", "<message to='a@b'><a xmlns:p='urn:p'/><p:b/></message>", RejectionReason.UndeclaredPrefix, 39 },
        { "a prefix behind its element's end", "<message to='a@b'><a xmlns:p='urn:p'></a><p:b/></message>", RejectionReason.UndeclaredPrefix, 42 },

        { "the prefix xmlns on an element", "<message to='a@b'><xmlns:a/></message>", RejectionReason.MisusedPrefix, 19 },
        { "the prefix xml on an element", "<message to='a@b'><xml:a/></message>", RejectionReason.MisusedPrefix, 19 },
        { "declaring xmlns", "<message to='a@b' xmlns:xmlns='urn:p'/>", RejectionReason.MisusedPrefix, 18 },
        { "declaring xml", "<message to='a@b' xmlns:xml='urn:p'/>", RejectionReason.MisusedPrefix, 18 },
        { "declaring a reserved prefix", "<message to='a@b' xmlns:XMLa='urn:p'/>", RejectionReason.MisusedPrefix, 18 },
        { "undeclaring a prefix", "<message to='a@b' xmlns:p=''/>", RejectionReason.MisusedPrefix, 18 },

        { "the namespace of streams", "<message to='a@b' xmlns:s='http://etherx.jabber.org/streams'/>", RejectionReason.InvalidNamespace, 27 },
        { "the namespace of xml", "<message to='a@b' xmlns:s='http://www.w3.org/XML/1998/namespace'/>", RejectionReason.InvalidNamespace, 27 },
        { "the namespace of xmlns", "<message to='a@b'><a xmlns='http://www.w3.org/2000/xmlns/'/></message>", RejectionReason.InvalidNamespace, 28 },
        { "a reference in a namespace", "<message to='a@b'><a xmlns='urn&#10;x'/></message>", RejectionReason.InvalidNamespace, 28 },
        { "a space in a namespace", "<message to='a@b'><a xmlns='urn x'/></message>", RejectionReason.InvalidNamespace, 28 },

        { "an attribute twice", "<message to='a@b' to='c@d'/>", RejectionReason.DuplicateAttribute, 18 },
        { "an attribute twice in a child", "<message to='a@b'><a b='1' b='2'/></message>", RejectionReason.DuplicateAttribute, 27 },
        { "the default namespace twice", "<message to='a@b' xmlns='jabber:client' xmlns='urn:x'/>", RejectionReason.DuplicateAttribute, 40 },
        { "an attribute twice through two prefixes", "<message to='a@b'><a xmlns:p='urn:x' xmlns:q='urn:x' p:b='1' q:b='2'/></message>", RejectionReason.DuplicateAttribute, 61 },

        { "seven levels", "<message to='a@b'><a><a><a><a><a><a/></a></a></a></a></a></message>", RejectionReason.TooDeep, 33 },
        { "nine attributes", "<message to='a@b' a='' b='' c='' d='' e='' f='' g='' h=''/>", RejectionReason.TooManyAttributes, 53 },

        { "a prefixed stanza", "<c:message xmlns:c='jabber:client' to='a@b'/>", RejectionReason.PrefixedStanza, 1 },
        { "an element name outside ASCII", "<message to='a@b'><é/></message>", RejectionReason.NameNotAscii, 19 },
        { "an element name that ends outside ASCII", "<message to='a@b'><aé/></message>", RejectionReason.NameNotAscii, 20 },
        { "an attribute name outside ASCII", "<message to='a@b' é='1'/>", RejectionReason.NameNotAscii, 18 },

        { "the namespace of servers", "<message to='a@b' xmlns='jabber:server'/>", RejectionReason.ForeignNamespace, 25 },
        { "another namespace", "<message xmlns='urn:x' to='a@b'/>", RejectionReason.ForeignNamespace, 16 },

        { "no 'to'", "<message/>", RejectionReason.MissingTo, 0 },
        { "a prefixed 'to' only", "<message xmlns:p='urn:p' p:to='a@b'/>", RejectionReason.MissingTo, 0 },
        { "an empty 'to'", "<message to=''/>", RejectionReason.InvalidTo, 13 },
        { "a 'to' without domain", "<message to='a@'/>", RejectionReason.InvalidTo, 13 },
        { "a 'to' with a space", "<message to='a b@c'/>", RejectionReason.InvalidTo, 13 },
        { "a 'to' with a quote as a reference", "<message to='a&apos;b@c'/>", RejectionReason.InvalidTo, 13 },
        { "a 'to' with a line feed as a reference", "<message to='a@b/&#10;'/>", RejectionReason.InvalidTo, 13 },
        { "a 'to' behind references, too long", "<message to='" + string.Concat(Enumerable.Repeat("&#97;", 1300)) + "@b'/>", RejectionReason.InvalidTo, 13 },
        { "a 'to' with two ats", "<message to='a@b@c'/>", RejectionReason.InvalidTo, 13 },
        { "an empty 'from'", "<message to='a@b' from=''/>", RejectionReason.InvalidFrom, 24 },
        { "a 'from' that is no JID", "<message to='a@b' from='@app.example'/>", RejectionReason.InvalidFrom, 24 },
        { "a foreign 'from'", "<message to='a@b' from='c@elsewhere.example'/>", RejectionReason.ForeignFrom, 24 },
        { "a 'from' of a subdomain", "<message to='a@b' from='c@sub.app.example'/>", RejectionReason.ForeignFrom, 24 },
        { "a 'from' in capitals", "<message to='a@b' from='c@App.example'/>", RejectionReason.ForeignFrom, 24 },
        { "a 'from' with a trailing dot", "<message to='a@b' from='c@app.example.'/>", RejectionReason.ForeignFrom, 24 },
        { "a foreign 'from' behind references", "<message to='a@b' from='c&#64;elsewhere.example'/>", RejectionReason.ForeignFrom, 24 },

        { "an iq without type", "<iq to='a@b'><q xmlns='urn:q'/></iq>", RejectionReason.InvalidIqType, 0 },
        { "an iq of an unknown type", "<iq to='a@b' type='put'><q xmlns='urn:q'/></iq>", RejectionReason.InvalidIqType, 19 },
        { "an iq without payload", "<iq to='a@b' type='get'/>", RejectionReason.InvalidIqPayload, 0 },
        { "an iq with two payloads", "<iq to='a@b' type='set'><q xmlns='urn:q'/><q xmlns='urn:q'/></iq>", RejectionReason.InvalidIqPayload, 0 },
    };

    public static TheoryData<string, string> Accepted { get; } = new()
    {
        { "the smallest", "<message to='b'/>" },
        { "double quotes", "<message to=\"a@b\"><body>hi</body></message>" },
        { "white space inside tags", "<message\n\tto = 'a@b'\r\n><body >hi</body ></message >" },
        { "white space around", " \r\n<message to='a@b'/>\n" },
        { "the namespace of clients", "<message xmlns='jabber:client' to='a@b'/>" },
        { "the namespace of components", "<message to='a@b' xmlns='jabber:component:accept'/>" },
        { "no namespace, said so", "<message to='a@b' xmlns=''/>" },
        { "the five entities", "<message to='a@b'><body>&lt;&gt;&amp;&apos;&quot;</body></message>" },
        { "character references", "<message to='a@b'><body>&#65;&#x1F600;&#x0000041;</body></message>" },
        { "an emoji", "<message to='a@b'><body>😀</body></message>" },
        { "U+FFFD and U+10FFFF", "<message to='a@b'><body>\uFFFD\U0010FFFF</body></message>" },
        { "a '>' in text", "<message to='a@b'><body>a > b ]] > ]></body></message>" },
        { "']]' and then a reference", "<message to='a@b'><body>]]&gt;</body></message>" },
        { "CDATA", "<message to='a@b'><body><![CDATA[<stream:error>&]]]]></body></message>" },
        { "CDATA and ']]>' split over two", "<message to='a@b'><body><![CDATA[]]]]><![CDATA[>]]></body></message>" },
        { "a declared prefix", "<message to='a@b' xmlns:p='urn:p'><p:a p:b='1'/></message>" },
        { "a prefix declared behind its use", "<message to='a@b'><p:a p:b='1' xmlns:p='urn:p'/></message>" },
        { "a prefix declared anew", "<message to='a@b'><p:a xmlns:p='urn:p'><p:b xmlns:p='urn:q'/></p:a></message>" },
        { "one local name, two namespaces", "<message to='a@b'><a xmlns:p='urn:p' xmlns:q='urn:q' b='' p:b='' q:b=''/></message>" },
        { "xml:lang", "<message to='a@b' xml:lang='de'><body xml:lang='en'>hi</body></message>" },
        { "xml:space", "<message to='a@b'><body xml:space='preserve'> </body></message>" },
        { "six levels", "<message to='a@b'><a><a><a><a><a/></a></a></a></a></message>" },
        { "eight attributes", "<message to='a@b' a='' b='' c='' d='' e='' f='' g=''/>" },
        { "a 'from' of the component", "<message to='a@b' from='app.example'/>" },
        { "a 'from' of a further domain", "<message to='a@b' from='x@other.example/y'/>" },
        { "a 'from' behind references", "<message to='a@b' from='c&#64;app&#x2e;example'/>" },
        { "a 'to' behind references", "<message to='a&#64;b'/>" },
        { "a 'to' with a tab, which reads as a space", "<message to='a@b/c\td'/>" },
        { "a presence", "<presence to='a@b' type='unavailable'/>" },
        { "an iq request", "<iq to='a@b' type='get'><ping xmlns='urn:xmpp:ping'/></iq>" },
        { "an iq result without payload", "<iq to='a@b' type='result' id='1'/>" },
        { "a stanza inside a stanza", "<message to='a@b'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' to='x' from='y'/></forwarded></message>" },
    };

    [Theory]
    [MemberData(nameof(Rejected))]
    public void What_could_hurt_the_stream_is_rejected_by_name_and_place(string name, string payload, RejectionReason reason, int offset)
    {
        var rejection = Firewall.Check(Bytes(payload));

        Assert.Equal((name, reason, offset), (name, rejection.Reason, rejection.Offset));
        Assert.False(string.IsNullOrEmpty(rejection.Detail));
    }

    [Theory]
    [MemberData(nameof(Accepted))]
    public void What_every_parser_reads_as_one_stanza_passes(string name, string payload)
    {
        var rejection = Firewall.Check(Bytes(payload));

        Assert.Equal((name, RejectionReason.None, (string?)null), (name, rejection.Reason, rejection.Detail));
        Assert.Null(StreamParse.Mistake(Encode(Bytes(payload)).Output));
    }

    [Fact]
    public void Every_reason_that_raw_XML_can_give_has_a_row()
    {
        var elsewhere = new[]
        {
            // Decided before or behind the firewall, each tested there.
            RejectionReason.None, RejectionReason.UnknownPayloadKind, RejectionReason.ByteOrderMark, RejectionReason.Oversize,
            RejectionReason.TooManyPrefixes, RejectionReason.InvalidId, RejectionReason.MissingNamespace, RejectionReason.Expired,
            RejectionReason.WriterFailed, RejectionReason.Convicted, RejectionReason.Trimmed, RejectionReason.Duplicate,
        };
        var rows = Rejected.Select(row => (RejectionReason)row[2]).ToHashSet();

        var missing = Enum.GetValues<RejectionReason>()
            .Except(rows)
            .Except(elsewhere)
            .Where(reason => !reason.WireName().StartsWith("json-", StringComparison.Ordinal));

        Assert.Empty(missing);
    }

    [Fact]
    public void An_offset_counts_from_the_payloads_first_byte_not_from_the_stanzas()
    {
        var rejection = Firewall.Check("\n\n <note/>"u8);

        Assert.Equal((RejectionReason.NotAStanza, 4), (rejection.Reason, rejection.Offset));
    }

    [Fact]
    public void Sixty_five_prefixes_in_scope_are_too_many()
    {
        var settings = Rules with { MaxAttributes = 100 };
        var stanza = new StringBuilder("<message to='a@b'");
        for (var i = 0; i < 65; i++)
            stanza.Append(System.Globalization.CultureInfo.InvariantCulture, $" xmlns:p{i}='urn:p'");
        var last = stanza.ToString().LastIndexOf("xmlns", StringComparison.Ordinal);
        stanza.Append("/>");

        var rejection = new StanzaFirewall(settings, Domain).Check(Encoding.UTF8.GetBytes(stanza.ToString()));

        Assert.Equal((RejectionReason.TooManyPrefixes, last), (rejection.Reason, rejection.Offset));
    }

    [Fact]
    public void An_id_of_1023_bytes_passes_and_a_longer_one_does_not()
    {
        var longest = Firewall.Check(Encoding.UTF8.GetBytes($"<message to='a@b' id='{new string('x', 1023)}'/>"));
        var longer = Firewall.Check(Encoding.UTF8.GetBytes($"<message to='a@b' id='{new string('x', 1024)}'/>"));

        Assert.Equal(RejectionReason.None, longest.Reason);
        Assert.Equal((RejectionReason.InvalidId, 22), (longer.Reason, longer.Offset));
    }

    [Fact]
    public void Limits_above_the_stacks_share_hold_too()
    {
        var settings = Rules with { MaxDepth = 1000, MaxAttributes = 500, MaxBytes = 1 << 20 };
        var firewall = new StanzaFirewall(settings, Domain);
        var nested = string.Concat(Enumerable.Repeat("<a>", 999)) + string.Concat(Enumerable.Repeat("</a>", 999));
        var attributes = string.Concat(Enumerable.Range(0, 499).Select(i => $" a{i}=''"));

        Assert.Equal(RejectionReason.None, firewall.Check(Encoding.UTF8.GetBytes($"<message to='a@b'>{nested}</message>")).Reason);
        Assert.Equal(RejectionReason.TooDeep, firewall.Check(Encoding.UTF8.GetBytes($"<message to='a@b'><a>{nested}</a></message>")).Reason);
        Assert.Equal(RejectionReason.None, firewall.Check(Encoding.UTF8.GetBytes($"<message to='a@b'{attributes}/>")).Reason);
        Assert.Equal(RejectionReason.TooManyAttributes, firewall.Check(Encoding.UTF8.GetBytes($"<message to='a@b' b=''{attributes}/>")).Reason);
    }

    [Fact]
    public void Sixty_thousand_levels_are_refused_at_the_limit_without_reading_on()
    {
        // A server needs most of a second for such a stanza, which stalls everything behind it.
        var payload = Encoding.UTF8.GetBytes("<message to='a@b'>" + string.Concat(Enumerable.Repeat("<a>", 60_000)));

        Assert.Equal((RejectionReason.TooDeep, 18 + (3 * (MaxDepth - 1))), (Firewall.Check(payload).Reason, Firewall.Check(payload).Offset));
    }

    [Theory]
    [InlineData("App.example")]
    [InlineData("app.example.")]
    [InlineData("")]
    [InlineData("a@app.example")]
    public void A_component_domain_that_is_not_canonical_is_a_configuration_error(string domain) =>
        Assert.Throws<ArgumentException>(() => new StanzaFirewall(Rules, domain));
}
