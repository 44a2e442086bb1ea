using System.Collections.Immutable;
using Bridge.Settings;
using StackExchange.Redis;

namespace Bridge.Queue;

/// <summary>PSUBSCRIBE on a client of its own, which is thrown away with the first failure: by itself it would subscribe again unnoticed.</summary>
/// <remarks>
/// The nodes of a Redis Cluster tell one another what is published, so any of them serves. The client knows one alone: otherwise it would
/// choose, and say that it listens where the one that it has chosen is gone.
/// </remarks>
/// <param name="queue">The Redis, and the deadline of each step.</param>
/// <param name="clientName">Shown by CLIENT LIST.</param>
/// <param name="patterns">At least one.</param>
/// <param name="turn">Where the connection string names several nodes: whose turn it is, counted from 0 round and round.</param>
/// <param name="time">The clock of the deadlines.</param>
public sealed class RedisPatternSubscription(
    QueueSettings queue, string clientName, ImmutableArray<string> patterns, long turn, TimeProvider time) : IPatternSubscription
{
    private CertificateCheck? _certificates;
    private Task<ConnectionMultiplexer>? _connecting;
    private Task _hearing = Task.CompletedTask;

    /// <inheritdoc />
    public async Task ListenAsync(Action<ReadOnlyMemory<byte>> heard, Action<string> ended)
    {
        ArgumentNullException.ThrowIfNull(heard);
        ArgumentNullException.ThrowIfNull(ended);
        try
        {
            var options = Options();
            // A proxy that the connection string names comes first.
            var life = options.Tunnel is null ? new OneLife(alsoToListen: true) : null;
            options.Tunnel ??= life;
            _connecting = ConnectionMultiplexer.ConnectAsync(options);
            var client = await WithinAsync(_connecting).ConfigureAwait(false);
            client.ConnectionFailed += (_, failure) => ended($"{failure.ConnectionType} connection: {failure.FailureType}");
            var subscriber = client.GetSubscriber();
            var channels = patterns.Select(RedisChannel.Pattern).ToArray();
            var queues = await WithinAsync(Task.WhenAll(channels.Select(channel => subscriber.SubscribeAsync(channel)))).ConfigureAwait(false);
            _hearing = Task.WhenAll(queues.Select(messages => HearAsync(messages, heard)));
            // It counts as subscribed where there was no server to say it to.
            if (!channels.All(channel => subscriber.SubscribedEndpoint(channel) is not null && subscriber.IsConnected(channel)))
                throw new QueueFaultException(QueueFault.Unreachable, "The connection failed while the patterns were subscribed to.");
            // Or the client would subscribe once more, and be thrown away while somebody publishes to it.
            life?.Begin(client.GetEndPoints());
        }
        catch (Exception exception) when (exception is not QueueFaultException)
        {
            throw Named(exception);
        }
    }

    /// <inheritdoc />
    public Task StopAsync() => AskAsync(async client =>
    {
        // Its answer comes behind the messages. The client listens to none from the moment at which it asks to unsubscribe.
        await client.GetSubscriber().PingAsync().ConfigureAwait(false);
        await client.GetSubscriber().UnsubscribeAllAsync().ConfigureAwait(false);
        await _hearing.ConfigureAwait(false);
        return true;
    });

    /// <inheritdoc />
    public Task PingAsync() => AskAsync(client => client.GetSubscriber().PingAsync());

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
        var options = RedisLink.ReadOptions(queue.Redis, clientName, queue.CallTimeout, knowsCluster: false);
        // Of a Sentinel they are what names the one.
        if (string.IsNullOrEmpty(options.ServiceName))
        {
            var node = options.EndPoints[(int)(turn % options.EndPoints.Count)];
            options.EndPoints.Clear();
            options.EndPoints.Add(node);
        }

        _certificates = CertificateCheck.AddTo(options, queue.RedisCaFile);
        // Or it would connect again and again, and tell nobody what Redis says about it.
        options.AbortOnConnectFail = true;
        // The connection that listens comes to be behind the other one.
        options.BacklogPolicy = BacklogPolicy.Default;
        return options;
    }

    private QueueFaultException Named(Exception exception) => _certificates?.Refusal is { } refusal
        ? new QueueFaultException(QueueFault.Untrusted, refusal, exception)
        : new QueueFaultException(
            RedisFaults.Classify(exception),
            exception is TimeoutException and not RedisTimeoutException ? $"Redis did not answer within {queue.CallTimeout.TotalSeconds:0.###} s." : exception.Message,
            exception);

    // Each queue is read by itself: the client has one for each pattern.
    private static async Task HearAsync(ChannelMessageQueue messages, Action<ReadOnlyMemory<byte>> heard)
    {
        await foreach (var message in messages.ConfigureAwait(false))
            heard((byte[]?)message.Message ?? []);
    }

    private async Task AskAsync<T>(Func<ConnectionMultiplexer, Task<T>> question)
    {
        if (_connecting is not { IsCompletedSuccessfully: true } connected)
            throw new QueueFaultException(QueueFault.Unreachable, "There is no connection.");
        try
        {
            var client = await connected.ConfigureAwait(false);
            await WithinAsync(question(client)).ConfigureAwait(false);
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
            return await call.WaitAsync(queue.CallTimeout, time).ConfigureAwait(false);
        }
        catch (Exception) when (!call.IsCompleted)
        {
            RedisLink.Abandon(call);
            throw;
        }
    }
}
