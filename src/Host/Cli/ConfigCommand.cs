using System.CommandLine;
using Bridge.Host.Configuration;

namespace Bridge.Host.Cli;

/// <summary><c>bridge config</c>: prints the reference of every setting.</summary>
internal static class ConfigCommand
{
    public static Command Create()
    {
        var command = new Command("config", "Print every setting with its default, range and reason (HOCON).");
        command.SetAction(async (result, cancellation) =>
        {
            await result.InvocationConfiguration.Output.WriteAsync(ConfigurationReader.Reference.Text.AsMemory(), cancellation);
            return ExitCodes.Done;
        });
        return command;
    }
}
