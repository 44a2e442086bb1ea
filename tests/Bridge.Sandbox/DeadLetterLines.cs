using StackExchange.Redis;

namespace Bridge.Sandbox;

/// <summary>How a dead letter is shown.</summary>
internal static class DeadLetterLines
{
    public static void Show(Screen screen, Stage stage, string queue, StreamEntry letter)
    {
        var offset = (int)letter["offset"];
        var place = offset < 0 ? "" : FormattableString.Invariant($", at byte {offset}");
        screen.Success($"dead-lettered as {letter["reason"]}: {letter["detail"]}{place}");
        screen.Line("    It is kept, whole:");
        screen.Command(FormattableString.Invariant($"redis-cli -p {stage.Redis.Port} XRANGE '{{{queue}}}:dead' - +"));
    }
}
