using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Bridge.TestKit;

/// <summary>The signals that tests send, with Linux' numbers.</summary>
public enum PosixSignalNumber
{
    /// <summary>SIGHUP: reads the configuration again.</summary>
    Hangup = 1,

    /// <summary>SIGINT: Ctrl-C.</summary>
    Interrupt = 2,

    /// <summary>SIGKILL: ends at once, without a word.</summary>
    Kill = 9,

    /// <summary>SIGTERM: asks to end.</summary>
    Terminate = 15,

    /// <summary>SIGCONT: goes on after <see cref="Stop"/>.</summary>
    Continue = 18,

    /// <summary>SIGSTOP: freezes; the kernel still accepts its connections and buffers what it is sent.</summary>
    Stop = 19,
}

/// <summary>
/// A real program as a child of the test, in its own process group and with its own temporary folder. It can
/// be ended and started again any number of times on the same folder; disposing ends it and removes the folder.
/// </summary>
/// <remarks>Start, stop and signal from one flow of control; the output may be read from anywhere.</remarks>
public sealed class ServerProcess : IAsyncDisposable
{
    private static readonly TimeSpan KillTimeout = TimeSpan.FromSeconds(10);

    private readonly OutputRing _output = new();
    private Process? _process;
    private Task _reading = Task.CompletedTask;
    private bool _disposed;

    /// <summary>Makes the temporary folder; starts nothing yet.</summary>
    /// <param name="name">What the program is called in messages and in the folder's name.</param>
    public ServerProcess(string name)
    {
        Name = name;
        Folder = Directory.CreateTempSubdirectory($"bridge-{name}-").FullName;
        AppDomain.CurrentDomain.ProcessExit += EndWithTest;
    }

    /// <summary>What the program is called in messages.</summary>
    public string Name { get; }

    /// <summary>The folder for configuration and data: full path, kept over restarts, removed in the end.</summary>
    public string Folder { get; }

    /// <summary>Whether the program runs (a frozen one does).</summary>
    public bool IsRunning => _process is { HasExited: false };

    /// <summary>The process id of the present or last life.</summary>
    /// <exception cref="InvalidOperationException">It was never started.</exception>
    public int Id => Current.Id;

    /// <summary>
    /// The exit code of the last life, null while it runs. A program ended by a signal gives 128 and its number.
    /// </summary>
    public int? ExitCode => _process is { HasExited: true } ended ? ended.ExitCode : null;

    /// <summary>The newest lines of stdout and stderr of all lives, oldest first, at most 5,000.</summary>
    public IReadOnlyList<string> Lines => _output.Snapshot();

    /// <summary>The newest output as one text, for messages about failures.</summary>
    public string Output => string.Join('\n', Lines.TakeLast(60));

    private Process Current => _process ?? throw new InvalidOperationException($"{Name} was never started.");

    /// <summary>Starts the program. Returns at once: being up is for the caller to find out.</summary>
    /// <param name="fileName">The program, looked up in PATH when it has no slash.</param>
    /// <param name="arguments">Its arguments, one each.</param>
    /// <param name="environment">Variables to add; a null value removes one.</param>
    /// <param name="workingDirectory">Where it runs; <see cref="Folder"/> when null.</param>
    /// <param name="keepsInput">Whether its standard input stays open, for <see cref="TellAsync"/>.</param>
    /// <exception cref="InvalidOperationException">It already runs.</exception>
    public void Start(
        string fileName,
        IEnumerable<string> arguments,
        IReadOnlyDictionary<string, string?>? environment = null,
        string? workingDirectory = null,
        bool keepsInput = false)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (IsRunning)
            throw new InvalidOperationException($"{Name} already runs.");
        _process?.Dispose();

        // setsid(1) gives the program a group of its own and then becomes it, under the same process id: one
        // signal reaches its children too, and a Ctrl-C at the terminal of the tests reaches none of them.
        var start = new ProcessStartInfo("setsid")
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = workingDirectory ?? Folder,
        };
        // What the tests' own process ignores, a SIGHUP under nohup(1) say, its children would ignore as well.
        start.ArgumentList.Add("env");
        start.ArgumentList.Add("--default-signal=HUP,INT");
        start.ArgumentList.Add(fileName);
        foreach (var argument in arguments)
            start.ArgumentList.Add(argument);
        foreach (var (key, value) in environment ?? new Dictionary<string, string?>())
        {
            if (value is null)
                start.Environment.Remove(key);
            else
                start.Environment[key] = value;
        }

        _process = Process.Start(start) ?? throw new InvalidOperationException($"{Name} did not start.");
        if (!keepsInput)
            _process.StandardInput.Close();
        _reading = Task.WhenAll(ReadAsync(_process.StandardOutput), ReadAsync(_process.StandardError));
    }

    /// <summary>Writes a line to the program's standard input, which was kept open.</summary>
    /// <exception cref="IOException">The program has ended.</exception>
    public async Task TellAsync(string line)
    {
        await Current.StandardInput.WriteAsync($"{line}\n");
        await Current.StandardInput.FlushAsync();
    }

    /// <summary>Ends the program's standard input, which was kept open.</summary>
    public void EndInput() => Current.StandardInput.Close();

    /// <summary>Sends a signal to the program and its children. Nothing happens when it has ended.</summary>
    public void Signal(PosixSignalNumber signal)
    {
        var process = Current;
        if (process.HasExited)
            return;
        // Until setsid has run, the group of that number does not exist.
        if (NativeMethods.Kill(-process.Id, (int)signal) != 0)
            _ = NativeMethods.Kill(process.Id, (int)signal);
    }

    /// <summary>SIGSTOP; the program may still run for a moment.</summary>
    public void Freeze() => Signal(PosixSignalNumber.Stop);

    /// <summary>SIGSTOP, and waits until every thread stands still.</summary>
    public async Task FreezeAsync()
    {
        Signal(PosixSignalNumber.Stop);
        await Eventually.TrueAsync(
            () => Directory.EnumerateDirectories($"/proc/{Id}/task").All(IsStopped),
            TimeSpan.FromSeconds(5),
            $"{Name} stands still");
    }

    /// <summary>SIGSTOP, and SIGCONT after a time.</summary>
    public async Task FreezeForAsync(TimeSpan length)
    {
        await FreezeAsync();
        await TimeProvider.System.PassAsync(length, CancellationToken.None);
        Thaw();
    }

    /// <summary>SIGCONT.</summary>
    public void Thaw() => Signal(PosixSignalNumber.Continue);

    /// <summary>SIGKILL, and waits until it is gone.</summary>
    public async Task KillAsync()
    {
        Signal(PosixSignalNumber.Kill);
        await WaitForExitAsync(KillTimeout);
    }

    /// <summary>SIGTERM, and waits until it is gone; SIGKILL behind the time limit.</summary>
    /// <returns>Whether it ended by itself within the time limit.</returns>
    public async Task<bool> StopAsync(TimeSpan? timeout = null)
    {
        Signal(PosixSignalNumber.Terminate);
        try
        {
            await WaitForExitAsync(timeout ?? TimeSpan.FromSeconds(10));
            return true;
        }
        catch (TimeoutException)
        {
            await KillAsync();
            return false;
        }
    }

    /// <summary>Waits for the end of the program and of what it wrote.</summary>
    /// <returns>The exit code.</returns>
    /// <exception cref="TimeoutException">It still runs; the message carries its last output.</exception>
    public async Task<int> WaitForExitAsync(TimeSpan timeout)
    {
        var process = Current;
        using var limit = new CancellationTokenSource(timeout);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"{Name} ({process.Id}) still runs after {timeout}. Its output:\n{Output}");
        }

        try
        {
            // A grandchild that outlives the program may hold the pipe open: what it says is not waited for.
            await _reading.WaitAsync(TimeSpan.FromSeconds(1));
        }
        catch (TimeoutException)
        {
            _output.Add("(the output is still held open by a child of the program)");
        }

        return process.ExitCode;
    }

    /// <summary>Waits for a line of output, looking at the lines already there first.</summary>
    /// <exception cref="TimeoutException">No such line came; the message carries the last output.</exception>
    public async Task<string> LineAsync(Func<string, bool> matches, TimeSpan timeout)
    {
        try
        {
            return await _output.FirstAsync(matches).WaitAsync(timeout);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"{Name} did not write the awaited line within {timeout}. Its output:\n{Output}");
        }
    }

    /// <summary>Ends the program (SIGKILL, when it still runs) and removes its folder.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
            return;
        _disposed = true;
        AppDomain.CurrentDomain.ProcessExit -= EndWithTest;
        if (_process is not null)
        {
            await KillAsync();
            // Children that survived the program (they had no time to notice): the group still has its number.
            _ = NativeMethods.Kill(-_process.Id, (int)PosixSignalNumber.Kill);
            _process.Dispose();
        }

        Directory.Delete(Folder, recursive: true);
    }

    private void EndWithTest(object? sender, EventArgs e)
    {
        if (_process is not null)
        {
            Signal(PosixSignalNumber.Kill);
            // A program that still writes would make the folder's removal fail.
            _process.WaitForExit(KillTimeout);
        }

        if (Directory.Exists(Folder))
            Directory.Delete(Folder, recursive: true);
    }

    // proc(5): the state follows the name in parentheses; T is stopped, Z a thread that has ended.
    private static bool IsStopped(string thread)
    {
        try
        {
            var fields = File.ReadAllText(Path.Combine(thread, "stat"));
            return fields[fields.LastIndexOf(')') + 2] is 'T' or 'Z';
        }
        catch (IOException)
        {
            // The thread ended between the listing and the look.
            return true;
        }
    }

    private async Task ReadAsync(StreamReader reader)
    {
        while (await reader.ReadLineAsync() is { } line)
            _output.Add(line);
    }

    /// <summary>The newest lines, and those who wait for one. All members lock the one gate.</summary>
    private sealed class OutputRing
    {
        private const int Capacity = 5_000;

        private readonly Lock _gate = new();
        private readonly Queue<string> _lines = new();
        private readonly List<(Func<string, bool> Matches, TaskCompletionSource<string> Found)> _waiting = [];

        public void Add(string line)
        {
            lock (_gate)
            {
                _lines.Enqueue(line);
                if (_lines.Count > Capacity)
                    _lines.Dequeue();
                _waiting.RemoveAll(waiting => waiting.Matches(line) && waiting.Found.TrySetResult(line));
            }
        }

        public Task<string> FirstAsync(Func<string, bool> matches)
        {
            lock (_gate)
            {
                if (_lines.FirstOrDefault(matches) is { } line)
                    return Task.FromResult(line);
                var found = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
                _waiting.Add((matches, found));
                return found.Task;
            }
        }

        public string[] Snapshot()
        {
            lock (_gate)
                return [.. _lines];
        }
    }

    private static class NativeMethods
    {
        // kill(2). .NET can send no other signal than SIGKILL by itself.
        [DllImport("libc", EntryPoint = "kill", SetLastError = true)]
        [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
        public static extern int Kill(int pid, int signal);
    }
}
