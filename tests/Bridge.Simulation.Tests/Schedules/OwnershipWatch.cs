using System.Globalization;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Simulation.Tests.Machine;

namespace Bridge.Simulation.Tests.Schedules;

/// <summary>
/// At any moment one node at most owns, takes, settles and writes. Sees every lease that Redis grants, every call
/// that it accepts and every write that begins, and keeps its own account of who may: neither the scripts' fence nor
/// the node's deadline is asked.
/// </summary>
/// <remarks>
/// What can be promised of a write: the deadline is looked at before each, and where it has not passed, both keys are the
/// node's in Redis, for as long still as the margin is, less what its clock is slow. Between the look and the write
/// lies a time that no process can bound: one that is frozen there, or that gives the lease back meanwhile, writes what
/// it was about to write, at most 64 KiB and at most once, whenever it wakes. That one write is for others to make
/// harmless: the server ends the stream once a successor's is established; until then it brings what the journal
/// still has, in its order, and the successor sends that again; and nothing is settled for it, because the successor's
/// session makes every older one stale. The <see cref="Ledger" /> holds them to it.
/// </remarks>
internal sealed class OwnershipWatch(World world, LeaseSettings lease)
{
    private readonly record struct Held(string Token, long Until)
    {
        public bool IsOf(NodeLife life) => Token is not null && LifeOf(Token) == life.Number;
    }

    private Held _queue;
    private Held _domain;
    private (long Epoch, long Session, string Token) _newest = (0, 0, "");
    private long _lastReleasedBy;
    private long _lastReleasedAt;
    private long _trustedFrom;

    /// <summary>Writes that began when the lease was no longer the node's, as they may once each.</summary>
    public int LateWrites { get; private set; }

    /// <summary>Which life of a process drew a token.</summary>
    public static long LifeOf(string token) =>
        long.Parse(token.AsSpan(0, token.IndexOf('-', StringComparison.Ordinal)), NumberStyles.None, CultureInfo.InvariantCulture);

    /// <summary>Redis grants or renews a lease.</summary>
    public void Granted(string token, long timeToLive, bool domain)
    {
        ref var held = ref (domain ? ref _domain : ref _queue);
        if (held.Until > world.Now && held.Token != token)
            world.Break($"life {LifeOf(token)} got the {(domain ? "domain" : "queue")} while life {LifeOf(held.Token)} had it, for {Milliseconds(held.Until - world.Now)} ms still");
        held = new Held(token, world.Now + timeToLive);
    }

    /// <summary>Redis ends a lease that was given back.</summary>
    public void Released(string token, bool domain)
    {
        if (domain)
            _domain = default;
        else
            _queue = default;
        (_lastReleasedBy, _lastReleasedAt) = (LifeOf(token), world.Now);
    }

    /// <summary>Redis is what it was, and may have given its leases to others meanwhile: until the last deadline has passed that counts on one of those.</summary>
    public void Forgot(string? queueToken, long queueUntil, string? domainToken, long domainUntil)
    {
        (_queue, _domain) = (new Held(queueToken!, queueUntil), new Held(domainToken!, domainUntil));
        _newest = (0, 0, "");
        _trustedFrom = world.Now + lease.TimeToLive.Ticks;
    }

    /// <summary>Redis opens a session.</summary>
    public void Opens(LeaseGrant grant, long session)
    {
        Compare(grant, session, "opened");
        _newest = (grant.Epoch, session, grant.Token);
    }

    /// <summary>Redis accepts a take, a settlement, or a look at the journal.</summary>
    public void Accepts(QueueSession session, string what)
    {
        Compare(session.Grant, session.Number, what);
        if (_queue.Until <= world.Now || _queue.Token != session.Grant.Token)
            world.Break($"session {session.Grant.Epoch}.{session.Number} {what} without a lease");
    }

    /// <summary>A node has found that it may write.</summary>
    public void Checks(NodeLife life)
    {
        if (world.Now < _trustedFrom)
            return;
        var left = LeftAtCheck(life);
        Check(_queue, "queue");
        Check(_domain, "domain");

        void Check(Held held, string key)
        {
            if (!held.IsOf(life) || held.Until <= world.Now)
                world.Break($"node {life.Node.Index} was about to write while it had no lease of the {key}{(held.Token is not null && held.Until > world.Now ? ", and another one had" : "")}");
            // Rounding.
            else if (held.Until - world.Now < left - 10)
                world.Break($"node {life.Node.Index} was about to write {Milliseconds(held.Until - world.Now)} ms before its lease of the {key} ended, {Milliseconds(left)} are its margin");
        }
    }

    /// <summary>A node writes.</summary>
    /// <param name="life">Which.</param>
    /// <param name="checkedAt">When it found that it may.</param>
    public void Writes(NodeLife life, long checkedAt)
    {
        if (world.Now < _trustedFrom || (IsHeld(_queue) && IsHeld(_domain)))
            return;
        var gaveBack = _lastReleasedBy == life.Number && _lastReleasedAt >= checkedAt;
        if (world.Now - checkedAt < LeftAtCheck(life) && !gaveBack)
            world.Break($"node {life.Node.Index} wrote without a lease, {Milliseconds(world.Now - checkedAt)} ms after it had found that it may");
        LateWrites++;
        if (world.Recording)
            world.Note($"node {life.Node.Index}: writes late, {Milliseconds(world.Now - checkedAt)} ms after it had found that it may");

        bool IsHeld(Held held) => held.IsOf(life) && held.Until > world.Now;
    }

    // The deadline is counted on the node's clock, the time to live on that of Redis.
    private long LeftAtCheck(NodeLife life) =>
        lease.TimeToLive.Ticks - (long)((lease.TimeToLive - lease.SafetyMargin).Ticks / life.Node.Clock.Rate);

    private void Compare(LeaseGrant grant, long session, string what)
    {
        if ((grant.Epoch, session).CompareTo((_newest.Epoch, _newest.Session)) < 0 || (grant.Epoch == _newest.Epoch && grant.Token != _newest.Token))
            world.Break($"session {grant.Epoch}.{session} {what} when {_newest.Epoch}.{_newest.Session} was open");
    }

    private static string Milliseconds(long ticks) => TimeSpan.FromTicks(ticks).TotalMilliseconds.ToString("F1", CultureInfo.InvariantCulture);
}
