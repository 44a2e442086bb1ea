using System.Buffers;
using System.Diagnostics;

namespace Bridge.Telemetry;

/// <summary>The header <c>traceparent</c> of W3C Trace Context.</summary>
internal static class TraceParent
{
    private const int Length = 55;
    private const int Version = 0;
    private const int TraceId = 3;
    private const int SpanId = 36;
    private const int Flags = 53;

    // Lower case only (§3.2.2).
    private static readonly SearchValues<byte> HexDigits = SearchValues.Create("0123456789abcdef"u8);

    /// <summary>
    /// Reads it. False for anything else than the text says: then it is as if there were none (Trace Context §3.2.2.3, §4.3).
    /// </summary>
    public static bool TryRead(ReadOnlySpan<byte> text, out ActivityContext context)
    {
        context = default;
        if (text.Length < Length || text[2] != '-' || text[TraceId + 32] != '-' || text[SpanId + 16] != '-')
            return false;
        var version = text.Slice(Version, 2);
        if (!IsHex(version) || version.SequenceEqual("ff"u8))
            return false;
        // What a later version says more stands behind another dash (§3.2.4).
        if (text.Length > Length && (version.SequenceEqual("00"u8) || text[Length] != '-'))
            return false;
        var traceId = text.Slice(TraceId, 32);
        var spanId = text.Slice(SpanId, 16);
        var flags = text.Slice(Flags, 2);
        if (!IsHex(traceId) || !IsHex(spanId) || !IsHex(flags) || traceId.IndexOfAnyExcept((byte)'0') < 0 || spanId.IndexOfAnyExcept((byte)'0') < 0)
            return false;
        // Of the flags only the lowest is known: sampled.
        context = new ActivityContext(
            ActivityTraceId.CreateFromUtf8String(traceId),
            ActivitySpanId.CreateFromUtf8String(spanId),
            (Digit(flags[1]) & 1) == 1 ? ActivityTraceFlags.Recorded : ActivityTraceFlags.None,
            isRemote: true);
        return true;
    }

    private static bool IsHex(ReadOnlySpan<byte> text) => text.IndexOfAnyExcept(HexDigits) < 0;

    private static int Digit(byte digit) => digit <= '9' ? digit - '0' : digit - 'a' + 10;
}
