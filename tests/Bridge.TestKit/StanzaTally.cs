using System.Buffers.Text;

namespace Bridge.TestKit;

/// <summary>
/// Counts stanzas without keeping them: one bit each, by recipient and by the number that its id ends with
/// (<c>…-17</c>). Memory is bounded by the recipients and the highest number, not by the traffic.
/// </summary>
/// <remarks>Thread-safe: all members take one lock.</remarks>
public sealed class StanzaTally
{
    private readonly Lock _gate = new();
    private readonly Dictionary<ulong, Recipient> _recipients = [];
    private readonly List<(long Distinct, TaskCompletionSource Reached)> _waiting = [];
    private long _count;
    private long _bytes;
    private long _distinct;
    private long _repeated;
    private long _reordered;
    private long _unnumbered;
    private ulong _hash = Fnv.Start;

    /// <summary>Stanzas, repeated ones included.</summary>
    public long Count => Read(ref _count);

    /// <summary>Their bytes.</summary>
    public long Bytes => Read(ref _bytes);

    /// <summary>Different recipients and numbers.</summary>
    public long Distinct => Read(ref _distinct);

    /// <summary>Those seen before.</summary>
    public long Repeated => Read(ref _repeated);

    /// <summary>Seen for the first time behind a higher number of the same recipient.</summary>
    public long Reordered => Read(ref _reordered);

    /// <summary>Those whose id ends with no number, or with one above a hundred million.</summary>
    public long Unnumbered => Read(ref _unnumbered);

    /// <summary>FNV-1a over the first arrivals' ids in order: equal for equal histories.</summary>
    public ulong Hash
    {
        get
        {
            lock (_gate)
                return _hash;
        }
    }

    /// <summary>Numbers from 0 to the highest seen that are missing, over all recipients.</summary>
    public long Missing
    {
        get
        {
            lock (_gate)
                return _recipients.Values.Sum(recipient => recipient.Highest + 1) - _distinct;
        }
    }

    /// <summary>Waits for so many different ones.</summary>
    /// <exception cref="TimeoutException">Fewer arrived; the message holds the counts.</exception>
    public async Task DistinctAsync(long distinct, TimeSpan timeout)
    {
        TaskCompletionSource reached;
        lock (_gate)
        {
            if (_distinct >= distinct)
                return;
            reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Add((distinct, reached));
        }

        try
        {
            await reached.Task.WaitAsync(timeout);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"Not {distinct} different stanzas within {timeout}: {this}");
        }
    }

    /// <inheritdoc/>
    public override string ToString() =>
        $"{Count} stanzas, {Distinct} different, {Repeated} repeated, {Reordered} reordered, {Missing} missing, " +
        $"{Unnumbered} without a number";

    internal void Add(ReadOnlySpan<byte> stanza)
    {
        _ = StartTag.TryGet(stanza, "to"u8, out var to);
        _ = StartTag.TryGet(stanza, "id"u8, out var id);
        lock (_gate)
        {
            _count++;
            _bytes += stanza.Length;
            if (!TryNumber(id, out var number))
            {
                _unnumbered++;
                return;
            }

            var key = Fnv.Append(Fnv.Start, to);
            if (!_recipients.TryGetValue(key, out var recipient))
                _recipients.Add(key, recipient = new Recipient());
            if (!recipient.TryMark(number))
            {
                _repeated++;
                return;
            }

            _distinct++;
            _hash = Fnv.Append(_hash, id);
            if (number < recipient.Highest)
                _reordered++;
            recipient.Highest = Math.Max(recipient.Highest, number);
            if (_waiting.Count > 0)
                _waiting.RemoveAll(waiting => waiting.Distinct <= _distinct && waiting.Reached.TrySetResult());
        }
    }

    private static bool TryNumber(ReadOnlySpan<byte> id, out int number)
    {
        const int highest = 100_000_000;
        var digits = id[(id.LastIndexOf((byte)'-') + 1)..];
        return Utf8Parser.TryParse(digits, out number, out var used)
            && used == digits.Length && number is >= 0 and <= highest;
    }

    private long Read(ref long counter)
    {
        lock (_gate)
            return counter;
    }

    private sealed class Recipient
    {
        private ulong[] _seen = new ulong[16];

        public int Highest { get; set; } = -1;

        public bool TryMark(int number)
        {
            var word = number >> 6;
            if (word >= _seen.Length)
                Array.Resize(ref _seen, Math.Max(word + 1, _seen.Length * 2));
            var bit = 1UL << (number & 63);
            if ((_seen[word] & bit) != 0)
                return false;
            _seen[word] |= bit;
            return true;
        }
    }

    private static class Fnv
    {
        public const ulong Start = 14695981039346656037;

        public static ulong Append(ulong hash, ReadOnlySpan<byte> bytes)
        {
            foreach (var octet in bytes)
                hash = (hash ^ octet) * 1099511628211;
            return hash;
        }
    }
}
