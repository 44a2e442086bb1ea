using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;
using Bridge.Connection;
using Bridge.Stanzas;

namespace Bridge.Actors.Tests.Connection;

/// <summary>A link that remembers what was written to it, and says what the test wants the server to say.</summary>
internal sealed partial class ScriptedLink(bool singleAddress) : IComponentLink
{
    private readonly ArrayBufferWriter<byte> _output = new();
    private readonly PendingCall<Nothing, Nothing> _close = new(default);
    private readonly TaskCompletionSource _reset = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IInboundSink? _sink;
    private int _flushed;
    private int _looked;

    public IBufferWriter<byte> Output => _output;

    public bool SingleAddress => singleAddress;

    public long BytesWritten => _flushed;

    public long BytesRead { get; set; }

    /// <summary>What the peer's kernel has not acknowledged.</summary>
    public int Unacknowledged { get; set; }

    public bool WasReset => Reset.IsCompleted;

    /// <summary>Completes when the link is reset.</summary>
    public Task Reset => _reset.Task;

    public bool IsClosing { get; private set; }

    /// <summary>Batches that the actor has dealt with.</summary>
    public int ConsumedBatches { get; private set; }

    /// <summary>Id of the question for the server's uptime, once it was written.</summary>
    public string? UptimeId { get; private set; }

    public int KernelSendQueue() => Unacknowledged;

    public void Start(StanzaReader reader, BarrierIdentity barriers, IInboundSink sink) => _sink = sink;

    public void Flush() => _flushed = _output.WrittenCount;

    public void Consumed(InboundBatch batch) => ConsumedBatches++;

    public void ResetNow() => _reset.TrySetResult();

    public Task CloseAsync(TimeSpan timeout)
    {
        IsClosing = true;
        return _close.Task;
    }

    /// <summary>The server ends its side of the stream.</summary>
    public void Closed() => _close.Answer(default);

    /// <summary>
    /// What was flushed since the last look, one word per element: <c>header</c>, <c>handshake</c>,
    /// <c>|5</c> for barrier 5, <c>uptime?</c>, <c>close</c>, <c>error:ID</c> for an answer that refuses, <c>wait:ID</c> for
    /// one that asks to wait, <c>presence:TYPE</c>,
    /// and the content of a <see cref="Stanzas.ScriptedEncoder" />'s stanza.
    /// </summary>
    public IReadOnlyList<string> Written()
    {
        var text = Encoding.UTF8.GetString(_output.WrittenSpan[_looked.._flushed]);
        _looked = _flushed;
        var words = new List<string>();
        var read = 0;
        foreach (Match match in Element().Matches(text))
        {
            Assert.Equal(read, match.Index);
            read += match.Length;
            if (match.Groups["uptime"] is { Success: true } id)
                UptimeId = id.Value;
            words.Add(
                match.Groups["header"].Success ? "header"
                : match.Groups["handshake"].Success ? "handshake"
                : match.Groups["barrier"] is { Success: true } barrier ? "|" + barrier.Value
                : match.Groups["uptime"].Success ? "uptime?"
                : match.Groups["close"].Success ? "close"
                : match.Groups["wait"] is { Success: true } wait ? "wait:" + wait.Value
                : match.Groups["presence"] is { Success: true } presence ? "presence:" + presence.Value
                : match.Groups["error"] is { Success: true } error ? "error:" + error.Value
                : match.Groups["stanza"].Value);
        }

        // Whatever was written is one of these elements, whole.
        Assert.Equal(text.Length, read);
        return words;
    }

    public void Say(params InboundEvent[] events) => _sink!.Post(new InboundBatch([.. events], 128 * events.Length));

    public void ReturnBarrier(long number) => Say(new BarrierReturned(number, 0));

    public void End(SocketEnd end) => _sink!.Ended(end, null);

    /// <summary>The server answers how long it runs.</summary>
    public void TellUptime(long seconds, string from = "example.test") => Say(new StanzaReceived(
        StanzaKind.Iq, UptimeId, from, "bridge.example.test", "result", "query", "jabber:iq:last",
        Encoding.UTF8.GetBytes($"<iq type='result'><query xmlns='jabber:iq:last' seconds='{seconds}'/></iq>")));

    [GeneratedRegex(
        "(?<header><\\?xml version='1.0'\\?><stream:stream [^>]*>)"
        + "|(?<handshake><handshake>[0-9a-f]{40}</handshake>)"
        + "|<iq type='get' from='bridge.example.test' to='bridge.example.test' id='[0-9a-f]{32}-(?<barrier>[0-9]+)'><ping xmlns='urn:xmpp:ping'/></iq>"
        + "|<iq type='get' id='(?<uptime>u-[0-9a-f]+)' from='bridge.example.test' to='example.test'><query xmlns='jabber:iq:last'/></iq>"
        + "|(?<close></stream:stream>)"
        + "|<iq type='error' id='(?<error>[^']*)' [^>]*><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
        + "|<(message|iq) type='error' id='(?<wait>[^']*)' [^>]*><error type='wait'><resource-constraint xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></(message|iq)>"
        + "|<presence type='(?<presence>[a-z]*)' from='[^']*' to='[^']*'/>"
        + "|<e>(?<stanza>.*?)</e>")]
    private static partial Regex Element();
}
