using System.Globalization;
using Akka.Actor;
using Akka.TestKit;
using Bridge.Actors.Tests.Outcomes;
using Bridge.Actors.Tests.Queue;
using Bridge.Actors.Tests.Stanzas;
using Bridge.Connection;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;
using Bridge.Telemetry;

namespace Bridge.Actors.Tests.Connection;

/// <summary>What the specs of the connection share: a scripted server on one side, a scripted puller on the other.</summary>
public abstract class XmppConnectionActorSpec : ActorSpec
{
    private readonly Dictionary<long, string> _payloads = [];
    private IActorRef _writers = ActorRefs.Nobody;
    private long _handed;

    protected XmppConnectionActorSpec()
    {
        Parent = CreateTestProbe();
        Puller = CreateTestProbe();
        Lease = new LeaseDeadline(Time);
        Lease.Extend(Time.GetTimestamp(), TimeSpan.FromDays(1));
    }

    protected TestProbe Puller { get; }

    /// <summary>Bounces go to the publisher through the parent.</summary>
    protected TestProbe Publisher => Parent;

    protected IActorRef Connection { get; private set; } = ActorRefs.Nobody;

    protected TestProbe Parent { get; }

    internal LeaseDeadline Lease { get; }

    internal ScriptedDialer Dialer { get; } = new();

    internal RecentDeliveries Recent { get; } = new(100);

    /// <summary>The link of the present life.</summary>
    internal ScriptedLink Link { get; private set; } = null!;

    /// <summary>The flow that the connection asked for last.</summary>
    protected int Flow { get; private set; }

    /// <summary>Starts the connection; the server is not asked for its uptime unless the test wants it.</summary>
    protected void Start(BridgeSettings settings, bool askUptime = false)
    {
        ArgumentNullException.ThrowIfNull(settings);
        if (!askUptime)
            settings = settings with { Confirm = settings.Confirm with { TrustUptime = UptimeTrust.Never } };
        Connection = ChildOf(Parent, XmppConnectionActor.Props(
            settings, Dialer, new ScriptedEncoder(), Lease, new BridgeMetrics(Bridge), Recent, Time));
    }

    /// <summary>The server accepts the pending dial and the handshake. The first barrier is written and still out.</summary>
    internal ScriptedLink Establish(bool singleAddress = true)
    {
        Link = Dialer.Last.Accept(singleAddress);
        Link.Say(new StreamOpened(new StreamHeader("s1", "bridge.example.test", "jabber:component:accept")));
        Link.Say(new HandshakeAccepted());
        return Link;
    }

    /// <summary>The server works off all that was written, and what is written upon that.</summary>
    internal IReadOnlyList<string> ServeAll()
    {
        var served = new List<string>();
        while (Link.Written() is { Count: > 0 } written)
        {
            served.AddRange(written.Where(word => word[0] != '|'));
            foreach (var barrier in written.Where(word => word[0] == '|'))
                Link.ReturnBarrier(long.Parse(barrier.AsSpan(1), CultureInfo.InvariantCulture));
        }

        return served;
    }

    /// <summary>Waits out the delay and connects again.</summary>
    internal ScriptedLink Reconnect(bool singleAddress = true)
    {
        var dials = Dialer.Dials.Count;
        Assert.True(PassUntil(() => Dialer.Dials.Count > dials, TimeSpan.FromSeconds(15)), "no further dial");
        return Establish(singleAddress);
    }

    /// <summary>The puller has a session.</summary>
    protected void TellJournal(long count = 0, long first = 0, ConfirmedMark? mark = null) => Connection.Tell(
        new RedisPullerActor.JournalRecovered(new Recovery(
            new QueueSession(ScriptedLease.Grant(), 1),
            count,
            EntryPosition.OfSequence((ulong)first),
            EntryPosition.OfSequence((ulong)(count == 0 ? 0 : first + count - 1)),
            mark,
            true,
            SealedIds.Seal)),
        Puller.Ref);

    /// <summary>The flow that the connection asks for; null when it asks for none.</summary>
    protected long? ExpectFlow()
    {
        if (Drain<RedisPullerActor.StartFlow>(Puller) is not [.., var flow])
            return null;
        TakeFlow(flow);
        return (long)flow.After.Low;
    }

    /// <summary>What is handed over from now on belongs to this flow.</summary>
    protected void TakeFlow(RedisPullerActor.StartFlow flow)
    {
        ArgumentNullException.ThrowIfNull(flow);
        (Flow, _writers, _handed) = (flow.Flow, flow.Writers, 0);
    }

    /// <summary>A stream that carries entries: established, its first barrier returned, its flow begun.</summary>
    protected void Begin(BridgeSettings settings)
    {
        Start(settings);
        Establish();
        Link.Written();
        Link.ReturnBarrier(1);
        TellJournal();
        Assert.Equal(0, ExpectFlow());
    }

    /// <summary>The puller hands entries over, in one batch; a payload is the entry's sequence unless set before.</summary>
    protected void Hand(params long[] sequences)
    {
        ArgumentNullException.ThrowIfNull(sequences);
        _writers.Tell(new StanzaWriterActor.EncodeBatch(
            Flow, _handed, [.. sequences.Select(s => ScriptedEncoder.Entry(s, _payloads.GetValueOrDefault(s)))]));
        _handed += sequences.Length;
    }

    protected void Hand(long sequence, string payload)
    {
        _payloads[sequence] = payload;
        Hand(sequence);
    }

    /// <summary>The entries from one sequence to another, as arguments for <see cref="Hand(long[])" />.</summary>
    protected static long[] Range(long from, long to) => [.. Enumerable.Range(0, (int)(to - from) + 1).Select(i => from + i)];

    /// <summary>Sets payloads before they are handed over.</summary>
    protected void Payload(long sequence, string payload) => _payloads[sequence] = payload;

    /// <summary>What may be settled, as told since the last look: the last position, and the rejected ones as <c>sequence reason</c>.</summary>
    protected (long UpTo, IReadOnlyList<string> Rejected) Settled()
    {
        var settlements = Drain<RedisPullerActor.Settle>(Puller).Select(told => told.Settlement).ToArray();
        return (
            settlements.Select(settlement => (long)settlement.UpTo.Low).DefaultIfEmpty().Max(),
            [.. settlements.SelectMany(settlement => settlement.Ended).Select(rejected => $"{rejected.Position.Low} {rejected.Reason}")]);
    }

    /// <summary>The endings told since the last look, as <c>sequence ending</c>.</summary>
    protected IReadOnlyList<string> Told() =>
    [
        .. Drain<RedisPullerActor.Settle>(Puller).SelectMany(told => told.Settlement.Ended).Where(ended => ended.Outcome is not null)
            .Select(ended => $"{ended.Position.Low} {ended.Outcome!.Ending.WireName()}"),
    ];

    protected int Reconnects(ReconnectCause cause) => (int)Metrics["reconnects:" + BridgeMetrics.Name(cause)];

    internal static StreamFailed Error(StreamErrorCondition condition) => new(new StreamError(condition, null));
}
