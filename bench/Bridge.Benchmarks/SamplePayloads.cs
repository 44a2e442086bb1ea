using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;
using Bridge.Queue;
using Bridge.Settings;

namespace Bridge.Benchmarks;

/// <summary>What an app pushes, by kind and size.</summary>
public enum SampleKind
{
    /// <summary>Raw XML of 100 bytes, without an id: gets the generated one, and an origin-id.</summary>
    RawShort,

    /// <summary>Raw XML of 300 bytes, with an id.</summary>
    Raw300,

    /// <summary>Raw XML of some 800 bytes: from, language, and eight payloads with a namespace each.</summary>
    RawExtensions,

    /// <summary>Raw XML of 300 bytes whose body is Cyrillic, Chinese and emoji.</summary>
    RawNonAscii,

    /// <summary>Raw XML of 64 KiB, the body on lines as of a log.</summary>
    Raw64K,

    /// <summary>Raw XML of 300 bytes with an entity that XMPP does not know, near its end.</summary>
    RawRejected,

    /// <summary>An envelope of 100 bytes, without an id.</summary>
    JsonShort,

    /// <summary>An envelope of 300 bytes, with an id.</summary>
    Json300,

    /// <summary>An envelope of 300 bytes, the body with line feeds, <c>\u00e9</c> and emoji as surrogate pairs.</summary>
    JsonEscapes,

    /// <summary>An envelope of 64 KiB, the body on lines, so with an escape for each.</summary>
    Json64K,
}

/// <summary>
/// Entries of one kind that differ in recipient, id and words, so that the processor cannot learn
/// one payload by heart. The same at each run.
/// </summary>
internal static class SamplePayloads
{
    public const string Domain = "bridge.example.com";

    private const int LargeBytes = 64 * 1024;

    private static readonly JsonSerializerOptions AsciiOnly = new() { Encoder = JavaScriptEncoder.Create(UnicodeRanges.BasicLatin) };

    private static readonly string[] Words =
    [
        "the", "order", "of", "your", "parcel", "is", "on", "its", "way", "and", "arrives", "tomorrow", "before",
        "noon", "at", "address", "you", "gave", "we", "will", "send", "a", "message", "when", "courier", "rings",
    ];

    private static readonly string[] ForeignWords =
    [
        "заказ", "принят", "и", "будет", "доставлен", "завтра", "您的订单", "已经发货", "明天上午送达", "\U0001F4E6", "\U0001F600\U0001F680",
    ];

    private static readonly string[] EscapedWords =
    [
        "caf\u00e9", "d\u00e9j\u00e0", "line\n", "said \"yes\"\n", "\U0001F600", "\U0001F680", "parcel", "arrives", "tomorrow", "noon",
    ];

    /// <summary>The rules of <c>hocon/reference.conf</c>.</summary>
    public static StanzaSettings Rules { get; } = new()
    {
        MaxBytes = 256 * 1024,
        MaxDepth = 64,
        MaxAttributes = 64,
        FromDomains = [],
        DefaultFrom = Domain,
        DelayStampAfter = TimeSpan.FromSeconds(10),
    };

    /// <summary>When the entries were taken, and are encoded.</summary>
    public static DateTimeOffset Now { get; } = new(2026, 11, 24, 12, 0, 0, TimeSpan.Zero);

    private static readonly GeneratedIds Ids = new("0123456789abcdef", ofStream: false);

    /// <summary>Payloads of one kind.</summary>
    public static byte[][] Of(SampleKind kind, int count)
    {
        var random = new Random(17);
        return [.. Enumerable.Range(1, count).Select(number => Encoding.UTF8.GetBytes(Payload(kind, number, random)))];
    }

    /// <summary>Entries as a list queue hands them over.</summary>
    public static QueueEntry[] Entries(SampleKind kind, int count) =>
    [
        .. Of(kind, count).Select((payload, index) => new QueueEntry(
            EntryPosition.OfSequence((ulong)index + 1),
            EntryKind.Payload,
            Ids,
            payload,
            Now,
            null)),
    ];

    private static string Payload(SampleKind kind, int number, Random random)
    {
        var to = Text(Words, random.Next(4, 12), random).Replace(' ', '.') + "@example.com";
        var id = string.Create(CultureInfo.InvariantCulture, $"order-{number * 7919}");
        return kind switch
        {
            SampleKind.RawShort => Filled($"<message to='{to}'><body>", "</body></message>", 100, Words, random),
            SampleKind.Raw300 => Filled($"<message to='{to}' id='{id}' type='chat'><body>", "</body></message>", 300, Words, random),
            SampleKind.RawExtensions => Filled(
                $"<message to='{to}/phone' from='orders@{Domain}' id='{id}' type='chat' xml:lang='en'><body>",
                $"""
                </body><active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/><markable xmlns='urn:xmpp:chat-markers:0'/><origin-id xmlns='urn:xmpp:sid:0' id='{id}'/><store xmlns='urn:xmpp:hints'/><x xmlns='jabber:x:oob'><url>https://example.com/orders/{number}</url></x><reply xmlns='urn:xmpp:reply:0' to='{to}' id='{id}'/><order xmlns='https://example.com/order'><item sku='A-{number}' count='2'/><total currency='EUR'>{number}.50</total></order></message>
                """,
                800,
                Words,
                random),
            SampleKind.RawNonAscii => Filled($"<message to='{to}' id='{id}' type='chat'><body>", "</body></message>", 300, ForeignWords, random),
            SampleKind.Raw64K => Filled($"<message to='{to}' id='{id}' type='chat'><body>", "</body></message>", LargeBytes, [.. Words, "\n"], random),
            SampleKind.RawRejected => Filled($"<message to='{to}' id='{id}' type='chat'><body>", "&nbsp;</body></message>", 300, Words, random),
            SampleKind.JsonShort => Filled($$"""{"to":"{{to}}","body":""", "}", 100, Words, random, Quoted),
            SampleKind.Json300 => Filled($$"""{"to":"{{to}}","id":"{{id}}","body":""", "}", 300, Words, random, Quoted),
            SampleKind.JsonEscapes => Filled($$"""{"to":"{{to}}","id":"{{id}}","body":""", "}", 300, EscapedWords, random, Quoted),
            _ => Filled($$"""{"to":"{{to}}","id":"{{id}}","body":""", "}", LargeBytes, [.. Words, "\n"], random, Quoted),
        };

        static string Quoted(string text) => JsonSerializer.Serialize(text, AsciiOnly);
    }

    /// <summary>Words between a beginning and an end, up to a size in bytes that is missed by a word at most.</summary>
    private static string Filled(string before, string after, int bytes, string[] words, Random random, Func<string, string>? write = null)
    {
        var text = new StringBuilder();
        for (var room = bytes - before.Length - after.Length; room > 0;)
        {
            var word = words[random.Next(words.Length)] + " ";
            text.Append(word);
            room -= Encoding.UTF8.GetByteCount(write is null ? word : write(word)) - (write is null ? 0 : 2);
        }

        return before + (write is null ? text.ToString() : write(text.ToString())) + after;
    }

    private static string Text(string[] words, int length, Random random)
    {
        var text = new StringBuilder(words[random.Next(words.Length)]);
        while (text.Length < length)
            text.Append(' ').Append(words[random.Next(words.Length)]);
        return text.ToString();
    }
}
