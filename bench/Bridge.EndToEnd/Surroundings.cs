using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Bridge.EndToEnd;

/// <summary>Where the figures come from.</summary>
internal static class Surroundings
{
    private const double BusyLoad = 0.5;

    /// <summary>Versions, processors, and what Redis is told to keep.</summary>
    public static string Describe() =>
        $"""
        {Environment.ProcessorCount} × {ProcessorModel()}, {MemoryGibibytes():F0} GiB, {RuntimeInformation.OSDescription}
        {RuntimeInformation.FrameworkDescription}, Node.js {Answer("node", "--version")}, redis-server {Package("redis-server")}, prosody {Package("prosody")}, ejabberd {Package("ejabberd")}
        Redis without persistence (save "", appendonly no). Everything on loopback, all processes on the same processors.
        """;

    /// <summary>A warning when others use the machine, else null.</summary>
    public static string? Warning()
    {
        var load = double.Parse(File.ReadAllText("/proc/loadavg").Split(' ')[0], CultureInfo.InvariantCulture);
        return load > BusyLoad
            ? string.Create(CultureInfo.InvariantCulture, $"WARNING: the load average is {load}: the machine is busy with something else, or was until now. The figures will be too low, and scatter.")
            : null;
    }

    private static string ProcessorModel() =>
        File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(": ")[1]
        ?? RuntimeInformation.ProcessArchitecture.ToString();

    private static double MemoryGibibytes() => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (1024.0 * 1024 * 1024);

    // Never "prosody --version": Debian's starts a server.
    private static string Package(string name) => Answer("dpkg-query", "--show", "--showformat=${Version}", name);

    private static string Answer(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments)
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            })!;
            var answer = process.StandardOutput.ReadToEnd().Trim();
            process.WaitForExit();
            return answer.Length > 0 ? answer : "(unknown)";
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return "(unknown)";
        }
    }
}
