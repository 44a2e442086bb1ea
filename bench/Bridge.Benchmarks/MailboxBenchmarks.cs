using System.Diagnostics.CodeAnalysis;
using System.Diagnostics.Metrics;
using Akka.Actor;
using Akka.Dispatch.MessageQueues;
using BenchmarkDotNet.Attributes;
using Bridge.Telemetry;

namespace Bridge.Benchmarks;

/// <summary>What it costs a message that its mailbox is metered, beside Akka's own mailbox, while somebody listens and while nobody does.</summary>
[SuppressMessage("Design", "CA1001", Justification = "What it holds ends in GlobalCleanup.")]
public class MailboxBenchmarks
{
    // As many as wait at once at most where one event runs a chain of actors.
    private const int Messages = 16;

    private readonly object _message = new();
    private readonly ActorBoard _board = new();
    private IMessageQueue _queue = new UnboundedMessageQueue();
    private MeterListener? _listener;
    private double _heard;

    /// <summary>The mailbox.</summary>
    [Params("akka", "metered", "heard")]
    public string Mailbox { get; set; } = "";

    [GlobalSetup]
    public void Prepare()
    {
        if (Mailbox == "akka")
            return;
        _queue = new MeteredQueue(_board, new ActorPlace("bridges/main/puller", "puller", "main"));
        if (Mailbox == "metered")
            return;
        // What a collector does is its own matter; this is the way to it.
        _listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "akka.messages.latency")
                    listener.EnableMeasurementEvents(instrument);
            },
        };
        _listener.SetMeasurementEventCallback<double>((_, value, _, _) => _heard += value);
        _listener.Start();
    }

    [GlobalCleanup]
    public void End() => _listener?.Dispose();

    [Benchmark(OperationsPerInvoke = Messages)]
    public int PutAndTake()
    {
        for (var i = 0; i < Messages; i++)
            _queue.Enqueue(ActorRefs.Nobody, new Envelope(_message, ActorRefs.Nobody));
        var taken = 0;
        while (_queue.TryDequeue(out _))
            taken++;
        return taken;
    }
}
