using System.Globalization;

namespace Bridge.Host.Configuration;

/// <summary>
/// Reads typed settings out of a section. What does not fit becomes a mistake and a harmless
/// value, so that one run finds every mistake; whoever reads must discard the values then.
/// </summary>
/// <param name="section">The section with every default laid under it.</param>
/// <param name="mistakes">Where mistakes go.</param>
internal sealed class SettingReader(ConfigurationSection section, List<ConfigurationMistake> mistakes)
{
    /// <summary>Notes a mistake about a setting.</summary>
    public void Mistake(string path, string found, string allowed)
    {
        var node = section.Find(path.Split('.'));
        mistakes.Add(new ConfigurationMistake(node?.Key ?? section.Key + "." + path, found, allowed, node?.File));
    }

    /// <summary>A text; empty when there is none.</summary>
    public string Text(string path) => Value(path)?.Text?.Trim() ?? "";

    /// <summary>A list of texts; a single text counts as a list separated by commas. Empty items are left out.</summary>
    public IReadOnlyList<string> Texts(string path)
    {
        var value = section.Find(path.Split('.')) as ConfigurationValue;
        var items = value?.Items ?? value?.Text?.Split(',') ?? [];
        return [.. items.Select(item => item.Trim()).Where(item => item.Length > 0)];
    }

    /// <summary>A whole number within bounds.</summary>
    public int Number(string path, int least, int most) => (int)Number(path, (long)least, most);

    /// <summary>A whole number within bounds.</summary>
    public long Number(string path, long least, long most)
    {
        if (Value(path) is not { Text: { } text })
            return least;
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most)
            return number;
        Mistake(path, Quote(text), string.Create(CultureInfo.InvariantCulture, $"a whole number from {least} to {most}"));
        return least;
    }

    /// <summary>A size in bytes within bounds.</summary>
    public int Size(string path, int least, int most) => (int)Size(path, (long)least, most);

    /// <summary>A size in bytes within bounds.</summary>
    public long Size(string path, long least, long most)
    {
        if (Value(path) is not { Text: { } text })
            return least;
        if (Quantity.TrySize(text, out var bytes) && bytes >= least && bytes <= most)
            return bytes;
        Mistake(path, Quote(text), $"a size from {Quantity.Format(least)} to {Quantity.Format(most)}, such as 64KiB");
        return least;
    }

    /// <summary>A duration within bounds.</summary>
    public TimeSpan Duration(string path, TimeSpan least, TimeSpan most)
    {
        if (Value(path) is not { Text: { } text })
            return least;
        if (Quantity.TryDuration(text, out var duration) && duration >= least && duration <= most)
            return duration;
        Mistake(path, Quote(text), $"a duration with its unit, from {Quantity.Format(least)} to {Quantity.Format(most)}, such as 250ms or 2s");
        return least;
    }

    /// <summary>One of a few words, without regard to case.</summary>
    public T Choice<T>(string path, params ReadOnlySpan<(string Word, T Value)> choices)
    {
        if (Value(path) is not { Text: { } text })
            return choices[0].Value;
        var words = new List<string>();
        foreach (var (word, value) in choices)
        {
            if (word.Equals(text, StringComparison.OrdinalIgnoreCase))
                return value;
            words.Add(word);
        }

        var nearest = NearestName.Of(text, words);
        Mistake(path, Quote(text), string.Join(" or ", words) + (nearest is null ? "" : $" (did you mean {nearest}?)"));
        return choices[0].Value;
    }

    /// <summary>A switch: <c>true</c>, <c>on</c>, <c>yes</c> or their opposites, as HOCON allows.</summary>
    public bool Switch(string path) =>
        Choice(path, ("true", true), ("false", false), ("on", true), ("off", false), ("yes", true), ("no", false));

    /// <summary>The text of a file that a setting names; null after having noted why it cannot be read.</summary>
    public string? FileText(string path, string file, string allowed, Func<string, string> readFile)
    {
        try
        {
            return readFile(file);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            var reason = exception switch
            {
                FileNotFoundException or DirectoryNotFoundException => "there is no such file",
                UnauthorizedAccessException => "no permission, or a directory",
                _ => "it is no readable file",
            };
            Mistake(path, $"{Quote(file)}, which cannot be read: {reason}", allowed);
            return null;
        }
    }

    /// <summary>The secret that the text of a file is: one line, without the newline that every editor and <c>echo</c> end it with.</summary>
    public string Secret(string path, string file, string text, string allowed)
    {
        const int longest = 4096;
        var secret = text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text.EndsWith('\n') ? text[..^1] : text;
        if (secret.Length == 0)
            Mistake(path, $"{Quote(file)}, which is empty", allowed);
        else if (secret.Length > longest || secret.AsSpan().ContainsAny('\r', '\n', '\0'))
            Mistake(path, $"{Quote(file)}, which holds more than one line", "a file with the secret alone, in one line");
        return secret;
    }

    /// <summary>What was found, for a mistake: in quotes, without control characters, not too long.</summary>
    public static string Quote(string text)
    {
        var clean = new string([.. text.Take(80).Select(c => char.IsControl(c) ? '\uFFFD' : c)]);
        return text.Length == 0 ? "nothing" : text.Length > 80 ? $"\"{clean}…\"" : $"\"{clean}\"";
    }

    private ConfigurationValue? Value(string path)
    {
        switch (section.Find(path.Split('.')))
        {
            case ConfigurationValue { Text: not null } value:
                return value;
            case ConfigurationValue:
                Mistake(path, "a list", "a single value");
                return null;
            default:
                // A section where a value belongs was reported with the unknown keys.
                return null;
        }
    }
}
