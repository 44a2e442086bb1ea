using Bridge.Sandbox;
using Bridge.TestKit;

// Exit codes: 0 when every message of the demonstration ended as it should, 1 when one did not or
// something could not be started, 2 for wrong arguments, 130 when a signal cut the demonstration short.
if (args is not ([] or ["--once"]))
{
    await Console.Error.WriteLineAsync("The sandbox takes --once or nothing.");
    return 2;
}

using var interruption = new Interruption();

var screen = new Screen(Console.Out, coloured: !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("NO_COLOR") is null or "");
try
{
    await using var stage = new Stage(screen);
    await stage.StartAsync(interruption.Token);
    var good = await new Demonstration(stage, screen).RunAsync(interruption.Token);
    if (args.Length == 0 && good)
        good = await new Watch(stage, screen).RunAsync(interruption.Token);
    return await stage.StopBridgeAsync() && good ? 0 : 1;
}
catch (OperationCanceledException) when (interruption.Token.IsCancellationRequested)
{
    screen.Line("Stopped before the demonstration was over.");
    return 130;
}
catch (Exception e) when (e is InvalidOperationException or TimeoutException or IOException)
{
    // A server that does not start or a login that is refused: the message says which, with its output.
    screen.Failure(e.Message);
    return 1;
}
