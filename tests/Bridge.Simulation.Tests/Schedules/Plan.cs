using System.Collections.Immutable;
using System.Globalization;
using Bridge.Settings;
using Bridge.Simulation.Tests.Machine;

namespace Bridge.Simulation.Tests.Schedules;

/// <summary>What a message is.</summary>
internal enum MessageKind
{
    /// <summary>It arrives.</summary>
    Good,

    /// <summary>The encoder rejects it.</summary>
    Bad,

    /// <summary>The encoder accepts it, and the server ends the stream with an error that names a stanza's fault.</summary>
    Poison,

    /// <summary>The encoder accepts it, and the server hangs up without a word.</summary>
    SilentPoison,

    /// <summary>The server answers it with an error.</summary>
    Bounces,

    /// <summary>It asks for a receipt, which comes or does not.</summary>
    AsksReceipt,

    /// <summary>It is to be sent a while after its push.</summary>
    Early,

    /// <summary>Its recipient asks to wait at first.</summary>
    Busy,
}

/// <summary>What may go wrong, each at a moment, some at one node, some for a while.</summary>
internal enum FaultKind
{
    /// <summary>The process stands still, as under SIGSTOP or in a long collection of garbage.</summary>
    NodeFreezes,

    /// <summary>The process stands still at its next write, between the look at the lease's deadline and the write.</summary>
    NodeFreezesAtWrite,

    /// <summary>The process dies, and another one starts after a while.</summary>
    NodeDies,

    /// <summary>The process is asked to drain, and replaced after a while.</summary>
    NodeDrains,

    /// <summary>The cluster wants the bridge on another node.</summary>
    NodeHandsOver,

    /// <summary>For a while the cluster does not want the bridge on this node.</summary>
    NodeIsNotPreferred,

    /// <summary>The node's clock on the wall is set, forwards or backwards.</summary>
    ClockJumps,

    /// <summary>The node's connections to Redis break: some of what was under way is lost, some is run late.</summary>
    RedisLinkBreaks,

    /// <summary>Nothing passes between the node and Redis for a while; then it arrives late.</summary>
    RedisLinkStalls,

    /// <summary>What the node asks of Redis is done, and the replies come after a while.</summary>
    RedisRepliesStall,

    /// <summary>The node is cut off from Redis for a while: no connection can be made.</summary>
    CutOffFromRedis,

    /// <summary>The node is cut off from the XMPP server for a while, and keeps its lease.</summary>
    CutOffFromServer,

    /// <summary>The node is cut off from both.</summary>
    CutOffFromBoth,

    /// <summary>The operator has the queue pause for a while.</summary>
    QueueIsPaused,

    /// <summary>The operator has the queue drained for a while.</summary>
    QueueIsDrained,

    /// <summary>Redis stands still for a while; what was sent to it meanwhile it runs late.</summary>
    RedisFreezes,

    /// <summary>Redis dies, and comes back after a while with all that it had.</summary>
    RedisCrashes,

    /// <summary>Redis dies, and comes back after a while without its last writes.</summary>
    RedisForgets,

    /// <summary>Redis answers READONLY.</summary>
    RedisReadOnly,

    /// <summary>Redis answers LOADING.</summary>
    RedisLoads,

    /// <summary>Redis answers MISCONF.</summary>
    RedisRefusesWrites,

    /// <summary>Redis is full: it refuses pushes and waits, and lets the scripts pass.</summary>
    RedisIsFull,

    /// <summary>The stream is reset, and what the server had not processed is lost.</summary>
    StreamResets,

    /// <summary>The server ends the stream without a word.</summary>
    StreamEnds,

    /// <summary>The server ends the stream with system-shutdown, and lives on.</summary>
    StreamShutDown,

    /// <summary>The server stands still for a while.</summary>
    ServerFreezes,

    /// <summary>Barriers do not come back for a while.</summary>
    BarriersVanish,

    /// <summary>The server accepts no connection for a while.</summary>
    ServerRefuses,

    /// <summary>The server dies with what it had not handed on, and comes back after a while.</summary>
    ServerCrashes,
}

/// <summary>A message of the workload: its number is its place in the list.</summary>
/// <param name="At">Milliseconds from the start at which the app pushes it, or wants to.</param>
/// <param name="Kind">What it is.</param>
internal readonly record struct PlannedMessage(int At, MessageKind Kind);

/// <summary>A fault.</summary>
/// <param name="At">Milliseconds from the start.</param>
/// <param name="Kind">What goes wrong.</param>
/// <param name="Node">Where, for those that concern one node; <see cref="AtOwner" />: at the one that owns the queue by then.</param>
/// <param name="Lasts">Milliseconds, for those that last; for a clock, how far it jumps.</param>
internal readonly record struct PlannedFault(int At, FaultKind Kind, int Node, int Lasts)
{
    public const int AtOwner = -1;

    public bool IsAtNode => Kind <= FaultKind.CutOffFromBoth;

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"at {At} ms: {Kind}{(!IsAtNode ? "" : Node == AtOwner ? " (the owner)" : $" (node {Node})")}, {Lasts} ms");
}

/// <summary>
/// A schedule's workload and faults. What the seed decides besides, the order in which things happen and
/// how long the network takes, is drawn while the schedule runs, so that messages and faults can be left
/// out one by one.
/// </summary>
/// <param name="Seed">Whence it comes.</param>
/// <param name="Kind">Of the queue.</param>
/// <param name="Grade">What confirms.</param>
/// <param name="Outcomes">What is told.</param>
/// <param name="TriesAgain">Whether a message whose recipient asks to wait is sent again.</param>
/// <param name="Rates">A node each: how many ticks of its monotonic clock pass in one of the world's.</param>
/// <param name="Messages">What the app pushes.</param>
/// <param name="Faults">What goes wrong, in the order of time.</param>
internal sealed record Plan(
    int Seed,
    QueueKind Kind,
    ConfirmGrade Grade,
    OutcomeMode Outcomes,
    bool TriesAgain,
    ImmutableArray<double> Rates,
    ImmutableArray<PlannedMessage> Messages,
    ImmutableArray<PlannedFault> Faults)
{
    /// <summary>One bit each in a word.</summary>
    public const int MessagesAtMost = 64;

    /// <summary>How long after its push an early message is to be sent.</summary>
    public const int EarlyBy = 350;

    /// <summary>From here on nothing goes wrong any more.</summary>
    public const int HealedAt = 3_500;

    private const int LastPush = 2_600;
    private const int LastFault = 2_800;

    // A lease of 1,500 ms whose holder stops at 1,200 of its own bears a clock that loses a fifth.
    private const double SlowestClock = 0.82;
    private const double FastestClock = 1.2;

    private static readonly FaultKind[] Kinds = Enum.GetValues<FaultKind>();

    public static Plan Of(int seed)
    {
        var random = new Random(Mix(seed));
        var kind = random.Next(2) == 0 ? QueueKind.List : QueueKind.Stream;
        var grade = random.Next(3) == 0 ? ConfirmGrade.Accepted : ConfirmGrade.Held;
        var outcomes = random.Next(2) == 0 ? OutcomeMode.Failures : OutcomeMode.All;
        var triesAgain = random.Next(3) == 0;
        var isDrifting = random.Next(2) == 0;
        ImmutableArray<double> rates = [.. Enumerable.Range(0, NodesOf(random.Next(10)))
            .Select(_ => isDrifting ? SlowestClock + (random.NextDouble() * (FastestClock - SlowestClock)) : 1)];
        var messages = ImmutableArray.CreateBuilder<PlannedMessage>();
        var moment = random.Next(200);
        for (var left = random.Next(1, 33); left > 0; left--)
        {
            // Bursts, with pauses between them.
            if (random.Next(4) == 0)
                moment = Math.Min(LastPush, moment + random.Next(500));
            messages.Add(new PlannedMessage(moment, random.Next(100) switch
            {
                < 8 => MessageKind.Bad,
                < 11 => MessageKind.Poison,
                11 when random.Next(4) == 0 => MessageKind.SilentPoison,
                >= 12 and < 20 => MessageKind.Bounces,
                >= 20 and < 28 => MessageKind.AsksReceipt,
                >= 28 and < 33 => MessageKind.Early,
                >= 33 and < 40 when triesAgain => MessageKind.Busy,
                _ => MessageKind.Good,
            }));
        }

        var faults = new List<PlannedFault>();
        for (var left = random.Next(0, 6); left > 0; left--)
        {
            var fault = Kinds[random.Next(Kinds.Length)];
            // Those that are short are a nuisance to calls, those that are long one to leases and deadlines.
            var lasts = fault switch
            {
                FaultKind.ClockJumps => Jump(random),
                FaultKind.NodeFreezesAtWrite => random.Next(700, 2_500),
                _ => random.Next(3) == 0 ? random.Next(1_000, 2_200) : random.Next(20, 700),
            };
            var node = random.Next(2) == 0 ? PlannedFault.AtOwner : random.Next(rates.Length);
            var at = random.Next(20, LastFault);
            faults.Add(new PlannedFault(at, fault, node, lasts));
            // A virtual machine that stands still is given another time when it goes on.
            if (fault == FaultKind.ClockJumps && random.Next(2) == 0)
                faults.Add(new PlannedFault(at, FaultKind.NodeFreezes, node, random.Next(700, 2_500)));
        }

        return new Plan(seed, kind, grade, outcomes, triesAgain, rates, messages.DrainToImmutable(), [.. faults.OrderBy(fault => fault.At)]);
    }

    // Most of what can happen between several owners happens between two.
    private static int NodesOf(int draw) => draw < 5 ? 2 : draw < 8 ? 3 : World.NodesAtMost;

    // A step of the time service, a clock that nobody had set, another time zone: in either direction.
    private static int Jump(Random random)
    {
        var atMost = random.Next(3) switch { 0 => 2_000, 1 => 60_000, _ => 3 * 3_600_000 };
        return random.Next(-atMost, atMost + 1);
    }

    /// <summary>Successive seeds begin much alike; these do not.</summary>
    public static int Mix(int seed)
    {
        var mixed = unchecked((uint)seed * 2_654_435_769);
        mixed = unchecked((mixed ^ (mixed >> 15)) * 2_246_822_519);
        return unchecked((int)(mixed ^ (mixed >> 13)));
    }

    public override string ToString() => string.Join(
        Environment.NewLine,
        [
            $"BRIDGE_TEST_SEED={Seed}, {Kind}, grade {Grade}, outcomes {Outcomes}{(TriesAgain ? ", tries again" : "")}",
            string.Create(CultureInfo.InvariantCulture, $"  {Rates.Length} nodes, whose clocks run at {string.Join(", ", Rates.Select(rate => rate.ToString("0.##", CultureInfo.InvariantCulture)))}"),
            .. Messages.Select((message, number) => $"  message {number}: {message.Kind} at {message.At} ms"),
            .. Faults.Select(fault => $"  {fault}"),
        ]);
}
