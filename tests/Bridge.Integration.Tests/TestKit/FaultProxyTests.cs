using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Bridge.TestKit;

namespace Bridge.Integration.Tests.TestKit;

public sealed class FaultProxyTests : IAsyncLifetime, IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Silence = TimeSpan.FromMilliseconds(200);

    private readonly TcpListener _target = new(IPAddress.Loopback, FreePorts.Next());
    private readonly List<Socket> _sockets = [];
    private FaultProxy _proxy = null!;

    public Task InitializeAsync()
    {
        _target.Start();
        _proxy = new FaultProxy(((IPEndPoint)_target.LocalEndpoint).Port);
        return Task.CompletedTask;
    }

    public async Task DisposeAsync() => await _proxy.DisposeAsync();

    public void Dispose()
    {
        _target.Dispose();
        _sockets.ForEach(socket => socket.Dispose());
    }

    [Fact]
    public async Task Without_faults_bytes_pass_both_ways_and_are_counted()
    {
        var (client, server) = await ConnectAsync();

        await client.SendAsync(new byte[100_000]);
        await server.SendAsync(new byte[5]);

        Assert.Equal(100_000, await CountAsync(server, 100_000));
        Assert.Equal(5, await CountAsync(client, 5));
        Assert.Equal((1, 1, 100_000, 5), (
            _proxy.Connections, _proxy.OpenConnections, _proxy.Upstream.Bytes, _proxy.Downstream.Bytes));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(70_001)]
    public async Task A_trigger_strikes_at_its_exact_byte(int offset)
    {
        var (client, server) = await ConnectAsync();
        _proxy.Upstream.At(offset, () => _proxy.Upstream.Stalls = true);

        await client.SendAsync(new byte[100_000]);
        Assert.Equal(offset, await CountAsync(server, offset));
        Assert.False(await ReadsAsync(server, Silence));
        _proxy.Upstream.Stalls = false;

        Assert.Equal(100_000 - offset, await CountAsync(server, 100_000 - offset));
    }

    [Theory]
    [InlineData("<a/><b/><a/><a/>tail", "<a/>", 2, 12)]
    [InlineData("<a/><b/><a/><a/>tail", "<a/>", 1, 4)]
    [InlineData("aabaabaab", "aabaab", 1, 6)]
    [InlineData("xaaab", "aab", 1, 5)]
    public async Task A_marker_strikes_behind_its_nth_occurrence_however_it_is_split(string sent, string marker, int nth, int expected)
    {
        foreach (var slice in new int?[] { null, 1, 3 })
        {
            var (client, server) = await ConnectAsync();
            _proxy.Upstream.Slicer = slice;
            var struck = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _proxy.Upstream.AtOccurrence(Encoding.ASCII.GetBytes(marker), nth, () =>
            {
                _proxy.Upstream.Stalls = true;
                struck.SetResult();
            });

            await client.SendAsync(Encoding.ASCII.GetBytes(sent));
            Assert.Equal(expected, await CountAsync(server, expected));
            if (expected < sent.Length)
                Assert.False(await ReadsAsync(server, Silence));
            // What it strikes behind may be read before it has struck.
            await struck.Task.WaitAsync(TimeSpan.FromSeconds(10));
            _proxy.Upstream.Stalls = false;

            Assert.Equal(sent.Length - expected, await CountAsync(server, sent.Length - expected));
        }
    }

    [Fact]
    public async Task A_reset_at_a_byte_reaches_both_sides()
    {
        var (client, server) = await ConnectAsync();
        _proxy.Upstream.At(10, _proxy.ResetPeer);

        await client.SendAsync(new byte[100]);

        Assert.Equal(SocketError.ConnectionReset, await EndAsync(server));
        Assert.Equal(SocketError.ConnectionReset, await EndAsync(client));
        Assert.Equal(10, _proxy.Upstream.Bytes);
    }

    [Fact]
    public async Task A_trigger_that_is_disarmed_never_strikes()
    {
        var (client, server) = await ConnectAsync();
        _proxy.Upstream.At(10, _proxy.ResetPeer);
        _proxy.Upstream.Disarm();

        await client.SendAsync(new byte[100]);

        Assert.Equal(100, await CountAsync(server, 100));
    }

    [Fact]
    public async Task Limited_data_ends_each_connection_behind_it()
    {
        _proxy.Upstream.LimitData(7);
        for (var round = 0; round < 2; round++)
        {
            var (client, server) = await ConnectAsync();
            await client.SendAsync(new byte[100]);
            Assert.Equal(7, await CountAsync(server, 100));
            Assert.Equal(SocketError.Success, await EndAsync(client));
        }
    }

    [Fact]
    public async Task Down_refuses_connections_and_up_takes_them_again()
    {
        _proxy.Down();
        await Assert.ThrowsAsync<SocketException>(ConnectAsync);

        _proxy.Up();
        var (client, server) = await ConnectAsync();

        await client.SendAsync(new byte[3]);
        Assert.Equal(3, await CountAsync(server, 3));
    }

    [Fact]
    public async Task A_black_hole_swallows_both_ways_without_closing()
    {
        var (client, server) = await ConnectAsync();
        _proxy.BlackHole();

        await client.SendAsync(new byte[100]);
        await server.SendAsync(new byte[100]);

        Assert.False(await ReadsAsync(server, Silence));
        Assert.False(await ReadsAsync(client, Silence));
        await Eventually.TrueAsync(
            () => _proxy.Upstream.Bytes == 100 && _proxy.Downstream.Bytes == 100, Patience, "both were swallowed");
    }

    [Fact]
    public async Task Latency_delays_and_keeps_order()
    {
        var (client, server) = await ConnectAsync();
        _proxy.Upstream.Latency(TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(20));

        var started = Stopwatch.GetTimestamp();
        await client.SendAsync("first"u8.ToArray());
        await client.SendAsync("second"u8.ToArray());
        var received = await ReadAsync(server, "firstsecond".Length);

        Assert.True(Stopwatch.GetElapsedTime(started) >= TimeSpan.FromMilliseconds(100));
        Assert.Equal("firstsecond"u8, received);
    }

    [Fact]
    public async Task Bandwidth_and_slices_slow_the_flow_down()
    {
        var (client, server) = await ConnectAsync();
        _proxy.Upstream.BytesPerSecond = 100_000;
        _proxy.Upstream.Slicer = 1_000;

        var started = Stopwatch.GetTimestamp();
        await client.SendAsync(new byte[30_000]);
        Assert.Equal(30_000, await CountAsync(server, 30_000));

        Assert.InRange(Stopwatch.GetElapsedTime(started).TotalSeconds, 0.25, 3);
    }

    [Fact]
    public async Task An_end_of_file_passes_late_with_a_slow_close()
    {
        var (client, server) = await ConnectAsync();
        _proxy.SlowClose = TimeSpan.FromMilliseconds(150);

        client.Shutdown(SocketShutdown.Send);

        Assert.False(await ReadsAsync(server, TimeSpan.FromMilliseconds(50)));
        Assert.Equal(SocketError.Success, await EndAsync(server));
    }

    private async Task<(Socket Client, Socket Server)> ConnectAsync()
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        // Held to the end: a socket that is collected resets its connection.
        _sockets.Add(client);
        await client.ConnectAsync(new IPEndPoint(IPAddress.Loopback, _proxy.Port));
        var server = await _target.AcceptSocketAsync().WaitAsync(Patience);
        _sockets.Add(server);
        return (client, server);
    }

    private static async Task<byte[]> ReadAsync(Socket socket, int count)
    {
        using var limit = new CancellationTokenSource(Patience);
        var bytes = new byte[count];
        var read = 0;
        while (read < count)
        {
            var more = await socket.ReceiveAsync(bytes.AsMemory(read), SocketFlags.None, limit.Token);
            if (more == 0)
                break;
            read += more;
        }

        return bytes[..read];
    }

    private static async Task<int> CountAsync(Socket socket, int count) => (await ReadAsync(socket, count)).Length;

    private static async Task<bool> ReadsAsync(Socket socket, TimeSpan within)
    {
        using var limit = new CancellationTokenSource(within);
        try
        {
            await socket.ReceiveAsync(new byte[1].AsMemory(), SocketFlags.Peek, limit.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private static async Task<SocketError> EndAsync(Socket socket)
    {
        using var limit = new CancellationTokenSource(Patience);
        try
        {
            while (await socket.ReceiveAsync(new byte[100].AsMemory(), SocketFlags.None, limit.Token) > 0)
            {
            }

            return SocketError.Success;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode;
        }
    }
}
