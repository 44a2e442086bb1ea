using System.Net.Sockets;
using Bridge.TestKit;

namespace Bridge.Chaos.Running;

/// <summary>A second component and two users at a real server, who come back whenever it does.</summary>
internal sealed class Recipients : IAsyncDisposable
{
    private static readonly TimeSpan RetryEvery = TimeSpan.FromMilliseconds(50);

    private readonly CancellationTokenSource _leaving = new();
    private readonly Dictionary<string, bool> _here = [];
    private readonly Task _staying;

    public Recipients(IXmppServer server, string sinkDomain, Action<ReceivedStanza, string> arrived)
    {
        List<(string Name, Func<Task<XmppPeer>> Join)> all = [("sink", async () => await XmppComponentPeer.ConnectAsync(server, sinkDomain))];
        foreach (var user in server.Users.Keys)
            all.Add((user, async () => await XmppUser.LoginAsync(server, user)));
        foreach (var (name, _) in all)
            _here[name] = false;
        _staying = Task.WhenAll(all.Select(one => StayAsync(one.Name, one.Join, arrived)));
    }

    /// <summary>Waits until all of them are connected.</summary>
    public Task AllHereAsync(TimeSpan timeout) => Eventually.TrueAsync(
        () =>
        {
            lock (_here)
                return _here.Values.All(here => here);
        },
        timeout,
        "the recipients are logged in",
        () =>
        {
            lock (_here)
                return string.Join(", ", _here.Where(one => !one.Value).Select(one => one.Key + " is not"));
        });

    public async ValueTask DisposeAsync()
    {
        await _leaving.CancelAsync();
        await _staying;
        _leaving.Dispose();
    }

    private async Task StayAsync(string name, Func<Task<XmppPeer>> join, Action<ReceivedStanza, string> arrived)
    {
        using var ticks = new PeriodicTimer(RetryEvery);
        while (!_leaving.IsCancellationRequested)
        {
            try
            {
                await using var peer = await join();
                peer.Received.Observe(stanza => arrived(stanza, name));
                peer.Received.Keeps = false;
                Set(name, true);
                Task ended = peer.Ended.WaitAsync(_leaving.Token);
                await ended.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (Exception e) when (e is SocketException or IOException or InvalidOperationException or OperationCanceledException or TimeoutException)
            {
                // The server is down, starts, or has not noticed the end of the stream before.
            }

            Set(name, false);
            Task tick = ticks.WaitForNextTickAsync(_leaving.Token).AsTask();
            await tick.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private void Set(string name, bool here)
    {
        lock (_here)
            _here[name] = here;
    }
}
