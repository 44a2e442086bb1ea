using System.Globalization;
using Akka.Actor;
using Akka.Configuration;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Telemetry;

namespace Bridge.TestKit;

/// <summary>One bridge in the test's own process: the real actors, on whatever parts the test gives them.</summary>
public sealed class InProcessBridge : IAsyncDisposable
{
    private readonly ActorSystem _system;
    private readonly IActorRef _bridges;

    /// <summary>Starts it.</summary>
    /// <param name="settings">See <see cref="Settings" />.</param>
    /// <param name="change">Puts the test's own parts in.</param>
    /// <param name="faults">Makes its actors fail.</param>
    public InProcessBridge(BridgeSettings settings, Func<BridgeParts, BridgeParts>? change = null, ActorFaults? faults = null)
    {
        var akka = ConfigurationFactory.ParseString(
            "akka { loglevel = INFO, stdout-loglevel = WARNING, log-dead-letters = off, log-dead-letters-during-shutdown = off, "
            + "actor.default-dispatcher.executor = \"Bridge.Scheduling.MailboxChainExecutor, Bridge.Actors\" }");
        _system = ActorSystem.Create("test-" + settings.Name, faults is null ? akka : faults.Configuration.WithFallback(akka));
        _bridges = _system.ActorOf(
            BridgesActor.Props([settings], bridge =>
            {
                var parts = BridgeRuntime.RealParts(bridge, Board);
                return change is null ? parts : change(parts);
            }),
            "bridges");
    }

    /// <summary>What the bridge says of itself.</summary>
    public StatusBoard Board { get; } = new();

    /// <summary>The only bridge's snapshot.</summary>
    public BridgeSnapshot Snapshot => Board.Snapshots.Single();

    /// <summary>The settings that the shipped defaults give, with short names for what tests change.</summary>
    public static BridgeSettings Settings(
        string redis,
        IEnumerable<int> xmppPorts,
        string queue = "xmpp:outbound",
        string domain = "bridge.example.test",
        string secret = "correct-horse",
        ConfirmGrade grade = ConfirmGrade.Held,
        QueueKind kind = QueueKind.List)
    {
        if (!QueueKeys.TryCreate(queue, out var keys, out var mistake))
            throw new ArgumentException(mistake, nameof(queue));
        return new BridgeSettings
        {
            Name = "main",
            Writers = 2,
            DrainTimeout = TimeSpan.FromSeconds(5),
            Queue = new QueueSettings
            {
                Redis = redis,
                Keys = keys!,
                Kind = kind,
                Group = "bridge",
                Deletion = StreamDeletion.Own,
                BatchEntries = 512,
                BatchBytes = 1 << 20,
                TakesInFlight = 3,
                MaxEntryBytes = 256 << 10,
                CallTimeout = TimeSpan.FromSeconds(2),
                WaitTime = TimeSpan.FromSeconds(2),
            },
            Xmpp = new XmppSettings
            {
                Endpoints = [.. xmppPorts.Select(port => new XmppEndpoint("127.0.0.1", port))],
                Domain = domain,
                Secret = new ComponentSecret(secret),
                ServerDomain = domain[(domain.IndexOf('.', StringComparison.Ordinal) + 1)..],
                Tls = null,
                ConnectTimeout = TimeSpan.FromSeconds(5),
                HeaderTimeout = TimeSpan.FromSeconds(5),
                HandshakeTimeout = TimeSpan.FromSeconds(5),
                IdleBarrier = TimeSpan.FromSeconds(2),
                ProgressTimeout = TimeSpan.FromSeconds(6),
                BarrierTimeout = TimeSpan.FromSeconds(60),
                CloseTimeout = TimeSpan.FromSeconds(2),
                BackoffMin = TimeSpan.FromMilliseconds(200),
                BackoffMax = TimeSpan.FromSeconds(10),
                ResumeDelay = TimeSpan.Zero,
                MaxInboundStanzaBytes = 1 << 20,
            },
            Confirm = new ConfirmSettings { Grade = grade, Hold = TimeSpan.FromSeconds(2), TrustUptime = UptimeTrust.Auto },
            Window = new WindowSettings
            {
                UnconfirmedEntries = 10_000,
                UnconfirmedBytes = 16 << 20,
                HeldEntries = 4_000_000,
                HeldBytes = 1 << 30,
                BarrierEntries = 500,
                BarrierBytes = 64 << 10,
                TargetRoundTrip = TimeSpan.FromMilliseconds(250),
            },
            Stanza = new StanzaSettings
            {
                MaxBytes = 256 << 10,
                MaxDepth = 64,
                MaxAttributes = 64,
                FromDomains = [],
                DefaultFrom = domain,
                DelayStampAfter = TimeSpan.FromSeconds(10),
            },
            Dead = new DeadLetterSettings { MaxEntries = 100_000, MaxAge = TimeSpan.FromDays(30) },
            Outcomes = new OutcomeSettings { MaxEntries = 10_000, Buffer = 10_000 },
            Lease = new LeaseSettings
            {
                TimeToLive = TimeSpan.FromSeconds(5),
                RenewEvery = TimeSpan.FromSeconds(1),
                PollEvery = TimeSpan.FromMilliseconds(500),
                SafetyMargin = TimeSpan.FromSeconds(1),
            },
        };
    }

    /// <summary>Waits until the stream is established.</summary>
    public Task EstablishedAsync(TimeSpan? timeout = null) => Eventually.TrueAsync(
        () => Board.Snapshots.Any(s => s.Connection == ConnectionState.Established),
        timeout ?? TimeSpan.FromSeconds(10),
        "the bridge to be connected",
        () => string.Create(CultureInfo.InvariantCulture, $"{Board.Snapshots.SingleOrDefault()}"));

    /// <summary>Waits until no fault of the queue is shown: the snapshot tells it a moment after the first take that works.</summary>
    public Task QueueWorksAsync() => Eventually.TrueAsync(
        () => Snapshot.QueueFault is null, TimeSpan.FromSeconds(5), "the queue's fault is over", () => string.Create(CultureInfo.InvariantCulture, $"{Snapshot}"));

    /// <summary>A graceful stop; true when every bridge answered.</summary>
    public async Task DrainAsync() =>
        await _bridges.Ask<BridgesActor.Drained>(BridgesActor.Drain.Instance, TimeSpan.FromSeconds(15)).ConfigureAwait(false);

    /// <summary>The end without a drain, as a crash of the process would be, but for the sockets' resets.</summary>
    public async ValueTask DisposeAsync() => await _system.Terminate().ConfigureAwait(false);
}
