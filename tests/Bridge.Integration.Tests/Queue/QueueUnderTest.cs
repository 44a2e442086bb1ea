using System.Globalization;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.TestKit;
using StackExchange.Redis;

namespace Bridge.Integration.Tests.Queue;

/// <summary>
/// A queue of one kind on a real Redis as one process of Bridge has it (link, lease, queue), and the
/// app's side of it.
/// </summary>
internal sealed class QueueUnderTest : IAsyncDisposable
{
    public static readonly TakeLimits Plenty = new(512, 1 << 20);

    private static int _names;

    private readonly List<IAsyncDisposable> _owned = [];

    private QueueUnderTest(
        QueueKind kind,
        RedisServer redis,
        QueueSettings settings,
        DeadLetterSettings dead,
        IConnectionMultiplexer app)
    {
        DeadBounds = dead;
        Kind = kind;
        Redis = redis;
        Settings = settings;
        AppConnection = app;
        _owned.Add(app);
        Link = new RedisLink(settings.Redis, "bridge-test", settings.CallTimeout);
        Queue = Open(Link);
        Lease = LeaseOn(Link, "component.example." + settings.Keys.Queue);
        _owned.Add(Link);
        _owned.Add(Queue);
    }

    public QueueKind Kind { get; }

    public RedisServer Redis { get; }

    public QueueSettings Settings { get; }

    public QueueKeys Keys => Settings.Keys;

    public DeadLetterSettings DeadBounds { get; }

    public OutcomeSettings Outcomes { get; } = new() { MaxEntries = 10_000, Buffer = 10 };

    public RedisLink Link { get; }

    public RedisQueueLease Lease { get; }

    public IOutboundQueue Queue { get; }

    public LeaseGrant Grant { get; private set; } = new("none", 0);

    public QueueSession Session { get; private set; } = new(new LeaseGrant("none", 0), 0);

    public IConnectionMultiplexer AppConnection { get; }

    public IDatabase App => AppConnection.GetDatabase();

    public DeadLetters Dead => new(Link, Keys, Kind);

    /// <summary>Connects, with neither lease nor session yet.</summary>
    public static async Task<QueueUnderTest> ConnectAsync(
        QueueKind kind,
        RedisServer redis,
        Func<QueueSettings, QueueSettings>? change = null,
        DeadLetterSettings? dead = null)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"test:{kind}:{Interlocked.Increment(ref _names)}");
        Assert.True(QueueKeys.TryCreate(name, out var keys, out _));
        var settings = new QueueSettings
        {
            Redis = redis.ConnectionString,
            Keys = keys!,
            Kind = kind,
            Group = "bridge",
            Deletion = StreamDeletion.Own,
            BatchEntries = 512,
            BatchBytes = 1 << 20,
            TakesInFlight = 4,
            MaxEntryBytes = 256 * 1024,
            CallTimeout = TimeSpan.FromSeconds(2),
            WaitTime = TimeSpan.FromMilliseconds(500),
        };
        var app = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString + ",allowAdmin=true,abortConnect=false");
        dead ??= new DeadLetterSettings { MaxEntries = 10_000, MaxAge = TimeSpan.FromDays(1) };
        return new QueueUnderTest(kind, redis, change?.Invoke(settings) ?? settings, dead, app);
    }

    /// <summary>Connects, acquires the lease and opens a session.</summary>
    public static async Task<QueueUnderTest> StartAsync(
        QueueKind kind,
        RedisServer redis,
        Func<QueueSettings, QueueSettings>? change = null,
        DeadLetterSettings? dead = null)
    {
        var queue = await ConnectAsync(kind, redis, change, dead);
        // A machine that is busy may take longer to connect than a link waits.
        await UntilReachedAsync(queue.AcquireAsync);
        await queue.RecoverOnceBackAsync();
        return queue;
    }

    public RedisQueueLease LeaseOn(RedisLink link, string domain, TimeSpan? timeToLive = null) => new(
        link,
        Keys,
        domain,
        new LeaseSettings
        {
            TimeToLive = timeToLive ?? TimeSpan.FromSeconds(60),
            RenewEvery = TimeSpan.FromSeconds(1),
            PollEvery = TimeSpan.FromMilliseconds(500),
            SafetyMargin = TimeSpan.FromSeconds(1),
        });

    public async Task<LeaseGrant> AcquireAsync()
    {
        var attempt = await Lease.TryAcquireAsync();
        Assert.NotNull(attempt.Grant);
        return Grant = attempt.Grant;
    }

    public async Task<Recovery> RecoverAsync()
    {
        var recovery = await Queue.RecoverAsync(Grant);
        Session = recovery.Session;
        return recovery;
    }

    /// <summary>Recovers where Redis was away, as the puller does: what has not found Redis again yet is asked again.</summary>
    public Task<Recovery> RecoverOnceBackAsync() => UntilReachedAsync(RecoverAsync);

    /// <summary>Another queue object, as in another process or after a restart.</summary>
    public IOutboundQueue OpenAnother(TimeProvider? time = null)
    {
        var link = new RedisLink(Settings.Redis, "bridge-other", Settings.CallTimeout);
        var queue = Open(link, time);
        _owned.Add(link);
        _owned.Add(queue);
        return queue;
    }

    public Task<TakenEntries> TakeAsync(TakeLimits? limits = null) =>
        Queue.TakeAsync(Session, limits ?? Plenty, Settlement.Nothing);

    public Task<SettleResult> SettleAsync(EntryPosition upTo, params EndedEntry[] rejected) =>
        Queue.SettleAsync(Session, new Settlement(upTo, rejected, null));

    /// <summary>Returns once so many wait in Redis for work.</summary>
    public async Task WaitingAsync(int count)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        var wanted = Kind == QueueKind.List ? "cmd=blmove" : "cmd=xread";
        while (((string)(await ServerAsync("CLIENT", "LIST"))!).Split('\n').Count(line => line.Contains(wanted, StringComparison.Ordinal)) < count)
            await tick.WaitForNextTickAsync(deadline.Token);
    }

    /// <summary>Pushes as the app does: RPUSH, or XADD with the field <c>payload</c>.</summary>
    public async Task PushAsync(params IReadOnlyList<byte[]> payloads)
    {
        var pushes = Kind == QueueKind.List
            ? payloads.Chunk(500).Select(some => (Task)App.ListRightPushAsync(Keys.Queue, [.. some.Select(payload => (RedisValue)payload)]))
            : payloads.Select(payload => (Task)App.StreamAddAsync(Keys.Queue, "payload", payload));
        await Task.WhenAll(pushes.ToArray());
    }

    public Task PushAsync(int count) => PushAsync([.. Enumerable.Range(0, count).Select(Numbered)]);

    public static byte[] Numbered(int number) =>
        System.Text.Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"<message id='m{number}'/>"));

    /// <summary>Takes until nothing is left, and gives all payloads in order.</summary>
    public async Task<List<QueueEntry>> TakeAllAsync(TakeLimits? limits = null)
    {
        List<QueueEntry> all = [];
        while (true)
        {
            var taken = await TakeAsync(limits);
            all.AddRange(taken.Entries);
            if (taken.Remaining == 0)
                return all;
        }
    }

    /// <summary>Reads the whole journal.</summary>
    public async Task<List<QueueEntry>> ReadAllAsync(TakeLimits? limits = null)
    {
        List<QueueEntry> all = [];
        var after = EntryPosition.Zero;
        while (true)
        {
            var read = await Queue.ReadJournalAsync(Session, after, limits ?? Plenty);
            all.AddRange(read.Entries);
            if (read.LookedUpTo is { } lookedUpTo)
                after = lookedUpTo;
            else if (read.Entries is [.., var last])
                after = last.Position;
            else
                return all;
        }
    }

    public static async Task<QueueFaultException> FaultsAsync(QueueFault expected, Func<Task> call)
    {
        var thrown = await Assert.ThrowsAsync<QueueFaultException>(call);
        Assert.True(expected == thrown.Fault, $"expected {expected}, got {thrown.Fault}: {thrown.Message}");
        return thrown;
    }

    public Task<RedisResult> ServerAsync(string command, params object[] arguments) =>
        AppConnection.GetServer("127.0.0.1", Redis.Port).ExecuteAsync(command, arguments);

    /// <summary>A full Redis: the limit is set to less than is in use, so that every growing command is refused.</summary>
    public async Task FillMemoryAsync()
    {
        await ServerAsync("CONFIG", "SET", "maxmemory", "100kb");
        var refused = await Assert.ThrowsAsync<RedisServerException>(() => App.StringSetAsync("more", "more"));
        Assert.StartsWith("OOM", refused.Message, StringComparison.Ordinal);
    }

    public async ValueTask DisposeAsync()
    {
        // A frozen Redis would hold up the closing of the app's connection.
        if (Redis.Process.IsRunning)
            Redis.Thaw();
        for (var i = _owned.Count - 1; i >= 0; i--)
            await _owned[i].DisposeAsync();
    }

    private static async Task<T> UntilReachedAsync<T>(Func<Task<T>> call)
    {
        T? result = default;
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    result = await call();
                }
                catch (QueueFaultException away) when (away.Fault == QueueFault.Unreachable)
                {
                    return false;
                }

                return true;
            },
            TimeSpan.FromSeconds(30),
            "Redis is reached");
        return result!;
    }

    private RedisQueue Open(RedisLink link, TimeProvider? time = null) => Kind == QueueKind.List
        ? new ListQueue(link, Settings, DeadBounds, Outcomes, time)
        : new StreamQueue(link, Settings, DeadBounds, Outcomes, time);
}
