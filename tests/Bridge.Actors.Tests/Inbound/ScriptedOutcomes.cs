using Bridge.Outcomes;

namespace Bridge.Actors.Tests.Inbound;

/// <summary>An outcome stream whose every append the test answers.</summary>
internal sealed class ScriptedOutcomes : IOutcomeStream
{
    public List<PendingCall<IReadOnlyList<Outcome>, Nothing>> Appends { get; } = [];

    public List<PendingCall<Nothing, ReplyDelivery>> Deliveries { get; } = [];

    /// <summary>How often somebody looked for replies.</summary>
    public int Looks { get; private set; }

    public bool Disposed { get; private set; }

    public Task AppendAsync(IReadOnlyList<Outcome> outcomes)
    {
        Appends.Add(new(outcomes));
        return Appends[^1].Task;
    }

    /// <summary>Whether the test answers deliveries as well; else there is nothing to deliver.</summary>
    public bool HoldsDeliveries { get; init; }

    public Task<ReplyDelivery> DeliverRepliesAsync()
    {
        Looks++;
        if (!HoldsDeliveries)
            return Task.FromResult(default(ReplyDelivery));
        Deliveries.Add(new(default));
        return Deliveries[^1].Task;
    }

    public ValueTask DisposeAsync()
    {
        Disposed = true;
        return ValueTask.CompletedTask;
    }
}
