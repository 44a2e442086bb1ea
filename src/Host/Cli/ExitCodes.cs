namespace Bridge.Host.Cli;

/// <summary>What the process tells whoever started it.</summary>
internal static class ExitCodes
{
    /// <summary>Done; after a signal: drained and stopped in order.</summary>
    public const int Done = 0;

    /// <summary>Something failed; <c>check</c>: a fact is marked FAIL.</summary>
    public const int Failed = 1;

    /// <summary>The configuration or the command line is wrong; nothing was started.</summary>
    public const int Misconfigured = 2;

    /// <summary>What a shell reports for a process that a signal ended: a second signal ends Bridge so.</summary>
    public static int OfSignal(int signal) => 128 + signal;
}
