using System.Globalization;
using System.Text;

namespace Bridge.EndToEnd;

/// <summary>A Markdown table, aligned so that it can be read as text as well.</summary>
internal sealed class Table(params string[] header)
{
    private readonly List<string[]> _rows = [header];

    public void Add(params string[] cells) => _rows.Add(cells);

    public override string ToString()
    {
        var widths = header.Select((_, column) => _rows.Max(row => row[column].Length)).ToArray();
        var text = new StringBuilder();
        for (var i = 0; i < _rows.Count; i++)
        {
            text.AppendLine(Line(_rows[i], widths));
            if (i == 0)
                text.AppendLine(Line([.. widths.Select((width, column) => new string('-', column == 0 ? width : width - 1) + (column == 0 ? "" : ":"))], widths));
        }

        return text.ToString();
    }

    /// <summary>The median, and the range where there is one.</summary>
    public static string Cell(IEnumerable<double> values, string format)
    {
        var all = values.ToArray();
        if (all.Length == 0)
            return "–";
        var median = Number(Statistics.Median(all), format);
        return all.Length == 1 ? median : $"{median} ({Number(all.Min(), format)}–{Number(all.Max(), format)})";
    }

    public static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    private static string Line(string[] cells, int[] widths) =>
        $"| {string.Join(" | ", cells.Select((cell, column) => column == 0 ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column])))} |";
}
