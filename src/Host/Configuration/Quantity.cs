using System.Buffers;
using System.Globalization;

namespace Bridge.Host.Configuration;

/// <summary>Durations and sizes as HOCON writes them ("Units format" of its specification).</summary>
internal static class Quantity
{
    private static readonly SearchValues<char> NumberCharacters = SearchValues.Create("0123456789.");

    // Nanoseconds are left out: nothing here is that short.
    private static readonly (string[] Names, TimeSpan Unit)[] Durations =
    [
        (["us", "micro", "micros", "microsecond", "microseconds"], TimeSpan.FromMicroseconds(1)),
        (["ms", "milli", "millis", "millisecond", "milliseconds"], TimeSpan.FromMilliseconds(1)),
        (["s", "second", "seconds"], TimeSpan.FromSeconds(1)),
        (["m", "minute", "minutes"], TimeSpan.FromMinutes(1)),
        (["h", "hour", "hours"], TimeSpan.FromHours(1)),
        (["d", "day", "days"], TimeSpan.FromDays(1)),
    ];

    private static readonly (string[] Names, long Unit)[] Sizes =
    [
        (["", "B", "b", "byte", "bytes"], 1),
        (["kB", "kilobyte", "kilobytes"], 1_000),
        (["MB", "megabyte", "megabytes"], 1_000_000),
        (["GB", "gigabyte", "gigabytes"], 1_000_000_000),
        (["K", "k", "Ki", "KiB", "kibibyte", "kibibytes"], 1L << 10),
        (["M", "m", "Mi", "MiB", "mebibyte", "mebibytes"], 1L << 20),
        (["G", "g", "Gi", "GiB", "gibibyte", "gibibytes"], 1L << 30),
    ];

    /// <summary>
    /// Reads a duration. HOCON takes a bare number for milliseconds; here it is refused, but for
    /// 0, because who writes <c>hold = 2</c> means seconds.
    /// </summary>
    public static bool TryDuration(string text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        if (!TrySplit(text, out var number, out var unit))
            return false;
        if (unit.Length == 0)
            return number == 0;
        foreach (var (names, length) in Durations)
        {
            if (!names.Contains(unit, StringComparer.Ordinal))
                continue;
            var ticks = number * length.Ticks;
            if (ticks > TimeSpan.MaxValue.Ticks)
                return false;
            duration = TimeSpan.FromTicks((long)ticks);
            return true;
        }

        return false;
    }

    /// <summary>Reads a size in bytes; without a unit it is bytes.</summary>
    public static bool TrySize(string text, out long bytes)
    {
        bytes = 0;
        if (!TrySplit(text, out var number, out var unit))
            return false;
        foreach (var (names, size) in Sizes)
        {
            if (!names.Contains(unit, StringComparer.Ordinal))
                continue;
            var product = number * size;
            if (product > long.MaxValue || product != decimal.Truncate(product))
                return false;
            bytes = (long)product;
            return true;
        }

        return false;
    }

    /// <summary>A duration in its largest whole unit: <c>250ms</c>, <c>2s</c>, <c>5m</c>.</summary>
    public static string Format(TimeSpan duration)
    {
        (long Ticks, string Name)[] units =
        [
            (TimeSpan.TicksPerDay, "d"), (TimeSpan.TicksPerHour, "h"), (TimeSpan.TicksPerMinute, "m"),
            (TimeSpan.TicksPerSecond, "s"), (TimeSpan.TicksPerMillisecond, "ms"), (TimeSpan.TicksPerMicrosecond, "us"),
        ];
        if (duration == TimeSpan.Zero)
            return "0s";
        var (ticks, name) = units.FirstOrDefault(unit => duration.Ticks % unit.Ticks == 0, (1, "ticks"));
        return string.Create(CultureInfo.InvariantCulture, $"{duration.Ticks / ticks}{name}");
    }

    /// <summary>A size in its largest whole binary unit: <c>64KiB</c>, <c>1GiB</c>.</summary>
    public static string Format(long bytes)
    {
        (long Size, string Name)[] units = [(1L << 30, "GiB"), (1L << 20, "MiB"), (1L << 10, "KiB")];
        var (size, name) = units.FirstOrDefault(unit => bytes != 0 && bytes % unit.Size == 0, (1, "B"));
        return string.Create(CultureInfo.InvariantCulture, $"{bytes / size}{name}");
    }

    private static bool TrySplit(string text, out decimal number, out string unit)
    {
        var trimmed = text.AsSpan().Trim();
        var length = trimmed.IndexOfAnyExcept(NumberCharacters);
        if (length < 0)
            length = trimmed.Length;
        unit = trimmed[length..].Trim().ToString();
        // 15 digits are more than any setting needs, and keep the products within decimal's range.
        return length <= 15
            & decimal.TryParse(trimmed[..length], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out number);
    }
}
