using System.CommandLine;
using Bridge.Host.Checks;

namespace Bridge.Host.Cli;

/// <summary><c>bridge check</c>: connects to both sides of every bridge and tells what to change.</summary>
internal static class CheckCommand
{
    public static Command Create()
    {
        var files = ConfigurationSource.CreateOption();
        var force = new Option<bool>("--force")
        {
            Description = "Connect as the component even while another process owns the queue. That disturbs it.",
        };
        var json = Tables.JsonOption("A JSON object per fact: bridge, verdict (ok, warn, fail), fact, what to change.");
        var command = new Command("check", "Connect to Redis and the XMPP server and tell, fact by fact, what works and what to change.")
        {
            files,
            force,
            json,
        };
        command.SetAction(async (result, cancellation) =>
        {
            var invocation = result.InvocationConfiguration;
            var configuration = await ConfigurationSource.ReadAsync(result.GetValue(files) ?? [], invocation.Error, cancellation);
            if (configuration is null)
                return ExitCodes.Misconfigured;
            var report = new CheckReport(invocation.Output, result.GetValue(json));
            foreach (var bridge in configuration.Bridges)
            {
                await report.BeginAsync(bridge.Name, bridge.Queue.Keys.Queue, bridge.Xmpp.Domain);
                var lease = await new RedisCheck(bridge, report).RunAsync();
                var free = lease is { IsKnown: true, Held: null } || result.GetValue(force);
                if (!free)
                    await report.WarnAsync(
                        lease.Held is null ? "whether another process serves this domain is unknown, so the component's place is not taken" : $"the {lease.Held} is being served, so the component's place is not taken",
                        "for the whole check stop the owner first, or give --force: Prosody then answers conflict, ejabberd spreads traffic over both connections");
                await new XmppCheck(bridge, report).RunAsync(free);
            }

            await report.SummariseAsync();
            return report.HasFailed ? ExitCodes.Failed : ExitCodes.Done;
        });
        return command;
    }
}
