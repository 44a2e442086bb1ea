using System.IO.Hashing;
using System.Text;
using Bridge.Queue;

namespace Bridge.Telemetry;

/// <summary>The life of one message that was confirmed, as far as this process has seen it.</summary>
/// <param name="PushedAt">When it was pushed, where that is known.</param>
/// <param name="TakenAt">When it was taken, by the clock of Redis.</param>
/// <param name="WrittenAt">When the barrier behind it was written: within milliseconds of itself.</param>
/// <param name="ConfirmedAt">When that barrier returned.</param>
/// <param name="Attempts">How often it was written, this time included.</param>
public sealed record Delivery(DateTimeOffset? PushedAt, DateTimeOffset TakenAt, DateTimeOffset WrittenAt, DateTimeOffset ConfirmedAt, int Attempts);

/// <summary>
/// The newest messages of a bridge that were confirmed, to be found by their stanza ids: <c>bridge trace</c>. Seventeen bytes each, and
/// some more for each barrier; of an id its hash only. One writes, any number read.
/// </summary>
/// <param name="capacity">Messages remembered, at least 0; the oldest are forgotten first.</param>
public sealed class RecentDeliveries(int capacity)
{
    // Confirmations within this time of one another are one: a trickle has a barrier for each message.
    private const long SpanMs = 10;

    private const int MostFound = 100;

    private readonly Lock _gate = new();

    // Rings, which grow up to the capacity: the number of a message is its place.
    private ulong[] _keys = [];
    private int[] _takenBefore = [];
    private int[] _pushedBefore = [];
    private byte[] _attempts = [];
    private long _end;

    private readonly List<Confirmation> _confirmations = [];
    private int _firstConfirmation;

    /// <summary>Messages that are remembered at most.</summary>
    public int Capacity => capacity;

    /// <summary>Messages that are remembered.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return (int)Math.Min(_end, capacity);
        }
    }

    /// <summary>When the oldest of them was confirmed; null while there is none.</summary>
    public DateTimeOffset? Oldest
    {
        get
        {
            lock (_gate)
                return _end == 0 || capacity == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(Of(Math.Max(0, _end - capacity)).ConfirmedMs);
        }
    }

    /// <summary>The hash of a stanza id; never 0.</summary>
    /// <param name="id">The id, unescaped UTF-8.</param>
    public static ulong HashOf(ReadOnlySpan<byte> id) => Math.Max(1, XxHash3.HashToUInt64(id));

    /// <summary>Those of this stanza id, the newest first; more than one where the app used it more than once. A hundred at most.</summary>
    /// <param name="id">The app's own id, or one that Bridge made.</param>
    public IReadOnlyList<Delivery> Find(string id)
    {
        var bytes = Encoding.UTF8.GetBytes(id);
        var own = HashOf(bytes);
        var made = GeneratedIds.TryReadPosition(bytes, out var position) ? KeyOf(0, position) : own;
        List<Delivery> found = [];
        lock (_gate)
        {
            for (var i = _end - 1; i >= Math.Max(0, _end - capacity) && found.Count < MostFound; i--)
            {
                var place = i % _keys.Length;
                if (_keys[place] != own && _keys[place] != made)
                    continue;
                var confirmation = Of(i);
                DateTimeOffset Before(int milliseconds) => DateTimeOffset.FromUnixTimeMilliseconds(confirmation.ConfirmedMs - milliseconds);
                found.Add(new Delivery(
                    _pushedBefore[place] == int.MinValue ? null : Before(_pushedBefore[place]),
                    Before(_takenBefore[place]),
                    DateTimeOffset.FromUnixTimeMilliseconds(confirmation.WrittenMs),
                    Before(0),
                    _attempts[place]));
            }
        }

        return found;
    }

    /// <summary>Remembers messages that one barrier confirmed, in order.</summary>
    internal void Add(ReadOnlySpan<Confirmed> messages, DateTimeOffset writtenAt, DateTimeOffset confirmedAt)
    {
        if (capacity == 0 || messages.IsEmpty)
            return;
        var (written, confirmed) = (writtenAt.ToUnixTimeMilliseconds(), confirmedAt.ToUnixTimeMilliseconds());
        lock (_gate)
        {
            if (_confirmations.Count == _firstConfirmation || _confirmations[^1] is var last && (confirmed - last.ConfirmedMs > SpanMs || written - last.WrittenMs > SpanMs))
                _confirmations.Add(new Confirmation(_end, written, confirmed));
            foreach (ref readonly var message in messages)
            {
                if (_end == _keys.Length && _keys.Length < capacity)
                    Grow();
                var place = _end++ % _keys.Length;
                _keys[place] = message.Key;
                _takenBefore[place] = Clip(confirmed - message.TakenMs);
                _pushedBefore[place] = message.PushedMs == 0 ? int.MinValue : Clip(confirmed - message.PushedMs);
                _attempts[place] = (byte)Math.Min(byte.MaxValue, message.Attempts);
            }

            ForgetConfirmations();
        }
    }

    /// <summary>What a message is found by: the hash of its own id, or where it has none its place in the queue's order.</summary>
    internal static ulong KeyOf(ulong idHash, EntryPosition position) =>
        idHash != 0 ? idHash : Math.Max(1, (position.High * 0x9E3779B97F4A7C15) ^ (position.Low * 0xC2B2AE3D27D4EB4F));

    private Confirmation Of(long number)
    {
        var (low, high) = (_firstConfirmation, _confirmations.Count);
        while (high - low > 1)
        {
            var middle = low + ((high - low) / 2);
            if (_confirmations[middle].First <= number)
                low = middle;
            else
                high = middle;
        }

        return _confirmations[low];
    }

    private void ForgetConfirmations()
    {
        while (_firstConfirmation + 1 < _confirmations.Count && _confirmations[_firstConfirmation + 1].First <= _end - capacity)
            _firstConfirmation++;
        // Seldom, so that it costs nothing: as many are moved as were forgotten.
        if (_firstConfirmation <= _confirmations.Count / 2 || _firstConfirmation < 1_000)
            return;
        _confirmations.RemoveRange(0, _firstConfirmation);
        _firstConfirmation = 0;
    }

    private void Grow()
    {
        var size = Math.Min(capacity, Math.Max(1_024, _keys.Length * 2));
        Array.Resize(ref _keys, size);
        Array.Resize(ref _takenBefore, size);
        Array.Resize(ref _pushedBefore, size);
        Array.Resize(ref _attempts, size);
    }

    private static int Clip(long milliseconds) => (int)Math.Clamp(milliseconds, -int.MaxValue, int.MaxValue);

    /// <summary>One of the messages that a barrier confirmed.</summary>
    internal readonly record struct Confirmed(ulong Key, long TakenMs, long PushedMs, int Attempts);

    private readonly record struct Confirmation(long First, long WrittenMs, long ConfirmedMs);
}
