namespace Bridge.Telemetry;

/// <summary>The mailboxes of one place or group, those that live and, as a number, those that have been. Not thread-safe.</summary>
internal sealed class MailboxSums
{
    private readonly HashSet<MeteredQueue> live = [];
    private long before;

    /// <summary>How many there are.</summary>
    public int Live => live.Count;

    /// <summary>Messages that wait in them.</summary>
    public int Depth => live.Sum(mailbox => mailbox.Count);

    /// <summary>Messages that were taken out of them, ever.</summary>
    public long Received => before + live.Sum(mailbox => mailbox.Received);

    /// <summary>One more.</summary>
    public void Add(MeteredQueue mailbox) => live.Add(mailbox);

    /// <summary>One that is of no use any more; false where it is not known.</summary>
    public bool Remove(MeteredQueue mailbox)
    {
        if (!live.Remove(mailbox))
            return false;
        before += mailbox.Received;
        return true;
    }
}
