using Bridge.Queue;

namespace Bridge.Connection;

/// <summary>How a stream ended, as far as bisection is concerned.</summary>
internal enum StreamEndKind
{
    /// <summary>A stream error that names a stanza's fault (not-well-formed, invalid-from, policy-violation …).</summary>
    StanzaFault,

    /// <summary>The server hung up without a word.</summary>
    Silent,

    /// <summary>Anything that says nothing about a stanza: a shutdown, a conflict, a frozen peer, our own close.</summary>
    Unrelated,
}

/// <summary>
/// Finds the entry that makes the server hang up. After a stream error that names a stanza's fault,
/// or repeated silent ends at the same place, what was under way is sent again in halves, each with a
/// barrier behind it and nothing after it. A half whose barrier returns is innocent; a half that the
/// stream does not survive is halved again, until one entry stands alone between two barriers of
/// which the first returned and the second did not.
/// <para>
/// Alone is not yet guilty: a server in a crash loop hangs up on anybody. A strike counts only on a
/// stream that carried barriers alone for at least as long as the stream before it lived; two strikes in a
/// row convict where an error named a fault, three where the end was silent. Pure.
/// </para>
/// </summary>
internal sealed class Bisection
{
    internal const int StrikesForStanzaFault = 2;
    internal const int StrikesForSilentEnd = 3;

    /// <summary>A verdict that takes longer than this is no longer awaited at the fixed reconnect delay.</summary>
    internal static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>Silent ends at the same place that begin a bisection.</summary>
    internal const int SilentEndsToBegin = 3;

    private readonly IReadOnlyList<EntryPosition> _suspects;
    private readonly TimeSpan _startedAt;
    private int _low;
    private int _high;
    private int _groupEnd;
    private int _strikes;
    private bool _lastStrikeNamedAFault;
    private TimeSpan _controlFor;

    /// <summary>Begins with what was under way when the stream ended; at least one entry.</summary>
    /// <param name="suspects">Positions in order.</param>
    /// <param name="streamLived">How long the stream lived that ended.</param>
    /// <param name="now">Monotonic time.</param>
    public Bisection(IReadOnlyList<EntryPosition> suspects, TimeSpan streamLived, TimeSpan now)
    {
        ArgumentOutOfRangeException.ThrowIfZero(suspects.Count);
        _suspects = suspects;
        _high = suspects.Count;
        _startedAt = now;
        _controlFor = streamLived;
        Halve();
    }

    /// <summary>Entries still under suspicion.</summary>
    public int Suspects => _high - _low;

    /// <summary>Whether one entry stands alone: then a control phase comes before it.</summary>
    public bool Alone => Suspects == 1;

    /// <summary>The entry that stands alone, or is the first of the group under test.</summary>
    public EntryPosition Suspect => _suspects[_low];

    /// <summary>Streams that ended while the entry that is still suspected was under way, the first one included.</summary>
    public int Attempts { get; private set; } = 1;

    /// <summary>Nobody is under suspicion any more: the fault went away, or was not a stanza's.</summary>
    public bool Over => _low >= _high;

    /// <summary>Whether the fixed, short reconnect delay still applies.</summary>
    public bool IsPatient(TimeSpan now) => now - _startedAt < Patience;

    /// <summary>How long the stream must carry barriers only before a lone suspect is sent.</summary>
    public TimeSpan ControlFor => Alone ? _controlFor : TimeSpan.Zero;

    /// <summary>
    /// The last position that may be written now: first all that is known to be innocent, and only once
    /// that is confirmed, and the control phase is over, the group under test.
    /// </summary>
    /// <param name="clearUpTo">Up to where nothing is unconfirmed any more (<see cref="DeliveryWindow.ClearUpTo" />).</param>
    /// <param name="streamLives">Age of the stream since it was established.</param>
    public EntryPosition WriteUpTo(EntryPosition clearUpTo, TimeSpan streamLives)
    {
        var innocent = _suspects[_low].Previous;
        // Beyond the first suspect the group under test has begun already.
        var testing = clearUpTo > innocent || (clearUpTo == innocent && streamLives >= ControlFor);
        return testing ? _suspects[_groupEnd - 1] : innocent;
    }

    /// <summary>Takes in up to where nothing is unconfirmed any more. The group under test is innocent once it is covered.</summary>
    public void Cleared(EntryPosition upTo)
    {
        if (Over || upTo < _suspects[_groupEnd - 1])
            return;
        _low = _groupEnd;
        while (_low < _high && _suspects[_low] <= upTo)
            _low++;
        _strikes = 0;
        Halve();
    }

    /// <summary>
    /// Takes in the end of a stream. Returns the convicted position when this end was the last strike
    /// against an entry that stood alone; null otherwise.
    /// </summary>
    /// <param name="kind">How it ended.</param>
    /// <param name="groupWasUnderWay">Whether the group under test had been written, in whole or in part, and its barrier had not returned.</param>
    /// <param name="streamLived">How long the stream lived.</param>
    public EntryPosition? StreamEnded(StreamEndKind kind, bool groupWasUnderWay, TimeSpan streamLived)
    {
        if (Over || kind == StreamEndKind.Unrelated)
            return null;
        if (!groupWasUnderWay)
        {
            // The server hung up on barriers alone: it is the server. Whatever struck before proves nothing.
            _strikes = 0;
            _controlFor = streamLived > _controlFor ? streamLived : _controlFor;
            return null;
        }

        Attempts++;
        if (!Alone)
        {
            _high = _groupEnd;
            _controlFor = streamLived;
            Halve();
            return null;
        }

        var namesAFault = kind == StreamEndKind.StanzaFault;
        // "In a row" means of the same sort: a silent end between two errors proves neither.
        _strikes = namesAFault == _lastStrikeNamedAFault ? _strikes + 1 : 1;
        _lastStrikeNamedAFault = namesAFault;
        _controlFor = streamLived;
        if (_strikes < (namesAFault ? StrikesForStanzaFault : StrikesForSilentEnd))
            return null;
        var convicted = _suspects[_low];
        // The server named one fault; what stood behind the convicted entry was never tried and is
        // free: should it hold a second fault, the next stream error begins a bisection of its own.
        _low = _high;
        return convicted;
    }

    private void Halve() => _groupEnd = _low + (Suspects + 1) / 2;
}
