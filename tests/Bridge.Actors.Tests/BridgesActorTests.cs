using Akka.Actor;
using Akka.Event;
using Akka.TestKit;
using Bridge.Actors.Tests.Queue;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Telemetry;

namespace Bridge.Actors.Tests;

public sealed class BridgesActorTests : ActorSpec
{
    private static readonly string[] Names = ["alerts", "chat"];

    private readonly Dictionary<string, ScriptedBridge> _outsides;
    private readonly TestProbe _parent;
    private readonly IActorRef _bridges;

    public BridgesActorTests()
    {
        _outsides = Names.ToDictionary(name => name, _ => new ScriptedBridge(Time));
        _parent = CreateTestProbe();
        _bridges = ChildOf(_parent, BridgesActor.Props(
            [.. Names.Select(name => Settings() with { Name = name })], bridge => _outsides.TryGetValue(bridge.Name, out var outside) ? outside.Parts : throw new ArgumentException("no such file")));
        Pass();
    }

    [Fact]
    public void Every_bridge_stands_by_for_its_own_lease()
    {
        foreach (var outside in _outsides.Values)
            Assert.Single(outside.Lease.Attempts);
    }

    [Fact]
    public void A_bridge_that_dies_comes_back_after_a_growing_delay_apart_from_its_neighbours()
    {
        foreach (var (deaths, longest) in new[] { (1, 500.0), (2, 1_000), (3, 2_000) })
        {
            Kill("chat");
            Assert.Equal(deaths, _outsides["chat"].Leases.Count);
            Pass(longest / 2 - 10);
            Assert.Equal(deaths, _outsides["chat"].Leases.Count);
            Pass(longest / 2 + 20);
            Assert.Equal(deaths + 1, _outsides["chat"].Leases.Count);
        }

        Assert.Single(_outsides["alerts"].Leases);
        var logged = Logged(LogLevel.ErrorLevel);
        Assert.Equal(3, logged.Count(line => line.Contains("chat", StringComparison.Ordinal)));
        Assert.DoesNotContain(logged, line => line.Contains("alerts", StringComparison.Ordinal));
    }

    [Fact]
    public void A_drain_is_answered_when_every_bridge_has_drained()
    {
        _outsides["chat"].Lease.Attempts[^1].Answer(new LeaseAttempt(ScriptedLease.Grant(), null));
        Drain();
        Assert.Equal(BridgeRole.Stopped, _outsides["alerts"].Snapshot.Role);
        Assert.Equal(0, Answers());

        // With nothing in flight and no stream, the other one only has its session to end and its lease to give back.
        Pass();
        while (_outsides["chat"].Queue.Pending is { Count: > 0 } pending)
            pending[0].Answer();
        Assert.Single(_outsides["chat"].Lease.Releases).Answer(default);
        Assert.Equal(1, Answers());
    }

    [Fact]
    public void Whoever_asks_for_a_drain_is_answered_also_afterwards()
    {
        Drain();
        Assert.Equal(1, Answers());
        Drain();

        Assert.Equal(1, Answers());
    }

    [Fact]
    public void A_bridge_that_is_down_does_not_hold_up_the_drain_and_does_not_come_back()
    {
        Kill("chat");
        Drain();
        Assert.Equal(1, Answers());
        Pass(TimeSpan.FromSeconds(20));

        Assert.Single(_outsides["chat"].Leases);
    }

    [Fact]
    public void A_bridge_that_dies_while_it_drains_does_not_hold_up_the_others()
    {
        _outsides["chat"].Lease.Attempts[^1].Answer(new LeaseAttempt(ScriptedLease.Grant(), null));
        Drain();
        Assert.Equal(0, Answers());
        Kill("chat");

        Assert.Equal(1, Answers());
    }

    [Fact]
    public void New_settings_start_what_is_new_drain_what_is_gone_or_differs_and_leave_the_others_alone()
    {
        _outsides["new"] = new ScriptedBridge(Time);
        var (alerts, chat) = (_outsides["alerts"], _outsides["chat"]);
        var applied = Apply(Settings() with { Name = "chat" }, Settings() with { Name = "new" });

        Assert.Equal(["new"], applied.Added);
        Assert.Empty(applied.Changed);
        Assert.Equal(["alerts"], applied.Removed);
        Assert.Single(_outsides["new"].Lease.Attempts);
        Assert.Single(chat.Lease.Attempts);
        Assert.False(chat.Disposed);
        Assert.True(alerts.Disposed);

        _outsides["chat"] = new ScriptedBridge(Time);
        applied = Apply(Settings() with { Name = "chat", Fingerprint = "another" }, Settings() with { Name = "new" });
        Assert.Equal(["chat"], applied.Changed);
        Assert.True(chat.Disposed);
        Assert.Single(_outsides["chat"].Lease.Attempts);
        Assert.Single(_outsides["new"].Lease.Attempts);
    }

    [Fact]
    public void A_bridge_that_cannot_be_made_is_tried_again_and_harms_no_other()
    {
        var applied = Apply(Settings() with { Name = "alerts" }, Settings() with { Name = "chat" }, Settings() with { Name = "new" });
        Assert.Equal(["new"], applied.Added);
        Assert.Single(_outsides["chat"].Lease.Attempts);
        Assert.Contains("new", Assert.Single(Logged(LogLevel.ErrorLevel)), StringComparison.Ordinal);

        _outsides["new"] = new ScriptedBridge(Time);
        Pass(TimeSpan.FromSeconds(10));
        Pass();
        Assert.Single(_outsides["new"].Lease.Attempts);
        Assert.Single(_outsides["chat"].Leases);
    }

    [Fact]
    public void A_changed_bridge_drains_to_the_end_before_it_starts_anew()
    {
        var chat = _outsides["chat"];
        chat.Lease.Attempts[^1].Answer(new LeaseAttempt(ScriptedLease.Grant(), null));
        _outsides["chat"] = new ScriptedBridge(Time);
        Apply(Settings() with { Name = "alerts" }, Settings() with { Name = "chat", Fingerprint = "another" });
        Assert.Empty(_outsides["chat"].Leases);

        while (chat.Queue.Pending is { Count: > 0 } pending)
            pending[0].Answer();
        Assert.Single(chat.Lease.Releases).Answer(default);
        Pass();
        Assert.True(chat.Disposed);
        Assert.Single(_outsides["chat"].Lease.Attempts);
    }

    [Fact]
    public void What_the_cluster_prefers_holds_for_a_bridge_that_starts_again_too()
    {
        _bridges.Tell(new BridgesActor.Place(new Dictionary<string, bool> { ["chat"] = false }, _parent.Ref));
        Kill("chat");
        Pass(TimeSpan.FromSeconds(1));

        Assert.Empty(_outsides["chat"].Lease.Attempts);
        Assert.True(_outsides["chat"].Leases[^1].Looks > 0);
    }

    [Fact]
    public void Its_end_closes_what_the_bridges_share()
    {
        End(_bridges);

        Assert.All(_outsides.Values, outside => Assert.True(outside.Disposed));
    }

    private BridgesActor.Applied Apply(params BridgeSettings[] bridges)
    {
        _bridges.Tell(new BridgesActor.Apply(bridges), _parent.Ref);
        Pass();
        return Assert.Single(Drain<BridgesActor.Applied>(_parent));
    }

    private void Kill(string bridge) => Sys.ActorSelection(_bridges.Path / bridge).Tell(Akka.Actor.Kill.Instance);

    private void Drain() => _bridges.Tell(BridgesActor.Drain.Instance, _parent.Ref);

    private int Answers() => Drain<BridgesActor.Drained>(_parent).Count;
}
