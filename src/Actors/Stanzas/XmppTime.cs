using System.Globalization;

namespace Bridge.Stanzas;

/// <summary>Times as XMPP writes them (XEP-0082) and as envelopes give them.</summary>
internal static class XmppTime
{
    /// <summary>Bytes that <see cref="Format" /> writes.</summary>
    public const int Length = 24;

    // A number below is seconds (until the year 5138), any other milliseconds (since March 1973).
    private const double FirstMilliseconds = 1e11;

    // Room on both sides, so that no offset and no time to live can leave what DateTimeOffset holds.
    private const int FirstYear = 1970;
    private const int LastYear = 9900;
    private static readonly double LastUnixMilliseconds =
        new DateTimeOffset(LastYear, 12, 31, 23, 59, 59, TimeSpan.Zero).ToUnixTimeMilliseconds();

    /// <summary>Writes a time in UTC with milliseconds, such as <c>2026-01-31T23:59:59.000Z</c>.</summary>
    /// <param name="time">Any time.</param>
    /// <param name="destination">Room for <see cref="Length" /> bytes.</param>
    public static void Format(DateTimeOffset time, Span<byte> destination) =>
        time.UtcDateTime.TryFormat(destination, out _, "yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    /// <summary>Reads Unix time: seconds below 100,000,000,000, milliseconds from there on; fractions count.</summary>
    public static bool TryReadUnix(ReadOnlySpan<byte> number, out DateTimeOffset time)
    {
        time = default;
        if (!TryReadNumber(number, out var value))
            return false;
        var milliseconds = value < FirstMilliseconds ? value * 1000 : value;
        if (milliseconds > LastUnixMilliseconds)
            return false;
        time = DateTimeOffset.FromUnixTimeMilliseconds((long)Math.Round(milliseconds));
        return true;
    }

    /// <summary>Reads a number that is neither negative nor infinite, in JSON's notation.</summary>
    public static bool TryReadNumber(ReadOnlySpan<byte> number, out double value)
    {
        const NumberStyles Styles = NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        value = 0;
        return !number.IsEmpty
            && char.IsAsciiDigit((char)number[0])
            && double.TryParse(number, Styles, CultureInfo.InvariantCulture, out value)
            && double.IsFinite(value);
    }

    /// <summary>
    /// Reads a date and time of RFC 3339 §5.6 with its offset, such as <c>2026-01-31T23:59:59.5+01:00</c>.
    /// A leap second counts as the second after it; digits beyond 100 ns are dropped.
    /// </summary>
    public static bool TryRead(ReadOnlySpan<byte> text, out DateTimeOffset time)
    {
        time = default;
        if (text.Length < "2026-01-31T23:59:59Z".Length
            || text[4] != (byte)'-' || text[7] != (byte)'-' || (text[10] | 0x20) != 't'
            || text[13] != (byte)':' || text[16] != (byte)':'
            || !TryDigits(text[..4], out var year) || !TryDigits(text[5..7], out var month) || !TryDigits(text[8..10], out var day)
            || !TryDigits(text[11..13], out var hour) || !TryDigits(text[14..16], out var minute) || !TryDigits(text[17..19], out var second)
            || year is < FirstYear or > LastYear || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month)
            || hour > 23 || minute > 59 || second > 60)
            return false;

        var rest = text[19..];
        var ticks = 0L;
        if (rest[0] == (byte)'.')
        {
            var digits = 1;
            for (var unit = TimeSpan.TicksPerSecond / 10; digits < rest.Length && char.IsAsciiDigit((char)rest[digits]); digits++, unit /= 10)
                ticks += unit * (rest[digits] - '0');
            if (digits == 1)
                return false;
            rest = rest[digits..];
        }

        if (!TryReadZone(rest, out var offset))
            return false;
        time = new DateTimeOffset(year, month, day, hour, minute, 0, TimeSpan.Zero)
            .AddSeconds(second).AddTicks(ticks).Subtract(offset);
        return true;
    }

    private static bool TryReadZone(ReadOnlySpan<byte> zone, out TimeSpan offset)
    {
        offset = TimeSpan.Zero;
        if (zone.Length == 1)
            return (zone[0] | 0x20) == 'z';
        if (zone.Length != 6 || zone[0] is not ((byte)'+' or (byte)'-') || zone[3] != (byte)':'
            || !TryDigits(zone[1..3], out var hours) || !TryDigits(zone[4..6], out var minutes)
            || hours > 23 || minutes > 59)
            return false;
        offset = new TimeSpan(hours, minutes, 0) * (zone[0] == (byte)'-' ? -1 : 1);
        return true;
    }

    private static bool TryDigits(ReadOnlySpan<byte> text, out int value)
    {
        value = 0;
        foreach (var b in text)
        {
            if (!char.IsAsciiDigit((char)b))
                return false;
            value = (value * 10) + b - '0';
        }

        return true;
    }
}
