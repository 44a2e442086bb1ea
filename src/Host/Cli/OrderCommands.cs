using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Bridge.Host.Configuration;
using Bridge.Queue;
using Bridge.Settings;

namespace Bridge.Host.Cli;

/// <summary>
/// <c>bridge pause|resume|drain NAME</c>: what is wanted of a queue, written into Redis, so that it holds for every node and outlives
/// them. Works beside a running Bridge, and before one runs.
/// </summary>
internal static class OrderCommands
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(100);

    public static IEnumerable<Command> Create()
    {
        yield return Create(
            "pause", QueueOrder.Pause, "Take nothing more from a bridge's queue, on any node, until `resume`. The stream stays.",
            bridge => Text($"{bridge.Name}: within {Quantity.Format(bridge.Lease.RenewEvery)} nothing more is taken; what was taken is finished. `bridge resume {bridge.Name}` goes on."));
        yield return Create(
            "resume", QueueOrder.Run, "Go on after `pause` or `drain`.",
            bridge => Text($"{bridge.Name}: goes on within {Quantity.Format(bridge.Lease.RenewEvery > bridge.Lease.PollEvery ? bridge.Lease.RenewEvery : bridge.Lease.PollEvery)}."));
        yield return Create(
            "drain", QueueOrder.Drain, "Finish what is in flight, close the bridge's stream and give its queue back, on any node, until `resume`.",
            bridge => Text($"{bridge.Name}: drained; no node has its queue or its stream. `bridge resume {bridge.Name}` goes on."));
    }

    private static Command Create(string verb, QueueOrder order, string description, Func<BridgeSettings, string> words)
    {
        var files = ConfigurationSource.CreateOption();
        var name = new Argument<string?>("name") { Description = "The bridge; may be left out where there is one.", Arity = ArgumentArity.ZeroOrOne };
        var json = Tables.JsonOption("A JSON object: bridge, order, done.");
        var command = new Command(verb, description) { name, files, json };
        command.SetAction(async (result, cancellation) =>
        {
            var (output, error) = (result.InvocationConfiguration.Output, result.InvocationConfiguration.Error);
            var configuration = await ConfigurationSource.ReadAsync(result.GetValue(files) ?? [], error, cancellation);
            if (configuration is null)
                return ExitCodes.Misconfigured;
            if (await OneBridge.ChooseAsync(configuration, result.GetValue(name), "NAME", error) is not { } bridge)
                return ExitCodes.Misconfigured;
            return await OneBridge.ActAsync(error, () => OrderAsync(bridge, order, words(bridge), result.GetValue(json), output, error, cancellation));
        });
        return command;
    }

    private static async Task<int> OrderAsync(
        BridgeSettings bridge, QueueOrder order, string words, bool json, TextWriter output, TextWriter error, CancellationToken cancellation)
    {
        await using var link = new RedisLink(bridge.Queue, "bridge-order");
        var key = bridge.Queue.Keys.Order;
        await link.CallAsync(database => QueueOrders.Word(order) is { } word ? database.StringSetAsync(key, word) : database.KeyDeleteAsync(key));
        var done = order != QueueOrder.Drain || await GivenBackAsync(link, bridge, cancellation);
        if (json)
        {
            await output.WriteLineAsync(JsonSerializer.Serialize(new { bridge = bridge.Name, order, done }, Tables.Json));
            return done ? ExitCodes.Done : ExitCodes.Failed;
        }

        if (!done)
        {
            await error.WriteLineAsync($"bridge: {bridge.Name} is to drain, and its queue is still owned; `bridge status` tells more");
            return ExitCodes.Failed;
        }

        await output.WriteLineAsync(words);
        return ExitCodes.Done;
    }

    private static async Task<bool> GivenBackAsync(RedisLink link, BridgeSettings bridge, CancellationToken cancellation)
    {
        var patience = BridgeActor.DrainPatience(bridge) + bridge.Lease.TimeToLive;
        using var timer = new PeriodicTimer(LookEvery);
        var started = TimeProvider.System.GetTimestamp();
        while (await link.CallAsync(database => database.KeyExistsAsync(bridge.Queue.Keys.Lease)))
        {
            if (TimeProvider.System.GetElapsedTime(started) > patience || !await timer.WaitForNextTickAsync(cancellation))
                return false;
        }

        return true;
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
