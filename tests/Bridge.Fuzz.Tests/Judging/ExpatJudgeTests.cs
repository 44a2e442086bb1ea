using System.Text;

namespace Bridge.Fuzz.Tests.Judging;

/// <summary>A judge that sees nothing would clear everything: hand-made bad cases must be refused.</summary>
public sealed class ExpatJudgeTests(ExpatJudge judge) : IClassFixture<ExpatJudge>
{
    private const string Good = "<message from='app.example' to='a@b' id='1'><body>x</body></message>";

    [Theory]
    [InlineData("nothing", "")]
    [InlineData("two stanzas", Good + Good)]
    [InlineData("white space beside it", Good + " ")]
    [InlineData("text beside it", "x" + Good)]
    [InlineData("a CDATA section beside it", Good + "<![CDATA[]]>")]
    [InlineData("a second root", Good + "</stream:stream><stream:stream xmlns:stream='http://etherx.jabber.org/streams'>")]
    [InlineData("the stream's end", Good + "</stream:stream>")]
    [InlineData("an open stanza", "<message from='app.example' to='a@b' id='1'>")]
    [InlineData("an open tag", "<message from='app.example' to='a@b' id='1'")]
    [InlineData("an open tag behind it", Good + "<")]
    [InlineData("an open CDATA section", "<message from='app.example' to='a@b' id='1'><![CDATA[")]
    [InlineData("an end tag too many", Good + "</message>")]
    [InlineData("tags that do not match", "<message from='app.example' to='a@b' id='1'></iq>")]
    [InlineData("a stream error", "<stream:error from='app.example' to='a@b' id='1'/>")]
    [InlineData("stream-level markup inside", "<message from='app.example' to='a@b' id='1'><stream:x/></message>")]
    [InlineData("another element", "<handshake from='app.example' to='a@b' id='1'/>")]
    [InlineData("another namespace", "<message xmlns='jabber:server' from='app.example' to='a@b' id='1'/>")]
    [InlineData("no namespace", "<message xmlns='' from='app.example' to='a@b' id='1'/>")]
    [InlineData("a prefix without declaration", "<message from='app.example' to='a@b' id='1'><p:x/></message>")]
    [InlineData("no to", "<message from='app.example' id='1'/>")]
    [InlineData("no id", "<message from='app.example' to='a@b'/>")]
    [InlineData("no from", "<message to='a@b' id='1'/>")]
    [InlineData("a foreign from", "<message from='app.example@evil.example/app.example' to='a@b' id='1'/>")]
    [InlineData("a comment", "<message from='app.example' to='a@b' id='1'><!-- x --></message>")]
    [InlineData("a processing instruction", "<message from='app.example' to='a@b' id='1'><?x?></message>")]
    [InlineData("a document type", "<!DOCTYPE message>" + Good)]
    [InlineData("an entity declaration", "<!DOCTYPE a [<!ENTITY b 'c'>]>" + Good)]
    [InlineData("an XML declaration", "<?xml version='1.0'?>" + Good)]
    [InlineData("an undeclared entity", "<message from='app.example' to='a@b' id='1'>&nbsp;</message>")]
    [InlineData("a forbidden character", "<message from='app.example' to='a@b' id='1'>\u0001</message>")]
    [InlineData("a reference to one", "<message from='app.example' to='a@b' id='1'>&#8;</message>")]
    [InlineData("U+FFFE", "<message from='app.example' to='a@b' id='1'>\uFFFE</message>")]
    [InlineData("a doubled attribute", "<message from='app.example' to='a@b' to='c@d' id='1'/>")]
    [InlineData("a line feed in a namespace", "<message from='app.example' to='a@b' id='1'><x xmlns='a&#10;b'/></message>")]
    public void Stanzas_that_would_hurt_the_stream_are_refused(string name, string stanza) =>
        Refuses(new JudgedCase(Question.Stanza, false, [], Encoding.UTF8.GetBytes(stanza)), name);

    [Theory]
    [InlineData("an overlong '<'", new byte[] { 0xC0, 0xBC })]
    [InlineData("a surrogate", new byte[] { 0xED, 0xA0, 0x80 })]
    [InlineData("a cut sequence", new byte[] { 0xE2, 0x82 })]
    [InlineData("a NUL", new byte[] { 0 })]
    [InlineData("beyond Unicode", new byte[] { 0xF4, 0x90, 0x80, 0x80 })]
    public void Bytes_that_are_no_text_are_refused(string name, byte[] text) =>
        Refuses(new JudgedCase(Question.Stanza, false, [], [.. "<message from='app.example' to='a@b' id='1'>"u8, .. text, .. "</message>"u8]), name);

    [Theory]
    [InlineData("another text", "<message to='a@b' id='1' from='app.example'><body>x</body></message>", "<message to='a@b' id='1' from='app.example'><body>y</body></message>")]
    [InlineData("white space is gone", "<message to='a@b' id='1' from='app.example'>\n<body/></message>", "<message to='a@b' id='1' from='app.example'><body/></message>")]
    [InlineData("another recipient", "<message to='a@b' id='1' from='app.example'/>", "<message to='c@d' id='1' from='app.example'/>")]
    [InlineData("an attribute is gone", "<message to='a@b' id='1' from='app.example' type='chat'/>", "<message to='a@b' id='1' from='app.example'/>")]
    [InlineData("another sender", "<message to='a@b' id='1'/>", "<message from='x@app.example' to='a@b' id='1'/>")]
    [InlineData("an element too many", "<message to='a@b' id='1' from='app.example'/>", "<message to='a@b' id='1' from='app.example'><x xmlns='urn:x'/></message>")]
    [InlineData("an origin-id too many", "<message to='a@b' id='1' from='app.example'/>", "<message to='a@b' id='1' from='app.example'><origin-id xmlns='urn:xmpp:sid:0' id='1'/></message>")]
    [InlineData("no origin-id", "<message to='a@b' from='app.example'/>", "<message id='b-0123456789abcdef-7' to='a@b' from='app.example'/>")]
    [InlineData("a stamp too many", "<message to='a@b' id='1' from='app.example'/>", "<message to='a@b' id='1' from='app.example'><delay xmlns='urn:xmpp:delay' from='app.example' stamp='2026-05-17T11:59:00.000Z'/></message>")]
    [InlineData("another namespace inside", "<message to='a@b' id='1' from='app.example'><x xmlns='urn:x'/></message>", "<message to='a@b' id='1' from='app.example'><x/></message>")]
    public void Stanzas_that_say_something_else_than_the_raw_payload_are_refused(string name, string payload, string output) =>
        Refuses(new JudgedCase(Question.SameAsRaw, false, Encoding.UTF8.GetBytes(payload), Encoding.UTF8.GetBytes(output)), name);

    [Theory]
    [InlineData("another body", """{"to":"a@b","id":"1","body":"x"}""", "<body>y</body>", "1")]
    [InlineData("no body", """{"to":"a@b","id":"1","body":"x"}""", "", "1")]
    [InlineData("another id", """{"to":"a@b","id":"1","body":"x"}""", "<body>x</body>", "2")]
    [InlineData("no hint", """{"to":"a@b","id":"1","store":"no-store"}""", "", "1")]
    [InlineData("no element", """{"to":"a@b","id":"1","xml":"<x xmlns='urn:x'/>"}""", "", "1")]
    [InlineData("an element too many", """{"to":"a@b","id":"1"}""", "<x xmlns='urn:x'/>", "1")]
    [InlineData("no JSON", """{"to":"a@b","id":"1",}""", "", "1")]
    [InlineData("a doubled field", """{"to":"a@b","id":"1","id":"1"}""", "", "1")]
    [InlineData("an unknown field", """{"to":"a@b","id":"1","x":1}""", "", "1")]
    public void Stanzas_that_say_something_else_than_the_envelope_are_refused(string name, string payload, string content, string id) =>
        Refuses(new JudgedCase(Question.SameAsEnvelope, false, Encoding.UTF8.GetBytes(payload), OfEnvelope(content, id)), name);

    [Fact]
    public void A_well_formed_payload_that_was_refused_for_its_grammar_is_reported() =>
        Refuses(new JudgedCase(Question.RefusedByGrammar, false, Encoding.UTF8.GetBytes(Good), []), "well-formed");

    [Fact]
    public void Good_stanzas_are_cleared_each_and_in_the_long_stream()
    {
        var payload = Encoding.UTF8.GetBytes("<message to='a@b'>é<x a='1' xmlns='urn:x'>&lt;<![CDATA[<]]></x></message>");
        var output = Encoding.UTF8.GetBytes(
            "<message from='bot@app.example' id='b-0123456789abcdef-7' to='a@b'>é<x a='1' xmlns='urn:x'>&#60;&lt;</x><origin-id xmlns='urn:xmpp:sid:0' id='b-0123456789abcdef-7'/>"
            + "<delay xmlns='urn:xmpp:delay' from='app.example' stamp='2026-05-17T11:59:00.000Z'/></message>");
        JudgedCase[] cases =
        [
            new(Question.Stanza, false, [], Encoding.UTF8.GetBytes(Good)),
            new(Question.SameAsRaw, true, payload, output),
            new(Question.SameAsEnvelope, false, """{"to":"a@b","body":"x\u003c","id":"1","xml":["<x xmlns='urn:x'/>"]}"""u8.ToArray(), OfEnvelope("<body>x&lt;</body><x xmlns='urn:x'/>", "1")),
            new(Question.RefusedByGrammar, false, "<message><"u8.ToArray(), []),
        ];

        for (var batch = 0; batch < 3; batch++)
            Assert.Empty(judge.Ask(cases));

        Assert.Null(judge.EndLongStream());
    }

    private static byte[] OfEnvelope(string content, string id) => Encoding.UTF8.GetBytes(
        $"<message from='bot@app.example' to='a@b' id='{id}' type='chat'>{content}<origin-id xmlns='urn:xmpp:sid:0' id='{id}'/></message>");

    private void Refuses(JudgedCase bad, string name)
    {
        var good = new JudgedCase(Question.Stanza, false, [], Encoding.UTF8.GetBytes(Good));

        var faults = judge.Ask([good, bad, good]);

        Assert.True(faults is [(1, _)], $"{name}: {string.Join("; ", faults)}");
        Assert.Null(judge.EndLongStream());
    }
}
