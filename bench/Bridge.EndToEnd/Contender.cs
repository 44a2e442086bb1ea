using System.Globalization;
using Bridge.Measuring;
using Bridge.TestKit;

namespace Bridge.EndToEnd;

/// <summary>Something that is measured.</summary>
internal sealed record Contender
{
    public required string Name { get; init; }

    /// <summary>How many messages one run has.</summary>
    public required int Messages { get; init; }

    public required Func<Stage, Contender, Running> Start { get; init; }

    /// <summary>The queues that a run empties; each has its part of the messages, numbered from 0. None: it brings its own.</summary>
    public IReadOnlyList<string> Queues { get; init; } = [Contenders.Queue];

    public QueueKind QueueKind { get; init; }

    public PayloadKind Payload { get; init; } = PayloadKind.Stanza;

    /// <summary>Whether it promises that nothing is lost, repeated or out of order; the run waits until it has settled all.</summary>
    public bool Promises { get; init; }

    /// <summary>Whether nothing is sent: it tells its own time.</summary>
    public bool OnlyDrains { get; init; }

    public int MessagesOfQueue => Messages / Math.Max(1, Queues.Count);
}

/// <summary>A contender's process, and what goes with it.</summary>
internal sealed record Running(ServerProcess Process, IAsyncDisposable Owner);

internal static class Contenders
{
    public const string Queue = "xmpp:outbound";

    /// <summary>The bridges to be measured: one, or those of the command line.</summary>
    /// <param name="bridges">Paths of programs.</param>
    /// <param name="messages">Of a run.</param>
    public static IReadOnlyList<Contender> Bridges(IReadOnlyList<string> bridges, int messages) =>
        bridges switch
        {
            [] => [Bridge(null, "bridge", messages)],
            [var path] => [Bridge(path, "bridge", messages)],
            _ => [.. bridges.Select((path, i) => Bridge(path, $"bridge {(char)('A' + i)}", messages))],
        };

    public static Contender Bridge(string? program, string name, int messages) => new()
    {
        Name = name,
        Messages = messages,
        Payload = PayloadKind.Raw,
        Promises = true,
        Start = (stage, contender) => StartBridge(stage, program, null, new()
        {
            ["BRIDGE_QUEUE"] = Queue,
            ["BRIDGE_QUEUE_KIND"] = contender.QueueKind == QueueKind.List ? "list" : "stream",
            ["BRIDGE_DOMAIN"] = Workload.Sender,
        }),
    };

    /// <summary>Several bridges in one process, each with its queue and domain.</summary>
    public static Contender SeveralBridges(string? program, string name, int bridges, int messages) => new()
    {
        Name = name,
        Messages = messages,
        Queues = [.. Enumerable.Range(0, bridges).Select(i => $"xmpp:b{i}")],
        Payload = PayloadKind.Raw,
        Promises = true,
        Start = (stage, contender) => StartBridge(
            stage,
            program,
            string.Concat(contender.Queues.Select((queue, i) =>
                $"bridge.bridges.b{i} {{ queue.name = \"{queue}\", xmpp.domain = \"b{i}.example.test\" }}\n")),
            []),
    };

    /// <summary>Several bridges over several processes, evenly.</summary>
    public static Contender SeveralNodes(string? program, string name, int bridges, int nodes, int messages) => new()
    {
        Name = name,
        Messages = messages,
        Queues = [.. Enumerable.Range(0, bridges).Select(i => $"xmpp:b{i}")],
        Payload = PayloadKind.Raw,
        Promises = true,
        Start = (stage, contender) =>
        {
            var running = Enumerable.Range(0, nodes)
                .Select(node => StartBridge(
                    stage,
                    program,
                    string.Concat(contender.Queues.Select((queue, i) => i % nodes != node
                        ? ""
                        : $"bridge.bridges.b{i} {{ queue.name = \"{queue}\", xmpp.domain = \"b{i}.example.test\" }}\n")),
                    []))
                .ToList();
            return new Running(running[0].Process, new Together([.. running.Select(one => one.Owner)]));
        },
    };

    public static Contender Lpop(int messages) => new()
    {
        Name = "LPOP 500, raw writes (.NET)",
        Messages = messages,
        Start = (stage, _) => StartRival("lpop", stage.Redis.ConnectionString, Queue, stage.XmppPort, Workload.Sender, Workload.Secret),
    };

    /// <summary>What one message costs at least on this runtime, with a journal and with nothing else.</summary>
    public static Contender Lone(int messages) => new()
    {
        Name = "bare BLMOVE to a journal, raw writes, one thread (.NET)",
        Messages = messages,
        Start = (stage, _) => StartRival("lone", stage.Redis.ConnectionString, Queue, stage.XmppPort, Workload.Sender, Workload.Secret),
    };

    public static Contender Blast(int messages) => new()
    {
        Name = "blast, no queue",
        Messages = messages,
        Queues = [],
        Start = (stage, contender) => StartRival(
            "blast", stage.XmppPort, Workload.Sender, Workload.Secret, contender.Messages, stage.Workload.Size),
    };

    public static Contender DrainList(int messages, bool silent) => new()
    {
        Name = silent ? "Redis only: Lua move and trim, count returned" : "Redis only: Lua move and trim",
        Messages = messages,
        Payload = PayloadKind.Raw,
        OnlyDrains = true,
        Start = (stage, contender) => StartRival(
            "drain-list", stage.Redis.ConnectionString, Queue, contender.Messages, silent ? "silent" : "all"),
    };

    public static Contender DrainStream(int messages) => new()
    {
        Name = "Redis only: XREADGROUP, XACK, XDEL",
        Messages = messages,
        QueueKind = QueueKind.Stream,
        Payload = PayloadKind.Raw,
        OnlyDrains = true,
        Start = (stage, contender) => StartRival("drain-stream", stage.Redis.ConnectionString, Queue, contender.Messages),
    };

    public static Contender Lmpop(int messages) => new()
    {
        Name = "LMPOP 500, raw writes (Node.js)",
        Messages = messages,
        Start = (stage, _) => StartNode("lmpop.mjs", stage),
    };

    public static Contender Blpop(int messages) => new()
    {
        Name = "BLPOP and xmpp.js, as in 2011 (Node.js)",
        Messages = messages,
        Payload = PayloadKind.Json,
        Start = (stage, _) => StartNode("blpop.mjs", stage),
    };

    /// <summary>Where <c>bench/run</c> publishes the program.</summary>
    private static string Published => Path.Combine(BridgeProcess.RepositoryRoot, "bench", "bin", "bridge", "bridge.dll");

    /// <summary>A program of the benchmark, as the build leaves it.</summary>
    public static string Built(string project) =>
        Path.Combine(BridgeProcess.RepositoryRoot, "bench", project, "bin", "Release", "net10.0", $"{project}.dll");

    private static Running StartBridge(Stage stage, string? program, string? configuration, Dictionary<string, string?> environment)
    {
        environment["BRIDGE_REDIS"] = stage.Redis.ConnectionString;
        environment["BRIDGE_XMPP"] = $"127.0.0.1:{Text(stage.XmppPort)}";
        environment["BRIDGE_SECRET"] = Workload.Secret;
        var bridge = new BridgeProcess(new BridgeProcessOptions
        {
            Program = program ?? Published,
            Configuration = configuration,
            Environment = environment,
        });
        bridge.Start();
        return new Running(bridge.Process, bridge);
    }

    private static Running StartRival(params object[] arguments)
    {
        var process = new ServerProcess("rival");
        process.Start("dotnet", [Built("Bridge.Rivals"), .. arguments.Select(Text)]);
        return new Running(process, process);
    }

    private static Running StartNode(string script, Stage stage)
    {
        var process = new ServerProcess("rival");
        process.Start(
            "node",
            [
                Path.Combine(BridgeProcess.RepositoryRoot, "bench", "rivals-node", script),
                Text(stage.Redis.Port), Queue, Text(stage.XmppPort), Workload.Sender, Workload.Secret,
            ]);
        return new Running(process, process);
    }

    private sealed class Together(IReadOnlyList<IAsyncDisposable> owners) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            foreach (var owner in owners)
                await owner.DisposeAsync();
        }
    }

    private static string Text(object value) => Convert.ToString(value, CultureInfo.InvariantCulture)!;
}
