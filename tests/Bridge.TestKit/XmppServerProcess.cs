using System.Net;
using System.Net.Sockets;

namespace Bridge.TestKit;

/// <summary>What the real servers have in common: ports, a process, and the ways to end it.</summary>
public abstract class XmppServerProcess : IXmppServer
{
    private protected static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(20);

    private protected XmppServerProcess(string name, XmppServerOptions options)
    {
        Name = name;
        Options = options;
        Process = new ServerProcess(name);
        ClientPort = FreePorts.Next();
        ComponentPort = FreePorts.Next();
    }

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    public string Domain => Options.Domain;

    /// <inheritdoc/>
    public int ClientPort { get; }

    /// <inheritdoc/>
    public int ComponentPort { get; }

    /// <inheritdoc/>
    public bool ComponentTls => Options.ComponentTls;

    /// <inheritdoc/>
    public IReadOnlyList<string> Components => Options.Components;

    /// <inheritdoc/>
    public string ComponentSecret => Options.ComponentSecret;

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, string> Users => Options.Users;

    /// <inheritdoc/>
    public ServerProcess Process { get; }

    private protected XmppServerOptions Options { get; }

    /// <inheritdoc/>
    public async Task StartAsync()
    {
        Launch();
        await Eventually.TrueAsync(
            async () =>
            {
                if (!Process.IsRunning)
                    throw new InvalidOperationException($"{Name} ended at its start. Its output:\n{Process.Output}");
                return IsUp() && await AcceptsAsync(ClientPort) && await AcceptsAsync(ComponentPort);
            },
            StartTimeout,
            $"{Name} accepts connections",
            () => Process.Output);
    }

    /// <inheritdoc/>
    public async Task StopAsync() => await Process.StopAsync();

    /// <inheritdoc/>
    public Task KillAsync() => Process.KillAsync();

    /// <inheritdoc/>
    public async Task RestartAsync()
    {
        await StopAsync();
        await StartAsync();
    }

    /// <inheritdoc/>
    public Task FreezeAsync() => Process.FreezeAsync();

    /// <inheritdoc/>
    public Task ThawAsync()
    {
        Process.Thaw();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return Process.DisposeAsync();
    }

    /// <inheritdoc/>
    public override string ToString() => Name;

    private protected abstract void Launch();

    private protected virtual bool IsUp() => true;

    private static async ValueTask<bool> AcceptsAsync(int port)
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await probe.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
