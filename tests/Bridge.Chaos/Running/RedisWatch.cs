using System.Text.RegularExpressions;
using Bridge.Chaos.Judgement;
using Bridge.Settings;
using StackExchange.Redis;

namespace Bridge.Chaos.Running;

/// <summary>What Redis tells of one lane, as last seen.</summary>
internal sealed record LaneDepth(long Queued, long Journal);

/// <summary>
/// Looks at Redis' side five times a second: dead letters and bounces to the judge, how far settlement got, and how
/// much waits. Redis gives no signal of its own that does not block a connection.
/// </summary>
internal sealed partial class RedisWatch(Stage stage, Judge judge) : IDisposable
{
    private static readonly TimeSpan Every = TimeSpan.FromMilliseconds(200);

    // One look at a time: two would read the same dead letter twice.
    private readonly SemaphoreSlim _looking = new(1);
    private readonly Dictionary<string, RedisValue> _seen = [];
    private readonly Dictionary<string, LaneDepth> _depths = [];

    /// <summary>How much waits, over all lanes, as last seen.</summary>
    public LaneDepth Depth
    {
        get
        {
            lock (_depths)
                return new LaneDepth(_depths.Values.Sum(depth => depth.Queued), _depths.Values.Sum(depth => depth.Journal));
        }
    }

    public void Dispose() => _looking.Dispose();

    /// <summary>Looks until told to stop.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        using var ticks = new PeriodicTimer(Every);
        while (!stopping.IsCancellationRequested)
        {
            await LookAsync();
            judge.Tick();
            Task tick = ticks.WaitForNextTickAsync(stopping).AsTask();
            await tick.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>One look.</summary>
    /// <returns>Whether Redis answered.</returns>
    public async Task<bool> LookAsync()
    {
        await _looking.WaitAsync();
        try
        {
            foreach (var lane in stage.Lanes)
                await LookAsync(lane);
            return true;
        }
        catch (Exception e) when (e is RedisException or TimeoutException)
        {
            return false;
        }
        finally
        {
            _looking.Release();
        }
    }

    private async Task LookAsync(Lane lane)
    {
        var redis = stage.App;
        // The position first: what left the journal by then is found among the dead letters behind it.
        var positions = await redis.HashGetAsync(lane.Confirmed, ["mark", "settled"]);
        foreach (var letter in await NewAsync(redis, lane.Dead))
            judge.DeadLettered(lane, IdIn().Match((string?)letter["payload"] ?? "").Groups[1].Value, (string?)letter["reason"] ?? "");
        foreach (var outcome in await NewAsync(redis, lane.Outcomes))
        {
            // The others stand among the dead letters, which are judged there.
            if (outcome["ending"] == "bounced")
                judge.Bounced(lane, (string?)outcome["id"]);
        }

        judge.Settled(lane, mark: lane.PlaceAt((string?)positions[0]), settled: lane.PlaceAt((string?)positions[1]));
        var depth = await DepthAsync(redis, lane);
        lock (_depths)
            _depths[lane.Name] = depth;
    }

    private async Task<StreamEntry[]> NewAsync(IDatabase redis, string key)
    {
        var entries = await redis.StreamReadAsync(key, _seen.GetValueOrDefault(key, "0-0"), count: 2_000);
        if (entries.Length > 0)
            _seen[key] = entries[^1].Id;
        return entries;
    }

    private static async Task<LaneDepth> DepthAsync(IDatabase redis, Lane lane)
    {
        if (lane.Kind == QueueKind.List)
            return new LaneDepth(await redis.ListLengthAsync(lane.Queue), await redis.ListLengthAsync(lane.Inflight));
        var groups = await redis.KeyExistsAsync(lane.Queue) ? await redis.StreamGroupInfoAsync(lane.Queue) : [];
        var pending = groups.Sum(group => (long)group.PendingMessageCount);
        // What is settled is deleted as well: the stream holds what waits and what is pending.
        return new LaneDepth(Math.Max(0, await redis.StreamLengthAsync(lane.Queue) - pending), pending);
    }

    // In a payload with a mistake the id stands where the load wrote it.
    [GeneratedRegex("""id["']?[=:]["']([a-z]\d+-\d+)["']""")]
    private static partial Regex IdIn();
}
