using System.Text.Json;
using Bridge.Host.Hosting;

namespace Bridge.Host.Cli;

/// <summary>How commands show what they found: columns for a terminal, JSON for a script.</summary>
internal static class Tables
{
    /// <summary>How JSON is written: readable in a terminal.</summary>
    public static JsonSerializerOptions Json => StatusReport.Json;

    /// <summary>The option <c>--json</c>.</summary>
    public static System.CommandLine.Option<bool> JsonOption(string description) => new("--json") { Description = description };

    /// <summary>Rows below one another, each column as wide as its widest cell. Cells lose control characters.</summary>
    public static string Columns(IReadOnlyList<string[]> rows)
    {
        var cells = rows.Select(row => row.Select(OneBridge.OneLine).ToArray()).ToList();
        var widths = Enumerable.Range(0, cells[0].Length).Select(column => cells.Max(row => row[column].Length)).ToArray();
        return string.Concat(cells.Select(row => string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd() + "\n"));
    }
}
