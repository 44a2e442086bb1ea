using System.Globalization;
using Bridge.Chaos;
using Bridge.Chaos.Reports;
using Bridge.Chaos.Running;
using Bridge.TestKit;

// Exit codes: 0 when every promise held, 1 when one did not or something could not be started, 2 for a wrong
// command line, 130 when a second signal did not wait for the orderly end.
if (CommandLine.Parse(args, out var mistake) is not { } commandLine)
{
    await Console.Error.WriteLineAsync($"{mistake}\n{CommandLine.Usage}");
    return 2;
}

using var interruption = new Interruption();

var view = new LiveView(Console.Out, terminal: !Console.IsOutputRedirected);
view.Line(string.Create(
    CultureInfo.InvariantCulture,
    $"seed {commandLine.Seed}, server {TextReport.Name(commandLine)}, {commandLine.Length.TotalMinutes:0.###} minutes; Ctrl-C ends with a report"));
try
{
    var result = await new Run(commandLine, view).RunAsync(interruption.Token);
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
catch (OperationCanceledException) when (interruption.Token.IsCancellationRequested)
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
