using System.Buffers.Text;
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
    /// <summary>The generated id as text, for logs and tests; the hot path writes it where it belongs.</summary>
    public string GeneratedId
    {
        get
        {
            Span<byte> id = stackalloc byte[GeneratedIds.MaxBytes];
            return Encoding.ASCII.GetString(id[..Ids.Write(Position, id)]);
        }
    }
}

/// <summary>
/// The stanza ids of the entries that one session took from a list (<c>b-&lt;prefix&gt;-&lt;sequence&gt;</c>), or of all
/// entries of a stream (<c>b-&lt;prefix&gt;-&lt;entry id&gt;</c>): stable over re-sends and takeovers, never used twice.
/// Letters, digits and <c>-</c> only. Written when a stanza needs one, because most bring their own.
/// </summary>
/// <param name="prefix">8 or 16 hexadecimal digits.</param>
/// <param name="ofStream">Whether both halves of the position are written, as a stream's entry ids have them.</param>
public sealed class GeneratedIds(string prefix, bool ofStream)
{
    /// <summary>No id is longer, in bytes.</summary>
    public const int MaxBytes = 64;

    private readonly byte[] _beginning = Encoding.ASCII.GetBytes("b-" + prefix + "-");

    /// <summary>Writes the id of the entry at a position.</summary>
    /// <returns>Its length in bytes.</returns>
    /// <exception cref="ArgumentException">The target is shorter than <see cref="MaxBytes" />.</exception>
    public int Write(EntryPosition position, Span<byte> target)
    {
        if (target.Length < MaxBytes)
            throw new ArgumentException("The target is too short for an id.", nameof(target));
        _beginning.CopyTo(target);
        var length = _beginning.Length;
        if (ofStream)
        {
            Utf8Formatter.TryFormat(position.High, target[length..], out var high);
            length += high;
            target[length++] = (byte)'-';
        }

        Utf8Formatter.TryFormat(position.Low, target[length..], out var low);
        return length + low;
    }
}
