namespace Bridge.Queue;

/// <summary>
/// The moment up to which the holder of a lease may write to the XMPP server: when it <em>sent</em>
/// its last successful renewal, plus the time to live, less a safety margin. A new one may not
/// write. Time is the monotonic clock of the <see cref="TimeProvider" />.
/// </summary>
/// <remarks>
/// The one object that two actors share, the lease's and the connection's, and the pump between:
/// a frozen process that wakes has all its messages still in its mailboxes, so only a check at
/// the write itself keeps the promise. It is one 64-bit word, read with
/// <see cref="Volatile" /> and changed with <see cref="Interlocked" />: a reader sees the old
/// deadline or the new one, and both were true when they were set.
/// </remarks>
public sealed class LeaseDeadline(TimeProvider time)
{
    // Timestamps can be negative; the lowest one stands for "revoked" and is never reached.
    private const long Revoked = long.MinValue;

    private long _until = Revoked;

    /// <summary>
    /// Moves the deadline to <paramref name="validFor" /> after <paramref name="sentAtTimestamp" />,
    /// never backwards: answers to renewals may come out of order.
    /// </summary>
    /// <param name="sentAtTimestamp"><see cref="TimeProvider.GetTimestamp" /> just before the renewal was sent.</param>
    /// <param name="validFor">The lease's time to live, less the safety margin; not negative.</param>
    public void Extend(long sentAtTimestamp, TimeSpan validFor)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(validFor, TimeSpan.Zero);
        var until = sentAtTimestamp + (long)(validFor.TotalSeconds * time.TimestampFrequency);
        var seen = Volatile.Read(ref _until);
        while (seen < until)
        {
            var before = Interlocked.CompareExchange(ref _until, until, seen);
            if (before == seen)
                return;
            seen = before;
        }
    }

    /// <summary>
    /// Ends the permission at once. A later <see cref="Extend" /> gives it again, so whoever
    /// revokes must not apply renewals that it sent before.
    /// </summary>
    public void Revoke() => Volatile.Write(ref _until, Revoked);

    /// <summary>Whether a write may begin at this timestamp.</summary>
    public bool MayWrite(long timestamp) => timestamp < Volatile.Read(ref _until);

    /// <summary>Whether a write may begin now.</summary>
    public bool MayWriteNow() => MayWrite(time.GetTimestamp());

    /// <summary>What is left of the permission now; zero when there is none.</summary>
    public TimeSpan Remaining
    {
        get
        {
            var until = Volatile.Read(ref _until);
            var now = time.GetTimestamp();
            return until <= now ? TimeSpan.Zero : time.GetElapsedTime(now, until);
        }
    }
}
