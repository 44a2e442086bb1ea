namespace Bridge.EndToEnd;

internal static class Statistics
{
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length == 0 ? 0 : (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>
    /// The interval between two of the values that holds the median of what they are drawn from in 95 of 100 cases or
    /// more, whatever their distribution; null when there are too few of them (fewer than 6).
    /// </summary>
    public static (double Low, double High)? MedianInterval(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        // How many values lie below the median is binomial: the interval from the k-th smallest to the k-th largest
        // misses it when fewer than k do, or fewer than k lie above.
        var rank = 0;
        var term = Math.Pow(0.5, sorted.Length);
        var missing = 2 * term;
        while (missing <= 0.05)
        {
            rank++;
            term *= (sorted.Length - rank + 1.0) / rank;
            missing += 2 * term;
        }

        return rank == 0 ? null : (sorted[rank - 1], sorted[^rank]);
    }
}
