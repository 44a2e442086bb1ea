#pragma warning disable SER009 // What the client of Redis calls is stood in for.
using System.Buffers;
using System.Diagnostics;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Bridge.Queue;
using Bridge.TestKit;
using RESPite.Transports;
using StackExchange.Redis;

namespace Bridge.Integration.Tests.Queue;

public sealed class ReplyThreadTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task What_waits_for_a_reply_runs_on_the_thread_of_its_connection()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var link = LinkTo(redis.ConnectionString, Patience);

        var first = await ReplyThreadOf(link);
        var second = await ReplyThreadOf(link);

        Assert.Equal("redis-replies", first.Name);
        Assert.Same(first, second);
    }

    [Fact]
    public async Task A_reply_that_waits_behind_another_comes_after_it_and_none_is_left()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var link = LinkTo(redis.ConnectionString, Patience);
        await Ping(link);

        var replies = Enumerable.Range(0, 1000)
            .Select(i => link.CallAsync(async database => (string?)await database.ExecuteAsync("ECHO", [new string('x', i * 37)])))
            .ToArray();

        var echoes = await Task.WhenAll(replies).WaitAsync(Patience);
        Assert.Equal(Enumerable.Range(0, 1000).Select(i => i * 37), echoes.Select(echo => echo!.Length));
    }

    [Fact]
    public async Task The_thread_ends_with_the_connection_while_it_waits_in_the_kernel()
    {
        await using var redis = await RedisServer.StartAsync();
        var link = LinkTo(redis.ConnectionString, Patience);
        var thread = await ReplyThreadOf(link);

        await link.DisposeAsync();

        Assert.True(thread.Join(Patience));
    }

    [Fact]
    public async Task What_waits_hears_at_once_that_Redis_closed_the_connection_and_the_next_call_makes_another()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var link = LinkTo(redis.ConnectionString, TimeSpan.FromMinutes(1));
        var thread = await ReplyThreadOf(link);
        var waiting = link.CallAsync(database => database.ExecuteAsync("BLPOP", ["nothing", 0]));
        await using var admin = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString + ",allowAdmin=true");
        var server = admin.GetServer("127.0.0.1", redis.Port);
        await Eventually.TrueAsync(
            async () => (await server.ClientListAsync()).Any(client => client is { Name: "bridge-test", LastCommand: "blpop" }),
            Patience,
            "Redis has the command that waits");

        var stopwatch = Stopwatch.StartNew();
        foreach (var client in (await server.ClientListAsync()).Where(client => client.Name == "bridge-test"))
            await server.ClientKillAsync(id: client.Id);

        var fault = await Assert.ThrowsAsync<QueueFaultException>(() => waiting.WaitAsync(Patience));
        Assert.Equal(QueueFault.Unreachable, fault.Fault);
        Assert.InRange(stopwatch.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(5));
        Assert.True(await Task.Run(() => thread.Join(Patience)));
        await Ping(link);
    }

    [Fact]
    public async Task A_silent_Redis_is_told_at_the_deadline()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var link = LinkTo(redis.ConnectionString, TimeSpan.FromMilliseconds(300));
        await Ping(link);
        redis.Process.Freeze();

        var fault = await Assert.ThrowsAsync<QueueFaultException>(() => Ping(link).WaitAsync(Patience));

        redis.Process.Thaw();
        Assert.Equal(QueueFault.Unreachable, fault.Fault);
        await Eventually.TrueAsync(async () => await Answers(link), Patience, "the thawed Redis answers on a new connection");
    }

    [Fact]
    public async Task Nobody_at_the_address_is_told_as_such()
    {
        await using var link = LinkTo($"127.0.0.1:{FreePorts.Next()}", Patience);

        var fault = await Assert.ThrowsAsync<QueueFaultException>(() => Ping(link).WaitAsync(Patience));

        Assert.Equal(QueueFault.Unreachable, fault.Fault);
    }

    [Fact]
    public async Task A_name_and_a_Unix_socket_are_connected_to_as_well()
    {
        var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        await using var redis = await RedisServer.StartAsync(new RedisOptions { Arguments = ["--unixsocket", path] });
        await using var byName = LinkTo($"localhost:{redis.Port}", Patience);
        await using var bySocket = LinkTo("!" + path, Patience);

        await Ping(byName);
        await Ping(bySocket);
    }

    [Fact]
    public async Task Over_TLS_the_certificate_is_checked_and_the_thread_reads_all_the_same()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=redis.example", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("redis.example");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            var (certificateFile, keyFile) = (Path.Combine(folder.FullName, "redis.crt"), Path.Combine(folder.FullName, "redis.key"));
            await File.WriteAllTextAsync(certificateFile, certificate.ExportCertificatePem());
            await File.WriteAllTextAsync(keyFile, key.ExportPkcs8PrivateKeyPem());
            var port = FreePorts.Next();
            await using var redis = await RedisServer.StartAsync(new RedisOptions
            {
                Arguments =
                [
                    "--tls-port", $"{port}", "--tls-cert-file", certificateFile, "--tls-key-file", keyFile,
                    "--tls-ca-cert-file", certificateFile, "--tls-auth-clients", "no",
                ],
            });
            await using var distrustful = LinkTo($"127.0.0.1:{port},ssl=true,sslHost=redis.example", Patience);
            var fault = await Assert.ThrowsAsync<QueueFaultException>(() => Ping(distrustful).WaitAsync(Patience));
            Assert.Equal(QueueFault.Untrusted, fault.Fault);

            // How the client is told of an authority by its surroundings (StackExchange.Redis, Configuration).
            Environment.SetEnvironmentVariable("SERedis_IssuerCertPath", certificateFile);
            await using var trusting = LinkTo($"127.0.0.1:{port},ssl=true,sslHost=redis.example", Patience);
            Assert.Equal("redis-replies", (await ReplyThreadOf(trusting)).Name);
        }
        finally
        {
            Environment.SetEnvironmentVariable("SERedis_IssuerCertPath", null);
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData(nameof(TransportReceiver.OnReceived))]
    [InlineData(nameof(TransportReceiver.OnBatchEnd))]
    [InlineData(nameof(TransportReceiver.OnClosed))]
    public async Task What_the_client_fails_with_on_the_thread_ends_its_connection_alone(string where)
    {
        await using var redis = await RedisServer.StartAsync();
        using var replies = new ReplyThread(Patience);
        var receiver = new FailingReceiver(where);
        await using var transport = await replies.ConnectTransportAsync(
            new IPEndPoint(IPAddress.Loopback, redis.Port), ConnectionType.Interactive, tls: default, CancellationToken.None);
        transport!.Start(receiver);
        transport.Write("PING\r\nQUIT\r\n"u8);
        transport.Flush();

        var thread = await receiver.Ended.WaitAsync(Patience);

        Assert.True(await Task.Run(() => thread.Join(Patience)));
        Assert.Equal(where, Assert.IsType<NotFiniteNumberException>(replies.Failure).Message);
        await using var another = await replies.ConnectTransportAsync(
            new IPEndPoint(IPAddress.Loopback, redis.Port), ConnectionType.Interactive, tls: default, CancellationToken.None);
        Assert.NotNull(another);
    }

    [Fact]
    public async Task Links_that_are_closed_while_they_wait_and_reconnect_end_nothing_but_themselves()
    {
        await using var redis = await RedisServer.StartAsync();
        await using var admin = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString + ",allowAdmin=true");
        var server = admin.GetServer("127.0.0.1", redis.Port);

        for (var round = 0; round < 40; round++)
        {
            var links = Enumerable.Range(0, 5).Select(_ => LinkTo(redis.ConnectionString, TimeSpan.FromMinutes(1))).ToArray();
            await Task.WhenAll(links.Select(Ping));
            var waiting = links.Select(link => link.CallAsync(database => database.ExecuteAsync("BLPOP", ["nothing", 0]))).ToArray();

            // The end of the sockets and that of the links at the same time.
            var killing = Task.WhenAll((await server.ClientListAsync()).Where(client => client.Name == "bridge-test").Select(client => server.ClientKillAsync(id: client.Id)));
            await Task.WhenAll(links.Select(link => link.DisposeAsync().AsTask())).WaitAsync(Patience);
            await killing;

            foreach (var call in waiting)
                await Assert.ThrowsAsync<QueueFaultException>(() => call.WaitAsync(Patience));
        }

        await using var last = LinkTo(redis.ConnectionString, Patience);
        await Ping(last);
    }

    private static RedisLink LinkTo(string connectionString, TimeSpan timeout) =>
        new(connectionString, "bridge-test", timeout, onReplyThread: true);

    private static Task<TimeSpan> Ping(RedisLink link) => link.CallAsync(database => database.PingAsync());

    private static async Task<bool> Answers(RedisLink link)
    {
        try
        {
            await Ping(link);
            return true;
        }
        catch (QueueFaultException)
        {
            return false;
        }
    }

    private static async Task<Thread> ReplyThreadOf(RedisLink link)
    {
        // The first one waits for the connection as well, on whatever thread makes it.
        await Ping(link).ConfigureAwait(false);
        // One that takes its time: what waits for a reply that is there already goes on on the thread pool.
        await link.CallAsync(database => database.ExecuteAsync("BLPOP", ["nothing", "0.05"])).ConfigureAwait(false);
        return Thread.CurrentThread;
    }

    /// <summary>As the client would, were it to throw.</summary>
    private sealed class FailingReceiver(string where) : TransportReceiver
    {
        private readonly TaskCompletionSource<Thread> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<Thread> Ended => _ended.Task;

        public override bool OnReceived(ReadOnlySpan<byte> payload) => Pass(nameof(OnReceived));

        public override void OnBatchEnd() => Pass(nameof(OnBatchEnd));

        public override void OnClosed(Exception? fault)
        {
            _ended.SetResult(Thread.CurrentThread);
            Pass(nameof(OnClosed));
        }

        private bool Pass(string place) => place != where ? true : throw new NotFiniteNumberException(where);
    }
}
