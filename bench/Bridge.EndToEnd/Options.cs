using System.Globalization;

namespace Bridge.EndToEnd;

/// <summary>What the command line asks for.</summary>
internal sealed record Options
{
    public static readonly string[] AllSections = ["throughput", "pairs", "latency", "sizes", "depth", "ten", "scale", "idle", "start"];

    public const string Usage = """
        bench/run [SECTION…] [OPTION…]        all sections, unless some are named:

          throughput   each contender empties a full queue: rate, processor time, memory
          pairs        bridge and blast side by side on one server, as ratios
          latency      from push to arrival, at a constant rate
          sizes        the rate by the size of the message
          depth        the rate and the memory by the length of the queue
          ten          ten bridges in one process against one
          scale        1 to 8 bridges over 1 to 3 processes
          idle         what bridges without work cost, owners and those that stand by
          start        from the start of the process to the first message

          --messages N       messages of a run (default: 1,000,000 into the sink, 200,000 into a server)
          --rounds R         how often everything is repeated (5; latency 3)
          --size BYTES       of a stanza on the wire (300)
          --server NAME      only sink, prosody or ejabberd; may be repeated (throughput, pairs)
          --pairs P          pairs of runs (11)
          --rate N           messages a second; may be repeated (latency: 1,000 and 10,000)
          --seconds S        how long that rate is held (20), or an idle node watched
          --deep N           messages of the long queue (5,000,000)
          --only NAME        only this row of the table; may be repeated (throughput)
          --bridge PATH      another bridge.dll; given twice, both run in each round
        """;

    public IReadOnlyList<string> Sections { get; init; } = [];

    public int? Messages { get; init; }

    public int? Rounds { get; init; }

    public int Size { get; init; } = 300;

    public IReadOnlyList<string> Servers { get; init; } = [];

    public int Pairs { get; init; } = 11;

    public IReadOnlyList<int> Rates { get; init; } = [];

    public int Seconds { get; init; } = 20;

    public int Deep { get; init; } = 5_000_000;

    public IReadOnlyList<string> Only { get; init; } = [];

    public IReadOnlyList<string> Bridges { get; init; } = [];

    /// <exception cref="FormatException">Something is not understood; the message says what.</exception>
    public static Options Parse(string[] arguments)
    {
        var options = new Options();
        for (var i = 0; i < arguments.Length; i++)
        {
            var word = arguments[i];
            if (!word.StartsWith("--", StringComparison.Ordinal))
            {
                if (!AllSections.Contains(word))
                    throw new FormatException($"There is no section {word}.");
                options = options with { Sections = [.. options.Sections, word] };
                continue;
            }

            if (++i == arguments.Length)
                throw new FormatException($"{word} needs a value.");
            var value = arguments[i];
            options = word switch
            {
                "--messages" => options with { Messages = Number(word, value) },
                "--rounds" => options with { Rounds = Number(word, value) },
                "--size" => options with { Size = Number(word, value) },
                "--server" => options with { Servers = [.. options.Servers, Server(value)] },
                "--pairs" => options with { Pairs = Number(word, value) },
                "--rate" => options with { Rates = [.. options.Rates, Number(word, value)] },
                "--seconds" => options with { Seconds = Number(word, value) },
                "--deep" => options with { Deep = Number(word, value) },
                "--only" => options with { Only = [.. options.Only, value] },
                "--bridge" => options with { Bridges = [.. options.Bridges, Program(value)] },
                _ => throw new FormatException($"There is no option {word}."),
            };
        }

        return options;
    }

    private static int Number(string option, string value) =>
        int.TryParse(value, NumberStyles.AllowThousands, CultureInfo.InvariantCulture, out var number) && number > 0
            ? number
            : throw new FormatException($"{option} takes a whole number above 0, not {value}.");

    private static string Server(string value) =>
        value is "sink" or "prosody" or "ejabberd"
            ? value
            : throw new FormatException($"--server is sink, prosody or ejabberd, not {value}.");

    private static string Program(string value) =>
        File.Exists(value) ? Path.GetFullPath(value) : throw new FormatException($"--bridge: there is no {value}.");
}
