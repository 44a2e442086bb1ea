using System.CommandLine;

namespace Bridge.Host.Cli;

internal static class CheckCommand
{
    public static Command Create() => new("check", "x");
}
