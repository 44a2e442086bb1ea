using System.Buffers;
using System.Text;
using Bridge.Connection;
using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Connection;

public class BarrierIdentityTests
{
    private readonly BarrierIdentity _barriers = new("b.example");

    [Theory]
    [InlineData(0)]
    [InlineData(41)]
    [InlineData(long.MaxValue)]
    public void A_barrier_that_comes_back_is_recognised_with_its_number(long number)
    {
        Assert.True(Recognises(_barriers, Written(number), out var recognised));
        Assert.Equal(number, recognised);
    }

    [Fact]
    public void A_barrier_is_recognised_however_the_server_writes_it()
    {
        var rewritten = Written(5).Replace('\'', '"').Replace("<ping xmlns=\"urn:xmpp:ping\"/>", "<ping xmlns=\"urn:xmpp:ping\"></ping>", StringComparison.Ordinal)
            .Replace("<iq ", "<iq xml:lang='en' ", StringComparison.Ordinal);
        Assert.True(Recognises(_barriers, rewritten, out var number));
        Assert.Equal(5, number);
    }

    [Theory]
    [InlineData("an answer", "type='get'", "type='result'")]
    [InlineData("another sender", "from='b.example'", "from='user@b.example'")]
    [InlineData("another recipient", "to='b.example'", "to='other.example'")]
    [InlineData("another payload", "urn:xmpp:ping", "urn:xmpp:pong")]
    [InlineData("another element", "<ping ", "<pong ")]
    [InlineData("another kind", "iq", "message")]
    [InlineData("something behind the number", "-5'", "-5x'")]
    [InlineData("a negative number", "-5'", "--5'")]
    [InlineData("no number", "-5'", "-'")]
    [InlineData("a number too large", "-5'", "-99999999999999999999'")]
    public void What_differs_from_a_barrier_is_none(string row, string what, string by) =>
        Assert.False(Recognises(_barriers, Written(5).Replace(what, by, StringComparison.Ordinal), out _), row);

    [Fact]
    public void A_barrier_of_another_life_of_the_stream_is_none() =>
        Assert.False(Recognises(new BarrierIdentity("b.example"), Written(5), out _));

    [Fact]
    public void The_length_told_is_the_length_written()
    {
        var output = new ArrayBufferWriter<byte>();
        Assert.Equal(_barriers.Write(output, 123), output.WrittenCount);
    }

    private static bool Recognises(BarrierIdentity barriers, string xml, out long number)
    {
        var reader = new StanzaReader(4096);
        ReadOnlySpan<byte> header = "<stream:stream xmlns:stream='http://etherx.jabber.org/streams'>"u8;
        Assert.Equal(StreamEventKind.Header, reader.Read(ref header, out _));
        ReadOnlySpan<byte> input = Encoding.UTF8.GetBytes(xml);
        Assert.Equal(StreamEventKind.Stanza, reader.Read(ref input, out var stanza));
        return barriers.TryRecognise(stanza, out number);
    }

    private string Written(long number)
    {
        var output = new ArrayBufferWriter<byte>();
        _barriers.Write(output, number);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
