using Akka.Actor;

namespace Bridge.Telemetry;

/// <summary>How one actor stands. Those that follow one another at one place, as the generations of a bridge do, count as one.</summary>
/// <param name="Path">Its path below <c>/user</c>, without the numbers of generations.</param>
/// <param name="Type">What it is, of a closed set: <c>puller</c>, <c>writer</c> and so on.</param>
/// <param name="Bridge">The bridge that it works for; <c>-</c> where it works for none.</param>
/// <param name="MailboxDepth">Messages that wait in its mailbox.</param>
/// <param name="Received">Messages that it was given.</param>
/// <param name="Restarts">How often it failed and was restarted or replaced.</param>
/// <param name="LastFailure">Of what it failed last, without anything that an app or a user wrote; null while it never did.</param>
/// <param name="LastFailureAt">When that was.</param>
public sealed record ActorReading(
    string Path,
    string Type,
    string Bridge,
    int MailboxDepth,
    long Received,
    long Restarts,
    string? LastFailure,
    DateTimeOffset? LastFailureAt);

/// <summary>
/// Where the actors of this process are known: their mailboxes put themselves here when they are made and go when they are emptied for
/// good. One for all actor systems of the process; thread-safe. Nothing is counted twice: depth and messages are read from the
/// mailboxes when somebody asks.
/// </summary>
/// <param name="time">The clock behind <see cref="ActorReading.LastFailureAt" />.</param>
public sealed class ActorBoard(TimeProvider time)
{
    // What is remembered of places where no actor is at the moment, so that its successor inherits it.
    private const int MostEmptyPlaces = 256;

    private readonly Lock gate = new();
    private readonly Dictionary<string, Slot> slots = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Type, string Bridge), ActorGroup> groups = [];
    private long emptied;

    /// <summary>A board on the system's clock.</summary>
    public ActorBoard()
        : this(TimeProvider.System)
    {
    }

    /// <summary>How every actor stands that lives, Akka's own ones excepted, ordered by path.</summary>
    public IReadOnlyList<ActorReading> Readings
    {
        get
        {
            lock (gate)
                return [.. slots.Values.Where(slot => slot.Mailboxes.Live > 0).Select(Read).OrderBy(reading => reading.Path, StringComparer.Ordinal)];
        }
    }

    /// <summary>The sums over all actors of one type and bridge.</summary>
    internal IReadOnlyList<ActorGroupReading> Groups
    {
        get
        {
            lock (gate)
                return [.. groups.Values.Select(group => group.Read())];
        }
    }

    /// <summary>An actor gets this mailbox. What it counts belongs to the returned group.</summary>
    internal ActorGroup Add(ActorPlace place, MeteredQueue mailbox)
    {
        lock (gate)
        {
            if (place.Path.Length > 0)
                SlotOf(place).Mailboxes.Add(mailbox);
            var group = GroupOf(place);
            group.Mailboxes.Add(mailbox);
            return group;
        }
    }

    /// <summary>The mailbox's actor has ended.</summary>
    internal void Remove(ActorPlace place, MeteredQueue mailbox)
    {
        lock (gate)
        {
            GroupOf(place).Mailboxes.Remove(mailbox);
            if (!slots.TryGetValue(place.Path, out var slot) || !slot.Mailboxes.Remove(mailbox) || slot.Mailboxes.Live > 0)
                return;
            slot.EmptiedAs = ++emptied;
            ForgetOldest();
        }
    }

    /// <summary>An actor failed, and is restarted or replaced.</summary>
    internal void Failed(ActorPath path, Exception cause)
    {
        var place = ActorPlace.Of(path);
        lock (gate)
        {
            Known(place).Failed();
            if (!slots.TryGetValue(place.Path, out var slot))
                return;
            slot.Restarts++;
            (slot.LastFailure, slot.LastFailureAt) = (FailureText.Of(cause), time.GetUtcNow());
        }
    }

    /// <summary>A message for an actor that is gone.</summary>
    internal void DeadLettered(ActorPath path)
    {
        lock (gate)
            Known(ActorPlace.Of(path)).DeadLettered();
    }

    /// <summary>A message that its actor does not understand.</summary>
    internal void Unhandled(ActorPath path)
    {
        lock (gate)
            Known(ActorPlace.Of(path)).Unhandled();
    }

    private static ActorReading Read(Slot slot) => new(
        slot.Place.Path, slot.Place.Type, slot.Place.Bridge, slot.Mailboxes.Depth, slot.Mailboxes.Received, slot.Restarts, slot.LastFailure, slot.LastFailureAt);

    private Slot SlotOf(ActorPlace place)
    {
        if (!slots.TryGetValue(place.Path, out var slot))
            slots.Add(place.Path, slot = new Slot(place));
        return slot;
    }

    private ActorGroup GroupOf(ActorPlace place)
    {
        if (!groups.TryGetValue((place.Type, place.Bridge), out var group))
            groups.Add((place.Type, place.Bridge), group = new ActorGroup(place.Type, place.Bridge));
        return group;
    }

    // Another node may send to any path, and so name bridges that there are not.
    private ActorGroup Known(ActorPlace place) => groups.TryGetValue((place.Type, place.Bridge), out var group) ? group : GroupOf(ActorPlace.Other);

    private void ForgetOldest()
    {
        var empty = slots.Values.Where(slot => slot.Mailboxes.Live == 0).ToList();
        if (empty.Count > MostEmptyPlaces)
            slots.Remove(empty.MinBy(slot => slot.EmptiedAs)!.Place.Path);
    }

    private sealed class Slot(ActorPlace place)
    {
        public ActorPlace Place { get; } = place;

        public MailboxSums Mailboxes { get; } = new();

        public long Restarts { get; set; }

        public string? LastFailure { get; set; }

        public DateTimeOffset? LastFailureAt { get; set; }

        public long EmptiedAs { get; set; }
    }
}
