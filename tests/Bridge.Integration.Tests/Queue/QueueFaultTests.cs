using System.Diagnostics;
using System.Globalization;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.TestKit;
using StackExchange.Redis;
using Xunit.Abstractions;

namespace Bridge.Integration.Tests.Queue;

/// <summary>What each fault of Redis does to a queue of either kind. Each test has a Redis of its own.</summary>
public sealed class QueueFaultTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task A_take_that_a_frozen_Redis_runs_late_hides_nothing(QueueKind kind)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var queue = await QueueUnderTest.StartAsync(kind, redis, settings => settings with { CallTimeout = TimeSpan.FromMilliseconds(500) });
        await queue.PushAsync(30);
        var before = (await queue.TakeAsync(new TakeLimits(10, 1 << 20))).Entries;

        redis.Freeze();
        // Both are in the socket of the frozen Redis when they are given up.
        var take = queue.TakeAsync(new TakeLimits(10, 1 << 20));
        var settle = queue.SettleAsync(before[4].Position, new EndedEntry(before[1].Position, "reason", "", -1, 1));
        await QueueUnderTest.FaultsAsync(QueueFault.Unreachable, () => take);
        await QueueUnderTest.FaultsAsync(QueueFault.Unreachable, () => settle);
        redis.Thaw();

        var recovery = await queue.RecoverAsync();
        Assert.True(recovery.ContinuesHistory);
        var journal = await queue.ReadAllAsync();
        Assert.Equal(recovery.Count, journal.Count);
        var rest = await queue.TakeAllAsync();
        // Whatever of the two was run, was run before the recovery or not at all.
        var settled = 30 - journal.Count - rest.Count;
        Assert.Contains(settled, new[] { 0, 5 });
        Assert.Equal(settled == 5 ? 1 : 0, await queue.Dead.CountAsync());
        Assert.Equal(
            Enumerable.Range(settled, 30 - settled).Select(number => Convert.ToHexString(QueueUnderTest.Numbered(number))),
            journal.Concat(rest).Select(entry => Convert.ToHexString(entry.Payload.Span)));
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task A_frozen_Redis_is_noticed_in_the_wait_and_used_again_within_two_seconds(QueueKind kind)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var queue = await QueueUnderTest.StartAsync(kind, redis, settings => settings with { WaitTime = TimeSpan.FromSeconds(2) });

        await queue.PushAsync(1);
        Assert.Single((await queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty)).Entries);

        redis.Freeze();
        var frozen = Stopwatch.StartNew();
        await QueueUnderTest.FaultsAsync(QueueFault.Unreachable, () => queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty));
        Assert.InRange(frozen.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(10));
        output.WriteLine($"noticed after {frozen.Elapsed}");
        await QueueUnderTest.FaultsAsync(QueueFault.Unreachable, queue.RecoverAsync);
        // An attempt is under way, as a caller that looks again and again always has one.
        var attempt = queue.RecoverAsync();
        redis.Thaw();
        var thawed = Stopwatch.StartNew();
        try
        {
            await attempt;
        }
        catch (QueueFaultException fault) when (fault.Fault == QueueFault.Unreachable)
        {
            await queue.RecoverAsync();
        }

        await queue.PushAsync(1);
        Assert.Single((await queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty)).Entries);
        Assert.InRange(thawed.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(2));
        output.WriteLine($"used again after {thawed.Elapsed}");
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task A_full_Redis_still_acquires_drains_dead_letters_settles_and_releases(QueueKind kind)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var queue = await QueueUnderTest.ConnectAsync(kind, redis);
        await queue.PushAsync([.. Enumerable.Range(0, 50).Select(QueueUnderTest.Numbered), new byte[300_000]]);
        await queue.FillMemoryAsync();

        await queue.AcquireAsync();
        await queue.RecoverAsync();
        Assert.True(await queue.Lease.RenewAsync(queue.Grant));
        var waited = await queue.Queue.WaitAndTakeAsync(queue.Session, new TakeLimits(20, 1 << 20));
        Assert.Equal(20, waited.Entries.Count);
        var mark = new ConfirmedMark(waited.Entries[4].Position, "127.0.0.1:5347", 0, default);
        var next = await queue.Queue.TakeAsync(
            queue.Session,
            QueueUnderTest.Plenty,
            new Settlement(
                waited.Entries[9].Position,
                [new EndedEntry(waited.Entries[3].Position, "reason", "", 0, 1), new EndedEntry(waited.Entries[15].Position, "reason", "", 0, 1)],
                mark));
        Assert.Equal(new SettleResult(kind == QueueKind.List ? 10 : 11, 2, 0), next.Settled);
        Assert.Equal(30, next.Entries.Count);
        Assert.Single((await queue.TakeAsync()).Oversize);
        var journal = await queue.ReadAllAsync();
        Assert.Equal(kind == QueueKind.List ? 41 : 39, journal.Count);
        var end = await queue.SettleAsync(journal[^1].Position, new EndedEntry(journal[2].Position, "reason", "", 0, 1));
        Assert.Equal(new SettleResult(journal.Count, 1, 0), end);
        Assert.Equal(4, await queue.Dead.CountAsync());

        // The refused wait of an empty queue costs a pause, and no error.
        var pause = Stopwatch.StartNew();
        Assert.Empty((await queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty)).Entries);
        Assert.InRange(pause.Elapsed, TimeSpan.FromMilliseconds(40), TimeSpan.FromSeconds(2));
        var letters = await queue.Dead.ListAsync(10, newestFirst: false);
        Assert.Equal(1, (await queue.Dead.ReplayAsync(letters.Single(letter => letter.Reason == "oversize").Id)).Replayed);
        await queue.Lease.ReleaseAsync(queue.Grant);
        Assert.NotNull((await queue.Lease.TryAcquireAsync()).Grant);
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task A_killed_Redis_that_remembers_is_continued(QueueKind kind)
    {
        await using var redis = await RedisServer.StartAsync(new RedisOptions { AppendOnly = true });
        await using var queue = await QueueUnderTest.StartAsync(kind, redis);
        await queue.PushAsync(20);
        var taken = (await queue.TakeAsync(new TakeLimits(12, 1 << 20))).Entries;
        await queue.SettleAsync(taken[4].Position);

        await redis.KillAsync();
        await QueueUnderTest.FaultsAsync(QueueFault.Unreachable, () => queue.TakeAsync());
        await QueueUnderTest.FaultsAsync(QueueFault.Unreachable, queue.RecoverAsync);
        await redis.RestartAsync();

        // The old session is told to recover, although it would still be the current one.
        await QueueUnderTest.FaultsAsync(QueueFault.Unreachable, () => queue.TakeAsync());
        var recovery = await queue.RecoverOnceBackAsync();
        Assert.Equal((7L, true), (recovery.Count, recovery.ContinuesHistory));
        Assert.Equal(taken.Skip(5).Select(entry => entry.Position), (await queue.ReadAllAsync()).Select(entry => entry.Position));
        Assert.Equal(8, (await queue.TakeAllAsync()).Count);
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task A_restarted_Redis_that_forgot_has_no_lease(QueueKind kind)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var queue = await QueueUnderTest.StartAsync(kind, redis);
        await queue.PushAsync(5);
        await queue.TakeAsync();
        await redis.RestartAsync();

        await QueueUnderTest.FaultsAsync(QueueFault.Unreachable, () => queue.TakeAsync());
        await QueueUnderTest.FaultsAsync(QueueFault.LeaseLost, queue.RecoverOnceBackAsync);
        await queue.AcquireAsync();
        Assert.False((await queue.RecoverAsync()).ContinuesHistory);
    }

    [Theory]
    [InlineData(QueueKind.List, null)]
    [InlineData(QueueKind.List, "wrong-one")]
    [InlineData(QueueKind.Stream, null)]
    [InlineData(QueueKind.Stream, "wrong-one")]
    public async Task A_missing_or_wrong_password_is_said_without_saying_it(QueueKind kind, string? password)
    {
        await using var redis = await RedisServer.StartAsync(new RedisOptions { Password = "right-one" });
        var address = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{redis.Port}") + (password is null ? "" : ",password=" + password);
        await using var queue = await QueueUnderTest.ConnectAsync(kind, redis, settings => settings with { Redis = address });

        // The client may give the connection up before Redis' word has arrived; the next try hears it.
        var refused = await Eventually.ValueAsync(
            async () => await Assert.ThrowsAsync<QueueFaultException>(queue.AcquireAsync),
            fault => fault.Fault == QueueFault.Forbidden,
            TimeSpan.FromSeconds(5),
            "Redis' refusal");

        Assert.DoesNotContain("wrong-one", refused.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task Rights_taken_away_are_noticed_and_given_back_are_used(QueueKind kind)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var queue = await QueueUnderTest.StartAsync(kind, redis);
        await queue.PushAsync(3);
        await queue.ServerAsync("ACL", "SETUSER", "default", "-eval");
        await QueueUnderTest.FaultsAsync(QueueFault.Forbidden, () => queue.TakeAsync());
        await queue.ServerAsync("ACL", "SETUSER", "default", "+eval", kind == QueueKind.List ? "-blmove" : "-xread");
        await queue.RecoverAsync();
        // What the take behind the refused wait brought is not thrown away.
        Assert.Equal(3, (await queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty)).Entries.Count);
        await QueueUnderTest.FaultsAsync(QueueFault.Forbidden, () => queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty));
        await queue.ServerAsync("ACL", "SETUSER", "default", "+@all");
        Assert.Empty((await queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty)).Entries);
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task A_Redis_that_became_a_replica_is_read_only(QueueKind kind)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var queue = await QueueUnderTest.StartAsync(kind, redis);
        await queue.PushAsync(3);
        // Of a primary that does not answer: its data stays what it was.
        await queue.ServerAsync("REPLICAOF", "127.0.0.1", FreePorts.Next().ToString(CultureInfo.InvariantCulture));

        await QueueUnderTest.FaultsAsync(QueueFault.ReadOnly, () => queue.TakeAsync());
        await QueueUnderTest.FaultsAsync(QueueFault.ReadOnly, queue.RecoverAsync);
        await QueueUnderTest.FaultsAsync(QueueFault.ReadOnly, () => queue.Lease.RenewAsync(queue.Grant));
        await queue.ServerAsync("REPLICAOF", "NO", "ONE");
        Assert.True((await queue.RecoverAsync()).ContinuesHistory);
        Assert.Equal(3, (await queue.TakeAllAsync()).Count);
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task A_Redis_without_its_replicas_refuses_writes(QueueKind kind)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var queue = await QueueUnderTest.StartAsync(kind, redis);
        await queue.PushAsync(3);
        await queue.ServerAsync("CONFIG", "SET", "min-replicas-to-write", "1");

        await QueueUnderTest.FaultsAsync(QueueFault.RefusesWrites, () => queue.TakeAsync());
        await queue.ServerAsync("CONFIG", "SET", "min-replicas-to-write", "0");
        await queue.RecoverAsync();
        Assert.Equal(3, (await queue.TakeAllAsync()).Count);
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task A_Redis_that_runs_a_long_script_is_not_ready(QueueKind kind)
    {
        await using var redis = await RedisServer.StartAsync(new RedisOptions { Arguments = ["--lua-time-limit", "50"] });
        await using var queue = await QueueUnderTest.StartAsync(kind, redis);
        await queue.PushAsync(3);
        // Connected before: a Redis that is busy with a script lets nobody else in.
        await using var admin = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString + ",allowAdmin=true");
        var endless = queue.App.ExecuteAsync("EVAL", "while true do end", 0);
        var fault = await FaultOfAsync(() => queue.Queue.SettleAsync(queue.Session, Settlement.Nothing));
        Assert.Equal(QueueFault.NotReady, fault);
        await admin.GetServer("127.0.0.1", redis.Port).ExecuteAsync("SCRIPT", "KILL");
        await Assert.ThrowsAsync<RedisServerException>(() => endless);

        await queue.RecoverAsync();
        Assert.Equal(3, (await queue.TakeAllAsync()).Count);
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task A_Redis_that_loads_its_data_is_not_ready_until_it_has(QueueKind kind)
    {
        await using var redis = await RedisServer.StartAsync(new RedisOptions
        {
            AppendOnly = true,
            // A microsecond-long pause for each command that is loaded, and a look at the clients every kilobyte.
            Arguments = ["--key-load-delay", "500", "--loading-process-events-interval-bytes", "1024", "--aof-use-rdb-preamble", "no"],
        });
        await using var queue = await QueueUnderTest.StartAsync(kind, redis);
        await queue.PushAsync(3);
        for (var i = 0; i < 5; i++)
            await Task.WhenAll(Enumerable.Range(0, 1_000).Select(number => queue.App.StringSetAsync("filler", number)));

        await redis.KillAsync();
        redis.StartUnready();
        List<QueueFault> faults = [];
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (true)
        {
            try
            {
                await queue.RecoverAsync();
                break;
            }
            catch (QueueFaultException fault)
            {
                faults.Add(fault.Fault);
                await tick.WaitForNextTickAsync(deadline.Token);
            }
        }

        output.WriteLine(string.Join(' ', faults));
        Assert.Contains(QueueFault.NotReady, faults);
        Assert.All(faults, fault => Assert.Contains(fault, new[] { QueueFault.NotReady, QueueFault.Unreachable }));
        Assert.Equal(3, (await queue.TakeAllAsync()).Count);
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task A_failover_that_lost_the_last_takes_does_not_continue_the_history(QueueKind kind)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var queue = await QueueUnderTest.StartAsync(kind, redis);
        await queue.PushAsync(10);
        List<QueueEntry> taken = [.. (await queue.TakeAsync(new TakeLimits(8, 1 << 20))).Entries, .. (await queue.TakeAsync()).Entries];
        // What a replica that was one take, of two entries, behind would hold.
        if (kind == QueueKind.List)
        {
            await queue.App.ListRightPopAsync(queue.Keys.Inflight, 2);
            await queue.App.ListRightPopAsync(queue.Keys.Runs, 1);
            await queue.App.HashSetAsync(queue.Keys.Confirmed, "taken", 8);
        }
        else
        {
            await queue.App.StreamAcknowledgeAsync(queue.Keys.Queue, "bridge", [taken[8].Position.ToString(), taken[9].Position.ToString()]);
            await queue.App.StreamConsumerGroupSetPositionAsync(queue.Keys.Queue, "bridge", taken[7].Position.ToString());
        }

        var recovery = await queue.RecoverAsync();

        Assert.Equal((8L, taken[7].Position, false), (recovery.Count, recovery.Last, recovery.ContinuesHistory));
        await queue.PushAsync(2);
        var next = await queue.TakeAllAsync();
        Assert.Equal(kind == QueueKind.List ? 2 : 4, next.Count);
        Assert.Empty(taken.Select(entry => entry.GeneratedId).Take(kind == QueueKind.List ? 10 : 8)
            .Intersect(next.Select(entry => entry.GeneratedId)));
        Assert.Equal(8 + next.Count, (await queue.SettleAsync(next[^1].Position)).Removed);
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task A_new_master_behind_the_same_name_is_found(QueueKind kind)
    {
        await using var former = await RedisServer.StartAsync(new RedisOptions { Arguments = ["--repl-diskless-sync-delay", "0"] });
        await using var proxy = new FaultProxy(former.Port);
        await using var queue = await QueueUnderTest.StartAsync(
            kind, former, settings => settings with { Redis = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{proxy.Port}") });
        await queue.PushAsync(5);
        Assert.Single((await queue.Queue.WaitAndTakeAsync(queue.Session, new TakeLimits(1, 1 << 20))).Entries);
        await using var next = await RedisServer.StartAsync(new RedisOptions
        {
            Arguments = ["--replicaof", "127.0.0.1", former.Port.ToString(CultureInfo.InvariantCulture)],
        });
        await using var admin = await ConnectionMultiplexer.ConnectAsync(next.ConnectionString + ",allowAdmin=true");
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!await admin.GetDatabase().KeyExistsAsync(queue.Keys.Lease, CommandFlags.PreferReplica))
            await tick.WaitForNextTickAsync(deadline.Token);

        // The failover: open connections stay at the former master, which is a replica now.
        await admin.GetServer("127.0.0.1", next.Port).ExecuteAsync("REPLICAOF", "NO", "ONE");
        await queue.ServerAsync("REPLICAOF", "127.0.0.1", next.Port.ToString(CultureInfo.InvariantCulture));
        proxy.TargetPort = next.Port;
        await QueueUnderTest.FaultsAsync(QueueFault.ReadOnly, () => queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty));
        await QueueUnderTest.FaultsAsync(QueueFault.ReadOnly, () => queue.TakeAsync());

        Assert.True((await queue.RecoverAsync()).ContinuesHistory);
        Assert.Equal(4, (await queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty)).Entries.Count);
        Assert.Equal(5, (await queue.ReadAllAsync()).Count);
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task Both_connections_of_a_session_were_open_when_it_began(QueueKind kind)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var other = await RedisServer.StartAsync();
        await using var proxy = new FaultProxy(redis.Port);
        await using var queue = await QueueUnderTest.StartAsync(
            kind, redis, settings => settings with { Redis = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{proxy.Port}") });
        await queue.PushAsync(2);

        // From now on the name means another Redis: one that was promoted without the last takes, say.
        proxy.TargetPort = other.Port;

        Assert.Equal(2, (await queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty)).Entries.Count);
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task A_session_ends_with_the_connection_that_waits(QueueKind kind)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var queue = await QueueUnderTest.StartAsync(kind, redis);
        await queue.PushAsync(1);
        Assert.Single((await queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty)).Entries);
        var server = queue.AppConnection.GetServer("127.0.0.1", redis.Port);
        var waiting = Assert.Single(await server.ClientListAsync(), client => client.Name == "bridge-wait");

        await server.ClientKillAsync(id: waiting.Id);
        await queue.PushAsync(1);
        // The first may meet the connection that ends; none goes on over a new one.
        await QueueUnderTest.FaultsAsync(QueueFault.Unreachable, () => queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty));
        await QueueUnderTest.FaultsAsync(QueueFault.Unreachable, () => queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty));

        Assert.True((await queue.RecoverAsync()).ContinuesHistory);
        Assert.Single((await queue.Queue.WaitAndTakeAsync(queue.Session, QueueUnderTest.Plenty)).Entries);
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task A_recovery_that_was_refused_is_followed_by_one_that_continues_the_history(QueueKind kind)
    {
        await using var redis = await RedisServer.StartAsync(new RedisOptions { Arguments = ["--lua-time-limit", "50"] });
        await using var queue = await QueueUnderTest.StartAsync(kind, redis);
        await queue.PushAsync(3);
        await queue.TakeAsync();
        await using var admin = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString + ",allowAdmin=true");
        var endless = queue.App.ExecuteAsync("EVAL", "while true do end", 0);

        Assert.Equal(QueueFault.NotReady, await FaultOfAsync(queue.RecoverAsync));
        await admin.GetServer("127.0.0.1", redis.Port).ExecuteAsync("SCRIPT", "KILL");
        await Assert.ThrowsAsync<RedisServerException>(() => endless);

        Assert.True((await queue.RecoverAsync()).ContinuesHistory);
    }

    [Theory]
    [InlineData(QueueKind.List, false)]
    [InlineData(QueueKind.List, true)]
    [InlineData(QueueKind.Stream, false)]
    [InlineData(QueueKind.Stream, true)]
    public async Task A_recovery_whose_answer_was_lost_neither_breaks_the_history_nor_mends_it(QueueKind kind, bool forgot)
    {
        await using var redis = await RedisServer.StartAsync();
        await using var queue = await QueueUnderTest.StartAsync(kind, redis, settings => settings with { CallTimeout = TimeSpan.FromSeconds(1) });
        await queue.PushAsync(5);
        await queue.TakeAsync();
        // What a failover that lost the last session would leave.
        if (forgot)
            await queue.App.HashSetAsync(queue.Keys.Confirmed, "session-prefix", "0123456789abcdef");
        var before = await queue.App.HashGetAsync(queue.Keys.Confirmed, "session-prefix");

        // In the socket of the frozen Redis when it is given up; Redis runs it late.
        redis.Freeze();
        await QueueUnderTest.FaultsAsync(QueueFault.Unreachable, queue.RecoverAsync);
        redis.Thaw();
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (await queue.App.HashGetAsync(queue.Keys.Confirmed, "session-prefix") == before)
            await tick.WaitForNextTickAsync(deadline.Token);

        Assert.Equal(!forgot, (await queue.RecoverAsync()).ContinuesHistory);
        Assert.True((await queue.RecoverAsync()).ContinuesHistory);
        Assert.Equal(5, (await queue.ReadAllAsync()).Count);
    }

    /// <summary>Calls until a call fails: the script under way may reach Redis behind the first ones.</summary>
    private static async Task<QueueFault> FaultOfAsync(Func<Task> call)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        while (true)
        {
            deadline.Token.ThrowIfCancellationRequested();
            try
            {
                await call();
            }
            catch (QueueFaultException fault)
            {
                return fault.Fault;
            }
        }
    }
}
