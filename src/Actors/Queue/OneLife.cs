#pragma warning disable SER009 // Experimental in the client: its version is pinned, and OneLifeTests would notice.
using System.Collections.Frozen;
using System.Net;
using RESPite.Transports;
using StackExchange.Redis;
using StackExchange.Redis.Configuration;

namespace Bridge.Queue;

/// <summary>
/// Lets a client have each of its connections once: what is asked behind the end of one fails, instead of going to whatever answers
/// at that address by then. The client asks for leave before it connects, and so before anything can be written to the new connection.
/// </summary>
/// <remarks>For one client. Until its life begins it may connect as it likes, and later to nodes that were not there then.</remarks>
/// <param name="alsoToListen">Whether that goes for the connection over which comes what is published, where that is another one (RESP2).</param>
internal class OneLife(bool alsoToListen = false) : Tunnel
{
    private volatile FrozenSet<EndPoint>? _nodes;

    /// <summary>From now on no connection to one of these, to which there is one, is made again.</summary>
    public void Begin(IEnumerable<EndPoint> nodes) => _nodes = nodes.ToFrozenSet();

    /// <inheritdoc />
    public override ValueTask<DuplexTransport?> ConnectTransportAsync(
        EndPoint endpoint, ConnectionType connectionType, TlsOptions tls, CancellationToken cancellationToken)
    {
        RequireLife(endpoint, connectionType);
        return default;
    }

    /// <exception cref="ObjectDisposedException">The client had this connection, and lost it. The client takes it for a connect that failed.</exception>
    protected void RequireLife(EndPoint endpoint, ConnectionType connectionType)
    {
        if ((alsoToListen || connectionType == ConnectionType.Interactive) && _nodes?.Contains(endpoint) == true)
            throw new ObjectDisposedException(nameof(ConnectionMultiplexer), "The connection was lost, and its client with it.");
    }
}
