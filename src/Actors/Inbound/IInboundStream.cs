using Bridge.Queue;

namespace Bridge.Inbound;

/// <summary>The seam between the publisher and Redis for stanzas to the app.</summary>
public interface IInboundStream : IAsyncDisposable
{
    /// <summary>
    /// Appends entries of one session to the stream, in order, and then to the list and the channels that are wanted. Entries that
    /// the stream has already are not appended to it again, so that a call may be repeated.
    /// </summary>
    /// <returns>Null, or why the list or a channel, which Redis refuses to us, got nothing; the stream has all.</returns>
    /// <exception cref="QueueFaultException">For a named reason; some may have been appended.</exception>
    Task<QueueFaultException?> AppendAsync(IReadOnlyList<InboundEntry> entries);
}
