using System.Diagnostics.Metrics;

namespace Bridge.Telemetry;

/// <summary>The sums over the actors of one type and bridge.</summary>
/// <param name="Type">What they are.</param>
/// <param name="Bridge">The bridge that they work for; <c>-</c> where they work for none.</param>
/// <param name="Live">How many live.</param>
/// <param name="MailboxDepth">Messages that wait in their mailboxes.</param>
/// <param name="Received">Messages that they were given, ever.</param>
internal readonly record struct ActorGroupReading(string Type, string Bridge, int Live, int MailboxDepth, long Received);

/// <summary>
/// The actors of one type and bridge, under which their metrics are told. The names are those that Phobos made known, so that boards
/// made for it show these as well.
/// </summary>
internal sealed class ActorGroup
{
    private static readonly Meter Meter = new(BridgeMetrics.MeterName);

    private static readonly Histogram<double> Latency = Meter.CreateHistogram<double>(
        "akka.messages.latency", "s", "Time that a message waited in the mailbox of its actor.", null,
        new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] });

    private static readonly Counter<long> Restarts = Meter.CreateCounter<long>("akka.actor.restarts", "{restart}", "Actors that failed and were restarted or replaced.");
    private static readonly Counter<long> DeadLetters = Meter.CreateCounter<long>("akka.messages.deadletters", "{message}", "Messages to actors that are gone.");
    private static readonly Counter<long> UnhandledMessages = Meter.CreateCounter<long>("akka.messages.unhandled", "{message}", "Messages that their actors do not understand.");

    private readonly KeyValuePair<string, object?> actor;
    private readonly KeyValuePair<string, object?> bridge;
    private readonly (string Type, string Bridge) names;

    /// <summary>The group; shows its counters at 0, so that a rate over the first event is not lost.</summary>
    public ActorGroup(string type, string bridge)
    {
        names = (type, bridge);
        actor = new("actor", type);
        this.bridge = new("bridge", bridge);
        Restarts.Add(0, actor, this.bridge);
        DeadLetters.Add(0, actor, this.bridge);
        UnhandledMessages.Add(0, actor, this.bridge);
    }

    /// <summary>Their mailboxes. Guarded by the board.</summary>
    public MailboxSums Mailboxes { get; } = new();

    /// <summary>A message was taken out of a mailbox. Called for each message, on the actor's thread.</summary>
    public void Waited(TimeSpan time) => Latency.Record(time.TotalSeconds, actor, bridge);

    /// <summary>One of them failed, and is restarted or replaced.</summary>
    public void Failed() => Restarts.Add(1, actor, bridge);

    /// <summary>A message came too late for one of them.</summary>
    public void DeadLettered() => DeadLetters.Add(1, actor, bridge);

    /// <summary>One of them did not understand a message.</summary>
    public void Unhandled() => UnhandledMessages.Add(1, actor, bridge);

    /// <summary>The sums at this moment.</summary>
    public ActorGroupReading Read() => new(names.Type, names.Bridge, Mailboxes.Live, Mailboxes.Depth, Mailboxes.Received);
}
