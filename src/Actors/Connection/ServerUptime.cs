using System.Xml;

namespace Bridge.Connection;

/// <summary>
/// What one life of the stream learnt about the server's start (XEP-0012), and whether that proves that
/// the server lived on over a break. Pure.
/// </summary>
/// <param name="StartedAt">The server's start on our monotonic clock.</param>
/// <param name="StartedAtUnix">The same in Unix milliseconds, for the mark that other processes read.</param>
/// <param name="SingleAddress">Whether exactly one endpoint is configured and it resolved to one address.</param>
internal sealed record ServerUptime(TimeSpan StartedAt, long StartedAtUnix, bool SingleAddress)
{
    // The answer has whole seconds, and takes its time to come.
    private static readonly TimeSpan Tolerance = TimeSpan.FromSeconds(2);

    // Between two processes the clocks of two hosts differ as well.
    private const long MarkToleranceMilliseconds = 3_000;

    /// <summary>Reads the answer to the question for the uptime: the <c>seconds</c> of the <c>query</c> (XEP-0012 §4); null when it tells none.</summary>
    public static TimeSpan? ReadAnswer(ReadOnlySpan<byte> iq)
    {
        using var reader = XmlReader.Create(
            new MemoryStream(iq.ToArray()),
            new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, ConformanceLevel = ConformanceLevel.Fragment });
        try
        {
            return reader.ReadToDescendant("query", "jabber:iq:last")
                && long.TryParse(reader.GetAttribute("seconds"), out var seconds) && seconds is >= 0 and < int.MaxValue
                ? TimeSpan.FromSeconds(seconds)
                : null;
        }
        catch (XmlException)
        {
            // The element leans on a prefix of the stream header, say: no answer that can be used.
            return null;
        }
    }

    /// <summary>Whether the server of the life before still runs, and ran when the oldest held entry was confirmed.</summary>
    public static bool LivedOn(ServerUptime? before, ServerUptime? after, TimeSpan oldestHeldAt) =>
        before is not null && after is not null
        && before.SingleAddress && after.SingleAddress
        && (after.StartedAt - before.StartedAt).Duration() <= Tolerance
        && after.StartedAt <= oldestHeldAt - Tolerance
        && before.StartedAt <= oldestHeldAt - Tolerance;

    /// <summary>
    /// Whether a predecessor's mark may still be trusted: the server that it names runs, or it names
    /// none (then its death cannot be told from its silence, see the decision on taking over).
    /// </summary>
    public static bool Upholds(long markedStartUnix, ServerUptime? now) =>
        markedStartUnix == 0
        || (now is not null && Math.Abs(now.StartedAtUnix - markedStartUnix) <= MarkToleranceMilliseconds);
}
