using System.Globalization;
using Bridge.Rivals;
using StackExchange.Redis;

// What Bridge is compared with: how fast it goes without any safety, and the limits of the two sides.
//   Bridge.Rivals lpop REDIS KEY XMPP-PORT DOMAIN SECRET       LPOP and raw writes, nothing acknowledged
//   Bridge.Rivals lone REDIS KEY XMPP-PORT DOMAIN SECRET       one by one to a journal and on, one thread, nothing looked at
//   Bridge.Rivals blast XMPP-PORT DOMAIN SECRET COUNT SIZE     stanzas from memory, no queue
//   Bridge.Rivals drain-list REDIS KEY COUNT [silent]          the bare script that moves entries to a journal
//   Bridge.Rivals drain-stream REDIS KEY COUNT                 XREADGROUP, XACK and XDEL
// REDIS and XMPP-PORT are on this machine. It runs until it is ended, so that its memory can be looked at;
// the last two say "drained COUNT SECONDS" when they have had COUNT entries.
switch (args[0])
{
    case "lpop":
        await Lpop.RunAsync(await RedisAsync(args[1]), args[2], Number(args[3]), args[4], args[5]);
        break;
    case "lone":
        Lone.Run(args[1], args[2], Number(args[3]), args[4], args[5]);
        break;
    case "blast":
        Blast.Run(Number(args[1]), args[2], args[3], Number(args[4]), Number(args[5]));
        break;
    case "drain-list":
        Print(await Drain.ListAsync(await RedisAsync(args[1]), args[2], Number(args[3]), silent: args.Contains("silent")));
        break;
    case "drain-stream":
        Print(await Drain.StreamAsync(await RedisAsync(args[1]), args[2], Number(args[3])));
        break;
    default:
        await Console.Error.WriteLineAsync($"There is no rival {args[0]}.");
        return 2;
}

await Task.Delay(Timeout.Infinite);
return 0;

static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

static async Task<IDatabase> RedisAsync(string address) => (await ConnectionMultiplexer.ConnectAsync(address)).GetDatabase();

static void Print((long Count, TimeSpan Time) drained) =>
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"drained {drained.Count} {drained.Time.TotalSeconds}"));
