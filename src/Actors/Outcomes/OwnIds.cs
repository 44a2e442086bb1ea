using System.IO.Hashing;
using System.Numerics;
using System.Runtime.CompilerServices;
using Bridge.Stanzas;

namespace Bridge.Outcomes;

/// <summary>
/// Recognises the ids of the app's own that were written, each with whom it was written to, by a bounded memory of
/// their hashes. One that is forgotten is one of nobody's: an answer to it goes the way of everything that users
/// send. Pure; not thread-safe.
/// </summary>
/// <param name="capacity">
/// Own ids remembered, about: there is room for at least twice as many, in sets of eight, and a set that is full
/// forgets its oldest. Of the newest 200,000 fewer than one in two hundred is forgotten early.
/// </param>
internal sealed class OwnIds(int capacity)
{
    // Every message passes here, and hardly one bounces: a set is one or two lines of the processor's
    // cache. A hash set with a queue of what to forget cost 15 % of Bridge's time.
    private const int Ways = 8;

    // Keeps the reads of Remember from being left out.
    private ulong _touched;

    // Four megabytes, made with the first id of the app's own: many apps bring none.
    private ulong[] _known = [];

    /// <summary>Remembers the ids of the app's own in a batch.</summary>
    public void Remember(ReadOnlySpan<EncodedEntry> batch)
    {
        if (_known.Length == 0 && !MakeRoomFor(batch))
            return;
        // Nearly each set is somewhere in main memory. Read without waiting, they come all at once.
        ulong touched = 0;
        foreach (ref readonly var entry in batch)
            touched ^= SetOf(entry.OwnIdHash)[0];
        _touched = touched;
        foreach (ref readonly var entry in batch)
            Remember(entry.OwnIdHash);
    }

    /// <summary>Remembers an id of the app's own; 0 is none.</summary>
    public void Remember(ulong hash)
    {
        if (hash == 0)
            return;
        MakeRoom();
        var set = SetOf(hash);
        if (set.Contains(hash))
            return;
        set[..^1].CopyTo(set[1..]);
        set[0] = hash;
    }

    /// <summary>Whether an id of this hash was written.</summary>
    public bool Knows(ulong hash) => _known.Length > 0 && hash != 0 && SetOf(hash).Contains(hash);

    /// <summary>The hash of an id and of the bare address that it is written to, or that answers it; never 0.</summary>
    /// <param name="id">The id, unescaped UTF-8.</param>
    /// <param name="address">The address, unescaped UTF-8.</param>
    public static ulong HashOf(ReadOnlySpan<byte> id, ReadOnlySpan<byte> address) => HashWith(Math.Max(1, XxHash3.HashToUInt64(id)), address);

    /// <summary>The same, where the hash of the id is known.</summary>
    /// <param name="idHash">XXH3 of the id, unescaped UTF-8; 1 where that is 0.</param>
    /// <param name="address">The address, unescaped UTF-8.</param>
    public static ulong HashWith(ulong idHash, ReadOnlySpan<byte> address)
    {
        if (!BareAddress.TryTrim(address, out var bare))
            return HashOfOther(idHash, address);
        return HashOfBare(idHash, bare);
    }

    // Apart, because the room on the stack costs more than the hash.
    [SkipLocalsInit]
    private static ulong HashOfOther(ulong idHash, ReadOnlySpan<byte> address)
    {
        Span<byte> bare = stackalloc byte[BareAddress.MaxBytes];
        return HashOfBare(idHash, bare[..BareAddress.Write(address, bare)]);
    }

    private static ulong HashOfBare(ulong idHash, ReadOnlySpan<byte> bare) =>
        Math.Max(1, XxHash3.HashToUInt64(bare, unchecked((long)idHash)));

    private bool MakeRoomFor(ReadOnlySpan<EncodedEntry> batch)
    {
        foreach (ref readonly var entry in batch)
        {
            if (entry.OwnIdHash == 0)
                continue;
            MakeRoom();
            return true;
        }

        return false;
    }

    private void MakeRoom()
    {
        if (_known.Length == 0)
            _known = new ulong[Ways * (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(1, capacity / 4))];
    }

    private Span<ulong> SetOf(ulong hash) => _known.AsSpan((int)(hash & (ulong)(_known.Length / Ways - 1)) * Ways, Ways);
}
