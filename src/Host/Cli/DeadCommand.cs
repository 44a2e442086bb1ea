using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Bridge.Host.Hosting;
using Bridge.Outcomes;
using Bridge.Queue;

namespace Bridge.Host.Cli;

/// <summary><c>bridge dead list|show|replay|purge</c>: what could not be sent, and what to do with it. Works beside a running Bridge.</summary>
internal static class DeadCommand
{
    private const int Columns = 60;

    // Readable in a terminal; it is not put into HTML.
    private static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static Command Create() =>
        new("dead", "Look at what could not be sent, put it back onto the queue, or throw it away.")
        {
            CreateList(),
            CreateShow(),
            CreateReplay(),
            CreatePurge(),
        };

    private static Command CreateList()
    {
        var count = new Option<int>("--count", "-n") { Description = "Letters at most.", DefaultValueFactory = _ => 20 };
        count.Validators.Add(option =>
        {
            if (option.GetValueOrDefault<int>() is < 1 or > 100_000)
                option.AddError("--count must be 1 to 100000.");
        });
        var oldest = new Option<bool>("--oldest") { Description = "The oldest first; else the newest." };
        var behind = new Option<string?>("--behind") { Description = "Go on behind this id, the last one of the page before.", HelpName = "ID" };
        var json = CreateJson();
        var command = new Command("list", "List dead letters: id, when, reason, attempts, size, the payload's beginning.") { count, oldest, behind, json };
        return Acting(command, async (letters, result) =>
        {
            var output = result.InvocationConfiguration.Output;
            var page = await letters.ListAsync(result.GetValue(count), !result.GetValue(oldest), result.GetValue(behind));
            if (result.GetValue(json))
            {
                foreach (var letter in page)
                    await output.WriteLineAsync(ToJson(letter));
                return ExitCodes.Done;
            }

            var total = await letters.CountAsync();
            await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{total} dead letters, {page.Length} shown"));
            foreach (var letter in page)
                await output.WriteLineAsync(string.Create(
                    CultureInfo.InvariantCulture,
                    $"{letter.Id,-18} {Time(letter.At)} {letter.Reason,-20} {letter.Attempts,2}x {letter.Size,8} B  {Beginning(letter)}"));
            return ExitCodes.Done;
        });
    }

    private static Command CreateShow()
    {
        var id = new Argument<string>("id") { Description = "Id of the dead letter, as `list` shows it." };
        var json = CreateJson();
        var raw = new Option<bool>("--raw") { Description = "Write the payload alone, byte for byte." };
        var command = new Command("show", "Show one dead letter whole.") { id, json, raw };
        return Acting(command, async (letters, result) =>
        {
            var output = result.InvocationConfiguration.Output;
            if (await letters.ShowAsync(result.GetRequiredValue(id)) is not { } letter)
                return await NoneAsync(result, result.GetRequiredValue(id));
            if (result.GetValue(raw))
            {
                await using var standard = Console.OpenStandardOutput();
                await standard.WriteAsync(letter.Payload);
                return ExitCodes.Done;
            }

            if (result.GetValue(json))
            {
                await output.WriteLineAsync(ToJson(letter));
                return ExitCodes.Done;
            }

            await output.WriteLineAsync($"id         {letter.Id}");
            await output.WriteLineAsync($"reason     {letter.Reason}");
            if (letter.Detail.Length > 0)
                await output.WriteLineAsync($"detail     {OneBridge.OneLine(letter.Detail)}");
            if (letter.Offset >= 0)
                await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"offset     {letter.Offset}"));
            await output.WriteLineAsync($"at         {Time(letter.At)}");
            await output.WriteLineAsync($"taken at   {Time(letter.TakenAt)}");
            await output.WriteLineAsync($"position   {letter.Position}");
            await output.WriteLineAsync($"stanza id  {letter.GeneratedId}");
            await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"attempts   {letter.Attempts}"));
            await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"size       {letter.Size} B"));
            await output.WriteLineAsync();
            foreach (var (name, value) in letter.Fields)
                await output.WriteLineAsync($"{OneBridge.OneLine(name)}: {OneBridge.OneLine(Encoding.UTF8.GetString(value.Span))}");
            if (letter.Fields.IsEmpty)
                await output.WriteLineAsync(OneBridge.OneLine(Encoding.UTF8.GetString(letter.Payload.Span)));
            return ExitCodes.Done;
        });
    }

    private static Command CreateReplay()
    {
        var ids = CreateIds();
        var all = new Option<bool>("--all") { Description = "All that are there when it begins, oldest first." };
        var json = Tables.JsonOption("A JSON object: replayed, withoutBody, missing.");
        var command = new Command("replay", "Put dead letters back at the queue's end, and take them from the dead letters.") { ids, all, json };
        RequireOneOf(command, ids, all);
        return Acting(command, async (letters, result) =>
        {
            var sum = default(ReplayResult);
            List<string> missing = [];
            if (result.GetValue(all))
                sum = await letters.ReplayAllAsync();
            foreach (var id in result.GetValue(ids) ?? [])
            {
                var done = await letters.ReplayAsync(id);
                if (done == default)
                {
                    missing.Add(id);
                    await NoneAsync(result, id);
                }

                sum = new ReplayResult(sum.Replayed + done.Replayed, sum.WithoutBody + done.WithoutBody);
            }

            await TellAsync(
                result,
                json,
                new { sum.Replayed, sum.WithoutBody, missing },
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"{sum.Replayed} put back{(sum.WithoutBody > 0 ? $", {sum.WithoutBody} left, because their payload is gone or does not fit the queue's kind" : "")}"));
            return missing.Count > 0 || sum.WithoutBody > 0 ? ExitCodes.Failed : ExitCodes.Done;
        });
    }

    private static Command CreatePurge()
    {
        var ids = CreateIds();
        var all = new Option<bool>("--all") { Description = "All of them." };
        var yes = new Option<bool>("--yes") { Description = "Do it: they are lost for good. Without it the command only says what it would do." };
        var json = Tables.JsonOption("A JSON object: purged, missing; without --yes wouldPurge.");
        var command = new Command("purge", "Throw dead letters away for good.") { ids, all, yes, json };
        RequireOneOf(command, ids, all);
        return Acting(command, async (letters, result) =>
        {
            var given = result.GetValue(ids) ?? [];
            if (!result.GetValue(yes))
            {
                var count = result.GetValue(all) ? await letters.CountAsync() : given.Length;
                await TellAsync(
                    result, json, new { wouldPurge = count }, string.Create(CultureInfo.InvariantCulture, $"would throw away {count} dead letters for good; give --yes to do it"));
                return ExitCodes.Failed;
            }

            var purged = result.GetValue(all) ? await letters.PurgeAllAsync() : 0;
            List<string> missing = [];
            foreach (var id in given)
            {
                if (await letters.PurgeAsync(id))
                    purged++;
                else
                {
                    missing.Add(id);
                    await NoneAsync(result, id);
                }
            }

            await TellAsync(result, json, new { purged, missing }, string.Create(CultureInfo.InvariantCulture, $"{purged} thrown away"));
            return missing.Count > 0 ? ExitCodes.Failed : ExitCodes.Done;
        });
    }

    /// <summary>Connects the command to one queue.</summary>
    private static Command Acting(Command command, Func<DeadLetters, ParseResult, Task<int>> act) =>
        OneBridge.Act(command, "Whose dead letters, where several bridges are configured.", async (bridge, result, _) =>
        {
            var queue = bridge.Queue;
            await using var link = new RedisLink(queue, "bridge-dead");
            return await act(new DeadLetters(link, queue.Keys, queue.Kind), result);
        });

    private static Option<bool> CreateJson() => Tables.JsonOption("One JSON object per line.");

    private static Argument<string[]> CreateIds() => new("id")
    {
        Description = "Ids of dead letters, as `list` shows them.",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private static void RequireOneOf(Command command, Argument<string[]> ids, Option<bool> all) =>
        command.Validators.Add(result =>
        {
            var some = result.GetValue(ids) is { Length: > 0 };
            if (some == result.GetValue(all))
                result.AddError("Give either ids or --all.");
        });

    private static Task TellAsync(ParseResult result, Option<bool> json, object facts, string words) => result.InvocationConfiguration.Output.WriteLineAsync(
        result.GetValue(json) ? JsonSerializer.Serialize(facts, StatusReport.JsonLine) : words);

    private static async Task<int> NoneAsync(ParseResult result, string id)
    {
        await result.InvocationConfiguration.Error.WriteLineAsync($"bridge: there is no dead letter {OneBridge.OneLine(id)}");
        return ExitCodes.Failed;
    }

    private static string ToJson(DeadLetter letter)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, Readable))
        {
            writer.WriteStartObject();
            writer.WriteString("id", letter.Id);
            writer.WriteString("reason", letter.Reason);
            writer.WriteString("detail", letter.Detail);
            writer.WriteNumber("offset", letter.Offset);
            writer.WriteString("position", letter.Position.ToString());
            writer.WriteString("stanzaId", letter.GeneratedId);
            writer.WriteNumber("attempts", letter.Attempts);
            writer.WriteString("at", Time(letter.At));
            writer.WriteString("takenAt", Time(letter.TakenAt));
            writer.WriteNumber("size", letter.Size);
            WriteBytes(writer, "payload", letter.Payload.Span);
            if (!letter.Fields.IsEmpty)
            {
                writer.WriteStartObject("fields");
                foreach (var (name, value) in letter.Fields)
                    WriteBytes(writer, name, value.Span);
                writer.WriteEndObject();
            }

            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    /// <summary>As text where it is UTF-8; else under the name with <c>Base64</c> behind it, so that nothing is altered.</summary>
    private static void WriteBytes(Utf8JsonWriter writer, string name, ReadOnlySpan<byte> bytes)
    {
        if (System.Text.Unicode.Utf8.IsValid(bytes))
            writer.WriteString(name, bytes);
        else
            writer.WriteBase64String(name + "Base64", bytes);
    }

    private static string Beginning(DeadLetter letter)
    {
        var text = OneBridge.OneLine(letter.Fields.IsEmpty
            ? Encoding.UTF8.GetString(letter.Payload.Span)
            : string.Join(", ", letter.Fields.Select(field => field.Key + "=" + Encoding.UTF8.GetString(field.Value.Span))));
        return text.Length <= Columns ? text : text[..Columns] + "…";
    }

    private static string Time(DateTimeOffset time) => time.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
}
