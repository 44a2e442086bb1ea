using System.Buffers;
using System.Globalization;
using Akka.Actor;
using Bridge.Connection;
using Bridge.Inbound;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;
using Bridge.TestKit;
using Xunit.Abstractions;

namespace Bridge.Faults.Tests;

/// <summary>
/// Each actor fails at each kind of message that it gets, before its handling and behind: in a life with a predecessor's
/// journal, a server that is away, a broken connection, a bounce and a drain; and in one whose deadlines pass.
/// </summary>
public sealed class ActorFaultTests(ITestOutputHelper output)
{
    private const int Count = 600;

    private const int LivesForAStrike = 3;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    // Waiting for backoffs, mostly: several lives at a time.
    private const int LivesAtATime = 4;

    [Theory]
    [InlineData(nameof(RedisPullerActor), "StartFlow WindowMoved Settle Recovered Taken JournalRead Settled DepthRead PumpNow RecoverNow ReadDepth StopTaking FlushSettlements")]
    [InlineData(nameof(XmppConnectionActor), "JournalRecovered BatchEncoded TakingStopped Dialed DialFailed FromLink LinkEnded LinkClosed DialNow Tick Observe Drain")]
    [InlineData(nameof(LeaseActor), "StandBy Attempted Renewed OrderRead Tick Release ReleaseDone")]
    [InlineData(nameof(InboundPublisherActor), "DeliverReplies Publish Published RepliesDelivered Flush")]
    [InlineData(nameof(StanzaWriterActor), "EncodeBatch")]
    public async Task An_actor_that_fails_at_any_message_loses_and_reorders_nothing(string actor, string messages)
    {
        using var seen = new ActorFaults();
        var (report, met) = await LiveAsync(seen, null, LedgerExcuses.None);
        Assert.True(report.IsKept, report.ToString());
        var kinds = met.Keys.Where(key => key.Actor == actor).Select(key => key.Message).Order().ToArray();
        output.WriteLine($"{actor} gets {string.Join(' ', kinds)}");
        Assert.Equal([.. messages.Split(' ').Order()], kinds);

        await FailAtEachAsync(actor, kinds, met, (faults, strike, excuses) => LiveAsync(faults, strike, excuses));
    }

    [Theory]
    [InlineData("DeadlinePassed UptimeUnknown ResumeDelayOver DrainDeadline")]
    public Task A_connection_that_fails_at_a_deadline_loses_and_reorders_nothing(string messages) =>
        FailConnectionAtEachAsync(messages, LiveThroughDeadlinesAsync);

    [Theory]
    [InlineData("ControlPhaseOver EncodeAgain")]
    public Task A_connection_that_fails_while_it_looks_for_an_entry_at_fault_loses_and_reorders_nothing(string messages) =>
        FailConnectionAtEachAsync(messages, LiveThroughSearchesAsync);

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public async Task An_encoder_that_throws_costs_no_message(int nth)
    {
        using var faults = new ActorFaults();
        var (report, _) = await LiveAsync(faults, null, LedgerExcuses.None, encoderFailsAt: nth);

        Assert.True(report.IsKept, report.ToString());
        Assert.Equal(Count, report.Arrived);
    }

    // A life without a fault first: a message that does not come would be no test.
    private static async Task FailConnectionAtEachAsync(string messages, Life live)
    {
        const string actor = nameof(XmppConnectionActor);
        var kinds = messages.Split(' ');
        using var seen = new ActorFaults();
        var (report, met) = await live(seen, null, LedgerExcuses.None);
        Assert.True(report.IsKept, report.ToString());
        Assert.All(kinds, kind => Assert.True(met.ContainsKey((actor, kind)), $"{kind} did not come"));

        await FailAtEachAsync(actor, kinds, met, live);
    }

    private static async Task FailAtEachAsync(
        string actor, IEnumerable<string> messages, IReadOnlyDictionary<(string Actor, string Message), int> met, Life live)
    {
        using var gate = new SemaphoreSlim(LivesAtATime);
        var lives =
            from message in messages
            from moment in Enum.GetValues<ActorFaultMoment>()
                // The first time, and in the middle of the flood.
            from nth in met[(actor, message)] > 4 ? (int[])[1, 3] : [1]
            select FailingLifeAsync(gate, live, actor, message, moment, nth);

        var failures = (await Task.WhenAll(lives)).OfType<string>().ToArray();

        Assert.True(failures.Length == 0, string.Join("\n\n", failures));
    }

    private static async Task<string?> FailingLifeAsync(
        SemaphoreSlim gate, Life live, string actor, string message, ActorFaultMoment moment, int nth)
    {
        // What a writer is encoding is in the hands of its supervisor only where the failure is its own.
        if (actor == nameof(StanzaWriterActor) && moment == ActorFaultMoment.Before)
            return null;
        await gate.WaitAsync();
        var life = string.Create(CultureInfo.InvariantCulture, $"{actor} {moment} {message} {nth}");
        try
        {
            for (var lives = 1; ; lives++)
            {
                using var faults = new ActorFaults();
                faults.Strike(actor, message, moment, nth);
                try
                {
                    var (report, _) = await live(
                        faults,
                        faults.Struck,
                        actor == nameof(InboundPublisherActor) ? LedgerExcuses.RepliesRepeated : LedgerExcuses.None);
                    return report.IsKept && report.Arrived == Count ? null : $"{life}: {report}";
                }
                catch (TimeoutException) when (!faults.Struck.IsCompleted && lives < LivesForAStrike)
                {
                    // Some messages come by the clock only where nothing else was quicker: such a life was one without a fault.
                }
            }
        }
        catch (Exception failure) when (failure is TimeoutException or InvalidOperationException or AskTimeoutException)
        {
            return $"{life}: {failure.Message}";
        }
        finally
        {
            gate.Release();
        }
    }

    /// <summary>
    /// A life with everything in it: a server that is not there at first, a flood, a bounce, an end of the stream, lone
    /// messages, a drain; and, where the fault fell into the drain, a second life that finds what is left.
    /// </summary>
    private static async Task<(LedgerReport Report, IReadOnlyDictionary<(string Actor, string Message), int> Met)> LiveAsync(
        ActorFaults faults, Task? strike, LedgerExcuses excuses, int encoderFailsAt = 0)
    {
        await using var server = new ScriptedXmppServer();
        await using var proxy = new FaultProxy(server.Port);
        await using var trial = await DeliveryTrial.StartAsync(server);
        proxy.Down();
        await trial.PushAsync(Count / 2);
        var settings = trial.Settings(ConfirmGrade.Accepted, proxy.Port, window: 200);
        settings = settings with { Queue = settings.Queue with { BatchEntries = 50 } };
        BridgeParts WithFailingEncoder(BridgeParts parts) =>
            encoderFailsAt == 0 ? parts : parts with { Encoder = new FailingEncoder(parts.Encoder, Nth(encoderFailsAt)) };

        await LeaveAJournalAsync(trial, settings);
        await using (var bridge = new InProcessBridge(settings, WithFailingEncoder, faults))
        {
            await Eventually.TrueAsync(
                () => faults.Met.ContainsKey((nameof(XmppConnectionActor), "DialFailed")), Patience, "a dial failed");
            proxy.Up();
            await trial.Ledger.ArrivedAsync(Count / 4, Patience);
            proxy.ResetPeer();
            await trial.Ledger.AllArrivedAsync(Patience);
            for (var i = 0; i < Count / 2; i += 50)
            {
                await trial.PushAsync(50);
                await trial.Ledger.AllArrivedAsync(Patience);
                // Not before: all may have arrived before the reset, and a bounce would go to a connection that is gone.
                if (i == 0)
                    Bounce(server, trial);
            }

            // They come by the clock.
            await Eventually.TrueAsync(
                () => faults.Met.ContainsKey((nameof(XmppConnectionActor), "Tick")) && faults.Met.ContainsKey((nameof(LeaseActor), "Renewed")),
                Patience,
                "the connection ticked and the lease was renewed");
            await bridge.DrainAsync();
        }

        if (strike is not null)
        {
            await strike.WaitAsync(Patience);
            // Whatever a failing drain left is found by the next life, which also shows that nothing stands in its way.
            await using var next = new InProcessBridge(settings);
            return (await trial.EndAsync(Patience, next, excuses), faults.Met);
        }

        return (await trial.EndAsync(Patience), faults.Met);
    }

    private static void Bounce(ScriptedXmppServer server, DeliveryTrial trial)
    {
        var bounced = server.Received.Snapshot().First(stanza => stanza.Id is not null && stanza.To is not null);
        trial.Ledger.SentBack(MixedMessages.LedgerId(bounced)!);
        server.Connections[^1].SendBack(bounced);
    }

    /// <summary>
    /// A life whose deadlines pass: a server that accepts and says nothing, that never tells its uptime, that hangs up on
    /// a stanza until it is found, and that sends no barrier back when the bridge is to drain.
    /// </summary>
    private static async Task<(LedgerReport Report, IReadOnlyDictionary<(string Actor, string Message), int> Met)> LiveThroughDeadlinesAsync(
        ActorFaults faults, Task? strike, LedgerExcuses excuses)
    {
        const string poison = "poison";
        var script = new ServerScript
        {
            Uptime = UptimeAnswer.Silent,
            Faults = [ServerFault.OnStanza(stanza => stanza.Id == poison, ServerReaction.StreamError)],
        };
        await using var server = new ScriptedXmppServer { Script = script };
        server.Enqueue(new ServerScript { Faults = [ServerFault.At(ServerMoment.BeforeHeader, ServerReaction.Silence)] });
        await using var trial = await DeliveryTrial.StartAsync(server);
        await trial.PushAsync(Count / 2);
        var settings = trial.Settings(ConfirmGrade.Accepted, window: 20);
        settings = settings with
        {
            DrainTimeout = TimeSpan.FromMilliseconds(500),
            Queue = settings.Queue with { BatchEntries = 10 },
            Xmpp = settings.Xmpp with { HeaderTimeout = TimeSpan.FromMilliseconds(300), ResumeDelay = TimeSpan.FromMilliseconds(100) },
        };
        await using (var bridge = new InProcessBridge(settings, faults: faults))
        {
            await Eventually.TrueAsync(
                () => faults.Met.ContainsKey((nameof(XmppConnectionActor), "UptimeUnknown")), Patience, "the uptime remained unknown");
            await PushWrongAsync(trial, poison);
            await trial.PushAsync((Count / 2) - 10);
            await trial.Ledger.ArrivedAsync(Count - 10, Patience);
            server.Script = script with { Barriers = BarrierAnswer.Silent };
            await trial.PushAsync(10);
            await trial.Ledger.ArrivedAsync(Count, Patience);
            await bridge.DrainAsync();
        }

        if (strike is not null)
            await strike.WaitAsync(Patience);
        server.Script = script;
        await using var next = new InProcessBridge(settings);
        return (await trial.EndAsync(Patience, next, excuses), faults.Met);
    }

    /// <summary>
    /// A life that looks for entries at fault: so many that kill their writer that the storm is slowed down, and one,
    /// alone on a stream that has lived for a while, that makes the server hang up.
    /// </summary>
    private static async Task<(LedgerReport Report, IReadOnlyDictionary<(string Actor, string Message), int> Met)> LiveThroughSearchesAsync(
        ActorFaults faults, Task? strike, LedgerExcuses excuses)
    {
        const string poison = "poison";
        var script = new ServerScript { Faults = [ServerFault.OnStanza(stanza => stanza.Id == poison, ServerReaction.StreamError)] };
        await using var server = new ScriptedXmppServer { Script = script };
        await using var trial = await DeliveryTrial.StartAsync(server);
        var settings = trial.Settings(ConfirmGrade.Accepted, window: 100);
        settings = settings with { Queue = settings.Queue with { BatchEntries = 50 } };
        static BridgeParts WithFailingEncoder(BridgeParts parts) =>
            parts with { Encoder = new FailingEncoder(parts.Encoder, entry => entry.Payload.Span.IndexOf("id='killer"u8) >= 0) };

        for (var i = 0; i < Count / 2; i += 2)
        {
            await trial.PushAsync(2);
            await PushWrongAsync(trial, "killer" + i.ToString(CultureInfo.InvariantCulture));
        }

        await using (var bridge = new InProcessBridge(settings, WithFailingEncoder, faults))
        {
            await trial.Ledger.ArrivedAsync(Count / 2, Patience);
            await Eventually.TrueAsync(async () => await trial.DepthAsync() == (0, 0), Patience, "queue and journal are empty");
            await PushWrongAsync(trial, poison);
            await Eventually.TrueAsync(async () => await trial.DepthAsync() == (0, 0), Patience, "the search is over");
            await trial.PushAsync(Count / 2);
            await trial.Ledger.ArrivedAsync(Count, Patience);
        }

        if (strike is not null)
            await strike.WaitAsync(Patience);
        await using var next = new InProcessBridge(settings, WithFailingEncoder);
        // The first life was ended as by a crash, maybe between a reply's arrival and its removal.
        return (await trial.EndAsync(Patience, next, excuses | LedgerExcuses.RepliesRepeated), faults.Met);
    }

    private static Task<PushedMessage> PushWrongAsync(DeliveryTrial trial, string id) => trial.PushAsync(
        trial.SinkJid,
        message => System.Text.Encoding.UTF8.GetBytes($"<message to='{message.Recipient}' id='{id}'><body>{message.Id}</body></message>"),
        MessageFate.Dies);

    /// <summary>A predecessor that takes and delivers nothing, and dies; whoever comes next need not wait for its lease.</summary>
    private static async Task LeaveAJournalAsync(DeliveryTrial trial, BridgeSettings settings)
    {
        // Not even a bounce: what it would end is not this life's.
        await using var silent = new ScriptedXmppServer(new ScriptedXmppServerOptions { Nobody = "" }) { Script = new ServerScript { Barriers = BarrierAnswer.Silent } };
        await using (var predecessor = new InProcessBridge(
            settings with { Xmpp = settings.Xmpp with { Endpoints = [new XmppEndpoint("127.0.0.1", silent.Port)] } }))
        {
            await Eventually.TrueAsync(async () => (await trial.DepthAsync()).Journal > 0, Patience, "the journal has entries");
        }

        await trial.App.KeyDeleteAsync([trial.Keys.Lease, QueueKeys.DomainLease(settings.Xmpp.Domain)]);
    }

    private delegate Task<(LedgerReport Report, IReadOnlyDictionary<(string Actor, string Message), int> Met)> Life(
        ActorFaults faults, Task? strike, LedgerExcuses excuses);

    private static Func<QueueEntry, bool> Nth(int nth) => _ => Interlocked.Decrement(ref nth) == 0;

    private sealed class FailingEncoder(IStanzaEncoder encoder, Func<QueueEntry, bool> fails) : IStanzaEncoder
    {
        public EncodeResult Encode(in QueueEntry entry, IBufferWriter<byte> output, DateTimeOffset now) =>
            fails(entry) ? throw new InvalidOperationException("as the test wants it") : encoder.Encode(entry, output, now);
    }
}
