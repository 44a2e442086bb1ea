using System.Globalization;
using Bridge.Actors.Tests;
using Bridge.Simulation.Tests.Schedules;

namespace Bridge.Simulation.Tests;

/// <summary>
/// Two to four real bridges, one of them the owner, on a model of Redis and of the XMPP server, under everything that
/// can go wrong with either, with the network, with the processes and with their clocks; in virtual time, in an order that a
/// seed decides. <c>BRIDGE_TEST_SEED</c> begins with that schedule, <c>BRIDGE_SIMULATIONS</c> says how many run.
/// </summary>
public sealed class SimulationTests
{
    private const int Seed = 20_261_124;
    private const int Usual = 100_000;

    // In parts, so that none is silent for long.
    private const int Parts = 10;

    public static TheoryData<int> AllParts => [.. Enumerable.Range(0, Parts)];

    [Theory]
    [MemberData(nameof(AllParts))]
    public void Whatever_goes_wrong_every_promise_is_kept(int part)
    {
        var schedules = int.TryParse(Environment.GetEnvironmentVariable("BRIDGE_SIMULATIONS"), NumberStyles.None, CultureInfo.InvariantCulture, out var wanted)
            ? wanted
            : Usual;
        var (from, to) = ((int)((long)schedules * part / Parts), (int)((long)schedules * (part + 1) / Parts));
        var result = Search.Run(unchecked(TestSeed.Of(Seed) + from), to - from);
        Console.WriteLine(result);
        Assert.True(result.Failing is null, result.Failing is { } failing ? Search.Explain(failing) : null);
        if (result.Schedules < 1_000)
            return;
        // The schedules must have been worth it.
        Assert.InRange(result.Arrived, 8L * result.Schedules, long.MaxValue);
        Assert.InRange(result.Repeated, result.Schedules / 10, long.MaxValue);
        Assert.InRange(result.Owners, result.Schedules + (result.Schedules / 5), long.MaxValue);
        Assert.InRange(result.LateWrites, result.Schedules / 200, long.MaxValue);
        Assert.InRange(result.Streams, 2L * result.Schedules, long.MaxValue);
    }

    [Fact]
    public void The_same_seed_gives_the_same_history()
    {
        var seed = TestSeed.Of(Seed);
        var (one, other) = (new Simulator(), new Simulator());
        for (var number = 0; number < 300; number++)
        {
            var plan = Plan.Of(unchecked(seed + number));
            var history = one.Run(plan, recording: true).History;
            Assert.NotEmpty(history);
            Assert.Equal(history, other.Run(plan, recording: true).History);
            // Nor does it matter what ran before.
            one.Run(Plan.Of(unchecked(seed - number - 1)));
            Assert.Equal(history, one.Run(plan, recording: true).History);
        }
    }
}
