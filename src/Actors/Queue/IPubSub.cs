namespace Bridge.Queue;

/// <summary>
/// The seam between the intake and Redis: hears what is published, best effort, and appends it to the list. Calls have their own
/// deadline and throw <see cref="QueueFaultException" />.
/// </summary>
public interface IPubSub : IAsyncDisposable
{
    /// <summary>A subscription that has not begun; whoever asked for it disposes it.</summary>
    IPatternSubscription Subscribe();

    /// <summary>
    /// Appends messages to the end of the list, in this order, as many as there is room for. Said again with the same number
    /// it appends nothing, and tells what it did the first time.
    /// </summary>
    /// <param name="grant">The lease, without which nothing is appended.</param>
    /// <param name="number">Rises from batch to batch under one lease.</param>
    /// <param name="messages">At least one, at most <see cref="IntakeBuffer.BatchMessages" />.</param>
    /// <returns>How many of them, from the first on, are in the list.</returns>
    /// <exception cref="QueueFaultException"><see cref="QueueFault.LeaseLost" /> when the lease is no longer the grant's.</exception>
    Task<int> AppendAsync(LeaseGrant grant, long number, IReadOnlyList<ReadOnlyMemory<byte>> messages);
}

/// <summary>One life of a subscription: it ends with the first failure of its connection, and does not begin again.</summary>
public interface IPatternSubscription : IAsyncDisposable
{
    /// <summary>Completes once Redis has confirmed every pattern: from then on nothing is missed until the subscription ends.</summary>
    /// <param name="heard">
    /// Gets what is published, from any thread: in order for each pattern; what two patterns hear within the same moment may change places.
    /// </param>
    /// <param name="ended">Told, from any thread and perhaps more than once, that its connection failed, with the cause.</param>
    Task ListenAsync(Action<ReadOnlyMemory<byte>> heard, Action<string> ended);

    /// <summary>
    /// Listens no more; completes once everything that was published before the call was heard. What is published within the
    /// round trip in which Redis learns of it is lost.
    /// </summary>
    Task StopAsync();

    /// <summary>A round trip on the connection that it listens on. A Redis that is frozen or silently gone is noticed by nothing else.</summary>
    Task PingAsync();
}
