using System.Buffers;
using System.Text;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Stanzas;
using static Bridge.Actors.Tests.Stanzas.EncoderFixture;

namespace Bridge.Actors.Tests.Stanzas;

public sealed class StanzaEncoderTests
{
    private const string OriginId = $"<origin-id xmlns='urn:xmpp:sid:0' id='{GeneratedId}'/>";
    private const string Filled = $" from='bot@app.example' id='{GeneratedId}'";

    /// <summary>Name, payload, encoded.</summary>
    public static TheoryData<string, string, string> Golden { get; } = new()
    {
        { "complete", "<message to='a@b' from='app.example' id='1'><body>hi</body></message>", "<message to='a@b' from='app.example' id='1'><body>hi</body></message>" },
        { "no from", "<message to='a@b' id='1'/>", "<message from='bot@app.example' to='a@b' id='1'/>" },
        { "no id", "<message to='a@b' from='app.example'>x</message>", $"<message id='{GeneratedId}' to='a@b' from='app.example'>x{OriginId}</message>" },
        { "an empty id", "<message id=\"\" to='a@b'>x</message>", $"<message{Filled} to='a@b'>x{OriginId}</message>" },
        { "an empty-element tag without id", "<message to='a@b'/>", $"<message{Filled} to='a@b'>{OriginId}</message>" },
        { "an empty-element tag with a space", "<message to='a@b' />", $"<message{Filled} to='a@b' >{OriginId}</message>" },
        { "an origin-id already", "<message to='a@b'><origin-id id='7' xmlns='urn:xmpp:sid:0'/></message>", $"<message{Filled} to='a@b'><origin-id id='7' xmlns='urn:xmpp:sid:0'/></message>" },
        { "an origin-id by prefix", "<message to='a@b' xmlns:s='urn:xmpp:sid:0'><s:origin-id id='7'/></message>", $"<message{Filled} to='a@b' xmlns:s='urn:xmpp:sid:0'><s:origin-id id='7'/></message>" },
        { "an origin-id of another namespace", "<message to='a@b'><origin-id xmlns='urn:x'/></message>", $"<message{Filled} to='a@b'><origin-id xmlns='urn:x'/>{OriginId}</message>" },
        { "an origin-id deeper inside", "<message to='a@b'><x xmlns='urn:x'><origin-id xmlns='urn:xmpp:sid:0'/></x></message>", $"<message{Filled} to='a@b'><x xmlns='urn:x'><origin-id xmlns='urn:xmpp:sid:0'/></x>{OriginId}</message>" },
        { "a default namespace first", "<message xmlns='jabber:client' to='a@b' id='1' from='app.example'/>", "<message to='a@b' id='1' from='app.example'/>" },
        { "a default namespace last", "<message to='a@b' id='1' from='app.example'\n xmlns = \"jabber:component:accept\"/>", "<message to='a@b' id='1' from='app.example'/>" },
        { "a default namespace behind an empty id", "<message id='' xmlns='jabber:client' to='a@b'>x</message>", $"<message{Filled} to='a@b'>x{OriginId}</message>" },
        { "a default namespace before an empty id", "<message xmlns='jabber:client' to='a@b' id=''>x</message>", $"<message{Filled} to='a@b'>x{OriginId}</message>" },
        { "a child's namespace stays", "<message to='a@b' id='1' from='app.example'><x xmlns='urn:x'/></message>", "<message to='a@b' id='1' from='app.example'><x xmlns='urn:x'/></message>" },
        { "a presence without id", "<presence to='a@b'/>", $"<presence{Filled} to='a@b'/>" },
        { "an iq without id", "<iq to='a@b' type='get'><q xmlns='urn:q'/></iq>", $"<iq{Filled} to='a@b' type='get'><q xmlns='urn:q'/></iq>" },
        { "white space around", "\n <presence to='a@b' id='1' from='app.example'/>\r\n", "<presence to='a@b' id='1' from='app.example'/>" },
        { "bytes are kept as they are", "<message to='a@b' id='1' from='app.example'><body >&#65;<![CDATA[é]]></body\n></message>", "<message to='a@b' id='1' from='app.example'><body >&#65;<![CDATA[é]]></body\n></message>" },
    };

    [Theory]
    [MemberData(nameof(Golden))]
    public void A_raw_stanza_is_completed_and_otherwise_kept(string name, string payload, string expected)
    {
        var (result, output) = Encode(Encoding.UTF8.GetBytes(payload));

        Assert.True(result.Accepted, $"{name}: {result.Rejection}");
        Assert.Equal(expected, Encoding.UTF8.GetString(output));
        Assert.Null(StreamParse.Mistake(output));
    }

    [Theory]
    [InlineData("hello", RejectionReason.UnknownPayloadKind, 0)]
    [InlineData(" [1]", RejectionReason.UnknownPayloadKind, 1)]
    [InlineData("\uFEFF<message to='a@b'/>", RejectionReason.ByteOrderMark, 0)]
    [InlineData("\uFEFF{}", RejectionReason.ByteOrderMark, 0)]
    [InlineData("", RejectionReason.EmptyPayload, 0)]
    [InlineData("\n", RejectionReason.EmptyPayload, 0)]
    [InlineData(" \n<note/>", RejectionReason.NotAStanza, 3)]
    public void A_rejected_payload_appends_nothing(string payload, RejectionReason reason, int offset)
    {
        var (result, output) = Encode(Encoding.UTF8.GetBytes(payload));

        Assert.Equal((reason, offset), (result.Rejection.Reason, result.Rejection.Offset));
        Assert.Empty(output);
    }

    [Theory]
    [MemberData(nameof(StanzaFirewallTests.Rejected), MemberType = typeof(StanzaFirewallTests))]
    public void Nothing_that_the_firewall_rejects_appends_a_byte(string name, string payload, RejectionReason reason, int offset)
    {
        var (result, output) = Encode(Bytes(payload));

        Assert.False(result.Accepted, name);
        Assert.Empty(output);
        if (payload.TrimStart().StartsWith('<'))
            Assert.Equal((reason, offset), (result.Rejection.Reason, result.Rejection.Offset));
    }

    [Fact]
    public void The_place_holder_of_a_dead_letter_is_an_empty_payload()
    {
        var output = new ArrayBufferWriter<byte>();
        var entry = Entry(default) with { Kind = EntryKind.DeadLettered };

        Assert.Equal(RejectionReason.EmptyPayload, EntryEncoder.Encode(entry, output, Now).Rejection.Reason);
        Assert.Equal(0, output.WrittenCount);
    }

    [Fact]
    public void The_size_limit_counts_the_encoded_stanza_to_the_byte()
    {
        const string Around = "<message to='a@b' from='app.example' id='1'><body></body></message>";
        var body = new string('x', MaxBytes - Around.Length);
        byte[] Payload(string attributes, string text) =>
            Encoding.UTF8.GetBytes($"<message to='a@b' from='app.example'{attributes}><body>{text}</body></message>");

        Assert.Equal(MaxBytes, Encode(Payload(" id='1'", body)).Output.Length);
        var oversize = Encode(Payload(" id='1'", body + "x")).Result.Rejection;
        Assert.Equal((RejectionReason.Oversize, -1), (oversize.Reason, oversize.Offset));

        // What is cut makes room, what is filled in takes some.
        Assert.Equal(MaxBytes, Encode(Payload(" id='1' xmlns='jabber:client'", body)).Output.Length);
        Assert.Equal(RejectionReason.Oversize, Encode(Payload("", body)).Result.Rejection.Reason);
    }

    [Fact]
    public void A_stanza_that_outgrows_the_expected_room_is_written_whole()
    {
        // Escaping makes each of these four bytes long: somewhere on the way the first room is too
        // small by one byte, then by many.
        for (var count = 0; count <= 900; count++)
        {
            var (result, output) = Encode(Encoding.UTF8.GetBytes($$"""{"to":"a@b","id":"1","body":"{{new string('<', count)}}"}"""));

            Assert.True(result.Accepted);
            Assert.Equal(
                $"<message from='bot@app.example' to='a@b' id='1' type='chat'><body>{string.Concat(Enumerable.Repeat("&lt;", count))}</body>"
                + "<origin-id xmlns='urn:xmpp:sid:0' id='1'/></message>",
                Encoding.UTF8.GetString(output));
        }
    }

    [Theory]
    [InlineData("<message to='a@b' id='x&amp;y' />", "x&y")]
    [InlineData("<message to='a@b' id='x&#x79;'/>", "xy")]
    [InlineData("<message to='a@b' id='é'/>", "é")]
    [InlineData("<message to='a@b' id='a\r\nb\tc'/>", "a b c")]
    [InlineData("<presence to='a@b' id='1'/>", "1")]
    public void The_payloads_own_id_is_hashed_as_the_server_gives_it_back(string payload, string id)
    {
        var (result, _) = Encode(Encoding.UTF8.GetBytes(payload));

        Assert.Equal(OwnIds.HashOf(Encoding.UTF8.GetBytes(id), "a@b"u8), result.OwnIdHash);
    }

    [Theory]
    [InlineData("<message to='a@b'/>")]
    [InlineData("<message to='a@b' id=''/>")]
    public void A_generated_id_has_no_hash(string payload) =>
        Assert.Equal(0UL, Encode(Encoding.UTF8.GetBytes(payload)).Result.OwnIdHash);

    [Theory]
    [InlineData("message", "", 10.001, true)]
    [InlineData("message", "", 10.0, false)]
    [InlineData("message", "", -5.0, false)]
    [InlineData("presence", "", 60.0, false)]
    [InlineData("message", "<delay xmlns='urn:xmpp:delay' stamp='2020-01-01T00:00:00Z'/>", 60.0, false)]
    [InlineData("message", "<delay xmlns='jabber:x:other'/>", 60.0, true)]
    public void Only_a_message_that_waited_long_is_stamped(string kind, string child, double secondsAgo, bool stamped)
    {
        var payload = Encoding.UTF8.GetBytes($"<{kind} to='a@b' id='1' from='app.example'>{child}</{kind}>");

        var output = Encoding.UTF8.GetString(Encode(payload, Now.AddSeconds(-secondsAgo)).Output);

        Assert.Equal(stamped, output.Contains("<delay xmlns='urn:xmpp:delay' from='app.example' stamp='", StringComparison.Ordinal));
    }

    [Fact]
    public void A_stamp_tells_the_push_in_UTC_with_milliseconds_behind_everything_else()
    {
        var pushed = new DateTimeOffset(2026, 5, 17, 13, 59, 1, 20, TimeSpan.FromHours(2));

        var output = Encoding.UTF8.GetString(Encode("<message to='a@b'/>"u8.ToArray(), pushed).Output);

        Assert.Equal(
            $"<message{Filled} to='a@b'>{OriginId}<delay xmlns='urn:xmpp:delay' from='app.example' stamp='2026-05-17T11:59:01.020Z'/></message>",
            output);
    }

    [Fact]
    public void A_message_without_a_known_push_is_not_stamped() =>
        Assert.DoesNotContain("delay", Encoding.UTF8.GetString(Encode("<message to='a@b'/>"u8.ToArray()).Output), StringComparison.Ordinal);

    [Theory]
    [InlineData("bot@elsewhere.example")]
    [InlineData("")]
    [InlineData("@app.example")]
    public void A_default_from_that_cannot_be_used_is_a_configuration_error(string from) =>
        Assert.Throws<ArgumentException>(() => new StanzaEncoder(Rules with { DefaultFrom = from }, Domain));

    [Fact]
    public void A_default_from_is_escaped_for_its_attribute()
    {
        var encoder = new StanzaEncoder(Rules with { DefaultFrom = "bot@app.example/it's <&>" }, Domain);
        var output = new ArrayBufferWriter<byte>();

        encoder.Encode(Entry("<presence to='a@b' id='1'/>"u8.ToArray()), output, Now);

        Assert.Equal("<presence from='bot@app.example/it&apos;s &lt;&amp;&gt;' to='a@b' id='1'/>", Encoding.UTF8.GetString(output.WrittenSpan));
    }

    [Fact]
    public void An_accepted_raw_stanza_allocates_nothing()
    {
        byte[] payload = [.. "<message to='ada@example.com' xmlns='jabber:client'><body>"u8, .. Encoding.UTF8.GetBytes(new string('é', 100)), .. "</body></message>"u8];
        var entry = Entry(payload, Now.AddMinutes(-1));
        var output = new ArrayBufferWriter<byte>(1 << 20);
        for (var i = 0; i < 100; i++)
            Assert.True(EntryEncoder.Encode(entry, output, Now).Accepted);
        output.ResetWrittenCount();

        // The runtime may exchange compiled code in between, which is no allocation of ours: what counts is the steady state.
        var least = long.MaxValue;
        for (var round = 0; round < 5; round++)
        {
            output.ResetWrittenCount();
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 1000; i++)
                EntryEncoder.Encode(entry, output, Now);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(0, least);
    }
}
