using System.Globalization;
using System.Text;
using Bridge.Queue;
using RESPite.Messages;

namespace Bridge.Actors.Tests.Queue;

/// <summary>Replies of the scripts, as bytes on the wire (RESP2).</summary>
public sealed class TakeReplyTests
{
    [Fact]
    public void A_reply_of_a_list_is_read_in_full()
    {
        var read = ReadList(Array(
            ":3\r\n", ":1\r\n", ":2\r\n", ":40\r\n", ":8\r\n", ":1\r\n",
            Array(Bulk("0-6"), ":300000\r\n"),
            Array(Bulk("b-1-5 0-5 1 p\n<a/>"), Bulk("b-1-6 0-6 1 d\n"))));

        Assert.Equal(8, read.Slice);
        Assert.True(read.Unfinished);
        Assert.Equal(new SettleResult(3, 1, 2), read.Taken.Settled);
        Assert.Equal(40, read.Taken.Remaining);
        Assert.Equal([new OversizeEntry(EntryPosition.OfSequence(6), 300_000, "oversize")], read.Taken.Oversize);
        Assert.Equal([(5UL, EntryKind.Payload), (6UL, EntryKind.DeadLettered)], read.Taken.Entries.Select(entry => (entry.Position.Low, entry.Kind)));
    }

    [Theory]
    [InlineData("an element that Bridge did not write", "by hand", "b-1-6 0-6 1 p\n")]
    [InlineData("sequences that fall", "b-1-6 0-6 1 p\n", "b-1-5 0-5 1 p\n")]
    [InlineData("a sequence twice", "b-1-6 0-6 1 p\n", "b-1-6 0-6 1 p\n")]
    public void A_journal_that_somebody_edited_is_refused(string row, string first, string second)
    {
        var fault = Assert.Throws<QueueFaultException>(() => ReadList(Array(
            ":0\r\n", ":0\r\n", ":0\r\n", ":0\r\n", ":1\r\n", ":0\r\n", Array(), Array(Bulk(first), Bulk(second)))));
        Assert.True(fault.Fault == QueueFault.Other, row);
    }

    [Theory]
    [InlineData("one field of any name", "<a/>", "x", "<a/>")]
    [InlineData("the field payload", "<a/>", "to", "b", "payload", "<a/>")]
    [InlineData("several fields", """{"to":"b","body":"c"}""", "to", "b", "body", "c")]
    [InlineData("what JSON escapes", "{\"a\":\"\\\"\\\\\\u000a\",\"\\u0001\":\"ü\"}", "a", "\"\\\n", "\u0001", "ü")]
    [InlineData("meta that is an object", """{"to":"b","meta":{"x":[1, 2]}}""", "to", "b", "meta", """{"x":[1, 2]}""")]
    [InlineData("meta that is an array", """{"to":"b","meta":"[1]"}""", "to", "b", "meta", "[1]")]
    [InlineData("meta with something behind the object", """{"to":"b","meta":"{} {}"}""", "to", "b", "meta", "{} {}")]
    [InlineData("meta that is cut", """{"to":"b","meta":"{"}""", "to", "b", "meta", "{")]
    public void A_stream_entry_has_a_payload(string row, string payload, params string[] fields)
    {
        var wire = Array(Bulk("1700000000123-4"), Array([.. fields.Select(Bulk)]), Bulk("1700000000999"));
        var reader = new RespReader(Encoding.UTF8.GetBytes(wire));
        var entry = StreamElement.Read(ref reader, new BatchBuffer(), "b-0a1b2c3d-");

        Assert.True(payload == Encoding.UTF8.GetString(entry.Payload.Span), row);
        Assert.Equal(new EntryPosition(1_700_000_000_123, 4), entry.Position);
        Assert.Equal("b-0a1b2c3d-1700000000123-4", Encoding.UTF8.GetString(entry.GeneratedId.Span));
        Assert.Equal(DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_123), entry.PushedAt);
        Assert.Equal(DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_999), entry.TakenAt);
    }

    [Fact]
    public void Bytes_that_are_no_UTF8_stay_for_the_firewall_to_reject()
    {
        byte[] wire = [.. "*3\r\n$3\r\n1-1\r\n*4\r\n$1\r\na\r\n$1\r\n"u8, 0xFF, .. "\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\n1\r\n"u8];
        var reader = new RespReader(wire);
        var entry = StreamElement.Read(ref reader, new BatchBuffer(), "b-");
        Assert.Equal([.. "{\"a\":\""u8, 0xFF, .. "\",\"b\":\"c\"}"u8], entry.Payload.ToArray());
    }

    [Fact]
    public void The_id_prefix_is_of_the_queue_name_alone()
    {
        Assert.Equal("b-c8574f57-".Length, StreamElement.IdPrefix("xmpp:outbound").Length);
        Assert.Matches("^b-[0-9a-f]{8}-$", StreamElement.IdPrefix("xmpp:outbound"));
        Assert.NotEqual(StreamElement.IdPrefix("a"), StreamElement.IdPrefix("b"));
    }

    [Fact]
    public void A_batch_lies_in_short_lived_arrays_an_entry_never_across_two()
    {
        var buffer = new BatchBuffer();
        var random = new Random(3);
        for (var i = 0; i < 2_000; i++)
        {
            var length = random.Next(0, 1_000);
            Assert.Equal(length, buffer.Take(length).Length);
        }

        Assert.Equal(200_000, buffer.Take(200_000).Length);
    }

    [Fact]
    public void Every_script_that_the_queues_load_is_embedded_without_comments()
    {
        var names = typeof(ListQueue).Assembly.GetManifestResourceNames().Where(name => name.EndsWith(".lua", StringComparison.Ordinal)).ToArray();
        Assert.NotEmpty(names);
        foreach (var name in names)
        {
            var script = RedisScript.Load(name["Bridge.Queue.Scripts.".Length..^".lua".Length]);
            var text = (string)script.Arguments([])[0].Value!;
            Assert.NotEmpty(text);
            Assert.DoesNotContain("--", text, StringComparison.Ordinal);
        }
    }

    private static TakeReply ReadList(string wire)
    {
        var reader = new RespReader(Encoding.UTF8.GetBytes(wire));
        reader.MoveNext();
        return TakeReply.Read(reader, (ref RespReader element, BatchBuffer buffer) =>
        {
            element.MoveNextScalar();
            return JournalElement.TryParse(buffer.Copy(ref element), out var entry) ? entry : throw TakeReply.Unreadable();
        });
    }

    private static string Bulk(string text) =>
        string.Create(CultureInfo.InvariantCulture, $"${Encoding.UTF8.GetByteCount(text)}\r\n{text}\r\n");

    private static string Array(params string[] elements) =>
        string.Create(CultureInfo.InvariantCulture, $"*{elements.Length}\r\n{string.Concat(elements)}");
}
