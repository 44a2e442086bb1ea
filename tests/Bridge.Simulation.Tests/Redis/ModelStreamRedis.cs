using Bridge.Queue;
using Bridge.Simulation.Tests.Machine;
using Bridge.Simulation.Tests.Schedules;

namespace Bridge.Simulation.Tests.Redis;

/// <summary>
/// Redis with a stream queue: an entry has its id from the push, the journal is what is pending of the group, and a
/// dead letter leaves no trace there.
/// </summary>
internal sealed class ModelStreamRedis(World world, Plan plan, Ledger ledger, OwnershipWatch watch, Sabotage sabotage)
    : ModelRedis(world, plan, ledger, watch, sabotage)
{
    protected override void TakeAgain(ScheduledElement due) =>
        Memory.Queue.Add(new QueuedElement(due.Message, NextPosition(), due.Postponement.Said));

    protected override EntryPosition NextPosition()
    {
        var now = (ulong)TimeOfDay.ToUnixTimeMilliseconds();
        return Memory.LastId = Memory.LastId.High >= now
            ? Memory.LastId with { Low = Memory.LastId.Low + 1 }
            : new EntryPosition(now, 0);
    }

    protected override EntryPosition PositionOnTake(QueuedElement element) => element.Position;

    /// <summary>XREAD looks at the stream, in which what is pending stands as well.</summary>
    protected override bool HasNews(EntryPosition seen) =>
        Memory.Queue is [.., var last] ? last.Position > seen : Memory.Journal is [.., var pending] && pending.Position > seen;

    protected override void BeginSession(EntryPosition seen)
    {
    }

    protected override bool HasGap(SettlementPart part) =>
        (part.Settlement.UpTo != EntryPosition.Zero && Memory.Journal is [var first, ..] && part.After >= first.Position)
        || Memory.Journal.Exists(element => element.Position == part.EndedBefore);

    protected override JournalElement? AfterEnding(JournalElement element) => null;
}
