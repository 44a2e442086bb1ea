using Bridge.Chaos.Running;

namespace Bridge.Chaos.Faults;

/// <summary>SIGKILL, and a start on the same data. Each write was flushed.</summary>
internal sealed record RedisKilled(TimeSpan Time) : Fault("Redis killed", FaultTarget.Redis, Repeats.Unconfirmed, Time)
{
    public override string Parameters => "";

    public override Task StrikeAsync(Stage stage) => stage.Redis.KillAsync();

    public override Task HealAsync(Stage stage) => stage.Redis.RestartAsync();
}

/// <summary>SIGSTOP, and SIGCONT.</summary>
internal sealed record RedisFrozen(TimeSpan Time) : Fault("Redis frozen", FaultTarget.Redis, Repeats.Unconfirmed, Time)
{
    public override string Parameters => "";

    public override Task StrikeAsync(Stage stage) => stage.Redis.Process.FreezeAsync();

    public override Task HealAsync(Stage stage)
    {
        stage.Redis.Thaw();
        return Task.CompletedTask;
    }
}

/// <summary>One command that strikes and, where it lasts, one that heals.</summary>
internal abstract record RedisCommandFault(string Called, Repeats Explained, TimeSpan Lasts, string[] Strike, string[]? Heal)
    : Fault(Called, FaultTarget.Redis, Explained, Lasts)
{
    public override string Parameters => "";

    public override Task StrikeAsync(Stage stage) => stage.AdministerAsync(Strike);

    public override Task HealAsync(Stage stage) => Heal is null ? Task.CompletedTask : stage.AdministerAsync(Heal);
}

/// <summary>Redis hangs up on everybody.</summary>
internal sealed record ClientsKilled(TimeSpan Time)
    : RedisCommandFault("clients killed", Repeats.Nothing, Time, ["CLIENT", "KILL", "TYPE", "normal"], null);

/// <summary>Redis forgets Bridge's scripts.</summary>
internal sealed record ScriptsFlushed(TimeSpan Time)
    : RedisCommandFault("scripts flushed", Repeats.Nothing, Time, ["SCRIPT", "FLUSH"], null);

/// <summary>Redis is full: it refuses whatever could grow, and Bridge must drain it all the same.</summary>
internal sealed record Full(TimeSpan Time)
    : RedisCommandFault("Redis full", Repeats.Nothing, Time, ["CONFIG", "SET", "maxmemory", "1"], ["CONFIG", "SET", "maxmemory", "0"]);

/// <summary>NOREPLICAS: every write is refused, the lease's renewal too.</summary>
internal sealed record WritesRefused(TimeSpan Time)
    : RedisCommandFault(
        "writes refused", Repeats.Unconfirmed, Time, ["CONFIG", "SET", "min-replicas-to-write", "1"], ["CONFIG", "SET", "min-replicas-to-write", "0"]);

/// <summary>READONLY: Redis is the replica of a master that is not there, as in a failover.</summary>
internal sealed record ReadOnly(TimeSpan Time)
    : RedisCommandFault("Redis read-only", Repeats.Unconfirmed, Time, ["REPLICAOF", "127.0.0.1", "1"], ["REPLICAOF", "NO", "ONE"]);
