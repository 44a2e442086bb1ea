using System.Globalization;
using System.Runtime.InteropServices;
using Bridge.EndToEnd;

// Called by bench/run, which builds everything first. Exit codes: 0 done, 1 something could not be started or a
// bridge broke a promise, 2 for wrong arguments, 130 when a signal cut it short.
CultureInfo.CurrentCulture = CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture;
if (args is ["--help"] or ["-h"])
{
    Console.WriteLine(Options.Usage);
    return 0;
}

Options options;
try
{
    options = Options.Parse(args);
}
catch (FormatException e)
{
    await Console.Error.WriteLineAsync($"{e.Message}\n\n{Options.Usage}");
    return 2;
}

using var stopping = new CancellationTokenSource();
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnSignal);

var session = new Session(options, stopping.Token);
try
{
    Console.WriteLine(Surroundings.Describe());
    if (Surroundings.Warning() is { } warning)
        Console.WriteLine(warning);
    foreach (var section in options.Sections is { Count: > 0 } asked ? asked : Options.AllSections)
    {
        await (section switch
        {
            "throughput" => Throughput.RunAsync(session),
            "pairs" => Pairs.RunAsync(session),
            "latency" => Latency.RunAsync(session),
            "sizes" => Sizes.RunAsync(session),
            "depth" => Depth.RunAsync(session),
            "ten" => Ten.RunAsync(session),
            "scale" => Scale.RunAsync(session),
            "idle" => Idle.RunAsync(session),
            _ => Starts.RunAsync(session),
        });
    }
}
catch (OperationCanceledException) when (stopping.IsCancellationRequested)
{
    await Console.Error.WriteLineAsync("Stopped before it was over.");
    return 130;
}
catch (Exception e) when (e is InvalidOperationException or TimeoutException or IOException)
{
    await Console.Error.WriteLineAsync(e.Message);
    return 1;
}

if (session.PromiseBroken)
    await Console.Error.WriteLineAsync("A bridge lost, repeated or reordered messages: see above.");
return session.PromiseBroken ? 1 : 0;

void OnSignal(PosixSignalContext context)
{
    // The second time nothing is waited for: what runs is killed on the way out.
    if (stopping.IsCancellationRequested)
        Environment.Exit(130);
    context.Cancel = true;
    stopping.Cancel();
}
