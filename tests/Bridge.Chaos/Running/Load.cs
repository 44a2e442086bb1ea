using System.Diagnostics;
using System.Globalization;
using Bridge.Chaos.Judgement;
using Bridge.Settings;
using StackExchange.Redis;

namespace Bridge.Chaos.Running;

/// <summary>The app: pushes at a steady pace, through every fault of Redis, each message once.</summary>
internal sealed class Load(Stage stage, Judge judge, int perSecond)
{
    /// <summary>With so many on their way the load waits, so that a long outage costs no memory and is soon caught up with.</summary>
    public const int MostOpen = 15_000;

    // A push whose reply was lost is sent again; the number of the batch keeps it from happening twice, also when
    // Redis finds the first attempt in its socket much later.
    private const string PushList = """
        if tonumber(redis.call('GET', KEYS[2]) or '-1') >= tonumber(ARGV[1]) then return 0 end
        for i = 2, #ARGV do redis.call('RPUSH', KEYS[1], ARGV[i]) end
        redis.call('SET', KEYS[2], ARGV[1])
        return 1
        """;

    private const string PushStream = """
        if tonumber(redis.call('GET', KEYS[2]) or '-1') >= tonumber(ARGV[1]) then return 0 end
        for i = 2, #ARGV, 2 do redis.call('XADD', KEYS[1], ARGV[i], 'payload', ARGV[i + 1]) end
        redis.call('SET', KEYS[2], ARGV[1])
        return 1
        """;

    private static readonly TimeSpan Slot = TimeSpan.FromMilliseconds(20);

    /// <summary>Pushes to every lane until told to stop; what is entered by then is pushed.</summary>
    public Task RunAsync(CancellationToken stopping) => Task.WhenAll(stage.Lanes.Select(lane => RunAsync(lane, stopping)));

    private async Task RunAsync(Lane lane, CancellationToken stopping)
    {
        using var slots = new PeriodicTimer(Slot);
        var started = Stopwatch.GetTimestamp();
        var due = 0.0;
        var at = 0L;
        for (var batch = 0L; !stopping.IsCancellationRequested; batch++)
        {
            Task slot = slots.WaitForNextTickAsync(stopping).AsTask();
            await slot.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (stopping.IsCancellationRequested)
                return;
            due += perSecond * Math.Min(Stopwatch.GetElapsedTime(started).TotalSeconds, 0.2);
            started = Stopwatch.GetTimestamp();
            var count = (int)due;
            due -= count;
            if (count == 0 || lane.Ledger.Open > MostOpen)
                continue;

            // Ids of a stream rise, also where the clock was set back.
            at = Math.Max(at, DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());
            var words = new List<object> { PushCommand(lane), 2, lane.Queue, $"chaos:pushed:{lane.Name}", batch };
            for (var i = 0; i < count; i++)
            {
                var (payload, place) = Message(lane);
                if (lane.Kind == QueueKind.Stream)
                    words.Add(string.Create(CultureInfo.InvariantCulture, $"{at}-{place}"));
                words.Add(payload);
            }

            await PushAsync(words);
        }
    }

    private static string PushCommand(Lane lane) => lane.Kind == QueueKind.List ? PushList : PushStream;

    private async Task PushAsync(List<object> words)
    {
        using var ticks = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (true)
        {
            try
            {
                await stage.App.ExecuteAsync("EVAL", words);
                return;
            }
            catch (Exception e) when (e is RedisException or TimeoutException)
            {
                // Down, frozen, full or read-only: it is one of the faults, and it passes.
                await ticks.WaitForNextTickAsync();
            }
        }
    }

    // Most are raw, every tenth is an envelope, and some have a mistake that Bridge must find.
    private (string Payload, long Place) Message(Lane lane)
    {
        var number = lane.Ledger.Pushed;
        var recipient = lane.Recipients[(int)(number % lane.Recipients.Count)];
        string? reason = (number % 97, number / 97 % 4) switch
        {
            (96, 0) => "missing-to",
            (96, 1) => "foreign-from",
            (96, 2) => "comment",
            (96, _) => "json-unknown-field",
            _ => null,
        };
        var message = judge.Push(lane, recipient, reason);
        var payload = reason switch
        {
            "missing-to" => $"<message id='{message.Id}'><body>to nobody</body></message>",
            "foreign-from" => $"<message id='{message.Id}' to='{recipient}' from='someone@elsewhere.test'><body>of another</body></message>",
            "comment" => $"<message id='{message.Id}' to='{recipient}'><!-- a remark --><body>with a remark</body></message>",
            "json-unknown-field" => $$"""{"id":"{{message.Id}}","to":"{{recipient}}","body":"hi","colour":"red"}""",
            _ when number % 10 == 7 => $$"""{"id":"{{message.Id}}","to":"{{recipient}}","body":"number {{number}} — Ω 世界"}""",
            _ => message.ToStanza($"number {number}, with a body of about a hundred bytes, as many messages have one"),
        };
        return (payload, number);
    }
}
