using Bridge.Queue;

namespace Bridge.Actors.Tests.Queue;

public sealed class QueueFaultPolicyTests
{
    // Milliseconds before the first, second, third, fifth and hundredth look.
    public static TheoryData<string, QueueFault, double[]> Delays { get; } = new()
    {
        { "a stale session is recovered at once, and not in a tight loop", QueueFault.Stale, [0, 250, 250, 250, 250] },
        { "a deleted group is made again at once, and not in a tight loop", QueueFault.GroupMissing, [0, 250, 250, 250, 250] },
        { "a full Redis is looked at every 50 ms", QueueFault.OutOfMemory, [50, 50, 50, 50, 50] },
        { "an unreachable Redis is looked at four times a second, for as long as it lasts", QueueFault.Unreachable, [250, 250, 250, 250, 250] },
        { "a Redis that loads or fails over is looked at four times a second", QueueFault.NotReady, [250, 250, 250, 250, 250] },
        { "a replica is looked at four times a second: it may become the master", QueueFault.ReadOnly, [250, 250, 250, 250, 250] },
        { "a key of another type waits for the operator, with backoff", QueueFault.WrongType, [500, 1_000, 2_000, 5_000, 5_000] },
        { "refused credentials wait for the operator, with backoff", QueueFault.Forbidden, [500, 1_000, 2_000, 5_000, 5_000] },
        { "a certificate that is refused waits for the operator, with backoff", QueueFault.Untrusted, [500, 1_000, 2_000, 5_000, 5_000] },
        { "refused writes end when the disk has room or the replicas are back: looked at four times a second", QueueFault.RefusesWrites, [250, 250, 250, 250, 250] },
        { "anything else is looked at with backoff", QueueFault.Other, [500, 1_000, 2_000, 5_000, 5_000] },
    };

    public static TheoryData<QueueFault, bool> Operators { get; } = new()
    {
        { QueueFault.Stale, false },
        { QueueFault.LeaseLost, false },
        { QueueFault.Unreachable, false },
        { QueueFault.WrongType, true },
        { QueueFault.Forbidden, true },
        { QueueFault.Untrusted, true },
        { QueueFault.ReadOnly, false },
        { QueueFault.NotReady, false },
        { QueueFault.OutOfMemory, false },
        { QueueFault.RefusesWrites, true },
        { QueueFault.GroupMissing, false },
        { QueueFault.Other, true },
    };

    [Theory]
    [MemberData(nameof(Delays))]
    public void Each_fault_has_its_delay(string name, QueueFault fault, double[] expected)
    {
        _ = name;
        Assert.Equal(expected, new[] { 1, 2, 3, 5, 100 }.Select(row => QueueFaultPolicy.Delay(fault, row).TotalMilliseconds));
    }

    [Theory]
    [MemberData(nameof(Operators))]
    public void Only_what_an_operator_can_mend_asks_for_one(QueueFault fault, bool needed) =>
        Assert.Equal(needed, QueueFaultPolicy.NeedsOperator(fault));

    [Fact]
    public void Every_fault_stands_in_the_table_and_has_an_advice_of_its_own()
    {
        var faults = Enum.GetValues<QueueFault>();
        Assert.Equal(faults.Order(), Operators.Select(row => (QueueFault)row[0]).Order());
        Assert.Equal(
            faults.Where(fault => fault != QueueFault.LeaseLost).Order(),
            Delays.Select(row => (QueueFault)row[1]).Order());
        Assert.Equal(faults.Length, faults.Select(QueueFaultPolicy.Advice).Distinct().Count());
    }
}
