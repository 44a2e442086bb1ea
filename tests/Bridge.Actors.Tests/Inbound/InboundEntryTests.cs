using System.Text;
using System.Text.Json;
using Bridge.Inbound;
using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Inbound;

public sealed class InboundEntryTests
{
    private static readonly DateTimeOffset At = DateTimeOffset.FromUnixTimeMilliseconds(1_769_903_999_000);

    [Fact]
    public void A_message_has_all_its_fields_in_order()
    {
        var entry = Message("<message type='chat'><subject>S</subject><body>a &lt; b</body></message>");

        Assert.Equal(
            "kind=message type=chat id=m1 from=ada@example.test/x to=box@bridge.example.test body=a < b subject=S at=1769903999000 stamp=5e55-7",
            string.Join(' ', entry.Fields().Select(field => $"{field.Name}={field.Value}")));
    }

    [Fact]
    public void An_error_says_which()
    {
        var entry = Message("<message/>") with
        {
            Type = "error",
            Id = null,
            Error = new StanzaError(StanzaErrorType.Wait, StanzaErrorCondition.RecipientUnavailable, "later"),
        };

        Assert.Equal(
            "kind=message type=error from=ada@example.test/x to=box@bridge.example.test condition=recipient-unavailable error-type=wait text=later at=1769903999000 stamp=5e55-7",
            string.Join(' ', entry.Fields().Select(field => $"{field.Name}={field.Value}")));
    }

    [Fact]
    public void Its_json_has_the_same_names_and_the_stanza_last()
    {
        const string xml = "<message><body>\"é\n</body></message>";
        var entry = Message(xml);
        using var json = JsonDocument.Parse(entry.Json(entry.Fields()));
        var members = json.RootElement.EnumerateObject().ToArray();

        Assert.Equal([.. entry.Fields().Select(field => field.Name), "xml"], members.Select(member => member.Name));
        Assert.Equal(xml, members[^1].Value.GetString());
        Assert.Equal("\"é\n", json.RootElement.GetProperty("body").GetString());
        Assert.Equal(At.ToUnixTimeMilliseconds(), json.RootElement.GetProperty("at").GetInt64());
    }

    [Theory]
    [InlineData("box@bridge.example.test", "box")]
    [InlineData("box@bridge.example.test/a@b", "box")]
    [InlineData("bridge.example.test", "")]
    [InlineData("bridge.example.test/a@b", "")]
    [InlineData(null, "")]
    public void The_local_part_is_what_stands_before_the_domain(string? to, string local) =>
        Assert.Equal(local, (Message("<message/>") with { To = to }).LocalPart);

    [Theory]
    [InlineData("<message/>", null, null)]
    [InlineData("<message><body>b</body></message>", "b", null)]
    [InlineData("<message><body/></message>", "", null)]
    [InlineData("<message> <x xmlns='urn:x'><body>no</body></x> <body>b</body></message>", "b", null)]
    [InlineData("<message><body xmlns='urn:x'>no</body><subject>s</subject></message>", null, "s")]
    [InlineData("<message xmlns='jabber:client'><body>b</body></message>", "b", null)]
    [InlineData("<message xmlns='urn:x'><body>no</body></message>", null, null)]
    [InlineData("<message><body xml:lang='de'>eins</body><body>one</body></message>", "eins", null)]
    [InlineData("<message><body>a<![CDATA[<b>]]>&amp;c<x>no</x>d</body><subject>s</subject></message>", "a<b>&cd", "s")]
    [InlineData("<message><body>a\r\nb</body></message>", "a\nb", null)]
    public void The_texts_of_a_message_are_read(string xml, string? body, string? subject) =>
        Assert.Equal((body, subject), MessageText.Read(Encoding.UTF8.GetBytes(xml)));

    private static InboundEntry Message(string xml) => new(
        "5e55", 7, At, StanzaKind.Message, xml.Contains("chat", StringComparison.Ordinal) ? "chat" : null, "m1",
        "ada@example.test/x", "box@bridge.example.test", null, Encoding.UTF8.GetBytes(xml));
}
