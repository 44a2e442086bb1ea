using System.Collections;
using System.CommandLine;
using Bridge.Host.Configuration;

namespace Bridge.Host.Cli;

/// <summary>Where a command gets its configuration from: <c>--config</c> and the environment.</summary>
internal static class ConfigurationSource
{
    /// <summary>The option <c>--config FILE</c>, which may be given several times.</summary>
    public static Option<string[]> CreateOption() => new("--config", "-c")
    {
        Description = "A HOCON file with settings that differ from the defaults. Repeatable; later files win.",
        HelpName = "FILE",
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = false,
    };

    /// <summary>Reads the configuration; null after having written every mistake to the error output.</summary>
    public static async Task<HostConfiguration?> ReadAsync(IReadOnlyList<string> paths, TextWriter error, CancellationToken cancellation)
    {
        var result = await ReadAsync(paths, cancellation);
        if (result.Configuration is null)
            await ComplainAsync(result.Mistakes, error);
        return result.Configuration;
    }

    /// <summary>Reads the status page's token alone: of bridges nothing need be configured. Not known: every mistake is written to the error output.</summary>
    public static async Task<(bool Known, PageToken? Token)> ReadTokenAsync(IReadOnlyList<string> paths, TextWriter error, CancellationToken cancellation)
    {
        var (files, unreadable) = await ReadFilesAsync(paths, cancellation);
        var (token, mistakes) = ConfigurationReader.ReadToken(files, Environment(), File.ReadAllText);
        if (unreadable.Count + mistakes.Length == 0)
            return (true, token);
        await ComplainAsync([.. unreadable, .. mistakes], error);
        return (false, null);
    }

    /// <summary>Every setting as it holds; null after having written every mistake to the error output.</summary>
    public static async Task<IReadOnlyList<EffectiveSetting>?> EffectiveAsync(IReadOnlyList<string> paths, TextWriter error, CancellationToken cancellation)
    {
        if (await ReadAsync(paths, error, cancellation) is null)
            return null;
        return ConfigurationReader.Effective((await ReadFilesAsync(paths, cancellation)).Files, Environment());
    }

    /// <summary>Reads the configuration, or finds every mistake.</summary>
    public static async Task<ConfigurationResult> ReadAsync(IReadOnlyList<string> paths, CancellationToken cancellation)
    {
        var (files, mistakes) = await ReadFilesAsync(paths, cancellation);
        var result = ConfigurationReader.Read(files, Environment(), File.ReadAllText);
        // What an unreadable file would have set cannot be missed.
        mistakes.AddRange(mistakes.Count == 0 ? result.Mistakes : result.Mistakes.Where(mistake => mistake.File is not null));
        return mistakes.Count == 0 ? result : new ConfigurationResult(null, [.. mistakes]);
    }

    private static async Task<(List<ConfigurationText> Files, List<ConfigurationMistake> Mistakes)> ReadFilesAsync(IReadOnlyList<string> paths, CancellationToken cancellation)
    {
        var files = new List<ConfigurationText>();
        var mistakes = new List<ConfigurationMistake>();
        foreach (var path in paths)
        {
            try
            {
                files.Add(new ConfigurationText(path, await File.ReadAllTextAsync(path, cancellation)));
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
            {
                var reason = exception is FileNotFoundException or DirectoryNotFoundException ? "no such file" : "a file that cannot be read";
                mistakes.Add(new ConfigurationMistake("--config " + path, reason, "a readable HOCON file"));
            }
        }

        return (files, mistakes);
    }

    private static async Task ComplainAsync(IReadOnlyList<ConfigurationMistake> mistakes, TextWriter error)
    {
        await error.WriteLineAsync(mistakes.Count == 1
            ? "bridge: a mistake in the configuration; nothing was started."
            : $"bridge: {mistakes.Count} mistakes in the configuration; nothing was started.");
        foreach (var mistake in mistakes)
            await error.WriteLineAsync("  " + mistake);
    }

    private static Dictionary<string, string> Environment()
    {
        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (DictionaryEntry variable in System.Environment.GetEnvironmentVariables())
            variables[(string)variable.Key] = (string?)variable.Value ?? "";
        return variables;
    }
}
