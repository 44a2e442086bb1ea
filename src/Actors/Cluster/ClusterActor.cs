using System.Collections.Immutable;
using Akka.Actor;
using Akka.Cluster;
using Bridge.Settings;
using Bridge.Telemetry;
using Microsoft.Extensions.Logging;
using AkkaCluster = Akka.Cluster.Cluster;
using ClusterSettings = Bridge.Settings.ClusterSettings;

namespace Bridge.Cluster;

/// <summary>What the cluster's actor works with.</summary>
/// <param name="Settings">This node and its seeds.</param>
/// <param name="Version">The program's version.</param>
/// <param name="Bridges">The actor that has the bridges: <see cref="BridgesActor" />. It may be of another actor system.</param>
/// <param name="Configured">The bridges as they are configured now; may be called from any thread.</param>
/// <param name="Board">What the bridges publish.</param>
/// <param name="Cluster">Where the cluster's picture is published.</param>
/// <param name="Refused">Called when this node must not join, with the reasons; on its first join only.</param>
/// <param name="IsFirstJoin">Whether this process joins for the first time: else its bridges work, and go on whatever comes.</param>
/// <param name="Time">The clock.</param>
public sealed record ClusterParts(
    ClusterSettings Settings,
    string Version,
    IActorRef Bridges,
    Func<ImmutableArray<BridgeSettings>> Configured,
    StatusBoard Board,
    ClusterBoard Cluster,
    Action<IReadOnlyList<string>> Refused,
    bool IsFirstJoin,
    TimeProvider Time);

/// <summary>
/// This node's place among the others: asks the seeds whether its bridges go with theirs and joins, tells the others how it stands,
/// hears how they do, and from that tells its bridges which of them it should own and which to hand over. It decides nothing that
/// could harm: who owns is the lease's matter. Lives under the name <see cref="Name" />, in an actor system of its own, so that a
/// cluster that throws this node out ends no bridge.
/// </summary>
public sealed class ClusterActor : ReceiveActor, IWithTimers
{
    /// <summary>The actor's name: others send to <c>/user/node</c>.</summary>
    public const string Name = "node";

    /// <summary>This node is about to end: tell the others at once. Answered with <see cref="Left" /> when that is on its way.</summary>
    public sealed record Leave;

    /// <summary>Answer to <see cref="Leave" />.</summary>
    public sealed record Left;

    /// <summary>Would these bridges go with those of the other nodes? Answered with <see cref="Checked" />.</summary>
    /// <param name="Bridges">What this node would have.</param>
    public sealed record Check(ImmutableArray<BridgeIdentity> Bridges);

    /// <summary>Answer to <see cref="Check" />.</summary>
    /// <param name="Conflicts">Why not; empty where they go together.</param>
    public sealed record Checked(IReadOnlyList<string> Conflicts);

    private sealed record Welcomed(IReadOnlyList<Welcome> Answers);

    private sealed record FoundApart(IReadOnlyList<Welcome> Answers);

    private sealed record JoinNow
    {
        public static readonly JoinNow Instance = new();
    }

    private sealed record LookForSeeds
    {
        public static readonly LookForSeeds Instance = new();
    }

    private sealed record Tick
    {
        public static readonly Tick Instance = new();
    }

    private static readonly TimeSpan TickEvery = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan WelcomePatience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LookForSeedsEvery = TimeSpan.FromSeconds(10);

    // Long enough for a join on a slow machine; whoever works for longer does not end because another one was configured badly.
    private static readonly TimeSpan NewFor = TimeSpan.FromMinutes(2);

    private readonly ClusterParts _parts;
    private readonly ClusterView _view;
    private readonly AkkaCluster _cluster = AkkaCluster.Get(Context.System);
    private readonly ILogger _log = ActorLogger.Of(Context);
    private readonly Dictionary<string, (Member Member, bool IsReachable)> _members = new(StringComparer.Ordinal);
    private readonly HashSet<string> _complainedOf = [];
    private readonly long _startedAt;
    private bool _leaving;

    /// <summary>Use <see cref="Props" />.</summary>
    public ClusterActor(ClusterParts parts)
    {
        ArgumentNullException.ThrowIfNull(parts);
        _parts = parts;
        _view = new ClusterView(parts.Settings.Node, parts.Settings.SettleTime);
        _startedAt = parts.Time.GetTimestamp();
        Receive<Welcomed>(OnWelcomed);
        Receive<JoinNow>(_ => Join());
        Receive<LookForSeeds>(_ => OnLookForSeeds());
        Receive<FoundApart>(OnFoundApart);
        Receive<ClusterEvent.CurrentClusterState>(OnState);
        Receive<ClusterEvent.MemberRemoved>(message => Forget(message.Member));
        Receive<ClusterEvent.IMemberEvent>(message => Note(message.Member));
        Receive<ClusterEvent.UnreachableMember>(message => Reach(message.Member, false));
        Receive<ClusterEvent.ReachableMember>(message => Reach(message.Member, true));
        Receive<Tick>(_ => OnTick());
        Receive<NodeStatus>(OnStatus);
        Receive<TakeOver>(message => _parts.Bridges.Tell(new BridgesActor.TakeOver(message.Bridge)));
        Receive<Hello>(message =>
        {
            _log.AsksToJoin(message.Node, message.Version);
            Sender.Tell(new Welcome(_parts.Settings.Node, _parts.Version, Identities(), _members.Count, FirstOf(_members.Keys)));
        });
        Receive<Check>(message => Sender.Tell(new Checked(
            [.. _view.Others.Values.SelectMany(other => Conflicts(message.Bridges, other.Status.Node, Identities(other.Status)))])));
        Receive<BridgeActor.HandedOver>(OnHandedOver);
        Receive<Leave>(_ =>
        {
            _leaving = true;
            OnTick();
            Sender.Tell(new Left());
        });
        Receive<UnknownMessage>(message =>
        {
            if (_complainedOf.Add(message.Manifest))
                _log.UnknownMessage(message.Manifest);
        });
    }

    /// <inheritdoc />
    public ITimerScheduler Timers { get; set; } = null!;

    private TimeSpan Now => _parts.Time.GetElapsedTime(_startedAt);

    /// <summary>This node's place.</summary>
    public static Props Props(ClusterParts parts) => Akka.Actor.Props.Create(() => new ClusterActor(parts));

    private void OnWelcomed(Welcomed message)
    {
        var mine = Identities();
        List<string> conflicts = [.. message.Answers.SelectMany(answer => Conflicts(mine, answer.Node, answer.Bridges))];
        if (conflicts.Count > 0 && _parts.IsFirstJoin)
        {
            _parts.Refused(conflicts);
            return;
        }

        if (conflicts.Count > 0)
        {
            // The bridges here work: that they were given other neighbours meanwhile is no reason to end them.
            _log.CannotJoinAgain(string.Join("; ", conflicts));
            Timers.StartSingleTimer(nameof(JoinNow), JoinNow.Instance, LookForSeedsEvery);
            return;
        }

        var seeds = _parts.Settings.Seeds.Select(AddressOf).ToList();
        _log.Joins(string.Join(", ", _parts.Settings.Seeds));
        _cluster.JoinSeedNodes(seeds);
    }

    private void Join() =>
        AskSeedsAsync(SeedsWhere(seed => seed != _parts.Settings.Node), new Hello(_parts.Settings.Node, _parts.Version, Identities()))
            .PipeTo(Self, Self, answers => new Welcomed(answers));

    // A first seed that was thrown out, or started, while it reached nobody has founded a cluster of its own, which Akka would never unite
    // with the other one.
    private void OnLookForSeeds()
    {
        if (_leaving || !_members.ContainsKey(_parts.Settings.Node))
            return;
        var apart = SeedsWhere(seed => seed != _parts.Settings.Node && !_members.ContainsKey(seed));
        if (apart.Count > 0)
            AskSeedsAsync(apart, new Hello(_parts.Settings.Node, _parts.Version, Identities())).PipeTo(Self, Self, answers => new FoundApart(answers));
    }

    private void OnFoundApart(FoundApart message)
    {
        // Both sides find the same: the smaller one joins the other, of two alike the one whose first name is the later.
        if (message.Answers.FirstOrDefault(answer => !_members.ContainsKey(answer.Node) && IsTheirs(answer)) is not { } other)
            return;
        _log.OtherCluster(other.Node, other.Members);
        Context.System.Terminate();

        bool IsTheirs(Welcome answer) => answer.Members > _members.Count
            || (answer.Members == _members.Count && string.CompareOrdinal(answer.First, FirstOf(_members.Keys)) < 0);
    }

    private static string FirstOf(IEnumerable<string> names) => names.Min(StringComparer.Ordinal) ?? "";

    private void OnState(ClusterEvent.CurrentClusterState state)
    {
        foreach (var member in state.Members)
            Note(member);
        foreach (var member in state.Unreachable)
            Reach(member, false);
    }

    private void Note(Member member) => _members[NameOf(member)] = (member, !_members.TryGetValue(NameOf(member), out var known) || known.IsReachable);

    private void Reach(Member member, bool isReachable)
    {
        _members[NameOf(member)] = (member, isReachable);
        if (!isReachable)
            _view.Lost(NameOf(member));
    }

    private void Forget(Member member)
    {
        // Another one may have its address by now.
        if (_members.TryGetValue(NameOf(member), out var known) && known.Member.UniqueAddress.Equals(member.UniqueAddress))
        {
            _members.Remove(NameOf(member));
            _view.Lost(NameOf(member));
        }
    }

    private void OnStatus(NodeStatus status)
    {
        // Of a member: what an outsider says has no weight.
        if (!_members.TryGetValue(status.Node, out var other))
            return;
        _view.Heard(status, Now);
        List<string> conflicts = [.. Conflicts(Identities(), status.Node, Identities(status))];
        // Welcomed by none that could object: a seed was busy, or away. Of two it is the newcomer that must not be here.
        if (conflicts.Count > 0 && _parts.IsFirstJoin && Now < NewFor && other.Member.IsOlderThan(_cluster.SelfMember))
        {
            _parts.Refused(conflicts);
            return;
        }

        if (conflicts.Count > 0 && _complainedOf.Add(status.Node))
            _log.ConfigurationsDiffer(status.Node, string.Join("; ", conflicts));
    }

    private void OnTick()
    {
        var now = Now;
        var status = NodeStatuses.Of(
            _parts.Settings.Node, _parts.Version, _leaving, _parts.Configured(), _parts.Board, _parts.Time.GetUtcNow());
        var decision = _view.Decide(status, now);
        status = _view.Own(status, now);
        foreach (var (name, (member, isReachable)) in _members)
        {
            if (name != _parts.Settings.Node && isReachable)
                Node(member.Address).Tell(status);
        }

        _parts.Bridges.Tell(new BridgesActor.Place(decision.Preferred, Self));
        if (decision.Handover is { } handover)
        {
            _log.HandedOver(handover.Bridge, handover.Node);
            _parts.Bridges.Tell(new BridgesActor.HandOver(handover.Bridge));
        }

        _parts.Cluster.Publish(new ClusterPicture(_parts.Settings.Node, [.. Views(status, now)], decision.Placement));
    }

    private IEnumerable<NodeView> Views(NodeStatus own, TimeSpan now)
    {
        if (!_members.ContainsKey(_parts.Settings.Node))
            yield return new NodeView(_parts.Settings.Node, "joining", own, TimeSpan.Zero);
        foreach (var (name, (member, isReachable)) in _members.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            var membership = isReachable ? member.Status.ToString().ToLowerInvariant() : "unreachable";
            if (name == _parts.Settings.Node)
                yield return new NodeView(name, membership, own, TimeSpan.Zero);
            else if (_view.Others.TryGetValue(name, out var other))
                yield return new NodeView(name, membership, other.Status, now - other.HeardAt);
            else
                yield return new NodeView(name, membership, null, TimeSpan.Zero);
        }
    }

    private void OnHandedOver(BridgeActor.HandedOver message)
    {
        if (_view.Successor(message.Name, Now) is { } node && node != _parts.Settings.Node && _members.TryGetValue(node, out var member))
            Node(member.Member.Address).Tell(new TakeOver(message.Name));
    }

    private ImmutableArray<BridgeIdentity> Identities() => [.. _parts.Configured().Select(BridgeIdentity.Of)];

    private static List<BridgeIdentity> Identities(NodeStatus status) => [.. status.Bridges.Select(bridge => bridge.Identity)];

    private static IEnumerable<string> Conflicts(IEnumerable<BridgeIdentity> mine, string node, IReadOnlyCollection<BridgeIdentity> theirs) =>
        BridgeSets.Conflicts(mine, theirs).Select(conflict => $"{conflict} ({node})");

    private static string NameOf(Member member) => ClusterSettings.NameOf(member.Address.Host, member.Address.Port ?? 0);

    private Address AddressOf(string node)
    {
        var colon = node.LastIndexOf(':');
        var self = _cluster.SelfAddress;
        return new Address(self.Protocol, self.System, node[..colon].Trim('[', ']'), int.Parse(node.AsSpan(colon + 1), System.Globalization.CultureInfo.InvariantCulture));
    }

    private static ActorSelection Node(Address address) => Context.ActorSelection(new RootActorPath(address) / "user" / Name);

    private List<ActorSelection> SeedsWhere(Func<string, bool> which) =>
        [.. _parts.Settings.Seeds.Where(which).Select(seed => Node(AddressOf(seed)))];

    private static async Task<IReadOnlyList<Welcome>> AskSeedsAsync(IReadOnlyList<ActorSelection> seeds, Hello hello)
    {
        var asked = seeds.Select(seed => AskAsync(seed, hello));
        return [.. (await Task.WhenAll(asked).ConfigureAwait(false)).OfType<Welcome>()];
    }

    // A seed that is away cannot object: what it would have said, the others or its first status do.
    private static async Task<Welcome?> AskAsync(ActorSelection seed, Hello hello)
    {
        try
        {
            return await seed.Ask<object>(hello, WelcomePatience).ConfigureAwait(false) as Welcome;
        }
        catch (AskTimeoutException)
        {
            return null;
        }
    }

    /// <inheritdoc />
    protected override void PreStart()
    {
        _cluster.Subscribe(
            Self, ClusterEvent.SubscriptionInitialStateMode.InitialStateAsSnapshot, typeof(ClusterEvent.IMemberEvent), typeof(ClusterEvent.IReachabilityEvent));
        Timers.StartPeriodicTimer(nameof(Tick), Tick.Instance, TimeSpan.Zero, TickEvery);
        Timers.StartPeriodicTimer(nameof(LookForSeeds), LookForSeeds.Instance, LookForSeedsEvery, LookForSeedsEvery);
        Join();
    }

    /// <inheritdoc />
    protected override void PostStop()
    {
        _cluster.Unsubscribe(Self);
        // Alone again, as without a cluster.
        _parts.Bridges.Tell(new BridgesActor.Place(_parts.Configured().ToDictionary(bridge => bridge.Name, _ => true), ActorRefs.Nobody));
        _parts.Cluster.Publish(null);
    }
}
