using Bridge.TestKit;

namespace Bridge.Chaos.Faults;

/// <summary>What strikes together, and how long it is quiet behind it.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Faults">One, or two of different targets.</param>
/// <param name="Pause">None: the next round strikes without waiting for a recovery.</param>
internal sealed record Round(int Number, IReadOnlyList<Fault> Faults, TimeSpan? Pause)
{
    /// <summary>Until the last is healed.</summary>
    public TimeSpan Length => Faults.Max(fault => fault.Length);

    public override string ToString() => string.Join(" + ", Faults);
}

/// <summary>The faults of a run: the same seed and server give the same ones in the same order.</summary>
internal sealed class Schedule(int seed, ServerKind server)
{
    private static readonly string[] Conditions =
    [
        "policy-violation", "not-well-formed", "internal-server-error", "system-shutdown", "resource-constraint", "conflict",
        "connection-timeout",
    ];

    private readonly Random _random = new(seed);
    private int _number;

    /// <summary>The next round.</summary>
    public Round Next()
    {
        List<Fault> faults = [Pick()];
        if (_random.Next(5) == 0)
        {
            var second = Pick();
            while (second.Target == faults[0].Target)
                second = Pick();
            faults.Add(second);
        }

        TimeSpan? pause = _random.Next(4) == 0 ? null : Seconds(1, 5);
        return new Round(++_number, faults, pause);
    }

    private Fault Pick() => _random.Next(100) switch
    {
        < 30 => Link(FaultTarget.XmppLink),
        < 50 => Link(FaultTarget.RedisLink),
        < 67 => Redis(),
        < 82 => server == ServerKind.Scripted ? Scripted() : Server(),
        _ => Bridge(),
    };

    private LinkFault Link(FaultTarget link) => _random.Next(11) switch
    {
        0 => new Latency(link, Milliseconds(5, 150), Milliseconds(0, 100), Seconds(2, 8)),
        1 => new Bandwidth(link, _random.Next(20, 400) * 1_000, Seconds(2, 8)),
        2 => new Slices(link, One(1, 2, 7, 100), Seconds(1, 4)),
        3 => new Partition(link, One(Ways.Both, Ways.ToTarget, Ways.FromTarget), Seconds(0.5, 12)),
        4 => new BlackHole(link, One(Ways.Both, Ways.ToTarget, Ways.FromTarget), Seconds(1, 12)),
        5 => new Break(link, One(ProxyEnding.Close, ProxyEnding.Reset), 0, Seconds(0.2, 1)),
        6 => new Break(link, One(ProxyEnding.Close, ProxyEnding.Reset), _random.Next(1, 100_000), Seconds(1, 3)),
        7 => new LimitedData(link, _random.Next(500, 200_000), One(ProxyEnding.Close, ProxyEnding.Reset), Seconds(1, 8)),
        8 => new Down(link, Seconds(0.5, 10)),
        9 => new BreakBehind(link, One(ProxyEnding.Close, ProxyEnding.Reset), _random.Next(1, 500), Seconds(1, 3)),
        _ => new SlowClose(link, Seconds(0.5, 3), Seconds(1, 4)),
    };

    private Fault Redis() => _random.Next(8) switch
    {
        0 or 1 => new RedisKilled(Seconds(0.1, 6)),
        2 => new RedisFrozen(Seconds(1, 15)),
        3 => new ClientsKilled(Seconds(0.2, 1)),
        4 => new ScriptsFlushed(Seconds(0.2, 1)),
        5 => new Full(Seconds(1, 6)),
        6 => new WritesRefused(Seconds(0.5, 8)),
        _ => new ReadOnly(Seconds(0.5, 8)),
    };

    private Fault Server() => _random.Next(4) switch
    {
        0 or 1 => new ServerEnded(Killed: true, Seconds(0.1, 8)),
        2 => new ServerEnded(Killed: false, Seconds(0.1, 8)),
        _ => new ServerFrozen(Seconds(1, 15)),
    };

    private Fault Scripted() => _random.Next(11) switch
    {
        0 or 1 => new StreamEnded(ServerReaction.StreamError, One(Conditions), Seconds(0.2, 1)),
        2 => new StreamEnded(
            One(ServerReaction.EndTag, ServerReaction.EndOfFile, ServerReaction.Reset, ServerReaction.Silence, ServerReaction.StopReading),
            "",
            Seconds(0.2, 1)),
        3 => new StanzaRefused(
            _random.Next(1, 2_000), One(ServerReaction.StreamError, ServerReaction.EndOfFile, ServerReaction.Reset), Seconds(1, 4)),
        4 or 5 => new BarriersAstray(
            One(BarrierAnswer.Silent, BarrierAnswer.Twice, BarrierAnswer.WrongId, BarrierAnswer.Forged, BarrierAnswer.Reordered),
            TimeSpan.Zero,
            Seconds(1, 10)),
        6 => new BarriersAstray(BarrierAnswer.AsSent, Seconds(0.1, 3), Seconds(1, 8)),
        7 => new SlowReader(_random.Next(20, 200) * 1_000, Seconds(2, 8)),
        8 => new ErrorFlood(_random.Next(1_000, 50_000), Seconds(0.5, 2)),
        _ => new HandshakeBroken(
            One(ServerMoment.BeforeHeader, ServerMoment.AfterHeader, ServerMoment.AtHandshake, ServerMoment.AfterHandshake),
            One(ServerReaction.EndOfFile, ServerReaction.Reset, ServerReaction.StreamError, ServerReaction.EndTag),
            Seconds(0.5, 6)),
    };

    private Fault Bridge() => _random.Next(10) switch
    {
        0 or 1 => new BridgeKilled(Owner: true, Seconds(0.1, 6)),
        2 => new BridgeKilled(Owner: false, Seconds(0.1, 6)),
        3 or 4 => new BridgeStopped(Owner: true, Seconds(0.1, 6)),
        5 => new BridgeStopped(Owner: false, Seconds(0.1, 6)),
        6 or 7 => new BridgeFrozen(Owner: true, Seconds(1, 15)),
        8 => new BridgeFrozen(Owner: false, Seconds(1, 15)),
        _ => new RestartStorm(_random.Next(2, 6), Seconds(0.3, 2), Seconds(0.1, 1)),
    };

    private T One<T>(params T[] choices) => choices[_random.Next(choices.Length)];

    private TimeSpan Milliseconds(int from, int to) => TimeSpan.FromMilliseconds(_random.Next(from, to + 1));

    private TimeSpan Seconds(double from, double to) =>
        TimeSpan.FromMilliseconds(Math.Round(1_000 * (from + (_random.NextDouble() * (to - from)))));
}
