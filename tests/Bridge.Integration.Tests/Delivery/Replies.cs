using System.Text.Json;
using Bridge.Outcomes;
using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Integration.Tests.Delivery;

/// <summary>How an app learns of an outcome in the same request: it names a list, pushes, and waits there.</summary>
internal static class Replies
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>Pushes an envelope whose last brace is missing, and answers the list that it names.</summary>
    public static async Task<string> PushForReplyAsync(this DeliveryTrial trial, string envelope)
    {
        var list = OutcomeTicket.ReplyKeyPrefix + Guid.NewGuid().ToString("N");
        await trial.PushPayloadAsync($$"""{{envelope}},"replyTo":"{{list}}"}""");
        return list;
    }

    /// <summary>Waits for the reply.</summary>
    public static async Task<JsonElement> ReplyAsync(this DeliveryTrial trial, string list)
    {
        RedisValue reply = default;
        await Eventually.TrueAsync(async () => !(reply = await trial.App.ListLeftPopAsync(list)).IsNull, Patience, "a reply");
        return JsonDocument.Parse((string)reply!).RootElement;
    }

    /// <summary>What a reply says.</summary>
    public static string? Text(this JsonElement reply, string name) => reply.GetProperty(name).GetString();
}
