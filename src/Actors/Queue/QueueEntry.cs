using System.Text;

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
/// One entry as it stands in the journal. The payload's memory belongs to the <see cref="EntryBatch" />
/// that brought it; an entry must not be used after its batch was released.
/// </summary>
/// <param name="Position">Its place in the queue's order.</param>
/// <param name="Kind">What it holds.</param>
/// <param name="Ids">Makes the stanza id that the entry gets when its payload brings none.</param>
/// <param name="Payload">What the app pushed, byte for byte; empty for a place holder.</param>
/// <param name="TakenAt">When the entry was first taken from the queue, by the clock of Redis.</param>
/// <param name="PushedAt">When it was pushed, where the queue knows (stream entry ids carry it).</param>
public readonly record struct QueueEntry(
    EntryPosition Position,
    EntryKind Kind,
    GeneratedIds Ids,
    ReadOnlyMemory<byte> Payload,
    DateTimeOffset TakenAt,
    DateTimeOffset? PushedAt)
{
    /// <summary>Whether it was put off before, and its time has come.</summary>
    public bool CameAgain { get; init; }

    /// <summary>The generated id as text, without a seal, which only the recipient's address makes.</summary>
    public string GeneratedId
    {
        get
        {
            Span<byte> id = stackalloc byte[GeneratedIds.MaxBytes];
            return Encoding.ASCII.GetString(id[..Ids.Write(Position, id)]);
        }
    }
}
