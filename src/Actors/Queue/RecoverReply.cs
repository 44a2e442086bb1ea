using System.Globalization;
using Bridge.Outcomes;
using RESPite.Messages;

namespace Bridge.Queue;

/// <summary>What the recover scripts answer, in this order.</summary>
internal sealed record RecoverReply(
    long Session,
    long Count,
    EntryPosition First,
    EntryPosition Last,
    string PreviousPrefix,
    EntryPosition PreviousTaken,
    ConfirmedMark? Mark,
    EntryPosition Taken,
    IdSeal? Seal,
    DateTimeOffset? Clock)
{
    /// <summary>Reads the reply.</summary>
    /// <exception cref="QueueFaultException">A field has not the form that Bridge writes.</exception>
    public static RecoverReply Read(RespReader reader)
    {
        reader.DemandAggregate();
        reader.MoveNextScalar();
        var session = reader.ReadInt64();
        reader.MoveNextScalar();
        var count = reader.ReadInt64();
        var first = Position(ref reader);
        var last = Position(ref reader);
        var prefix = Text(ref reader);
        var previousTaken = Position(ref reader);
        var mark = MarkOf(Text(ref reader), Text(ref reader), Text(ref reader), Text(ref reader), Text(ref reader));
        return new RecoverReply(session, count, first, last, prefix, previousTaken, mark, Position(ref reader), SealOf(Text(ref reader)), ClockOf(Text(ref reader)));
    }

    private static IdSeal SealOf(string key)
    {
        try
        {
            return new IdSeal(key);
        }
        catch (FormatException)
        {
            throw TakeReply.Unreadable();
        }
    }

    private static DateTimeOffset ClockOf(string at) =>
        long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds)
            ? DateTimeOffset.FromUnixTimeMilliseconds(milliseconds)
            : throw TakeReply.Unreadable();

    private static ConfirmedMark? MarkOf(string position, string at, string endpoint, string start, string owed)
    {
        if (position.Length == 0)
            return null;
        if (!EntryPosition.TryParse(position, out var confirmed)
            || !long.TryParse(at, NumberStyles.None, CultureInfo.InvariantCulture, out var milliseconds)
            || !long.TryParse(start, NumberStyles.None, CultureInfo.InvariantCulture, out var serverStart))
            throw TakeReply.Unreadable();
        return new ConfirmedMark(confirmed, endpoint, serverStart, DateTimeOffset.FromUnixTimeMilliseconds(milliseconds), owed == "1");
    }

    private static string Text(ref RespReader reader)
    {
        reader.MoveNextScalar();
        return reader.ReadString() ?? "";
    }

    private static EntryPosition Position(ref RespReader reader) =>
        EntryPosition.TryParse(Text(ref reader), out var position) ? position : throw TakeReply.Unreadable();
}
