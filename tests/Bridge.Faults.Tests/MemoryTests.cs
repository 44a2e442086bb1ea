using System.Diagnostics;
using Bridge.Settings;
using Bridge.TestKit;
using StackExchange.Redis;
using Xunit.Abstractions;

namespace Bridge.Faults.Tests;

/// <summary>A million messages behind a server that reads nothing.</summary>
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
        await using var trial = await DeliveryTrial.StartAsync(server);
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
}
