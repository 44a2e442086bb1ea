using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Bridge.Measuring;

/// <summary>A component's side of XEP-0114, as little of it as a benchmark needs; all calls block.</summary>
public static partial class ComponentStream
{
    public static ReadOnlySpan<byte> End => "</stream:stream>"u8;

    /// <summary>Connects and completes the handshake; what follows on the socket are stanzas.</summary>
    /// <exception cref="InvalidOperationException">The server refused; the message holds its words.</exception>
    public static Socket Connect(int port, string domain, string secret)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            socket.Connect(IPAddress.Loopback, port);
            socket.Send(Encoding.UTF8.GetBytes(
                "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' " +
                $"xmlns:stream='http://etherx.jabber.org/streams' to='{domain}'>"));
            var id = StreamId().Match(ReadUntil(socket, StreamId().IsMatch)).Groups[1].Value;
            socket.Send(Encoding.UTF8.GetBytes($"<handshake>{Digest(id, secret)}</handshake>"));
            ReadUntil(socket, words => words.Contains("<handshake", StringComparison.Ordinal) && words.EndsWith('>'));
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>What proves the secret, in lower-case hexadecimal digits: ejabberd refuses others.</summary>
    public static string Digest(string streamId, string secret)
    {
        // XEP-0114 §3, step 3: SHA-1 is the protocol's choice.
#pragma warning disable CA5350
        return Convert.ToHexStringLower(SHA1.HashData(Encoding.UTF8.GetBytes(streamId + secret)));
#pragma warning restore CA5350
    }

    /// <summary>Reads and drops until the end of the stream or the connection.</summary>
    public static void Drop(Socket socket)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (socket.Receive(buffer) > 0)
            {
                // What a server tells a rival, nobody wants to know. Unread, it would stall the server.
            }
        }
        catch (SocketException)
        {
            // A reset is an end as well.
        }
    }

    private static string ReadUntil(Socket socket, Func<string, bool> complete)
    {
        var buffer = new byte[4096];
        var words = "";
        while (!complete(words))
        {
            var length = words.Contains("<stream:error", StringComparison.Ordinal) ? 0 : socket.Receive(buffer);
            if (length == 0)
                throw new InvalidOperationException($"The server refuses the component: {words}");
            words += Encoding.UTF8.GetString(buffer, 0, length);
        }

        return words;
    }

    [GeneratedRegex("""<stream:stream[^>]*\sid=['"]([^'"]+)['"][^>]*>""")]
    private static partial Regex StreamId();
}
