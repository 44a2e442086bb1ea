using Bridge.Telemetry;

namespace Bridge.Connection;

/// <summary>
/// When to try the next stream, by how the last one ended. Pure: time and randomness come from the
/// caller.
/// </summary>
/// <param name="min">First delay of the series.</param>
/// <param name="max">Longest delay of the series; also the wait after a refusal.</param>
/// <param name="endpoints">How many endpoints there are: a round over all of them counts as one try.</param>
internal sealed class ReconnectPolicy(TimeSpan min, TimeSpan max, int endpoints)
{
    /// <summary>Between two streams of a bisection: its own pace, outside the backoff.</summary>
    internal static readonly TimeSpan BisectionDelay = TimeSpan.FromMilliseconds(200);

    /// <summary>A dead node's stream lingers on the server for a while: ask every second for a minute.</summary>
    internal static readonly TimeSpan ConflictDelay = TimeSpan.FromSeconds(1);

    internal static readonly TimeSpan ConflictPatience = TimeSpan.FromMinutes(1);

    /// <summary>
    /// The longest delay while nobody answers: two connects a second cost nobody anything, and a server that was away
    /// for minutes has its messages half a second after its return.
    /// </summary>
    internal static readonly TimeSpan LongestWhileAway = TimeSpan.FromMilliseconds(500);

    private static readonly TimeSpan StableAfter = TimeSpan.FromMinutes(1);

    private readonly Backoff _backoff = new(min, max, StableAfter);

    // A series of its own: a long absence says nothing about how the server will behave once it is back.
    private readonly Backoff _away = new(min, max < LongestWhileAway ? max : LongestWhileAway, TimeSpan.Zero);

    private int _triedInRound;
    private TimeSpan? _conflictSince;

    /// <summary>Index of the endpoint to try next.</summary>
    public int Endpoint { get; private set; }

    /// <summary>Whether a conflict has lasted longer than a lingering stream explains.</summary>
    public bool ConflictPersists(TimeSpan now) => _conflictSince is { } since && now - since >= ConflictPatience;

    /// <summary>The delay before the next try.</summary>
    /// <param name="cause">How the last one ended.</param>
    /// <param name="established">How long the stream was established; null when it never was.</param>
    /// <param name="bisecting">Whether a bisection is under way and still patient.</param>
    /// <param name="now">Monotonic time.</param>
    /// <param name="random">A number in [0, 1).</param>
    public TimeSpan Next(ReconnectCause cause, TimeSpan? established, bool bisecting, TimeSpan now, double random)
    {
        if (cause != ReconnectCause.Conflict)
            _conflictSince = null;
        var away = IsAway(cause, established);
        if (!away)
            _away.Succeeded(TimeSpan.Zero);
        if (established is { } lived)
        {
            _triedInRound = 0;
            _backoff.Succeeded(lived);
            if (bisecting)
                return BisectionDelay;
        }
        else
        {
            Endpoint = (Endpoint + 1) % endpoints;
            if (++_triedInRound % endpoints != 0)
                return Backoff.Floor;
        }

        switch (cause)
        {
            case ReconnectCause.Conflict:
                _conflictSince ??= now;
                return ConflictPersists(now) ? _backoff.Next(random) : ConflictDelay;
            case ReconnectCause.Refused:
                return max;
            default:
                return away ? _away.Next(random) : _backoff.Next(random);
        }
    }

    // A load balancer without a server behind it accepts, and hangs up before a stream stands.
    private static bool IsAway(ReconnectCause cause, TimeSpan? established) => established is null
        && cause is ReconnectCause.ConnectFailed
            or ReconnectCause.ConnectTimeout
            or ReconnectCause.HeaderTimeout
            or ReconnectCause.HandshakeTimeout
            or ReconnectCause.SocketFailed
            or ReconnectCause.StreamEnded;
}
