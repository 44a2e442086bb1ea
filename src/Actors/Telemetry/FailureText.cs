using System.Net.Sockets;

namespace Bridge.Telemetry;

/// <summary>
/// Of what an actor failed, in words that may be shown: its type, the words of those exceptions whose words come from Bridge or name no
/// data, and the types of what caused it. The words of any other, a parser's say, may quote what an app or a user wrote.
/// </summary>
internal static class FailureText
{
    private const int MostCharacters = 300;

    /// <summary>The words.</summary>
    public static string Of(Exception failure)
    {
        var text = failure.GetType().Name;
        if (MayBeShown(failure))
            text += ": " + failure.Message.ReplaceLineEndings(" ");
        for (var cause = failure.InnerException; cause is not null; cause = cause.InnerException)
            text += $" ({cause.GetType().Name})";
        return text.Length <= MostCharacters ? text : text[..MostCharacters] + "…";
    }

    private static bool MayBeShown(Exception failure) =>
        failure.GetType().Assembly == typeof(FailureText).Assembly
        || failure is InvalidOperationException or NullReferenceException or IndexOutOfRangeException or TimeoutException or SocketException;
}
