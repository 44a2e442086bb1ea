using Bridge.Queue;

namespace Bridge.Actors.Tests.Queue;

public sealed class QueueOrdersTests
{
    [Theory]
    [InlineData(QueueOrder.Run, null)]
    [InlineData(QueueOrder.Pause, "pause")]
    [InlineData(QueueOrder.Drain, "drain")]
    public void An_order_is_read_as_it_is_written(QueueOrder order, string? word)
    {
        Assert.Equal(word, QueueOrders.Word(order));
        Assert.Equal(order, QueueOrders.Read(word));
    }

    [Theory]
    [InlineData("")]
    [InlineData("something newer")]
    public void What_is_not_known_is_a_pause_which_loses_nothing(string word) => Assert.Equal(QueueOrder.Pause, QueueOrders.Read(word));
}
