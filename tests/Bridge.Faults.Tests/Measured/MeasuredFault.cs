using Bridge.Telemetry;
using Bridge.TestKit;

namespace Bridge.Faults.Tests.Measured;

/// <summary>Which messages a fault may repeat.</summary>
internal enum MayRepeat
{
    Nothing,

    /// <summary>What the mark in Redis did not call confirmed when it struck.</summary>
    Unconfirmed,

    /// <summary>What had not left the journal when it struck.</summary>
    Held,
}

/// <summary>One fault as it is measured: how it begins, how Bridge shows that it knows, how it ends, and within which bounds.</summary>
/// <param name="Name">Its row.</param>
/// <param name="Repeats">What may be repeated.</param>
/// <param name="StrikeAsync">Begins it.</param>
/// <param name="HealAsync">Waits for as long as it lasts, and ends it; returns when the peer is there again.</param>
internal sealed record MeasuredFault(
    string Name, MayRepeat Repeats, Func<FaultStage, Task> StrikeAsync, Func<FaultStage, Task> HealAsync)
{
    private static readonly TimeSpan Away = TimeSpan.FromSeconds(5);

    /// <summary>Whether the links lead through proxies.</summary>
    public bool StrikesLinks { get; init; }

    /// <summary>Whether another program owns the queue, and the bridge that is looked at stands by.</summary>
    public bool StrikesOwner { get; init; }

    /// <summary>Whether what is called again at once may be all that comes of it: then nothing is shown.</summary>
    public bool MayPassUnnoticed { get; init; }

    /// <summary>Whether sessions die with the server, so that what is for them may bounce.</summary>
    public bool KillsServer { get; init; }

    /// <summary>Waits so long after the server's return, for its users to be there again.</summary>
    public TimeSpan ResumeDelay { get; init; }

    /// <summary>By when Bridge must have noticed.</summary>
    public TimeSpan NoticedWithin { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>From the peer's return, or from the strike where an owner falls, to the rate as before.</summary>
    public TimeSpan FullRateWithin { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Every fault, in the order of the table.</summary>
    public static IReadOnlyList<MeasuredFault> All { get; } =
    [
        new("link to the server: reset", MayRepeat.Unconfirmed, Do(stage => stage.XmppProxy.ResetPeer()), Do(_ => { })) { StrikesLinks = true },
        new("link to the server: black hole", MayRepeat.Held, Do(stage => stage.XmppProxy.BlackHole()), EndBlackHoleAsync) { StrikesLinks = true },
        new("link to the server: half-open, nothing comes back", MayRepeat.Held, Do(stage => stage.XmppProxy.Downstream.Swallows = true), EndBlackHoleAsync) { StrikesLinks = true },
        new(
            "link to the server: down for 20 s",
            MayRepeat.Unconfirmed,
            Do(stage =>
            {
                stage.XmppProxy.Down();
                stage.XmppProxy.ResetPeer();
            }),
            async stage =>
            {
                await PassAsync(TimeSpan.FromSeconds(20));
                stage.XmppProxy.Up();
            })
        { StrikesLinks = true },
        new("server: kill -9, back after 5 s", MayRepeat.Held, stage => stage.Server.KillAsync(), RestartServerAsync) { KillsServer = true, ResumeDelay = TimeSpan.FromSeconds(1) },
        new("server: SIGTERM, back after 5 s", MayRepeat.Held, stage => stage.Server.StopAsync(), RestartServerAsync) { KillsServer = true, ResumeDelay = TimeSpan.FromSeconds(1) },
        new(
            "server: frozen for 12 s",
            MayRepeat.Held,
            stage => stage.Server.FreezeAsync(),
            async stage =>
            {
                await PassAsync(TimeSpan.FromSeconds(12));
                await stage.Server.ThawAsync();
            }),
        new(
            "Redis: kill -9 with AOF, back after 5 s",
            MayRepeat.Unconfirmed,
            stage => stage.Trial.Redis.KillAsync(),
            async stage =>
            {
                await PassAsync(Away);
                await stage.Trial.Redis.RestartAsync();
            }),
        new(
            "Redis: frozen for 12 s",
            MayRepeat.Unconfirmed,
            stage => stage.Trial.Redis.Process.FreezeAsync(),
            async stage =>
            {
                await PassAsync(TimeSpan.FromSeconds(12));
                stage.Trial.Redis.Thaw();
            }),
        new(
            "Redis: read-only for 12 s",
            MayRepeat.Unconfirmed,
            stage => stage.Trial.App.ExecuteAsync("REPLICAOF", "127.0.0.1", "1"),
            async stage =>
            {
                await PassAsync(TimeSpan.FromSeconds(12));
                await stage.Trial.App.ExecuteAsync("REPLICAOF", "NO", "ONE");
            }),
        new("link to Redis: reset", MayRepeat.Nothing, Do(stage => stage.RedisProxy.ResetPeer()), Do(_ => { })) { StrikesLinks = true, MayPassUnnoticed = true },
        new(
            "link to Redis: black hole for 12 s",
            MayRepeat.Unconfirmed,
            Do(stage => stage.RedisProxy.BlackHole()),
            async stage =>
            {
                await PassAsync(TimeSpan.FromSeconds(12));
                Restore(stage.RedisProxy);
            })
        { StrikesLinks = true },
        new("owner: kill -9, a standby takes over", MayRepeat.Unconfirmed, stage => stage.Owner.KillAsync(), Do(_ => { }))
        {
            StrikesOwner = true,
            NoticedWithin = TimeSpan.FromSeconds(7),
            FullRateWithin = TimeSpan.FromSeconds(9),
        },
        new("owner: SIGTERM, a standby takes over", MayRepeat.Nothing, async stage => await stage.Owner.StopAsync(), Do(_ => { }))
        {
            StrikesOwner = true,
            NoticedWithin = TimeSpan.FromSeconds(7),
            FullRateWithin = TimeSpan.FromSeconds(9),
        },
        new(
            "owner: frozen past its lease, a standby takes over",
            MayRepeat.Held,
            stage => stage.Owner.Process.FreezeAsync(),
            async stage =>
            {
                await Eventually.TrueAsync(
                    () => stage.Bridge.Snapshot.Role == BridgeRole.Owner, TimeSpan.FromSeconds(30), "the standby takes over");
                stage.Owner.Process.Thaw();
            })
        {
            StrikesOwner = true,
            NoticedWithin = TimeSpan.FromSeconds(7),
            FullRateWithin = TimeSpan.FromSeconds(9),
        },
    ];

    /// <summary>Whether Bridge shows that something is wrong; of a standby, that it has taken over.</summary>
    public bool IsNoticed(FaultStage stage)
    {
        var snapshot = stage.Bridge.Snapshot;
        if (MayPassUnnoticed)
            return true;
        return StrikesOwner
            ? snapshot.Role == BridgeRole.Owner
            // A broken stream may stand again before anybody looks.
            : snapshot is not { Role: BridgeRole.Owner, Connection: ConnectionState.Established, QueueFault: null, LastReconnectCause: null };
    }

    public override string ToString() => Name;

    private static Func<FaultStage, Task> Do(Action<FaultStage> strike) => stage =>
    {
        strike(stage);
        return Task.CompletedTask;
    };

    private static ValueTask PassAsync(TimeSpan length) => TimeProvider.System.PassAsync(length, CancellationToken.None);

    private static async Task EndBlackHoleAsync(FaultStage stage)
    {
        await PassAsync(TimeSpan.FromSeconds(12));
        Restore(stage.XmppProxy);
    }

    // TCP never goes on behind a gap: connections that were swallowed into are of no use to anybody.
    private static void Restore(FaultProxy proxy)
    {
        proxy.Upstream.Swallows = false;
        proxy.Downstream.Swallows = false;
        proxy.ResetPeer();
    }

    private static async Task RestartServerAsync(FaultStage stage)
    {
        await PassAsync(Away);
        await stage.Server.StartAsync();
        await stage.Trial.JoinAsync();
    }
}
