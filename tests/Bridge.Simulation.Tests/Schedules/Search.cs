using System.Collections.Concurrent;
using System.Diagnostics;

namespace Bridge.Simulation.Tests.Schedules;

/// <summary>What many schedules came to.</summary>
internal sealed record SearchResult(
    int Schedules, TimeSpan Took, long Arrived, long Repeated, long Owners, long Streams, long LateWrites, Plan? Failing)
{
    public override string ToString() =>
        $"{Schedules} schedules in {Took.TotalSeconds:F1} s ({Schedules / Took.TotalSeconds:F0} a second): {Arrived} messages arrived, "
        + $"{Repeated} of them again, {Owners} changes of the owner, {Streams} streams, {LateWrites} writes that came late";
}

/// <summary>Runs schedules of successive seeds on every processor, until one fails.</summary>
internal static class Search
{
    public static SearchResult Run(int firstSeed, int schedules, Sabotage sabotage = Sabotage.None)
    {
        var clock = Stopwatch.StartNew();
        var failing = new ConcurrentBag<Plan>();
        var broken = new ConcurrentBag<Exception>();
        var next = -1;
        long ran = 0, arrived = 0, repeated = 0, owners = 0, streams = 0, lateWrites = 0;
        var threads = Enumerable.Range(0, Environment.ProcessorCount).Select(_ => new Thread(Work, 4 << 20)).ToArray();
        foreach (var thread in threads)
            thread.Start();
        foreach (var thread in threads)
            thread.Join();
        if (!broken.IsEmpty)
            throw new AggregateException(broken);
        return new SearchResult((int)ran, clock.Elapsed, arrived, repeated, owners, streams, lateWrites, failing.MinBy(plan => unchecked(plan.Seed - firstSeed)));

        void Work()
        {
            try
            {
                var simulator = new Simulator();
                while (failing.IsEmpty && broken.IsEmpty && Interlocked.Increment(ref next) is var number && number < schedules)
                {
                    var plan = Plan.Of(unchecked(firstSeed + number));
                    var verdict = simulator.Run(plan, sabotage);
                    Interlocked.Increment(ref ran);
                    Interlocked.Add(ref arrived, verdict.Arrived);
                    Interlocked.Add(ref repeated, verdict.Repeated);
                    Interlocked.Add(ref owners, verdict.Owners);
                    Interlocked.Add(ref streams, verdict.Streams);
                    Interlocked.Add(ref lateWrites, verdict.LateWrites);
                    if (verdict.Violation is not null)
                        failing.Add(plan);
                }
            }
            catch (Exception e)
            {
                broken.Add(e);
            }
        }
    }

    /// <summary>Leaves out of a failing schedule whatever it does not need to fail, and tells what is left.</summary>
    public static (Plan Plan, Verdict Verdict) Shrink(Plan plan, Sabotage sabotage = Sabotage.None)
    {
        var simulator = new Simulator();
        bool shrank;
        do
        {
            shrank = false;
            // Halves first, then quarters, down to single ones (delta debugging).
            for (var size = Math.Max(plan.Faults.Length, plan.Messages.Length); size > 0; size /= 2)
            {
                for (var i = plan.Faults.Length - size; i >= 0; i -= size)
                    Try(plan with { Faults = plan.Faults.RemoveRange(i, size) });
                for (var i = plan.Messages.Length - size; i >= 0; i -= size)
                    Try(plan with { Messages = plan.Messages.RemoveRange(i, size) });
            }
        }
        while (shrank);
        while (plan.Rates.Length > 2 && Try(WithoutLastNode(plan)))
        {
        }

        Try(plan with { Rates = [.. plan.Rates.Select(_ => 1.0)] });
        return (plan, simulator.Run(plan, sabotage, recording: true));

        bool Try(Plan smaller)
        {
            if (simulator.Run(smaller, sabotage).Violation is null)
                return false;
            plan = smaller;
            return shrank = true;
        }
    }

    private static Plan WithoutLastNode(Plan plan)
    {
        var last = plan.Rates.Length - 1;
        return plan with { Rates = plan.Rates.RemoveAt(last), Faults = plan.Faults.RemoveAll(fault => fault.Node == last) };
    }

    /// <summary>What there is to say about a failing schedule.</summary>
    public static string Explain(Plan failing, Sabotage sabotage = Sabotage.None)
    {
        var (plan, verdict) = Shrink(failing, sabotage);
        return string.Join(
            Environment.NewLine,
            [$"{verdict.Violation}; BRIDGE_TEST_SEED={failing.Seed} shows it. It fails with no more than this:", plan.ToString(), "What happened:", .. verdict.History]);
    }
}
