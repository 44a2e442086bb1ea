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
            Array(Bulk("0-6"), ":300000\r\n", Bulk("0-7"), ":0\r\n", Bulk("0-8"), ":-1\r\n"),
            Array(Bulk("5 2 00ff 1700000000123"), Bulk("7 1 abcd 1700000000456")),
            Array(Bulk("<a/>"), Bulk(""), Bulk("a b\nc"))));

        Assert.Equal(8, read.Slice);
        Assert.True(read.Unfinished);
        Assert.Equal(new SettleResult(3, 1, 2), read.Taken.Settled);
        Assert.Equal(40, read.Taken.Remaining);
        Assert.Equal(
            [
                new OversizeEntry(EntryPosition.OfSequence(6), 300_000, "oversize"),
                new OversizeEntry(EntryPosition.OfSequence(7), 0, "empty-payload"),
                new OversizeEntry(EntryPosition.OfSequence(8), 0, "trimmed"),
            ],
            read.Taken.Oversize);
        Assert.Equal(
            [
                ("0-5", EntryKind.Payload, "b-00ff-5", "<a/>", 1_700_000_000_123),
                ("0-6", EntryKind.DeadLettered, "b-00ff-6", "", 1_700_000_000_123),
                ("0-7", EntryKind.Payload, "b-abcd-7", "a b\nc", 1_700_000_000_456),
            ],
            read.Taken.Entries.Select(entry => (
                entry.Position.ToString(),
                entry.Kind,
                entry.GeneratedId,
                Encoding.UTF8.GetString(entry.Payload.Span),
                entry.TakenAt.ToUnixTimeMilliseconds())));
    }

    [Theory]
    [InlineData("none was put off", "", null)]
    [InlineData("it is due", "0", 0L)]
    [InlineData("soon", "1500", 1_500L)]
    [InlineData("in a thousand years", "31536000000000", 31_536_000_000L)]
    public void A_reply_tells_in_how_long_the_next_one_is_due(string row, string told, long? milliseconds)
    {
        var read = ReadList(Array(":0\r\n", ":0\r\n", ":0\r\n", ":0\r\n", ":1\r\n", ":0\r\n", Array(), Array(), Array(), Bulk(told)));
        Assert.True(milliseconds == (long?)read.Taken.DueIn?.TotalMilliseconds, row);
    }

    [Theory]
    [InlineData("nothing where a run should be", "")]
    [InlineData("three words", "5 2 00ff")]
    [InlineData("five words", "5 2 00ff 1 2")]
    [InlineData("sequence zero", "0 2 00ff 1")]
    [InlineData("a sequence too long", "18446744073709551616 2 00ff 1")]
    [InlineData("a count of zero", "5 0 00ff 1")]
    [InlineData("no count", "5 x 00ff 1")]
    [InlineData("no prefix", "5 2  1")]
    [InlineData("a prefix that is not hexadecimal", "5 2 00fg 1")]
    [InlineData("a prefix that makes ids too long", "5 2 00000000000000000000000000000000f 1")]
    [InlineData("a time before 1970", "5 2 00ff -1")]
    [InlineData("a time after 9999", "5 2 00ff 253402300800000")]
    [InlineData("a run for fewer entries than there are", "5 1 00ff 1")]
    [InlineData("a run for more entries than there are", "5 3 00ff 1")]
    [InlineData("a gap between two runs", "5 1 00ff 1", "7 1 00ff 1")]
    [InlineData("sequences that fall", "5 1 00ff 1", "4 1 00ff 1")]
    [InlineData("a sequence twice", "5 1 00ff 1", "5 1 00ff 1")]
    public void A_journal_that_somebody_edited_is_refused(string row, params string[] runs)
    {
        var fault = Assert.Throws<QueueFaultException>(() => ReadList(Array(
            ":0\r\n", ":0\r\n", ":0\r\n", ":0\r\n", ":1\r\n", ":0\r\n", Array(), Array([.. runs.Select(Bulk)]), Array(Bulk("a"), Bulk("b")))));
        Assert.True(fault.Fault == QueueFault.Other, row);
    }

    [Theory]
    [InlineData("a payload", "<a/>", "<a/>")]
    [InlineData("several fields", """{"to":"b","body":"c"}""", "to", "b", "body", "c")]
    [InlineData("what JSON escapes", "{\"a\":\"\\\"\\\\\\u000a\",\"\\u0001\":\"ü\"}", "a", "\"\\\n", "\u0001", "ü")]
    [InlineData("meta that is an object", """{"to":"b","meta":{"x":[1, 2]}}""", "to", "b", "meta", """{"x":[1, 2]}""")]
    [InlineData("meta that is an array", """{"to":"b","meta":"[1]"}""", "to", "b", "meta", "[1]")]
    [InlineData("meta with something behind the object", """{"to":"b","meta":"{} {}"}""", "to", "b", "meta", "{} {}")]
    [InlineData("meta that is cut", """{"to":"b","meta":"{"}""", "to", "b", "meta", "{")]
    public void A_stream_entry_has_a_payload(string row, string payload, params string[] fields)
    {
        var content = fields.Length == 1 ? Bulk(fields[0]) : Array([.. fields.Select(Bulk)]);
        var entry = Assert.Single(ReadStream(Array(Bulk("1700000000999")) + Array(Bulk("1700000000123-4"), content)));

        Assert.True(payload == Encoding.UTF8.GetString(entry.Payload.Span), row);
        Assert.Equal(new EntryPosition(1_700_000_000_123, 4), entry.Position);
        Assert.Equal("b-0a1b2c3d-1700000000123-4", entry.GeneratedId);
        Assert.Equal(DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_123), entry.PushedAt);
        Assert.Equal(DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_999), entry.TakenAt);
    }

    [Fact]
    public void Bytes_that_are_no_UTF8_stay_for_the_firewall_to_reject()
    {
        byte[] wire = [.. "*1\r\n$1\r\n1\r\n*2\r\n$3\r\n1-1\r\n*4\r\n$1\r\na\r\n$1\r\n"u8, 0xFF, .. "\r\n$1\r\nb\r\n$1\r\nc\r\n"u8];
        var entry = Assert.Single(ReadStream(wire));
        Assert.Equal([.. "{\"a\":\""u8, 0xFF, .. "\",\"b\":\"c\"}"u8], entry.Payload.ToArray());
    }

    [Theory]
    [InlineData("no dash", "1700000000123")]
    [InlineData("no second number", "1700000000123-")]
    [InlineData("no first number", "-4")]
    [InlineData("a letter", "1700000000123-4x")]
    [InlineData("a number too long", "18446744073709551616-0")]
    [InlineData("longer than any id", "00000000000000000000000000000000000001-00001")]
    public void A_stream_entry_without_an_id_is_refused(string row, string id)
    {
        var fault = Assert.Throws<QueueFaultException>(() => ReadStream(Array(Bulk("1700000000999")) + Array(Bulk(id), Bulk("<a/>"))));
        Assert.True(fault.Fault == QueueFault.Other, row);
    }

    [Fact]
    public void Entries_of_a_stream_were_taken_together_or_each_at_its_time()
    {
        var entries = Array(Bulk("1-1"), Bulk("<a/>"), Bulk("1-2"), Array(Bulk("to"), Bulk("b"), Bulk("body"), Bulk("c")), Bulk("2-0"), Bulk("<b/>"));

        Assert.Equal(
            [("1-1", "<a/>", 7), ("1-2", """{"to":"b","body":"c"}""", 7), ("2-0", "<b/>", 7)],
            ReadStream(Array(Bulk("7")) + entries).Select(Facts));
        Assert.Equal(
            [("1-1", "<a/>", 7), ("1-2", """{"to":"b","body":"c"}""", 8), ("2-0", "<b/>", 9)],
            ReadStream(Array(Bulk("7"), Bulk("8"), Bulk("9")) + entries).Select(Facts));
        Assert.Throws<QueueFaultException>(() => ReadStream(Array(Bulk("7"), Bulk("8")) + entries));
        Assert.Throws<QueueFaultException>(() => ReadStream(Array() + entries));
        Assert.Empty(ReadStream(Array() + Array()));

        static (string, string, long) Facts(QueueEntry entry) =>
            (entry.Position.ToString(), Encoding.UTF8.GetString(entry.Payload.Span), entry.TakenAt.ToUnixTimeMilliseconds());
    }

    [Fact]
    public void The_id_prefix_is_of_the_queue_name_alone()
    {
        Assert.Matches("^[0-9a-f]{8}$", StreamElement.IdPrefix("xmpp:outbound"));
        Assert.NotEqual(StreamElement.IdPrefix("a"), StreamElement.IdPrefix("b"));
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
        return TakeReply.Read(reader, static (ref RespReader entries) => JournalRun.Read(ref entries, null));
    }

    private static EntryBatch ReadStream(string wire) => ReadStream(Encoding.UTF8.GetBytes(wire));

    private static EntryBatch ReadStream(byte[] wire)
    {
        var reader = new RespReader(wire);
        return StreamElement.Read(ref reader, new GeneratedIds("0a1b2c3d", ofStream: true));
    }

    private static string Bulk(string text) =>
        string.Create(CultureInfo.InvariantCulture, $"${Encoding.UTF8.GetByteCount(text)}\r\n{text}\r\n");

    private static string Array(params string[] elements) =>
        string.Create(CultureInfo.InvariantCulture, $"*{elements.Length}\r\n{string.Concat(elements)}");
}
