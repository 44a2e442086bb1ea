using System.Text;
using Bridge.Queue;
using CsCheck;

namespace Bridge.Actors.Tests.Queue;

public sealed class JournalElementTests
{
    [Theory]
    [InlineData("b-00ff-7 0-7 1700000000123 p\n<message/>", EntryKind.Payload, "<message/>")]
    [InlineData("b-00ff-7 0-7 1700000000123 p\n", EntryKind.Payload, "")]
    [InlineData("b-00ff-7 0-7 1700000000123 p\na b\nc d p\n", EntryKind.Payload, "a b\nc d p\n")]
    [InlineData("b-00ff-7 0-7 1700000000123 d\n", EntryKind.DeadLettered, "")]
    public void An_element_is_header_and_payload(string element, EntryKind kind, string payload)
    {
        Assert.True(JournalElement.TryParse(Encoding.UTF8.GetBytes(element), out var entry));
        Assert.Equal(EntryPosition.OfSequence(7), entry.Position);
        Assert.Equal(kind, entry.Kind);
        Assert.Equal("b-00ff-7", Encoding.UTF8.GetString(entry.GeneratedId.Span));
        Assert.Equal(payload, Encoding.UTF8.GetString(entry.Payload.Span));
        Assert.Equal(DateTimeOffset.FromUnixTimeMilliseconds(1_700_000_000_123), entry.TakenAt);
        Assert.Null(entry.PushedAt);
    }

    [Theory]
    [InlineData("nothing", "")]
    [InlineData("a payload that never was taken", "<message/>")]
    [InlineData("no id", " 0-7 1700000000123 p\n")]
    [InlineData("a stream's position", "b-1 5-7 1700000000123 p\n")]
    [InlineData("sequence zero", "b-1 0-0 1700000000123 p\n")]
    [InlineData("a sequence too long", "b-1 0-18446744073709551616 1700000000123 p\n")]
    [InlineData("no time", "b-1 0-7 p\n")]
    [InlineData("a time before 1970", "b-1 0-7 -1 p\n")]
    [InlineData("a time after 9999", "b-1 0-7 253402300800000 p\n")]
    [InlineData("an unknown kind", "b-1 0-7 1700000000123 x\n")]
    [InlineData("no line feed", "b-1 0-7 1700000000123 p<message/>")]
    [InlineData("cut in the header", "b-1 0-7 1700000000123 p")]
    public void Anything_else_is_refused(string row, string element) =>
        Assert.False(JournalElement.TryParse(Encoding.UTF8.GetBytes(element), out _), row);

    [Fact]
    public void Any_payload_survives() =>
        Gen.Select(Gen.Byte.Array[0, 300], Gen.ULong[1, 1UL << 53]).Sample((payload, sequence) =>
        {
            byte[] element = [.. Encoding.ASCII.GetBytes($"b-0123456789abcdef-{sequence} 0-{sequence} 1 p\n"), .. payload];
            return JournalElement.TryParse(element, out var entry)
                && entry.Position == EntryPosition.OfSequence(sequence)
                && entry.Payload.Span.SequenceEqual(payload);
        });

    [Fact]
    public void Any_bytes_are_read_or_refused_without_throwing() =>
        Gen.Byte.Array[0, 80].Sample(bytes =>
        {
            var read = JournalElement.TryParse(bytes, out var entry);
            return read == (entry.GeneratedId.Length > 0);
        });
}
