using System.Text.Json;
using Bridge.Outcomes;
using Bridge.Settings;
using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Outcomes;

public sealed class OutcomeTests
{
    private static readonly Outcome Least = new(Ending.Held, "a", "ada@example.test");

    private static readonly Outcome Most = new(Ending.Bounced, "a\"b", "ada@example.test/<ä>")
    {
        Late = true,
        Kind = StanzaKind.Message,
        Error = new StanzaError(StanzaErrorType.Wait, StanzaErrorCondition.ResourceConstraint, "full\n"),
        Reason = "expired",
        PushedAt = DateTimeOffset.FromUnixTimeMilliseconds(1),
        TakenAt = DateTimeOffset.FromUnixTimeMilliseconds(2),
        WrittenAt = DateTimeOffset.FromUnixTimeMilliseconds(3),
        ConfirmedAt = DateTimeOffset.FromUnixTimeMilliseconds(4),
        Attempts = 5,
        Overtaken = true,
        Meta = """{"order": [1, "ä"]}""",
        ReplyTo = "bridge:reply:1",
        Answer = "<iq/>",
    };

    [Fact]
    public void Fields_are_those_that_are_known()
    {
        Assert.Equal(["ending", "held", "id", "a", "to", "ada@example.test"], Least.Fields());
        Assert.Equal(
            [
                "ending", "bounced", "id", "a\"b", "to", "ada@example.test/<ä>", "late", "1", "kind", "message", "type", "wait",
                "condition", "resource-constraint", "text", "full\n", "reason", "expired", "attempts", "5", "overtaken", "1",
                "pushed", "1", "taken", "2", "written", "3", "confirmed", "4", "meta", """{"order": [1, "ä"]}""", "answer", "<iq/>",
            ],
            Most.Fields());
    }

    [Fact]
    public void The_reply_is_a_JSON_object_with_the_same_names()
    {
        Assert.Equal("""{"ending":"held","id":"a","to":"ada@example.test"}""", Least.Json());
        using var json = JsonDocument.Parse(Most.Json());
        var fields = Most.Fields();
        Assert.Equal(
            Enumerable.Range(0, fields.Count / 2).Select(i => fields[2 * i]),
            json.RootElement.EnumerateObject().Select(property => property.Name));
        Assert.Equal(("a\"b", true, 5, 1), (
            json.RootElement.GetProperty("id").GetString(), json.RootElement.GetProperty("late").GetBoolean(),
            json.RootElement.GetProperty("attempts").GetInt32(), json.RootElement.GetProperty("meta").GetProperty("order")[0].GetInt32()));
    }

    [Fact]
    public void Each_mode_wants_its_endings()
    {
        var all = Enum.GetValues<Ending>();
        Assert.DoesNotContain(all, ending => (Least with { Ending = ending }).IsWantedBy(OutcomeMode.None));
        Assert.Equal([Ending.Unconfirmed, Ending.Bounced, Ending.Expired, Ending.Dead], all.Where(ending => (Least with { Ending = ending }).IsWantedBy(OutcomeMode.Failures)));
        Assert.Equal(all, all.Where(ending => (Least with { Ending = ending }).IsWantedBy(OutcomeMode.All)));
    }
}
