using System.Text;
using System.Xml.Linq;
using Bridge.Connection;
using Bridge.Inbound;
using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Inbound;

public sealed class EntityAnswersTests
{
    private static readonly EntityAnswers Answers = new("bridge.example.test");

    [Theory]
    [InlineData("what it is", "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>",
        "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='component' type='generic' name='Bridge'/><feature var='http://jabber.org/protocol/disco#info'/><feature var='http://jabber.org/protocol/disco#items'/><feature var='jabber:iq:last'/><feature var='jabber:iq:version'/><feature var='urn:xmpp:ping'/></query>")]
    [InlineData("what it has", "get", "<query xmlns='http://jabber.org/protocol/disco#items'/>", "<query xmlns='http://jabber.org/protocol/disco#items'/>")]
    [InlineData("an empty node is none", "get", "<query xmlns='http://jabber.org/protocol/disco#items' node=''/>", "<query xmlns='http://jabber.org/protocol/disco#items'/>")]
    [InlineData("how long it has run", "get", "<query xmlns='jabber:iq:last'/>", "<query xmlns='jabber:iq:last' seconds='90'/>")]
    [InlineData("whether it is there", "get", "<ping xmlns='urn:xmpp:ping'/>", "")]
    public void It_tells(string name, string type, string payload, string answer) =>
        Assert.True(
            $"<iq type='result' id='q&apos;1' from='box@bridge.example.test' to='ada@example.test/&lt;'{(answer.Length == 0 ? "/>" : $">{answer}</iq>")}"
                == Answer(type, payload),
            $"{name}: {Answer(type, payload)}");

    [Fact]
    public void It_tells_its_version_without_the_commit()
    {
        var version = XElement.Parse(Answer("get", "<query xmlns='jabber:iq:version'/>")).Elements().Single();
        XNamespace ns = "jabber:iq:version";

        Assert.Equal("Bridge", version.Element(ns + "name")!.Value);
        Assert.Matches(@"^[0-9]+\.[0-9]+\.[0-9]+[^+]*$", version.Element(ns + "version")!.Value);
    }

    [Theory]
    [InlineData("an unknown request", "get", "<query xmlns='urn:x'/>", "service-unavailable")]
    [InlineData("another element of a known namespace", "get", "<x xmlns='urn:xmpp:ping'/>", "service-unavailable")]
    [InlineData("a known name in no namespace", "get", "<ping/>", "service-unavailable")]
    [InlineData("nothing", "get", "", "service-unavailable")]
    [InlineData("a wish", "set", "<query xmlns='jabber:iq:last'/>", "service-unavailable")]
    [InlineData("a node", "get", "<query xmlns='http://jabber.org/protocol/disco#info' node='x'/>", "item-not-found")]
    public void It_has_no_service_for(string name, string type, string payload, string condition) =>
        Assert.True(
            $"<iq type='error' id='q&apos;1' from='box@bridge.example.test' to='ada@example.test/&lt;'><error type='cancel'><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
                == Answer(type, payload),
            $"{name}: {Answer(type, payload)}");

    [Fact]
    public void Asked_without_an_address_it_answers_as_the_component() =>
        Assert.Contains("from='bridge.example.test'", Encoding.UTF8.GetString(Answers.Answer(Received("get", "<ping xmlns='urn:xmpp:ping'/>") with { To = null }, default)), StringComparison.Ordinal);

    private static string Answer(string type, string payload) => Encoding.UTF8.GetString(Answers.Answer(Received(type, payload), TimeSpan.FromSeconds(90.9)));

    // As the socket's reader makes it.
    private static StanzaReceived Received(string type, string payload)
    {
        var xml = Encoding.UTF8.GetBytes($"<iq type='{type}' id='q&apos;1' from='ada@example.test/&lt;' to='box@bridge.example.test'>{payload}</iq>");
        var reader = new StanzaReader(1 << 16);
        ReadOnlySpan<byte> input = Encoding.UTF8.GetBytes("<stream:stream xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams' id='1' from='bridge.example.test'>");
        Assert.Equal(StreamEventKind.Header, reader.Read(ref input, out _));
        input = xml;
        Assert.Equal(StreamEventKind.Stanza, reader.Read(ref input, out var stanza));
        return new StanzaReceived(
            stanza.Kind, stanza.Id.Text, stanza.From.Text, stanza.To.Text, stanza.Type.Text,
            stanza.FirstChildName.IsEmpty ? null : Encoding.UTF8.GetString(stanza.FirstChildName), stanza.FirstChildNamespace.Text, stanza.Bytes.ToArray());
    }
}
