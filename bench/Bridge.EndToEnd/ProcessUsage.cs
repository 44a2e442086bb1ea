using System.Globalization;
using Bridge.Measuring;
using Bridge.TestKit;

namespace Bridge.EndToEnd;

/// <summary>What a process has used in its life.</summary>
/// <param name="Processor">User and system time of all its threads, the start included.</param>
/// <param name="PeakBytes">The most memory that it held (VmHWM).</param>
internal sealed record ProcessUsage(TimeSpan Processor, long PeakBytes)
{
    /// <summary>Ends the process (SIGTERM), and tells what it had used until then.</summary>
    public static async Task<ProcessUsage> OfEndingAsync(ServerProcess process)
    {
        var peak = process.IsRunning ? PeakOf(process.Id) : 0;
        long processor = 0;
        var stopping = process.StopAsync();
        do
        {
            // The last look before it is gone: its end belongs to its life.
            processor = ProcessorClock.Read(process.Id) ?? processor;
            await Task.Delay(2);
        }
        while (!stopping.IsCompleted);
        await stopping;
        return new ProcessUsage(TimeSpan.FromMicroseconds(processor / 1_000.0), peak);
    }

    /// <summary>The most memory so far.</summary>
    public static long PeakOf(int process)
    {
        // proc(5): "VmHWM:	  123456 kB".
        var line = File.ReadLines($"/proc/{process}/status").FirstOrDefault(line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
        return line is null ? 0 : 1024 * long.Parse(line.Split(':')[1].Trim().Split(' ')[0], CultureInfo.InvariantCulture);
    }
}
