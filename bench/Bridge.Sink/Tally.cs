using Bridge.Measuring;

namespace Bridge.Sink;

/// <summary>
/// What arrived of one queue, whose messages are numbered from 0 in the order of their push. Not thread-safe.
/// </summary>
internal sealed class Tally
{
    // An id that claims a higher number than any run has is a mistake, not a reason to allocate.
    private const long HighestNumber = 100_000_000;

    private readonly long _latencyFrom;

    // All numbers below have been seen. While everything arrives in order, that is all there is to know.
    private long _expected;

    // Beyond: one bit each, and the highest that was seen.
    private ulong[] _ahead = [];
    private long _aheadCount;
    private long _highest = -1;

    /// <param name="latency">Where latencies go; null: they are not measured.</param>
    /// <param name="latencyFrom">The first number whose latency counts; those before are a warm-up.</param>
    public Tally(Histogram? latency = null, long latencyFrom = 0)
    {
        Latency = latency;
        _latencyFrom = latencyFrom;
    }

    public long Arrived { get; private set; }

    public long Repeated { get; private set; }

    public long Reordered { get; private set; }

    public long Unnumbered { get; private set; }

    public long Distinct => _expected + _aheadCount;

    public Histogram? Latency { get; }

    /// <summary>Counts a message by its id, which ends in <c>-number</c>, or in <c>-ticks-number</c> where latency is measured.</summary>
    /// <param name="id">The id, in its bytes on the wire.</param>
    /// <param name="now">When it arrived.</param>
    public void Count(ReadOnlySpan<byte> id, long now)
    {
        Arrived++;
        var rest = id;
        if (!TryTakeNumber(ref rest, out var number) || number > HighestNumber)
        {
            Unnumbered++;
            return;
        }

        if (number == _expected && _aheadCount == 0)
            _expected++;
        else if (!TryCountAhead(number))
            return;

        if (Latency is not null && number >= _latencyFrom && TryTakeNumber(ref rest, out var pushedAt))
            Latency.Add(now - pushedAt);
    }

    /// <summary>What differs from the order of the push, or follows such a difference; false when it is a repetition.</summary>
    private bool TryCountAhead(long number)
    {
        if (number < _expected || Has(number))
        {
            Repeated++;
            return false;
        }

        if (number < _highest)
            Reordered++;
        else
            _highest = number;
        Set(number);
        while (_aheadCount > 0 && Has(_expected))
        {
            _ahead[_expected >> 6] &= ~(1UL << (int)(_expected & 63));
            _aheadCount--;
            _expected++;
        }

        return true;
    }

    private bool Has(long number) =>
        number >> 6 < _ahead.Length && (_ahead[number >> 6] & (1UL << (int)(number & 63))) != 0;

    private void Set(long number)
    {
        var word = (int)(number >> 6);
        if (word >= _ahead.Length)
            Array.Resize(ref _ahead, Math.Max(word + 1, 2 * _ahead.Length));
        _ahead[word] |= 1UL << (int)(number & 63);
        _aheadCount++;
    }

    /// <summary>Takes <c>-digits</c> from the end.</summary>
    private static bool TryTakeNumber(ref ReadOnlySpan<byte> id, out long number)
    {
        number = 0;
        long weight = 1;
        var i = id.Length - 1;
        for (; i >= 0 && (uint)(id[i] - '0') <= 9; i--)
        {
            number += (id[i] - '0') * weight;
            weight *= 10;
        }

        var found = i >= 0 && id[i] == '-' && i < id.Length - 1 && id.Length - i <= 19;
        if (found)
            id = id[..i];
        return found;
    }
}
