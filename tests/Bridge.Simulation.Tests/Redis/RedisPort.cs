using Bridge.Queue;
using Bridge.Simulation.Tests.Machine;

namespace Bridge.Simulation.Tests.Redis;

/// <summary>
/// One connection: requests reach Redis in order, each reply takes its own time. Client and server learn
/// apart from each other that it is gone.
/// </summary>
internal sealed class RedisConnection(long number)
{
    private readonly List<Action<QueueFault>> _underWay = [];

    public long Number { get; } = number;

    public Queue<Action> Requests { get; } = new();

    /// <summary>The client has given it up: no reply reaches it any more.</summary>
    public bool IsGivenUp { get; private set; }

    /// <summary>The server has no such connection: requests that were on their way reach nobody.</summary>
    public bool IsCut { get; set; }

    public void Expect(Action<QueueFault> fail) => _underWay.Add(fail);

    public void Done(Action<QueueFault> fail) => _underWay.Remove(fail);

    /// <summary>Every call that is under way fails; what Redis does with them is another matter.</summary>
    public void GiveUp()
    {
        if (IsGivenUp)
            return;
        IsGivenUp = true;
        foreach (var fail in _underWay.ToArray())
            fail(QueueFault.Unreachable);
        _underWay.Clear();
    }
}

/// <summary>
/// A process' way to Redis: a connection for calls and, for each generation's waits, one of its own. Every
/// call has the deadline of the real one, past which the connection under it is thrown away, while Redis
/// may still run what was sent.
/// </summary>
internal sealed class RedisPort
{
    private const double Network = 3;

    private readonly World _world;
    private readonly ModelRedis _redis;
    private readonly NodeLife _life;
    private readonly List<RedisConnection> _connections = [];
    private long _stalledUntil;
    private long _silentUntil;
    private long _cutOffUntil;
    private long _lastNumber;

    public RedisPort(World world, ModelRedis redis, NodeLife life)
    {
        (_world, _redis, _life) = (world, redis, life);
        redis.Died += OnRedisDied;
        life.AtEnd(() =>
        {
            redis.Died -= OnRedisDied;
            // Its sockets close; what had been sent may yet be run.
            foreach (var connection in _connections.ToArray())
                Part(connection);
        });
    }

    /// <summary>A connection that can be used, or null while there is no reaching Redis.</summary>
    public RedisConnection? Connect(RedisConnection? current)
    {
        if (current is { IsGivenUp: false })
            return current;
        if (_redis.IsDown || _world.Now < _cutOffUntil)
            return null;
        var connection = new RedisConnection(++_lastNumber);
        _connections.Add(connection);
        return connection;
    }

    /// <summary>The client closes a connection that it needs no more.</summary>
    public void Close(RedisConnection connection) => GiveUp(connection);

    /// <summary>Nothing passes for a while.</summary>
    public void Stall(long until) => _stalledUntil = Math.Max(_stalledUntil, until);

    /// <summary>What is sent arrives and is run, and no reply comes back for a while.</summary>
    public void Silence(long until) => _silentUntil = Math.Max(_silentUntil, until);

    /// <summary>Nothing passes for a while, and no connection can be made.</summary>
    public void CutOff(long until)
    {
        Stall(until);
        _cutOffUntil = Math.Max(_cutOffUntil, until);
    }

    /// <summary>All connections break.</summary>
    public void Break()
    {
        foreach (var connection in _connections.ToArray())
        {
            Part(connection);
            GiveUp(connection);
        }
    }

    /// <summary>Calls Redis; fails with <see cref="QueueFault.Unreachable" /> past the deadline.</summary>
    public async Task<T> CallAsync<T>(RedisConnection? connection, double deadline, Func<Outcome<T>> script, (double Milliseconds, EntryPosition Seen)? waits = null)
    {
        var result = new TaskCompletionSource<T>();
        if (connection is null || connection.IsGivenUp)
            _world.At(_world.Soon(Network), () => _life.Do(() => Fail(QueueFault.Unreachable)));
        else
            Send(connection);
        return await result.Task.ConfigureAwait(false);

        void Fail(QueueFault fault) => result.TrySetException(new QueueFaultException(fault, fault.ToString()));

        void Send(RedisConnection over)
        {
            Action<QueueFault> fail = Fail;
            over.Expect(fail);
            over.Requests.Enqueue(() =>
            {
                if (waits is { } wait && _redis.Refusal is null)
                    _redis.Wait(over, wait.Seen, wait.Milliseconds, Run);
                else
                    Run();
            });
            _world.At(_world.Soon(Network), () => Arrive(over));
            _world.At(_life.Node.Clock.MomentAfter(TimeSpan.FromMilliseconds(deadline)), () => _life.Do(() =>
            {
                if (!result.Task.IsCompleted)
                    GiveUp(over);
            }));

            void Run()
            {
                // A full Redis lets the scripts pass.
                var outcome = _redis.Refusal is { } refusal and not QueueFault.OutOfMemory ? refusal : script();
                // It refuses a wait, and then the caller pauses before it looks again.
                var pause = waits is not null && _redis.IsFull ? 50 : 0;
                _world.At(_world.Soon(Network) + World.Ticks(pause), () => Reply(over, fail, outcome));
            }
        }

        void Reply(RedisConnection over, Action<QueueFault> fail, Outcome<T> outcome)
        {
            if (over.IsCut || over.IsGivenUp)
                return;
            if (Math.Max(_stalledUntil, _silentUntil) is var passes && _world.Now < passes)
            {
                _world.At(passes, () => Reply(over, fail, outcome));
                return;
            }

            _life.Do(() =>
            {
                if (over.IsGivenUp)
                    return;
                over.Done(fail);
                if (outcome.Fault is { } fault)
                    Fail(fault);
                else
                    result.TrySetResult(outcome.Value!);
            });
        }
    }

    private void Arrive(RedisConnection connection)
    {
        if (connection.IsCut || connection.Requests.Count == 0)
            return;
        if (_world.Now < _stalledUntil)
            _world.At(_stalledUntil, () => Arrive(connection));
        else if (_redis.FrozenUntil is > 0 and var thaw)
            _world.At(thaw, () => Arrive(connection));
        else
            connection.Requests.Dequeue()();
    }

    private void GiveUp(RedisConnection connection)
    {
        if (connection.IsGivenUp)
            return;
        _life.Do(connection.GiveUp);
        // Redis hears of it in its own time; until then it runs what it has.
        _world.At(_world.Soon(_world.Chance(0.5) ? Network : 700), () => Cut(connection));
    }

    /// <summary>The client's end is gone: some of what was sent is lost, some is in Redis' socket and run late.</summary>
    private void Part(RedisConnection connection)
    {
        if (_world.Chance(0.5))
            Cut(connection);
        else
            _world.At(_world.Soon(700), () => Cut(connection));
    }

    private void Cut(RedisConnection connection)
    {
        if (connection.IsCut)
            return;
        // A frozen Redis has in its socket what came before, and runs it before it sees the end.
        if (_world.Now < _stalledUntil)
            _world.At(_stalledUntil + 1, () => Cut(connection));
        else if (_redis.FrozenUntil is > 0 and var thaw)
            _world.At(thaw + 1, () => Cut(connection));
        else
        {
            connection.IsCut = true;
            _connections.Remove(connection);
            _redis.Forget(connection);
            _life.Do(connection.GiveUp);
        }
    }

    private void OnRedisDied()
    {
        foreach (var connection in _connections.ToArray())
        {
            connection.IsCut = true;
            connection.Requests.Clear();
            _connections.Remove(connection);
            _life.Do(connection.GiveUp);
        }
    }
}
