using Bridge.Queue;
using Bridge.Simulation.Tests.Machine;
using Bridge.Simulation.Tests.Schedules;

namespace Bridge.Simulation.Tests.Redis;

/// <summary>Redis with a list queue: sequences are given by the take, and a dead letter's place is held in the journal.</summary>
internal sealed class ModelListRedis(World world, Plan plan, Ledger ledger, OwnershipWatch watch, Sabotage sabotage)
    : ModelRedis(world, plan, ledger, watch, sabotage)
{
    /// <summary>The last sequence that left the journal.</summary>
    private ulong Settled => Memory.Taken.Low - (ulong)Memory.Journal.Count;

    protected override void TakeAgain(ScheduledElement due) =>
        AddToJournal(due.Message, EntryPosition.OfSequence(Memory.Taken.Low + 1), due.Postponement.Said);

    protected override EntryPosition NextPosition() => EntryPosition.Zero;

    protected override EntryPosition PositionOnTake(QueuedElement element) => EntryPosition.OfSequence(Memory.Taken.Low + 1);

    protected override bool HasNews(EntryPosition seen) => Memory.Queue.Count > 0;

    protected override void BeginSession(EntryPosition seen)
    {
        // Redis has forgotten what it gave, and must not give the same sequences again.
        if (Memory.Journal.Count == 0 && seen > Memory.Taken)
            Memory.Taken = seen;
    }

    protected override bool HasGap(SettlementPart part)
    {
        var settlement = part.Settlement;
        if (Memory.Journal.Count == 0
            || (settlement.UpTo == EntryPosition.Zero && settlement.Ended.Count == 0 && part.EndedBefore == EntryPosition.Zero))
            return false;
        return Settled < part.After.Low || Memory.Journal.Exists(element => element.Position == part.EndedBefore && !element.IsPlaceHolder);
    }

    protected override JournalElement? AfterEnding(JournalElement element) => element with { IsPlaceHolder = true };
}
