using System.Buffers.Text;

namespace Bridge.Queue;

/// <summary>
/// Takes the contents of long strings out of a stream of replies, so that they never stand in memory: behind it, a
/// string above the limit is an empty one. Everything else passes as it is.
/// <para>
/// Whoever waits for work by a blocking command gets the entry that ended the wait as its reply (BLMOVE, XREAD), however
/// long it is, and Redis has no such command that tells only that there is one.
/// </para>
/// </summary>
/// <remarks>
/// Pure. Knows of the protocol (RESP, https://redis.io/docs/latest/develop/reference/protocol-spec/) where lines end and
/// which of them announce how many bytes follow: <c>$</c> strings, <c>!</c> errors, <c>=</c> verbatim strings.
/// </remarks>
/// <param name="longest">The longest string that passes, in bytes.</param>
internal sealed class ReplySieve(int longest)
{
    // '$', at most nineteen digits and a sign, CR, LF.
    private const int LongestAnnouncement = 32;

    private readonly byte[] _announcement = new byte[LongestAnnouncement];
    private int _announced;
    private bool _withinLine;
    private long _keep;
    private long _drop;

    /// <summary>Receives what passes, in order. Whether to go on.</summary>
    public delegate bool Receiver(ReadOnlySpan<byte> bytes);

    /// <summary>Hands on what passes of the next bytes.</summary>
    /// <returns>What the receiver said last; false ends the connection.</returns>
    public bool Pass(ReadOnlySpan<byte> bytes, Receiver receiver)
    {
        // Where the piece begins that passes as it is; what is looked at lies behind it.
        var (piece, at) = (0, 0);
        while (at < bytes.Length)
        {
            if (_drop > 0)
            {
                var dropped = (int)Math.Min(_drop, bytes.Length - at);
                _drop -= dropped;
                piece = at += dropped;
            }
            else if (_keep > 0)
            {
                var kept = (int)Math.Min(_keep, bytes.Length - at);
                _keep -= kept;
                at += kept;
            }
            else if (_withinLine || (_announced == 0 && !Announces(bytes[at])))
            {
                var end = bytes[at..].IndexOf((byte)'\n');
                _withinLine = end < 0;
                at = end < 0 ? bytes.Length : at + end + 1;
            }
            else
            {
                // Held back until it is whole: what passes depends on it.
                if (at > piece && !receiver(bytes[piece..at]))
                    return false;
                var end = bytes[at..].IndexOf((byte)'\n');
                var part = end < 0 ? bytes[at..] : bytes.Slice(at, end + 1);
                // No protocol that we know; the client will say so.
                if (_announced + part.Length > LongestAnnouncement)
                    return false;
                part.CopyTo(_announcement.AsSpan(_announced));
                _announced += part.Length;
                piece = at += part.Length;
                if (end >= 0 && !EndAnnouncement(receiver))
                    return false;
            }
        }

        return piece == at || receiver(bytes[piece..at]);
    }

    private static bool Announces(byte first) => first is (byte)'$' or (byte)'!' or (byte)'=';

    private bool EndAnnouncement(Receiver receiver)
    {
        var line = _announcement.AsSpan(0, _announced);
        _announced = 0;
        // Of nothing (-1) there is not even an end of line.
        if (!Utf8Parser.TryParse(line[1..], out long size, out _) || size < 0)
            return receiver(line);
        if (line[0] == (byte)'$' && size > longest)
        {
            _drop = size;
            _keep = 2;
            return receiver("$0\r\n"u8);
        }

        _keep = size + 2;
        return receiver(line);
    }
}
