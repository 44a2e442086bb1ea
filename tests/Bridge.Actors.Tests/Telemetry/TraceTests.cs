using System.Buffers;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using Bridge.Actors.Tests.Stanzas;
using Bridge.Connection;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;
using Bridge.Telemetry;

namespace Bridge.Actors.Tests.Telemetry;

public sealed class TraceTests : IDisposable
{
    private const string Parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    private static readonly DateTimeOffset Start = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    // Spans are the process's own: the trace id tells those of this test from others.
    private readonly ActivityTraceId _id = ActivityTraceId.CreateRandom();
    private readonly ConcurrentQueue<Activity> _told = new();
    private readonly ActivityListener _listener;

    public TraceTests()
    {
        _listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == DeliverySpans.SourceName,
            Sample = (ref ActivityCreationOptions<ActivityContext> options) => options.TraceId == _id ? ActivitySamplingResult.AllData : ActivitySamplingResult.None,
            ActivityStopped = _told.Enqueue,
        };
        ActivitySource.AddActivityListener(_listener);
    }

    public void Dispose() => _listener.Dispose();

    [Theory]
    [InlineData(Parent, true)]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", false)]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff", true)]
    [InlineData("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes-later", true)]
    public void A_traceparent_names_the_span_of_the_app(string text, bool sampled)
    {
        Assert.True(TraceParent.TryRead(Encoding.ASCII.GetBytes(text), out var context));

        Assert.Equal(("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"), (context.TraceId.ToHexString(), context.SpanId.ToHexString()));
        Assert.Equal((sampled, true), (context.TraceFlags == ActivityTraceFlags.Recorded, context.IsRemote));
    }

    [Theory]
    [InlineData("")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more")]
    [InlineData("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more")]
    [InlineData("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")]
    [InlineData("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01")]
    [InlineData("00-00000000000000000000000000000000-b7ad6b7169203331-01")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01")]
    [InlineData("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x")]
    [InlineData("00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01")]
    [InlineData("000af7651916cd43dd8448eb211c80319cb7ad6b716920333101ada@example.com")]
    public void What_is_no_traceparent_is_passed_over(string text)
    {
        Assert.False(TraceParent.TryRead(Encoding.UTF8.GetBytes(text), out _));

        var result = Encode($$"""{"to":"a@b","traceparent":"{{text}}"}""");
        Assert.True(result.Accepted);
        Assert.Null(result.Trace);
    }

    [Fact]
    public void A_traceparent_that_is_no_text_is_refused_as_every_field_of_a_wrong_type()
    {
        Assert.Equal(RejectionReason.JsonWrongType, Encode("""{"to":"a@b","traceparent":1}""").Rejection.Reason);
        Assert.Equal(RejectionReason.JsonDuplicateField, Encode($$"""{"to":"a@b","traceparent":"{{Parent}}","traceparent":null}""").Rejection.Reason);
    }

    [Theory]
    [InlineData("""{"to":"a@b","body":"hi","traceparent":"TRACEPARENT","at":1767323000}""")]
    [InlineData("""{"stanza":"<message to='a@b'/>","traceparent":"TRACEPARENT","at":1767323000}""")]
    public void An_envelope_with_a_traceparent_is_traced_and_does_not_carry_it_to_the_recipient(string payload)
    {
        var output = new ArrayBufferWriter<byte>();
        var result = EncoderFixture.EntryEncoder.Encode(
            EncoderFixture.Entry(Encoding.UTF8.GetBytes(payload.Replace("TRACEPARENT", Parent, StringComparison.Ordinal))), output, EncoderFixture.Now);

        Assert.Equal("b7ad6b7169203331", result.Trace!.Parent.SpanId.ToHexString());
        Assert.Equal((DateTimeOffset.FromUnixTimeSeconds(1767323000), EncoderFixture.Now), (result.Trace.PushedAt, result.Trace.TakenAt));
        Assert.DoesNotContain("b7ad6b", Encoding.UTF8.GetString(output.WrittenSpan), StringComparison.Ordinal);
    }

    [Fact]
    public void One_that_is_rejected_is_traced_as_well_and_one_that_is_sent_later_only_then()
    {
        Assert.NotNull(Encode($$"""{"to":"@","traceparent":"{{Parent}}"}""").Trace);
        Assert.Null(Encode($$"""{"to":"a@b","traceparent":"{{Parent}}","notBefore":4000000000}""").Trace);
        Assert.Null(Encode("""{"to":"a@b"}""").Trace);
    }

    [Fact]
    public void The_way_of_an_entry_is_told_as_spans_below_that_of_the_app_when_its_barrier_returned()
    {
        var window = Window();
        window.Append(Batch(0, Trace(), null), At(100));
        Write(window, At(110));
        Assert.Empty(window.TakeFinishedTraces());
        window.BarrierReturned(1, At(130));

        DeliverySpans.Tell(window.TakeFinishedTraces(), "main", At(1000), Start + At(1000));

        var spans = _told.ToDictionary(span => span.OperationName);
        var whole = spans["bridge deliver"];
        Assert.Equal(("b7ad6b7169203331", ActivityKind.Consumer, ActivityStatusCode.Unset), (whole.ParentSpanId.ToHexString(), whole.Kind, whole.Status));
        Assert.Equal(["bridge.name", "messaging.system"], whole.TagObjects.Select(tag => tag.Key).Order(StringComparer.Ordinal));
        Assert.All(spans.Values.Where(span => span != whole), span => Assert.Equal(whole.SpanId, span.ParentSpanId));
        Assert.Equal(
            [("bridge deliver", -50, 130), ("confirm", 110, 130), ("encode", 20, 25), ("queue wait", -50, 10), ("write", 25, 110)],
            spans.Values.Select(span => (span.OperationName, Ms(span.StartTimeUtc), Ms(span.StartTimeUtc + span.Duration))).Order());
        Assert.Empty(window.TakeFinishedTraces());
    }

    [Fact]
    public void One_that_is_written_again_says_how_often_and_one_that_cannot_be_sent_why()
    {
        var window = Window();
        window.Append(Batch(0, Trace()), At(100));
        Write(window, At(110));
        window.StreamLost(At(200));
        Write(window, At(300));
        window.BarrierReturned(2, At(310));
        window.Append(Batch(1, RejectionReason.Expired, Trace()), At(320));

        DeliverySpans.Tell(window.TakeFinishedTraces(), "main", At(1000), Start + At(1000));

        var wholes = _told.Where(span => span.OperationName == "bridge deliver").ToList();
        Assert.Equal([1, null], wholes.Select(span => span.GetTagItem("bridge.resent")));
        Assert.Equal([null, "expired"], wholes.Select(span => span.GetTagItem("error.type")));
        Assert.Equal([ActivityStatusCode.Unset, ActivityStatusCode.Error], wholes.Select(span => span.Status));
        Assert.Equal(1, _told.Count(span => span.OperationName == "confirm"));
    }

    [Fact]
    public void More_than_a_thousand_under_way_are_not_followed_but_counted()
    {
        var window = Window();
        window.Append(Batch(0, [.. Enumerable.Range(0, DeliverySpans.MostUnderWay + 7).Select(_ => Trace())]), At(100));
        Assert.Equal(7, window.UntoldTraces);

        window.ForgetAll();
        window.Append(Batch(2000, Trace()), At(200));
        Write(window, At(210));
        window.BarrierReturned(1, At(220));

        Assert.Equal(7, window.UntoldTraces);
        Assert.Single(window.TakeFinishedTraces());
    }

    [Fact]
    public void A_barrier_tells_when_the_oldest_of_its_entries_was_pushed_where_that_is_known_of_one()
    {
        var window = Window();
        window.Append(Pushed(0, 0, 7_000, 5_000, 6_000), At(0));
        Write(window, At(1));
        Assert.Equal(5_000, window.BarrierReturned(1, At(2)).OldestPushedAtMs);

        window.Append(Pushed(4, 0, 0), At(3));
        Write(window, At(4));
        Assert.Equal(0, window.BarrierReturned(2, At(5)).OldestPushedAtMs);
    }

    [Theory]
    [InlineData("""{"to":"a@b","body":"hi"}""", null, null)]
    [InlineData("""{"to":"a@b","body":"hi"}""", 1000, 1000)]
    [InlineData("""{"to":"a@b","body":"hi","at":900}""", 1000, 900)]
    [InlineData("""{"to":"a@b","body":"hi","notBefore":1200}""", 1000, 1200)]
    [InlineData("""{"stanza":"<message to='a@b'/>","notBefore":1200}""", 1000, 1200)]
    [InlineData("<message to='a@b'/>", 1000, 1000)]
    public void A_delivery_counts_from_the_push_or_from_when_it_was_to_be_sent(string payload, int? pushedAt, int? countsFrom)
    {
        var (result, _) = EncoderFixture.Encode(Encoding.UTF8.GetBytes(payload), pushedAt is { } pushed ? DateTimeOffset.FromUnixTimeSeconds(pushed) : null);

        Assert.True(result.Accepted);
        Assert.Equal(countsFrom, (int?)result.PushedAt?.ToUnixTimeSeconds());
    }

    private static EncodeResult Encode(string payload) => EncoderFixture.Encode(Encoding.UTF8.GetBytes(payload)).Result;

    private DeliveryTrace Trace() => new(
        new ActivityContext(_id, ActivitySpanId.CreateFromString("b7ad6b7169203331"), ActivityTraceFlags.Recorded, isRemote: true), Start - At(50), Start + At(10))
    {
        EncodeBeganAt = Start + At(20),
        EncodedAt = Start + At(25),
    };

    private static DeliveryWindow Window() => new(
        new WindowSettings
        {
            UnconfirmedEntries = 10_000,
            UnconfirmedBytes = 16 << 20,
            HeldEntries = 4_000_000,
            HeldBytes = 1 << 30,
            BarrierEntries = 500,
            BarrierBytes = 64 << 10,
            TargetRoundTrip = At(250),
        },
        ConfirmGrade.Accepted,
        At(2000),
        new EndingBook(new OutcomeSettings { MaxEntries = 1, Buffer = 1 }, new AnswerSettings(), new RetrySettings(), ConfirmGrade.Accepted, Start));

    private static void Write(DeliveryWindow window, TimeSpan now)
    {
        while (window.TryNextWrite(null, 1, now, out _))
        {
        }
    }

    private static EncodedBatch Batch(long first, params DeliveryTrace?[] traces) => Batch(first, RejectionReason.None, traces);

    private static EncodedBatch Batch(long first, RejectionReason reason, params DeliveryTrace?[] traces) => Made(
        first, [.. traces.Select(trace => new EncodedEntry(default, 0, 0, 10, new Rejection(reason, -1, null), 0, Start) { Trace = trace })], reason == RejectionReason.None);

    private static EncodedBatch Pushed(long first, params long[] pushedAt) => Made(
        first, [.. pushedAt.Select(at => new EncodedEntry(default, 0, 0, 10, default, 0, Start) { PushedAtMs = at })], isSent: true);

    private static EncodedBatch Made(long first, EncodedEntry[] entries, bool isSent)
    {
        for (var i = 0; i < entries.Length; i++)
            entries[i] = entries[i] with { Position = EntryPosition.OfSequence((ulong)(first + i + 1)), Offset = i * 10, Length = isSent ? 10 : 0 };
        return new EncodedBatch(1, first, entries, ArrayPool<byte>.Shared.Rent(entries.Length * 10));
    }

    private static TimeSpan At(double milliseconds) => TimeSpan.FromMilliseconds(milliseconds);

    private static int Ms(DateTime time) => (int)Math.Round((time - Start.UtcDateTime).TotalMilliseconds);
}
