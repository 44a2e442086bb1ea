using System.Text;
using System.Xml.Linq;
using Bridge.Connection;
using Bridge.Settings;

namespace Bridge.Actors.Tests.Connection;

public class HandshakeTests
{
    [Theory]
    // The answers were computed with sha1sum.
    [InlineData("the stream id of XEP-0114's example", "3BF96D32", "secret", "b09ea9b3b7f586be8a08d0a3dd7466f110aeb136")]
    [InlineData("nothing at all", "", "", "da39a3ee5e6b4b0d3255bfef95601890afd80709")]
    [InlineData("beyond ASCII: UTF-8 is hashed", "é", "ü", "bb048c79cedaa6c42943edc7f2c6e86f97333847")]
    public void The_digest_is_the_lower_case_hex_of_the_sha1_of_id_and_secret(string row, string id, string secret, string digest) =>
        Assert.True(Handshake.Digest(id, new ComponentSecret(secret)) == digest, row + ": " + Handshake.Digest(id, new ComponentSecret(secret)));

    [Fact]
    public void The_handshake_element_holds_the_digest_and_nothing_else() =>
        Assert.Equal(
            "<handshake>be96e31af7e8360cb9ad82ba1357a5ee1460e2d1</handshake>",
            Encoding.UTF8.GetString(Handshake.Proof("id", new ComponentSecret("pw"))));

    [Theory]
    [InlineData("a plain domain", "bridge.example.org")]
    [InlineData("beyond ASCII", "brücke.example.org")]
    [InlineData("a quote that would end the attribute", "a' onload='x")]
    [InlineData("markup", "a<b>&amp;\"c\"")]
    [InlineData("white space that XML would normalise", "a\tb\nc\rd")]
    public void The_stream_header_names_the_domain_whatever_it_holds(string row, string domain)
    {
        var header = Encoding.UTF8.GetString(Handshake.StreamHeader(domain));
        var stream = XDocument.Parse(header + "</stream:stream>").Root!;
        Assert.True(stream.Attribute("to")!.Value == domain, row);
        Assert.Equal("{http://etherx.jabber.org/streams}stream", stream.Name.ToString());
        Assert.Equal("jabber:component:accept", stream.GetDefaultNamespace().NamespaceName);
        Assert.Null(stream.Attribute("version"));
    }

    [Fact]
    public void The_secret_is_in_no_text_that_a_log_could_hold() =>
        Assert.DoesNotContain("hunter2", new ComponentSecret("hunter2").ToString(), StringComparison.Ordinal);
}
