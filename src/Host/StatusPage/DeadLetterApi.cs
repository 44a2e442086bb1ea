using System.Collections.Immutable;
using System.Globalization;
using System.Net.Mime;
using System.Text.Json;
using System.Text.Json.Serialization;
using Bridge.Host.Cli;
using Bridge.Host.Configuration;
using Bridge.Host.Hosting;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;

namespace Bridge.Host.StatusPage;

/// <summary>
/// The dead letters of this node's bridges for the status page: to be listed, looked into, put back and thrown away.
/// A connection to Redis of its own for each request, and few at once.
/// </summary>
internal sealed partial class DeadLetterApi(ConfiguredBridges bridges, PageSettings page, ILoggerFactory loggers) : IDisposable
{
    /// <summary>Letters of a page, and ids of one change, at most.</summary>
    public const int Most = 100;

    /// <summary>Bytes of a payload, or of a field, that are shown.</summary>
    public const int MostShown = 64 * 1024;

    private const int MostAtOnce = 4;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow };

    private readonly ILogger logger = loggers.CreateLogger("Bridge.StatusPage");
    private readonly SemaphoreSlim requests = new(MostAtOnce);
    private readonly SemaphoreSlim changes = new(1);

    /// <summary><c>GET /api/dead?bridge=&amp;after=&amp;count=</c>, the newest first; or <c>?bridge=&amp;id=&amp;payload=1</c>, one of them, whole.</summary>
    public Task ListAsync(HttpContext context)
    {
        var query = context.Request.Query;
        var (after, id) = (query["after"].ToString(), query["id"].ToString());
        var payload = query["payload"].ToString();
        var count = 20;
        if ((after.Length > 0 && !IsId(after)) || (id.Length > 0 && !IsId(id)) || payload is not ("" or "1") || (payload == "1" && id.Length == 0)
            || (query["count"].ToString() is { Length: > 0 } text && (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out count) || count is < 1 or > Most)))
            return TellAsync(context, StatusCodes.Status400BadRequest, $"after and id are ids of dead letters, count is 1 to {Most}, payload is 1 and needs an id.");
        if (payload == "1" && !page.Payloads)
            return TellAsync(context, StatusCodes.Status403Forbidden, "Payloads are not shown: bridge.page.payloads is off.");
        return WithAsync(context, query["bridge"].ToString(), async (bridge, letters) =>
        {
            if (id.Length == 0)
            {
                var listed = await letters.ListAsync(count, behind: after.Length == 0 ? null : after);
                await AnswerAsync(context, bridge, await letters.CountAsync(), listed, withPayload: false, listed.Length == count ? listed[^1].Id : null);
            }
            else if (await letters.ShowAsync(id) is { } letter)
                await AnswerAsync(context, bridge, null, [letter], payload == "1", null);
            else
                await TellAsync(context, StatusCodes.Status404NotFound, "There is no such dead letter.");
        });
    }

    /// <summary><c>POST /api/dead/replay</c>: puts back those that are named, or all.</summary>
    public Task ReplayAsync(HttpContext context) => ChangeAsync(context, async (bridge, order, letters) =>
    {
        var done = default(ReplayResult);
        var missing = 0;
        if (order.All)
            done = await letters.ReplayAllAsync();
        foreach (var id in InOrder(order))
        {
            var one = await letters.ReplayAsync(id);
            missing += one == default ? 1 : 0;
            done = new ReplayResult(done.Replayed + one.Replayed, done.WithoutBody + one.WithoutBody);
        }

        LogReplayed(bridge.Name, done.Replayed, Caller(context));
        await context.Response.WriteAsJsonAsync(new { done.Replayed, done.WithoutBody, Missing = missing }, Json);
    });

    /// <summary><c>POST /api/dead/purge</c>: throws away those that are named; or all, where there are as many as the caller thinks.</summary>
    public Task PurgeAsync(HttpContext context) => ChangeAsync(context, async (bridge, order, letters) =>
    {
        if (order.All && await letters.CountAsync() is var there && there != order.Count)
        {
            await TellAsync(context, StatusCodes.Status409Conflict, $"There are {there} dead letters now: count must say so, so that none is thrown away unseen.");
            return;
        }

        var purged = order.All ? await letters.PurgeAllAsync() : 0;
        var missing = 0;
        foreach (var id in InOrder(order))
        {
            if (await letters.PurgeAsync(id))
                purged++;
            else
                missing++;
        }

        LogPurged(bridge.Name, purged, Caller(context));
        await context.Response.WriteAsJsonAsync(new { Purged = purged, Missing = missing }, Json);
    });

    /// <inheritdoc />
    public void Dispose()
    {
        requests.Dispose();
        changes.Dispose();
    }

    private static bool IsId(string? text) =>
        text is { Length: <= 41 } && text.Split('-') is [var time, var number] && IsNumber(time) && IsNumber(number);

    private static bool IsNumber(string text) => ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _);

    // Oldest first, as they were pushed.
    private static IEnumerable<string> InOrder(DeadLetterOrder order) =>
        (order.Ids ?? []).Select(id => (Id: id, Position: EntryPosition.TryParse(id, out var position) ? position : default)).OrderBy(pair => pair.Position).Select(pair => pair.Id);

    private static string Caller(HttpContext context) => context.Connection.RemoteIpAddress?.ToString() ?? "nowhere";

    private static Task TellAsync(HttpContext context, int status, string words)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = MediaTypeNames.Text.Plain;
        return context.Response.WriteAsync(words + "\n");
    }

    private async Task ChangeAsync(HttpContext context, Func<BridgeSettings, DeadLetterOrder, DeadLetters, Task> change)
    {
        if (!page.Changes)
        {
            await TellAsync(context, StatusCodes.Status403Forbidden, "Nothing can be changed here: bridge.page.changes is off.");
            return;
        }

        DeadLetterOrder? order;
        try
        {
            order = await JsonSerializer.DeserializeAsync<DeadLetterOrder>(context.Request.Body, Json, context.RequestAborted);
        }
        catch (JsonException)
        {
            order = null;
        }

        if (order is null || order.All == (order.Ids is { Length: > 0 }) || order.Ids is { Length: > Most } || order.Ids?.All(IsId) == false)
        {
            await TellAsync(context, StatusCodes.Status400BadRequest, $"Give JSON with bridge, and either ids (1 to {Most}) or all.");
            return;
        }

        if (!changes.Wait(0, CancellationToken.None))
        {
            await TellAsync(context, StatusCodes.Status409Conflict, "Another change is under way.");
            return;
        }

        try
        {
            await WithAsync(context, order.Bridge ?? "", (bridge, letters) => change(bridge, order, letters));
        }
        finally
        {
            changes.Release();
        }
    }

    private async Task WithAsync(HttpContext context, string name, Func<BridgeSettings, DeadLetters, Task> act)
    {
        var named = bridges.Current.Where(bridge => name.Length == 0 || bridge.Name == name).ToList();
        if (named.Count != 1)
        {
            await TellAsync(context, StatusCodes.Status404NotFound, "bridge must name one of this node's bridges.");
            return;
        }

        if (!await requests.WaitAsync(Patience, context.RequestAborted))
        {
            await TellAsync(context, StatusCodes.Status503ServiceUnavailable, "Too many ask for dead letters at once.");
            return;
        }

        try
        {
            var queue = named[0].Queue;
            await using var link = new RedisLink(queue, "bridge-page");
            await act(named[0], new DeadLetters(link, queue.Keys, queue.Kind));
        }
        catch (Exception exception) when (exception is QueueFaultException or ArgumentException)
        {
            await TellAsync(context, StatusCodes.Status503ServiceUnavailable, "Redis: " + OneBridge.OneLine(exception.Message));
        }
        finally
        {
            requests.Release();
        }
    }

    private async Task AnswerAsync(HttpContext context, BridgeSettings bridge, long? total, ImmutableArray<DeadLetter> letters, bool withPayload, string? next)
    {
        context.Response.ContentType = MediaTypeNames.Application.Json;
        await using var writer = new Utf8JsonWriter(context.Response.BodyWriter);
        writer.WriteStartObject();
        writer.WriteString("bridge", bridge.Name);
        if (total is { } all)
            writer.WriteNumber("total", all);
        writer.WriteBoolean("payloads", page.Payloads);
        writer.WriteBoolean("changes", page.Changes);
        writer.WriteStartArray("letters");
        foreach (var letter in letters)
            Write(writer, letter, withPayload);
        writer.WriteEndArray();
        writer.WriteString("next", next);
        writer.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter writer, DeadLetter letter, bool withPayload)
    {
        writer.WriteStartObject();
        writer.WriteString("id", letter.Id);
        writer.WriteString("reason", letter.Reason);
        writer.WriteString("detail", letter.Detail);
        writer.WriteNumber("offset", letter.Offset);
        writer.WriteString("position", letter.Position.ToString());
        writer.WriteNumber("attempts", letter.Attempts);
        writer.WriteString("at", letter.At);
        writer.WriteString("takenAt", letter.TakenAt);
        writer.WriteNumber("size", letter.Size);
        if (withPayload)
        {
            var cut = Write(writer, "payload", letter.Payload);
            writer.WriteStartObject("fields");
            foreach (var (name, value) in letter.Fields)
                cut |= Write(writer, name, value);
            writer.WriteEndObject();
            writer.WriteBoolean("cut", cut);
        }

        writer.WriteEndObject();
    }

    /// <summary>As text, with U+FFFD for what is not UTF-8: it is looked at, not used. True where it is longer.</summary>
    private static bool Write(Utf8JsonWriter writer, string name, ReadOnlyMemory<byte> bytes)
    {
        var cut = bytes.Length > MostShown;
        writer.WriteString(name, System.Text.Encoding.UTF8.GetString(bytes.Span[..(cut ? MostShown : bytes.Length)]));
        return cut;
    }

    [LoggerMessage(LogLevel.Information, "Bridge {Bridge}: {Count} dead letters put back by the status page, for {Caller}")]
    private partial void LogReplayed(string bridge, long count, string caller);

    [LoggerMessage(LogLevel.Information, "Bridge {Bridge}: {Count} dead letters thrown away by the status page, for {Caller}")]
    private partial void LogPurged(string bridge, long count, string caller);

    /// <summary>What to put back or throw away.</summary>
    /// <param name="Bridge">Whose; may lack where there is one bridge.</param>
    /// <param name="Ids">Which.</param>
    /// <param name="All">All of them.</param>
    /// <param name="Count">With all, to be thrown away: how many the caller has seen.</param>
    private sealed record DeadLetterOrder(string? Bridge = null, string[]? Ids = null, bool All = false, long? Count = null);
}
