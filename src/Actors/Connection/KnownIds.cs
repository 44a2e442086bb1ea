using System.Buffers;

namespace Bridge.Connection;

/// <summary>
/// Recognises the ids of stanzas that we wrote: generated ones by their form, the app's own ones by a
/// bounded memory of their hashes. A collision or a forgotten id only decides how a bounce is
/// counted. Pure.
/// </summary>
/// <param name="capacity">Own ids remembered; the oldest is forgotten first.</param>
internal sealed class KnownIds(int capacity)
{
    private static readonly SearchValues<byte> HexDigits = SearchValues.Create("0123456789abcdef"u8);
    private static readonly SearchValues<byte> NumberParts = SearchValues.Create("0123456789-"u8);

    private readonly HashSet<ulong> _known = [];
    private readonly Queue<ulong> _order = new();

    /// <summary>Remembers an id of the app's own.</summary>
    public void Remember(ulong hash)
    {
        if (hash == 0 || !_known.Add(hash))
            return;
        _order.Enqueue(hash);
        if (_order.Count > capacity)
            _known.Remove(_order.Dequeue());
    }

    /// <summary>Whether a stanza with this id was ours.</summary>
    public bool Knows(ReadOnlySpan<byte> id) =>
        IsGenerated(id) || _known.Contains(System.IO.Hashing.XxHash3.HashToUInt64(id));

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
