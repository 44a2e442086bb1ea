namespace Bridge.Queue;

/// <summary>
/// What the operator wants of a queue. It stands in Redis, in <see cref="QueueKeys.Order" />, so that it holds for every node,
/// whether they form a cluster or not, and outlives them.
/// </summary>
public enum QueueOrder
{
    /// <summary>Deliver. Where the key is absent.</summary>
    Run,

    /// <summary>Take nothing more; finish what is in flight, and stay connected: what users send goes on to reach the app.</summary>
    Pause,

    /// <summary>Take nothing more, finish what is in flight, close the stream and give the queue back; nobody takes it until it is to run again.</summary>
    Drain,
}

/// <summary>Reads and writes the words for a <see cref="QueueOrder" /> in Redis.</summary>
public static class QueueOrders
{
    private const string Pause = "pause";
    private const string Drain = "drain";

    /// <summary>The word; null for <see cref="QueueOrder.Run" />, which is no key at all.</summary>
    public static string? Word(QueueOrder order) => order switch
    {
        QueueOrder.Pause => Pause,
        QueueOrder.Drain => Drain,
        _ => null,
    };

    /// <summary>
    /// The order that a word gives. One that is not known is read as <see cref="QueueOrder.Pause" />: whoever wrote it wanted
    /// something other than to run, and pausing loses nothing.
    /// </summary>
    public static QueueOrder Read(string? word) => word switch
    {
        null => QueueOrder.Run,
        Drain => QueueOrder.Drain,
        _ => QueueOrder.Pause,
    };
}
