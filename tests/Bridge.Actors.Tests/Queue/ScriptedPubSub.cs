using System.Text;
using Bridge.Queue;

namespace Bridge.Actors.Tests.Queue;

/// <summary>A Redis that the test publishes on, and whose every append the test answers.</summary>
internal sealed class ScriptedPubSub : IPubSub
{
    /// <summary>Every life of the subscription.</summary>
    public List<ScriptedSubscription> Lives { get; } = [];

    public List<PendingCall<(LeaseGrant Grant, long Number, string[] Messages), int>> Appends { get; } = [];

    public bool Disposed { get; private set; }

    public IPatternSubscription Subscribe()
    {
        Lives.Add(new ScriptedSubscription());
        return Lives[^1];
    }

    public Task<int> AppendAsync(LeaseGrant grant, long number, IReadOnlyList<ReadOnlyMemory<byte>> messages)
    {
        Appends.Add(new((grant, number, [.. messages.Select(message => Encoding.UTF8.GetString(message.Span))])));
        return Appends[^1].Task;
    }

    public ValueTask DisposeAsync()
    {
        Disposed = true;
        return ValueTask.CompletedTask;
    }
}

/// <summary>One life of a subscription, as the test wants it.</summary>
internal sealed class ScriptedSubscription : IPatternSubscription
{
    private Action<ReadOnlyMemory<byte>>? _heard;
    private Action<string>? _ended;

    public PendingCall<Nothing, Nothing> Listening { get; } = new(default);

    public PendingCall<Nothing, Nothing> Stopping { get; } = new(default);

    /// <summary>Whether it was asked to stop.</summary>
    public bool IsStopping { get; private set; }

    public List<PendingCall<Nothing, Nothing>> Pings { get; } = [];

    public bool Disposed { get; private set; }

    /// <summary>Redis confirms the patterns.</summary>
    public void Listen() => Listening.Answer(default);

    /// <summary>Somebody publishes.</summary>
    public void Hear(params string[] messages)
    {
        foreach (var message in messages)
            _heard!(Encoding.UTF8.GetBytes(message));
    }

    /// <summary>The connection fails.</summary>
    public void End(string cause = "reset") => _ended!(cause);

    public Task ListenAsync(Action<ReadOnlyMemory<byte>> heard, Action<string> ended)
    {
        (_heard, _ended) = (heard, ended);
        return Listening.Task;
    }

    public Task StopAsync()
    {
        IsStopping = true;
        return Stopping.Task;
    }

    public Task PingAsync()
    {
        Pings.Add(new(default));
        return Pings[^1].Task;
    }

    public ValueTask DisposeAsync()
    {
        Disposed = true;
        return ValueTask.CompletedTask;
    }
}
