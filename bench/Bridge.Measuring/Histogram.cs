using System.Numerics;

namespace Bridge.Measuring;

/// <summary>Counts values in buckets whose width is at most 1/128 of what they hold. Not thread-safe.</summary>
public sealed class Histogram
{
    private const int SubBits = 7;

    private readonly long[] _counts = new long[(64 - SubBits + 1) << SubBits];

    public long Count { get; private set; }

    public long Max { get; private set; }

    /// <summary>Counts a value; a negative one as 0.</summary>
    public void Add(long value)
    {
        value = Math.Max(0, value);
        _counts[Index(value)]++;
        Count++;
        Max = Math.Max(Max, value);
    }

    public void Add(Histogram other)
    {
        for (var i = 0; i < _counts.Length; i++)
            _counts[i] += other._counts[i];
        Count += other.Count;
        Max = Math.Max(Max, other.Max);
    }

    /// <summary>The value that this part of all values does not exceed, 0 when there is none.</summary>
    public long Percentile(double part)
    {
        var rank = (long)Math.Ceiling(part * Count);
        for (var i = 0; i < _counts.Length; i++)
        {
            rank -= _counts[i];
            if (rank <= 0 && _counts[i] > 0)
                return Math.Min(Max, UpperBound(i));
        }

        return 0;
    }

    private static int Index(long value)
    {
        var shift = Math.Max(0, BitOperations.Log2((ulong)value) - SubBits);
        return (shift << SubBits) + (int)(value >> shift);
    }

    private static long UpperBound(int index)
    {
        var shift = Math.Max(0, (index >> SubBits) - 1);
        return ((long)(index - (shift << SubBits) + 1) << shift) - 1;
    }
}
