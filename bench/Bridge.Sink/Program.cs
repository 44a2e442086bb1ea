using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Bridge.Measuring;
using Bridge.Sink;

// Counts the benchmark's messages, faster than anything that is measured.
//   Bridge.Sink serve PORT SECRET           is the XMPP server to any number of components
//   Bridge.Sink join  PORT SECRET DOMAIN    is the component DOMAIN of a real server
//
// It says "ready", and then takes these lines on its standard input:
//   reset LABEL [NUMBER]   forget all; with NUMBER, measure latencies from that message on
//   await COUNT            say "mark LABEL COUNT TICKS" when so many different messages have arrived
//   watch PID              note that process' processor time at every mark
//   report TOKEN           say "report TOKEN JSON", see SinkReport
// By itself it says "joined LABEL DOMAIN" for each stream, and "first LABEL TICKS" at the first message.
var output = new Lock();
var current = new Arrivals("none", -1, Say);

WarmUp();
var port = int.Parse(args[1], CultureInfo.InvariantCulture);
if (args[0] == "serve")
{
    var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    listener.Bind(new IPEndPoint(IPAddress.Loopback, port));
    listener.Listen(64);
    Run(() =>
    {
        while (true)
        {
            var accepted = listener.Accept();
            accepted.NoDelay = true;
            Run(() => new Connection(accepted, () => Volatile.Read(ref current), Say).Serve(args[2]));
        }
    });
}
else
{
    var joined = ComponentStream.Connect(port, args[3], args[2]);
    Run(() =>
    {
        try
        {
            new Connection(joined, () => Volatile.Read(ref current), Say).Receive(args[3]);
        }
        catch (SocketException)
        {
            // The server is gone, which the next line tells.
        }

        Say("ended");
    });
}

Say("ready");
while (Console.ReadLine() is { } line)
{
    var words = line.Split(' ');
    switch (words[0])
    {
        case "reset":
            Volatile.Write(ref current, new Arrivals(
                words[1], words.Length > 2 ? long.Parse(words[2], CultureInfo.InvariantCulture) : -1, Say));
            Say($"reset {words[1]}");
            break;
        case "await":
            current.Await(long.Parse(words[1], CultureInfo.InvariantCulture));
            break;
        case "watch":
            current.Watch(int.Parse(words[1], CultureInfo.InvariantCulture));
            break;
        case "report":
            Say($"report {words[1]} {JsonSerializer.Serialize(current.Report())}");
            break;
    }
}

return 0;

void Say(string line)
{
    lock (output)
    {
        Console.Out.WriteLine(line);
        Console.Out.Flush();
    }
}

static void Run(Action action) => new Thread(() => action()) { IsBackground = true }.Start();

// The first run would otherwise pay for the compilation.
static void WarmUp()
{
    var workload = new Workload(300);
    var buffer = new byte[1_000 * workload.MaxLength];
    var length = 0;
    for (var i = 0; i < 1_000; i++)
        length += workload.Write(buffer.AsSpan(length), PayloadKind.Stanza, i, pushedAt: 1);
    for (var pass = 0; pass < 500; pass++)
    {
        var tally = new Tally(new Histogram());
        StanzaScanner.CountMessages(buffer.AsSpan(0, length), tally, now: 2);
        if (tally.Distinct != 1_000)
            throw new InvalidOperationException("The sink miscounts its own messages.");
    }
}
