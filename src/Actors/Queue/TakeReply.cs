using System.Buffers.Text;
using RESPite.Messages;

namespace Bridge.Queue;

/// <summary>
/// What the scripts that settle, take and read answer, in this order: removed, dead-lettered, dead
/// letters trimmed, remaining, next slice, whether the settlement is unfinished, oversize (position and
/// size in turn), entries.
/// </summary>
/// <param name="Taken">The reply in the seam's terms.</param>
/// <param name="Slice">How many entries the next call should look at first.</param>
/// <param name="Unfinished">The settlement was more than one call may do: it wants to be asked for again.</param>
internal sealed record TakeReply(TakenEntries Taken, int Slice, bool Unfinished)
{
    /// <summary>Turns one element of the reply's last array into an entry.</summary>
    internal delegate QueueEntry ReadEntry(ref RespReader reader, BatchBuffer buffer);

    /// <summary>Reads a reply whose entries have the form of the queue's kind.</summary>
    /// <exception cref="QueueFaultException">The reply has another form: somebody else wrote to the journal.</exception>
    public static TakeReply Read(RespReader reader, ReadEntry readEntry)
    {
        reader.DemandAggregate();
        reader.MoveNextScalar();
        var removed = reader.ReadInt64();
        reader.MoveNextScalar();
        var dead = reader.ReadInt64();
        reader.MoveNextScalar();
        var trimmed = reader.ReadInt64();
        reader.MoveNextScalar();
        var remaining = reader.ReadInt64();
        reader.MoveNextScalar();
        var slice = reader.ReadInt32();
        reader.MoveNextScalar();
        var unfinished = reader.ReadInt64() != 0;

        reader.MoveNextAggregate();
        var oversize = new OversizeEntry[reader.AggregateLength() / 2];
        for (var i = 0; i < oversize.Length; i++)
        {
            reader.MoveNextScalar();
            if (!EntryPosition.TryParse(reader.ReadString(), out var position))
                throw Unreadable();
            reader.MoveNextScalar();
            var bytes = reader.ReadInt64();
            oversize[i] = new OversizeEntry(position, Math.Max(0, bytes), bytes < 0 ? "trimmed" : "oversize");
        }

        reader.MoveNextAggregate();
        var entries = new QueueEntry[reader.AggregateLength()];
        var buffer = new BatchBuffer();
        for (var i = 0; i < entries.Length; i++)
        {
            entries[i] = readEntry(ref reader, buffer);
            if (i > 0 && entries[i].Position <= entries[i - 1].Position)
                throw Unreadable();
        }

        return new TakeReply(new TakenEntries(entries, new SettleResult(removed, dead, trimmed), oversize, remaining), slice, unfinished);
    }

    /// <summary>The fault of a reply that Bridge's scripts cannot have made from what Bridge wrote.</summary>
    internal static QueueFaultException Unreadable() =>
        new(QueueFault.Other, "The journal holds something that Bridge did not write.");
}

/// <summary>
/// The memory of one batch: arrays of a size that the garbage collector treats as short-lived, an
/// entry never across two of them.
/// </summary>
internal sealed class BatchBuffer
{
    /// <summary>Well below the 85,000 bytes at which an array goes to the large object heap.</summary>
    private const int ChunkBytes = 64 * 1024;

    private byte[] _chunk = [];
    private int _used;

    /// <summary>The next so many bytes, to be written by the caller.</summary>
    public Memory<byte> Take(int length)
    {
        if (_chunk.Length - _used < length)
        {
            _chunk = GC.AllocateUninitializedArray<byte>(Math.Max(length, ChunkBytes));
            _used = 0;
        }

        var memory = _chunk.AsMemory(_used, length);
        _used += length;
        return memory;
    }

    /// <summary>The bytes of the scalar that the reader stands on.</summary>
    public ReadOnlyMemory<byte> Copy(ref RespReader reader)
    {
        var memory = Take(reader.ScalarLength());
        reader.CopyTo(memory.Span);
        return memory;
    }
}

/// <summary>
/// An element of a list queue's journal: <c>&lt;id&gt; 0-&lt;sequence&gt; &lt;taken at&gt; &lt;kind&gt;</c>, a line feed,
/// the payload. Kind <c>p</c> is a payload, <c>d</c> a place holder.
/// </summary>
internal static class JournalElement
{
    /// <summary>Reads an element without copying: the entry's memory is the element's.</summary>
    public static bool TryParse(ReadOnlyMemory<byte> element, out QueueEntry entry)
    {
        entry = default;
        var text = element.Span;
        var idEnd = text.IndexOf((byte)' ');
        if (idEnd <= 0)
            return false;
        var rest = text[(idEnd + 1)..];
        if (!rest.StartsWith("0-"u8)
            || !Utf8Parser.TryParse(rest[2..], out ulong sequence, out var sequenceLength)
            || sequence == 0)
            return false;
        rest = rest[(2 + sequenceLength)..];
        if (rest.IsEmpty || rest[0] != ' '
            || !Utf8Parser.TryParse(rest[1..], out long takenAt, out var takenLength)
            || takenAt is < 0 or > 253_402_300_799_999)
            return false;
        rest = rest[(1 + takenLength)..];
        if (rest.Length < 3 || rest[0] != ' ' || rest[2] != '\n' || rest[1] is not ((byte)'p' or (byte)'d'))
            return false;
        var header = text.Length - rest.Length + 3;
        entry = new QueueEntry(
            EntryPosition.OfSequence(sequence),
            rest[1] == 'p' ? EntryKind.Payload : EntryKind.DeadLettered,
            element[..idEnd],
            element[header..],
            DateTimeOffset.FromUnixTimeMilliseconds(takenAt),
            null);
        return true;
    }
}
