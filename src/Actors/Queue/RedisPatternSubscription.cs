using System.Collections.Immutable;
using StackExchange.Redis;

namespace Bridge.Queue;

/// <summary>PSUBSCRIBE on a client of its own, which is thrown away with the first failure: by itself it would subscribe again unnoticed.</summary>
/// <param name="connectionString">A StackExchange.Redis connection string; never logged.</param>
/// <param name="clientName">Shown by CLIENT LIST.</param>
/// <param name="patterns">At least one.</param>
/// <param name="callTimeout">Deadline of each step.</param>
/// <param name="time">The clock of the deadlines.</param>
public sealed class RedisPatternSubscription(
    string connectionString, string clientName, ImmutableArray<string> patterns, TimeSpan callTimeout, TimeProvider time) : IPatternSubscription
{
    private Task<ConnectionMultiplexer>? _connecting;
    private Task _hearing = Task.CompletedTask;

    /// <inheritdoc />
    public async Task ListenAsync(Action<ReadOnlyMemory<byte>> heard, Action<string> ended)
    {
        ArgumentNullException.ThrowIfNull(heard);
        ArgumentNullException.ThrowIfNull(ended);
        try
        {
            _connecting = ConnectionMultiplexer.ConnectAsync(Options());
            var client = await WithinAsync(_connecting).ConfigureAwait(false);
            client.ConnectionFailed += (_, failure) => ended($"{failure.ConnectionType} connection: {failure.FailureType}");
            var subscriber = client.GetSubscriber();
            var channels = patterns.Select(RedisChannel.Pattern).ToArray();
            var queues = await WithinAsync(Task.WhenAll(channels.Select(channel => subscriber.SubscribeAsync(channel)))).ConfigureAwait(false);
            _hearing = Task.WhenAll(queues.Select(queue => HearAsync(queue, heard)));
            // It counts as subscribed where there was no server to say it to.
            if (!channels.All(subscriber.IsConnected))
                throw new QueueFaultException(QueueFault.Unreachable, "The connection failed while the patterns were subscribed to.");
        }
        catch (Exception exception) when (exception is not QueueFaultException)
        {
            throw Named(exception);
        }
    }

    /// <inheritdoc />
    public Task StopAsync() => AskAsync(async subscriber =>
    {
        // Its answer comes behind the messages. The client listens to none from the moment at which it asks to unsubscribe.
        await subscriber.PingAsync().ConfigureAwait(false);
        await subscriber.UnsubscribeAllAsync().ConfigureAwait(false);
        await _hearing.ConfigureAwait(false);
        return true;
    });

    /// <inheritdoc />
    public Task PingAsync() => AskAsync(subscriber => subscriber.PingAsync());

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        if (_connecting is null)
            return;
        ConnectionMultiplexer client;
        try
        {
            client = await _connecting.ConfigureAwait(false);
        }
        catch (Exception e) when (e is RedisException or TimeoutException or ObjectDisposedException)
        {
            // It never came to be, of which whoever listened was told.
            return;
        }

        await client.CloseAsync(allowCommandsToComplete: false).ConfigureAwait(false);
        await client.DisposeAsync().ConfigureAwait(false);
    }

    private ConfigurationOptions Options()
    {
        var options = RedisLink.ReadOptions(connectionString, clientName, callTimeout);
        // Or it would connect again and again, and tell nobody what Redis says about it.
        options.AbortOnConnectFail = true;
        // The connection that listens comes to be behind the other one.
        options.BacklogPolicy = BacklogPolicy.Default;
        return options;
    }

    private QueueFaultException Named(Exception exception) => new(
        RedisFaults.Classify(exception),
        exception is TimeoutException and not RedisTimeoutException ? $"Redis did not answer within {callTimeout.TotalSeconds:0.###} s." : exception.Message,
        exception);

    // Each queue is read by itself: the client has one for each pattern.
    private static async Task HearAsync(ChannelMessageQueue queue, Action<ReadOnlyMemory<byte>> heard)
    {
        await foreach (var message in queue.ConfigureAwait(false))
            heard((byte[]?)message.Message ?? []);
    }

    private async Task AskAsync<T>(Func<ISubscriber, Task<T>> question)
    {
        if (_connecting is not { IsCompletedSuccessfully: true } connected)
            throw new QueueFaultException(QueueFault.Unreachable, "There is no connection.");
        try
        {
            var client = await connected.ConfigureAwait(false);
            await WithinAsync(question(client.GetSubscriber())).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            throw Named(exception);
        }
    }

    private async Task<T> WithinAsync<T>(Task<T> call)
    {
        try
        {
            return await call.WaitAsync(callTimeout, time).ConfigureAwait(false);
        }
        catch (Exception) when (!call.IsCompleted)
        {
            RedisLink.Abandon(call);
            throw;
        }
    }
}
