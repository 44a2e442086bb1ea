using System.Diagnostics;
using System.Globalization;
using Bridge.TestKit;
using StackExchange.Redis;

// Loads messages into a list, starts the real program against one server, and prints the rate from
// the first arrival to the last, and the program's peak memory.
//   dotnet run -c Release --project bench/Bridge.Throughput -- [scripted|prosody|ejabberd] [messages] [raw|json]
var target = args.ElementAtOrDefault(0) ?? "scripted";
var messages = int.Parse(args.ElementAtOrDefault(1) ?? "200000", CultureInfo.InvariantCulture);
var json = args.ElementAtOrDefault(2) == "json";

await using var redis = await RedisServer.StartAsync();
await using var scripted = target == "scripted" ? new ScriptedXmppServer(new ScriptedXmppServerOptions { CountsOnly = true }) : null;
await using IXmppServer? real = target switch
{
    "prosody" => await ProsodyServer.StartNewAsync(),
    "ejabberd" => await EjabberdServer.StartNewAsync(),
    _ => null,
};
await using var sink = real is null ? null : await XmppComponentPeer.ConnectAsync(real, "sink.example.test");
var domain = real is null ? "example.test" : "sink.example.test";

using (var app = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString))
{
    var body = new string('x', 200);
    for (var pushed = 0; pushed < messages; pushed += 10_000)
        await app.GetDatabase().ListRightPushAsync(
            "xmpp:outbound",
            [.. Enumerable.Range(pushed, Math.Min(10_000, messages - pushed)).Select(i => (RedisValue)(json
                ? $"{{\"to\":\"r{i % 1000}@{domain}\",\"id\":\"m-{i}\",\"body\":\"{body}\"}}"
                : $"<message to='r{i % 1000}@{domain}' id='m-{i}' type='chat'><body>{body}</body></message>"))]);
}

await using var bridge = new BridgeProcess(new BridgeProcessOptions
{
    Environment = new Dictionary<string, string?>
    {
        ["BRIDGE_REDIS"] = redis.ConnectionString,
        ["BRIDGE_XMPP"] = $"127.0.0.1:{scripted?.Port ?? real!.ComponentPort}",
        ["BRIDGE_DOMAIN"] = "bridge.example.test",
        ["BRIDGE_SECRET"] = "correct-horse",
    },
});
var started = Stopwatch.GetTimestamp();
bridge.Start();
await ArrivedAsync(1);
var first = Stopwatch.GetElapsedTime(started);
await ArrivedAsync(messages);
var rate = messages / (Stopwatch.GetElapsedTime(started) - first).TotalSeconds;
Console.WriteLine(string.Create(
    CultureInfo.InvariantCulture,
    $"{target} {(json ? "json" : "raw")}: {messages} messages, first after {first.TotalSeconds:F2} s, then {rate:F0}/s, peak {bridge.PeakResidentBytes / 1048576} MiB"));
if (scripted is not null)
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"repeated {scripted.Tally.Repeated}, reordered {scripted.Tally.Reordered}"));
await bridge.StopAsync();

async Task ArrivedAsync(int count)
{
    if (scripted is not null)
        await scripted.Tally.DistinctAsync(count, TimeSpan.FromMinutes(5));
    else
        await sink!.Received.CountAsync(count, TimeSpan.FromMinutes(5));
}
