using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Text.Json;
using Akka.Actor;
using Akka.Configuration;
using Bridge.Cluster;
using Bridge.Telemetry;
using Bridge.TestKit;

namespace Bridge.Actors.Tests.Telemetry;

public sealed class ActorBoardTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static readonly Config Metered = ConfigurationFactory.ParseString(
        """
        akka {
          stdout-loglevel = OFF
          loglevel = OFF
          log-dead-letters = off
          actor.default-mailbox.mailbox-type = "Bridge.Telemetry.MeteredMailbox, Bridge.Actors"
          actor.telemetry.enabled = on
        }
        """);

    // The instruments are the process's own: a name that no other test uses keeps them apart.
    private readonly string _bridge = "board-" + Guid.NewGuid().ToString("N");
    private readonly ActorBoard _board = new();
    private readonly ActorSystem _system;
    private readonly IActorRef _bridges;

    public ActorBoardTests()
    {
        _system = ActorSystem.Create("board", BootstrapSetup.Create().WithConfig(Metered).And(new ActorBoardSetup(_board)));
        ActorEvents.Start(_system, _board);
        _bridges = _system.ActorOf(Props.Create<Parent>(), "bridges");
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public Task DisposeAsync() => _system.Terminate();

    [Theory]
    [InlineData("user/bridges", "bridges", "bridges", "-")]
    [InlineData("user/bridges/main", "bridges/main", "bridge", "main")]
    [InlineData("user/bridges/main-2", "bridges/main-2", "bridge", "main-2")]
    [InlineData("user/bridges/main/puller-12", "bridges/main/puller", "puller", "main")]
    [InlineData("user/bridges/main/connection-1", "bridges/main/connection", "connection", "main")]
    [InlineData("user/bridges/main/connection-1/writers", "bridges/main/connection/writers", "writers", "main")]
    [InlineData("user/bridges/main/connection-1/writers/$a", "bridges/main/connection/writers/$a", "writer", "main")]
    [InlineData("user/bridges/main/lease", "bridges/main/lease", "lease", "main")]
    [InlineData("user/bridges/main/publisher", "bridges/main/publisher", "publisher", "main")]
    [InlineData("user/bridges/main/intake-0", "bridges/main/intake", "intake", "main")]
    [InlineData("user/bridges/main/something", "bridges/main/something", "other", "main")]
    [InlineData("user/node", "node", "cluster", "-")]
    [InlineData("user/something/else", "something/else", "other", "-")]
    [InlineData("system/remoting-terminator", "", "system", "-")]
    [InlineData("temp/a", "", "other", "-")]
    public void A_path_tells_what_an_actor_is_and_of_which_bridge(string path, string place, string type, string bridge)
    {
        ActorPath full = new RootActorPath(new Address("akka", "board"));
        foreach (var name in path.Split('/'))
            full /= name;

        Assert.Equal(new ActorPlace(place, type, bridge), ActorPlace.Of(full));
    }

    [Fact]
    public async Task What_waits_and_what_was_taken_out_of_a_mailbox_is_read_from_it()
    {
        var puller = await ChildAsync(await ChildAsync(_bridges, _bridge), "puller-1");
        using var release = new ManualResetEventSlim();
        puller.Tell(release);
        puller.Tell("one");
        puller.Tell("two");
        await Eventually.TrueAsync(() => Reading("puller") is { Received: 1, MailboxDepth: 2 }, Patience, "two messages to wait");

        release.Set();

        await Eventually.TrueAsync(() => Reading("puller") is { Received: 3, MailboxDepth: 0 }, Patience, "both to be taken");
        Assert.Equal(("puller", _bridge, 0), (Reading("puller")!.Type, Reading("puller")!.Bridge, Reading("puller")!.Restarts));
    }

    [Fact]
    public async Task An_actor_that_is_replaced_counts_on_where_its_predecessor_stood()
    {
        var bridge = await ChildAsync(_bridges, _bridge);
        var first = await ChildAsync(bridge, "puller-1");
        first.Tell("one");
        await Eventually.TrueAsync(() => Reading("puller") is { Received: 1 }, Patience, "the first to be given a message");

        first.Tell(new Fault(new InvalidOperationException("No more.")));
        await Eventually.TrueAsync(() => Reading("puller") is null, Patience, "the first to be gone");
        var second = await ChildAsync(bridge, "puller-2");
        second.Tell("two");

        await Eventually.TrueAsync(() => Reading("puller") is { Received: 3, Restarts: 1 }, Patience, "the second to count on", () => $"{Reading("puller")}");
        Assert.Equal("InvalidOperationException: No more.", Reading("puller")!.LastFailure);
        Assert.True(DateTimeOffset.UtcNow - Reading("puller")!.LastFailureAt < TimeSpan.FromMinutes(1));
    }

    [Fact]
    public async Task Akka_tells_of_an_actor_that_it_restarts_and_foreign_words_are_not_shown()
    {
        var connection = await ChildAsync(await ChildAsync(_bridges, _bridge), "connection-1");
        var writer = await ChildAsync(await ChildAsync(connection, "writers"), "a");
        writer.Tell(new Fault(new JsonException("'s' of ada@example.com", new FormatException("hello"))));

        await Eventually.TrueAsync(() => Reading("connection/writers/a") is { Restarts: 1 }, Patience, "the restart to be seen");
        Assert.Equal("JsonException (FormatException)", Reading("connection/writers/a")!.LastFailure);
    }

    [Fact]
    public async Task Metrics_are_told_by_type_and_bridge_alone_and_begin_at_zero()
    {
        var measured = new ConcurrentBag<(string Name, string Actor, double Value)>();
        using var listener = new MeterListener();
        using var gauges = new ActorGauges(_board, new ClusterBoard());
        listener.InstrumentPublished = (instrument, self) =>
        {
            if (instrument.Name.StartsWith("akka.", StringComparison.Ordinal))
                self.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Note(instrument, value, tags));
        listener.Start();
        var bridge = await ChildAsync(_bridges, _bridge);
        var puller = await ChildAsync(bridge, "puller-1");
        Assert.Contains(("akka.actor.restarts", "puller", 0), measured);
        Assert.Contains(("akka.messages.deadletters", "puller", 0), measured);
        Assert.Contains(("akka.messages.unhandled", "puller", 0), measured);

        puller.Tell("one");
        puller.Tell(42);
        puller.Tell(PoisonPill.Instance);
        await Eventually.TrueAsync(() => Reading("puller") is null, Patience, "the puller to have ended");
        puller.Tell("too late");
        await Eventually.TrueAsync(
            () => measured.Contains(("akka.messages.deadletters", "puller", 1)) && measured.Contains(("akka.messages.unhandled", "puller", 1)),
            Patience, "a dead letter and a message that is not understood to be counted");
        await ChildAsync(bridge, "puller-2");
        measured.Clear();
        listener.RecordObservableInstruments();

        Assert.Equal(
            [
                ("akka.actor.live", "bridge", 1), ("akka.actor.live", "puller", 1),
                ("akka.actor.mailbox.depth", "bridge", 0), ("akka.actor.mailbox.depth", "puller", 0),
                ("akka.messages.recv", "bridge", 2), ("akka.messages.recv", "puller", 3),
            ],
            measured.Where(one => one.Name != "akka.messages.latency").Order());

        void Note(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var all = tags.ToArray();
            Assert.Equal(["actor", "bridge"], all.Select(tag => tag.Key));
            if (Equals(all[1].Value, _bridge))
                measured.Add((instrument.Name, $"{all[0].Value}", value));
        }
    }

    [Fact]
    public async Task A_message_to_a_bridge_that_there_is_not_makes_no_series_of_its_own()
    {
        _system.ActorSelection("/user/bridges/" + Guid.NewGuid()).Tell("hello");
        _system.ActorSelection("/user/" + Guid.NewGuid()).Tell("hello");
        var bridge = await ChildAsync(_bridges, _bridge);
        await ChildAsync(bridge, "puller-1");

        Assert.All(_board.Groups, group => Assert.Contains(group.Bridge, (string[])["-", _bridge]));
    }

    [Fact]
    public async Task An_actor_that_stashes_has_what_it_needs()
    {
        var stashes = _system.ActorOf(Props.Create<Stashing>());
        stashes.Tell("first");

        Assert.Equal("first", await stashes.Ask<string>("second", Patience));
    }

    [Fact]
    public void Without_a_board_the_mailbox_is_that_of_Akka()
    {
        using var plain = ActorSystem.Create("plain", Metered);

        Assert.IsType<Akka.Dispatch.MessageQueues.UnboundedMessageQueue>(
            new MeteredMailbox(plain.Settings, ConfigurationFactory.Empty).Create(plain.DeadLetters, plain));
    }

    private ActorReading? Reading(string belowBridge) =>
        _board.Readings.SingleOrDefault(reading => reading.Path == $"bridges/{_bridge}/{belowBridge}");

    private static Task<IActorRef> ChildAsync(IActorRef parent, string name) => parent.Ask<IActorRef>(new MakeChild(name), Patience);

    private sealed record MakeChild(string Name);

    private sealed record Fault(Exception Cause);

    private sealed class Parent : ReceiveActor
    {
        public Parent()
        {
            Receive<MakeChild>(message => Sender.Tell(Context.ActorOf(Props.Create<Parent>(), message.Name)));
            Receive<ManualResetEventSlim>(release => release.Wait(Patience));
            Receive<string>(_ => { });
            Receive<Fault>(fault => throw fault.Cause);
        }

        protected override SupervisorStrategy SupervisorStrategy() => new OneForOneStrategy(
            cause =>
            {
                if (cause is JsonException)
                    return Directive.Restart;
                Context.System.EventStream.Publish(new ActorFailed(Sender, cause));
                return Directive.Stop;
            },
            loggingEnabled: false);
    }

    private sealed class Stashing : ReceiveActor, IWithUnboundedStash
    {
        public Stashing()
        {
            Receive<string>(_ =>
            {
                Stash.Stash();
                Become(Answering);
            });
        }

        public IStash Stash { get; set; } = null!;

        private void Answering() => Receive<string>(_ =>
        {
            Stash.UnstashAll();
            var asker = Sender;
            Become(() => Receive<string>(first => asker.Tell(first)));
        });
    }
}
