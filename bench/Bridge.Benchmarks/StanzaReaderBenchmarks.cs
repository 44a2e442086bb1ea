using System.Buffers;
using System.Globalization;
using System.Text;
using BenchmarkDotNet.Attributes;
using Bridge.Connection;
using Bridge.Stanzas;

namespace Bridge.Benchmarks;

/// <summary>What a server sends to a component.</summary>
public enum ServerTraffic
{
    /// <summary>Our own barriers, routed back.</summary>
    Barriers,

    /// <summary>Messages that could not be delivered, with their body, as ejabberd returns them.</summary>
    Bounces,

    /// <summary>Messages of users.</summary>
    Messages,
}

/// <summary>Reading the server's side of the stream: per stanza.</summary>
public class StanzaReaderBenchmarks
{
    private const int Stanzas = 512;
    private const int MaxInboundStanzaBytes = 1024 * 1024;

    private StanzaReader _reader = new(MaxInboundStanzaBytes);
    private byte[] _stream = [];

    [ParamsAllValues]
    public ServerTraffic Traffic { get; set; }

    /// <summary>Bytes of one read: our buffer, an Ethernet frame's payload, and a link that dribbles.</summary>
    [Params(64 * 1024, 1460, 100)]
    public int ReadBytes { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        _reader = new StanzaReader(MaxInboundStanzaBytes);
        ReadOnlySpan<byte> opening =
            """
            <?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' xmlns='jabber:component:accept' id='3BF96D32' from='bridge.example.com'><handshake/>
            """u8;
        if (_reader.Read(ref opening, out _) != StreamEventKind.Header || _reader.Read(ref opening, out _) != StreamEventKind.Handshake)
            throw new InvalidOperationException($"The stream does not open: {_reader.MalformedReason}");

        _stream = Sent();
        var (events, bytes) = ReadAll();
        if (events != Stanzas || bytes != _stream.Length)
            throw new InvalidOperationException($"{events} stanzas of {bytes} bytes were read: {_reader.MalformedReason}");
    }

    [Benchmark(OperationsPerInvoke = Stanzas)]
    public long Read()
    {
        var (stanzas, bytes) = ReadAll();
        return stanzas + bytes;
    }

    private (int Stanzas, long Bytes) ReadAll()
    {
        var (stanzas, bytes) = (0, 0L);
        for (var at = 0; at < _stream.Length; at += ReadBytes)
        {
            ReadOnlySpan<byte> input = _stream.AsSpan(at, Math.Min(ReadBytes, _stream.Length - at));
            while (_reader.Read(ref input, out var stanza) == StreamEventKind.Stanza)
            {
                stanzas++;
                bytes += stanza.Bytes.Length;
            }
        }

        return (stanzas, bytes);
    }

    private byte[] Sent()
    {
        var sent = new ArrayBufferWriter<byte>();
        var barriers = new BarrierIdentity(SamplePayloads.Domain);
        for (var number = 1; number <= Stanzas; number++)
        {
            if (Traffic == ServerTraffic.Barriers)
            {
                barriers.Write(sent, number);
                continue;
            }

            var attributes = string.Create(CultureInfo.InvariantCulture, $"from='user{number * 31 % 1000}@example.com/phone' to='{SamplePayloads.Domain}' id='order-{number}'");
            var body = new string('x', 80 + number * 37 % 160);
            sent.Write(Encoding.UTF8.GetBytes(Traffic == ServerTraffic.Bounces
                ? $"<message {attributes} type='error' xml:lang='en'><body>{body}</body><error code='503' type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/><text xml:lang='en' xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>User session not found</text></error></message>"
                : $"<message {attributes} type='chat' xml:lang='en'><body>{body}</body><active xmlns='http://jabber.org/protocol/chatstates'/><request xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0' id='order-{number}'/></message>"));
        }

        return sent.WrittenSpan.ToArray();
    }
}
