using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Xml.Linq;
using Bridge.Outcomes;
using Bridge.Settings;
using Bridge.Stanzas;
using CsCheck;
using static Bridge.Actors.Tests.Stanzas.EncoderFixture;

namespace Bridge.Actors.Tests.Stanzas;

public sealed class EnvelopeTests
{
    private const string From = " from='bot@app.example'";
    private const string Id = $" id='{GeneratedId}'";
    private const string OriginId = $"<origin-id xmlns='urn:xmpp:sid:0' id='{GeneratedId}'/>";

    /// <summary>Name, envelope, encoded.</summary>
    public static TheoryData<string, string, string> Golden { get; } = new()
    {
        { "the smallest", """{"to":"a@b"}""", $"<message{From} to='a@b'{Id} type='chat'>{OriginId}</message>" },
        { "a body", """{"to":"a@b","body":"hi"}""", $"<message{From} to='a@b'{Id} type='chat'><body>hi</body>{OriginId}</message>" },
        { "every field", """{"at":"2026-05-17T11:59:59Z","to":"a@b","from":"app.example/x","id":"7","type":"groupchat","body":"B","subject":"S","thread":"T","lang":"de-AT","xml":["<x xmlns='urn:x'/>","<y xmlns='urn:y'>1</y>"],"ttl":60,"store":["no-copy","store"],"meta":{"a":[1,{"b":null}]},"replyTo":"bridge:reply:1"}""", "<message from='app.example/x' to='a@b' id='7' type='groupchat' xml:lang='de-AT'><subject>S</subject><body>B</body><thread>T</thread><x xmlns='urn:x'/><y xmlns='urn:y'>1</y><store xmlns='urn:xmpp:hints'/><no-copy xmlns='urn:xmpp:hints'/><origin-id xmlns='urn:xmpp:sid:0' id='7'/></message>" },
        { "nulls count as absent", """{"to":"a@b","from":null,"id":null,"type":null,"body":null,"subject":null,"thread":null,"lang":null,"xml":null,"stanza":null,"ttl":null,"expires":null,"store":null,"meta":null,"at":null,"replyTo":null}""", $"<message{From} to='a@b'{Id} type='chat'>{OriginId}</message>" },
        { "an empty id", """{"to":"a@b","id":""}""", $"<message{From} to='a@b'{Id} type='chat'>{OriginId}</message>" },
        { "an empty body", """{"to":"a@b","body":""}""", $"<message{From} to='a@b'{Id} type='chat'><body></body>{OriginId}</message>" },
        { "markup in the body", """{"to":"a@b","body":"</body><presence/>&'\"]]>"}""", $"<message{From} to='a@b'{Id} type='chat'><body>&lt;/body&gt;&lt;presence/&gt;&amp;'\"]]&gt;</body>{OriginId}</message>" },
        { "markup in the id", """{"to":"a@b","id":"'/><x \"&\n"}""", $"<message{From} to='a@b' id='&apos;/&gt;&lt;x &quot;&amp;&#10;' type='chat'><origin-id xmlns='urn:xmpp:sid:0' id='&apos;/&gt;&lt;x &quot;&amp;&#10;'/></message>" },
        { "line ends in the body", """{"to":"a@b","body":"a\r\nb\tc"}""", $"<message{From} to='a@b'{Id} type='chat'><body>a&#13;\nb\tc</body>{OriginId}</message>" },
        { "escapes", """{"to":"\u0061@b","b\u006fdy":"\u00e9\ud83d\ude00\/\\\"\b"}""".Replace("\\b\"}", "\"}", StringComparison.Ordinal), $"<message{From} to='a@b'{Id} type='chat'><body>é😀/\\\"</body>{OriginId}</message>" },
        { "a quote in the resource", """{"to":"a@b/it's <&>"}""", $"<message{From} to='a@b/it&apos;s &lt;&amp;&gt;'{Id} type='chat'>{OriginId}</message>" },
        { "one element as a string", """{"to":"a@b","xml":" <x xmlns=\"urn:x\"/>\n"}""", $"<message{From} to='a@b'{Id} type='chat'><x xmlns=\"urn:x\"/>{OriginId}</message>" },
        { "a prefixed element", """{"to":"a@b","xml":"<p:x xmlns:p='urn:x'/>"}""", $"<message{From} to='a@b'{Id} type='chat'><p:x xmlns:p='urn:x'/>{OriginId}</message>" },
        { "an own origin-id", """{"to":"a@b","xml":"<origin-id xmlns='urn:xmpp:sid:0' id='9'/>"}""", $"<message{From} to='a@b'{Id} type='chat'><origin-id xmlns='urn:xmpp:sid:0' id='9'/></message>" },
        { "one hint", """{"to":"a@b","store":"no-store"}""", $"<message{From} to='a@b'{Id} type='chat'><no-store xmlns='urn:xmpp:hints'/>{OriginId}</message>" },
        { "a permanent hint twice", """{"to":"a@b","store":["no-permanent-store","no-permanent-store"]}""", $"<message{From} to='a@b'{Id} type='chat'><no-permanent-store xmlns='urn:xmpp:hints'/>{OriginId}</message>" },
        { "a stanza", """{"stanza":"<presence to=\"a@b\" xmlns='jabber:client'/>","meta":{}}""", $"<presence{From}{Id} to=\"a@b\"/>" },
        { "a message as a stanza", """{"stanza":" <message to='a@b' id='1'/> "}""", $"<message{From} to='a@b' id='1'/>" },
        { "an old push", """{"to":"a@b","at":1779018000000}""", $"<message{From} to='a@b'{Id} type='chat'>{OriginId}<delay xmlns='urn:xmpp:delay' from='app.example' stamp='2026-05-17T11:40:00.000Z'/></message>" },
        { "an old push in seconds, as a string", """{"to":"a@b","at":"1779018000"}""", $"<message{From} to='a@b'{Id} type='chat'>{OriginId}<delay xmlns='urn:xmpp:delay' from='app.example' stamp='2026-05-17T11:40:00.000Z'/></message>" },
        { "an old push with an own stamp", """{"to":"a@b","at":1779018000,"xml":"<delay xmlns='urn:xmpp:delay' stamp='x'/>"}""", $"<message{From} to='a@b'{Id} type='chat'><delay xmlns='urn:xmpp:delay' stamp='x'/>{OriginId}</message>" },
        { "an old stanza", """{"at":"2026-05-17T13:40:00+02:00","stanza":"<message to='a@b' id='1' from='app.example'/>"}""", "<message to='a@b' id='1' from='app.example'><delay xmlns='urn:xmpp:delay' from='app.example' stamp='2026-05-17T11:40:00.000Z'/></message>" },
        { "white space around and inside", " { \"to\" :\n\"a@b\" } \r\n", $"<message{From} to='a@b'{Id} type='chat'>{OriginId}</message>" },
        { "an id of the longest kind", $$"""{"to":"a@b","id":"{{new string('x', 1023)}}"}""", $"<message{From} to='a@b' id='{new string('x', 1023)}' type='chat'><origin-id xmlns='urn:xmpp:sid:0' id='{new string('x', 1023)}'/></message>" },
    };

    /// <summary>Name, envelope (<c>\xNN</c> is a byte), reason, offset, how the detail begins.</summary>
    public static TheoryData<string, string, RejectionReason, int, string> Rejected { get; } = new()
    {
        { "cut off", """{"to":"a@b" """, RejectionReason.JsonMalformed, 11, "not one JSON object" },
        { "no quotes", """{to:"a@b"}""", RejectionReason.JsonMalformed, 1, "not one JSON object" },
        { "a trailing comma", """{"to":"a@b",}""", RejectionReason.JsonMalformed, 12, "not one JSON object" },
        { "a comment", """{"to":"a@b"/**/}""", RejectionReason.JsonMalformed, 11, "not one JSON object" },
        { "two objects", """{"to":"a@b"}{"to":"a@b"}""", RejectionReason.JsonMalformed, 12, "not one JSON object" },
        { "a mistake on the second line", "{\n\"to\":x}", RejectionReason.JsonMalformed, 7, "not one JSON object" },
        { "a raw control in a string", "{\"to\":\"a@b\",\"body\":\"\u0001\"}", RejectionReason.JsonMalformed, 20, "not one JSON object" },
        { "65 levels", """{"to":"a@b","meta":{"a":""" + new string('[', 64) + new string(']', 64) + "}}", RejectionReason.JsonMalformed, 86, "not one JSON object" },
        { "not UTF-8", "{\"to\":\"a@b\",\"body\":\"\\xFF\"}", RejectionReason.NotUtf8, 20, "not UTF-8" },

        { "an unknown field", """{"to":"a@b","priority":1}""", RejectionReason.JsonUnknownField, 12, "unknown field 'priority'" },
        { "a field in another case", """{"To":"a@b"}""", RejectionReason.JsonUnknownField, 1, "unknown field 'To'" },
        { "a very long unknown field", "{\"" + new string('x', 100) + "\":1}", RejectionReason.JsonUnknownField, 1, "unknown field '" + new string('x', 64) + "…'" },
        { "a field named by half a surrogate pair", """{"\udead":1}""", RejectionReason.JsonUnknownField, 1, @"unknown field '\udead'" },
        { "a known field with half a surrogate pair", """{"to\ud83d":1}""", RejectionReason.JsonUnknownField, 1, @"unknown field 'to\ud83d'" },
        { "a long field of escapes", "{\"" + string.Concat(Enumerable.Repeat(@"\u0078", 8)) + "\":1}", RejectionReason.JsonUnknownField, 1, "unknown field" },
        { "a field twice", """{"to":"a@b","to":"c@d"}""", RejectionReason.JsonDuplicateField, 12, "'to' stands twice" },
        { "a field twice, once escaped", """{"to":"a@b","\u0074o":"c@d"}""", RejectionReason.JsonDuplicateField, 12, "'to' stands twice" },
        { "a field twice, once null", """{"to":null,"to":"c@d"}""", RejectionReason.JsonDuplicateField, 11, "'to' stands twice" },

        { "a number as recipient", """{"to":1}""", RejectionReason.JsonWrongType, 6, "'to' is a string" },
        { "an object as body", """{"to":"a@b","body":{}}""", RejectionReason.JsonWrongType, 19, "'body' is a string" },
        { "a number as id", """{"to":"a@b","id":7}""", RejectionReason.JsonWrongType, 17, "'id' is a string" },
        { "an object as xml", """{"to":"a@b","xml":{}}""", RejectionReason.JsonWrongType, 18, "'xml' is a string or an array" },
        { "a number inside xml", """{"to":"a@b","xml":[1]}""", RejectionReason.JsonWrongType, 19, "'xml' is a string" },
        { "true as store", """{"to":"a@b","store":true}""", RejectionReason.JsonWrongType, 20, "'store' is a string or an array" },
        { "true as ttl", """{"to":"a@b","ttl":true}""", RejectionReason.JsonWrongType, 18, "'ttl' is a number" },
        { "an array as at", """{"to":"a@b","at":[]}""", RejectionReason.JsonWrongType, 17, "'at' is a time" },
        { "a string as meta", """{"to":"a@b","meta":"x"}""", RejectionReason.JsonWrongType, 19, "'meta' is an object" },

        { "no recipient", """{"body":"hi"}""", RejectionReason.JsonMissingTo, 0, "neither" },
        { "an empty object", "{}", RejectionReason.JsonMissingTo, 0, "neither" },
        { "null as recipient", """{"to":null}""", RejectionReason.JsonMissingTo, 0, "neither" },

        { "stanza and body", """{"stanza":"<message to='a@b'/>","body":"x"}""", RejectionReason.JsonConflictingFields, 39, "'stanza' and 'body'" },
        { "id and stanza", """{"id":"7","stanza":"<message to='a@b'/>"}""", RejectionReason.JsonConflictingFields, 6, "'stanza' and 'id'" },
        { "ttl and expires", """{"to":"a@b","ttl":1,"expires":2}""", RejectionReason.JsonConflictingFields, 30, "'ttl' and 'expires'" },

        { "an error message", """{"to":"a@b","type":"error"}""", RejectionReason.JsonInvalidValue, 20, "'type' is chat" },
        { "an unknown type", """{"to":"a@b","type":"Chat"}""", RejectionReason.JsonInvalidValue, 20, "'type' is chat" },
        { "an id too long", "{\"to\":\"a@b\",\"id\":\"" + new string('x', 1024) + "\"}", RejectionReason.JsonInvalidValue, 18, "'id' is longer" },
        { "a thread too long", "{\"to\":\"a@b\",\"thread\":\"" + new string('x', 1024) + "\"}", RejectionReason.JsonInvalidValue, 22, "'thread' is longer" },
        { "a language with a space", """{"to":"a@b","lang":"de at"}""", RejectionReason.JsonInvalidValue, 20, "'lang' is not" },
        { "an empty language", """{"to":"a@b","lang":""}""", RejectionReason.JsonInvalidValue, 20, "'lang' is not" },
        { "a language that begins with a digit", """{"to":"a@b","lang":"1a"}""", RejectionReason.JsonInvalidValue, 20, "'lang' is not" },
        { "a language too long", "{\"to\":\"a@b\",\"lang\":\"a" + string.Concat(Enumerable.Repeat("-a", 32)) + "\"}", RejectionReason.JsonInvalidValue, 20, "'lang' is longer" },
        { "an unknown hint", """{"to":"a@b","store":["store","never"]}""", RejectionReason.JsonInvalidValue, 30, "'store' is store" },
        { "zero ttl", """{"to":"a@b","ttl":0}""", RejectionReason.JsonInvalidValue, 18, "'ttl' is a number" },
        { "a negative ttl", """{"to":"a@b","ttl":-1}""", RejectionReason.JsonInvalidValue, 18, "'ttl' is a number" },
        { "a huge ttl", """{"to":"a@b","ttl":1e300}""", RejectionReason.JsonInvalidValue, 18, "'ttl' is a number" },
        { "an infinite ttl", """{"to":"a@b","ttl":1e999}""", RejectionReason.JsonInvalidValue, 18, "'ttl' is a number" },
        { "a ttl in words", """{"to":"a@b","ttl":"soon"}""", RejectionReason.JsonInvalidValue, 18, "'ttl' is a number" },
        { "an empty ttl", """{"to":"a@b","ttl":""}""", RejectionReason.JsonInvalidValue, 18, "'ttl' is a number" },
        { "a key of something else", """{"to":"a@b","replyTo":"session:1"}""", RejectionReason.JsonInvalidValue, 23, "'replyTo' is a key that begins with bridge:reply:" },
        { "a key without a name of its own", """{"to":"a@b","replyTo":"bridge:reply"}""", RejectionReason.JsonInvalidValue, 23, "'replyTo' is a key" },
        { "a number as replyTo", """{"to":"a@b","replyTo":1}""", RejectionReason.JsonWrongType, 22, "'replyTo' is a string" },
        { "a negative time", """{"to":"a@b","at":-1}""", RejectionReason.JsonInvalidValue, 17, "'at' is a time" },
        { "a time too far", """{"to":"a@b","expires":1e18}""", RejectionReason.JsonInvalidValue, 22, "'expires' is a time" },
        { "a date alone", """{"to":"a@b","expires":"2026-05-17"}""", RejectionReason.JsonInvalidValue, 22, "'expires' is a time" },
        { "a time without zone", """{"to":"a@b","expires":"2026-05-17T12:00:00"}""", RejectionReason.JsonInvalidValue, 22, "'expires' is a time" },
        { "33 elements", "{\"to\":\"a@b\",\"xml\":[" + string.Join(',', Enumerable.Repeat("\"<x xmlns='x'/>\"", 33)) + "]}", RejectionReason.JsonInvalidValue, 564, "'xml' has more" },
        { "meta too long", "{\"to\":\"a@b\",\"meta\":{\"a\":\"" + new string('x', 4096) + "\"}}", RejectionReason.JsonInvalidValue, 19, "'meta' is longer" },
        { "half a surrogate pair", """{"to":"a@b","body":"ab\ud83d"}""", RejectionReason.JsonInvalidValue, 22, "'body' holds half" },
        { "a surrogate pair the wrong way round", """{"to":"a@b","body":"\ude00\ud83d"}""", RejectionReason.JsonInvalidValue, 20, "'body' holds half" },
        { "half a pair, then a letter", """{"to":"a@b","body":"\ud83d\u0041"}""", RejectionReason.JsonInvalidValue, 20, "'body' holds half" },

        { "a backspace in the body", """{"to":"a@b","body":"a\u00e9\n\b"}""", RejectionReason.ForbiddenCharacter, 29, "'body' holds a character" },
        { "a NUL in the id", """{"to":"a@b","id":"\u0000"}""", RejectionReason.ForbiddenCharacter, 18, "'id' holds a character" },
        { "U+FFFF in the subject", """{"to":"a@b","subject":"x\uffff"}""", RejectionReason.ForbiddenCharacter, 24, "'subject' holds a character" },
        { "U+FFFE unescaped in the thread", "{\"to\":\"a@b\",\"thread\":\"x\uFFFE\"}", RejectionReason.ForbiddenCharacter, 23, "'thread' holds a character" },

        { "an empty recipient", """{"to":""}""", RejectionReason.InvalidTo, 7, "the domainpart is empty" },
        { "a recipient with a space", """{"to":"a b@c"}""", RejectionReason.InvalidTo, 7, "the localpart holds" },
        { "a foreign sender", """{"to":"a@b","from":"x@elsewhere.example"}""", RejectionReason.ForeignFrom, 20, "not a domain" },
        { "a sender that is no JID", """{"to":"a@b","from":"@app.example"}""", RejectionReason.InvalidFrom, 20, "the localpart is empty" },

        { "an element without namespace", """{"to":"a@b","xml":"<x/>"}""", RejectionReason.JsonXmlInvalid, 19, "missing-namespace: " },
        { "an empty namespace", """{"to":"a@b","xml":"<x xmlns=''/>"}""", RejectionReason.JsonXmlInvalid, 19, "missing-namespace: " },
        { "two elements in one string", """{"to":"a@b","xml":["<x xmlns='x'/><x xmlns='x'/>"]}""", RejectionReason.JsonXmlInvalid, 34, "trailing-content: " },
        { "text as an element", """{"to":"a@b","xml":" x"}""", RejectionReason.JsonXmlInvalid, 20, "leading-content: " },
        { "an empty string as an element", """{"to":"a@b","xml":""}""", RejectionReason.JsonXmlInvalid, 19, "leading-content: " },
        { "an element that ends the message", """{"to":"a@b","xml":"</message>"}""", RejectionReason.JsonXmlInvalid, 19, "not-well-formed: " },
        { "a control behind an escape", """{"to":"a@b","xml":"<x xmlns=\"x\">\u0001</x>"}""", RejectionReason.JsonXmlInvalid, 34, "forbidden-character: " },
        { "an element too deep", """{"to":"a@b","xml":"<a xmlns='x'><a><a><a><a><a/></a></a></a></a></a>"}""", RejectionReason.JsonXmlInvalid, 44, "too-deep: " },

        { "a stanza of another name", """{"stanza":" <note/>"}""", RejectionReason.JsonStanzaInvalid, 13, "not-a-stanza: " },
        { "an empty stanza", """{"stanza":"\n "}""", RejectionReason.JsonStanzaInvalid, 11, "empty-payload: " },
        { "text before the stanza", """{"stanza":"x<message to='a@b'/>"}""", RejectionReason.JsonStanzaInvalid, 11, "leading-content: " },
        { "two stanzas", """{"stanza":"<message to=\"a@b\"/><iq/>"}""", RejectionReason.JsonStanzaInvalid, 32, "trailing-content: " },
        { "a stanza without 'to'", """{"stanza":"<message/>"}""", RejectionReason.JsonStanzaInvalid, 11, "missing-to: " },

        { "too large", "{\"to\":\"a@b\",\"body\":\"" + new string('x', MaxBytes) + "\"}", RejectionReason.Oversize, -1, "the stanza has" },
        { "too large once escaped", "{\"to\":\"a@b\",\"body\":\"" + new string('<', MaxBytes / 4) + "\"}", RejectionReason.Oversize, -1, "the stanza has" },
        { "expired", """{"to":"a@b","expires":"2026-05-17T12:00:00Z"}""", RejectionReason.Expired, -1, "the time to live" },
    };

    [Theory]
    [MemberData(nameof(Golden))]
    public void An_envelope_becomes_one_message(string name, string payload, string expected)
    {
        var (result, output) = Encode(Encoding.UTF8.GetBytes(payload));

        Assert.True(result.Accepted, $"{name}: {result.Rejection}");
        Assert.Equal(expected, Encoding.UTF8.GetString(output));
        Assert.Null(StreamParse.Mistake(output));
    }

    [Theory]
    [MemberData(nameof(Rejected))]
    public void What_is_wrong_with_an_envelope_is_named_with_its_place(string name, string payload, RejectionReason reason, int offset, string detail)
    {
        var (result, output) = Encode(Bytes(payload));

        Assert.Equal((name, reason, offset), (name, result.Rejection.Reason, result.Rejection.Offset));
        Assert.StartsWith(detail, result.Rejection.Detail, StringComparison.Ordinal);
        Assert.DoesNotContain("\n", result.Rejection.Detail!, StringComparison.Ordinal);
        Assert.Empty(output);
    }

    [Fact]
    public void Every_reason_of_the_envelope_has_a_row()
    {
        var rows = Rejected.Select(row => (RejectionReason)row[2]).ToHashSet();

        var missing = Enum.GetValues<RejectionReason>()
            .Where(reason => reason.WireName().StartsWith("json-", StringComparison.Ordinal))
            .Except(rows);

        Assert.Empty(missing);
    }

    [Fact]
    public void An_offset_counts_from_the_payloads_first_byte() =>
        Assert.Equal(4, Encode("\n\n {\"x\":1}"u8.ToArray()).Result.Rejection.Offset);

    [Theory]
    // The time to live counts from 'at', else from the stream entry's time, else from the take.
    [InlineData("""{"to":"a@b","at":"2026-05-17T11:59:50Z","ttl":10}""", null, true)]
    [InlineData("""{"to":"a@b","at":"2026-05-17T11:59:50Z","ttl":10.001}""", null, false)]
    [InlineData("""{"to":"a@b","at":"2026-05-17T11:59:50Z","ttl":"10"}""", null, true)]
    [InlineData("""{"to":"a@b","at":"2026-05-17T11:59:59Z","ttl":10}""", 60, false)]
    [InlineData("""{"to":"a@b","ttl":10}""", 10, true)]
    [InlineData("""{"to":"a@b","ttl":10}""", 9, false)]
    [InlineData("""{"to":"a@b","ttl":10}""", null, false)]
    [InlineData("""{"to":"a@b","ttl":0.001}""", null, false)]
    [InlineData("""{"to":"a@b","ttl":1e9}""", 60, false)]
    [InlineData("""{"to":"a@b","expires":"2026-05-17T14:00:00+02:00"}""", null, true)]
    [InlineData("""{"to":"a@b","expires":"2026-05-17T14:00:00\u002b02:00"}""", null, true)]
    [InlineData("""{"to":"a@b","expires":"2026-05-17T12:00:00.001Z"}""", null, false)]
    [InlineData("""{"to":"a@b","expires":1779019200}""", null, true)]
    [InlineData("""{"to":"a@b","expires":1779019200.001}""", null, false)]
    [InlineData("""{"to":"a@b","expires":1779019200000}""", null, true)]
    [InlineData("""{"to":"a@b","expires":"1779019200001"}""", null, false)]
    [InlineData("""{"ttl":1,"at":1,"stanza":"<presence to='a@b'/>"}""", null, true)]
    public void An_entry_expires_at_its_time_to_live(string payload, int? pushedSecondsAgo, bool expired)
    {
        var pushed = pushedSecondsAgo is { } seconds ? Now.AddSeconds(-seconds) : (DateTimeOffset?)null;

        var (result, _) = Encode(Encoding.UTF8.GetBytes(payload), pushed);

        Assert.Equal(expired ? RejectionReason.Expired : RejectionReason.None, result.Rejection.Reason);
    }

    [Fact]
    public void A_push_at_the_end_of_time_neither_expires_nor_throws()
    {
        // Stream entry ids are the producer's to choose.
        var payload = """{"to":"a@b","ttl":1e9}"""u8.ToArray();

        Assert.True(Encode(payload, DateTimeOffset.MaxValue).Result.Accepted);
        Assert.Equal(RejectionReason.Expired, Encode(payload, DateTimeOffset.MinValue).Result.Rejection.Reason);
    }

    [Theory]
    [InlineData("2026-05-17T12:00:00Z", "2026-05-17T12:00:00.0000000")]
    [InlineData("2026-05-17t12:00:00z", "2026-05-17T12:00:00.0000000")]
    [InlineData("2026-05-17T12:00:00.1234567899Z", "2026-05-17T12:00:00.1234567")]
    [InlineData("2026-05-17T00:30:00+01:30", "2026-05-16T23:00:00.0000000")]
    [InlineData("2026-05-17T00:30:00-23:59", "2026-05-18T00:29:00.0000000")]
    [InlineData("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.0000000")]
    [InlineData("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.0000000")]
    [InlineData("1970-01-01T00:00:00+23:59", "1969-12-31T00:01:00.0000000")]
    public void A_time_of_RFC_3339_is_read(string text, string utc)
    {
        Assert.True(XmppTime.TryRead(Encoding.UTF8.GetBytes(text), out var time));
        Assert.Equal(utc, time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.fffffff", System.Globalization.CultureInfo.InvariantCulture));
    }

    [Theory]
    [InlineData("2026-02-29T00:00:00Z")]
    [InlineData("2026-13-01T00:00:00Z")]
    [InlineData("2026-00-01T00:00:00Z")]
    [InlineData("2026-01-00T00:00:00Z")]
    [InlineData("2026-01-01T24:00:00Z")]
    [InlineData("2026-01-01T00:60:00Z")]
    [InlineData("2026-01-01T00:00:61Z")]
    [InlineData("2026-01-01T00:00:00.Z")]
    [InlineData("2026-01-01T00:00:00+24:00")]
    [InlineData("2026-01-01T00:00:00+0100")]
    [InlineData("2026-01-01T00:00:00Zx")]
    [InlineData("2026-01-01 00:00:00Z")]
    [InlineData("1969-12-31T23:59:59Z")]
    [InlineData("9999-12-31T23:59:59Z")]
    [InlineData("")]
    public void What_is_no_time_of_RFC_3339_is_not_read(string text) =>
        Assert.False(XmppTime.TryRead(Encoding.UTF8.GetBytes(text), out _));

    [Theory]
    [InlineData("""{"to":"a@b","id":"x\u0026y"}""", "x&y")]
    [InlineData("""{"to":"a@b","id":"é"}""", "é")]
    [InlineData("""{"stanza":"<message to='a@b' id='x&amp;y'/>"}""", "x&y")]
    public void The_apps_own_id_is_hashed_unescaped(string payload, string id) =>
        Assert.Equal(OwnIds.HashOf(Encoding.UTF8.GetBytes(id), "a@b"u8), Encode(Encoding.UTF8.GetBytes(payload)).Result.OwnIdHash);

    [Theory]
    [InlineData("""{"to":"a@b/c","id":"7","replyTo":"bridge:reply:1","meta":{"a": 1}}""", OutcomeMode.None, "7 a@b/c bridge:reply:1 {\"a\": 1}")]
    [InlineData("""{"stanza":"<message to='a@b' id='x&amp;y'/>","replyTo":"bridge:reply:1"}""", OutcomeMode.Failures, "x&y a@b bridge:reply:1 ")]
    [InlineData("""{"to":"a@b","id":"7"}""", OutcomeMode.Failures, null)]
    [InlineData("""{"to":"a@b","id":"7"}""", OutcomeMode.All, "7 a@b  ")]
    [InlineData("""{"to":"a@b"}""", OutcomeMode.All, GeneratedId + " a@b  ")]
    [InlineData("<message to='a&#64;b'/>", OutcomeMode.All, GeneratedId + " a@b  ")]
    [InlineData("<message to='a@b' id='7'/>", OutcomeMode.Failures, null)]
    // What is rejected has an ending to tell in every mode but none, and what was read of it says to whom.
    [InlineData("<message/>", OutcomeMode.None, null)]
    [InlineData("<message/>", OutcomeMode.Failures, GeneratedId + "   ")]
    [InlineData("", OutcomeMode.Failures, GeneratedId + "   ")]
    [InlineData(" \n", OutcomeMode.All, GeneratedId + "   ")]
    [InlineData(" \n", OutcomeMode.None, null)]
    [InlineData("""{"to":"@","id":"7","replyTo":"bridge:reply:1"}""", OutcomeMode.None, "7 @ bridge:reply:1 ")]
    [InlineData("""{"replyTo":"bridge:reply:1","id":"7","unknown":1}""", OutcomeMode.None, "7  bridge:reply:1 ")]
    [InlineData("""{"unknown":1,"replyTo":"bridge:reply:1"}""", OutcomeMode.None, null)]
    public void A_ticket_says_what_is_to_be_told_and_to_whom(string payload, OutcomeMode mode, string? expected)
    {
        var encoder = new StanzaEncoder(Rules, Domain, mode);
        var ticket = encoder.Encode(Entry(Encoding.UTF8.GetBytes(payload)), new System.Buffers.ArrayBufferWriter<byte>(), Now).Ticket;

        Assert.Equal(expected, ticket is null ? null : $"{ticket.Id} {ticket.To} {ticket.ReplyTo} {ticket.Meta}");
    }

    [Theory]
    [InlineData("""{"to":"a@b","body":"x","receipt":true}""", false, "Receipt 60", true)]
    [InlineData("""{"to":"a@b","body":"x","receipt":"true","timeout":"2.5"}""", false, "Receipt 2.5", true)]
    [InlineData("""{"to":"a@b","body":"x"}""", false, null, false)]
    [InlineData("""{"to":"a@b","body":"x"}""", true, "Receipt 60", true)]
    [InlineData("""{"to":"a@b","body":"x","timeout":3}""", true, "Receipt 3", true)]
    [InlineData("""{"to":"a@b","body":"x","receipt":false,"replyTo":"bridge:reply:1"}""", true, "None", false)]
    [InlineData("""{"to":"a@b","subject":"x"}""", true, null, false)]
    [InlineData("""{"to":"a@b","body":"x","type":"groupchat"}""", true, null, false)]
    [InlineData("""{"to":"a@b","receipt":true,"xml":"<request xmlns='urn:xmpp:receipts'/>"}""", false, "Receipt 60", true)]
    [InlineData("""{"stanza":"<message to='a@b'><body>x</body></message>","receipt":true}""", false, "Receipt 60", true)]
    [InlineData("""{"stanza":"<message to='a@b' type='chat'/>","receipt":true}""", false, "Receipt 60", true)]
    [InlineData("""{"stanza":"<message to='a@b'><request xmlns='urn:xmpp:receipts'/></message>","receipt":true}""", false, "Receipt 60", true)]
    [InlineData("<message to='a@b'><body>x</body></message>", true, "Receipt 60", true)]
    [InlineData("<message to='a@b' type='headline'><body>x</body></message>", true, null, false)]
    [InlineData("<presence to='a@b'/>", true, null, false)]
    [InlineData("<iq to='a@b' type='get'><ping xmlns='urn:xmpp:ping'/></iq>", true, null, false)]
    [InlineData("""{"stanza":"<iq to='a@b' type='get'><ping xmlns='urn:xmpp:ping'/></iq>","replyTo":"bridge:reply:1"}""", false, "Result 30", false)]
    [InlineData("""{"stanza":"<iq to='a@b' type='set'><ping xmlns='urn:xmpp:ping'/></iq>","timeout":5}""", false, "Result 5", false)]
    [InlineData("""{"stanza":"<iq to='a@b' type='result'/>","replyTo":"bridge:reply:1"}""", false, "None", false)]
    public void What_waits_for_an_answer_says_so_and_asks_for_it_once(string payload, bool askReceipts, string? expected, bool asks)
    {
        var encoder = new StanzaEncoder(Rules, Domain, OutcomeMode.Failures, askReceipts);
        var output = new System.Buffers.ArrayBufferWriter<byte>();

        var result = encoder.Encode(Entry(Encoding.UTF8.GetBytes(payload)), output, Now);

        Assert.True(result.Accepted, result.Rejection.ToString());
        var wait = result.Ticket is not { } ticket ? null
            : ticket.Answer == AnswerKind.None ? "None"
            : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{ticket.Answer} {ticket.AnswerWithin.TotalSeconds}");
        Assert.Equal(expected, wait);
        var stanza = XElement.Parse(Encoding.UTF8.GetString(output.WrittenSpan));
        Assert.Equal(asks ? 1 : 0, stanza.Elements(XName.Get("request", "urn:xmpp:receipts")).Count());
    }

    [Theory]
    [InlineData("""{"to":"a@b","type":"groupchat","receipt":true}""", 41)]
    [InlineData("""{"to":"a@b","timeout":1}""", 22)]
    [InlineData("""{"stanza":"<presence to='a@b'/>","receipt":true}""", 43)]
    [InlineData("""{"stanza":"<iq to='a@b' type='result'/>","timeout":1}""", 51)]
    public void An_answer_that_nobody_can_give_is_not_waited_for(string payload, int offset)
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        var rejection = new StanzaEncoder(Rules, Domain).Encode(Entry(Encoding.UTF8.GetBytes(payload)), output, Now).Rejection;

        Assert.Equal((RejectionReason.JsonConflictingFields, offset, 0), (rejection.Reason, rejection.Offset, output.WrittenCount));
    }

    [Fact]
    public void A_generated_id_has_no_hash() =>
        Assert.Equal(0UL, Encode("""{"to":"a@b"}"""u8.ToArray()).Result.OwnIdHash);

    [Fact]
    public void Any_text_reads_back_as_it_was_written() =>
        Gen.Select(XmlStrings, XmlStrings, XmlStrings).Sample((body, subject, id) =>
        {
            var json = JsonSerializer.SerializeToUtf8Bytes(new { to = "a@b", body, subject, id });

            var (result, output) = Encode(json);

            Assert.True(result.Accepted, result.Rejection.ToString());
            var message = XElement.Parse(Encoding.UTF8.GetString(output), LoadOptions.PreserveWhitespace);
            Assert.Equal((body, subject), (message.Element("body")!.Value, message.Element("subject")!.Value));
            Assert.Equal(id.Length == 0 ? GeneratedId : id, message.Attribute("id")!.Value);
            Assert.Equal(message.Attribute("id")!.Value, message.Element(XName.Get("origin-id", "urn:xmpp:sid:0"))!.Attribute("id")!.Value);
        }, iter: 5000);

    // Everything that XML permits, with what JSON and XML escape made frequent.
    private static readonly Gen<string> XmlStrings =
        Gen.Frequency(
            (6, Gen.OneOf("<", ">", "&", "'", "\"", "\\", "\t", "\n", "\r", "\r\n", "]]>", "\u0085", "\u2028", "\uFEFF", "\uFFFD", "😀")),
            (2, Gen.Int[0x20, 0x7F].Select(c => new Rune(c).ToString())),
            (1, Gen.Int[0xA0, 0xD7FF].Select(c => new Rune(c).ToString())),
            (1, Gen.Int[0x10000, 0x10FFFF].Select(c => new Rune(c).ToString())))
        .Array[0, 20].Select(parts => string.Concat(parts));

    [Fact]
    public void The_schema_lists_exactly_the_fields_that_the_parser_knows()
    {
        using var schema = JsonDocument.Parse(File.ReadAllText(SchemaPath()));
        var root = schema.RootElement;
        var properties = root.GetProperty("properties");

        Assert.Equal(Envelope.FieldNames, properties.EnumerateObject().Select(property => property.Name));
        Assert.Equal(Envelope.FieldNames.Length, Enum.GetValues<EnvelopeField>().Length);
        Assert.False(root.GetProperty("additionalProperties").GetBoolean());
        Assert.Equal(
            Envelope.MessageTypes,
            properties.GetProperty("type").GetProperty("enum").EnumerateArray().Select(type => type.GetString()).Where(type => type is not null)!);
        Assert.Equal(
            Envelope.HintNames,
            root.GetProperty("$defs").GetProperty("hint").GetProperty("enum").EnumerateArray().Select(hint => hint.GetString())!);
        Assert.Equal(Envelope.MaxIdBytes, properties.GetProperty("id").GetProperty("maxLength").GetInt32());
        Assert.Equal(Envelope.MaxIdBytes, properties.GetProperty("thread").GetProperty("maxLength").GetInt32());
        Assert.Equal(Envelope.MaxLangBytes, properties.GetProperty("lang").GetProperty("maxLength").GetInt32());
        Assert.Equal(Envelope.MaxXmlElements, properties.GetProperty("xml").GetProperty("anyOf")[1].GetProperty("maxItems").GetInt32());
        Assert.Equal(Envelope.MaxSeconds, properties.GetProperty("ttl").GetProperty("anyOf")[0].GetProperty("maximum").GetDouble());
        Assert.Equal(Envelope.MaxSeconds, properties.GetProperty("timeout").GetProperty("anyOf")[0].GetProperty("maximum").GetDouble());
    }

    private static string SchemaPath([CallerFilePath] string here = "") =>
        Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "..", "docs", "envelope.schema.json");
}
