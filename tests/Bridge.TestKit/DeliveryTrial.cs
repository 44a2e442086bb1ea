using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Bridge.Outcomes;
using Bridge.Queue;
using Bridge.Settings;
using StackExchange.Redis;

namespace Bridge.TestKit;

/// <summary>
/// One trial of the promise on real parts: an app with its Redis, a server, a second component and a logged-in
/// user who record what arrives, and the ledger that both sides are entered in. A test pushes, starts a bridge,
/// strikes, and ends on <see cref="EndAsync"/>.
/// </summary>
public sealed class DeliveryTrial : IAsyncDisposable
{
    private readonly Dictionary<string, PushedMessage> _pushed = [];
    private readonly Dictionary<string, string> _idOfPayload = [];
    // The ledger's ids by those that stanzas have.
    private readonly ConcurrentDictionary<string, string> _idOfStanza = [];
    private readonly List<XmppPeer> _peers = [];
    private readonly List<StanzaLog> _logs = [];
    // Which message has each place, and where it stands in the queue.
    private readonly List<string> _ids = [];
    private readonly List<EntryPosition> _positions = [];
    private readonly QueueKeys _keys;
    private readonly string _userDomain;
    private readonly string _secret;
    private IXmppServer? _server;
    private FaultProxy? _pace;
    private RedisCluster? _cluster;
    private string? _connectionString;
    private ConnectionMultiplexer? _app;
    private int _mixed;

    // What has been entered.
    private readonly Dictionary<string, int> _replies = [];
    private int _letters;
    private int _outcomes;

    private DeliveryTrial(
        RedisServer redis, QueueKind kind, OutcomeMode outcomes, int port, string domain, string sinkDomain, string userDomain, string secret)
    {
        Redis = redis;
        Kind = kind;
        Outcomes = outcomes;
        Ledger.AllIsTold = outcomes == OutcomeMode.All;
        XmppPort = port;
        Domain = domain;
        SinkJid = "box@" + sinkDomain;
        UserJid = "ada@" + userDomain;
        _userDomain = userDomain;
        _secret = secret;
        if (!QueueKeys.TryCreate(Queue, out var keys, out var mistake))
            throw new InvalidOperationException(mistake);
        _keys = keys!;
    }

    private const string Group = "bridge";
    private const int MaxOutcomes = 1_000_000;
    private const int OddEvery = 100;
    private const string AppOptions = ",allowAdmin=true,abortConnect=false,connectTimeout=1000,asyncTimeout=20000";

    /// <summary>The queue that the app pushes to.</summary>
    public const string Queue = "xmpp:outbound";

    /// <summary>The keys of the queue.</summary>
    public QueueKeys Keys => _keys;

    /// <summary>List or stream.</summary>
    public QueueKind Kind { get; }

    /// <summary>Which endings its bridges tell. All, unless a test is about less: then the ledger knows what was told of each message.</summary>
    public OutcomeMode Outcomes { get; }

    /// <summary>The app's Redis, the trial's own. Of a cluster, the node that had the queue at first.</summary>
    public RedisServer Redis { get; }

    /// <summary>How it is connected to.</summary>
    public string ConnectionString => _connectionString ?? _cluster?.ConnectionString ?? Redis.ConnectionString;

    /// <summary>What was pushed and what became of it.</summary>
    public Ledger Ledger { get; } = new();

    /// <summary>The component's domain.</summary>
    public string Domain { get; }

    /// <summary>Where a bridge finds the server's component port.</summary>
    public int XmppPort { get; }

    /// <summary>A recipient at the second component.</summary>
    public string SinkJid { get; }

    /// <summary>The logged-in user.</summary>
    public string UserJid { get; }

    /// <summary>What the logged-in user has received since the last <see cref="JoinAsync" />.</summary>
    public StanzaLog UserReceived => _logs[^1];

    /// <summary>An address of the server that nobody has.</summary>
    public string NobodysJid => "nobody@" + _userDomain;

    /// <summary>The app's way into Redis; lives over restarts of Redis.</summary>
    public IDatabase App => _app!.GetDatabase();

    /// <summary>A pace at which a flood of ten thousand lasts about a second, so that a fault meets it half-way.</summary>
    public const int SlowFlood = 2_000_000;

    /// <summary>Starts a Redis and connects both recipients to a real server, which others may use as well.</summary>
    /// <param name="server">The server.</param>
    /// <param name="redis">How Redis is started; null: the defaults.</param>
    /// <param name="kind">List or stream.</param>
    /// <param name="bytesPerSecond">The most that gets to the server through <see cref="XmppPort"/>; null: no limit.</param>
    /// <param name="outcomes">Which endings are told.</param>
    public static async Task<DeliveryTrial> StartAsync(
        IXmppServer server,
        RedisOptions? redis = null,
        QueueKind kind = QueueKind.List,
        int? bytesPerSecond = null,
        OutcomeMode outcomes = OutcomeMode.All)
    {
        FaultProxy? pace = null;
        if (bytesPerSecond is { } rate)
        {
            pace = new FaultProxy(server.ComponentPort);
            pace.Upstream.BytesPerSecond = rate;
        }

        var trial = new DeliveryTrial(
            await RedisServer.StartAsync(redis),
            kind,
            outcomes,
            pace?.Port ?? server.ComponentPort,
            server.Components[0],
            server.Components[1],
            server.Domain,
            server.ComponentSecret)
        {
            _server = server,
            _pace = pace,
        };
        return await StartAsync(trial, trial.JoinAsync);
    }

    /// <summary>Connects both recipients to a real server, with a Redis Cluster that is the trial's own from now on.</summary>
    /// <param name="server">The server.</param>
    /// <param name="cluster">Ended with the trial.</param>
    /// <param name="kind">List or stream.</param>
    /// <param name="bytesPerSecond">As above.</param>
    public static Task<DeliveryTrial> StartAsync(IXmppServer server, RedisCluster cluster, QueueKind kind = QueueKind.List, int? bytesPerSecond = null) =>
        StartAsync(server, cluster, null, kind, bytesPerSecond);

    /// <summary>Connects both recipients to a real server, with a Redis that is the trial's own from now on.</summary>
    /// <param name="server">The server.</param>
    /// <param name="redis">Ended with the trial.</param>
    /// <param name="connectionString">How the app and bridges connect to it, where the plain port is not what is tried.</param>
    /// <param name="kind">List or stream.</param>
    public static Task<DeliveryTrial> StartAsync(IXmppServer server, RedisServer redis, string connectionString, QueueKind kind = QueueKind.List) =>
        StartAsync(server, null, (redis, connectionString), kind, null);

    private static async Task<DeliveryTrial> StartAsync(
        IXmppServer server, RedisCluster? cluster, (RedisServer Server, string ConnectionString)? redis, QueueKind kind, int? bytesPerSecond)
    {
        FaultProxy? pace = null;
        if (bytesPerSecond is { } rate)
        {
            pace = new FaultProxy(server.ComponentPort);
            pace.Upstream.BytesPerSecond = rate;
        }

        var trial = new DeliveryTrial(
            redis?.Server ?? await cluster!.OwnerOfAsync(Queue), kind, OutcomeMode.All, pace?.Port ?? server.ComponentPort,
            server.Components[0], server.Components[1], server.Domain, server.ComponentSecret)
        {
            _server = server,
            _pace = pace,
            _cluster = cluster,
            _connectionString = redis?.ConnectionString,
        };
        return await StartAsync(trial, trial.JoinAsync);
    }

    /// <summary>Starts a Redis; what a scripted server takes counts as arrived.</summary>
    public static async Task<DeliveryTrial> StartAsync(
        ScriptedXmppServer server, RedisOptions? redis = null, QueueKind kind = QueueKind.List, OutcomeMode outcomes = OutcomeMode.All)
    {
        var options = server.Options;
        var trial = new DeliveryTrial(
            await RedisServer.StartAsync(redis), kind, outcomes, server.Port, options.Component, "sink." + options.Domain, options.Domain, options.Secret);
        return await StartAsync(trial, () =>
        {
            trial.Observe(server.Received, "the server");
            return Task.CompletedTask;
        });
    }

    /// <summary>From now on the app, and what is asked here of Redis, means this one: the one that was promoted.</summary>
    public async Task FollowAsync(RedisServer promoted)
    {
        var before = _app!;
        _app = await ConnectionMultiplexer.ConnectAsync(promoted.ConnectionString + AppOptions);
        await before.DisposeAsync();
    }

    /// <summary>Connects both recipients; again after the server was down.</summary>
    public async Task JoinAsync()
    {
        var server = _server ?? throw new InvalidOperationException("A scripted server has no recipients.");
        var sink = await XmppComponentPeer.ConnectAsync(server, server.Components[1]);
        _peers.Add(sink);
        Observe(sink.Received, "sink");
        var user = await XmppUser.LoginAsync(server, "ada");
        _peers.Add(user);
        Observe(user.Received, "ada");
    }

    /// <summary>The settings of a bridge for this trial, quick where the defaults would only cost time.</summary>
    /// <param name="grade">The grade.</param>
    /// <param name="xmppPort">Where the bridge finds the server; null: the server's own port.</param>
    /// <param name="redis">Where it finds Redis; null: the trial's own.</param>
    /// <param name="window">How many entries may be unconfirmed; few leave most of a flood in Redis.</param>
    /// <param name="shipped">Whether the lease is that of the shipped defaults, where its times are what is measured.</param>
    public BridgeSettings Settings(
        ConfirmGrade grade, int? xmppPort = null, string? redis = null, int window = 10_000, bool shipped = false)
    {
        var settings = InProcessBridge.Settings(
            redis ?? ConnectionString, [xmppPort ?? XmppPort], Queue, Domain, _secret, grade, Kind);
        return settings with
        {
            Xmpp = settings.Xmpp with { ServerDomain = _userDomain },
            Window = settings.Window with { UnconfirmedEntries = window },
            // The ledger needs every outcome.
            Outcomes = settings.Outcomes with { Mode = Outcomes, MaxEntries = MaxOutcomes },
            Lease = shipped ? settings.Lease : settings.Lease with
            {
                TimeToLive = TimeSpan.FromSeconds(3),
                RenewEvery = TimeSpan.FromMilliseconds(500),
                PollEvery = TimeSpan.FromMilliseconds(200),
            },
        };
    }

    /// <summary>The real program, configured likewise; not started.</summary>
    /// <param name="grade">The grade.</param>
    /// <param name="xmppPort">Where it finds the server; null: the server's own port.</param>
    /// <param name="window">How many entries may be unconfirmed.</param>
    /// <param name="shipped">Whether everything is as shipped, the window too.</param>
    /// <param name="redis">Where it finds Redis; null: the trial's own.</param>
    /// <param name="environment">Further variables, or others in their place; null removes one.</param>
    /// <param name="configuration">Further HOCON.</param>
    public BridgeProcess Program(
        ConfirmGrade grade,
        int? xmppPort = null,
        int window = 10_000,
        bool shipped = false,
        string? redis = null,
        IReadOnlyDictionary<string, string?>? environment = null,
        string? configuration = null) => new(new BridgeProcessOptions
        {
            Environment = With(environment, new Dictionary<string, string?>
            {
                ["BRIDGE_REDIS"] = redis ?? ConnectionString,
                ["BRIDGE_QUEUE"] = Queue,
                ["BRIDGE_QUEUE_KIND"] = Kind == QueueKind.Stream ? "stream" : "list",
                ["BRIDGE_XMPP"] = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{xmppPort ?? XmppPort}"),
                ["BRIDGE_DOMAIN"] = Domain,
                ["BRIDGE_SECRET"] = _secret,
                ["BRIDGE_CONFIRM"] = grade == ConfirmGrade.Held ? "held" : "accepted",
            }),
            Configuration = $"""
            bridge.defaults.outcomes.mode = {Outcomes.ToString().ToLowerInvariant()}
            bridge.defaults.outcomes.max-entries = {MaxOutcomes.ToString(CultureInfo.InvariantCulture)}
            """ + (shipped ? "" : $"""

            bridge.defaults.window.unconfirmed-entries = {window.ToString(CultureInfo.InvariantCulture)}
            bridge.defaults.queue.call-timeout = 1s
            bridge.defaults.lease.ttl = 3s
            bridge.defaults.lease.renew = 500ms
            bridge.defaults.lease.poll = 200ms
            bridge.defaults.lease.margin = 500ms
            """) + "\n" + configuration,
        });

    /// <summary>
    /// Enters the next mixed messages, to both recipients in turn, and pushes them. Where every ending is told, some ask for a
    /// reply, and there stand others between them that do not arrive: to nobody, with a mistake, and out of time.
    /// </summary>
    /// <param name="count">How many that arrive.</param>
    /// <param name="withLarge">Whether some have 50 KiB.</param>
    /// <param name="withOdd">Whether others stand between them.</param>
    public async Task PushAsync(int count, bool withLarge = false, bool withOdd = true)
    {
        var payloads = new List<RedisValue>(count);
        for (var i = 0; i < count; i++)
        {
            var number = _mixed++;
            // Both recipients get messages of every kind.
            var message = Enter(
                ((number / MixedMessages.Kinds) + number) % 2 == 0 ? SinkJid : UserJid,
                asksForReply: Ledger.AllIsTold && MixedMessages.AsksForReply(number, withLarge));
            var pushed = MixedMessages.Next(message, number, Domain, withLarge, Ledger.AllIsTold);
            _pushed.Add(message.Id, pushed);
            payloads.Add(pushed.Payload);
            if (Ledger.AllIsTold && withOdd && number % OddEvery == OddEvery / 2)
                payloads.AddRange(MixedMessages.Odd.Select(EnterOdd));
        }

        foreach (var some in payloads.Chunk(1_000))
            await AppendAsync(some);
    }

    /// <summary>Enters the next messages, short and of one kind, to both recipients in turn, and pushes them.</summary>
    public async Task PushPlainAsync(int count)
    {
        for (var left = count; left > 0; left -= 1_000)
        {
            await AppendAsync([.. Enumerable.Range(0, Math.Min(left, 1_000)).Select(i =>
                (RedisValue)Enter(i % 2 == 0 ? SinkJid : UserJid).ToStanza("a body of about a hundred bytes, as many messages have one, and no more than that"))]);
        }
    }

    /// <summary>Enters one payload of the test's own and pushes it.</summary>
    /// <param name="recipient">Its <c>to</c>, as far as the ledger is concerned.</param>
    /// <param name="payload">The bytes, made from its line in the ledger.</param>
    /// <param name="fate">What must become of it.</param>
    public async Task<PushedMessage> PushAsync(string recipient, Func<LedgerMessage, byte[]> payload, MessageFate fate = MessageFate.Arrives)
    {
        var message = Enter(recipient, fate);
        var pushed = new PushedMessage(message, payload(message), null, null);
        if (fate is MessageFate.Dies or MessageFate.Expires or MessageFate.MayExpire)
            _idOfPayload.Add(Convert.ToBase64String(pushed.Payload), message.Id);
        if (pushed.Payload.AsSpan().StartsWith("<message"u8) && StartTag.TryGet(pushed.Payload, "id"u8, out var id))
            _idOfStanza[Encoding.UTF8.GetString(id)] = message.Id;
        await AppendAsync([pushed.Payload]);
        return pushed;
    }

    /// <summary>Pushes a message of which the ledger knows nothing, for its outcome.</summary>
    public Task PushPayloadAsync(string payload) => Kind == QueueKind.Stream
        ? App.StreamAddAsync(_keys.Queue, "payload", payload)
        : App.ListRightPushAsync(_keys.Queue, payload);

    /// <summary>How many of the messages, from the first on, Redis knows to be confirmed.</summary>
    public async Task<long> ConfirmedAsync() => CountUpTo(await App.HashGetAsync(_keys.Confirmed, "mark"));

    /// <summary>How many, likewise, have left the journal.</summary>
    public async Task<long> SettledAsync() => CountUpTo(await App.HashGetAsync(_keys.Confirmed, "settled"));

    /// <summary>How many, likewise, were taken from the queue.</summary>
    public async Task<long> TakenAsync() => Kind == QueueKind.Stream
        ? CountUpTo((await App.StreamGroupInfoAsync(Queue)).Single(group => group.Name == Group).LastDeliveredId)
        : (long)await App.HashGetAsync(_keys.Confirmed, "taken");

    /// <summary>How many entries wait in the queue, and how many stand in the journal.</summary>
    public async Task<(long Queued, long Journal)> DepthAsync()
    {
        if (Kind == QueueKind.List)
            return (await App.ListLengthAsync(_keys.Queue), await App.ListLengthAsync(_keys.Inflight));
        var groups = await App.KeyExistsAsync(Queue) ? await App.StreamGroupInfoAsync(Queue) : [];
        var pending = groups.Where(group => group.Name == Group).Sum(group => (long)group.PendingMessageCount);
        // What is settled is deleted as well: the stream holds what waits and what is pending.
        return (await App.StreamLengthAsync(Queue) - pending, pending);
    }

    /// <summary>The dead letters, oldest first.</summary>
    public async Task<IReadOnlyList<StreamEntry>> DeadLettersAsync() => await App.StreamRangeAsync(_keys.Dead);

    /// <summary>Which of so many messages, from the first on, arrived more than once.</summary>
    public IReadOnlyList<string> RepeatedUpTo(long count) =>
        [.. Ledger.Check().Duplicated.Keys.Where(id => Place(id) < count).OrderBy(Place)];

    /// <summary>The places, in the order of pushing and from 0, of the messages that must arrive and have not.</summary>
    public IReadOnlyList<long> Unarrived() => Ledger.Unarrived();

    /// <summary>
    /// Waits until queue and journal are empty, no reply is on its way and everything that was pushed has ended; enters the
    /// dead letters, the outcomes and the replies, and compares contents.
    /// </summary>
    /// <param name="timeout">For all of it.</param>
    /// <param name="bridge">Whose state the message of a timeout tells; may be null.</param>
    /// <param name="excuses">What the test's fault explains.</param>
    /// <exception cref="TimeoutException">It did not end; the message holds the report.</exception>
    /// <exception cref="InvalidOperationException">Something arrived with other contents than were pushed.</exception>
    public async Task<LedgerReport> EndAsync(TimeSpan timeout, InProcessBridge? bridge = null, LedgerExcuses excuses = LedgerExcuses.None)
    {
        var started = Stopwatch.GetTimestamp();
        Ledger.Excuses = excuses;
        long queued = -1, journal = -1, waiting = -1, replies = -1;
        await Eventually.TrueAsync(
            async () =>
            {
                (queued, journal) = await DepthAsync();
                waiting = await App.HashLengthAsync(_keys.Awaiting) + await App.SortedSetLengthAsync(_keys.Scheduled);
                replies = await App.StreamLengthAsync(_keys.Replies);
                return queued == 0 && journal == 0 && waiting == 0 && replies == 0;
            },
            timeout,
            "queue and journal are empty, nothing waits and no reply is on its way",
            () => string.Create(
                CultureInfo.InvariantCulture,
                $"{queued} queued, {journal} in the journal, {waiting} wait for an answer or for their time, {replies} replies on their way\n{bridge?.Board.Snapshots.SingleOrDefault()}\n{Ledger.Check()}"));
        await EnterEndingsAsync();
        var rest = timeout - Stopwatch.GetElapsedTime(started);
        rest = rest > TimeSpan.FromSeconds(2) ? rest : TimeSpan.FromSeconds(2);
        await (Outcomes != OutcomeMode.All && excuses.HasFlag(LedgerExcuses.SessionsDied) ? ArrivedOrBouncedAsync(rest) : Ledger.SettledAsync(rest));
        CompareContents();
        return Ledger.Check();
    }

    private static Dictionary<string, string?> With(IReadOnlyDictionary<string, string?>? changes, Dictionary<string, string?> environment)
    {
        foreach (var (name, value) in changes ?? new Dictionary<string, string?>())
            environment[name] = value;
        return environment;
    }

    private async Task EnterEndingsAsync()
    {
        foreach (var letter in (await DeadLettersAsync()).Skip(_letters))
        {
            _letters++;
            var payload = (byte[]?)letter["payload"] ?? [];
            Ledger.DeadLettered(
                _idOfPayload.GetValueOrDefault(Convert.ToBase64String(payload))
                ?? _pushed.Values.FirstOrDefault(pushed => pushed.Payload.AsSpan().SequenceEqual(payload))?.Message.Id);
        }

        if (!Ledger.AllIsTold)
            return;
        foreach (var outcome in (await App.StreamRangeAsync(_keys.Outcomes)).Skip(_outcomes))
        {
            _outcomes++;
            Ledger.Told(LedgerId(outcome["id"]), ToldEnding.Of(outcome));
        }

        await EnterRepliesAsync();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var peer in _peers)
            await peer.DisposeAsync();
        if (_app is not null)
            await _app.DisposeAsync();
        if (_pace is not null)
            await _pace.DisposeAsync();
        await Redis.DisposeAsync();
        if (_cluster is not null)
            await _cluster.DisposeAsync();
    }

    private async Task EnterRepliesAsync()
    {
        List<RedisKey> lists = [];
        foreach (var redis in _app!.GetServers())
        {
            await foreach (var list in redis.KeysAsync(pattern: OutcomeTicket.ReplyKeyPrefix + "*", pageSize: 1_000))
                lists.Add(list);
        }

        // A scan may tell a key twice.
        foreach (var list in lists.Distinct().Chunk(1_000))
        {
            var contents = await Task.WhenAll(list.Select(key => App.ListRangeAsync(key)));
            foreach (var (key, replies) in list.Zip(contents))
            {
                var named = ((string)key!)[OutcomeTicket.ReplyKeyPrefix.Length..];
                var before = _replies.GetValueOrDefault(named);
                _replies[named] = replies.Length;
                foreach (var reply in replies.Skip(before))
                {
                    var (id, told) = ToldEnding.OfReply((string)reply!);
                    // A reply in another message's list belongs to nobody.
                    Ledger.Replied(LedgerId(id) == named ? named : $"{id} in the list of {named}", told);
                }
            }
        }
    }

    // A generated id holds the position: b-<prefix>-<position>, and a seal behind it, of which a dead letter's has none.
    private string? LedgerId(RedisValue stanzaId)
    {
        var id = (string?)stanzaId;
        if (id is null)
            return null;
        if (_idOfStanza.TryGetValue(id, out var known))
            return known;
        if (Ledger.PlaceOf(id) is not null || id.Split('-') is not ["b", _, .. var rest])
            return id;
        var text = Kind == QueueKind.Stream && rest is [var high, var low, ..] ? $"{high}-{low}" : $"0-{rest.FirstOrDefault()}";
        var place = EntryPosition.TryParse(text, out var position) ? _positions.BinarySearch(position) : -1;
        return place >= 0 ? _ids[place] : id;
    }

    private LedgerMessage Enter(string recipient, MessageFate fate = MessageFate.Arrives, bool asksForReply = false)
    {
        var message = Ledger.Push(recipient, Queue, fate, asksForReply);
        _ids.Add(message.Id);
        return message;
    }

    private RedisValue EnterOdd(OddMessage odd)
    {
        var message = Enter(odd.Fate == MessageFate.Bounces ? NobodysJid : SinkJid, odd.Fate, odd.AsksForReply);
        var pushed = MixedMessages.NextOdd(message, odd);
        if (odd.Fate is MessageFate.Dies or MessageFate.Expires)
            _idOfPayload.Add(Convert.ToBase64String(pushed.Payload), message.Id);
        return pushed.Payload;
    }

    private Task ArrivedOrBouncedAsync(TimeSpan timeout)
    {
        var entered = 0;
        return Eventually.TrueAsync(
            async () =>
            {
                var outcomes = await App.StreamRangeAsync(_keys.Outcomes);
                foreach (var outcome in outcomes.Skip(entered).Where(outcome => outcome["ending"] == "bounced"))
                    Ledger.Bounced(outcome["id"]);
                entered = outcomes.Length;
                return Ledger.Open == 0;
            },
            timeout,
            "everything has arrived or bounced",
            () => string.Create(
                CultureInfo.InvariantCulture,
                $"{entered} bounces; recipients' streams that ended: {string.Join(", ", _peers.Where(peer => peer.Ended.IsCompletedSuccessfully).Select(peer => peer.Ended.Result))}\n{Ledger.Check()}"));
    }

    private async Task AppendAsync(RedisValue[] payloads)
    {
        if (Kind == QueueKind.List)
        {
            await App.ListRightPushAsync(Queue, payloads);
            foreach (var _ in payloads)
                _positions.Add(EntryPosition.OfSequence((ulong)_positions.Count + 1));
            return;
        }

        // Pipelined: Redis gives the ids in the order of the calls.
        var ids = await Task.WhenAll(payloads.Select(payload => App.StreamAddAsync(Queue, "payload", payload)));
        foreach (var id in ids)
            _positions.Add(EntryPosition.TryParse((string?)id ?? "", out var position) ? position : throw new FormatException($"No id of an entry: {id}"));
    }

    private long CountUpTo(RedisValue position)
    {
        if (!EntryPosition.TryParse((string?)position ?? "", out var last))
            return 0;
        var index = _positions.BinarySearch(last);
        return index >= 0 ? index + 1 : ~index;
    }

    // The ledger's ids are "m<place>-<number of the recipient>".
    private static long Place(string id) =>
        long.Parse(id.AsSpan(1, id.IndexOf('-', StringComparison.Ordinal) - 1), CultureInfo.InvariantCulture);

    private static async Task<DeliveryTrial> StartAsync(DeliveryTrial trial, Func<Task> observe)
    {
        try
        {
            trial._app = await ConnectionMultiplexer.ConnectAsync((trial._cluster?.ConnectionString ?? trial.Redis.ConnectionString) + AppOptions);
            await observe();
            return trial;
        }
        catch
        {
            await trial.DisposeAsync();
            throw;
        }
    }

    private void Observe(StanzaLog log, string name)
    {
        _logs.Add(log);
        log.Observe(stanza =>
        {
            if (!stanza.Raw.Span.StartsWith("<message"u8))
                return;
            var (id, stanzaId) = (MixedMessages.LedgerId(stanza), stanza.Id);
            if (id is not null && stanzaId is not null && id != stanzaId)
                _idOfStanza[stanzaId] = id;
            Ledger.Arrived(id, name);
        });
    }

    private void CompareContents()
    {
        var differences = new StringBuilder();
        var count = 0;
        foreach (var stanza in _logs.SelectMany(log => log.Snapshot()))
        {
            if (MixedMessages.LedgerId(stanza) is not { } id || !_pushed.TryGetValue(id, out var pushed)
                || MixedMessages.Difference(pushed, stanza) is not { } difference)
                continue;
            if (++count <= 10)
                differences.AppendLine(CultureInfo.InvariantCulture, $"{id}: {difference}");
        }

        if (count > 0)
            throw new InvalidOperationException($"{count} messages arrived changed:\n{differences}");
    }
}
