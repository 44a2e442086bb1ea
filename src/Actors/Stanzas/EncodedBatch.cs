using System.Buffers;
using Bridge.Deferral;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Telemetry;

namespace Bridge.Stanzas;

/// <summary>One entry of an encoded batch.</summary>
/// <param name="Position">Its place in the queue's order.</param>
/// <param name="Offset">Where its stanza begins in the batch's bytes.</param>
/// <param name="Length">Bytes of its stanza; 0 when nothing is to be sent for it.</param>
/// <param name="PayloadLength">Bytes of its payload in Redis: what the window's byte limits count.</param>
/// <param name="Rejection">Why nothing is sent; reason <see cref="RejectionReason.None" /> for a sent one or a place holder.</param>
/// <param name="OwnIdHash">See <see cref="EncodeResult.OwnIdHash" />.</param>
/// <param name="TakenAt">When it was first taken, by the clock of Redis.</param>
/// <param name="Ticket">See <see cref="EncodeResult.Ticket" />.</param>
public readonly record struct EncodedEntry(
    EntryPosition Position,
    int Offset,
    int Length,
    int PayloadLength,
    Rejection Rejection,
    ulong OwnIdHash,
    DateTimeOffset TakenAt,
    OutcomeTicket? Ticket = null)
{
    /// <summary>See <see cref="EncodeResult.NotYet" />.</summary>
    public NotYet? NotYet { get; init; }

    /// <summary>See <see cref="EncodeResult.Recipient" />.</summary>
    public ulong Recipient { get; init; }

    /// <summary>What was said of it when it was put off, if it was.</summary>
    public Deferred? Deferred { get; init; }

    /// <summary>See <see cref="EncodeResult.PushedAt" />: milliseconds of Unix time; 0 for null.</summary>
    public long PushedAtMs { get; init; }

    /// <summary>See <see cref="EncodeResult.IdHash" />.</summary>
    public ulong IdHash { get; init; }

    /// <summary>See <see cref="EncodeResult.Trace" />.</summary>
    public DeliveryTrace? Trace { get; init; }

    /// <summary>Whether it may be sent later than now: nearly none may.</summary>
    internal bool MayBePutOff => (NotYet is not null || Recipient != 0) && !IsRejected;

    /// <summary>Whether the entry goes to the dead-letter stream instead of the socket.</summary>
    public bool IsRejected => Rejection.Reason != RejectionReason.None;
}

/// <summary>
/// A run of entries as the bytes that go onto the stream, in order. Owns a pooled buffer, which
/// its last reader gives back with <see cref="Release" />. Not thread-safe: whoever holds it owns it.
/// </summary>
/// <param name="flow">The flow of entries it belongs to; a later flow makes it void.</param>
/// <param name="firstOrdinal">How many entries of the flow came before it.</param>
/// <param name="entries">The entries, contiguous and in order.</param>
/// <param name="buffer">The bytes that the entries' offsets point into.</param>
/// <param name="entriesRented">Whether the array of the entries is the shared pool's as well.</param>
public sealed class EncodedBatch(int flow, long firstOrdinal, ArraySegment<EncodedEntry> entries, byte[] buffer, bool entriesRented = false)
{
    private ArraySegment<EncodedEntry> _entries = entries;
    private byte[]? _buffer = buffer;

    /// <summary>The flow of entries it belongs to.</summary>
    public int Flow { get; } = flow;

    /// <summary>How many entries of the flow came before it.</summary>
    public long FirstOrdinal { get; } = firstOrdinal;

    /// <summary>The entries, in order; none after <see cref="ReleaseEntries" />.</summary>
    public ReadOnlySpan<EncodedEntry> Entries => _entries;

    /// <summary>The bytes from one offset on.</summary>
    /// <exception cref="ObjectDisposedException">The buffer was given back.</exception>
    public ReadOnlySpan<byte> Bytes(int offset, int length)
    {
        ObjectDisposedException.ThrowIf(_buffer is null, this);
        return _buffer.AsSpan(offset, length);
    }

    /// <summary>Gives the buffer back to the pool. Safe to call once only by the owner; later calls do nothing.</summary>
    public void Release()
    {
        if (_buffer is { } buffer)
        {
            _buffer = null;
            ArrayPool<byte>.Shared.Return(buffer);
        }

        ReleaseEntries();
    }

    /// <summary>Gives a rented array of entries back, once they were copied; the bytes stay.</summary>
    public void ReleaseEntries()
    {
        if (!entriesRented || _entries.Array is not { Length: > 0 } array)
            return;
        // With the words of rejections, which must not live on in the pool.
        ArrayPool<EncodedEntry>.Shared.Return(array, clearArray: true);
        _entries = ArraySegment<EncodedEntry>.Empty;
    }
}

/// <summary>A growing buffer from the shared array pool, handed over to an <see cref="EncodedBatch" /> in the end.</summary>
internal sealed class PooledBufferWriter(int initialCapacity) : IBufferWriter<byte>
{
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(initialCapacity);

    public int WrittenCount { get; private set; }

    public void Advance(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, _buffer.Length - WrittenCount);
        WrittenCount += count;
    }

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _buffer.AsMemory(WrittenCount);
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _buffer.AsSpan(WrittenCount);
    }

    /// <summary>Forgets what was written past a length: an encoder that threw may have left half a stanza.</summary>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, WrittenCount);
        WrittenCount = length;
    }

    /// <summary>Hands the array over; the writer must not be used afterwards.</summary>
    public byte[] Detach()
    {
        var buffer = _buffer;
        _buffer = [];
        return buffer;
    }

    private void Reserve(int sizeHint)
    {
        var needed = WrittenCount + Math.Max(sizeHint, 1);
        if (needed <= _buffer.Length)
            return;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, _buffer.Length * 2));
        _buffer.AsSpan(0, WrittenCount).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
