using Bridge.Outcomes;

namespace Bridge.Actors.Tests.Inbound;

/// <summary>An outcome stream whose every append the test answers.</summary>
internal sealed class ScriptedOutcomes : IOutcomeStream
{
    public List<PendingCall<IReadOnlyList<Bounce>, Nothing>> Appends { get; } = [];

    public bool Disposed { get; private set; }

    public Task AppendAsync(IReadOnlyList<Bounce> bounces)
    {
        Appends.Add(new(bounces));
        return Appends[^1].Task;
    }

    public ValueTask DisposeAsync()
    {
        Disposed = true;
        return ValueTask.CompletedTask;
    }
}
