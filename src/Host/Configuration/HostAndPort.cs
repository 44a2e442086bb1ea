using System.Globalization;
using System.Net;

namespace Bridge.Host.Configuration;

/// <summary>Addresses written as <c>host:port</c>, an IPv6 address in brackets.</summary>
internal static class HostAndPort
{
    /// <summary>Splits an address. The port must be there, 0 to 65535.</summary>
    public static bool TryParse(string text, out string host, out int port)
    {
        host = "";
        port = 0;
        var colon = text.LastIndexOf(':');
        if (colon <= 0
            || !int.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port)
            || port > 65535)
            return false;
        host = text[..colon];
        if (host.StartsWith('[') && host.EndsWith(']'))
        {
            host = host[1..^1];
            return IPAddress.TryParse(host, out var address) && address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6;
        }

        return Uri.CheckHostName(host) is UriHostNameType.Dns or UriHostNameType.IPv4;
    }

    /// <summary>Whether this is an IP address in full: "9181" alone is one to <see cref="IPAddress" /> (0.0.35.221).</summary>
    public static bool IsIPAddress(string text) =>
        IPAddress.TryParse(text, out _) && (text.Contains(':', StringComparison.Ordinal) || text.Count(c => c == '.') == 3);

    /// <summary>Whether the host is this machine itself, by its name or number alone (RFC 6761 §6.3).</summary>
    public static bool IsLoopback(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));
}
