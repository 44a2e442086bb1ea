using System.CommandLine;
using Bridge.Host.Configuration;
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
            return await ChooseAsync(configuration, result.GetValue(name), "--bridge", error) is { } bridge
                ? await ActAsync(error, () => act(bridge, result, cancellation))
                : ExitCodes.Misconfigured;
        });
        return command;
    }

    /// <summary>The bridge of that name, or the only one; null after having said which there are.</summary>
    /// <param name="configuration">Where they are configured.</param>
    /// <param name="wanted">The name; null where none was given.</param>
    /// <param name="said">Where it was to be given.</param>
    /// <param name="error">Where to complain.</param>
    public static async Task<BridgeSettings?> ChooseAsync(HostConfiguration configuration, string? wanted, string said, TextWriter error)
    {
        var candidates = configuration.Bridges.Where(bridge => wanted is null || bridge.Name == wanted).ToList();
        if (candidates.Count == 1)
            return candidates[0];
        await error.WriteLineAsync($"bridge: {said} must be one of {string.Join(", ", configuration.Bridges.Select(bridge => bridge.Name))}");
        return null;
    }

    /// <summary>Turns a refusal of Redis into words.</summary>
    public static async Task<int> ActAsync(TextWriter error, Func<Task<int>> act)
    {
        try
        {
            return await act();
        }
        catch (QueueFaultException exception)
        {
            await error.WriteLineAsync("bridge: " + OneLine(exception.Message));
            return ExitCodes.Failed;
        }
    }

    /// <summary>Without control characters, which could move a terminal's cursor or change its colours.</summary>
    public static string OneLine(string text) => string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c));
}
