using System.Globalization;

namespace Bridge.Chaos;

/// <summary>Which XMPP server stands at the end.</summary>
internal enum ServerKind
{
    Prosody,
    Ejabberd,
    Scripted,
}

/// <summary>What the command line asks for.</summary>
/// <param name="Length">How long faults are struck.</param>
/// <param name="Seed">What decides which faults.</param>
/// <param name="Server">The server.</param>
/// <param name="ReportFolder">Where the reports go.</param>
internal sealed record CommandLine(TimeSpan Length, int Seed, ServerKind Server, string ReportFolder)
{
    public const string Usage =
        "usage: ./chaos [--minutes N] [--seed S] [--server prosody|ejabberd|scripted] [--report FOLDER]";

    private const double LongestMinutes = 7 * 24 * 60;

    /// <summary>Reads it; null with the mistake in words.</summary>
    public static CommandLine? Parse(IReadOnlyList<string> arguments, out string mistake)
    {
        var parsed = new CommandLine(TimeSpan.FromMinutes(2), Random.Shared.Next(1, 1_000_000), ServerKind.Prosody, "chaos-reports");
        for (var i = 0; i < arguments.Count; i += 2)
        {
            var option = arguments[i];
            if (option is not ("--minutes" or "--seed" or "--server" or "--report"))
            {
                mistake = $"{option} is not known.";
                return null;
            }

            if (i + 1 == arguments.Count)
            {
                mistake = $"{option} lacks its value.";
                return null;
            }

            if (parsed.With(option, arguments[i + 1]) is not { } changed)
            {
                mistake = $"{option} cannot be {arguments[i + 1]}.";
                return null;
            }

            parsed = changed;
        }

        mistake = "";
        return parsed;
    }

    private CommandLine? With(string option, string value) => option switch
    {
        "--minutes" => double.TryParse(value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var minutes)
            && minutes is > 0 and <= LongestMinutes
                ? this with { Length = TimeSpan.FromMinutes(minutes) }
                : null,
        "--seed" => int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var seed) ? this with { Seed = seed } : null,
        "--server" => value switch
        {
            "prosody" => this with { Server = ServerKind.Prosody },
            "ejabberd" => this with { Server = ServerKind.Ejabberd },
            "scripted" => this with { Server = ServerKind.Scripted },
            _ => null,
        },
        _ => value.Length > 0 ? this with { ReportFolder = value } : null,
    };
}
