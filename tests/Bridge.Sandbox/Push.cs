namespace Bridge.Sandbox;

/// <summary>One Redis command that hands a message to Bridge.</summary>
/// <param name="Title">What is special about it.</param>
/// <param name="Queue">The key that it pushes to.</param>
/// <param name="Words">The command and its arguments.</param>
internal sealed record Push(string Title, string Queue, params string[] Words)
{
    public static Push List(string title, string payload) =>
        new(title, Stage.ListQueue, "RPUSH", Stage.ListQueue, payload);

    public static Push Stream(string title, params string[] fields) =>
        new(title, Stage.StreamQueue, ["XADD", Stage.StreamQueue, "*", .. fields]);

    /// <summary>The line that does the same from a shell.</summary>
    public string ShellLine(int port) =>
        FormattableString.Invariant($"redis-cli -p {port} ") + string.Join(' ', Words.Select(Quote));

    private static string Quote(string word) =>
        word.Length > 0 && word.All(c => char.IsAsciiLetterOrDigit(c) || c is ':' or '@' or '.' or '-' or '_')
            ? word
            : "'" + word.Replace("'", "'\\''", StringComparison.Ordinal) + "'";
}
