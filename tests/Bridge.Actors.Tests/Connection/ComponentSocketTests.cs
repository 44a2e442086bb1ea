using System.Buffers;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Threading.Channels;
using Bridge.Connection;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Connection;

/// <summary>Over real sockets on loopback; every wait is bounded by <see cref="Patience" />.</summary>
public sealed class ComponentSocketTests : IAsyncLifetime, IDisposable
{
    private const string Header =
        "<?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:component:accept' from='b.example' id='s1'>";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly LeaseDeadline _deadline = new(TimeProvider.System);
    private readonly Inbox _inbox = new();
    private readonly BarrierIdentity _barriers = new("b.example");
    private ComponentSocket? _socket;
    private Socket? _peer;

    private XmppEndpoint Endpoint => new("127.0.0.1", ((IPEndPoint)_listener.LocalEndpoint).Port);

    public Task InitializeAsync()
    {
        _listener.Start();
        _deadline.Extend(TimeProvider.System.GetTimestamp(), TimeSpan.FromHours(1));
        return Task.CompletedTask;
    }

    public async Task DisposeAsync()
    {
        _peer?.Dispose();
        if (_socket is not null)
            await _socket.DisposeAsync();
    }

    public void Dispose() => _listener.Dispose();

    [Fact]
    public async Task What_is_written_arrives_in_order_and_is_counted()
    {
        await EstablishAsync();
        var sent = Random.Shared.GetItems("abcdefgh"u8, 3_000_000);
        for (var at = 0; at < sent.Length; at += 100_000)
        {
            _socket!.Output.Write(sent.AsSpan(at, 100_000));
            _socket.Flush();
        }

        var received = new byte[sent.Length];
        await new NetworkStream(_peer!).ReadExactlyAsync(received).AsTask().WaitAsync(Patience);
        Assert.True(sent.AsSpan().SequenceEqual(received));
        await CloseBothAsync();
        Assert.Equal(sent.Length, _socket!.BytesWritten);
    }

    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(1)]
    public async Task What_the_server_sends_becomes_events_however_it_is_split(int piece)
    {
        await EstablishAsync();
        var barrier = new ArrayBufferWriter<byte>();
        _barriers.Write(barrier, 7);
        var forged = Encoding.UTF8.GetString(barrier.WrittenSpan).Replace("from='b.example'", "from='c.example'", StringComparison.Ordinal);
        var stream = Encoding.UTF8.GetBytes(Header + "<handshake/>" + Encoding.UTF8.GetString(barrier.WrittenSpan) + forged
            + "<message type='error' id='m' from='x@y' to='b.example'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"
            + "<message from='ü@y'><body>é</body></message>"
            + "<stream:error><system-shutdown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>");
        for (var at = 0; at < stream.Length; at += Math.Min(piece, stream.Length))
            await _peer!.SendAsync(stream.AsMemory(at, Math.Min(piece, stream.Length - at)));
        _peer!.Shutdown(SocketShutdown.Send);

        Assert.Equal("s1", Assert.IsType<StreamOpened>(await _inbox.NextAsync(_socket!)).Header.Id);
        Assert.IsType<HandshakeAccepted>(await _inbox.NextAsync(_socket!));
        Assert.Equal(7, Assert.IsType<BarrierReturned>(await _inbox.NextAsync(_socket!)).Number);
        Assert.Equal("c.example", Assert.IsType<StanzaReceived>(await _inbox.NextAsync(_socket!)).From);
        var bounced = Assert.IsType<StanzaBounced>(await _inbox.NextAsync(_socket!));
        Assert.Equal(
            new StanzaBounced(StanzaKind.Message, "m", "x@y", "b.example", new StanzaError(StanzaErrorType.Cancel, StanzaErrorCondition.ItemNotFound, null)),
            bounced with { Xml = default });
        Assert.StartsWith("<message", Encoding.UTF8.GetString(bounced.Xml.Span), StringComparison.Ordinal);
        var message = Assert.IsType<StanzaReceived>(await _inbox.NextAsync(_socket!));
        Assert.Equal("<message from='ü@y'><body>é</body></message>", Encoding.UTF8.GetString(message.Xml.Span));
        Assert.Equal(StreamErrorCondition.SystemShutdown, Assert.IsType<StreamFailed>(await _inbox.NextAsync(_socket!)).Error.Condition);
        Assert.IsType<StreamClosed>(await _inbox.NextAsync(_socket!));
        Assert.Equal(SocketEnd.RemoteClosed, await _inbox.EndAsync());
    }

    [Fact]
    public async Task Past_the_lease_nothing_more_than_the_write_under_way_is_sent_and_the_peer_sees_a_reset()
    {
        await EstablishAsync(receiveBuffer: 8192);
        // The peer reads nothing, so that a write of one slice soon stands still, with megabytes behind it.
        _socket!.Output.Write(new byte[16 << 20]);
        _socket.Flush();
        var (written, unchanged) = (0L, 0);
        await UntilAsync(() =>
        {
            unchanged = _socket.BytesWritten == written && written > 0 ? unchanged + 1 : 0;
            written = _socket.BytesWritten;
            return unchanged == 20;
        });
        _deadline.Revoke();

        var received = 0L;
        var scrap = new byte[64 * 1024];
        var reset = false;
        while (!reset)
        {
            try
            {
                var length = await _peer!.ReceiveAsync(scrap).WaitAsync(Patience);
                Assert.NotEqual(0, length);
                received += length;
            }
            catch (SocketException e)
            {
                Assert.Equal(SocketError.ConnectionReset, e.SocketErrorCode);
                reset = true;
            }
        }

        Assert.Equal(SocketEnd.LeaseExpired, await _inbox.EndAsync());
        Assert.InRange(_socket.BytesWritten, written, written + ComponentSocket.MaxSliceBytes);
        Assert.InRange(received, 0, written + ComponentSocket.MaxSliceBytes);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    public async Task The_lease_is_asked_before_each_64_KiB(int asked)
    {
        // Each question of the pump takes a second of this clock: the lease lasts for so many.
        var clock = new TickingClock();
        var deadline = new LeaseDeadline(clock);
        deadline.Extend(0, TimeSpan.FromSeconds(asked + 1));
        var accepting = _listener.AcceptSocketAsync();
        _socket = await ComponentSocket.ConnectAsync(Endpoint, null, Patience, deadline, clock, CancellationToken.None);
        _peer = await accepting.WaitAsync(Patience);
        _socket.Start(new StanzaReader(65_536), _barriers, _inbox);
        _socket.Output.Write(new byte[4 << 20]);
        _socket.Flush();
        Assert.Equal(SocketEnd.LeaseExpired, await _inbox.EndAsync());
        Assert.Equal(asked * ComponentSocket.MaxSliceBytes, _socket.BytesWritten);
        await AssertResetAsync();
    }

    [Fact]
    public async Task Without_a_lease_not_a_byte_is_written()
    {
        _deadline.Revoke();
        await EstablishAsync();
        _socket!.Output.Write("<message/>"u8);
        _socket.Flush();
        Assert.Equal(SocketEnd.LeaseExpired, await _inbox.EndAsync());
        Assert.Equal(0, _socket.BytesWritten);
        await AssertResetAsync();
    }

    [Fact]
    public async Task A_close_delivers_everything_and_reads_on_until_the_server_closes()
    {
        await EstablishAsync();
        var sent = new byte[2_000_000];
        _socket!.Output.Write(sent);
        _socket.Output.Write("</stream:stream>"u8);
        _socket.Flush();
        var closing = _socket.CloseAsync(Patience);
        var received = new byte[sent.Length + 16];
        await new NetworkStream(_peer!).ReadExactlyAsync(received).AsTask().WaitAsync(Patience);
        Assert.Equal("</stream:stream>", Encoding.UTF8.GetString(received.AsSpan(sent.Length)));
        Assert.False(closing.IsCompleted);

        // What the server says last is still heard.
        await _peer!.SendAsync(Encoding.UTF8.GetBytes(Header + "<message id='last'/></stream:stream>"));
        _peer.Shutdown(SocketShutdown.Send);
        await closing.WaitAsync(Patience);
        Assert.IsType<StreamOpened>(await _inbox.NextAsync(_socket));
        Assert.Equal("last", Assert.IsType<StanzaReceived>(await _inbox.NextAsync(_socket)).Id);
        Assert.IsType<StreamClosed>(await _inbox.NextAsync(_socket));
        Assert.Equal(SocketEnd.Closed, await _inbox.EndAsync());
        Assert.Equal(0, await _peer.ReceiveAsync(received).WaitAsync(Patience));
    }

    [Fact]
    public async Task A_close_that_the_server_ignores_ends_at_its_deadline_without_a_reset()
    {
        await EstablishAsync();
        _socket!.Output.Write("</stream:stream>"u8);
        _socket.Flush();
        await _peer!.SendAsync(Encoding.UTF8.GetBytes(Header));
        await _socket.CloseAsync(TimeSpan.FromMilliseconds(100)).WaitAsync(Patience);
        Assert.Equal(SocketEnd.CloseTimedOut, await _inbox.EndAsync());
        var received = new byte[100];
        Assert.Equal(16, await _peer.ReceiveAsync(received).WaitAsync(Patience));
        Assert.Equal(0, await _peer.ReceiveAsync(received).WaitAsync(Patience));
    }

    [Fact]
    public async Task A_close_to_a_server_that_reads_nothing_ends_at_its_deadline()
    {
        await EstablishAsync(receiveBuffer: 8192);
        _socket!.Output.Write(new byte[32 << 20]);
        _socket.Flush();
        await _socket.CloseAsync(TimeSpan.FromMilliseconds(200)).WaitAsync(Patience);
        Assert.Equal(SocketEnd.CloseTimedOut, await _inbox.EndAsync());
    }

    [Fact]
    public async Task The_kernels_send_queue_grows_when_the_peer_reads_nothing_and_shrinks_when_it_reads()
    {
        await EstablishAsync(receiveBuffer: 8192);
        Assert.Equal(0, _socket!.KernelSendQueue());
        _socket.Output.Write(new byte[1 << 20]);
        _socket.Flush();
        await UntilAsync(() => _socket.KernelSendQueue() > 0);
        var reading = new NetworkStream(_peer!).ReadExactlyAsync(new byte[1 << 20]).AsTask();
        await reading.WaitAsync(Patience);
        await UntilAsync(() => _socket.KernelSendQueue() == 0);
        _socket.ResetNow();
        await _inbox.EndAsync();
        Assert.Equal(-1, _socket.KernelSendQueue());
    }

    [Fact]
    public async Task A_reset_of_ours_is_a_reset_to_the_peer_and_is_told_once()
    {
        await EstablishAsync();
        _socket!.ResetNow();
        _socket.ResetNow();
        Assert.Equal(SocketEnd.LocalReset, await _inbox.EndAsync());
        await AssertResetAsync();
        // Writing to what has ended is no error: the end is told in its own way.
        _socket.Output.Write("<message/>"u8);
        _socket.Flush();
    }

    [Fact]
    public async Task A_reset_of_the_peers_is_told_as_such()
    {
        await EstablishAsync();
        _peer!.LingerState = new LingerOption(true, 0);
        _peer.Dispose();
        Assert.Equal(SocketEnd.RemoteReset, await _inbox.EndAsync());
    }

    [Fact]
    public async Task What_is_no_XMPP_stream_ends_the_connection()
    {
        await EstablishAsync();
        await _peer!.SendAsync("HTTP/1.1 400 Bad Request\r\n\r\n"u8.ToArray());
        Assert.Equal("text between stanzas", Assert.IsType<StreamMalformed>(await _inbox.NextAsync(_socket!)).Reason);
        Assert.Equal(SocketEnd.Malformed, await _inbox.EndAsync());
        await AssertResetAsync();
    }

    [Fact]
    public async Task Reading_stops_while_the_receiver_lags_and_goes_on_when_it_has_caught_up()
    {
        await EstablishAsync();
        const int stanzas = 200_000;
        var sending = Task.Run(async () =>
        {
            await _peer!.SendAsync(Encoding.UTF8.GetBytes(Header));
            var some = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("<message><body>0123456789</body></message>", 1000)));
            for (var i = 0; i < stanzas; i += 1000)
                await new NetworkStream(_peer).WriteAsync(some);
            _peer.Shutdown(SocketShutdown.Send);
        });
        await UntilAsync(() => _inbox.Outstanding >= 1024);
        var waiting = _inbox.Outstanding;
        Assert.InRange(waiting, 1024, 1024 + 256);
        Assert.False(sending.IsCompleted);
        for (var i = 0; i < stanzas + 1; i++)
        {
            await _inbox.NextAsync(_socket!);
            Assert.InRange(_inbox.Outstanding, 0, 1024 + 256);
        }

        await sending.WaitAsync(Patience);
        Assert.Equal(SocketEnd.RemoteClosed, await _inbox.EndAsync());
    }

    [Fact]
    public async Task A_receiver_that_throws_ends_the_connection_instead_of_leaving_it_mute()
    {
        await EstablishAsync(new ThrowingSink(_inbox));
        await _peer!.SendAsync(Encoding.UTF8.GetBytes(Header));
        Assert.Equal(SocketEnd.InternalFault, await _inbox.EndAsync());
        await AssertResetAsync();
    }

    [Fact]
    public async Task A_port_where_nobody_listens_refuses()
    {
        var endpoint = Endpoint;
        _listener.Stop();
        var e = await Assert.ThrowsAsync<ConnectFaultException>(() => ConnectAsync(endpoint, null));
        Assert.Equal(ConnectFault.Refused, e.Fault);
    }

    [Fact]
    public async Task A_name_without_an_address_is_told_as_such()
    {
        var e = await Assert.ThrowsAsync<ConnectFaultException>(() => ConnectAsync(new XmppEndpoint("no-such-host.invalid", 5347), null));
        Assert.Equal(ConnectFault.NameNotFound, e.Fault);
    }

    [Fact]
    public async Task A_cancelled_connect_is_no_fault()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
            ComponentSocket.ConnectAsync(Endpoint, null, Patience, _deadline, TimeProvider.System, cancelled.Token));
    }

    [Fact]
    public async Task A_peer_that_answers_no_TLS_handshake_times_out()
    {
        var e = await Assert.ThrowsAsync<ConnectFaultException>(() => ComponentSocket.ConnectAsync(
            Endpoint, new TlsSettings { ServerName = null, CaFile = null }, TimeSpan.FromMilliseconds(200), _deadline, TimeProvider.System, CancellationToken.None));
        Assert.Equal(ConnectFault.TimedOut, e.Fault);
    }

    [Fact]
    public async Task A_peer_that_speaks_no_TLS_is_told_as_such()
    {
        var serving = Task.Run(async () =>
        {
            using var peer = await _listener.AcceptSocketAsync();
            await peer.SendAsync(Encoding.UTF8.GetBytes(Header));
            while (await peer.ReceiveAsync(new byte[1000]) > 0)
            {
            }
        });
        var e = await Assert.ThrowsAsync<ConnectFaultException>(() => ConnectAsync(Endpoint, new TlsSettings { ServerName = null, CaFile = null }));
        Assert.Equal(ConnectFault.TlsFailed, e.Fault);
        await serving.WaitAsync(Patience);
    }

    [Theory]
    [InlineData("trusted", true, "xmpp.example", null)]
    [InlineData("another name", true, "other.example", ConnectFault.CertificateRejected)]
    [InlineData("not trusted by the system", false, "xmpp.example", ConnectFault.CertificateRejected)]
    public async Task A_certificate_is_checked_against_the_authorities_and_the_name(string row, bool ownAuthority, string name, ConnectFault? expected)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=xmpp.example", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("xmpp.example");
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        var caFile = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(caFile, certificate.ExportCertificatePem());
            var serving = Task.Run(async () =>
            {
                using var peer = await _listener.AcceptSocketAsync();
                await using var tls = new SslStream(new NetworkStream(peer));
                try
                {
                    await tls.AuthenticateAsServerAsync(certificate);
                    var received = new byte[300_000];
                    await tls.ReadExactlyAsync(received);
                    await tls.WriteAsync(Encoding.UTF8.GetBytes(Header + "<handshake/>"));
                    await peer.DisconnectAsync(false);
                    return received.Count(b => b == 'x');
                }
                catch (Exception e) when (e is IOException or System.Security.Authentication.AuthenticationException)
                {
                    return -1;
                }
            });
            var settings = new TlsSettings { ServerName = name, CaFile = ownAuthority ? caFile : null };
            if (expected is { } fault)
            {
                var e = await Assert.ThrowsAsync<ConnectFaultException>(() => ConnectAsync(Endpoint, settings));
                Assert.True(e.Fault == fault, $"{row}: {e}");
                Assert.Equal(-1, await serving.WaitAsync(Patience));
                return;
            }

            _socket = await ConnectAsync(Endpoint, settings);
            _socket.Start(new StanzaReader(65_536), _barriers, _inbox);
            _socket.Output.Write(Encoding.UTF8.GetBytes(new string('x', 300_000)));
            _socket.Flush();
            Assert.Equal(300_000, await serving.WaitAsync(Patience));
            Assert.IsType<StreamOpened>(await _inbox.NextAsync(_socket));
            Assert.IsType<HandshakeAccepted>(await _inbox.NextAsync(_socket));
            Assert.Equal(SocketEnd.RemoteClosed, await _inbox.EndAsync());
            Assert.Equal(300_000, _socket.BytesWritten);
        }
        finally
        {
            File.Delete(caFile);
        }
    }

    [Theory]
    [InlineData("missing", null)]
    [InlineData("empty", "")]
    [InlineData("no certificate in it", "hello")]
    public async Task A_file_of_authorities_that_holds_none_is_told_as_such(string row, string? content)
    {
        var caFile = Path.GetTempFileName();
        try
        {
            if (content is null)
                File.Delete(caFile);
            else
                await File.WriteAllTextAsync(caFile, content);
            var e = await Assert.ThrowsAsync<ConnectFaultException>(() => ConnectAsync(Endpoint, new TlsSettings { ServerName = null, CaFile = caFile }));
            Assert.True(e.Fault == ConnectFault.CaFileUnusable, row);
        }
        finally
        {
            File.Delete(caFile);
        }
    }

    private Task<ComponentSocket> ConnectAsync(XmppEndpoint endpoint, TlsSettings? tls) =>
        ComponentSocket.ConnectAsync(endpoint, tls, Patience, _deadline, TimeProvider.System, CancellationToken.None);

    private Task EstablishAsync(int? receiveBuffer = null) => EstablishAsync(_inbox, receiveBuffer);

    private async Task EstablishAsync(IInboundSink sink, int? receiveBuffer = null)
    {
        // Inherited by the accepted socket; set later it would not bound what is buffered.
        if (receiveBuffer is { } size)
            _listener.Server.ReceiveBufferSize = size;
        var accepting = _listener.AcceptSocketAsync();
        _socket = await ConnectAsync(Endpoint, null);
        _peer = await accepting.WaitAsync(Patience);
        _socket.Start(new StanzaReader(65_536), _barriers, sink);
    }

    private async Task CloseBothAsync()
    {
        var closing = _socket!.CloseAsync(Patience);
        _peer!.Shutdown(SocketShutdown.Send);
        await closing.WaitAsync(Patience);
    }

    private async Task AssertResetAsync()
    {
        var e = await Assert.ThrowsAsync<SocketException>(async () =>
        {
            while (await _peer!.ReceiveAsync(new byte[1000]).WaitAsync(Patience) > 0)
            {
            }
        });
        Assert.Equal(SocketError.ConnectionReset, e.SocketErrorCode);
    }

    // The kernel's own state gives no signal: looked at every few milliseconds, bounded.
    private static async Task UntilAsync(Func<bool> condition)
    {
        using var deadline = new CancellationTokenSource(Patience);
        using var ticks = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (!condition())
            await ticks.WaitForNextTickAsync(deadline.Token);
    }

    private sealed class ThrowingSink(IInboundSink told) : IInboundSink
    {
        public void Post(InboundBatch batch) => throw new InvalidOperationException("The mailbox burned down.");

        public void Ended(SocketEnd reason, string? detail)
        {
            Assert.Contains("burned down", detail, StringComparison.Ordinal);
            told.Ended(reason, detail);
        }
    }

    private sealed class TickingClock : TimeProvider
    {
        private long _now;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Interlocked.Add(ref _now, TimeSpan.TicksPerSecond);
    }

    private sealed class Inbox : IInboundSink
    {
        private readonly Channel<InboundBatch> _batches = Channel.CreateUnbounded<InboundBatch>();
        private readonly TaskCompletionSource<SocketEnd> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Queue<InboundEvent> _events = new();
        private int _outstanding;

        public int Outstanding => Volatile.Read(ref _outstanding);

        public void Post(InboundBatch batch)
        {
            Interlocked.Add(ref _outstanding, batch.Events.Length);
            Assert.True(_batches.Writer.TryWrite(batch), "A batch came after the end.");
        }

        public void Ended(SocketEnd reason, string? detail)
        {
            _batches.Writer.Complete();
            _end.SetResult(reason);
        }

        // Acknowledges a batch when its first event is handed out.
        public async Task<InboundEvent> NextAsync(ComponentSocket socket)
        {
            if (_events.Count == 0)
            {
                var batch = await _batches.Reader.ReadAsync().AsTask().WaitAsync(Patience);
                foreach (var e in batch.Events)
                    _events.Enqueue(e);
                Interlocked.Add(ref _outstanding, -batch.Events.Length);
                socket.Consumed(batch);
            }

            return _events.Dequeue();
        }

        public Task<SocketEnd> EndAsync() => _end.Task.WaitAsync(Patience);
    }
}
