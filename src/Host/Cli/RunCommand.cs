using System.CommandLine;
using Bridge.Host.Hosting;

namespace Bridge.Host.Cli;

/// <summary><c>bridge run</c>: the bridges, until a signal ends them.</summary>
internal static class RunCommand
{
    public static Command Create()
    {
        var files = ConfigurationSource.CreateOption();
        var command = new Command("run", "Deliver until SIGTERM or Ctrl-C.")
        {
            files,
        };
        command.SetAction(async (result, cancellation) =>
        {
            using var signals = new StopSignals();
            using var reloads = new ReloadSignal();
            var paths = result.GetValue(files) ?? [];
            var configuration = await ConfigurationSource.ReadAsync(paths, result.InvocationConfiguration.Error, cancellation);
            if (configuration is null)
                return ExitCodes.Misconfigured;
            try
            {
                await using var host = new BridgeHost(configuration);
                return await host.RunAsync(signals, reloads, () => ConfigurationSource.ReadAsync(paths, cancellation));
            }
            catch (AddressException exception)
            {
                await result.InvocationConfiguration.Error.WriteLineAsync("bridge: " + exception.Message);
                return ExitCodes.Misconfigured;
            }
        });
        return command;
    }
}
