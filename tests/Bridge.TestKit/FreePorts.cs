using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Bridge.TestKit;

/// <summary>
/// Loopback TCP ports that stay free for as long as this process lives: none is handed out twice, and no
/// other test process that asks here gets the same one, so a server may come back on its port after a stop.
/// </summary>
/// <remarks>
/// A port counts as taken by whoever has bound the UDP port of that number: a claim that ends with its
/// process, however it ends, and needs no file. The ports lie below the range from which the kernel gives
/// ports to outgoing connections, so none of those can sit on it while its server is down.
/// </remarks>
public static class FreePorts
{
    private const int Lowest = 10_000;

    private static readonly Lock Gate = new();
    private static readonly List<Socket> Claims = [];

    /// <summary>A port that nothing listens on, ours until this process ends.</summary>
    /// <exception cref="InvalidOperationException">No port is left in the range.</exception>
    public static int Next()
    {
        var end = FirstEphemeralPort();
        var start = Random.Shared.Next(Lowest, end);
        lock (Gate)
        {
            for (var step = 0; step < end - Lowest; step++)
            {
                var port = Lowest + ((start - Lowest + step) % (end - Lowest));
                if (TryClaim(port))
                    return port;
            }
        }

        throw new InvalidOperationException($"No free port between {Lowest} and {end}.");
    }

    private static bool TryClaim(int port)
    {
        var claim = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            claim.ExclusiveAddressUse = true;
            claim.Bind(new IPEndPoint(IPAddress.Loopback, port));
            using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            probe.Bind(new IPEndPoint(IPAddress.Any, port));
            Claims.Add(claim);
            return true;
        }
        catch (SocketException)
        {
            claim.Dispose();
            return false;
        }
    }

    private static int FirstEphemeralPort()
    {
        const int usual = 32_768;
        const string range = "/proc/sys/net/ipv4/ip_local_port_range";
        if (!File.Exists(range))
            return usual;
        var first = File.ReadAllText(range).Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[0];
        var parsed = int.Parse(first, CultureInfo.InvariantCulture);
        return parsed > Lowest + 1_000 ? parsed : usual;
    }
}
