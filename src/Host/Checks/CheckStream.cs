using System.Net.Security;
using System.Net.Sockets;
using System.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Xml;
using System.Xml.Linq;
using Bridge.Connection;
using Bridge.Settings;
using Bridge.Stanzas;

namespace Bridge.Host.Checks;

/// <summary>A stream did not come about or ended; the message says at which step and how.</summary>
/// <param name="message">For the operator.</param>
/// <param name="error">The stream error that the server sent; null where it sent none.</param>
/// <param name="inner">What the platform said.</param>
internal sealed class CheckStreamException(string message, StreamError? error, Exception? inner = null)
    : Exception(message, inner)
{
    /// <summary>The stream error that the server sent.</summary>
    public StreamError? Error { get; } = error;
}

/// <summary>One component stream (XEP-0114) for <c>bridge check</c>: one stanza at a time, nothing in flight.</summary>
internal sealed class CheckStream : IAsyncDisposable
{
    private const string StreamNamespace = "http://etherx.jabber.org/streams";

    private readonly TcpClient client;
    private readonly Stream stream;
    private readonly XmlReader reader;

    private CheckStream(TcpClient client, Stream stream)
    {
        this.client = client;
        this.stream = stream;
        reader = XmlReader.Create(stream, new XmlReaderSettings
        {
            Async = true,
            DtdProcessing = DtdProcessing.Prohibit,
            MaxCharactersInDocument = 16 << 20,
        });
    }

    /// <summary>TCP, and TLS where configured.</summary>
    /// <exception cref="CheckStreamException">It did not come about.</exception>
    public static async Task<CheckStream> ConnectAsync(XmppEndpoint endpoint, XmppSettings settings)
    {
        var client = new TcpClient { NoDelay = true };
        using var deadline = new CancellationTokenSource(settings.ConnectTimeout);
        try
        {
            await client.ConnectAsync(endpoint.Host, endpoint.Port, deadline.Token);
            Stream stream = client.GetStream();
            if (settings.Tls is { } tls)
                stream = await SecureAsync(stream, endpoint, tls, deadline.Token);
            return new CheckStream(client, stream);
        }
        catch (Exception exception) when (exception is SocketException or IOException or OperationCanceledException or System.Security.Authentication.AuthenticationException)
        {
            client.Dispose();
            throw new CheckStreamException(
                exception switch
                {
                    SocketException { SocketErrorCode: SocketError.HostNotFound } => "no such host",
                    SocketException { SocketErrorCode: SocketError.ConnectionRefused } => "nobody listens there",
                    SocketException socket => socket.Message,
                    OperationCanceledException => $"no connection within {settings.ConnectTimeout.TotalSeconds} s",
                    _ => "TLS failed: " + exception.GetBaseException().Message,
                },
                null,
                exception);
        }
    }

    /// <summary>Both stream headers. Gives the stream id.</summary>
    public async Task<string> OpenAsync(XmppSettings settings)
    {
        await WriteAsync(Handshake.StreamHeader(settings.Domain));
        return await WithinAsync(settings.HeaderTimeout, "stream header", async () =>
        {
            while (await reader.ReadAsync())
            {
                if (reader.NodeType != XmlNodeType.Element)
                    continue;
                if (reader.LocalName != "stream" || reader.NamespaceURI != StreamNamespace)
                    throw new CheckStreamException("what answers there is no XMPP server", null);
                var id = reader.GetAttribute("id") ?? "";
                // Prosody names an unknown host in a header without an id, followed by the error.
                if (id.Length == 0)
                    await ReadElementAsync();
                return id;
            }

            throw new CheckStreamException("the connection was closed without a stream header", null);
        });
    }

    /// <summary>The handshake, until the server has accepted it.</summary>
    public async Task HandshakeAsync(string streamId, XmppSettings settings)
    {
        await WriteAsync(Handshake.Proof(streamId, settings.Secret));
        var answer = await WithinAsync(settings.HandshakeTimeout, "answer to the handshake", ReadElementAsync);
        if (answer.Name.LocalName != "handshake")
            throw new CheckStreamException($"the server answered the handshake with <{answer.Name.LocalName}/>", null);
    }

    /// <summary>Writes one iq of type get.</summary>
    public Task AskAsync(string from, string to, string id, string payload) =>
        WriteAsync($"<iq type='get' from='{SecurityElement.Escape(from)}' to='{SecurityElement.Escape(to)}' id='{id}'>{payload}</iq>");

    /// <summary>Writes one message with this much text to the component itself.</summary>
    public Task SendTextAsync(string address, string id, int length) =>
        WriteAsync($"<message type='normal' from='{SecurityElement.Escape(address)}' to='{SecurityElement.Escape(address)}' id='{id}'><body>{new string('x', length)}</body></message>");

    /// <summary>The next stanza.</summary>
    /// <exception cref="CheckStreamException">The stream ended, or none came in time.</exception>
    public Task<XElement> NextAsync(TimeSpan timeout) => WithinAsync(timeout, "stanza", ReadElementAsync);

    /// <summary>Ends the stream properly: our end, then everything up to the server's.</summary>
    public async Task CloseAsync(TimeSpan timeout)
    {
        try
        {
            await WriteAsync("</stream:stream>"u8.ToArray());
            await WithinAsync(timeout, "end of the stream", async () =>
            {
                while (await reader.ReadAsync())
                {
                }

                return true;
            });
        }
        catch (CheckStreamException)
        {
            // Everything was learnt before; the connection goes away either way.
        }
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        client.Dispose();
        reader.Dispose();
        await stream.DisposeAsync();
    }

    private static async Task<SslStream> SecureAsync(Stream plain, XmppEndpoint endpoint, TlsSettings tls, CancellationToken deadline)
    {
        var secure = new SslStream(plain);
        var options = new SslClientAuthenticationOptions { TargetHost = tls.ServerName ?? endpoint.Host };
        if (tls.CaFile is { } file)
        {
            options.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
            };
            options.CertificateChainPolicy.CustomTrustStore.ImportFromPemFile(file);
        }

        await secure.AuthenticateAsClientAsync(options, deadline);
        return secure;
    }

    private async Task<XElement> ReadElementAsync()
    {
        while (await reader.ReadAsync())
        {
            if (reader.NodeType == XmlNodeType.EndElement)
                break;
            if (reader.NodeType != XmlNodeType.Element)
                continue;
            // A reader of the subtree: reading on behind the element would wait for the next stanza.
            using var subtree = reader.ReadSubtree();
            var element = await XElement.LoadAsync(subtree, LoadOptions.None, CancellationToken.None);
            if (element.Name.LocalName == "error" && element.Name.NamespaceName == StreamNamespace)
                throw Ended(element);
            return element;
        }

        throw new CheckStreamException("the server ended the stream without saying why", null);
    }

    private static CheckStreamException Ended(XElement error)
    {
        var condition = error.Elements().FirstOrDefault(child => child.Name.NamespaceName == StreamError.Namespace && child.Name.LocalName != "text");
        var text = error.Elements().FirstOrDefault(child => child.Name.LocalName == "text")?.Value;
        var name = condition?.Name.LocalName ?? "";
        return new CheckStreamException(
            $"the server ended the stream: {(name.Length == 0 ? "no condition" : name)}{(string.IsNullOrEmpty(text) ? "" : $" (\"{text}\")")}",
            new StreamError(StreamError.FromWireName(name), text));
    }

    private Task WriteAsync(string xml) => WriteAsync(Encoding.UTF8.GetBytes(xml));

    private async Task WriteAsync(byte[] bytes)
    {
        try
        {
            await stream.WriteAsync(bytes);
            await stream.FlushAsync();
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException)
        {
            // The server has closed: why, stands in what it wrote before, which is read next. Or what was read last did not come in time.
        }
    }

    private async Task<T> WithinAsync<T>(TimeSpan timeout, string what, Func<Task<T>> read)
    {
        var reading = read();
        try
        {
            return await reading.WaitAsync(timeout);
        }
        catch (TimeoutException exception)
        {
            // The read under way cannot be called back: the stream is of no more use, and with its end the read ends.
            client.Dispose();
            await ((Task)reading).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw new CheckStreamException($"no {what} within {timeout.TotalSeconds} s", null, exception);
        }
        catch (Exception exception) when (exception is IOException or XmlException or ObjectDisposedException)
        {
            throw new CheckStreamException(
                exception is XmlException ? "the stream ended, or what came is no XMPP" : "the connection broke: " + exception.GetBaseException().Message,
                null,
                exception);
        }
    }
}
