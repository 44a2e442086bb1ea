using System.Text;

namespace Bridge.Queue;

/// <summary>
/// The Redis keys of one queue. All of them carry the queue's hash tag, so that Redis Cluster
/// keeps them in one slot and one script may touch them all.
/// </summary>
public sealed record QueueKeys
{
    private QueueKeys(string queue, string tagged)
    {
        Queue = queue;
        Inflight = tagged + ":inflight";
        Runs = tagged + ":runs";
        Lease = tagged + ":lease";
        Confirmed = tagged + ":confirmed";
        Dead = tagged + ":dead";
        Outcomes = tagged + ":outcomes";
        Inbound = tagged + ":inbound";
        Replies = tagged + ":replies";
        Awaiting = tagged + ":awaiting";
        Kept = tagged + ":kept";
        Scheduled = tagged + ":scheduled";
        Seen = tagged + ":seen";
        ScheduledContent = tagged + ":scheduled-content";
        Order = tagged + ":order";
        None = tagged + ":none";
    }

    /// <summary>The key the app pushes to.</summary>
    public string Queue { get; }

    /// <summary>The journal of a list queue: taken and not settled, in order.</summary>
    public string Inflight { get; }

    /// <summary>What the entries of a list queue's journal that were taken together have in common.</summary>
    public string Runs { get; }

    /// <summary>Who owns the queue.</summary>
    public string Lease { get; }

    /// <summary>The confirmed mark and the sequence counter.</summary>
    public string Confirmed { get; }

    /// <summary>The dead-letter stream.</summary>
    public string Dead { get; }

    /// <summary>The outcome stream.</summary>
    public string Outcomes { get; }

    /// <summary>The stream of what users send to the component's addresses.</summary>
    public string Inbound { get; }

    /// <summary>Replies on their way to lists, which may lie in other slots.</summary>
    public string Replies { get; }

    /// <summary>Messages that have left the journal and wait for an answer.</summary>
    public string Awaiting { get; }

    /// <summary>What is sent of those, should it have to be sent again.</summary>
    public string Kept { get; }

    /// <summary>Messages that are sent later, by when they are due.</summary>
    public string Scheduled { get; }

    /// <summary>Ids of the app's own that were seen, by when.</summary>
    public string Seen { get; }

    /// <summary>What is sent of those.</summary>
    public string ScheduledContent { get; }

    /// <summary>What the operator wants of the queue; absent: to run.</summary>
    public string Order { get; }

    /// <summary>
    /// A key in the queue's slot that never exists: deleting it is the first write of every script,
    /// one that also a full Redis allows.
    /// </summary>
    public string None { get; }

    /// <summary>Every key that is derived.</summary>
    public IReadOnlyList<string> All =>
        [Inflight, Runs, Lease, Confirmed, Dead, Outcomes, Inbound, Replies, Awaiting, Kept, Scheduled, ScheduledContent, Seen, Order, None];

    /// <summary>The lease that guards a component domain, whatever queue feeds it.</summary>
    public static string DomainLease(string domain) => "bridge:domain:" + domain;

    /// <summary>
    /// Derives the keys. A queue name with its own hash tag keeps it; any other becomes the tag
    /// (Redis Cluster specification, "Hash tags").
    /// </summary>
    /// <returns>False when the name is empty, longer than 512 bytes, or has an unbalanced or empty brace.</returns>
    public static bool TryCreate(string queue, out QueueKeys? keys, out string? mistake)
    {
        keys = null;
        mistake = null;
        if (string.IsNullOrEmpty(queue))
            mistake = "a queue name must not be empty";
        else if (Encoding.UTF8.GetByteCount(queue) > 512)
            mistake = "a queue name may have 512 bytes at most";
        else if (queue.AsSpan().IndexOfAny('{', '}') < 0)
            keys = new QueueKeys(queue, "{" + queue + "}");
        else
        {
            // Redis hashes what stands between the first '{' and the first '}' behind it; a name
            // whose braces mean anything else would put the keys into different slots.
            var open = queue.IndexOf('{', StringComparison.Ordinal);
            var close = queue.IndexOf('}', StringComparison.Ordinal);
            if (open < 0 || close < open || queue.LastIndexOf('{') != open || queue.LastIndexOf('}') != close)
                mistake = "the braces of a queue name must be one balanced pair";
            else if (close == open + 1)
                mistake = "the braces of a queue name must not be empty";
            else
                keys = new QueueKeys(queue, queue);
        }

        return keys is not null;
    }
}
