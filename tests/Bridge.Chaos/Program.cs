using System.Globalization;
using System.Runtime.InteropServices;
using Bridge.Chaos;
using Bridge.Chaos.Reports;
using Bridge.Chaos.Running;

// Exit codes: 0 when every promise held, 1 when one did not or something could not be started, 2 for a wrong
// command line, 130 when a second signal did not wait for the orderly end.
if (CommandLine.Parse(args, out var mistake) is not { } commandLine)
{
    await Console.Error.WriteLineAsync($"{mistake}\n{CommandLine.Usage}");
    return 2;
}

using var stopping = new CancellationTokenSource();
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal);
using var hangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnSignal);

var view = new LiveView(Console.Out, terminal: !Console.IsOutputRedirected);
view.Line(string.Create(
    CultureInfo.InvariantCulture,
    $"seed {commandLine.Seed}, server {TextReport.Name(commandLine)}, {commandLine.Length.TotalMinutes:0.###} minutes; Ctrl-C ends with a report"));
try
{
    var result = await new Run(commandLine, view).RunAsync(stopping.Token);
    var report = TextReport.Of(result);
    view.Line("\n" + report);
    Directory.CreateDirectory(commandLine.ReportFolder);
    var path = Path.Combine(
        commandLine.ReportFolder, string.Create(CultureInfo.InvariantCulture, $"chaos-{TextReport.Name(commandLine)}-{commandLine.Seed}"));
    await File.WriteAllTextAsync(path + ".txt", report);
    await File.WriteAllTextAsync(path + ".html", HtmlReport.Of(result));
    view.Line($"{path}.txt and {path}.html");
    return result.Broken is null ? 0 : 1;
}
catch (OperationCanceledException) when (stopping.IsCancellationRequested)
{
    view.Line("Stopped before everything ran.");
    return 130;
}
catch (Exception e) when (e is InvalidOperationException or TimeoutException or IOException)
{
    // A server that does not start: the message says which, with its output.
    await Console.Error.WriteLineAsync(e.Message);
    return 1;
}

void OnSignal(PosixSignalContext context)
{
    // The second time nobody waits for the end: what was started is killed on the way out.
    if (stopping.IsCancellationRequested)
        Environment.Exit(130);
    context.Cancel = true;
    stopping.Cancel();
}
