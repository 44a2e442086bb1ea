using System.Globalization;

namespace Bridge.Stanzas;

/// <summary>Times as XMPP writes them (XEP-0082) and as envelopes give them.</summary>
internal static class XmppTime
{
    /// <summary>Bytes that <see cref="Format" /> writes.</summary>
    public const int Length = 24;

    /// <summary>Writes a time in UTC with milliseconds, such as <c>2026-01-31T23:59:59.000Z</c>.</summary>
    /// <param name="time">Any time.</param>
    /// <param name="destination">Room for <see cref="Length" /> bytes.</param>
    public static void Format(DateTimeOffset time, Span<byte> destination) =>
        time.UtcDateTime.TryFormat(destination, out _, "yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}
