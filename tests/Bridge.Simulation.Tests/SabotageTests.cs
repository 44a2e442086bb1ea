using Bridge.Actors.Tests;
using Bridge.Simulation.Tests.Schedules;

namespace Bridge.Simulation.Tests;

/// <summary>The simulation's eyes: with a part broken on purpose it must find a promise broken.</summary>
public sealed class SabotageTests
{
    private const int Seed = 20_261_124;
    private const int Schedules = 20_000;

    [Theory]
    [InlineData(Sabotage.QueueIsNotFenced)]
    [InlineData(Sabotage.QueueSettlesWhatItGives)]
    [InlineData(Sabotage.BarriersReturnEarly)]
    [InlineData(Sabotage.EncoderDropsEveryFifth)]
    [InlineData(Sabotage.EncoderSwapsNeighbours)]
    [InlineData(Sabotage.QueueTellsAgain)]
    [InlineData(Sabotage.LeaseDeadlineIsIgnored)]
    [InlineData(Sabotage.ServerHidesItsRestart)]
    [InlineData(Sabotage.RenewalCountsFromItsReply)]
    [InlineData(Sabotage.DeadlineIsOnTheWall)]
    [InlineData(Sabotage.SettlementIsNotFenced)]
    [InlineData(Sabotage.LeaseIsGrantedEarly)]
    public void A_broken_part_is_found_out(object sabotage)
    {
        var result = Search.Run(TestSeed.Of(Seed), Schedules, (Sabotage)sabotage);
        Console.WriteLine($"{sabotage}: {result}");
        Assert.NotNull(result.Failing);
        Console.WriteLine(Search.Shrink(result.Failing, (Sabotage)sabotage).Verdict.Violation);
    }

    [Fact]
    public void A_deadline_on_the_wall_is_found_by_a_clock_that_jumps()
    {
        var failing = Search.Run(TestSeed.Of(Seed), Schedules, Sabotage.DeadlineIsOnTheWall).Failing;
        Assert.NotNull(failing);
        var (plan, verdict) = Search.Shrink(failing, Sabotage.DeadlineIsOnTheWall);
        Assert.Contains("was about to write", verdict.Violation, StringComparison.Ordinal);
        Assert.Contains(plan.Faults, fault => fault.Kind == FaultKind.ClockJumps);
    }

    [Fact]
    public void What_is_found_is_shrunk_to_what_it_takes()
    {
        var failing = Search.Run(TestSeed.Of(Seed), Schedules, Sabotage.EncoderSwapsNeighbours).Failing;
        Assert.NotNull(failing);
        var (plan, verdict) = Search.Shrink(failing, Sabotage.EncoderSwapsNeighbours);
        Assert.NotNull(verdict.Violation);
        Assert.NotEmpty(verdict.History);
        // Two messages that are swapped, and nothing that goes wrong.
        Assert.Empty(plan.Faults);
        Assert.InRange(plan.Messages.Length, 1, 2);
    }
}
