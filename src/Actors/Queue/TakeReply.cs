using System.Buffers;
using System.Globalization;
using RESPite.Messages;

namespace Bridge.Queue;

/// <summary>
/// What the scripts that settle, take and read answer, in this order: removed, dead-lettered, dead
/// letters trimmed, remaining, next slice, whether the settlement is unfinished, entries that the script
/// dead-lettered (position and size in turn), what entries have in common, entries; a take besides when the next scheduled
/// message is due.
/// </summary>
/// <param name="Taken">The reply in the seam's terms.</param>
/// <param name="Slice">How many entries the next call should look at first.</param>
/// <param name="Unfinished">The settlement was more than one call may do: it wants to be asked for again.</param>
internal sealed record TakeReply(TakenEntries Taken, int Slice, bool Unfinished)
{
    /// <summary>Reads the last two arrays of the reply, in the form of the queue's kind.</summary>
    internal delegate EntryBatch ReadEntries(ref RespReader reader);

    // Nobody waits for a year.
    private const double MostMilliseconds = 365.0 * 24 * 3_600_000;

    /// <summary>Reads a reply whose entries have the form of the queue's kind.</summary>
    /// <exception cref="QueueFaultException">The reply has another form: somebody else wrote to the journal.</exception>
    public static TakeReply Read(RespReader reader, ReadEntries readEntries)
    {
        reader.DemandAggregate();
        reader.MoveNextScalar();
        var removed = reader.ReadInt64();
        reader.MoveNextScalar();
        var dead = reader.ReadInt64();
        reader.MoveNextScalar();
        var trimmed = reader.ReadInt64();
        reader.MoveNextScalar();
        var remaining = reader.ReadInt64();
        reader.MoveNextScalar();
        var slice = reader.ReadInt32();
        reader.MoveNextScalar();
        var unfinished = reader.ReadInt64() != 0;

        reader.MoveNextAggregate();
        var buried = new OversizeEntry[reader.AggregateLength() / 2];
        for (var i = 0; i < buried.Length; i++)
        {
            reader.MoveNextScalar();
            if (!EntryPosition.TryParse(reader.ReadString(), out var position))
                throw Unreadable();
            reader.MoveNextScalar();
            var bytes = reader.ReadInt64();
            buried[i] = new OversizeEntry(
                position, Math.Max(0, bytes), bytes switch { < 0 => "trimmed", 0 => "empty-payload", _ => "oversize" });
        }

        var batch = readEntries(ref reader);
        var entries = batch.Span;
        for (var i = 1; i < entries.Length; i++)
        {
            if (entries[i].Position <= entries[i - 1].Position)
                throw Unreadable();
        }

        return new TakeReply(
            new TakenEntries(batch, new SettleResult(removed, dead, trimmed), buried, remaining) { DueIn = DueIn(ref reader) }, slice, unfinished);
    }

    private static TimeSpan? DueIn(ref RespReader reader) =>
        reader.TryMoveNext() && double.TryParse(reader.ReadString(), NumberStyles.Float, CultureInfo.InvariantCulture, out var milliseconds)
            ? TimeSpan.FromMilliseconds(Math.Clamp(milliseconds, 0, MostMilliseconds))
            : null;

    /// <summary>The fault of a reply that Bridge's scripts cannot have made from what Bridge wrote.</summary>
    internal static QueueFaultException Unreadable() =>
        new(QueueFault.Other, "The journal holds something that Bridge did not write.");
}

/// <summary>
/// What the entries of a list that were taken together have in common, or a part of them:
/// <c>&lt;first&gt; &lt;count&gt; &lt;prefix&gt; &lt;taken at&gt;</c>.
/// </summary>
/// <param name="First">Sequence of the first; the others follow without a gap.</param>
/// <param name="Count">How many.</param>
/// <param name="Prefix">The middle of their generated ids, hexadecimal.</param>
/// <param name="TakenAt">When, by the clock of Redis.</param>
internal readonly record struct TakenRun(ulong First, int Count, string Prefix, DateTimeOffset TakenAt)
{
    /// <summary>Reads a run.</summary>
    public static bool TryParse(string? text, out TakenRun run)
    {
        run = default;
        if (text?.Split(' ') is not [var first, var count, { Length: > 0 and <= 32 } prefix, var at]
            || !ulong.TryParse(first, NumberStyles.None, CultureInfo.InvariantCulture, out var sequence) || sequence == 0
            || !int.TryParse(count, NumberStyles.None, CultureInfo.InvariantCulture, out var entries) || entries == 0
            || prefix.AsSpan().ContainsAnyExcept(HexDigits)
            || !long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds)
            || milliseconds > LatestTime)
            return false;
        run = new TakenRun(sequence, entries, prefix, DateTimeOffset.FromUnixTimeMilliseconds(milliseconds));
        return true;
    }

    // The last millisecond of the year 9999.
    private const long LatestTime = 253_402_300_799_999;

    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");
}
