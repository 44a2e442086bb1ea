using Bridge.Actors.Tests.Connection;
using Bridge.Actors.Tests.Inbound;
using Bridge.Actors.Tests.Queue;
using Bridge.Actors.Tests.Stanzas;
using Bridge.Connection;
using Bridge.Stanzas;
using Bridge.Telemetry;

namespace Bridge.Actors.Tests;

/// <summary>The outside of one bridge, scripted: its lease, its queue, its server, its outcomes.</summary>
internal sealed class ScriptedBridge(TimeProvider time) : IAsyncDisposable
{
    /// <summary>One object over all generations: it is Redis that remembers.</summary>
    public ScriptedQueue Queue { get; } = new();

    /// <summary>Every lease that was opened.</summary>
    public List<ScriptedLease> Leases { get; } = [];

    /// <summary>Every outcome stream that was opened.</summary>
    public List<ScriptedOutcomes> Outcomes { get; } = [];

    /// <summary>Every inbound stream that was opened.</summary>
    public List<ScriptedInbound> Inbound { get; } = [];

    public ScriptedDialer Dialer { get; } = new();

    public StatusBoard Board { get; } = new(time);

    public ScriptedLease Lease => Leases[^1];

    public BridgeSnapshot Snapshot => Board.Snapshots.Single();

    /// <summary>How many more leases cannot be opened at all.</summary>
    public int UnopenableLeases { get; set; }

    /// <summary>Whether what the parts share was disposed.</summary>
    public bool Disposed { get; private set; }

    /// <summary>Every way to what is published that was opened.</summary>
    public List<ScriptedPubSub> PubSubs { get; } = [];

    public BridgeParts Parts => new(() => Queue, OpenLease, OpenOutcomes, OpenInbound, Dialer, new ScriptedEncoder(), Board, time, this)
    {
        OpenPubSub = () =>
        {
            PubSubs.Add(new ScriptedPubSub());
            return PubSubs[^1];
        },
    };

    /// <summary>The server accepts the pending dial and the handshake, and returns the first barrier.</summary>
    public ScriptedLink Establish(long barrier = 1)
    {
        var link = Dialer.Last.Accept();
        link.Say(new StreamOpened(new StreamHeader("s1", null, null)));
        link.Say(new HandshakeAccepted());
        link.Written();
        link.ReturnBarrier(barrier);
        return link;
    }

    public ValueTask DisposeAsync()
    {
        Disposed = true;
        return ValueTask.CompletedTask;
    }

    private ScriptedLease OpenLease()
    {
        if (UnopenableLeases-- > 0)
            throw new InvalidOperationException("no lease can be opened");
        Leases.Add(new ScriptedLease());
        return Lease;
    }

    private ScriptedInbound OpenInbound()
    {
        Inbound.Add(new ScriptedInbound());
        return Inbound[^1];
    }

    private ScriptedOutcomes OpenOutcomes()
    {
        Outcomes.Add(new ScriptedOutcomes());
        return Outcomes[^1];
    }
}
