using System.Buffers;
using System.Collections;
using System.Runtime.CompilerServices;
using RESPite.Messages;

namespace Bridge.Queue;

/// <summary>
/// The entries that one reply brought, and the memory of their payloads: both from the shared pools,
/// because at full speed they would be nearly all that the process allocates.
/// </summary>
/// <remarks>
/// Not thread-safe; whoever holds it owns it. Its last reader gives the memory back with
/// <see cref="Release" />, after which the entries must not be looked at. A batch that is never released
/// costs the pool an array and nothing else, so every way but the common one may simply let it go.
/// </remarks>
[CollectionBuilder(typeof(EntryBatch), nameof(Of))]
public sealed class EntryBatch : IReadOnlyList<QueueEntry>
{
    /// <summary>A batch without entries.</summary>
    public static readonly EntryBatch Empty = new([], 0, []);

    private QueueEntry[] _entries;
    private byte[] _bytes;
    private int _used;

    private EntryBatch(QueueEntry[] entries, int count, byte[] bytes) => (_entries, Count, _bytes) = (entries, count, bytes);

    /// <summary>How many entries.</summary>
    public int Count { get; private set; }

    /// <summary>The entries, in order.</summary>
    public ReadOnlySpan<QueueEntry> Span => _entries.AsSpan(0, Count);

    /// <inheritdoc />
    public QueueEntry this[int index] => Span[index];

    /// <summary>A batch of entries whose memory is not pooled.</summary>
    public static EntryBatch Of(params ReadOnlySpan<QueueEntry> entries) =>
        entries.IsEmpty ? Empty : new EntryBatch(entries.ToArray(), entries.Length, []);

    /// <summary>Gives the memory back. Once, by the only owner; a second call does nothing.</summary>
    public void Release()
    {
        // Also: the empty one is everybody's.
        if (_entries.Length == 0)
            return;
        Count = 0;
        if (_bytes.Length > 0)
        {
            // The entries came from the pool together with the bytes. They hold references into them.
            ArrayPool<QueueEntry>.Shared.Return(_entries, clearArray: true);
            ArrayPool<byte>.Shared.Return(_bytes);
        }

        (_entries, _bytes) = ([], []);
    }

    /// <inheritdoc />
    public IEnumerator<QueueEntry> GetEnumerator() => ((IEnumerable<QueueEntry>)new ArraySegment<QueueEntry>(_entries, 0, Count)).GetEnumerator();

    /// <inheritdoc />
    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>An empty batch with room for so many entries, which are what is left of a reply.</summary>
    internal static EntryBatch Rent(int entries, in RespReader rest) => entries == 0
        ? Empty
        : new EntryBatch(
            ArrayPool<QueueEntry>.Shared.Rent(entries),
            0,
            ArrayPool<byte>.Shared.Rent(checked((int)rest.ProtocolBytesRemaining)));

    /// <summary>Adds the next entry.</summary>
    internal void Add(in QueueEntry entry) => _entries[Count++] = entry;

    /// <summary>The bytes of the scalar that the reader stands on, copied into the batch's memory.</summary>
    internal ReadOnlyMemory<byte> Copy(ref RespReader reader)
    {
        var memory = _bytes.AsMemory(_used, reader.ScalarLength());
        reader.CopyTo(memory.Span);
        _used += memory.Length;
        return memory;
    }
}
