using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using Bridge.Measuring;

namespace Bridge.EndToEnd;

/// <summary>
/// Pushes one message at a time, each at its own moment, whatever became of those before (an open loop). Blocks a
/// thread of its own.
/// </summary>
internal sealed class Pusher : IDisposable
{
    private const int RepliesEvery = 64;

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly Workload _workload;
    private readonly PayloadKind _kind;
    private readonly byte[] _start;
    private readonly byte[] _payload;
    private readonly byte[] _command;
    private readonly byte[] _replies = new byte[16 * 1024];

    public Pusher(int redisPort, string queue, PayloadKind kind, Workload workload)
    {
        _workload = workload;
        _kind = kind;
        _start = Encoding.ASCII.GetBytes(string.Create(
            CultureInfo.InvariantCulture, $"*3\r\n$5\r\nRPUSH\r\n${queue.Length}\r\n{queue}\r\n$"));
        _payload = new byte[workload.MaxLength];
        _command = new byte[workload.MaxLength + _start.Length + 32];
        _socket.Connect(IPAddress.Loopback, redisPort);
    }

    /// <summary>Pushes the messages from 0 to below the count.</summary>
    /// <returns>How late each push was, in nanoseconds.</returns>
    public Histogram Push(int count, int rate, CancellationToken stopping)
    {
        NativeMethods.PreciseSleep();
        var late = new Histogram();
        var begin = Stopwatch.GetTimestamp();
        for (var number = 0; number < count && !stopping.IsCancellationRequested; number++)
        {
            // Stopwatch is the monotonic clock in nanoseconds on Linux, here, in the sink, and for the kernel.
            var due = begin + (number * 1_000_000_000L / rate);
            NativeMethods.SleepUntil(due);
            var now = Stopwatch.GetTimestamp();
            late.Add(now - due);
            _socket.Send(_command.AsSpan(0, Command(number, now)));
            if (number % RepliesEvery == 0)
                DropReplies();
        }

        DropReplies();
        return late;
    }

    public void Dispose() => _socket.Dispose();

    private int Command(long number, long now)
    {
        var payload = _workload.Write(_payload, _kind, number, now);
        var length = _start.Length;
        _start.CopyTo(_command, 0);
        payload.TryFormat(_command.AsSpan(length), out var digits, default, CultureInfo.InvariantCulture);
        length += digits;
        "\r\n"u8.CopyTo(_command.AsSpan(length));
        _payload.AsSpan(0, payload).CopyTo(_command.AsSpan(length + 2));
        length += payload + 2;
        "\r\n"u8.CopyTo(_command.AsSpan(length));
        return length + 2;
    }

    private void DropReplies()
    {
        while (_socket.Available > 0)
        {
            // An error begins a line with a minus sign; a length never has one.
            var length = _socket.Receive(_replies);
            if (_replies.AsSpan(0, length).Contains((byte)'-'))
                throw new InvalidOperationException($"Redis refuses a push: {Encoding.UTF8.GetString(_replies, 0, length)}");
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public long Seconds;
        public long Nanoseconds;
    }

    private static class NativeMethods
    {
        private const int Monotonic = 1;
        private const int AbsoluteTime = 1;
        private const int SetTimerSlack = 29;

        /// <summary>By default the kernel may wake a thread 50 µs late; this one, in time.</summary>
        public static void PreciseSleep() => _ = Prctl(SetTimerSlack, 1, 0, 0, 0);

        public static void SleepUntil(long nanoseconds)
        {
            var until = new TimeSpec { Seconds = nanoseconds / 1_000_000_000, Nanoseconds = nanoseconds % 1_000_000_000 };
            // Not 0 when a signal came: then the rest is slept.
            while (ClockNanoSleep(Monotonic, AbsoluteTime, ref until, nint.Zero) != 0)
            {
            }
        }

        [DllImport("libc", EntryPoint = "clock_nanosleep")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
        private static extern int ClockNanoSleep(int clock, int flags, ref TimeSpec until, nint remaining);

        [DllImport("libc", EntryPoint = "prctl")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
        private static extern int Prctl(int option, nuint a, nuint b, nuint c, nuint d);
    }
}
