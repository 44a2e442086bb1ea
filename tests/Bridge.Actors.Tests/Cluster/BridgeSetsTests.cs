using Bridge.Cluster;

namespace Bridge.Actors.Tests.Cluster;

public sealed class BridgeSetsTests
{
    private static readonly BridgeIdentity Chat = new("chat", "xmpp:chat", "chat.example.test", "List");
    private static readonly BridgeIdentity Alerts = new("alerts", "xmpp:alerts", "alerts.example.test", "List");

    [Fact]
    public void Sets_may_differ_where_they_mean_the_same_by_the_same()
    {
        Assert.Empty(BridgeSets.Conflicts([Chat], [Chat, Alerts]));
        Assert.Empty(BridgeSets.Conflicts([Chat], [Alerts]));
        Assert.Empty(BridgeSets.Conflicts([], [Chat]));
    }

    [Fact]
    public void One_name_for_two_things_is_told_by_what_differs()
    {
        Assert.Equal(
            [
                "the queue of bridge chat is xmpp:chat here and q there",
                "the domain of bridge chat is chat.example.test here and d there",
                "the kind of queue of bridge chat is List here and Stream of group bridge there",
            ],
            BridgeSets.Conflicts([Chat], [new BridgeIdentity("chat", "q", "d", "Stream of group bridge")]));
    }

    [Fact]
    public void One_queue_or_domain_under_two_names_is_told()
    {
        Assert.Equal(
            ["queue xmpp:chat is bridge chat's here and bridge other's there"], BridgeSets.Conflicts([Chat], [Chat with { Name = "other" }]));
        Assert.Equal(
            ["domain chat.example.test is bridge chat's here and bridge other's there"],
            BridgeSets.Conflicts([Chat], [Chat with { Name = "other", Queue = "xmpp:other" }]));
    }
}
