using Bridge.Deferral;
using Bridge.Outcomes;
using Bridge.Queue;

namespace Bridge.Simulation.Tests.Redis;

/// <summary>An element of the queue.</summary>
/// <param name="Message">The message that it holds.</param>
/// <param name="Position">The id of a stream's entry; zero in a list.</param>
/// <param name="Said">What was said of it when it was put off, if it was.</param>
internal readonly record struct QueuedElement(int Message, EntryPosition Position, Deferred? Said = null);

/// <summary>An element of the journal.</summary>
/// <param name="Message">The message that it holds.</param>
/// <param name="Position">Where it stands in the queue's order.</param>
/// <param name="IsPlaceHolder">It holds the place of one that has ended.</param>
/// <param name="TakenAt">When it was taken.</param>
/// <param name="Ids">Makes its generated id: those of the session that took it.</param>
/// <param name="Said">What was said of it when it was put off, if it was.</param>
internal readonly record struct JournalElement(int Message, EntryPosition Position, bool IsPlaceHolder, DateTimeOffset TakenAt, GeneratedIds Ids, Deferred? Said = null)
{
    /// <summary>Its generated id, without a seal.</summary>
    public string GeneratedId
    {
        get
        {
            Span<byte> id = stackalloc byte[GeneratedIds.MaxBytes];
            return System.Text.Encoding.ASCII.GetString(id[..Ids.Write(Position, id)]);
        }
    }
}

/// <summary>What stands in the outcome stream.</summary>
internal readonly record struct ToldEnding(int Message, Ending Ending, bool Late);

/// <summary>A message that is sent later.</summary>
internal readonly record struct ScheduledElement(int Message, Postponement Postponement);

/// <summary>A lease in Redis.</summary>
internal sealed record HeldLease(string Token, long Epoch, long Session, long ExpiresAt);

/// <summary>All keys of one queue, and its domain's lease.</summary>
internal sealed class RedisMemory
{
    public List<QueuedElement> Queue { get; private init; } = [];

    public List<JournalElement> Journal { get; private init; } = [];

    public List<int> Dead { get; private init; } = [];

    public Dictionary<string, (int Message, AwaitedAnswer Answer)> Awaiting { get; private init; } = [];

    /// <summary>In the order in which they were put off.</summary>
    public List<ScheduledElement> Scheduled { get; private init; } = [];

    public List<ToldEnding> Outcomes { get; private init; } = [];

    public HeldLease? Lease { get; set; }

    public HeldLease? DomainLease { get; set; }

    public long Epoch { get; set; }

    /// <summary>Null while no recovery has written the counters.</summary>
    public string? SessionPrefix { get; set; }

    /// <summary>The last entry that was taken.</summary>
    public EntryPosition Taken { get; set; }

    /// <summary>The last id that a stream gave.</summary>
    public EntryPosition LastId { get; set; }

    public string BasePrefix { get; set; } = "";

    public EntryPosition BaseTaken { get; set; }

    public ConfirmedMark? Mark { get; set; }

    /// <summary>What a dump of now would hold.</summary>
    public RedisMemory Copy() => new()
    {
        Queue = [.. Queue],
        Journal = [.. Journal],
        Dead = [.. Dead],
        Awaiting = new(Awaiting),
        Scheduled = [.. Scheduled],
        Outcomes = [.. Outcomes],
        Lease = Lease,
        DomainLease = DomainLease,
        Epoch = Epoch,
        SessionPrefix = SessionPrefix,
        Taken = Taken,
        LastId = LastId,
        BasePrefix = BasePrefix,
        BaseTaken = BaseTaken,
        Mark = Mark,
    };
}

/// <summary>What a script or a call came to.</summary>
internal readonly record struct Outcome<T>(T? Value, QueueFault? Fault, string? Words)
{
    public static implicit operator Outcome<T>(T value) => new(value, null, null);

    public static implicit operator Outcome<T>(QueueFault fault) => new(default, fault, fault.ToString());
}
