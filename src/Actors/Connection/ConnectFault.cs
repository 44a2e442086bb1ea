using Bridge.Settings;

namespace Bridge.Connection;

/// <summary>Why no connection came about: a closed set.</summary>
public enum ConnectFault
{
    /// <summary>Nobody listens there, or a firewall refuses.</summary>
    Refused,

    /// <summary>No route to the address, or the network is down.</summary>
    Unreachable,

    /// <summary>The host name has no address, or the resolver did not answer.</summary>
    NameNotFound,

    /// <summary>Neither answer nor refusal in time; the TLS handshake counts too.</summary>
    TimedOut,

    /// <summary>The peer closed or reset the connection during the TLS handshake, or speaks no TLS.</summary>
    TlsFailed,

    /// <summary>The server's certificate is not trusted, has another name, or has expired.</summary>
    CertificateRejected,

    /// <summary>The file of trusted authorities cannot be read or holds none.</summary>
    CaFileUnusable,

    /// <summary>Something else that the operating system reported.</summary>
    Failed,
}

/// <summary>A connection did not come about.</summary>
/// <param name="fault">Why.</param>
/// <param name="endpoint">Where to.</param>
/// <param name="inner">What the platform said; null where Bridge itself decided.</param>
public sealed class ConnectFaultException(ConnectFault fault, XmppEndpoint endpoint, Exception? inner)
    : Exception($"{endpoint}: {fault}{(inner is null ? "" : ": " + inner.Message)}", inner)
{
    /// <summary>Why.</summary>
    public ConnectFault Fault { get; } = fault;

    /// <summary>Where to.</summary>
    public XmppEndpoint Endpoint { get; } = endpoint;
}
