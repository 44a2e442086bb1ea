namespace Bridge.Host.Configuration;

/// <summary>One thing that is wrong with the configuration.</summary>
/// <param name="Key">The setting's full key or the environment variable's name; a file's name where the file itself is at fault.</param>
/// <param name="Found">What stands there. Never a secret, nor anything that may hold one.</param>
/// <param name="Allowed">What may stand there.</param>
/// <param name="File">The file it stands in; null for environment variables and missing settings.</param>
public sealed record ConfigurationMistake(string Key, string Found, string Allowed, string? File = null)
{
    /// <summary>One line for the operator.</summary>
    public override string ToString() =>
        File is null || File == Key ? $"{Key}: found {Found}; allowed: {Allowed}" : $"{Key} (in {File}): found {Found}; allowed: {Allowed}";
}
