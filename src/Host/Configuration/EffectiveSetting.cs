using System.Text.Json;
using StackExchange.Redis;

namespace Bridge.Host.Configuration;

/// <summary>One setting as it holds.</summary>
/// <param name="Key">Its whole key.</param>
/// <param name="Value">As HOCON writes it; what is secret in it is masked.</param>
/// <param name="Origin">Where it was made: a file, an environment variable, or <see cref="Default" />.</param>
internal sealed record EffectiveSetting(string Key, string Value, string Origin)
{
    /// <summary>The origin of what nobody has set.</summary>
    public const string Default = "default";

    /// <summary>In place of a secret.</summary>
    public const string NotShown = "(set, not shown)";

    /// <summary>Adds a node and all that is below it.</summary>
    public static void Add(List<EffectiveSetting> settings, string key, ConfigurationNode node)
    {
        switch (node)
        {
            case ConfigurationSection section:
                foreach (var (name, child) in section.Children)
                    Add(settings, key + "." + name, child);
                break;
            case ConfigurationValue value:
                settings.Add(new EffectiveSetting(key, Written(key, value), WhereMade(value)));
                break;
        }
    }

    private static string WhereMade(ConfigurationValue value) =>
        value.File is null ? value.Key : value.File == ConfigurationReader.Reference.Name ? Default : value.File;

    private static string Written(string key, ConfigurationValue value)
    {
        if (value.Items is { } items)
            return "[" + string.Join(", ", items.Select(Quoted)) + "]";
        var text = value.Text ?? "";
        return Quoted(key.EndsWith(".redis", StringComparison.Ordinal) && text.Length > 0 ? WithoutPassword(text) : text);
    }

    private static string Quoted(string text) =>
        text.Length > 0 && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_') ? text : JsonSerializer.Serialize(text, Cli.Tables.Json);

    private static string WithoutPassword(string connection)
    {
        try
        {
            return ConfigurationOptions.Parse(connection).ToString(includePassword: false);
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or OverflowException)
        {
            return NotShown;
        }
    }
}
