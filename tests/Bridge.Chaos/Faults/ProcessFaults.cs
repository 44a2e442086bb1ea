using Bridge.Chaos.Running;

namespace Bridge.Chaos.Faults;

/// <summary>The XMPP server ends, by SIGKILL or SIGTERM, and comes back.</summary>
internal sealed record ServerEnded(bool Killed, TimeSpan Time)
    : Fault(Killed ? "server killed" : "server stopped", FaultTarget.Server, Repeats.Held, Time)
{
    public override string Parameters => "";

    public override bool KillsServer => true;

    public override Task StrikeAsync(Stage stage) => Killed ? stage.RealServer.KillAsync() : stage.RealServer.StopAsync();

    public override Task HealAsync(Stage stage) => stage.RealServer.StartAsync();
}

/// <summary>SIGSTOP of the XMPP server. Its uptime may come too late to prove that it lived on.</summary>
internal sealed record ServerFrozen(TimeSpan Time) : Fault("server frozen", FaultTarget.Server, Repeats.Held, Time)
{
    public override string Parameters => "";

    public override Task StrikeAsync(Stage stage) => stage.RealServer.FreezeAsync();

    public override Task HealAsync(Stage stage) => stage.RealServer.ThawAsync();
}

/// <summary>A Bridge is killed and started again; the other one takes over meanwhile.</summary>
internal sealed record BridgeKilled(bool Owner, TimeSpan Time)
    : Fault(Owner ? "owner killed" : "standby killed", FaultTarget.Bridge, Repeats.Unconfirmed, Time)
{
    public override string Parameters => "";

    public override async Task StrikeAsync(Stage stage) => await (await stage.ChosenAsync(Owner)).KillAsync();

    public override Task HealAsync(Stage stage)
    {
        stage.StartBridges();
        return Task.CompletedTask;
    }
}

/// <summary>A Bridge ends in order: what was in flight is confirmed, and nothing is sent twice.</summary>
internal sealed record BridgeStopped(bool Owner, TimeSpan Time)
    : Fault(Owner ? "owner stopped" : "standby stopped", FaultTarget.Bridge, Repeats.Nothing, Time)
{
    public override string Parameters => "";

    public override async Task StrikeAsync(Stage stage) =>
        await (await stage.ChosenAsync(Owner)).StopAsync(TimeSpan.FromSeconds(20));

    public override Task HealAsync(Stage stage)
    {
        stage.StartBridges();
        return Task.CompletedTask;
    }
}

/// <summary>
/// SIGSTOP of a Bridge, shorter or longer than its lease lives. ejabberd keeps the frozen connection beside the
/// next owner's and may give it the answer that would have shown that the server lived on.
/// </summary>
internal sealed record BridgeFrozen(bool Owner, TimeSpan Time)
    : Fault(Owner ? "owner frozen" : "standby frozen", FaultTarget.Bridge, Repeats.Held, Time)
{
    public override string Parameters => "";

    public override async Task StrikeAsync(Stage stage) => await (await stage.ChosenAsync(Owner)).Process.FreezeAsync();

    public override Task HealAsync(Stage stage)
    {
        foreach (var bridge in stage.Bridges)
            bridge.Process.Thaw();
        return Task.CompletedTask;
    }
}

/// <summary>Both Bridges are killed and started in turn, quicker than a lease runs out.</summary>
internal sealed record RestartStorm(int Times, TimeSpan Between, TimeSpan Time)
    : Fault("restart storm", FaultTarget.Bridge, Repeats.Unconfirmed, Time)
{
    public override string Parameters => FormattableString.Invariant($"{Times} kills, {Between.TotalSeconds:F1} s between");

    public override async Task StrikeAsync(Stage stage)
    {
        for (var i = 0; i < Times; i++)
        {
            await stage.Bridges[i % stage.Bridges.Count].KillAsync();
            stage.StartBridges();
            await Stage.PassAsync(Between);
        }
    }

    public override Task HealAsync(Stage stage)
    {
        stage.StartBridges();
        return Task.CompletedTask;
    }
}
