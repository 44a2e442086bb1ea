using System.Buffers;
using System.Collections.Immutable;
using System.IO.Pipelines;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.Queue;
using Bridge.Scheduling;
using Bridge.Settings;
using Bridge.Stanzas;

namespace Bridge.Connection;

/// <summary>
/// One TCP (or TLS) connection to the component port, for one life of the stream: bytes out
/// through a pipe, events in through <see cref="IInboundSink" />. Knows no actors. When it ends,
/// in whatever way, it says so once, after everything that was read.
/// </summary>
/// <remarks>
/// <see cref="Output" />, <see cref="Flush" />, <see cref="Consumed" /> and
/// <see cref="CloseAsync" /> belong to one thread at a time, the connection actor's;
/// everything else may be called from anywhere.
/// </remarks>
public sealed partial class ComponentSocket : IAsyncDisposable
{
    /// <summary>Most bytes that are written to the kernel without asking the lease in between.</summary>
    public const int MaxSliceBytes = 64 * 1024;

    // One TLS record (RFC 8446 §5.1), so that also under TLS a slice is one write to the socket.
    private const int MaxTlsSliceBytes = 16 * 1024;

    private const int ReadBufferBytes = 64 * 1024;
    private const int MaxBatchEvents = 256;
    private const int MaxBatchBytes = 256 * 1024;
    private const int MaxOutstandingEvents = 1024;
    private const int MaxOutstandingBytes = 1024 * 1024;

    // Rough memory of one event besides its content.
    private const int EventOverhead = 128;

    // A write fails when the server has closed; what it said before, a stream error perhaps, is then still to be read.
    private static readonly TimeSpan InputAfterFailedWrite = TimeSpan.FromSeconds(5);

    private readonly Socket _socket;
    private readonly Stream _stream;
    private readonly int _maxSlice;
    private readonly LeaseDeadline _deadline;
    private readonly TimeProvider _time;
    private readonly Pipe _output = new(new PipeOptions(
        minimumSegmentSize: MaxSliceBytes,
        // Flush writes what the kernel takes at once; only what waits for room goes on elsewhere.
        readerScheduler: PipeScheduler.Inline,
        pauseWriterThreshold: 0, // The caller's window bounds it; see Flush.
        useSynchronizationContext: false));

    // Neither is disposed: both may be signalled by a thread that did not see the end yet, and hold nothing but memory.
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _room = new(0);
    private readonly Lock _endLock = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private IInboundSink? _sink;
    private (SocketEnd Reason, string? Detail)? _end;
    private long _bytesWritten;
    private long _bytesRead;
    private int _outstandingEvents;
    private int _outstandingBytes;
    private volatile bool _closing;
    private volatile bool _allWritten;
    private volatile bool _resetting;

    private ComponentSocket(Socket socket, Stream stream, LeaseDeadline deadline, TimeProvider time)
    {
        _socket = socket;
        _stream = stream;
        _maxSlice = stream is SslStream ? MaxTlsSliceBytes : MaxSliceBytes;
        _deadline = deadline;
        _time = time;
    }

    /// <summary>
    /// Where the bytes of the stream go. They are on their way after <see cref="Flush" />; after
    /// the end they go nowhere, and after <see cref="CloseAsync" /> writing throws
    /// <see cref="InvalidOperationException" />. Unbounded: the caller bounds what it has unconfirmed.
    /// </summary>
    public IBufferWriter<byte> Output => _output.Writer;

    /// <summary>Bytes handed to the kernel so far, before TLS. Rises with each slice that was taken whole.</summary>
    public long BytesWritten => Interlocked.Read(ref _bytesWritten);

    /// <summary>Bytes read from the server so far, after TLS.</summary>
    public long BytesRead => Interlocked.Read(ref _bytesRead);

    /// <summary>Completes, never faulted, when the connection has ended and the sink knows.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Connects, over TLS where <paramref name="tls" /> says so. Nothing is read or written before <see cref="Start" />.</summary>
    /// <param name="endpoint">Where to; a name is resolved each time, its addresses are tried in turn.</param>
    /// <param name="tls">Direct TLS; null for a plain connection.</param>
    /// <param name="timeout">Deadline of the whole, name resolution and TLS handshake included.</param>
    /// <param name="deadline">Asked before each write.</param>
    /// <param name="time">The clock of all deadlines.</param>
    /// <param name="cancellationToken">Gives up at once.</param>
    /// <exception cref="ConnectFaultException">No connection; the fault says why.</exception>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static async Task<ComponentSocket> ConnectAsync(
        XmppEndpoint endpoint,
        TlsSettings? tls,
        TimeSpan timeout,
        LeaseDeadline deadline,
        TimeProvider time,
        CancellationToken cancellationToken)
    {
        using var timer = new CancellationTokenSource(timeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        var authorities = tls?.CaFile is { } file ? ReadAuthorities(file, endpoint) : null;
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        Stream? stream = null;
        var established = false;
        var rejected = false;
        try
        {
            socket.NoDelay = true;
            var addresses = await Dns.GetHostAddressesAsync(endpoint.Host, either.Token).ConfigureAwait(false);
            // Not asynchronous: see KernelWaitStream. Closing the socket is what ends a connect or a handshake early.
            await using (either.Token.UnsafeRegister(static socket => ((Socket)socket!).Dispose(), socket).ConfigureAwait(false))
                await Task.Run(Connect, CancellationToken.None).ConfigureAwait(false);
            either.Token.ThrowIfCancellationRequested();

            void Connect()
            {
                socket.Connect(addresses, endpoint.Port);
                // On loopback a connect to a free port of the ephemeral range can meet itself (RFC 9293 §3.5, simultaneous open).
                if (Equals(socket.LocalEndPoint, socket.RemoteEndPoint))
                    throw new ConnectFaultException(ConnectFault.Refused, endpoint, null);
                stream = new KernelWaitStream(socket);
                if (tls is null)
                    return;
                var secured = new SslStream(stream, leaveInnerStreamOpen: false);
                stream = secured;
                var options = TlsOptions(tls, endpoint, authorities);
                // Changes no verdict: the platform's exception does not tell a bad certificate from a peer without TLS.
                options.RemoteCertificateValidationCallback = (_, _, _, errors) => !(rejected = errors != SslPolicyErrors.None);
                secured.AuthenticateAsClient(options);
            }

            established = true;
            return new ComponentSocket(socket, stream!, deadline, time);
        }
        catch (Exception e) when (e is not ConnectFaultException && !cancellationToken.IsCancellationRequested)
        {
            throw new ConnectFaultException(rejected ? ConnectFault.CertificateRejected : FaultOf(e, timer.IsCancellationRequested), endpoint, e);
        }
        catch (Exception e) when (e is not (ConnectFaultException or OperationCanceledException))
        {
            throw new OperationCanceledException(e.Message, e, cancellationToken);
        }
        finally
        {
            if (!established)
            {
                if (stream is not null)
                    await stream.DisposeAsync().ConfigureAwait(false);
                socket.Dispose();
            }
        }
    }

    /// <summary>Begins to read and write; once.</summary>
    /// <param name="reader">A fresh reader; from now on the socket's own.</param>
    /// <param name="barriers">Whose barriers are told as <see cref="BarrierReturned" />.</param>
    /// <param name="sink">Where events go.</param>
    public void Start(StanzaReader reader, BarrierIdentity barriers, IInboundSink sink)
    {
        if (Interlocked.CompareExchange(ref _sink, sink, null) is not null)
            throw new InvalidOperationException("The socket was started before.");
        _ = Task.Run(() => RunAsync(reader, barriers, sink));
    }

    /// <summary>Sends what was written to <see cref="Output" /> on its way. Never waits.</summary>
    public void Flush()
    {
        if (_closing)
            return;
        // Without a pause threshold the flush has completed when it returns (PipeOptions).
        var flush = _output.Writer.FlushAsync();
        if (!flush.IsCompletedSuccessfully)
            throw new InvalidOperationException("A pipe without a pause threshold made its writer wait.");
    }

    /// <summary>The receiver has dealt with this batch; reading goes on if it had stopped for it.</summary>
    public void Consumed(InboundBatch batch)
    {
        Interlocked.Add(ref _outstandingEvents, -batch.Events.Length);
        Interlocked.Add(ref _outstandingBytes, -batch.Bytes);
        if (_room.CurrentCount == 0)
            _room.Release();
    }

    /// <summary>
    /// Bytes that the kernel has and the peer's kernel has not acknowledged (SIOCOUTQ). -1 where
    /// the system cannot tell, or after the end.
    /// </summary>
    public int KernelSendQueue()
    {
        if (!OperatingSystem.IsLinux())
            return -1;
        const nuint outq = 0x5411;
        var handle = _socket.SafeHandle;
        var held = false;
        try
        {
            handle.DangerousAddRef(ref held);
            return Ioctl((int)handle.DangerousGetHandle(), outq, out var queued) == 0 ? queued : -1;
        }
        catch (ObjectDisposedException)
        {
            return -1;
        }
        finally
        {
            if (held)
                handle.DangerousRelease();
        }
    }

    /// <summary>Ends the connection at once with a reset; what the kernel had not sent yet is dropped.</summary>
    public void ResetNow() => EndWithReset(SocketEnd.LocalReset, null);

    /// <summary>
    /// Closes properly. To be called after the stream's end tag was written and flushed: waits
    /// until all output is in the kernel, and reads on until the server closes its side, because
    /// a close with unread input makes the kernel send a reset, and a reset makes the server
    /// drop what it has not read yet. At the deadline the rest is given up.
    /// </summary>
    /// <returns>Completes when the connection has ended and the sink knows.</returns>
    public async Task CloseAsync(TimeSpan timeout)
    {
        if (!_closing)
        {
            _closing = true;
            await _output.Writer.CompleteAsync().ConfigureAwait(false);
        }

        if (_sink is null)
        {
            await DisposeAsync().ConfigureAwait(false);
            return;
        }

        using var timer = new CancellationTokenSource(timeout, _time);
        using var atDeadline = timer.Token.UnsafeRegister(
            static self =>
            {
                var socket = (ComponentSocket)self!;
                if (socket._allWritten)
                    socket.End(SocketEnd.CloseTimedOut, null);
                else
                    socket.EndWithReset(SocketEnd.CloseTimedOut, "not everything was taken");
            },
            this);
        await Ended.ConfigureAwait(false);
    }

    /// <summary>Resets the connection if it has not ended, and waits for the end.</summary>
    public async ValueTask DisposeAsync()
    {
        ResetNow();
        if (_sink is null)
        {
            await _stream.DisposeAsync().ConfigureAwait(false);
            _socket.Dispose();
            _ended.TrySetResult();
        }

        await Ended.ConfigureAwait(false);
    }

    private static X509Certificate2Collection ReadAuthorities(string file, XmppEndpoint endpoint)
    {
        var authorities = new X509Certificate2Collection();
        try
        {
            authorities.ImportFromPemFile(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new ConnectFaultException(ConnectFault.CaFileUnusable, endpoint, e);
        }

        return authorities.Count > 0 ? authorities : throw new ConnectFaultException(ConnectFault.CaFileUnusable, endpoint, null);
    }

    private static SslClientAuthenticationOptions TlsOptions(TlsSettings tls, XmppEndpoint endpoint, X509Certificate2Collection? authorities)
    {
        var options = new SslClientAuthenticationOptions { TargetHost = tls.ServerName ?? endpoint.Host };
        if (authorities is not null)
        {
            // An authority of the operator's own publishes no revocation lists.
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.AddRange(authorities);
            options.CertificateChainPolicy = policy;
        }

        return options;
    }

    private static ConnectFault FaultOf(Exception e, bool timedOut) => e switch
    {
        _ when timedOut => ConnectFault.TimedOut,
        AuthenticationException or IOException => ConnectFault.TlsFailed,
        SocketException s => s.SocketErrorCode switch
        {
            SocketError.ConnectionRefused => ConnectFault.Refused,
            SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.NetworkDown or SocketError.HostDown
                or SocketError.AddressNotAvailable => ConnectFault.Unreachable,
            SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain or SocketError.NoRecovery => ConnectFault.NameNotFound,
            SocketError.TimedOut => ConnectFault.TimedOut,
            _ => ConnectFault.Failed,
        },
        _ => ConnectFault.Failed,
    };

    [LibraryImport("libc", EntryPoint = "ioctl")]
    private static partial int Ioctl(int descriptor, nuint request, out int value);

    private async Task RunAsync(StanzaReader reader, BarrierIdentity barriers, IInboundSink sink)
    {
        var write = ReportingFaults(WriteAsync);
        await ReportingFaults(() => ReadOnThreadAsync(reader, barriers, sink)).ConfigureAwait(false);
        // Whatever ended the input ends the connection; the reason stands already.
        await _stopping.CancelAsync().ConfigureAwait(false);
        await write.ConfigureAwait(false);
        if (!_resetting)
            Drain();
        await _stream.DisposeAsync().ConfigureAwait(false);
        _socket.Dispose();
        var (reason, detail) = _end!.Value;
        sink.Ended(reason, detail);
        _ended.TrySetResult();
    }

    // A loop that throws must still end the connection: its owner waits for nothing else.
    private async Task ReportingFaults(Func<Task> loop)
    {
        try
        {
            await loop().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            EndWithReset(SocketEnd.InternalFault, e.ToString());
        }
    }

    private async Task WriteAsync()
    {
        var pipe = _output.Reader;
        try
        {
            while (true)
            {
                var result = await pipe.ReadAsync(_stopping.Token).ConfigureAwait(false);
                if (result.Buffer.IsEmpty)
                {
                    if (!result.IsCompleted)
                        continue;
                    _allWritten = true;
                    return;
                }

                // The pipe's segments are as large as a slice, so that the first one holds what was flushed meanwhile.
                var slice = result.Buffer.First;
                if (slice.Length > _maxSlice)
                    slice = slice[.._maxSlice];
                if (slice.Length > 0)
                {
                    // Here and nowhere else: a frozen process that wakes must find out before its next write.
                    if (!_deadline.MayWrite(_time.GetTimestamp()))
                    {
                        EndWithReset(SocketEnd.LeaseExpired, null);
                        return;
                    }

                    await _stream.WriteAsync(slice, _stopping.Token).ConfigureAwait(false);
                    Interlocked.Add(ref _bytesWritten, slice.Length);
                }

                pipe.AdvanceTo(result.Buffer.GetPosition(slice.Length));
            }
        }
        catch (OperationCanceledException)
        {
            // The connection has ended, and the reason stands.
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            await FailedWriteAsync(e.Message).ConfigureAwait(false);
        }
        finally
        {
            await pipe.CompleteAsync().ConfigureAwait(false);
        }
    }

    private async Task FailedWriteAsync(string detail)
    {
        using var patience = new CancellationTokenSource(InputAfterFailedWrite, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, _stopping.Token);
        var over = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var registration = either.Token.UnsafeRegister(static over => ((TaskCompletionSource)over!).TrySetResult(), over);
        await over.Task.ConfigureAwait(false);
        EndWithReset(SocketEnd.WriteFailed, detail);
    }

    private Task ReadOnThreadAsync(StanzaReader reader, BarrierIdentity barriers, IInboundSink sink)
    {
        // What is read is worked off where it was read, down to what the actors write next.
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        new Thread(Run, MailboxChain.StackBytes) { IsBackground = true, Name = "xmpp-input" }.Start();
        return done.Task;

        void Run()
        {
            // A read that waits in the kernel ends with its own side of the connection.
            using var stopping = _stopping.Token.UnsafeRegister(static self => ((ComponentSocket)self!).StopReading(), this);
            try
            {
                Read(reader, barriers, sink);
                done.SetResult();
            }
            catch (Exception fault)
            {
                done.SetException(fault);
            }
        }
    }

    private void StopReading()
    {
        try
        {
            _socket.Shutdown(SocketShutdown.Receive);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The connection is gone already, and the read with it.
        }
    }

    private void Read(StanzaReader reader, BarrierIdentity barriers, IInboundSink sink)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(ReadBufferBytes);
        try
        {
            while (!_stopping.IsCancellationRequested)
            {
                var length = _stream.Read(buffer);
                Interlocked.Add(ref _bytesRead, length);
                if (length == 0)
                {
                    End(_allWritten ? SocketEnd.Closed : SocketEnd.RemoteClosed, null);
                    return;
                }

                var arrivedAt = _time.GetTimestamp();
                var unread = buffer.AsMemory(0, length);
                while (!unread.IsEmpty)
                {
                    var batch = NextBatch(reader, barriers, arrivedAt, ref unread);
                    if (batch is null)
                        break;
                    while (Volatile.Read(ref _outstandingEvents) >= MaxOutstandingEvents
                           || Volatile.Read(ref _outstandingBytes) >= MaxOutstandingBytes)
                        _room.Wait(_stopping.Token);
                    Interlocked.Add(ref _outstandingEvents, batch.Events.Length);
                    Interlocked.Add(ref _outstandingBytes, batch.Bytes);
                    sink.Post(batch);
                    if (batch.Events[^1] is StreamMalformed malformed)
                    {
                        EndWithReset(SocketEnd.Malformed, malformed.Reason);
                        return;
                    }
                }
            }
        }
        catch (OperationCanceledException)
        {
            // The connection has ended, and the reason stands.
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            End(SocketEnd.RemoteReset, e.Message);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // Reads on until a batch is full or the bytes are used up; null when they held no event.
    private static InboundBatch? NextBatch(StanzaReader reader, BarrierIdentity barriers, long arrivedAt, ref Memory<byte> unread)
    {
        var events = ImmutableArray.CreateBuilder<InboundEvent>();
        var bytes = 0;
        ReadOnlySpan<byte> input = unread.Span;
        while (events.Count < MaxBatchEvents && bytes < MaxBatchBytes)
        {
            var kind = reader.Read(ref input, out var stanza);
            if (kind == StreamEventKind.None)
                break;
            events.Add(kind switch
            {
                StreamEventKind.Header => new StreamOpened(reader.Header!),
                StreamEventKind.Handshake => new HandshakeAccepted(),
                StreamEventKind.Error => new StreamFailed(reader.Error!),
                StreamEventKind.End => new StreamClosed(),
                StreamEventKind.Skipped => new StanzaSkipped(reader.Skipped!),
                StreamEventKind.Malformed => new StreamMalformed(reader.MalformedReason!),
                _ => Distil(stanza, barriers, arrivedAt),
            });
            // A bounce keeps its attributes, and those may be nearly all of the stanza.
            bytes += EventOverhead + (events[^1] is BarrierReturned ? 0 : stanza.Bytes.Length);
        }

        unread = unread[^input.Length..];
        return events.Count == 0 ? null : new InboundBatch(events.DrainToImmutable(), bytes);
    }

    private static InboundEvent Distil(in InboundStanza stanza, BarrierIdentity barriers, long arrivedAt)
    {
        if (barriers.TryRecognise(stanza, out var number))
            return new BarrierReturned(number, arrivedAt);
        if (stanza.IsError)
            return new StanzaBounced(
                stanza.Kind,
                stanza.Id.Text,
                stanza.From.Text,
                stanza.To.Text,
                stanza.ReadError() ?? new StanzaError(StanzaErrorType.Unknown, StanzaErrorCondition.Unknown, null))
            {
                Xml = stanza.Bytes.ToArray(),
            };
        return new StanzaReceived(
            stanza.Kind,
            stanza.Id.Text,
            stanza.From.Text,
            stanza.To.Text,
            stanza.Type.Text,
            stanza.FirstChildName.IsEmpty ? null : System.Text.Encoding.UTF8.GetString(stanza.FirstChildName),
            stanza.FirstChildNamespace.Text,
            stanza.Bytes.ToArray());
    }

    // The first reason stands. Makes both loops stop.
    private void End(SocketEnd reason, string? detail)
    {
        lock (_endLock)
        {
            if (_end is not null)
                return;
            _end = (reason, detail);
        }

        _stopping.Cancel();
    }

    private void EndWithReset(SocketEnd reason, string? detail)
    {
        lock (_endLock)
        {
            if (_end is not null)
                return;
            _end = (reason, detail);
            _resetting = true;
        }

        try
        {
            _socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The peer was quicker: the connection is gone already.
        }

        _socket.Dispose();
        _stopping.Cancel();
    }

    // Takes out of the kernel what came since the last read, so that the close is no reset.
    private void Drain()
    {
        var scrap = new byte[4096];
        try
        {
            if (_allWritten)
                _socket.Shutdown(SocketShutdown.Send);
            while (_socket.Available > 0 && _socket.Receive(scrap) > 0)
            {
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The connection is gone already.
        }
    }
}
