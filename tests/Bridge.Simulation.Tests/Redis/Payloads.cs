using System.Buffers;
using System.Globalization;
using System.Text;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Simulation.Tests.Schedules;
using Bridge.Stanzas;

namespace Bridge.Simulation.Tests.Redis;

/// <summary>What the app pushes: a letter for the kind, and the number.</summary>
internal static class Payloads
{
    /// <summary>The simulation's stanzas bring no generated ids.</summary>
    public static readonly GeneratedIds Ids = new("0123456789abcdef", ofStream: false);

    private static readonly byte[][] All =
        [.. Enum.GetValues<MessageKind>().SelectMany(kind => Enumerable.Range(0, Plan.MessagesAtMost).Select(
            message => Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{"gbps"[(int)kind]}{message}"))))];

    public static ReadOnlyMemory<byte> Of(int message, MessageKind kind) => All[((int)kind * Plan.MessagesAtMost) + message];

    /// <summary>What an element that the encoder made says.</summary>
    public static (int Message, MessageKind Kind) Read(ReadOnlySpan<byte> content) =>
        (int.Parse(content[1..], NumberStyles.None, CultureInfo.InvariantCulture), (MessageKind)"gbps"u8.IndexOf(content[0]));
}

/// <summary>Makes <c>&lt;m&gt;g7&lt;/m&gt;</c> of <c>g7</c>, and rejects what begins with a <c>b</c>.</summary>
internal sealed class ModelEncoder(Sabotage sabotage, int messages) : IStanzaEncoder
{
    public EncodeResult Encode(in QueueEntry entry, IBufferWriter<byte> output, DateTimeOffset now)
    {
        var payload = entry.Payload.Span;
        if (payload[0] == (byte)'b')
            return new EncodeResult(new Rejection(RejectionReason.UnknownPayloadKind, 0, null), 0);
        if (sabotage == Sabotage.EncoderDropsEveryFifth && Payloads.Read(payload).Message % 5 == 4)
            return default;
        if (sabotage == Sabotage.EncoderSwapsNeighbours && payload[0] == (byte)'g')
        {
            var (message, kind) = Payloads.Read(payload);
            if ((message ^ 1) < messages)
                payload = Payloads.Of(message ^ 1, kind).Span;
        }

        output.Write("<m>"u8);
        output.Write(payload);
        output.Write("</m>"u8);
        return default;
    }
}

/// <summary>Bounces are not simulated: nothing ever comes here.</summary>
internal sealed class NoOutcomes : IOutcomeStream
{
    public Task AppendAsync(IReadOnlyList<Bounce> bounces) => Task.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
