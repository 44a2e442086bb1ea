using System.Buffers;
using System.Text;
using Bridge.Queue;
using Bridge.Settings;
using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Stanzas;

/// <summary>One encoder with small, round limits, and what the tests of this folder ask of it.</summary>
internal static class EncoderFixture
{
    public const string Domain = "app.example";
    public const string GeneratedId = "b-0123456789abcdef-7";
    public const int MaxBytes = 4096;
    public const int MaxDepth = 6;
    public const int MaxAttributes = 8;

    public static readonly GeneratedIds Ids = new("0123456789abcdef", ofStream: false);

    public static readonly DateTimeOffset Now = new(2026, 5, 17, 12, 0, 0, TimeSpan.Zero);

    public static readonly StanzaSettings Rules = new()
    {
        MaxBytes = MaxBytes,
        MaxDepth = MaxDepth,
        MaxAttributes = MaxAttributes,
        FromDomains = ["other.example"],
        DefaultFrom = "bot@app.example",
        DelayStampAfter = TimeSpan.FromSeconds(10),
    };

    public static readonly StanzaFirewall Firewall = new(Rules, Domain);

    public static readonly StanzaEncoder EntryEncoder = new(Rules, Domain);

    public static QueueEntry Entry(ReadOnlyMemory<byte> payload, DateTimeOffset? pushedAt = null) =>
        new(EntryPosition.OfSequence(7), EntryKind.Payload, Ids, payload, Now, pushedAt);

    public static (EncodeResult Result, byte[] Output) Encode(byte[] payload, DateTimeOffset? pushedAt = null)
    {
        var output = new ArrayBufferWriter<byte>();
        var result = EntryEncoder.Encode(Entry(payload, pushedAt), output, Now);
        return (result, output.WrittenSpan.ToArray());
    }

    /// <summary>Bytes of a test row: UTF-8, except that <c>\xNN</c> stands for one byte.</summary>
    public static byte[] Bytes(string row)
    {
        var bytes = new List<byte>();
        for (var i = 0; i < row.Length;)
        {
            if (row[i] == '\\' && i + 3 < row.Length && row[i + 1] == 'x')
            {
                bytes.Add(Convert.ToByte(row.Substring(i + 2, 2), 16));
                i += 4;
                continue;
            }

            var length = char.IsSurrogatePair(row, i) ? 2 : 1;
            bytes.AddRange(Encoding.UTF8.GetBytes(row.Substring(i, length)));
            i += length;
        }

        return [.. bytes];
    }
}
