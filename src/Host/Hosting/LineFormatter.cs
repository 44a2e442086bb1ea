using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace Bridge.Host.Hosting;

/// <summary>
/// Writes an event as one line: time in UTC, level, source, message, exception. Line breaks and
/// other control characters are written as escapes, so that no payload or server text can forge
/// a line.
/// </summary>
internal sealed class LineFormatter() : ConsoleFormatter(FormatterName)
{
    /// <summary>The name under which it is registered.</summary>
    public const string FormatterName = "bridge-line";

    /// <inheritdoc />
    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        textWriter.Write(DateTime.UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
        textWriter.Write(Level(logEntry.LogLevel));
        WriteEscaped(logEntry.State is ActorLog.Line line ? line.Source : logEntry.Category, textWriter);
        textWriter.Write(": ");
        WriteEscaped(logEntry.Formatter(logEntry.State, logEntry.Exception), textWriter);
        if (logEntry.Exception is { } exception)
        {
            textWriter.Write(" | ");
            WriteEscaped(exception.ToString(), textWriter);
        }

        textWriter.Write('\n');
    }

    private static string Level(LogLevel level) => level switch
    {
        LogLevel.Trace or LogLevel.Debug => " DEBUG ",
        LogLevel.Information => " INFO  ",
        LogLevel.Warning => " WARN  ",
        _ => " ERROR ",
    };

    private static void WriteEscaped(string text, TextWriter writer)
    {
        foreach (var c in text)
        {
            switch (c)
            {
                case '\n':
                    writer.Write("\\n");
                    break;
                case '\r':
                    break;
                case '\t':
                    writer.Write(' ');
                    break;
                // Also NEL, line and paragraph separator, which some viewers take for line breaks.
                case var _ when char.IsControl(c) || c is '\u2028' or '\u2029':
                    writer.Write(string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"));
                    break;
                default:
                    writer.Write(c);
                    break;
            }
        }
    }
}
