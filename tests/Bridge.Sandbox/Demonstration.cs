using System.Diagnostics;
using Bridge.TestKit;

namespace Bridge.Sandbox;

/// <summary>A handful of messages of every kind, each pushed and followed to its end.</summary>
internal sealed class Demonstration(Stage stage, Screen screen)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static readonly Push[] ToAda =
    [
        Push.List(
            "Raw XML: the stanza as it goes out, without what Bridge fills in",
            """<message to="ada@example.test" type="chat"><body>raw XML</body></message>"""),
        Push.List(
            "Raw XML with an extension",
            """<message to="ada@example.test" type="headline"><body>21 degrees</body><weather xmlns="urn:example:weather" celsius="21"/></message>"""),
        Push.List(
            "JSON",
            """{"to":"ada@example.test","body":"hi"}"""),
        Push.List(
            "JSON with an id, a subject and raw XML",
            """{"to":"ada@example.test","id":"release-7","subject":"Release","body":"version 7 is out","xml":["<x xmlns=\"jabber:x:oob\"><url>https://example.test/7</url></x>"]}"""),
        Push.Stream(
            "A stream entry with a payload",
            "payload", """{"to":"ada@example.test","body":"from a stream"}"""),
        Push.Stream(
            "A stream entry whose fields are those of the JSON form",
            "to", "ada@example.test", "body", "from fields"),
    ];

    private static readonly Push ToGrace = Push.List(
        "To a user who is away: the server stores it until she logs in",
        """{"to":"grace@example.test","body":"for when you are back"}""");

    private static readonly Push Mistake = Push.List(
        "A mistake: the & would make the server end the stream, so Bridge dead-letters it",
        """<message to="ada@example.test"><body>fish & chips</body></message>""");

    private static readonly Push BehindMistake = Push.List(
        "The next one is not held up",
        """{"to":"ada@example.test","body":"still here"}""");

    private int _good;
    private int _bad;

    /// <summary>Runs it.</summary>
    /// <returns>Whether each message arrived, and the mistake was dead-lettered.</returns>
    public async Task<bool> RunAsync(CancellationToken stopping)
    {
        var ada = await stage.LoginAsync("ada");
        screen.Line($"  User      {ada.FullJid} is logged in");
        foreach (var push in ToAda)
            await ShowArrivalAsync(push, ada, stopping);
        await ShowStoredAsync(ada, stopping);
        await ShowDeadLetterAsync(stopping);
        await ShowArrivalAsync(BehindMistake, ada, stopping);

        screen.Line();
        screen.Heading(_bad == 0
            ? $"All {_good} messages ended as they should."
            : $"{_bad} of {_good + _bad} messages did not end as they should.");
        if (_bad > 0)
            screen.Line(stage.Bridge.Process.Output);
        return _bad == 0;
    }

    private async Task ShowArrivalAsync(Push push, XmppUser user, CancellationToken stopping)
    {
        var pushed = await PushAsync(push, stopping);
        var expected = BodyOf(push);
        await EndAsync(async () =>
        {
            var stanza = await user.Received.FirstAsync(received => received.Name == "message" && received.Body == expected, Patience);
            screen.Received("ada", stanza, Stopwatch.GetElapsedTime(pushed, stanza.Timestamp));
        });
    }

    private async Task ShowStoredAsync(XmppUser ada, CancellationToken stopping)
    {
        await PushAsync(ToGrace, stopping);
        // The one behind it on the same list has arrived, so the server has taken hers.
        await ShowArrivalAsync(
            Push.List("Order is kept: this one comes behind it", """{"to":"ada@example.test","body":"behind hers"}"""), ada, stopping);
        await EndAsync(async () =>
        {
            var grace = await stage.LoginAsync("grace");
            screen.Line();
            screen.Line($"{grace.FullJid} logs in");
            screen.Received("grace", await grace.Received.FirstAsync(received => received.Body == BodyOf(ToGrace), Patience));
        });
    }

    private async Task ShowDeadLetterAsync(CancellationToken stopping)
    {
        await PushAsync(Mistake, stopping);
        await EndAsync(async () =>
        {
            var letters = await Eventually.ValueAsync(
                async () => await stage.DeadLettersAsync(Mistake.Queue, Stage.Beginning),
                found => found.Length > 0,
                Patience,
                "the mistake is dead-lettered");
            DeadLetterLines.Show(screen, stage, Mistake.Queue, letters[0]);
        });
    }

    private async Task<long> PushAsync(Push push, CancellationToken stopping)
    {
        stopping.ThrowIfCancellationRequested();
        screen.Line();
        screen.Line(push.Title);
        screen.Command(push.ShellLine(stage.Redis.Port));
        var pushed = Stopwatch.GetTimestamp();
        await stage.Database.ExecuteAsync(push.Words[0], [.. push.Words.Skip(1)]);
        return pushed;
    }

    private async Task EndAsync(Func<Task> arrival)
    {
        try
        {
            await arrival();
            _good++;
        }
        catch (TimeoutException e)
        {
            _bad++;
            screen.Failure(e.Message);
        }
    }

    // Every message of the demonstration has a body of its own, by which its arrival is recognised.
    private static string BodyOf(Push push)
    {
        var text = push.Words[^1];
        var (before, behind) = text[0] switch
        {
            '<' => ("<body>", "</body>"),
            '{' => ("\"body\":\"", "\""),
            _ => ("", ""),
        };
        if (before.Length == 0)
            return text;
        var start = text.IndexOf(before, StringComparison.Ordinal) + before.Length;
        return text[start..text.IndexOf(behind, start, StringComparison.Ordinal)];
    }
}
