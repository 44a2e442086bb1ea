namespace Bridge.Outcomes;

/// <summary>What came of carrying replies to their lists.</summary>
/// <param name="Delivered">Replies that are in their lists.</param>
/// <param name="Refused">Replies whose list Redis refused to extend: it holds another type, or Redis is full.</param>
/// <param name="MayBeMore">Whether more lie there.</param>
public readonly record struct ReplyDelivery(int Delivered, int Refused, bool MayBeMore);

/// <summary>The seam between the publisher and Redis.</summary>
public interface IOutcomeStream : IAsyncDisposable
{
    /// <summary>Appends outcomes to the stream, in order.</summary>
    /// <exception cref="Queue.QueueFaultException">For a named reason; some may have been appended.</exception>
    Task AppendAsync(IReadOnlyList<Outcome> outcomes);

    /// <summary>Carries replies that settlements have put down to their lists, the oldest first: each at least once, and only once where no fault strikes.</summary>
    /// <exception cref="Queue.QueueFaultException">For a named reason; some may have been carried.</exception>
    Task<ReplyDelivery> DeliverRepliesAsync();
}
