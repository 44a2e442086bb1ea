using System.Globalization;
using System.Text;

namespace Bridge.TestKit;

/// <summary>One line of Prometheus' text format.</summary>
/// <param name="Name">The metric.</param>
/// <param name="Labels">Its labels.</param>
/// <param name="Value">The value.</param>
public sealed record MetricsSample(string Name, IReadOnlyDictionary<string, string> Labels, double Value);

/// <summary>What <c>/metrics</c> said at one moment.</summary>
/// <param name="Samples">All samples, in the text's order.</param>
public sealed record MetricsSnapshot(IReadOnlyList<MetricsSample> Samples)
{
    /// <summary>The sum over all samples of a metric that have these labels; null when there is none.</summary>
    public double? Sum(string name, params (string Label, string Value)[] labels)
    {
        var matching = Samples
            .Where(sample => sample.Name == name
                && labels.All(label => sample.Labels.GetValueOrDefault(label.Label) == label.Value))
            .ToList();
        return matching.Count == 0 ? null : matching.Sum(sample => sample.Value);
    }

    /// <summary>Parses Prometheus' text format 0.0.4, and OpenMetrics as far as samples go.</summary>
    /// <exception cref="FormatException">A line is no sample; the message holds it.</exception>
    public static MetricsSnapshot Parse(string text)
    {
        var samples = new List<MetricsSample>();
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (!line.StartsWith('#'))
                samples.Add(ParseLine(line));
        }

        return new MetricsSnapshot(samples);
    }

    private static MetricsSample ParseLine(string line)
    {
        var labels = new Dictionary<string, string>();
        var end = line.AsSpan().IndexOfAny('{', ' ');
        if (end <= 0)
            throw new FormatException($"No sample: {line}");
        var position = end;
        if (line[position] == '{')
        {
            position++;
            while (position < line.Length && line[position] != '}')
            {
                var equals = line.IndexOf("=\"", position, StringComparison.Ordinal);
                if (equals < 0)
                    throw new FormatException($"No label: {line}");
                var name = line[position..equals];
                position = equals + 2;
                labels[name] = LabelValue(line, ref position);
                if (position < line.Length && line[position] == ',')
                    position++;
            }

            position++;
        }

        // The timestamp, or an exemplar, may follow the value.
        var rest = position < line.Length ? line[position..].Split(' ', StringSplitOptions.RemoveEmptyEntries) : [];
        if (rest.Length == 0)
            throw new FormatException($"No value: {line}");
        return new MetricsSample(line[..end], labels, Number(rest[0], line));
    }

    private static string LabelValue(string line, ref int position)
    {
        var value = new StringBuilder();
        for (; position < line.Length; position++)
        {
            switch (line[position])
            {
                case '"':
                    position++;
                    return value.ToString();
                case '\\' when position + 1 < line.Length:
                    position++;
                    value.Append(line[position] == 'n' ? '\n' : line[position]);
                    break;
                default:
                    value.Append(line[position]);
                    break;
            }
        }

        throw new FormatException($"No end of a label: {line}");
    }

    private static double Number(string text, string line) => text switch
    {
        "+Inf" => double.PositiveInfinity,
        "-Inf" => double.NegativeInfinity,
        "NaN" => double.NaN,
        _ => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw new FormatException($"No number: {line}"),
    };
}
