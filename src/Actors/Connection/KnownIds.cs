using System.Buffers;
using System.Numerics;
using Bridge.Stanzas;

namespace Bridge.Connection;

/// <summary>
/// Recognises the ids of stanzas that we wrote: generated ones by their form, the app's own ones by a
/// bounded memory of their hashes. A collision or a forgotten id only decides how a bounce is
/// counted. Pure.
/// </summary>
/// <param name="capacity">
/// Own ids remembered, about: there is room for at least twice as many, in sets of eight, and a set that is full
/// forgets its oldest. Of the newest 200,000 fewer than one in two hundred is forgotten early.
/// </param>
internal sealed class KnownIds(int capacity)
{
    private static readonly SearchValues<byte> HexDigits = SearchValues.Create("0123456789abcdef"u8);
    private static readonly SearchValues<byte> NumberParts = SearchValues.Create("0123456789-"u8);

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

    /// <summary>Whether a stanza with this id was ours.</summary>
    public bool Knows(ReadOnlySpan<byte> id) =>
        IsGenerated(id) || (_known.Length > 0 && System.IO.Hashing.XxHash3.HashToUInt64(id) is not 0 and var hash && SetOf(hash).Contains(hash));

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

    /// <summary>
    /// Whether an id has the form that the queues generate: <c>b-</c>, 8 or 16 hexadecimal digits, and
    /// one or two numbers, each behind a <c>-</c>.
    /// </summary>
    internal static bool IsGenerated(ReadOnlySpan<byte> id)
    {
        if (!id.StartsWith("b-"u8))
            return false;
        id = id[2..];
        var dash = id.IndexOf((byte)'-');
        if (dash is not (8 or 16) || id[..dash].IndexOfAnyExcept(HexDigits) >= 0)
            return false;
        var numbers = id[(dash + 1)..];
        return numbers.Length is > 0 and <= 41
            && numbers.IndexOfAnyExcept(NumberParts) < 0
            && numbers[0] != '-' && numbers[^1] != '-'
            && numbers.Count((byte)'-') <= 1;
    }
}
