using Bridge.TestKit;

namespace Bridge.Sandbox;

/// <summary>What the sandbox prints, and how it looks. Lines of concurrent callers do not interleave.</summary>
/// <param name="output">Where to.</param>
/// <param name="coloured">Whether it is a terminal that shows colours.</param>
internal sealed class Screen(TextWriter output, bool coloured)
{
    private readonly Lock _gate = new();

    public void Line(string text = "") => Write(text);

    public void Heading(string text) => Write(Styled("1", text));

    /// <summary>A command that the reader could have typed.</summary>
    public void Command(string text) => Write("  " + Styled("36", "$ " + text));

    public void Success(string text) => Write("    " + Styled("32", text));

    public void Failure(string text) => Write("    " + Styled("31", text));

    /// <summary>A stanza as a user received it, byte for byte.</summary>
    public void Received(string user, ReceivedStanza stanza, TimeSpan? after = null)
    {
        var latency = after is { } time ? FormattableString.Invariant($" after {time.TotalMilliseconds:F1} ms") : "";
        lock (_gate)
        {
            output.WriteLine("    " + Styled("32", $"{user} received{latency}:"));
            output.WriteLine("    " + stanza.Text);
        }
    }

    private void Write(string line)
    {
        lock (_gate)
            output.WriteLine(line);
    }

    // ECMA-48 "select graphic rendition".
    private string Styled(string style, string text) => coloured ? $"\e[{style}m{text}\e[0m" : text;
}
