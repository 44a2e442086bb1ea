using System.Text;
using System.Text.Json;
using Akka.Actor;
using Bridge.Cluster;
using Bridge.Queue;
using Bridge.Telemetry;

namespace Bridge.Actors.Tests.Cluster;

public sealed class WireSerializerTests : ActorSpec
{
    private static readonly BridgeIdentity Chat = new("chat", "xmpp:chat", "chat.example.test", "List");

    private readonly WireSerializer _wire;

    public WireSerializerTests() => _wire = new WireSerializer((ExtendedActorSystem)Sys);

    private static readonly object[] All =
    [
        new TakeOver("chat"),
        new Hello("a:1", "0.1.0", [Chat]),
        new Welcome("a:1", "0.1.0", [Chat]),
        new NodeStatus
        {
            Node = "a:1",
            Version = "0.1.0",
            IsLeaving = true,
            Bridges =
            [
                new BridgeStatus
                {
                    Identity = Chat, Role = BridgeRole.Owner, Connection = ConnectionState.Established, Order = QueueOrder.Pause, Epoch = 7, IsAble = true,
                    IsWanted = true, IsReady = true, IsCutOff = true, Reason = "because", Queued = 1, OldestMs = 2, Journal = 3, Unconfirmed = 4, Held = 5,
                },
            ],
        },
    ];

    public static TheoryData<object> Messages => [.. All];

    [Theory]
    [MemberData(nameof(Messages))]
    public void What_is_sent_is_what_comes(object message)
    {
        ArgumentNullException.ThrowIfNull(message);
        var again = _wire.FromBinary(_wire.ToBinary(message), _wire.Manifest(message));

        Assert.IsType(message.GetType(), again);
        Assert.Equal(JsonSerializer.Serialize(message, message.GetType()), JsonSerializer.Serialize(again, again.GetType()));
    }

    [Fact]
    public void An_older_node_is_understood_and_so_is_a_newer_one()
    {
        // Neither of the fields that came later, and one that this version does not know.
        var status = (NodeStatus)_wire.FromBinary(
            Encoding.UTF8.GetBytes("""{"node":"a:1","version":"9","bridges":[{"identity":{"name":"chat","queue":"q","domain":"d","kind":"List"},"role":"standby","mood":"good"}]}"""),
            "status-1");

        Assert.Equal(("a:1", BridgeRole.Standby, false, 0L), (status.Node, status.Bridges[0].Role, status.Bridges[0].IsAble, status.Bridges[0].Queued));
    }

    [Theory]
    [InlineData("status-2", "{}")]
    [InlineData("status-1", """{"node":"a:1","version":"9","bridges":[{"identity":{"name":"chat","queue":"q","domain":"d","kind":"List"},"role":"dreaming"}]}""")]
    [InlineData("status-1", "{}")]
    [InlineData("take-over-1", "not JSON")]
    public void What_this_version_does_not_know_is_a_message_of_its_own(string manifest, string json)
    {
        Assert.Equal(new UnknownMessage(manifest), _wire.FromBinary(Encoding.UTF8.GetBytes(json), manifest));
    }

    [Fact]
    public void The_names_on_the_wire_stay_as_they_are()
    {
        Assert.Equal(
            ["take-over-1", "hello-1", "welcome-1", "status-1"],
            All.Select(_wire.Manifest));
        Assert.Equal("""{"bridge":"chat"}""", Encoding.UTF8.GetString(_wire.ToBinary(new TakeOver("chat"))));
        Assert.Equal(92_014_001, _wire.Identifier);
    }

    [Fact]
    public void Nothing_else_travels() => Assert.Throws<ArgumentException>(() => _wire.Manifest("a text"));

    [Fact]
    public void What_Akkas_general_serializer_would_make_of_a_message_is_not_made()
    {
        var refusing = new RefusingSerializer((ExtendedActorSystem)Sys);

        Assert.Equal(1, refusing.Identifier);
        Assert.Throws<NotSupportedException>(() => refusing.ToBinary("a text"));
        Assert.IsType<UnknownMessage>(refusing.FromBinary("""{"$type":"System.IO.FileInfo"}"""u8.ToArray(), typeof(FileInfo)));
    }
}
