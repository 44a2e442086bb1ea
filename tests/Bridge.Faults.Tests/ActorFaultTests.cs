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
/// Each actor fails at each kind of message that it gets in a life with a predecessor's journal, a server that is away, a
/// broken connection, a bounce and a drain; before its handling and behind. Deadlines that pass are not part of that life.
/// </summary>
public sealed class ActorFaultTests(ITestOutputHelper output)
{
    private const int Count = 600;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    // Waiting for backoffs, mostly: several lives at a time.
    private const int LivesAtATime = 4;

    [Theory]
    [InlineData(nameof(RedisPullerActor), "StartFlow WindowMoved Settle Recovered Taken JournalRead Settled DepthRead PumpNow RecoverNow ReadDepth StopTaking FlushSettlements")]
    [InlineData(nameof(XmppConnectionActor), "JournalRecovered BatchEncoded TakingStopped Dialed DialFailed FromLink LinkEnded LinkClosed DialNow Tick Observe Drain")]
    [InlineData(nameof(LeaseActor), "StandBy Attempted Renewed Tick Release ReleaseDone")]
    [InlineData(nameof(InboundPublisherActor), "Publish Published Flush")]
    [InlineData(nameof(StanzaWriterActor), "EncodeBatch")]
    public async Task An_actor_that_fails_at_any_message_loses_and_reorders_nothing(string actor, string messages)
    {
        var expected = messages.Split(' ');
        using var seen = new ActorFaults();
        var (report, met) = await LiveAsync(seen, strike: null);
        Assert.True(report.IsKept, report.ToString());
        var kinds = met.Keys.Where(key => key.Actor == actor).Select(key => key.Message).Order().ToArray();
        output.WriteLine($"{actor} gets {string.Join(' ', kinds)}");
        Assert.Equal([.. expected.Order()], kinds);

        using var gate = new SemaphoreSlim(LivesAtATime);
        var lives =
            from message in kinds
            from moment in Enum.GetValues<ActorFaultMoment>()
                // The first time, and in the middle of the flood.
            from nth in met[(actor, message)] > 4 ? (int[])[1, 3] : [1]
            select FailingLifeAsync(gate, actor, message, moment, nth);

        var failures = (await Task.WhenAll(lives)).OfType<string>().ToArray();

        Assert.True(failures.Length == 0, string.Join("\n\n", failures));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    public async Task An_encoder_that_throws_costs_no_message(int nth)
    {
        using var faults = new ActorFaults();
        var (report, _) = await LiveAsync(faults, strike: null, encoderFailsAt: nth);

        Assert.True(report.IsKept, report.ToString());
        Assert.Equal(Count, report.Arrived);
    }

    private static async Task<string?> FailingLifeAsync(SemaphoreSlim gate, string actor, string message, ActorFaultMoment moment, int nth)
    {
        // What a writer is encoding is in the hands of its supervisor only where the failure is its own.
        if (actor == nameof(StanzaWriterActor) && moment == ActorFaultMoment.Before)
            return null;
        await gate.WaitAsync();
        var life = string.Create(CultureInfo.InvariantCulture, $"{actor} {moment} {message} {nth}");
        try
        {
            using var faults = new ActorFaults();
            faults.Strike(actor, message, moment, nth);
            var (report, _) = await LiveAsync(faults, faults.Struck);
            return report.IsKept && report.Arrived == Count ? null : $"{life}: {report}";
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
        ActorFaults faults, Task? strike, int encoderFailsAt = 0)
    {
        await using var server = new ScriptedXmppServer();
        await using var proxy = new FaultProxy(server.Port);
        await using var trial = await DeliveryTrial.StartAsync(server);
        proxy.Down();
        await trial.PushAsync(Count / 2);
        var settings = trial.Settings(ConfirmGrade.Accepted, proxy.Port, window: 200);
        settings = settings with { Queue = settings.Queue with { BatchEntries = 50 } };
        BridgeParts WithFailingEncoder(BridgeParts parts) =>
            encoderFailsAt == 0 ? parts : parts with { Encoder = new FailingEncoder(parts.Encoder, encoderFailsAt) };

        await LeaveAJournalAsync(trial, settings);
        await using (var bridge = new InProcessBridge(settings, WithFailingEncoder, faults))
        {
            await Eventually.TrueAsync(
                () => faults.Met.ContainsKey((nameof(XmppConnectionActor), "DialFailed")), Patience, "a dial failed");
            proxy.Up();
            await trial.Ledger.ArrivedAsync(Count / 4, Patience);
            proxy.ResetPeer();
            await trial.Ledger.SettledAsync(Patience);
            var bounced = server.Received.Snapshot().First(stanza => stanza.Id is not null && stanza.To is not null);
            server.Connections[^1].Send(
                $"<message type='error' from='{bounced.To}' to='{trial.Domain}' id='{bounced.Id}'><error type='cancel'><item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>");
            for (var i = 0; i < Count / 2; i += 50)
            {
                await trial.PushAsync(50);
                await trial.Ledger.SettledAsync(Patience);
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
            return (await trial.EndAsync(Patience, next), faults.Met);
        }

        return (await trial.EndAsync(Patience), faults.Met);
    }

    /// <summary>A predecessor that takes and delivers nothing, and dies; whoever comes next need not wait for its lease.</summary>
    private static async Task LeaveAJournalAsync(DeliveryTrial trial, BridgeSettings settings)
    {
        await using var silent = new ScriptedXmppServer { Script = new ServerScript { Barriers = BarrierAnswer.Silent } };
        await using (var predecessor = new InProcessBridge(
            settings with { Xmpp = settings.Xmpp with { Endpoints = [new XmppEndpoint("127.0.0.1", silent.Port)] } }))
        {
            await Eventually.TrueAsync(async () => (await trial.DepthAsync()).Journal > 0, Patience, "the journal has entries");
        }

        await trial.App.KeyDeleteAsync([trial.Keys.Lease, QueueKeys.DomainLease(settings.Xmpp.Domain)]);
    }

    private sealed class FailingEncoder(IStanzaEncoder encoder, int nth) : IStanzaEncoder
    {
        private int _left = nth;

        public EncodeResult Encode(in QueueEntry entry, IBufferWriter<byte> output, DateTimeOffset now) =>
            Interlocked.Decrement(ref _left) == 0
                ? throw new InvalidOperationException("as the test wants it")
                : encoder.Encode(entry, output, now);
    }
}
