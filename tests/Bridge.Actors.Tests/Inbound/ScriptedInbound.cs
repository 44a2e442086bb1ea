using Bridge.Inbound;
using Bridge.Queue;

namespace Bridge.Actors.Tests.Inbound;

/// <summary>An inbound stream whose every append the test answers.</summary>
internal sealed class ScriptedInbound : IInboundStream
{
    public List<PendingCall<IReadOnlyList<InboundEntry>, QueueFaultException?>> Appends { get; } = [];

    public bool Disposed { get; private set; }

    public Task<QueueFaultException?> AppendAsync(IReadOnlyList<InboundEntry> entries)
    {
        Appends.Add(new(entries));
        return Appends[^1].Task;
    }

    public ValueTask DisposeAsync()
    {
        Disposed = true;
        return ValueTask.CompletedTask;
    }
}
