namespace Bridge.Host.Configuration;

/// <summary>A node of a configuration: a section or a value. Knows where it was written.</summary>
/// <param name="Key">The full key under which it was written, or the environment variable's name.</param>
/// <param name="File">The file it was written in; null for an environment variable.</param>
internal abstract record ConfigurationNode(string Key, string? File);

/// <summary>A value: a text, or a list of texts.</summary>
/// <param name="Key">Where it was written.</param>
/// <param name="File">In which file.</param>
/// <param name="Text">The text; null for a list.</param>
/// <param name="Items">The list; null for a text.</param>
internal sealed record ConfigurationValue(string Key, string? File, string? Text, IReadOnlyList<string>? Items)
    : ConfigurationNode(Key, File);

/// <summary>A section: names and what stands under them.</summary>
/// <param name="Key">Where it was written.</param>
/// <param name="File">In which file it was written last.</param>
/// <param name="Children">By name.</param>
internal sealed record ConfigurationSection(string Key, string? File, IReadOnlyDictionary<string, ConfigurationNode> Children)
    : ConfigurationNode(Key, File)
{
    /// <summary>A section with nothing in it.</summary>
    public static ConfigurationSection Empty(string key) =>
        new(key, null, new Dictionary<string, ConfigurationNode>(StringComparer.Ordinal));

    /// <summary>The node at a path of names; null when there is none.</summary>
    public ConfigurationNode? Find(params ReadOnlySpan<string> path)
    {
        ConfigurationNode node = this;
        foreach (var name in path)
        {
            if (node is not ConfigurationSection section || !section.Children.TryGetValue(name, out var child))
                return null;
            node = child;
        }

        return node;
    }

    /// <summary>
    /// This section with another laid over it: values of the other win, sections are merged. A value
    /// where a section belongs, or the reverse, is a mistake reported elsewhere and changes nothing.
    /// </summary>
    public ConfigurationSection With(ConfigurationSection over)
    {
        var children = new Dictionary<string, ConfigurationNode>(Children, StringComparer.Ordinal);
        foreach (var (name, node) in over.Children)
            children[name] = (children.GetValueOrDefault(name), node) switch
            {
                (ConfigurationSection under, ConfigurationSection section) => under.With(section),
                (ConfigurationSection under, _) => under,
                (ConfigurationValue under, ConfigurationSection) => under,
                _ => node,
            };
        return new ConfigurationSection(over.Key, over.File ?? File, children);
    }

    /// <summary>This section with one value set, by a dotted path.</summary>
    public ConfigurationSection With(string path, ConfigurationValue value)
    {
        var dot = path.IndexOf('.', StringComparison.Ordinal);
        var name = dot < 0 ? path : path[..dot];
        var children = new Dictionary<string, ConfigurationNode>(Children, StringComparer.Ordinal);
        children[name] = dot < 0
            ? value
            : (children.GetValueOrDefault(name) as ConfigurationSection ?? Empty(Key + "." + name)).With(path[(dot + 1)..], value);
        return this with { Children = children };
    }
}
