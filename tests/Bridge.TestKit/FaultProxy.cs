using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;

namespace Bridge.TestKit;

/// <summary>How a connection through <see cref="FaultProxy"/> is ended.</summary>
public enum ProxyEnding
{
    /// <summary>Both sides read an end of file behind what was forwarded.</summary>
    Close,

    /// <summary>Both sides get a TCP reset; what the kernel still held is gone.</summary>
    Reset,
}

/// <summary>
/// A TCP proxy on loopback whose faults are switched at run time, or at an exact byte. Without faults it
/// forwards everything and adds nothing.
/// </summary>
/// <remarks>Thread-safe.</remarks>
public sealed class FaultProxy : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly HashSet<Link> _links = [];
    private volatile IPEndPoint _target;
    private readonly TimeProvider _time;
    private Socket? _listener;
    private Task _accepting = Task.CompletedTask;
    private int _connections;

    /// <summary>Listens at once.</summary>
    /// <param name="targetPort">The loopback port to which it forwards.</param>
    /// <param name="time">The clock of latency and bandwidth; the system's when null.</param>
    public FaultProxy(int targetPort, TimeProvider? time = null)
    {
        _target = new IPEndPoint(IPAddress.Loopback, targetPort);
        _time = time ?? TimeProvider.System;
        Port = FreePorts.Next();
        Up();
    }

    /// <summary>The loopback port on which it listens, up or down.</summary>
    public int Port { get; }

    /// <summary>
    /// The loopback port that connections made from now on are forwarded to, as when a name begins to
    /// mean another machine; those that are open stay where they are.
    /// </summary>
    public int TargetPort
    {
        get => _target.Port;
        set => _target = new IPEndPoint(IPAddress.Loopback, value);
    }

    /// <summary>From who connected to the target.</summary>
    public ProxyDirection Upstream { get; } = new();

    /// <summary>From the target back.</summary>
    public ProxyDirection Downstream { get; } = new();

    /// <summary>How many connections were accepted so far.</summary>
    public int Connections => Volatile.Read(ref _connections);

    /// <summary>How many are open now.</summary>
    public int OpenConnections
    {
        get
        {
            lock (_gate)
                return _links.Count;
        }
    }

    /// <summary>How long an end of file is kept back before the other side gets it.</summary>
    public TimeSpan SlowClose { get; set; }

    /// <summary>Accepts connections again.</summary>
    public void Up()
    {
        lock (_gate)
        {
            if (_listener is not null)
                return;
            _listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            _listener.Bind(new IPEndPoint(IPAddress.Loopback, Port));
            _listener.Listen(128);
            _accepting = AcceptAsync(_listener);
        }
    }

    /// <summary>Refuses new connections; those that are open stay.</summary>
    public void Down()
    {
        lock (_gate)
        {
            _listener?.Dispose();
            _listener = null;
        }
    }

    /// <summary>Ends all open connections.</summary>
    public void End(ProxyEnding ending)
    {
        Link[] links;
        lock (_gate)
            links = [.. _links];
        foreach (var link in links)
            link.End(ending);
    }

    /// <summary>TCP reset on all open connections, to both sides.</summary>
    public void ResetPeer() => End(ProxyEnding.Reset);

    /// <summary>
    /// A black hole: both directions are read and swallowed, nothing is forwarded and nothing is closed.
    /// </summary>
    public void BlackHole()
    {
        Upstream.Swallows = true;
        Downstream.Swallows = true;
    }

    /// <summary>Ends a black hole. Connections that lost bytes in it are reset: they could never be understood again.</summary>
    public void Heal()
    {
        Upstream.Swallows = false;
        Downstream.Swallows = false;
        ResetPeer();
    }

    /// <summary>Refuses connections and resets the open ones.</summary>
    public async ValueTask DisposeAsync()
    {
        Down();
        await _accepting;
        Link[] links;
        lock (_gate)
            links = [.. _links];
        foreach (var link in links)
            link.End(ProxyEnding.Reset);
        await Task.WhenAll(links.Select(link => link.Ended));
    }

    private async Task AcceptAsync(Socket listener)
    {
        while (true)
        {
            Socket client;
            try
            {
                client = await listener.AcceptAsync();
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return;
            }

            Interlocked.Increment(ref _connections);
            client.NoDelay = true;
            var link = new Link(this, client);
            lock (_gate)
                _links.Add(link);
            link.Start();
        }
    }

    private sealed class Link(FaultProxy proxy, Socket client) : IDisposable
    {
        private const int ChunkSize = 64 * 1024;

        private readonly Socket _server =
            new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

        private readonly CancellationTokenSource _ended = new();

        public Task Ended { get; private set; } = Task.CompletedTask;

        public void Start() => Ended = RunAsync();

        public void End(ProxyEnding ending)
        {
            lock (_ended)
            {
                if (_ended.IsCancellationRequested)
                    return;
                foreach (var socket in new[] { client, _server })
                {
                    if (ending == ProxyEnding.Reset)
                        socket.LingerState = new LingerOption(true, 0);
                    else if (socket.Connected)
                        socket.Shutdown(SocketShutdown.Both);
                    socket.Dispose();
                }

                _ended.Cancel();
            }
        }

        public void Dispose()
        {
            client.Dispose();
            _server.Dispose();
            _ended.Dispose();
        }

        private async Task RunAsync()
        {
            try
            {
                await _server.ConnectAsync(proxy._target, _ended.Token);
                await Task.WhenAll(
                    ForwardAsync(client, _server, proxy.Upstream), ForwardAsync(_server, client, proxy.Downstream));
                End(ProxyEnding.Close);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
            {
                // One side broke the connection, or End did: so it is for the other side.
                End(ProxyEnding.Reset);
            }
            finally
            {
                lock (proxy._gate)
                    proxy._links.Remove(this);
                Dispose();
            }
        }

        private async Task ForwardAsync(Socket from, Socket to, ProxyDirection direction)
        {
            // Bounded, so that a peer that reads nothing is felt on the other side.
            var chunks = Channel.CreateBounded<(byte[] Bytes, long Due)>(16);
            await Task.WhenAll(
                EndingBothAsync(ReadAsync(from, chunks.Writer, direction)),
                EndingBothAsync(WriteAsync(chunks.Reader, to, direction)));
        }

        // Whichever fails first ends the sockets, so that nobody waits on the other one.
        private async Task EndingBothAsync(Task half)
        {
            try
            {
                await half;
            }
            catch
            {
                End(ProxyEnding.Reset);
                throw;
            }
        }

        private async Task ReadAsync(Socket from, ChannelWriter<(byte[] Bytes, long Due)> chunks, ProxyDirection direction)
        {
            var buffer = new byte[ChunkSize];
            var due = 0L;
            while (true)
            {
                await direction.FlowsAsync(_ended.Token);
                var count = await from.ReceiveAsync(buffer, SocketFlags.None, _ended.Token);
                if (count == 0)
                    break;
                // Jitter changes the delay, never the order.
                due = Math.Max(due, proxy._time.GetTimestamp() + Ticks(direction.NextDelay()));
                await chunks.WriteAsync((buffer[..count], due), _ended.Token);
            }

            if (proxy.SlowClose > TimeSpan.Zero)
                await PauseAsync(proxy.SlowClose);
            // A black hole swallows the end as well: the other side waits until the link is ended.
            if (!direction.Swallows)
                chunks.Complete();
        }

        private async Task WriteAsync(ChannelReader<(byte[] Bytes, long Due)> chunks, Socket to, ProxyDirection direction)
        {
            var sent = 0L;
            var matched = new Dictionary<ByteMarker, int>();
            await foreach (var (bytes, due) in chunks.ReadAllAsync(_ended.Token))
            {
                var early = proxy._time.GetElapsedTime(proxy._time.GetTimestamp(), due);
                if (early > TimeSpan.Zero)
                    await PauseAsync(early);
                for (var rest = bytes.AsMemory(); !rest.IsEmpty;)
                {
                    await direction.FlowsAsync(_ended.Token);
                    // A trigger may have ended the link in the middle of these bytes.
                    _ended.Token.ThrowIfCancellationRequested();
                    var (size, limit, triggers) = direction.Claim(rest.Span, sent, matched);
                    if (!direction.Swallows && size > 0)
                        await SendAsync(to, rest[..size]);
                    sent += size;
                    rest = rest[size..];
                    foreach (var trigger in triggers)
                        trigger();
                    if (limit is { } ending)
                    {
                        End(ending);
                        return;
                    }

                    if (direction.BytesPerSecond is { } rate)
                        await PauseAsync(TimeSpan.FromSeconds((double)size / rate));
                }
            }

            to.Shutdown(SocketShutdown.Send);
        }

        private async Task SendAsync(Socket to, ReadOnlyMemory<byte> bytes)
        {
            while (!bytes.IsEmpty)
                bytes = bytes[await to.SendAsync(bytes, SocketFlags.None, _ended.Token)..];
        }

        private ValueTask PauseAsync(TimeSpan length) => proxy._time.PassAsync(length, _ended.Token);

        private long Ticks(TimeSpan span) => (long)(span.TotalSeconds * proxy._time.TimestampFrequency);
    }
}

/// <summary>One direction of a <see cref="FaultProxy"/>, for all its connections.</summary>
/// <remarks>Thread-safe; changes hold from the next piece of data on.</remarks>
public sealed class ProxyDirection
{
    private readonly Lock _gate = new();
    private readonly PriorityQueue<Action, long> _triggers = new();
    private readonly List<ByteMarker> _markers = [];
    private TaskCompletionSource? _stalled;
    private TimeSpan _latency;
    private TimeSpan _jitter;
    private int? _bytesPerSecond;
    private int? _slice;
    private (long Bytes, ProxyEnding Ending)? _limit;
    private volatile bool _swallows;
    private long _bytes;

    /// <summary>Bytes forwarded or swallowed so far, over all connections.</summary>
    public long Bytes => Interlocked.Read(ref _bytes);

    /// <summary>Whether data is read and thrown away.</summary>
    public bool Swallows
    {
        get => _swallows;
        set => _swallows = value;
    }

    /// <summary>Whether nothing is read (and nothing forwarded) until it is false again: the sender's window fills.</summary>
    public bool Stalls
    {
        get
        {
            lock (_gate)
                return _stalled is not null;
        }

        set
        {
            lock (_gate)
            {
                if (value)
                {
                    _stalled ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                }
                else
                {
                    _stalled?.SetResult();
                    _stalled = null;
                }
            }
        }
    }

    /// <summary>The most bytes per second and connection; null: no limit.</summary>
    public int? BytesPerSecond
    {
        get
        {
            lock (_gate)
                return _bytesPerSecond;
        }

        set
        {
            lock (_gate)
                _bytesPerSecond = value;
        }
    }

    /// <summary>Forwards in pieces of at most so many bytes, one write each; null: as they came.</summary>
    public int? Slicer
    {
        get
        {
            lock (_gate)
                return _slice;
        }

        set
        {
            lock (_gate)
                _slice = value;
        }
    }

    /// <summary>Delays everything, in order, by the latency and up to as much again as the jitter.</summary>
    public void Latency(TimeSpan latency, TimeSpan jitter = default)
    {
        lock (_gate)
            (_latency, _jitter) = (latency, jitter);
    }

    /// <summary>Ends each connection behind its first bytes, so many of them; null: never.</summary>
    public void LimitData(long? bytes, ProxyEnding ending = ProxyEnding.Close)
    {
        lock (_gate)
            _limit = bytes is { } count ? (count, ending) : null;
    }

    /// <summary>
    /// Runs the action once, when exactly this many bytes of <see cref="Bytes"/> were forwarded and the next was
    /// not. At once with the next data, when they already were.
    /// </summary>
    public void At(long bytes, Action action)
    {
        lock (_gate)
            _triggers.Enqueue(action, bytes);
    }

    /// <summary>
    /// Runs the action once, right behind the n-th occurrence of these bytes from now on, over all connections: the
    /// n-th end tag of a message, the n-th call of a command.
    /// </summary>
    public void AtOccurrence(ReadOnlySpan<byte> text, int nth, Action action)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(nth, 1);
        ArgumentOutOfRangeException.ThrowIfZero(text.Length);
        lock (_gate)
            _markers.Add(new ByteMarker(text.ToArray(), nth, action));
    }

    /// <summary>Forgets the actions of <see cref="At"/> and <see cref="AtOccurrence"/> whose moment has not come.</summary>
    public void Disarm()
    {
        lock (_gate)
        {
            _triggers.Clear();
            _markers.Clear();
        }
    }

    internal TimeSpan NextDelay()
    {
        lock (_gate)
            return _latency + (_jitter * Random.Shared.NextDouble());
    }

    internal async ValueTask FlowsAsync(CancellationToken cancel)
    {
        while (true)
        {
            TaskCompletionSource? stalled;
            lock (_gate)
                stalled = _stalled;
            if (stalled is null)
                return;
            await stalled.Task.WaitAsync(cancel);
        }
    }

    /// <summary>How much of what is available goes out in one write, and what is to happen right behind it.</summary>
    /// <param name="available">What the connection has to send.</param>
    /// <param name="sentOnConnection">How much it has sent.</param>
    /// <param name="matched">How much of each marker its last bytes were; kept by the connection.</param>
    internal (int Size, ProxyEnding? Ending, IReadOnlyList<Action> Triggers) Claim(
        ReadOnlySpan<byte> available, long sentOnConnection, Dictionary<ByteMarker, int> matched)
    {
        lock (_gate)
        {
            long size = available.Length;
            if (_slice is { } slice)
                size = Math.Min(size, slice);
            // 20 ms of the bandwidth at a time.
            if (_bytesPerSecond is { } rate)
                size = Math.Min(size, Math.Max(1, rate / 50));
            if (_limit is { } limit)
                size = Math.Min(size, Math.Max(0, limit.Bytes - sentOnConnection));
            if (_triggers.TryPeek(out _, out var offset))
                size = Math.Min(size, Math.Max(0, offset - _bytes));
            List<Action>? due = null;
            size = UpToMarker(available[..(int)size], matched, ref due);
            _bytes += size;

            while (_triggers.TryPeek(out var action, out offset) && offset <= _bytes)
            {
                _triggers.Dequeue();
                (due ??= []).Add(action);
            }

            ProxyEnding? ending = _limit is { } reached && sentOnConnection + size >= reached.Bytes ? reached.Ending : null;
            return ((int)size, ending, due ?? (IReadOnlyList<Action>)[]);
        }
    }

    private int UpToMarker(ReadOnlySpan<byte> bytes, Dictionary<ByteMarker, int> matched, ref List<Action>? due)
    {
        if (_markers.Count == 0)
            return bytes.Length;
        for (var i = 0; i < bytes.Length; i++)
        {
            foreach (var marker in _markers)
            {
                matched[marker] = marker.Next(matched.GetValueOrDefault(marker), bytes[i], out var complete);
                if (complete && --marker.Left == 0)
                    (due ??= []).Add(marker.Action);
            }

            if (due is null)
                continue;
            _markers.RemoveAll(marker => marker.Left == 0);
            return i + 1;
        }

        return bytes.Length;
    }
}

/// <summary>Bytes whose n-th occurrence triggers something, found also where they are split over several reads.</summary>
internal sealed class ByteMarker(byte[] text, int nth, Action action)
{
    /// <summary>Occurrences until it triggers.</summary>
    public int Left { get; set; } = nth;

    /// <summary>What then happens.</summary>
    public Action Action { get; } = action;

    /// <summary>How many bytes of the marker the last ones are, once this one has come behind so many.</summary>
    public int Next(int matched, byte next, out bool complete)
    {
        // The longest beginning of the marker that still fits. Markers are a few bytes.
        while (matched > 0 && text[matched] != next)
            matched = Border(matched);
        if (text[matched] == next)
            matched++;
        complete = matched == text.Length;
        return complete ? 0 : matched;
    }

    private int Border(int length)
    {
        var known = text.AsSpan(0, length);
        for (var border = length - 1; border > 0; border--)
        {
            if (known[..border].SequenceEqual(known[^border..]))
                return border;
        }

        return 0;
    }
}
