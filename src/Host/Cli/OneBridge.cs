using System.CommandLine;
using Bridge.Queue;
using Bridge.Settings;

namespace Bridge.Host.Cli;

/// <summary>What commands have in common that work on one bridge's queue, beside a running Bridge.</summary>
internal static class OneBridge
{
    /// <summary>
    /// Gives the command its configuration and the choice of a bridge, and turns a refusal of Redis into words.
    /// </summary>
    public static Command Act(Command command, string whose, Func<BridgeSettings, ParseResult, CancellationToken, Task<int>> act)
    {
        var files = ConfigurationSource.CreateOption();
        var name = new Option<string?>("--bridge") { Description = whose, HelpName = "NAME" };
        command.Add(files);
        command.Add(name);
        command.SetAction(async (result, cancellation) =>
        {
            var error = result.InvocationConfiguration.Error;
            var configuration = await ConfigurationSource.ReadAsync(result.GetValue(files) ?? [], error, cancellation);
            if (configuration is null)
                return ExitCodes.Misconfigured;
            var wanted = result.GetValue(name);
            var candidates = configuration.Bridges.Where(bridge => wanted is null || bridge.Name == wanted).ToList();
            if (candidates.Count != 1)
            {
                await error.WriteLineAsync($"bridge: --bridge must be one of {string.Join(", ", configuration.Bridges.Select(bridge => bridge.Name))}");
                return ExitCodes.Misconfigured;
            }

            try
            {
                return await act(candidates[0], result, cancellation);
            }
            catch (QueueFaultException exception)
            {
                await error.WriteLineAsync("bridge: " + OneLine(exception.Message));
                return ExitCodes.Failed;
            }
        });
        return command;
    }

    /// <summary>Without control characters, which could move a terminal's cursor or change its colours.</summary>
    public static string OneLine(string text) => string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));
}
