namespace Bridge.Outcomes;

/// <summary>The way to a queue's outcome stream in Redis, <c>{q}:outcomes</c>.</summary>
public interface IOutcomeStream : IAsyncDisposable
{
    /// <summary>
    /// Appends bounces, in order, and trims the stream to its bound. Calls have their own deadline; a
    /// repeated call after an unknown end may append twice.
    /// </summary>
    /// <exception cref="Queue.QueueFaultException">For a named reason.</exception>
    Task AppendAsync(IReadOnlyList<Bounce> bounces);
}
