using System.Buffers.Text;
using System.Globalization;

namespace Bridge.Queue;

/// <summary>
/// Where an entry stands in its queue's order. A stream entry's id is its position as it is
/// (milliseconds, counter); a list entry's position is (0, sequence), where the sequence is
/// given by the take script and rises by one with each entry.
/// </summary>
/// <param name="High">Milliseconds of a stream entry id; 0 for a list.</param>
/// <param name="Low">Counter of a stream entry id; the sequence for a list.</param>
public readonly record struct EntryPosition(ulong High, ulong Low) : IComparable<EntryPosition>
{
    /// <summary>Before every entry of any queue.</summary>
    public static readonly EntryPosition Zero = new(0, 0);

    /// <summary>The position of the list entry with this sequence.</summary>
    public static EntryPosition OfSequence(ulong sequence) => new(0, sequence);

    /// <summary>The position right before this one, whether or not an entry has it; not for <see cref="Zero" />.</summary>
    public EntryPosition Previous => Low > 0 ? this with { Low = Low - 1 } : new EntryPosition(High - 1, ulong.MaxValue);

    /// <inheritdoc />
    public int CompareTo(EntryPosition other) =>
        High != other.High ? High.CompareTo(other.High) : Low.CompareTo(other.Low);

    /// <summary>Whether this position comes before the other.</summary>
    public static bool operator <(EntryPosition left, EntryPosition right) => left.CompareTo(right) < 0;

    /// <summary>Whether this position comes after the other.</summary>
    public static bool operator >(EntryPosition left, EntryPosition right) => left.CompareTo(right) > 0;

    /// <summary>Whether this position is the other or comes before it.</summary>
    public static bool operator <=(EntryPosition left, EntryPosition right) => left.CompareTo(right) <= 0;

    /// <summary>Whether this position is the other or comes after it.</summary>
    public static bool operator >=(EntryPosition left, EntryPosition right) => left.CompareTo(right) >= 0;

    /// <summary>
    /// The text form that scripts and dead letters carry: always <c>high-low</c>, the form of a
    /// stream entry id, so that one parser serves both kinds.
    /// </summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{High}-{Low}");

    /// <summary>Reads the form that <see cref="ToString" /> writes.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out EntryPosition position)
    {
        position = Zero;
        var dash = text.IndexOf('-');
        if (dash < 0
            || !ulong.TryParse(text[..dash], NumberStyles.None, CultureInfo.InvariantCulture, out var high)
            || !ulong.TryParse(text[(dash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out var low))
            return false;
        position = new EntryPosition(high, low);
        return true;
    }

    /// <summary>Reads the form that <see cref="ToString" /> writes, from UTF-8.</summary>
    public static bool TryParse(ReadOnlySpan<byte> text, out EntryPosition position)
    {
        position = Zero;
        if (!Utf8Parser.TryParse(text, out ulong high, out var used) || used >= text.Length || text[used] != '-'
            || !Utf8Parser.TryParse(text[(used + 1)..], out ulong low, out var more) || used + 1 + more != text.Length)
            return false;
        position = new EntryPosition(high, low);
        return true;
    }
}
