using Bridge.Queue;

namespace Bridge.Actors.Tests.Queue;

public sealed class IntakeBufferTests
{
    private const int MiB = 1 << 20;

    public static TheoryData<string, int[], int, int> Batches => new()
    {
        // name of the row, sizes of the messages, how many are in it, how many the next call carries
        { "nothing", [], 0, 0 },
        { "a few", [1, 0, 5], 3, 3 },
        { "as many as fit into a call", [.. Enumerable.Repeat(1, 600)], 600, 512 },
        { "up to a mebibyte", [MiB / 2, MiB / 2, 1], 3, 2 },
        { "a large one alone", [2 * MiB, 1], 2, 1 },
        { "a large one behind a small one", [1, 2 * MiB, 1], 3, 1 },
        { "more messages than the limit", [.. Enumerable.Repeat(1, 1_001)], 1_000, 512 },
        { "more bytes than the limit", [.. Enumerable.Repeat(16 * MiB, 5)], 4, 1 },
    };

    [Theory]
    [MemberData(nameof(Batches))]
    public void It_is_bounded_and_so_is_what_a_call_carries(string row, int[] sizes, int kept, int carried)
    {
        var buffer = new IntakeBuffer(1_000);
        var added = sizes.Count(size => buffer.TryAdd(new byte[size]));

        Assert.Equal((row, kept, kept, carried), (row, added, buffer.Count, buffer.NextBatch().Count));
    }

    [Fact]
    public void What_is_removed_leaves_room_and_the_order_stays()
    {
        var buffer = new IntakeBuffer(3);
        Assert.True(buffer.TryAdd(new byte[] { 1 }) && buffer.TryAdd(new byte[] { 2 }) && buffer.TryAdd(new byte[] { 3 }));
        Assert.False(buffer.TryAdd(new byte[] { 9 }));
        buffer.Remove(2);
        Assert.True(buffer.TryAdd(new byte[] { 4 }));

        Assert.Equal([3, 4], buffer.NextBatch().Select(message => (int)message.Span[0]));
    }
}
