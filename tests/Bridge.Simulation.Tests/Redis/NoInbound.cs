using Bridge.Inbound;
using Bridge.Queue;

namespace Bridge.Simulation.Tests.Redis;

/// <summary>Takes what users send, of which these schedules have nothing.</summary>
internal sealed class NoInbound : IInboundStream
{
    public static readonly NoInbound Instance = new();

    public Task<QueueFaultException?> AppendAsync(IReadOnlyList<InboundEntry> entries) => Task.FromResult<QueueFaultException?>(null);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
