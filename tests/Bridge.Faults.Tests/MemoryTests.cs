using System.Diagnostics;
using Bridge.Settings;
using Bridge.TestKit;
using StackExchange.Redis;
using Xunit.Abstractions;

namespace Bridge.Faults.Tests;

/// <summary>What the real program needs when a million messages wait, or huge ones come.</summary>
public sealed class MemoryTests(ITestOutputHelper output)
{
    private const long Limit = 200_000_000;

    [Fact]
    public async Task The_process_stays_below_200_MB_while_a_million_wait()
    {
        await using var server = new ScriptedXmppServer(new ScriptedXmppServerOptions { CountsOnly = true, ReceiveBuffer = 64 << 10 })
        {
            Script = new ServerScript { Faults = [ServerFault.At(ServerMoment.AfterHandshake, ServerReaction.StopReading)] },
        };
        await using var trial = await DeliveryTrial.StartAsync(server, outcomes: OutcomeMode.Failures);
        var text = new string('x', 220);
        for (var chunk = 0; chunk < 100; chunk++)
        {
            await trial.App.ListRightPushAsync(
                DeliveryTrial.Queue,
                [.. Enumerable.Range(chunk * 10_000, 10_000).Select(i =>
                    (RedisValue)$"<message to='r{i % 100}@example.test' id='m-{i}' type='chat'><body>{text}</body></message>")]);
        }

        await using var bridge = trial.Program(ConfirmGrade.Held);
        bridge.Start();
        await bridge.ReadyAsync(TimeSpan.FromSeconds(20));
        var started = Stopwatch.GetTimestamp();
        await Eventually.TrueAsync(
            () => bridge.PeakResidentBytes > Limit || Stopwatch.GetElapsedTime(started) > TimeSpan.FromSeconds(20),
            TimeSpan.FromSeconds(30),
            "20 s have passed");

        output.WriteLine($"peak {bridge.PeakResidentBytes / 1_000_000} MB");
        Assert.InRange(bridge.PeakResidentBytes, 1, Limit);
        Assert.True(bridge.Process.IsRunning);
        var (queued, journal) = await trial.DepthAsync();
        Assert.Equal(1_000_000, queued + journal);
    }

    [Theory]
    [InlineData(QueueKind.List)]
    [InlineData(QueueKind.Stream)]
    public async Task A_message_costs_next_to_no_garbage(QueueKind kind)
    {
        const int warmUp = 60_000;
        const int counted = 100_000;
        await using var server = new ScriptedXmppServer(new ScriptedXmppServerOptions { CountsOnly = true });
        await using var trial = await DeliveryTrial.StartAsync(server, kind: kind, outcomes: OutcomeMode.Failures);
        var text = new string('x', 220);
        for (var pushed = 0; pushed < warmUp + counted; pushed += 1_000)
        {
            await Task.WhenAll(Enumerable.Range(pushed, 1_000).Select(Task (i) =>
            {
                RedisValue message = $"<message to='r{i % 100}@example.test' id='m-{i}' type='chat'><body>{text}</body></message>";
                return kind == QueueKind.List
                    ? trial.App.ListRightPushAsync(DeliveryTrial.Queue, message)
                    : trial.App.StreamAddAsync(DeliveryTrial.Queue, "payload", message);
            }));
        }

        await using var bridge = trial.Program(ConfirmGrade.Held);
        bridge.Start();
        await server.Tally.DistinctAsync(warmUp, TimeSpan.FromSeconds(60));
        var (before, from) = (await AllocatedAsync(bridge), server.Tally.Distinct);
        await server.Tally.DistinctAsync(warmUp + counted, TimeSpan.FromSeconds(60));
        var perMessage = (await AllocatedAsync(bridge) - before) / (warmUp + counted - from);

        output.WriteLine($"{kind}: {perMessage:F0} bytes per message");
        // The payload alone has some 300 bytes: it is never copied into memory of its own. A collection of the
        // runtime's within the count makes the array pools forget some buffers; hence twice what is usual, and more.
        Assert.InRange(perMessage, 1, 128);
    }

    [Fact]
    public async Task A_hundred_entries_of_10_MiB_end_dead_lettered_and_never_enter_the_process()
    {
        const int good = 100;
        await using var server = new ScriptedXmppServer(new ScriptedXmppServerOptions { CountsOnly = true });
        await using var trial = await DeliveryTrial.StartAsync(server, outcomes: OutcomeMode.Failures);
        var huge = (RedisValue)("<message to='r@example.test'><body>" + new string('x', 10 << 20) + "</body></message>");
        for (var i = 0; i < good; i++)
        {
            await trial.App.ListRightPushAsync(DeliveryTrial.Queue, $"<message to='r@example.test' id='m-{i}'><body>{i}</body></message>");
            await trial.App.ListRightPushAsync(DeliveryTrial.Queue, huge);
        }

        // With the lease and the deadlines as shipped: Redis answers nobody while it moves ten mebibytes.
        await using var bridge = trial.Program(ConfirmGrade.Accepted, shipped: true);
        bridge.Start();
        // On a machine whose memory is slow Redis alone needs a minute to move a gibibyte.
        await server.Tally.DistinctAsync(good, TimeSpan.FromMinutes(3));
        await Eventually.TrueAsync(
            async () => await trial.DepthAsync() == (0, 0), TimeSpan.FromSeconds(30), "queue and journal to be empty");

        output.WriteLine($"peak {bridge.PeakResidentBytes / 1_000_000} MB");
        Assert.InRange(bridge.PeakResidentBytes, 1, Limit);
        // A Redis that is slower than the lease, as one on slow memory may be, is a fault, and a fault may repeat what was unconfirmed.
        Assert.True(server.Tally.Reordered == 0, $"{server.Tally.Repeated} repeated, {server.Tally.Reordered} reordered\n{bridge.Process.Output}");
        // Counted, not read: together they are a gibibyte.
        Assert.Equal(100, await trial.App.StreamLengthAsync(trial.Keys.Dead));
    }

    private static async Task<double> AllocatedAsync(BridgeProcess bridge) =>
        (await bridge.MetricsAsync()).Sum("dotnet_gc_heap_total_allocated_bytes_total")
        ?? throw new InvalidOperationException("The runtime's metrics are missing.");
}
