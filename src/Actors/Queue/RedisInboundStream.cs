using Bridge.Inbound;
using Bridge.Settings;
using StackExchange.Redis;

namespace Bridge.Queue;

/// <summary>
/// The stream <c>{q}:inbound</c>, bounded by count, and beside it the list and the channels that the app may want. What an entry
/// says: <see cref="InboundEntry.Fields" />.
/// </summary>
/// <param name="link">A connection of its own, so that a flood does not hold up the queue; disposed with this.</param>
/// <param name="keys">The queue's keys.</param>
/// <param name="settings">The bounds, the list, and whether to publish.</param>
public sealed class RedisInboundStream(RedisLink link, QueueKeys keys, InboundSettings settings) : IInboundStream
{
    private static readonly RedisScript Append = RedisScript.Load("inbound");

    /// <inheritdoc />
    public Task<QueueFaultException?> AppendAsync(IReadOnlyList<InboundEntry> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        // Not on the thread that reads the server's stream, where barriers wait behind it.
        return Task.Run(() => WriteAsync(entries));
    }

    /// <inheritdoc />
    public ValueTask DisposeAsync() => link.DisposeAsync();

    private async Task<QueueFaultException?> WriteAsync(IReadOnlyList<InboundEntry> entries)
    {
        var copies = settings.List is not null || settings.Publish ? new RedisValue[entries.Count] : null;
        var arguments = new List<RedisValue>(2 + (entries.Count * 24)) { settings.MaxEntries, entries[0].Session };
        for (var i = 0; i < entries.Count; i++)
        {
            var fields = entries[i].Fields();
            arguments.Add(entries[i].Number);
            arguments.Add((fields.Count + 1) * 2);
            foreach (var (name, value) in fields)
            {
                arguments.Add(name);
                arguments.Add(value);
            }

            arguments.Add("xml");
            arguments.Add(entries[i].Xml);
            if (copies is not null)
                copies[i] = entries[i].Json(fields);
        }

        (await link.CallAsync(database => database.ExecuteRespAsync(
            "EVAL", Append.Arguments([keys.Inbound], [.. arguments]))).ConfigureAwait(false)).Dispose();
        if (copies is null)
            return null;
        // Behind the stream, which knows what it has: what is repeated for their sake is not doubled there. Keys of other slots, so calls
        // of their own.
        var refused = settings.List is { } list ? await TryAsync(database => PushAsync(database, list, copies), list).ConfigureAwait(false) : null;
        return settings.Publish ? await TryAsync(database => PublishAsync(database, entries, copies)).ConfigureAwait(false) ?? refused : refused;
    }

    // Of the copy alone, and not to be mended here: the stream must not wait for it.
    private async Task<QueueFaultException?> TryAsync(Func<IDatabase, Task<bool>> call, RedisKey key = default)
    {
        try
        {
            await link.CallAsync(call, key: key).ConfigureAwait(false);
            return null;
        }
        catch (QueueFaultException fault) when (fault.Fault is QueueFault.WrongType or QueueFault.Forbidden)
        {
            return fault;
        }
    }

    private async Task<bool> PushAsync(IDatabase database, string list, RedisValue[] copies)
    {
        await Task.WhenAll(
            database.ListRightPushAsync(list, copies),
            database.ListTrimAsync(list, -settings.MaxEntries, -1)).ConfigureAwait(false);
        return true;
    }

    private async Task<bool> PublishAsync(IDatabase database, IReadOnlyList<InboundEntry> entries, RedisValue[] copies)
    {
        var prefix = keys.Queue + ":inbound:";
        var published = new Task[entries.Count];
        for (var i = 0; i < published.Length; i++)
            published[i] = database.PublishAsync(RedisChannel.Literal(prefix + entries[i].LocalPart), copies[i]);
        await Task.WhenAll(published).ConfigureAwait(false);
        return true;
    }
}
