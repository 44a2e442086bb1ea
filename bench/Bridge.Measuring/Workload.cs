using System.Text.Unicode;

namespace Bridge.Measuring;

/// <summary>What an entry of the queue holds. All three make the same message.</summary>
public enum PayloadKind
{
    /// <summary>Raw XML as an application pushes it to Bridge, which fills in the <c>from</c>.</summary>
    Raw,

    /// <summary>
    /// The bytes that Bridge makes of <see cref="Raw"/>, for those who write an entry to the socket as it is:
    /// ejabberd ends a stream over a stanza without a <c>from</c>.
    /// </summary>
    Stanza,

    /// <summary>Bridge's JSON envelope, which is also what the script of 2011 took.</summary>
    Json,
}

/// <summary>
/// The messages of the benchmark: number n goes to one of 1,000 recipients, and its id ends in <c>-n</c>.
/// </summary>
public sealed class Workload
{
    public const string Sender = "bridge.example.test";
    public const string Receiver = "sink.example.test";
    public const string Secret = "correct-horse";
    public const int Recipients = 1_000;

    private static readonly byte[] Words =
        "The quick brown fox jumps over the lazy dog, and the lake lies still below the hills. "u8.ToArray();

    private readonly byte[] _text;

    /// <param name="size">Bytes of the stanza on the wire; the markup alone has a little over 100.</param>
    public Workload(int size)
    {
        Size = size;
        _text = new byte[size];
        for (var i = 0; i < size; i++)
            _text[i] = Words[i % Words.Length];
    }

    /// <summary>Bytes of a stanza on the wire, where the markup leaves room for a text.</summary>
    public int Size { get; }

    /// <summary>No payload of any kind is longer.</summary>
    public int MaxLength => Size + 512;

    /// <summary>
    /// Writes one payload and tells its length. With a time of the push, in ticks of the clock, the id of the
    /// message holds it, so that its latency can be measured.
    /// </summary>
    public int Write(Span<byte> output, PayloadKind kind, long number, long pushedAt = 0)
    {
        var to = number % Recipients;
        var time = pushedAt == 0 ? "" : $"{pushedAt}-";
        // The text is the same in all kinds: the stanza is what has the wanted size.
        var markup = Start(output, PayloadKind.Stanza, to, time, number) + "</body></message>".Length;
        var text = _text.AsSpan(0, Math.Max(1, Size - markup));

        var length = Start(output, kind, to, time, number);
        text.CopyTo(output[length..]);
        length += text.Length;
        var end = kind == PayloadKind.Json ? "\"}"u8 : "</body></message>"u8;
        end.CopyTo(output[length..]);
        return length + end.Length;
    }

    private static int Start(Span<byte> output, PayloadKind kind, long to, string time, long number)
    {
        var written = 0;
        _ = kind switch
        {
            PayloadKind.Raw => Utf8.TryWrite(
                output, $"<message to='r{to}@{Receiver}' id='m-{time}{number}' type='chat'><body>", out written),
            PayloadKind.Stanza => Utf8.TryWrite(
                output, $"<message from='{Sender}' to='r{to}@{Receiver}' id='m-{time}{number}' type='chat'><body>", out written),
            _ => Utf8.TryWrite(
                output, $"{{\"to\":\"r{to}@{Receiver}\",\"id\":\"m-{time}{number}\",\"body\":\"", out written),
        };
        return written;
    }
}
