using System.Net;
using System.Net.Sockets;
using System.Threading.Tasks.Sources;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace Bridge.Queue;

/// <summary>
/// Reads the replies on a connection to Redis on a thread that does nothing else, and goes on with them there:
/// the reply to a wait goes through the actors to the XMPP socket on the thread that the kernel woke for it.
/// <para>
/// On the thread pool two more threads are woken on that way: the runtime's socket thread wakes a worker, which
/// lets the Redis client read, which hands what it read to another worker. At a thousand messages a second that
/// was a third of a message's latency (docs/performance.md).
/// </para>
/// </summary>
/// <remarks>
/// For one client, which may have several connections, or one after another: each has a thread, which ends with it.
/// The client closes no socket that it did not make, so whoever closes the client must dispose this too.
/// </remarks>
/// <param name="connectTimeout">The longest that connecting may take.</param>
internal sealed class ReplyThread(TimeSpan connectTimeout) : Tunnel, IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<SocketStream> _open = [];
    private bool _disposed;

    /// <summary>Of the replies that the client has read on this thread, those that somebody waits for; null on other threads.</summary>
    [ThreadStatic]
    private static Queue<IArrival>? s_arrived;

    private interface IArrival
    {
        void Complete();
    }

    /// <summary>None: the client is to make no socket.</summary>
    public override ValueTask<EndPoint?> GetSocketConnectEndpointAsync(EndPoint endpoint, CancellationToken cancellationToken) => new((EndPoint?)null);

    /// <inheritdoc />
    public override async ValueTask<Stream?> BeforeAuthenticateAsync(
        EndPoint endpoint, ConnectionType connectionType, Socket? socket, CancellationToken cancellationToken)
    {
        var stream = new SocketStream();
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _open.RemoveAll(open => open.HasEnded);
            _open.Add(stream);
        }

        await stream.ConnectAsync(endpoint, connectTimeout).ConfigureAwait(false);
        return stream;
    }

    /// <summary>Closes the connections, and with them ends their threads.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            foreach (var stream in _open)
                stream.Dispose();
            _open.Clear();
        }
    }

    /// <summary>
    /// The same result, whose continuations run on the reply thread that brought it once the client has read all
    /// that came with it; on the thread pool where it came in another way, as the end of a connection.
    /// </summary>
    /// <exception cref="TimeoutException">There was no result within the deadline.</exception>
    public static async Task<T> ContinueThereAsync<T>(Task<T> reply, TimeSpan deadline, TimeProvider time)
    {
        var arrival = new Arrival<T>(reply);
        // The client completes replies such that their continuations go to the thread pool, but for those that
        // name a scheduler.
        _ = reply.ContinueWith(
            static (_, arrival) => Ready((IArrival)arrival!), arrival, CancellationToken.None, TaskContinuationOptions.DenyChildAttach, OnThisThread.Instance);
        using var timer = time.CreateTimer(
            static arrival => ((Arrival<T>)arrival!).TrySetException(new TimeoutException()), arrival, deadline, Timeout.InfiniteTimeSpan);
        return await arrival.Task.ConfigureAwait(false);
    }

    private static void Ready(IArrival arrival)
    {
        // Not from here: within a scheduler's task what is awaited goes on on the thread pool.
        if (s_arrived is { } queue)
            queue.Enqueue(arrival);
        else
            ThreadPool.UnsafeQueueUserWorkItem(static arrival => arrival.Complete(), arrival, preferLocal: false);
    }

    /// <summary>A reply. Its continuations run at once, unlike those of <see cref="Task.WaitAsync(TimeSpan)" />.</summary>
    private sealed class Arrival<T>(Task<T> reply) : TaskCompletionSource<T>, IArrival
    {
        public void Complete() => TrySetFromTask(reply);
    }

    private sealed class OnThisThread : TaskScheduler
    {
        public static readonly OnThisThread Instance = new();

        protected override void QueueTask(Task task) => TryExecuteTask(task);

        protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => TryExecuteTask(task);

        protected override IEnumerable<Task> GetScheduledTasks() => [];
    }

    /// <summary>
    /// A socket that is read by a thread of its own, which waits in the kernel. Nothing on it is asynchronous: the
    /// runtime's socket thread would watch it from then on, and be woken together with this one.
    /// </summary>
    private sealed class SocketStream : Stream, IValueTaskSource<int>
    {
        // What an actor system needs for a chain of mailboxes, and as little as can be afforded for each connection.
        private const int StackBytes = 512 * 1024;

        private readonly TaskCompletionSource _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly SemaphoreSlim _asked = new(0);
        private readonly Lock _gate = new();
        private Socket? _socket;
        private ManualResetValueTaskSourceCore<int> _read;
        private Memory<byte> _buffer;
        private volatile bool _closed;

        /// <summary>Whether the connection is gone, and its thread with it.</summary>
        public bool HasEnded { get; private set; }

        public override bool CanRead => true;

        public override bool CanWrite => true;

        public override bool CanSeek => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public Task ConnectAsync(EndPoint endpoint, TimeSpan timeout)
        {
            new Thread(() => Run(endpoint, timeout), StackBytes) { IsBackground = true, Name = "redis-replies" }.Start();
            return _connected.Task;
        }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            _read.Reset();
            _buffer = buffer;
            _asked.Release();
            return new ValueTask<int>(this, _read.Version);
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Write(buffer.Span);
            return default;
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            while (!buffer.IsEmpty)
                buffer = buffer[_socket!.Send(buffer)..];
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        int IValueTaskSource<int>.GetResult(short token) => _read.GetResult(token);

        ValueTaskSourceStatus IValueTaskSource<int>.GetStatus(short token) => _read.GetStatus(token);

        void IValueTaskSource<int>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
            _read.OnCompleted(continuation, state, token, flags);

        protected override void Dispose(bool disposing)
        {
            if (disposing && !_closed)
            {
                lock (_gate)
                {
                    _closed = true;
                    // Ends a connect or a receive that waits in the kernel.
                    _socket?.Dispose();
                }

                _asked.Release();
            }

            base.Dispose(disposing);
        }

        private void Run(EndPoint endpoint, TimeSpan timeout)
        {
            using var socket = endpoint is UnixDomainSocketEndPoint
                ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
                : new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                lock (_gate)
                {
                    ObjectDisposedException.ThrowIf(_closed, this);
                    _socket = socket;
                }

                using (new Timer(static socket => ((Socket)socket!).Dispose(), socket, timeout, Timeout.InfiniteTimeSpan))
                    socket.Connect(endpoint);
            }
            catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
            {
                HasEnded = true;
                _connected.SetException(failure);
                return;
            }

            _connected.SetResult();
            ReadAll(socket);
            HasEnded = true;
        }

        private void ReadAll(Socket socket)
        {
            var arrived = s_arrived = new Queue<IArrival>();
            bool ended;
            do
            {
                _asked.Wait();
                if (_closed)
                    return;
                ended = !TryReceive(socket, out var failure, out var read);
                // The client reads what came, and asks for more, before these return.
                if (failure is null)
                    _read.SetResult(read);
                else
                    _read.SetException(failure);
                while (arrived.TryDequeue(out var arrival))
                    arrival.Complete();
            }
            while (!ended);
        }

        private bool TryReceive(Socket socket, out Exception? failure, out int read)
        {
            failure = null;
            read = 0;
            try
            {
                read = socket.Receive(_buffer.Span);
            }
            catch (Exception broken) when (broken is SocketException or ObjectDisposedException)
            {
                failure = broken;
            }

            return read > 0;
        }
    }
}
