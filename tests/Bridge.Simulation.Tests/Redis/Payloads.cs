using System.Buffers;
using System.Globalization;
using System.Text;
using Bridge.Deferral;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Simulation.Tests.Machine;
using Bridge.Simulation.Tests.Schedules;
using Bridge.Stanzas;

namespace Bridge.Simulation.Tests.Redis;

/// <summary>What the app pushes: a letter for the kind, and the number.</summary>
internal static class Payloads
{
    /// <summary>The key of the generated ids.</summary>
    public static readonly IdSeal Seal = new("000102030405060708090a0b0c0d0e0f");

    /// <summary>Messages with even numbers bring ids of their own.</summary>
    public static string? OwnId(int message) => message % 2 == 0 ? string.Create(CultureInfo.InvariantCulture, $"own-{message}") : null;

    /// <summary>Each has a recipient of its own, by which an answer tells whose it is.</summary>
    public static string RecipientOf(int message) => string.Create(CultureInfo.InvariantCulture, $"r{message}@example.test");

    public static int MessageOf(string recipient) =>
        int.Parse(recipient.AsSpan(1, recipient.IndexOf('@', StringComparison.Ordinal) - 1), NumberStyles.None, CultureInfo.InvariantCulture);

    private static readonly byte[][] All =
        [.. Enum.GetValues<MessageKind>().SelectMany(kind => Enumerable.Range(0, Plan.MessagesAtMost).Select(
            message => Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{"gbpsraew"[(int)kind]}{message}"))))];

    public static ReadOnlyMemory<byte> Of(int message, MessageKind kind) => All[((int)kind * Plan.MessagesAtMost) + message];

    /// <summary>What a payload says.</summary>
    public static (int Message, MessageKind Kind) Read(ReadOnlySpan<byte> payload) =>
        (int.Parse(payload[1..], NumberStyles.None, CultureInfo.InvariantCulture), (MessageKind)"gbpsraew"u8.IndexOf(payload[0]));
}

/// <summary>Makes <c>&lt;m&gt;g7 id&lt;/m&gt;</c> of <c>g7</c>, and rejects what begins with a <c>b</c>.</summary>
internal sealed class ModelEncoder(Sabotage sabotage, Plan plan) : IStanzaEncoder
{
    public EncodeResult Encode(in QueueEntry entry, IBufferWriter<byte> output, DateTimeOffset now)
    {
        var payload = entry.Payload.Span;
        if (!Deferred.TryRead(payload, out var deferred, out var length))
            return Encode(entry, payload, null, output, now);
        var result = Encode(entry, payload[length..], deferred, output, now);
        return result with
        {
            Deferred = deferred,
            Ticket = result.Ticket is { } ticket ? ticket with { PriorAttempts = deferred!.Attempts, Overtaken = deferred.Overtaken } : null,
        };
    }

    private EncodeResult Encode(in QueueEntry entry, ReadOnlySpan<byte> payload, Deferred? deferred, IBufferWriter<byte> output, DateTimeOffset now)
    {
        var (message, kind) = Payloads.Read(payload);
        var recipient = Payloads.RecipientOf(message);
        if (payload[0] == (byte)'b')
        {
            return new EncodeResult(
                new Rejection(RejectionReason.UnknownPayloadKind, 0, null), 0, new OutcomeTicket(entry.GeneratedId, recipient, null, null, null));
        }

        if (sabotage == Sabotage.EncoderDropsEveryFifth && message % 5 == 4)
            return default;
        if (sabotage == Sabotage.EncoderSwapsNeighbours && payload[0] == (byte)'g' && (message ^ 1) < plan.Messages.Length)
            payload = Payloads.Of(message ^ 1, MessageKind.Good).Span;

        if (kind == MessageKind.Early && deferred is null && VirtualClock.Start.AddMilliseconds(plan.Messages[message].At + Plan.EarlyBy) is var due && now < due)
            return default(EncodeResult) with { NotYet = new NotYet(due, null) };

        var own = Payloads.OwnId(message);
        Span<byte> id = stackalloc byte[GeneratedIds.MaxBytes];
        id = id[..(own is null ? entry.Ids.Write(entry.Position, Encoding.ASCII.GetBytes(recipient), id) : Encoding.ASCII.GetBytes(own, id))];
        output.Write("<m>"u8);
        output.Write(payload);
        output.Write(" "u8);
        output.Write(id);
        output.Write("</m>"u8);
        return new EncodeResult(
            default,
            own is null ? 0 : OwnIds.HashOf(id, Encoding.ASCII.GetBytes(recipient)),
            plan.Outcomes == OutcomeMode.All || plan.TriesAgain || kind == MessageKind.AsksReceipt
                ? new OutcomeTicket(Encoding.ASCII.GetString(id), recipient, null, null, null)
                {
                    Answer = kind == MessageKind.AsksReceipt ? AnswerKind.Receipt : AnswerKind.None,
                    AnswerWithin = TimeSpan.FromMilliseconds(600),
                }
                : null)
        {
            Recipient = plan.TriesAgain ? OwnIds.HashOf([], Encoding.ASCII.GetBytes(recipient)) : 0,
        };
    }
}

/// <summary>The publisher's way to the model Redis. Replies need no model of their own: they are told where outcomes are.</summary>
internal sealed class ModelOutcomes(RedisPort port, SharedConnection link, ModelRedis redis, QueueSettings settings) : IOutcomeStream
{
    public Task AppendAsync(IReadOnlyList<Outcome> outcomes) =>
        port.CallAsync(link.Connect(), settings.CallTimeout.TotalMilliseconds, () => redis.Append(outcomes));

    public Task<ReplyDelivery> DeliverRepliesAsync() => Task.FromResult(default(ReplyDelivery));

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
