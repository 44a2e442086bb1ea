using System.Reflection;

namespace Bridge.Host.Hosting;

/// <summary>The version of the running program.</summary>
internal static class ProgramVersion
{
    /// <summary>As the build has set it, with the commit where it knows it.</summary>
    public static string Text { get; } =
        typeof(ProgramVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";
}
