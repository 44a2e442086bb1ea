using System.Globalization;
using BenchmarkDotNet.Attributes;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Benchmarks;

/// <summary>
/// The script that settles what was taken before and takes a full batch, against a real Redis: per
/// entry, one call at a time. The column In Redis is what Redis itself spent of that.
/// </summary>
[InvocationCount(Takes)]
public class ScriptBenchmarks
{
    private const int Entries = 512;
    private const int Takes = 48;

    private static readonly TakeLimits Limits = new(Entries, 1024 * 1024);

    private readonly byte[][] _payloads = SamplePayloads.Of(SampleKind.Raw300, Entries);
    private readonly List<IAsyncDisposable> _owned = [];
    private QueueSettings? _settings;
    private ConnectionMultiplexer? _app;
    private RedisQueue? _queue;
    private QueueSession? _session;
    private EntryPosition _taken;
    private long _calls;

    [ParamsAllValues]
    public QueueKind Kind { get; set; }

    private IDatabase App => _app!.GetDatabase();

    [GlobalSetup]
    public async Task StartAsync()
    {
        var redis = await RedisServer.StartAsync();
        _owned.Add(redis);
        _app = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString + ",allowAdmin=true");
        _owned.Add(_app);
        if (!QueueKeys.TryCreate("bench", out var keys, out var mistake))
            throw new InvalidOperationException(mistake);
        _settings = new QueueSettings
        {
            Redis = redis.ConnectionString,
            Keys = keys!,
            Kind = Kind,
            Group = "bridge",
            Deletion = StreamDeletion.Own,
            BatchEntries = Entries,
            BatchBytes = 1024 * 1024,
            TakesInFlight = 1,
            MaxEntryBytes = 256 * 1024,
            CallTimeout = TimeSpan.FromSeconds(10),
            WaitTime = TimeSpan.FromSeconds(1),
        };
        var link = new RedisLink(_settings.Redis, "bridge-bench", _settings.CallTimeout);
        _owned.Add(link);
        var dead = new DeadLetterSettings { MaxEntries = 10_000, MaxAge = TimeSpan.FromDays(1) };
        var outcomes = new OutcomeSettings { MaxEntries = 10_000, Buffer = 10_000 };
        _queue = Kind == QueueKind.List ? new ListQueue(link, _settings, dead, outcomes) : new StreamQueue(link, _settings, dead, outcomes);
        _owned.Add(_queue);
        // Nobody renews it here.
        var lease = new RedisQueueLease(link, keys!, SamplePayloads.Domain, new LeaseSettings
        {
            TimeToLive = TimeSpan.FromHours(1),
            RenewEvery = TimeSpan.FromMinutes(1),
            PollEvery = TimeSpan.FromSeconds(1),
            SafetyMargin = TimeSpan.FromSeconds(1),
        });
        var attempt = await lease.TryAcquireAsync();
        _session = (await _queue.RecoverAsync(attempt.Grant!)).Session;
        await ServerAsync("CONFIG", "RESETSTAT");
    }

    /// <summary>As many entries as the takes of one iteration want.</summary>
    [IterationSetup]
    public void Push()
    {
        // BenchmarkDotNet offers no asynchronous setup of an iteration.
        for (var take = 0; take < Takes; take++)
            PushBatchAsync().GetAwaiter().GetResult();
    }

    [Benchmark(OperationsPerInvoke = Entries)]
    public async Task<long> SettleAndTake()
    {
        var taken = await _queue!.TakeAsync(_session!, Limits, new Settlement(_taken, [], null));
        if (taken.Entries.Count != Entries)
            throw new InvalidOperationException($"{taken.Entries.Count} entries were taken.");
        _taken = taken.Entries[^1].Position;
        // As a writer does when it has encoded them.
        taken.Entries.Release();
        _calls++;
        return taken.Settled.Removed;
    }

    [GlobalCleanup]
    public async Task StopAsync()
    {
        var statistics = (string)(await ServerAsync("INFO", "commandstats"))!;
        // Of EVAL and EVALSHA alike; since the reset nothing but takes has used either.
        var microseconds = statistics.Split('\n')
            .Where(line => line.StartsWith("cmdstat_eval", StringComparison.Ordinal))
            .SelectMany(line => line.Split(','))
            .Where(field => field.StartsWith("usec=", StringComparison.Ordinal))
            .Sum(field => double.Parse(field["usec=".Length..], CultureInfo.InvariantCulture));
        RedisTimeColumn.Report(microseconds * 1000 / _calls / Entries);
        _owned.Reverse();
        foreach (var owned in _owned)
            await owned.DisposeAsync();
    }

    private Task PushBatchAsync() => Kind == QueueKind.List
        ? App.ListRightPushAsync(_settings!.Keys.Queue, [.. _payloads.Select(payload => (RedisValue)payload)])
        : Task.WhenAll(_payloads.Select(payload => App.StreamAddAsync(_settings!.Keys.Queue, "payload", payload)));

    private Task<RedisResult> ServerAsync(params string[] words) =>
        _app!.GetServers()[0].ExecuteAsync(words[0], [.. words[1..]]);
}
