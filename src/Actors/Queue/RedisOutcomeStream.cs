using Bridge.Outcomes;
using Bridge.Settings;
using Bridge.Stanzas;
using StackExchange.Redis;

namespace Bridge.Queue;

/// <summary>
/// The outcome stream <c>{q}:outcomes</c>: one entry for each bounce, with the fields <c>ending</c>,
/// <c>id</c>, <c>to</c>, <c>kind</c>, <c>type</c>, <c>condition</c> and <c>text</c>. Bounded by count.
/// </summary>
/// <param name="link">A connection that does not block; its owner is the caller.</param>
/// <param name="keys">The queue's keys.</param>
/// <param name="settings">The bound.</param>
public sealed class RedisOutcomeStream(RedisLink link, QueueKeys keys, OutcomeSettings settings) : IOutcomeStream
{
    /// <inheritdoc />
    public Task AppendAsync(IReadOnlyList<Bounce> bounces) => link.CallAsync(async database =>
    {
        // Issued together and in order; the last reply comes after all the others.
        var batch = new Task[bounces.Count];
        for (var i = 0; i < batch.Length; i++)
            batch[i] = database.StreamAddAsync(keys.Outcomes, Fields(bounces[i]), maxLength: settings.MaxEntries, useApproximateMaxLength: true);
        await Task.WhenAll(batch).ConfigureAwait(false);
        return true;
    });

    /// <inheritdoc />
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static NameValueEntry[] Fields(Bounce bounce) =>
    [
        new("ending", "bounced"),
        new("id", bounce.Id),
        new("to", bounce.From),
        new("kind", bounce.Kind switch
        {
            StanzaKind.Message => "message",
            StanzaKind.Presence => "presence",
            StanzaKind.Iq => "iq",
            _ => "other",
        }),
        new("type", StanzaError.WireName(bounce.Error.Type)),
        new("condition", StanzaError.WireName(bounce.Error.Condition)),
        new("text", bounce.Error.Text ?? ""),
    ];
}
