using Bridge.Queue;

namespace Bridge.Actors.Tests;

/// <summary>A call that the code under test awaits and the test completes by hand; what follows from it happens at once.</summary>
internal sealed class PendingCall<TAsked, TAnswer>(TAsked asked)
{
    private readonly TaskCompletionSource<TAnswer> _completion = new();

    /// <summary>What was asked.</summary>
    public TAsked Asked { get; } = asked;

    public Task<TAnswer> Task => _completion.Task;

    public bool IsDone => _completion.Task.IsCompleted;

    public void Answer(TAnswer answer) => ActorSpec.Inline(() => _completion.SetResult(answer));

    public void Fail(Exception cause) => ActorSpec.Inline(() => _completion.SetException(cause));

    public void Fail(QueueFault fault) => Fail(new QueueFaultException(fault, "as the test wants it"));
}

/// <summary>Nothing to tell.</summary>
internal readonly record struct Nothing;
