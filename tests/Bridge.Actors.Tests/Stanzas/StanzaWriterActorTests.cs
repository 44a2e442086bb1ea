using System.Text;
using Akka.Actor;
using Akka.Routing;
using Akka.TestKit;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Stanzas;

public sealed class StanzaWriterActorTests : ActorSpec
{
    private readonly TestProbe _connection;
    private readonly IActorRef _writer;

    public StanzaWriterActorTests()
    {
        _connection = CreateTestProbe();
        _writer = Sys.ActorOf(StanzaWriterActor.Props(new ScriptedEncoder(), _connection.Ref, Time));
    }

    [Fact]
    public void A_batch_comes_out_as_its_stanzas_in_order()
    {
        _writer.Tell(Batch(3, 40, ScriptedEncoder.Entry(5), ScriptedEncoder.Entry(6), ScriptedEncoder.Entry(7)));

        var batch = Encoded();
        Assert.Equal((3, 40), (batch.Flow, batch.FirstOrdinal));
        Assert.Equal(["5: <e>5</e>", "6: <e>6</e>", "7: <e>7</e>"], Stanzas(batch));
    }

    [Fact]
    public void Each_entry_keeps_what_the_window_needs_to_know()
    {
        _writer.Tell(Batch(1, 0, ScriptedEncoder.Entry(5, "id=order-7")));

        var entry = Encoded().Entries[0];
        Assert.Equal(10, entry.PayloadLength);
        Assert.Equal(ScriptedEncoder.TakenAt, entry.TakenAt);
        Assert.Equal(OwnIds.HashOf("order-7"u8, "ada@example.test"u8), entry.OwnIdHash);
        Assert.False(entry.IsRejected);
    }

    [Fact]
    public void A_rejected_entry_leaves_no_byte_behind_and_its_neighbours_are_whole()
    {
        _writer.Tell(Batch(1, 0, ScriptedEncoder.Entry(1), ScriptedEncoder.Entry(2, "reject it"), ScriptedEncoder.Entry(3)));

        var batch = Encoded();
        Assert.Equal(["1: <e>1</e>", "2: ", "3: <e>3</e>"], Stanzas(batch));
        Assert.Equal(new Rejection(RejectionReason.NotWellFormed, 3, "reject it"), batch.Entries[1].Rejection);
        Assert.Equal(batch.Entries[0].Offset + batch.Entries[0].Length, batch.Entries[2].Offset);
    }

    [Fact]
    public void A_place_holder_is_neither_encoded_nor_rejected()
    {
        _writer.Tell(Batch(1, 0, ScriptedEncoder.PlaceHolder(1), ScriptedEncoder.Entry(2)));

        var batch = Encoded();
        Assert.Equal(["1: ", "2: <e>2</e>"], Stanzas(batch));
        Assert.False(batch.Entries[0].IsRejected);
    }

    [Fact]
    public void The_memory_of_a_batch_is_given_back_once_it_is_encoded_and_not_before()
    {
        var batch = Batch(1, 0, ScriptedEncoder.Entry(1), ScriptedEncoder.Entry(2, "throw"));
        _writer.Tell(batch);
        _connection.ExpectMsg<StanzaWriterActor.EncodingFailed>(TimeSpan.Zero);
        Assert.Equal(2, batch.Entries.Count);

        batch = Batch(1, 0, ScriptedEncoder.Entry(1), ScriptedEncoder.Entry(2));
        _writer.Tell(batch);
        Assert.Equal(["1: <e>1</e>", "2: <e>2</e>"], Stanzas(Encoded()));
        Assert.Empty(batch.Entries);
    }

    [Fact]
    public void A_batch_that_outgrows_what_was_expected_of_it_is_whole()
    {
        var large = new string('x', 100_000);
        _writer.Tell(Batch(1, 0, ScriptedEncoder.Entry(1), ScriptedEncoder.Entry(2, large), ScriptedEncoder.Entry(3)));

        Assert.Equal(["1: <e>1</e>", "2: <e>" + large + "</e>", "3: <e>3</e>"], Stanzas(Encoded()));
    }

    [Fact]
    public void A_writer_that_dies_over_a_batch_gives_it_back_and_serves_the_next()
    {
        var deadly = Batch(7, 3, ScriptedEncoder.Entry(1), ScriptedEncoder.Entry(2, "throw"));
        _writer.Tell(deadly);
        _writer.Tell(Batch(7, 5, ScriptedEncoder.Entry(3)));

        var failed = _connection.ExpectMsg<StanzaWriterActor.EncodingFailed>(TimeSpan.Zero);
        Assert.Equal(deadly, failed.Batch);
        Assert.Equal("the writer dies of throw", failed.Cause.Message);
        Assert.Equal(["3: <e>3</e>"], Stanzas(Encoded()));
    }

    [Fact]
    public void A_writer_that_is_restarted_for_nothing_of_its_own_gives_nothing_back()
    {
        ((IInternalActorRef)_writer).Restart(new InvalidOperationException("from outside"));
        _writer.Tell(Batch(1, 0, ScriptedEncoder.Entry(1)));

        Assert.Equal(["1: <e>1</e>"], Stanzas(Encoded()));
    }

    [Fact]
    public void In_a_router_the_others_serve_on_while_one_dies()
    {
        var router = Sys.ActorOf(new RoundRobinPool(3)
            .WithSupervisorStrategy(new OneForOneStrategy(_ => Directive.Restart, loggingEnabled: false))
            .Props(StanzaWriterActor.Props(new ScriptedEncoder(), _connection.Ref, Time)));
        for (var batch = 0; batch < 6; batch++)
            router.Tell(Batch(1, batch, ScriptedEncoder.Entry(batch + 1, batch == 1 ? "throw" : null)));

        var answers = Drain<object>(_connection);
        Assert.Equal([0, 2, 3, 4, 5], answers.OfType<StanzaWriterActor.BatchEncoded>().Select(a => (int)a.Batch.FirstOrdinal).Order());
        Assert.Equal(1, Assert.Single(answers.OfType<StanzaWriterActor.EncodingFailed>()).Batch.FirstOrdinal);
    }

    private static StanzaWriterActor.EncodeBatch Batch(int flow, long first, params QueueEntry[] entries) => new(flow, first, EntryBatch.Of(entries));

    private static IEnumerable<string> Stanzas(EncodedBatch batch) => [.. batch.Entries.ToArray().Select(entry =>
        $"{entry.Position.Low}: {Encoding.UTF8.GetString(batch.Bytes(entry.Offset, entry.Length))}")];

    private EncodedBatch Encoded() => _connection.ExpectMsg<StanzaWriterActor.BatchEncoded>(TimeSpan.Zero).Batch;
}
