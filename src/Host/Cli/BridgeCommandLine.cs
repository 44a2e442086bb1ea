using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace Bridge.Host.Cli;

/// <summary>The command line: <c>bridge run | check | send | tail | dead | status | trace | pause | resume | drain | config</c>, with help that one can work from.</summary>
internal static class BridgeCommandLine
{
    private const string Essentials =
        """
        Environment (wins over files):
          BRIDGE_DOMAIN       the component's domain, exactly as the XMPP server has it; required
          BRIDGE_SECRET       the component's secret, or
          BRIDGE_SECRET_FILE  a file that holds it; one of the two is required
          BRIDGE_XMPP         component port(s), host:port[,host:port]…     (127.0.0.1:5347)
          BRIDGE_REDIS        StackExchange.Redis connection string         (127.0.0.1:6379)
          BRIDGE_QUEUE        the Redis key that the app pushes to          (xmpp:outbound)
          BRIDGE_QUEUE_KIND   list (RPUSH) or stream (XADD)                 (list)
          BRIDGE_CONFIRM      when a message leaves Redis: accepted (the server has routed it)
                              or held (and then lived on for the hold)      (held)
          BRIDGE_HOLD         the hold, with its unit                       (2s)
          BRIDGE_HTTP         status page, /health/…, /metrics; or off      (127.0.0.1:9180)
          BRIDGE_HTTP_TOKEN   what the status page asks for, or
          BRIDGE_HTTP_TOKEN_FILE  a file that holds it; without, the page is open on the loopback,
                              and closed where others can reach it
          BRIDGE_OTLP_ENDPOINT  a collector of metrics and traces, http://host:port; see `bridge config`
          BRIDGE_CLUSTER_SEEDS, _HOST, _PORT, _BIND
                              nodes that know one another; see `bridge config --reference`

        Files are HOCON; `bridge config --reference` prints every setting with its default, range and reason,
        `bridge config` the settings as they hold, and where each was made.
        """;

    private const string Stopping =
        """
        Stopping: on SIGTERM or Ctrl-C Bridge takes nothing more, finishes and confirms what is in
        flight (at most drain-timeout, 5s), settles it in Redis, closes the stream and gives the
        queue back. A second signal ends it at once; what was not settled is sent again.
        SIGHUP reads the configuration again: bridges that are new start, those that are gone or
        changed drain, the others notice nothing. One with mistakes changes nothing.

        HTTP: /health/live answers 200 while the process works; /health/ready 200 while every bridge
        stands by, or is connected and progresses, else 503 with the reasons; /metrics is Prometheus.
        """;

    private const string Codes =
        """
        Exit codes:
          0    done; `run`: stopped by a signal, drained
          1    failed; `check`: something is marked FAIL; `send`: the message did not arrive;
               `status`: a bridge is not ready, or the node does not answer
          2    configuration or command line is wrong, or the HTTP address is taken; all mistakes
               are listed and nothing was started
          130, 143  ended at once by a second SIGINT (Ctrl-C) or SIGTERM; nothing is lost
        """;

    private const string Examples =
        """
        Examples:
          BRIDGE_DOMAIN=bridge.example.com BRIDGE_SECRET_FILE=/run/secrets/bridge bridge check
          BRIDGE_DOMAIN=bridge.example.com BRIDGE_SECRET_FILE=/run/secrets/bridge bridge run
          bridge run --config /etc/bridge.conf --config /etc/bridge.local.conf
          redis-cli RPUSH xmpp:outbound '{"to":"ada@example.com","body":"hi"}'
        """;

    /// <summary>Runs the command that the arguments name and gives the exit code.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        var result = Build().Parse(args);
        // Who mistyped a word is told which; who typed none gets the help.
        if (result.Action is ParseErrorAction mistyped)
            mistyped.ShowHelp = args.Length == 0;
        var invocation = new InvocationConfiguration
        {
            // Signals are the commands' own business: `run` drains.
            ProcessTerminationTimeout = null,
        };
        var code = await result.InvokeAsync(invocation);
        return result.Errors.Count > 0 ? ExitCodes.Misconfigured : code;
    }

    /// <summary>The command tree.</summary>
    public static RootCommand Build()
    {
        var root = new RootCommand(
            """
            Bridge delivers what an app pushes onto a Redis list or stream to an XMPP server,
            as an external component (XEP-0114), and loses nothing.
            """)
        {
            RunCommand.Create(),
            CheckCommand.Create(),
            SendCommand.Create(),
            TailCommand.Create(),
            DeadCommand.Create(),
            StatusCommand.Create(),
            TraceCommand.Create(),
            ConfigCommand.Create(),
        };
        foreach (var command in OrderCommands.Create())
            root.Add(command);
        foreach (var option in root.Options)
        {
            if (option is HelpOption { Action: SynchronousCommandLineAction usual } help)
                help.Action = new HelpWithEssentials(usual);
        }

        return root;
    }

    /// <summary>The usual help, followed by what the command needs besides its options.</summary>
    private sealed class HelpWithEssentials(SynchronousCommandLineAction usual) : SynchronousCommandLineAction
    {
        // As for the usual one: `bridge run --help` shows help, whatever else is on the line.
        public override bool ClearsParseErrors => true;

        public override int Invoke(ParseResult parseResult)
        {
            var code = usual.Invoke(parseResult);
            string[] sections = parseResult.CommandResult.Command switch
            {
                { Name: "run" } => [Essentials, Stopping, Codes, Examples],
                RootCommand or { Name: "check" } => [Essentials, Codes, Examples],
                _ => [],
            };
            if (sections.Length > 0)
                parseResult.InvocationConfiguration.Output.WriteLine(string.Join("\n\n", sections));
            return code;
        }
    }
}
