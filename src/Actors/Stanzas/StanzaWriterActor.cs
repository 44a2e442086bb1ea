using System.Buffers;
using Akka.Actor;
using Bridge.Queue;

namespace Bridge.Stanzas;

/// <summary>
/// One routee of the writers' router: encodes one batch at a time and tells the connection. Keeps
/// nothing between batches. When it dies over a batch it gives the batch back before it is
/// restarted, so that the connection can have it encoded again, in halves.
/// </summary>
public sealed class StanzaWriterActor : ReceiveActor
{
    /// <summary>Encode a contiguous run of one flow's entries.</summary>
    /// <param name="Flow">The flow of entries it belongs to.</param>
    /// <param name="FirstOrdinal">How many entries of the flow came before it.</param>
    /// <param name="Entries">The entries, in order. The writer owns them, until it gives them back with <see cref="EncodingFailed" />.</param>
    public sealed record EncodeBatch(int Flow, long FirstOrdinal, EntryBatch Entries);

    /// <summary>The batch is ready. The receiver owns it.</summary>
    /// <param name="Batch">The encoded batch.</param>
    public sealed record BatchEncoded(EncodedBatch Batch);

    /// <summary>The writer died over a batch.</summary>
    /// <param name="Batch">The batch, given back.</param>
    /// <param name="Cause">What it died of.</param>
    public sealed record EncodingFailed(EncodeBatch Batch, Exception Cause);

    private readonly IStanzaEncoder _encoder;
    private readonly IActorRef _connection;
    private readonly TimeProvider _time;

    /// <summary>Use <see cref="Props" />.</summary>
    public StanzaWriterActor(IStanzaEncoder encoder, IActorRef connection, TimeProvider time)
    {
        _encoder = encoder;
        _connection = connection;
        _time = time;
        Receive<EncodeBatch>(Encode);
    }

    /// <summary>A writer that tells its results to the connection.</summary>
    public static Props Props(IStanzaEncoder encoder, IActorRef connection, TimeProvider time) =>
        Akka.Actor.Props.Create(() => new StanzaWriterActor(encoder, connection, time));

    /// <inheritdoc />
    protected override void PreRestart(Exception reason, object message)
    {
        if (message is EncodeBatch batch)
            _connection.Tell(new EncodingFailed(batch, reason));
        base.PreRestart(reason, message);
    }

    private void Encode(EncodeBatch work)
    {
        var entries = work.Entries.Span;
        var expected = 0;
        foreach (ref readonly var entry in entries)
            expected += entry.Payload.Length + StanzaEncoder.ExpectedGrowth;

        var output = new PooledBufferWriter(expected);
        var count = entries.Length;
        var encoded = ArrayPool<EncodedEntry>.Shared.Rent(count);
        var now = _time.GetUtcNow();
        for (var i = 0; i < count; i++)
        {
            ref readonly var entry = ref entries[i];
            var start = output.WrittenCount;
            var result = entry.Kind == EntryKind.Payload ? _encoder.Encode(entry, output, now) : default;
            // A rejected entry must leave no byte behind, whatever the encoder had begun.
            if (!result.Accepted)
                output.Truncate(start);
            if (result.Trace is { } trace)
                (trace.EncodeBeganAt, trace.EncodedAt) = (now, _time.GetUtcNow());
            encoded[i] = new EncodedEntry(
                entry.Position,
                start,
                output.WrittenCount - start,
                entry.Payload.Length,
                result.Rejection,
                result.OwnIdHash,
                entry.TakenAt,
                result.Ticket)
            {
                NotYet = result.NotYet,
                Recipient = result.Recipient,
                Deferred = result.Deferred,
                IdHash = result.IdHash,
                Trace = result.Trace,
                PushedAtMs = result.PushedAt?.ToUnixTimeMilliseconds() ?? 0,
            };
        }

        work.Entries.Release();
        _connection.Tell(new BatchEncoded(new EncodedBatch(
            work.Flow, work.FirstOrdinal, new ArraySegment<EncodedEntry>(encoded, 0, count), output.Detach(), entriesRented: true)));
    }
}
