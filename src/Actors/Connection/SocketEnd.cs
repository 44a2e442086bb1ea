namespace Bridge.Connection;

/// <summary>How the life of a <see cref="ComponentSocket" /> ended: a closed set, by who ended it.</summary>
public enum SocketEnd
{
    /// <summary>The server closed the connection and we had not asked it to. A server that is stopped does just this.</summary>
    RemoteClosed,

    /// <summary>The connection was reset from the other side, or died in the network.</summary>
    RemoteReset,

    /// <summary>A write failed, and the input did not end by itself soon after.</summary>
    WriteFailed,

    /// <summary>What the server sent is no XMPP stream; the connection was reset.</summary>
    Malformed,

    /// <summary>A write was due when the lease's deadline had passed; the connection was reset and unwritten bytes dropped.</summary>
    LeaseExpired,

    /// <summary><see cref="ComponentSocket.ResetNow" /> was called.</summary>
    LocalReset,

    /// <summary>We closed: everything was written and the server then closed its side.</summary>
    Closed,

    /// <summary>Bridge's own code threw while it read or wrote; the connection was reset. The detail names the exception.</summary>
    InternalFault,

    /// <summary>We closed, and the server had not closed its side, or not taken everything, at the deadline.</summary>
    CloseTimedOut,
}
