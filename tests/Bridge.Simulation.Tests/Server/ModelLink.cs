using System.Buffers;
using Bridge.Connection;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Simulation.Tests.Machine;
using Bridge.Simulation.Tests.Schedules;
using Bridge.Stanzas;

namespace Bridge.Simulation.Tests.Server;

/// <summary>Dials the model server.</summary>
internal sealed class ModelDialer(
    World world, ModelServer server, OwnershipWatch watch, NodeLife life, MistakenDeadline? mistaken, BridgeSettings settings) : IComponentDialer
{
    private const double Network = 3;

    public Task<IComponentLink> DialAsync(
        XmppEndpoint endpoint, XmppSettings xmpp, LeaseDeadline deadline, CancellationToken cancellation)
    {
        var dial = new TaskCompletionSource<IComponentLink>();
        if (life.Node.CutOffUntil > 0)
        {
            world.At(life.Node.Clock.MomentAfter(settings.Xmpp.ConnectTimeout), () => life.Do(() =>
                dial.TrySetException(new ConnectFaultException(ConnectFault.TimedOut, endpoint, null))));
            return dial.Task;
        }

        world.At(world.Soon(Network), () => life.Do(() =>
        {
            // Given up: the socket is closed, and nobody waits for it.
            if (cancellation.IsCancellationRequested)
                return;
            if (server.Refuses)
            {
                dial.TrySetException(new ConnectFaultException(ConnectFault.Refused, endpoint, null));
                return;
            }

            var link = new ModelLink(world, server, watch, life, mistaken is null ? deadline.MayWriteNow : mistaken.MayWriteNow, settings);
            server.Accept(link);
            dial.TrySetResult(link);
        }));
        return dial.Task;
    }
}

/// <summary>
/// A connection of a component, both ends of it: what is written goes through the process' pump, which
/// checks the lease, onto the wire, and is worked off in order, piece by piece; so is what comes back.
/// </summary>
internal sealed class ModelLink : IComponentLink
{
    private const double Network = 4;

    private readonly World _world;
    private readonly ModelServer _server;
    private readonly NodeLife _life;
    private readonly OwnershipWatch _watch;
    private readonly Func<bool> _mayWrite;
    private readonly BridgeSettings _settings;
    private readonly ArrayBufferWriter<byte> _output = new(1024);
    private readonly Queue<StreamElement> _wire = new();
    private readonly Queue<object> _answers = new();
    private readonly TaskCompletionSource _closed = new();
    private IInboundSink? _sink;
    private bool _pumpPlanned;
    private bool _serverPlanned;
    private bool _deliveryPlanned;
    private bool _clientIsGone;
    private bool _serverIsGone;
    private ulong _brought;
    private ulong _unconfirmed;
    private ulong _writtenUnconfirmed;

    public ModelLink(World world, ModelServer server, OwnershipWatch watch, NodeLife life, Func<bool> mayWrite, BridgeSettings settings)
    {
        (_world, _server, _watch, _life, _mayWrite, _settings) = (world, server, watch, life, mayWrite, settings);
        OpenedAt = world.Now;
        Number = server.NextStream();
        life.AtEnd(Hangup);
    }

    public long Number { get; }

    public int Node => _life.Node.Index;

    /// <summary>The life of the process at its other end.</summary>
    public long Life => _life.Number;

    public long OpenedAt { get; }

    public IBufferWriter<byte> Output => _output;

    public bool SingleAddress => true;

    public long BytesWritten { get; private set; }

    public long BytesRead { get; private set; }

    public int KernelSendQueue() => 0;

    public void Start(StanzaReader reader, BarrierIdentity barriers, IInboundSink sink)
    {
        _sink = sink;
        PlanDelivery();
    }

    // ---- The process' end.

    public void Flush()
    {
        if (_pumpPlanned || _clientIsGone || _output.WrittenCount == 0)
            return;
        _pumpPlanned = true;
        // The pump is a thread of its own: it may be there at once, before an actor that has something to say about it.
        _world.At(_world.Chance(0.5) ? _world.Now : _world.Soon(0.2), () => _life.Do(Pump));
    }

    public void Consumed(InboundBatch batch)
    {
    }

    public void ResetNow()
    {
        if (!_life.IsDead)
            Hangup();
    }

    public Task CloseAsync(TimeSpan timeout)
    {
        _world.At(_life.Node.Clock.MomentAfter(timeout), () => _life.Do(() => _closed.TrySetResult()));
        return _closed.Task;
    }

    // ---- The server's end.

    /// <summary>Notes that this stream brought a message. False when it had already.</summary>
    public bool Brings(int message)
    {
        var bit = 1UL << message;
        var isNew = (_brought & bit) == 0;
        _brought |= bit;
        _unconfirmed |= bit;
        return isNew;
    }

    /// <summary>A barrier is returned: all that this stream brought is confirmed.</summary>
    public void ConfirmAll(Ledger ledger)
    {
        for (; _unconfirmed != 0; _unconfirmed &= _unconfirmed - 1)
            ledger.Confirmed(System.Numerics.BitOperations.TrailingZeroCount(_unconfirmed));
    }

    public void Say(InboundEvent answer) => Answer(answer);

    /// <summary>The server ends the stream: with an error, or without a word.</summary>
    public void End(StreamError? error)
    {
        if (_serverIsGone)
            return;
        _world.Note($"server: ends stream {Number}: {error?.Condition.ToString() ?? "without a word"}");
        Gone();
        if (error is not null)
            Answer(new StreamFailed(error));
        Answer(SocketEnd.RemoteClosed);
    }

    /// <summary>The server answers the stream's orderly end.</summary>
    public void CloseOrderly()
    {
        _world.Note($"server: stream {Number} is closed");
        Gone();
        Answer(SocketEnd.Closed);
    }

    /// <summary>The connection dies: what is on its way in either direction is lost.</summary>
    public void Reset()
    {
        if (_serverIsGone)
            return;
        Gone();
        _answers.Clear();
        Answer(SocketEnd.RemoteReset);
    }

    private void Gone()
    {
        _serverIsGone = true;
        _wire.Clear();
        _server.Forget(this);
    }

    private void Hangup()
    {
        if (_clientIsGone)
            return;
        _clientIsGone = true;
        _closed.TrySetResult();
        // What is on the wire may be worked off before the server hears of the reset, or be dropped with it.
        _world.At(Math.Max(_world.Soon(Network * 2), _life.Node.CutOffUntil), () =>
        {
            if (!_serverIsGone)
            {
                _world.Note($"server: stream {Number} was reset by node {Node}");
                Gone();
            }
        });
    }

    private void Pump()
    {
        if (_clientIsGone)
            return;
        if (!_mayWrite())
        {
            Hangup();
            _sink!.Ended(SocketEnd.LeaseExpired, null);
            return;
        }

        _watch.Checks(_life);
        _life.Node.ReachWrite(World.Ticks(Plan.HealedAt));
        if (!_life.Node.IsFrozen && !_world.Chance(0.05))
        {
            Write(_output.WrittenSpan, _world.Now);
            _output.ResetWrittenCount();
            _pumpPlanned = false;
            return;
        }

        // What actors write meanwhile is behind the next check.
        var (slice, checkedAt) = (_output.WrittenSpan.ToArray(), _world.Now);
        _output.ResetWrittenCount();
        _world.At(_world.Soon(0.2), () => _life.Do(() =>
        {
            if (_clientIsGone)
                return;
            Write(slice, checkedAt);
            _pumpPlanned = false;
            Flush();
        }));
    }

    private void Write(ReadOnlySpan<byte> slice, long checkedAt)
    {
        _watch.Writes(_life, checkedAt);
        BytesWritten += slice.Length;
        var before = _wire.Count;
        StreamElement.ReadAll(slice, _wire);
        foreach (var element in _wire.Skip(before))
        {
            if (element.Kind == StreamElementKind.Message)
                _writtenUnconfirmed |= 1UL << (int)element.Number;
            else if (element.Kind == StreamElementKind.Barrier && _server.Sabotage == Sabotage.BarriersReturnEarly)
                Answer(new BarrierReturned(element.Number, 0));
        }

        if (System.Numerics.BitOperations.PopCount(_writtenUnconfirmed) > _settings.Window.UnconfirmedEntries)
            _world.Break($"{System.Numerics.BitOperations.PopCount(_writtenUnconfirmed)} entries were written and not confirmed, {_settings.Window.UnconfirmedEntries} may be");
        if (_serverIsGone)
            _wire.Clear();
        else
            PlanServer();
    }

    private void PlanServer()
    {
        if (_serverPlanned || _wire.Count == 0)
            return;
        _serverPlanned = true;
        _world.At(_world.Soon(Network), Work);
    }

    private void Work()
    {
        _serverPlanned = false;
        if (_serverIsGone)
            return;
        if (_server.FrozenUntil is > 0 and var thaw)
        {
            _serverPlanned = true;
            _world.At(thaw, Work);
            return;
        }

        if (_life.Node.CutOffUntil is > 0 and var passes)
        {
            _serverPlanned = true;
            _world.At(passes, Work);
            return;
        }

        for (var some = _world.Random.Next(1, 9); some > 0 && !_serverIsGone && _wire.TryDequeue(out var element); some--)
            _server.Process(this, element);
        PlanServer();
    }

    private void Answer(object answer)
    {
        if (_clientIsGone)
            return;
        _answers.Enqueue(answer);
        PlanDelivery();
    }

    private void PlanDelivery()
    {
        if (_deliveryPlanned || _sink is null || _answers.Count == 0)
            return;
        _deliveryPlanned = true;
        _world.At(_world.Soon(Network), () => _life.Do(Deliver));
    }

    private void Deliver()
    {
        _deliveryPlanned = false;
        if (_clientIsGone)
            return;
        if (_life.Node.CutOffUntil is > 0 and var passes)
        {
            _deliveryPlanned = true;
            _world.At(passes, () => _life.Do(Deliver));
            return;
        }

        var some = new List<InboundEvent>();
        for (var left = _world.Random.Next(1, 5); left > 0 && _answers.TryPeek(out var answer) && answer is InboundEvent @event; left--)
        {
            _answers.Dequeue();
            some.Add(@event);
            // What was written before the oldest barrier that is still out is no longer unconfirmed.
            if (@event is BarrierReturned)
                _writtenUnconfirmed &= ~_brought | _unconfirmed;
        }

        if (some.Count > 0)
            _sink!.Post(new InboundBatch([.. some], some.Count));
        else if (_answers.TryDequeue(out var end))
        {
            _closed.TrySetResult();
            _sink!.Ended((SocketEnd)end, null);
            return;
        }

        PlanDelivery();
    }
}
