using System.Text;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.TestKit;

public sealed class StanzaSplitterTests
{
    public static TheoryData<string, string, string[]> Streams => new()
    {
        { "a self-closing element", "<s><handshake/>", ["<handshake/>"] },
        { "an element in itself", "<s><a><a>x</a></a><b/>", ["<a><a>x</a></a>", "<b/>"] },
        { "a bracket in an attribute", "<s><a b='>' c=\"/>'\">x</a>", ["<a b='>' c=\"/>'\">x</a>"] },
        { "white space between", "<s> \n<a/>\t <b/> ", ["<a/>", "<b/>"] },
        { "a declaration before", "<?xml version='1.0'?><s><a/>", ["<a/>"] },
        { "a comment with tags", "<s><a><!-- </a> > --></a>", ["<a><!-- </a> > --></a>"] },
        { "character data with tags", "<s><a><![CDATA[</a>]>]]></a>", ["<a><![CDATA[</a>]>]]></a>"] },
        { "an element that is not whole", "<s><a/><b><c/>", ["<a/>"] },
    };

    [Theory]
    [MemberData(nameof(Streams))]
    public void Elements_are_cut_alike_however_the_bytes_are_split(string row, string stream, string[] expected)
    {
        var bytes = Encoding.UTF8.GetBytes(stream);
        for (var size = 1; size <= bytes.Length; size++)
        {
            var found = Split(bytes, size).Where(piece => piece.Kind == StreamPiece.Element).Select(piece => piece.Text);
            Assert.True(expected.SequenceEqual(found), $"{row}, {size} bytes at a time");
        }
    }

    [Fact]
    public void Header_and_end_tag_are_told_apart_from_elements()
    {
        var pieces = Split("<s:s xmlns:s='x'><a/></s:s>"u8.ToArray(), 5);

        Assert.Equal([StreamPiece.Header, StreamPiece.Element, StreamPiece.End], pieces.Select(piece => piece.Kind));
    }

    private static List<(StreamPiece Kind, string Text)> Split(byte[] bytes, int size)
    {
        var splitter = new StanzaSplitter();
        var pieces = new List<(StreamPiece, string)>();
        foreach (var chunk in bytes.Chunk(size))
        {
            chunk.CopyTo(splitter.GetMemory());
            splitter.Advance(chunk.Length);
            while (splitter.TryRead(out var kind, out var piece))
                pieces.Add((kind, Encoding.UTF8.GetString(piece.Span)));
        }

        return pieces;
    }
}
