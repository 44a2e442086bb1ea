#pragma warning disable SER009 // Experimental in the client: its version is pinned, and ReplyThreadTests would notice.
using System.Buffers;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Bridge.Scheduling;
using RESPite.Transports;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace Bridge.Queue;

/// <summary>
/// Reads the replies on a connection to Redis on a thread that does nothing else, and goes on with them there:
/// the reply to a wait goes through the actors to the XMPP socket on the thread that the kernel woke for it, and
/// what is asked next is written on the thread that asks.
/// <para>
/// On the thread pool two more threads are woken on that way, the runtime's socket thread and a worker for what
/// it read, and another one for what is written. At a thousand messages a second that was a third of a message's
/// latency, and half of Bridge's processor time (docs/performance.md).
/// </para>
/// </summary>
/// <remarks>
/// For one client, which may have several connections, or one after another: each has a thread, which ends with it.
/// The client closes no socket that it did not make, so whoever closes the client must dispose this too.
/// A tunnel that brings its own transport is an experimental part of the client (SER009), whose version is pinned.
/// </remarks>
/// <param name="connectTimeout">The longest that connecting may take.</param>
/// <param name="longestString">Longer strings in replies become empty ones, see <see cref="ReplySieve" />; null: none does.</param>
internal sealed class ReplyThread(TimeSpan connectTimeout, int? longestString = null) : OneLife, IDisposable
{
    private readonly Lock _gate = new();
    private readonly List<SocketTransport> _open = [];
    private bool _disposed;
    private volatile Exception? _failure;

    /// <summary>Of the replies that the client has read on this thread, those that somebody waits for; null on other threads.</summary>
    [ThreadStatic]
    private static Queue<IArrival>? s_arrived;

    private interface IArrival
    {
        void Complete();
    }

    /// <summary>What the client failed with while it took in what was read, which ended that connection; null: it did not.</summary>
    public Exception? Failure => _failure;

    /// <inheritdoc />
    public override async ValueTask<DuplexTransport?> ConnectTransportAsync(
        EndPoint endpoint, ConnectionType connectionType, TlsOptions tls, CancellationToken cancellationToken)
    {
        RequireLife(endpoint, connectionType);
        var transport = new SocketTransport(this, endpoint, tls, connectTimeout, longestString);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            _open.RemoveAll(open => open.HasEnded);
            _open.Add(transport);
        }

        await transport.ConnectAsync().ConfigureAwait(false);
        return transport;
    }

    /// <summary>Closes the connections, and with them ends their threads.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            foreach (var transport in _open)
                transport.Close();
            _open.Clear();
        }
    }

    /// <summary>
    /// The same result, whose continuations run on the reply thread that brought it once the client has read all
    /// that came with it; on the thread pool where it came in another way, as the end of a connection, or is there already.
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
    private sealed class SocketTransport : DuplexTransport
    {
        private const int ReadBufferBytes = 64 * 1024;

        private readonly ReplyThread _owner;
        private readonly EndPoint _endpoint;
        private readonly TlsOptions _tls;
        private readonly TimeSpan _timeout;
        private readonly TaskCompletionSource _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly SemaphoreSlim _started = new(0);
        // One writer at a time: the client holds its own lock from the first byte of a command to the flush.
        private readonly ArrayBufferWriter<byte> _staged = new(1024);
        private readonly Lock _gate = new();
        private Socket? _socket;
        private Stream? _stream;
        private TransportReceiver? _receiver;
        private bool _closed;

        private readonly ReplySieve? _sieve;

        public SocketTransport(ReplyThread owner, EndPoint endpoint, TlsOptions tls, TimeSpan timeout, int? longestString)
        {
            _owner = owner;
            _sieve = longestString is { } longest ? new ReplySieve(longest) : null;
            _endpoint = endpoint;
            _tls = tls;
            _timeout = timeout;
        }

        /// <summary>Whether the connection is gone, and its thread with it.</summary>
        public bool HasEnded { get; private set; }

        public override bool IsEncrypted => _stream is SslStream;

        /// <summary>Connects on the thread that is going to read.</summary>
        public Task ConnectAsync()
        {
            new Thread(Run, MailboxChain.StackBytes) { IsBackground = true, Name = "redis-replies" }.Start();
            return _connected.Task;
        }

        public override void Start(TransportReceiver receiver)
        {
            _receiver = receiver;
            _started.Release();
        }

        public override Memory<byte> GetMemory(int sizeHint = 0) => _staged.GetMemory(sizeHint);

        public override void Advance(int count) => _staged.Advance(count);

        // Blocks only where the kernel's buffer is full, which the few small things that are under way at a time
        // do not fill; if they ever do, until the socket's own deadline.
        public override bool Flush()
        {
            try
            {
                _stream!.Write(_staged.WrittenSpan);
                return true;
            }
            catch (Exception broken) when (broken is IOException or ObjectDisposedException)
            {
                // The client hears of the end from who reads.
                Close();
                return false;
            }
            finally
            {
                _staged.ResetWrittenCount();
            }
        }

        public override ValueTask DisposeAsync()
        {
            Close();
            return default;
        }

        /// <summary>Ends the connection, also where a connect or a receive waits in the kernel.</summary>
        public void Close()
        {
            lock (_gate)
            {
                _closed = true;
                _socket?.Dispose();
            }

            _started.Release();
        }

        private void Run()
        {
            using var socket = _endpoint is UnixDomainSocketEndPoint
                ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
                : new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                lock (_gate)
                {
                    ObjectDisposedException.ThrowIf(_closed, this);
                    _socket = socket;
                }

                using (new Timer(static socket => ((Socket)socket!).Dispose(), socket, _timeout, Timeout.InfiniteTimeSpan))
                {
                    socket.Connect(_endpoint);
                    _stream = Secured(new NetworkStream(socket));
                    socket.SendTimeout = (int)_timeout.TotalMilliseconds;
                }
            }
            catch (Exception failure) when (failure is SocketException or ObjectDisposedException or IOException or AuthenticationException)
            {
                HasEnded = true;
                _connected.SetException(failure);
                return;
            }

            _connected.SetResult();
            // By the client, or by an end that came first.
            _started.Wait();
            if (_receiver is { } receiver)
                ReadAll(_stream, receiver);
            HasEnded = true;
        }

        private Stream Secured(NetworkStream plain)
        {
            if (!_tls.IsEnabled)
                return plain;
            var host = _tls.ResolveHost(_endpoint);
            var stream = new SslStream(plain);
            stream.AuthenticateAsClient(_tls.GetSslClientAuthenticationOptions(host) ?? new SslClientAuthenticationOptions
            {
                TargetHost = host,
                EnabledSslProtocols = _tls.SslProtocols ?? SslProtocols.None,
                CertificateRevocationCheckMode = _tls.CheckCertificateRevocation ? X509RevocationMode.Online : X509RevocationMode.NoCheck,
                RemoteCertificateValidationCallback = _tls.CertificateValidationCallback,
                LocalCertificateSelectionCallback = _tls.CertificateSelectionCallback,
            });
            return stream;
        }

        private void ReadAll(Stream stream, TransportReceiver receiver)
        {
            var arrived = s_arrived = new Queue<IArrival>();
            var buffer = new byte[ReadBufferBytes];
            var passed = new ReplySieve.Receiver(receiver.OnReceived);
            Exception? broken = null;
            try
            {
                while (stream.Read(buffer) is > 0 and var read && TakenIn(buffer.AsSpan(0, read)))
                    Complete();
            }
            catch (Exception end) when (end is IOException or ObjectDisposedException)
            {
                broken = end;
            }

            Close();
            try
            {
                receiver.OnClosed(broken);
            }
            catch (Exception failure) when (failure is not OutOfMemoryException)
            {
                _owner._failure = failure;
            }

            Complete();

            // The client's own reading ends in a task that nobody looks at, and so does what it throws there. On a
            // thread it would end the process: closed while it reconnects, the client of 3.4 throws from OnClosed.
            bool TakenIn(ReadOnlySpan<byte> bytes)
            {
                try
                {
                    if (!(_sieve?.Pass(bytes, passed) ?? receiver.OnReceived(bytes)))
                        return false;
                    receiver.OnBatchEnd();
                    return true;
                }
                catch (Exception failure) when (failure is not OutOfMemoryException)
                {
                    _owner._failure = failure;
                    return false;
                }
            }

            void Complete()
            {
                while (arrived.TryDequeue(out var arrival))
                    arrival.Complete();
            }
        }
    }
}
