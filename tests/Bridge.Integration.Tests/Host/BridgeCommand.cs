using Bridge.TestKit;

namespace Bridge.Integration.Tests.Host;

/// <summary>Runs a command of the real program to its end.</summary>
internal static class BridgeCommand
{
    /// <summary>Its exit code and everything that it wrote.</summary>
    public static async Task<(int Code, string Output)> RunAsync(string[] arguments, params (string Name, string Value)[] environment)
    {
        await using var process = Start(arguments, environment);
        var code = await process.WaitForExitAsync(TimeSpan.FromSeconds(30));
        return (code, string.Join('\n', process.Lines));
    }

    /// <summary>Starts it; the caller ends it.</summary>
    public static ServerProcess Start(string[] arguments, params (string Name, string Value)[] environment)
    {
        var program = Path.Combine(BridgeProcess.RepositoryRoot, "src", "Host", "bin", "Release", "net10.0", "bridge.dll");
        var process = new ServerProcess("bridge-command");
        process.Start("dotnet", [program, .. arguments], environment.ToDictionary(pair => pair.Name, pair => (string?)pair.Value));
        return process;
    }
}
