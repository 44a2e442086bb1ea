using System.Buffers;
using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Bridge.Host.Configuration;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;
using StackExchange.Redis;

namespace Bridge.Host.Cli;

/// <summary><c>bridge send</c>: pushes one message as an app does, waits for its outcome and tells it. Needs a Bridge that runs.</summary>
internal static class SendCommand
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromHours(1);

    public static Command Create()
    {
        var to = new Argument<string?>("to") { Description = "The recipient; not with --stanza.", Arity = ArgumentArity.ZeroOrOne };
        var body = new Argument<string?>("body") { Description = "The text.", Arity = ArgumentArity.ZeroOrOne };
        var subject = new Option<string?>("--subject") { Description = "The subject.", HelpName = "TEXT" };
        var type = new Option<string?>("--type") { Description = "chat, normal, headline or groupchat.", HelpName = "TYPE" };
        var from = new Option<string?>("--from") { Description = "The sender; else stanza.default-from.", HelpName = "JID" };
        var id = new Option<string?>("--id") { Description = "The stanza id; else one is made.", HelpName = "ID" };
        var xml = new Option<string[]>("--xml") { Description = "A further element of the message. Repeatable.", HelpName = "XML", AllowMultipleArgumentsPerToken = false };
        var ttl = new Option<double?>("--ttl") { Description = "Seconds after which it is not sent any more.", HelpName = "SECONDS" };
        var notBefore = new Option<string?>("--not-before") { Description = "When it is sent, at the earliest: RFC 3339 or Unix time.", HelpName = "TIME" };
        var receipt = new Option<bool>("--receipt") { Description = "Ask the recipient's client for a receipt, and wait for it." };
        var timeout = new Option<double?>("--timeout") { Description = "Seconds that the receipt, or the answer to a request, is waited for.", HelpName = "SECONDS" };
        var stanza = new Option<string?>("--stanza") { Description = "A whole stanza in place of recipient and text, such as an iq.", HelpName = "XML" };
        var wait = new Option<string>("--wait")
        {
            Description = "How long to wait for the outcome, with its unit; 0s: not at all.",
            HelpName = "TIME",
            DefaultValueFactory = _ => "15s",
        };
        wait.Validators.Add(option =>
        {
            if (!Quantity.TryDuration(option.GetValueOrDefault<string>() ?? "", out var time) || time > LongestWait)
                option.AddError("--wait must be a duration with its unit, 1h at most, such as 15s.");
        });
        var json = Tables.JsonOption("The outcome as it came, a JSON object.");
        var command = new Command("send", "Push a message onto the queue, wait for its outcome and tell it.")
        {
            to, body, subject, type, from, id, xml, ttl, notBefore, receipt, timeout, stanza, wait, json,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(to) is null == result.GetValue(stanza) is null)
                result.AddError("Give either a recipient or --stanza.");
        });
        return OneBridge.Act(command, "Whose queue, where several bridges are configured.", (bridge, result, cancellation) =>
        {
            Quantity.TryDuration(result.GetValue(wait)!, out var patience);
            var list = patience > TimeSpan.Zero ? OutcomeTicket.ReplyKeyPrefix + Guid.NewGuid().ToString("N") : null;
            // The list first: what is wrong with another field is told there.
            var envelope = Envelope(
                ("replyTo", list), ("to", result.GetValue(to)), ("body", result.GetValue(body)), ("subject", result.GetValue(subject)), ("type", result.GetValue(type)),
                ("from", result.GetValue(from)), ("id", result.GetValue(id)), ("xml", result.GetValue(xml) is { Length: > 0 } elements ? elements : null),
                ("ttl", result.GetValue(ttl)), ("notBefore", result.GetValue(notBefore)), ("receipt", result.GetValue(receipt) ? true : null),
                ("timeout", result.GetValue(timeout)), ("stanza", result.GetValue(stanza)));
            return SendAsync(bridge, envelope, list, patience, result.GetValue(json), result.InvocationConfiguration, cancellation);
        });
    }

    private static async Task<int> SendAsync(
        BridgeSettings bridge, byte[] envelope, string? list, TimeSpan patience, bool json, InvocationConfiguration console, CancellationToken cancellation)
    {
        var queue = bridge.Queue;
        await using var link = new RedisLink(queue, "bridge-send", callTimeout: patience + queue.CallTimeout);
        await link.CallAsync(async database =>
        {
            if (queue.Kind == QueueKind.Stream)
                await database.StreamAddAsync(queue.Keys.Queue, "payload", envelope);
            else
                await database.ListRightPushAsync(queue.Keys.Queue, envelope);
            return true;
        }).WaitAsync(cancellation);
        if (list is null)
        {
            await console.Output.WriteLineAsync("pushed");
            return ExitCodes.Done;
        }

        var popped = await link.CallAsync(database => database.ExecuteAsync(
            "BLPOP", [(RedisKey)list, patience.TotalSeconds.ToString(CultureInfo.InvariantCulture)])).WaitAsync(cancellation);
        if (popped.IsNull)
        {
            await console.Error.WriteLineAsync(
                $"bridge: no outcome within {Quantity.Format(patience)}. The message stays in the queue {queue.Keys.Queue} until a Bridge that runs has delivered it.");
            return ExitCodes.Failed;
        }

        var reply = (string)popped[1]!;
        using var outcome = JsonDocument.Parse(reply);
        await console.Output.WriteLineAsync(json ? reply : Words(outcome.RootElement));
        if (!json && Text(outcome.RootElement, "answer") is { } answer)
            await console.Output.WriteLineAsync(OneBridge.OneLine(answer));
        return Text(outcome.RootElement, "ending") is { } ending
            && (ending == Ending.Accepted.WireName() || ending == Ending.Held.WireName() || ending == Ending.Received.WireName())
            ? ExitCodes.Done
            : ExitCodes.Failed;
    }

    private static string Words(JsonElement outcome)
    {
        var words = new StringBuilder(Text(outcome, "ending"));
        foreach (var name in new[] { "reason", "type", "condition", "text" })
        {
            if (Text(outcome, name) is { Length: > 0 } value)
                words.Append(name == "text" ? ": " : " ").Append(value);
        }

        words.Append(" (id ").Append(Text(outcome, "id"));
        if (outcome.TryGetProperty("taken", out var taken) && outcome.TryGetProperty("confirmed", out var confirmed))
            words.Append(CultureInfo.InvariantCulture, $", confirmed {Math.Max(0, confirmed.GetInt64() - taken.GetInt64())} ms after it was taken");
        return OneBridge.OneLine(words.Append(')').ToString());
    }

    private static string? Text(JsonElement outcome, string name) => outcome.TryGetProperty(name, out var value) ? value.GetString() : null;

    private static byte[] Envelope(params ReadOnlySpan<(string Name, object? Value)> fields)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            foreach (var (name, value) in fields)
            {
                if (value is not null)
                {
                    writer.WritePropertyName(name);
                    JsonSerializer.Serialize(writer, value, value.GetType());
                }
            }

            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }
}
