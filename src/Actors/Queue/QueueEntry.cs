namespace Bridge.Queue;

/// <summary>What a journal element holds.</summary>
public enum EntryKind : byte
{
    /// <summary>A payload: raw XML (first byte <c>&lt;</c>) or a JSON envelope (first byte <c>{</c>).</summary>
    Payload,

    /// <summary>
    /// A place holder for an entry that is in the dead-letter stream already, because it was above
    /// the size limit or was rejected behind what could be settled: nothing to send, settled with its
    /// neighbours.
    /// </summary>
    DeadLettered,
}

/// <summary>
/// One entry as it stands in the journal. The memory slices belong to the reply that brought the
/// batch; an entry must not be used after its batch was let go.
/// </summary>
/// <param name="Position">Its place in the queue's order.</param>
/// <param name="Kind">What it holds.</param>
/// <param name="GeneratedId">
/// UTF-8 of the stanza id that the entry gets when its payload brings none: stable over re-sends
/// and takeovers, never used twice. Letters, digits and <c>-</c> only.
/// </param>
/// <param name="Payload">What the app pushed, byte for byte; empty for a place holder.</param>
/// <param name="TakenAt">When the entry was first taken from the queue, by the clock of Redis.</param>
/// <param name="PushedAt">When it was pushed, where the queue knows (stream entry ids carry it).</param>
public readonly record struct QueueEntry(
    EntryPosition Position,
    EntryKind Kind,
    ReadOnlyMemory<byte> GeneratedId,
    ReadOnlyMemory<byte> Payload,
    DateTimeOffset TakenAt,
    DateTimeOffset? PushedAt);
