using System.Globalization;
using System.Runtime.InteropServices;

namespace Bridge.Measuring;

/// <summary>How long processes, and the machine, have been computing.</summary>
public static class ProcessorClock
{
    /// <summary>Stands for all processors together where process ids are keys.</summary>
    public const int Machine = 0;

    private const long NanosecondsPerTick = 10_000_000;

    /// <summary>
    /// User and system time of all threads of a process so far, ended ones included, in nanoseconds; null when it
    /// is gone. For <see cref="Machine"/>: the busy time of all processors, in steps of 10 ms.
    /// </summary>
    public static long? Read(int process)
    {
        if (process == Machine)
            return ReadMachine();
        // clock_getcpuclockid(3): the number of a process' clock is made of its id. /proc/PID/stat has steps of
        // 10 ms, too coarse for a run of half a second.
        var clock = (~process << 3) | 2;
        return NativeMethods.ClockGetTime(clock, out var time) == 0 ? (time.Seconds * 1_000_000_000) + time.Nanoseconds : null;
    }

    // proc(5): user, nice, system, idle, iowait, irq, softirq, steal, of which idle and iowait are rest; steal is
    // what another machine got.
    private static long ReadMachine()
    {
        var fields = File.ReadLines("/proc/stat").First().Split(' ', StringSplitOptions.RemoveEmptyEntries);
        long busy = 0;
        foreach (var i in (ReadOnlySpan<int>)[1, 2, 3, 6, 7])
            busy += long.Parse(fields[i], CultureInfo.InvariantCulture);
        return busy * NanosecondsPerTick;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    private static class NativeMethods
    {
        [DllImport("libc", EntryPoint = "clock_gettime")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
        public static extern int ClockGetTime(int clock, out TimeSpec time);
    }
}
