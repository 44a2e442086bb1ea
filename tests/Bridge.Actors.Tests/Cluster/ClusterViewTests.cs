using Bridge.Cluster;
using Bridge.Queue;
using Bridge.Telemetry;

namespace Bridge.Actors.Tests.Cluster;

/// <summary>Two nodes and one bridge, which rendezvous hashing gives to one of them: that one is "the better".</summary>
public sealed class ClusterViewTests
{
    private const string Chat = "chat";

    private static readonly BridgeIdentity Identity = new(Chat, "xmpp:chat", "chat.example.test", "List");
    private static readonly string Better = Placement.Of(new Dictionary<string, IReadOnlyCollection<string>> { [Chat] = ["a:1", "b:1"] })[Chat];
    private static readonly string Other = Better == "a:1" ? "b:1" : "a:1";
    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(5);

    private readonly ClusterView _view = new(Other, Settle);
    private TimeSpan _now = TimeSpan.FromMinutes(1);

    [Fact]
    public void Alone_it_should_own_everything()
    {
        Assert.True(Decide(Standby()).Preferred[Chat]);
        Assert.True(Decide(Owner()).Preferred[Chat]);
        Assert.True(Decide(Standby() with { IsAble = false }).Preferred[Chat]);
    }

    [Fact]
    public void Beside_the_better_node_it_should_not()
    {
        Hear(Standby());

        Assert.False(Decide(Standby()).Preferred[Chat]);
    }

    [Theory]
    [InlineData("leaving")]
    [InlineData("unable")]
    [InlineData("silent")]
    [InlineData("lost")]
    [InlineData("without the bridge")]
    public void A_better_node_that_cannot_own_it_does_not_count(string how)
    {
        Hear(Standby() with { IsAble = how != "unable" }, isLeaving: how == "leaving", has: how != "without the bridge");
        if (how == "silent")
            _now += ClusterView.FreshFor;
        if (how == "lost")
            _view.Lost(Better);

        Assert.True(Decide(Standby()).Preferred[Chat]);
    }

    [Fact]
    public void An_owner_hands_over_once_the_better_node_has_been_there_for_the_settle_time()
    {
        Assert.Equal([null, null, null, null, null, (Chat, Better)], Seconds(6, Owner(), wanted: true));
        Assert.Equal(Better, _view.Successor(Chat, _now));
    }

    [Fact]
    public void A_better_node_that_comes_and_goes_is_no_reason()
    {
        Seconds(4, Owner(), wanted: true);
        _view.Lost(Better);
        Decide(Owner());

        Assert.All(Seconds(5, Owner(), wanted: true), Assert.Null);
    }

    [Fact]
    public void It_hands_over_only_to_a_node_that_agrees()
    {
        Assert.All(Seconds(10, Owner(), wanted: false), Assert.Null);
        Assert.NotNull(Seconds(1, Owner(), wanted: true)[0]);
    }

    [Fact]
    public void A_bridge_that_is_to_pause_is_not_moved()
    {
        Assert.All(Seconds(10, Owner() with { Order = QueueOrder.Pause }, wanted: true), Assert.Null);
    }

    [Fact]
    public void A_node_that_did_not_keep_what_it_was_given_gets_it_not_again_for_a_minute()
    {
        Assert.NotNull(Seconds(6, Owner(), wanted: true)[^1]);
        Seconds(2, Standby(), wanted: true);

        // It is ours again.
        Assert.All(Seconds(60, Owner(), wanted: true), Assert.Null);
        Assert.NotNull(Seconds(1, Owner(), wanted: true)[0]);
    }

    [Fact]
    public void An_owner_that_is_cut_off_from_the_server_for_ten_seconds_is_not_able_and_hands_over_at_once()
    {
        var view = new ClusterView(Better, Settle);
        var cutOff = Owner() with { Connection = ConnectionState.WaitingToReconnect, IsCutOff = true };
        (string, string)? handover = null;
        var seconds = 0;
        for (; seconds < 20 && handover is null; seconds++, _now += TimeSpan.FromSeconds(1))
        {
            view.Heard(Status(Other, Standby() with { IsWanted = !view.Own(Status(Better, cutOff), _now).Bridges[0].IsAble }), _now);
            handover = view.Decide(Status(Better, cutOff), _now).Handover;
        }

        Assert.Equal((Chat, Other), handover);
        Assert.InRange(seconds, 11, 13);
        Assert.False(view.Own(Status(Better, Standby()), _now).Bridges[0].IsAble);
        // Not for ever.
        Assert.True(view.Own(Status(Better, Standby()), _now + ClusterView.Distrust).Bridges[0].IsAble);
    }

    [Fact]
    public void A_node_that_is_cut_off_again_and_again_is_not_able_for_ever_longer()
    {
        var cutOff = Owner() with { Connection = ConnectionState.WaitingToReconnect, IsCutOff = true };
        var lengths = new List<int>();
        for (var round = 0; round < 3; round++)
        {
            while (_view.Own(Status(Other, cutOff), _now).Bridges[0].IsAble)
                Seconds(1, cutOff, wanted: true);
            var length = 0;
            for (; !_view.Own(Status(Other, Standby()), _now).Bridges[0].IsAble; length++)
                Seconds(1, Standby(), wanted: true);
            lengths.Add(length);
        }

        Assert.All(lengths.Zip([60, 120, 240]), pair => Assert.InRange(pair.First, pair.Second - 2, pair.Second));
        // A stream that stands for a minute is proof enough.
        Seconds(62, Owner(), wanted: false);
        while (_view.Own(Status(Other, cutOff), _now).Bridges[0].IsAble)
            Seconds(1, cutOff, wanted: true);
        Assert.True(_view.Own(Status(Other, Standby()), _now + TimeSpan.FromSeconds(61)).Bridges[0].IsAble);
    }

    [Fact]
    public void An_owner_that_is_cut_off_keeps_it_where_nobody_else_is_able()
    {
        var cutOff = Owner() with { Connection = ConnectionState.WaitingToReconnect, IsCutOff = true };

        Assert.All(Seconds(30, cutOff, wanted: true, Standby() with { IsAble = false }), Assert.Null);
        Assert.True(_view.Own(Status(Other, cutOff), _now).Bridges[0].IsAble);
    }

    [Fact]
    public void A_node_that_leaves_wants_nothing_and_knows_who_comes_next()
    {
        Hear(Standby());
        var decision = _view.Decide(Status(Other, Owner()) with { IsLeaving = true }, _now);

        Assert.False(decision.Preferred[Chat]);
        Assert.Null(decision.Handover);
        Assert.Equal(Better, _view.Successor(Chat, _now));
    }

    [Fact]
    public void One_bridge_is_handed_over_at_a_time()
    {
        var names = Enumerable.Range(0, 8).Select(i => "b" + i).ToArray();
        BridgeStatus Named(BridgeStatus status, string name) => status with { Identity = Identity with { Name = name } };
        var own = new NodeStatus { Node = Other, Version = "1", Bridges = [.. names.Select(name => Named(Owner(), name))] };
        var handed = new List<(string Bridge, TimeSpan At)>();
        for (var i = 0; i < 40; i++, _now += TimeSpan.FromMilliseconds(500))
        {
            _view.Heard(new NodeStatus { Node = Better, Version = "1", Bridges = [.. names.Select(name => Named(Standby() with { IsWanted = true }, name))] }, _now);
            if (_view.Decide(own, _now).Handover is { } handover)
            {
                handed.Add((handover.Bridge, _now));
                own = own with { Bridges = [.. own.Bridges.Select(bridge => bridge.Identity.Name == handover.Bridge ? Named(Standby(), handover.Bridge) : bridge)] };
            }
        }

        Assert.Equal(4, handed.Count);
        Assert.All(handed.Zip(handed.Skip(1)), pair => Assert.True(pair.Second.At - pair.First.At >= TimeSpan.FromSeconds(1)));
    }

    private static BridgeStatus Owner() => new() { Identity = Identity, Role = BridgeRole.Owner, Connection = ConnectionState.Established, IsAble = true };

    private static BridgeStatus Standby() => new() { Identity = Identity, Role = BridgeRole.Standby, IsAble = true };

    private static NodeStatus Status(string node, BridgeStatus bridge) => new() { Node = node, Version = "1", Bridges = [bridge] };

    private void Hear(BridgeStatus bridge, bool isLeaving = false, bool has = true) =>
        _view.Heard(Status(Better, bridge) with { IsLeaving = isLeaving, Bridges = has ? [bridge] : [] }, _now);

    private PlacementDecision Decide(BridgeStatus own) => _view.Decide(Status(Other, own), _now);

    // One look a second, each with news of the better node.
    private List<(string, string)?> Seconds(int count, BridgeStatus own, bool wanted, BridgeStatus? better = null)
    {
        var handovers = new List<(string, string)?>();
        for (var i = 0; i < count; i++, _now += TimeSpan.FromSeconds(1))
        {
            Hear((better ?? Standby()) with { IsWanted = wanted });
            handovers.Add(Decide(own).Handover);
        }

        return handovers;
    }
}
