using System.CommandLine;
using System.Text.Json;
using Bridge.Host.Configuration;

namespace Bridge.Host.Cli;

/// <summary><c>bridge config</c>: the settings as they hold, each with where it was made; or the reference of all.</summary>
internal static class ConfigCommand
{
    public static Command Create()
    {
        var files = ConfigurationSource.CreateOption();
        var reference = new Option<bool>("--reference") { Description = "Every setting with its default, range and reason (HOCON), instead." };
        var changed = new Option<bool>("--changed") { Description = "Only what is not the default." };
        var json = Tables.JsonOption("A JSON array of key, value and origin.");
        var command = new Command("config", "Print the settings as they hold, each with where it was made; secrets are masked.") { files, reference, changed, json };
        command.SetAction(async (result, cancellation) =>
        {
            var (output, error) = (result.InvocationConfiguration.Output, result.InvocationConfiguration.Error);
            if (result.GetValue(reference))
            {
                await output.WriteAsync(ConfigurationReader.Reference.Text.AsMemory(), cancellation);
                return ExitCodes.Done;
            }

            if (await ConfigurationSource.EffectiveAsync(result.GetValue(files) ?? [], error, cancellation) is not { } all)
                return ExitCodes.Misconfigured;
            var settings = all.Where(setting => !result.GetValue(changed) || setting.Origin != EffectiveSetting.Default).ToList();
            if (result.GetValue(json))
                await output.WriteLineAsync(JsonSerializer.Serialize(settings, Tables.Json));
            else if (settings.Count > 0)
                await output.WriteAsync(Tables.Columns([.. settings.Select(setting => new[] { $"{setting.Key} = {setting.Value}", "# " + setting.Origin })]).AsMemory(), cancellation);
            return ExitCodes.Done;
        });
        return command;
    }
}
