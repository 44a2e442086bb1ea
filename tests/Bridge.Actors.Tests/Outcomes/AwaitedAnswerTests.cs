using Bridge.Outcomes;

namespace Bridge.Actors.Tests.Outcomes;

public sealed class AwaitedAnswerTests
{
    [Theory]
    [InlineData(AnswerKind.Receipt)]
    [InlineData(AnswerKind.Result)]
    [InlineData(AnswerKind.Bounce)]
    public void It_reads_back_as_it_was_written(AnswerKind kind)
    {
        var all = new AwaitedAnswer(
            "0-7 ä\"",
            new Outcome(Ending.Unconfirmed, "ä\"", "ada@example.test/<x>")
            {
                Attempts = 2,
                Overtaken = true,
                PushedAt = At(1),
                TakenAt = At(2),
                WrittenAt = At(3),
                ConfirmedAt = At(4),
                ReplyTo = "bridge:reply:1",
                Meta = """{"a": "ä"}""",
            },
            kind,
            At(5))
        { MayBeSentAgain = true };
        var least = new AwaitedAnswer("0-8 b", new Outcome(Ending.Held, "b", "ada@example.test"), kind, At(6));

        Assert.Equal([all, least], new[] { all, least }.Select(one => AwaitedAnswer.TryRead(one.Key, one.Json(), out var read) ? read : null));
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"id\":1,\"to\":\"b\",\"for\":\"receipt\",\"else\":\"held\",\"due\":1,\"attempts\":1}")]
    [InlineData("{\"id\":\"a\",\"to\":\"b\",\"for\":\"receipt\",\"else\":\"held\",\"due\":99999999999999999,\"attempts\":1}")]
    [InlineData("{\"id\":\"a\",\"to\":\"b\",\"for\":\"nothing\",\"else\":\"held\",\"due\":1,\"attempts\":1}")]
    [InlineData("{\"id\":\"a\",\"to\":\"b\",\"for\":\"receipt\",\"else\":\"lost\",\"due\":1,\"attempts\":1}")]
    public void What_somebody_else_put_there_is_not_read(string json) => Assert.False(AwaitedAnswer.TryRead("key", json, out _));

    private static DateTimeOffset At(int seconds) => DateTimeOffset.FromUnixTimeSeconds(seconds);
}
