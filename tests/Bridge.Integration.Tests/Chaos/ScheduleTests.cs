using Bridge.Chaos;
using Bridge.Chaos.Faults;

namespace Bridge.Integration.Tests.Chaos;

public sealed class ScheduleTests
{
    [Theory]
    [InlineData("Prosody")]
    [InlineData("Scripted")]
    public void The_same_seed_gives_the_same_faults_in_the_same_order(string server)
    {
        Assert.Equal(Rounds(7, server), Rounds(7, server));
        Assert.NotEqual(Rounds(7, server), Rounds(8, server));
    }

    [Fact]
    public void Two_faults_at_once_never_strike_the_same_thing()
    {
        var schedule = new Schedule(3, ServerKind.Ejabberd);
        var pairs = Enumerable.Range(0, 500).Select(_ => schedule.Next()).Where(round => round.Faults.Count > 1).ToList();

        Assert.InRange(pairs.Count, 50, 200);
        Assert.All(pairs, pair => Assert.NotEqual(pair.Faults[0].Target, pair.Faults[1].Target));
    }

    [Fact]
    public void Every_kind_of_fault_has_its_turn()
    {
        var schedule = new Schedule(1, ServerKind.Prosody);
        var scripted = new Schedule(1, ServerKind.Scripted);
        var kinds = Enumerable.Range(0, 1_000)
            .SelectMany(_ => schedule.Next().Faults.Concat(scripted.Next().Faults))
            .Select(fault => fault.GetType())
            .ToHashSet();

        var all = typeof(Fault).Assembly.GetTypes().Where(type => type is { IsAbstract: false } && type.IsAssignableTo(typeof(Fault)));
        Assert.Empty(all.Except(kinds));
    }

    private static List<string> Rounds(int seed, string server)
    {
        var schedule = new Schedule(seed, Enum.Parse<ServerKind>(server));
        return [.. Enumerable.Range(0, 60).Select(_ => schedule.Next()).Select(round => $"{round.Number} {round} {round.Pause}")];
    }
}
